//! Fault: The disk of the vault has room for bytes and none for files

use crate::support::disk::Disk;
use crate::support::{Stage, quick};

/// Fails (3), E0604; the points that were there are as good as before, and with room it succeeds.
#[test]
fn backup() {
    let stage = Stage::plain(&quick()).backed_up();
    let disk = Disk::files(&stage.shop.state().join("vault"), 2000);
    disk.use_up_files();
    stage.shop.run(&["backup"]).must(3).shows("E0604").shows("/alpha is full");
    stage.shop.run(&["restore", "alpha", "--check"]).must(0);
    disk.free_up();
    stage.shop.run(&["backup"]).must(0);
    stage.is_as_before();
}
