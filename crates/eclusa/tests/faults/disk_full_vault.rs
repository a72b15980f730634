//! Fault: The disk of the vault is full

use crate::support::disk::Disk;
use crate::support::{Stage, hook, quick};

const VAULT: u64 = 8 << 20;

/// Full from the start: refused in preflight (3), nothing has changed.
#[test]
fn release() {
    let stage = Stage::plain(&quick());
    let disk = Disk::tmpfs(&stage.shop.state().join("vault"), VAULT);
    disk.fill();
    stage.shop.run(&["release", "v2", "--yes"]).must(3).shows("NO-GO");
    stage.is_as_before();
    disk.free_up();
    stage.shop.run(&["release", "v2", "--yes"]).must(0);
    stage.is_released();
}

/// Full while the gate is closed: goes back (3), E0604 with the disk that is full.
#[test]
fn release_while_closed() {
    let mut stage = Stage::gated(&quick());
    let vault = stage.shop.state().join("vault");
    let line = Disk::filling(&vault);
    stage.shop.change_configuration(|text| text + &hook("fill", "before.secure", &line));
    let disk = Disk::tmpfs(&vault, VAULT);
    stage.before = stage.shop.censuses();
    stage
        .shop
        .run(&["release", "v2", "--yes"])
        .must(3)
        .shows("WENT BACK")
        .shows("E0604")
        .shows("/alpha is full");
    stage.is_as_before();
    disk.free_up();
}

/// Fails (3), E0604 with the disk that is full; the points that were there can be proved, and with room it is done.
#[test]
fn backup() {
    let stage = Stage::plain(&quick()).backed_up();
    let disk = Disk::tmpfs(&stage.shop.state().join("vault"), VAULT);
    disk.fill();
    stage.shop.run(&["backup"]).must(3).shows("E0604").shows("/alpha is full");
    stage.is_as_before();
    stage.shop.run(&["restore", "alpha", "--check"]).must(0);
    disk.free_up();
    stage.shop.run(&["backup"]).must(0);
}

/// Goes back (3): what is live cannot be salvaged, so it is not overwritten.
#[test]
fn restore() {
    let stage = Stage::gated(&quick()).backed_up();
    let disk = Disk::tmpfs(&stage.shop.state().join("vault"), VAULT);
    disk.fill();
    stage
        .shop
        .run(&["restore", "alpha", "--yes"])
        .must(3)
        .shows("WENT BACK")
        .shows("E0604")
        .shows("/alpha is full");
    stage.is_as_before();
}

/// Goes back (3): what is live cannot be salvaged, so it is not overwritten.
#[test]
fn rollback() {
    let stage = Stage::plain(&quick()).released();
    let disk = Disk::tmpfs(&stage.shop.state().join("vault"), VAULT);
    disk.fill();
    stage.shop.run(&["rollback", "--yes"]).must(3).shows("WENT BACK").shows("E0604").shows("/alpha is full");
    stage.is_as_before();
}
