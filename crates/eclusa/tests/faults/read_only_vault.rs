//! Fault: The file system of the vault is read-only

use crate::support::disk::Disk;
use crate::support::{Stage, quick};

const VAULT: u64 = 8 << 20;

fn stage() -> (Stage, Disk) {
    let stage = Stage::gated(&quick()).backed_up();
    let disk = Disk::ext4(&stage.shop.state().join("vault"), VAULT);
    disk.read_only(true);
    (stage, disk)
}

/// Goes back (3), E0601, before anything was migrated; with a writable vault it is done.
#[test]
fn release() {
    let (stage, disk) = stage();
    stage.shop.run(&["release", "v2", "--yes"]).must(3).shows("Read-only file system");
    stage.is_as_before();
    disk.read_only(false);
    stage.shop.run(&["release", "v2", "--yes"]).must(0);
    stage.is_released();
}

/// Fails (3); the points that are there can still be proved.
#[test]
fn backup() {
    let (stage, _disk) = stage();
    stage.shop.run(&["backup"]).must(3).shows("Read-only file system");
    stage.shop.run(&["backups"]).must(0).shows("alpha");
    stage.shop.run(&["restore", "alpha", "--check"]).must(0).shows("proved");
    stage.is_as_before();
}

/// Goes back (3): what is live cannot be salvaged, so it is not overwritten.
#[test]
fn restore() {
    let (stage, _disk) = stage();
    stage.shop.run(&["restore", "alpha", "--yes"]).must(3).shows("Read-only file system");
    stage.is_as_before();
}
