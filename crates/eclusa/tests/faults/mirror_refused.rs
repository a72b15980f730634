//! Fault: The server of a mirror is another one, or refuses

use eclusa_testkit::elsewhere::SshServer;

use crate::support::{Stage, quick};

/// SFTP: fails (3), E0606 with what to do about the host's key or the rights there; once that is done, the same command ends it.
#[test]
fn mirror() {
    let stage = Stage::plain(&quick()).backed_up();
    let shop = &stage.shop;
    let far = shop.directory.join("far");
    std::fs::create_dir(&far).unwrap();
    let mut server = SshServer::begin(&shop.directory.join("sshd"), &["rename", "posix-rename"]);
    std::fs::write(shop.directory.join("known_hosts"), "").unwrap();
    let place = format!(
        "\n[[stacks.shop.mirrors]]\nname = \"away\"\nsftp = {{ host = \"127.0.0.1\", port = {}, user = \"{}\", \
         directory = \"{}\", key = \"{}\", known_hosts = \"known_hosts\" }}\n",
        server.port,
        server.user,
        far.display(),
        server.key.display()
    );
    shop.change_configuration(|text| text + &place);
    shop.run(&["mirror"])
        .must(3)
        .shows("E0606")
        .shows("Host key verification failed")
        .shows("ssh-keyscan -p");
    shop.run(&["status"]).must(1).shows("Host key verification failed");
    std::fs::copy(&server.known_hosts, shop.directory.join("known_hosts")).unwrap();
    shop.run(&["mirror"]).must(3).shows("E0606").shows("cannot be renamed").shows("must be allowed to");
    stage.is_as_before();

    server.refuse(&["remove", "posix-rename"]);
    shop.run(&["mirror"]).must(0);
    shop.run(&["status"]).must(0);
    shop.run(&["drill", "--from", "away"]).must(0);
    server.end();
    shop.run(&["drill", "--from", "away"]).must(1).refused("E0606");
    stage.is_as_before();
}
