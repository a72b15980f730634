//! Fault: The disk of the scratch space is full

use crate::support::disk::Disk;
use crate::support::{Stage, quick};

const SCRATCH: u64 = 1 << 20;

fn full(stage: &Stage) -> Disk {
    let disk = Disk::tmpfs(&stage.shop.state().join("scratch"), SCRATCH);
    disk.fill();
    disk
}

/// Goes back (3), E0503 with the disk that is full; with room it is done.
#[test]
fn release() {
    let stage = Stage::gated(&quick());
    let disk = full(&stage);
    stage.shop.run(&["release", "v2", "--yes"]).must(3);
    stage.is_as_before();
    disk.free_up();
    stage.shop.run(&["release", "v2", "--yes"]).must(0);
    stage.is_released();
}

/// Fails (3), E0503 with the disk that is full and what to do; with room it is done.
#[test]
fn backup() {
    let stage = Stage::plain(&quick());
    let disk = full(&stage);
    stage.shop.run(&["backup"]).must(3).shows("E0503").shows("state/scratch/shop is full").shows("Next: ");
    stage.is_as_before();
    disk.free_up();
    stage.shop.run(&["backup"]).must(0);
}

/// Goes back (3): what is live cannot be salvaged, so it is not overwritten.
#[test]
fn restore() {
    let stage = Stage::gated(&quick()).backed_up();
    let _disk = full(&stage);
    stage.shop.run(&["restore", "alpha", "--yes"]).must(3).shows("WENT BACK");
    stage.is_as_before();
}

/// Goes back (3): what is live cannot be salvaged, so it is not overwritten.
#[test]
fn rollback() {
    let stage = Stage::plain(&quick()).released();
    let _disk = full(&stage);
    stage.shop.run(&["rollback", "--yes"]).must(3).shows("WENT BACK");
    stage.is_as_before();
}
