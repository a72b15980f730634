//! Fault: The file system of the databases becomes read-only

use crate::common::Shop;
use crate::support::disk::Disk;
use crate::support::{Stage, quick};

const DATA: u64 = 8 << 20;

fn stage() -> (Stage, Disk) {
    let shop = Shop::lay(&quick());
    let disk = Disk::ext4(&shop.directory.join("data"), DATA);
    let stage = Stage::of(shop).backed_up();
    stage.shop.run(&["stop", "--yes"]).must(0);
    disk.read_only(true);
    stage.shop.run(&["start", "--yes"]).must(0);
    (stage, disk)
}

/// Ends before anything is changed, or goes back (3); the data is as it was.
#[test]
fn release() {
    let (stage, disk) = stage();
    stage.shop.run(&["release", "v2", "--yes"]).must(3);
    disk.read_only(false);
    stage.is_as_before();
}

/// Ends before anything is changed (3).
#[test]
fn restore() {
    let (stage, disk) = stage();
    stage.shop.run(&["restore", "alpha", "--yes"]).must(3).shows("NO-GO").shows("Read-only file system");
    disk.read_only(false);
    stage.is_as_before();
}
