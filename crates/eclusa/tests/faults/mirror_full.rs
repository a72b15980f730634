//! Fault: The disk of a mirror is full

use eclusa_testkit::elsewhere::SshServer;

use crate::support::mirror::mirrored;

/// Fails (3), E0606 with the mirror; what was there before is whole, and with room the same command ends it.
#[test]
fn mirror() {
    let mirrored = mirrored();
    let shop = &mirrored.stage.shop;
    shop.run(&["mirror"]).must(0);
    let before = mirrored.points();
    shop.run(&["backup"]).must(0);
    mirrored.disk.fill();
    shop.run(&["mirror"]).must(3).shows("NO-GO").shows("E0606").shows("No space left");
    mirrored.stage.is_as_before();
    assert_eq!(mirrored.points(), before);
    shop.run(&["drill", "--from", "nas"]).must(0);
    mirrored.disk.free_up();
    shop.run(&["mirror"]).must(0);
    assert_eq!(mirrored.points(), before + 2);
    shop.run(&["mirror", "--read-all"]).must(0);
    mirrored.stage.is_as_before();
}

/// SFTP: fails (3), E0606 that says that the disk there is full; with room the same command ends it.
#[test]
fn mirror_sftp() {
    let mirrored = mirrored();
    let shop = &mirrored.stage.shop;
    let server = SshServer::begin(&shop.directory.join("sshd"), &[]);
    let directory = format!("directory = \"{}\"", mirrored.place.display());
    let sftp = format!(
        "sftp = {{ host = \"127.0.0.1\", port = {}, user = \"{}\", {directory}, key = \"{}\", known_hosts = \"{}\" }}",
        server.port,
        server.user,
        server.key.display(),
        server.known_hosts.display()
    );
    shop.change_configuration(|text| text.replace(&directory, &sftp));
    mirrored.disk.fill();
    shop.run(&["mirror"]).must(3).shows("E0606").shows("the disk is full").shows("Make room there");
    shop.run(&["status"]).must(1).shows("the disk is full");
    assert_eq!(mirrored.points(), 0);
    mirrored.disk.free_up();
    shop.run(&["mirror"]).must(0);
    shop.run(&["mirror", "--read-all"]).must(0);
    mirrored.stage.is_as_before();
}
