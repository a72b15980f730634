//! Fault: The disk of a mirror is full

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
