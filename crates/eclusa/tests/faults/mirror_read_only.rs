//! Fault: The disk of a mirror is read-only

use crate::support::mirror::mirrored;

/// Fails (3), E0606; what is there can still be restored, and once it is writable the same command ends it.
#[test]
fn mirror() {
    let mirrored = mirrored();
    let shop = &mirrored.stage.shop;
    shop.run(&["mirror"]).must(0);
    shop.run(&["backup"]).must(0);
    mirrored.disk.read_only(true);
    shop.run(&["mirror"]).must(3).shows("NO-GO").shows("E0606").shows("Read-only file system");
    shop.run(&["drill", "--from", "nas"]).must(0);
    mirrored.stage.is_as_before();
    mirrored.disk.read_only(false);
    shop.run(&["mirror"]).must(0);
}
