//! Fault: The file system of the state directory is read-only

use crate::common::Shop;
use crate::support::disk::Disk;
use crate::support::{Stage, quick};

const STATE: u64 = 32 << 20;

fn stage() -> (Stage, Disk) {
    let shop = Shop::lay(&quick());
    let disk = Disk::ext4(&shop.state(), STATE);
    let stage = Stage::of(shop).backed_up().released();
    // Logs and locks of the supervisors are open for writing; a read-only remount would be refused.
    stage.shop.run(&["stop", "--yes"]).must(0);
    disk.read_only(true);
    (stage, disk)
}

fn refused(arguments: &[&str]) {
    let (stage, disk) = stage();
    stage.shop.run(arguments).must(1).refused("E0401");
    // What only reads can still be asked.
    stage.shop.run(&["history"]).must(0);
    disk.read_only(false);
    stage.shop.run(&["start", "--yes"]).must(0);
    stage.is_as_before();
}

/// Refused (1) before it begins; `history` can still be read.
#[test]
fn release() {
    refused(&["release", "v3", "--yes"]);
}

/// Refused (1) before it begins.
#[test]
fn rollback() {
    refused(&["rollback", "--yes"]);
}

/// Refused (1) before it begins.
#[test]
fn backup() {
    refused(&["backup"]);
}

/// Refused (1) before it begins.
#[test]
fn restore() {
    refused(&["restore", "alpha", "--yes"]);
}
