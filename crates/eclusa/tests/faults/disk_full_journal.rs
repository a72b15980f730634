//! Fault: The disk of the journal is full

use crate::common::Shop;
use crate::support::disk::Disk;
use crate::support::{Stage, hook, quick};

const STATE: u64 = 16 << 20;

/// The room that is kept for it suffices to go back and to write that down (3); the data is as it was.
#[test]
fn release() {
    let shop = Shop::lay(&quick());
    let state = shop.state();
    let disk = Disk::ext4(&state, STATE);
    let _vault = Disk::tmpfs(&state.join("vault"), STATE);
    let _scratch = Disk::tmpfs(&state.join("scratch"), STATE);
    let stage = Stage::of(shop);
    let line = Disk::filling(&state);
    stage.shop.change_configuration(|text| {
        text + &hook("fill", "before.migrate", &line) + &hook("no", "after.migrate", "exit 3")
    });
    stage.shop.run(&["release", "v2", "--yes"]).must(3);
    disk.free_up();
    stage.is_as_before();
}

/// Without the room that is kept for it the runner stops (1), E0401: nothing is done that is not written. With room,
/// `resume` finishes the run or takes it back (0 or 3).
#[test]
fn release_without_the_reserve() {
    let shop = Shop::lay(&quick());
    let state = shop.state();
    let disk = Disk::ext4(&state, STATE);
    let _vault = Disk::tmpfs(&state.join("vault"), STATE);
    let _scratch = Disk::tmpfs(&state.join("scratch"), STATE);
    let stage = Stage::of(shop);
    let line = format!("rm {}/journal.reserve; {}", state.display(), Disk::filling(&state));
    stage.shop.change_configuration(|text| text + &hook("fill", "before.migrate", &line));
    stage.shop.run(&["release", "v2", "--yes"]).must(1);
    disk.free_up();
    // Whether the step that filled it is known to be done depends on which entry was the first to find no room.
    let resumed = stage.shop.run(&["resume"]);
    match resumed.code {
        0 => stage.is_released(),
        3 => stage.is_as_before(),
        _ => panic!("{resumed:?}"),
    }
}

/// Refused before it begins (1), E0401: a journal cannot be opened without any room. With room it is done.
#[test]
fn backup() {
    let shop = Shop::lay(&quick());
    let state = shop.state();
    let disk = Disk::tmpfs(&state, STATE);
    let _vault = Disk::tmpfs(&state.join("vault"), STATE);
    let _scratch = Disk::tmpfs(&state.join("scratch"), STATE);
    let stage = Stage::of(shop);
    disk.fill();
    stage.shop.run(&["backup"]).must(1).refused("E0401");
    disk.free_up();
    stage.shop.run(&["backup"]).must(0);
    stage.is_as_before();
}
