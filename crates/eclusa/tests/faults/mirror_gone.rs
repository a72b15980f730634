//! Fault: The disk of a mirror is not mounted

use crate::support::mirror::mirrored;

/// Fails (3), E0606 and asks whether it is mounted; nothing is written under the mount point.
#[test]
fn mirror() {
    let mirrored = mirrored();
    let shop = &mirrored.stage.shop;
    shop.change_configuration(|text| {
        text.replace("name = \"nas\"", "name = \"nas\"\nsame_file_system = true")
    });
    shop.run(&["mirror"]).must(0);
    drop(mirrored.disk);
    shop.run(&["mirror"]).must(3).shows("NO-GO").shows("E0606").shows("Is its disk mounted?");
    shop.run(&["mirror", "--from", "nas"]).must(3).shows("E0606");
    shop.run(&["drill", "--from", "nas"]).must(1).refused("E0606");
    assert_eq!(
        std::fs::read_dir(&mirrored.place).unwrap().count(),
        0,
        "something lies under the mount point"
    );
    mirrored.stage.is_as_before();
}
