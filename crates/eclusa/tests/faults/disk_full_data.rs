//! Fault: The disk of the databases is full

use crate::common::Shop;
use crate::support::disk::Disk;
use crate::support::{Stage, hook, quick};

const DATA: u64 = 24 << 20;

/// Stuck (4) when the way back finds no room either, with the gate closed; after there is room, `resume` goes back (3)
/// and nothing is lost.
#[test]
fn release() {
    let mut setting = quick();
    setting.sales = 600;
    let shop = Shop::lay(&setting);
    let data = shop.directory.join("data");
    let disk = Disk::tmpfs(&data, DATA);
    let stage = Stage::of(shop);
    stage.shop.run(&["edge", "install", "--yes"]).must(0);
    let line = Disk::filling(&data);
    stage.shop.change_configuration(|text| text + &hook("fill", "before.migrate", &line));
    stage.shop.run(&["release", "v2", "--yes"]).must(4).shows("STUCK").shows("eclusa resume");
    assert_eq!(stage.shop.public("alpha", "/api/products").0, 503, "half migrated data is served");
    disk.free_up();
    stage.shop.run(&["resume"]).must(3).shows("WENT BACK");
    stage.is_as_before();
}

/// Done (0): a backup writes nothing where the data lies.
#[test]
fn backup() {
    let shop = Shop::lay(&quick());
    let disk = Disk::tmpfs(&shop.directory.join("data"), DATA);
    let stage = Stage::of(shop);
    disk.fill();
    stage.shop.run(&["backup"]).must(0);
    disk.free_up();
    stage.is_as_before();
}

/// Ends before anything is changed (3), E0504 with the disk that is full; the live database is as it was.
#[test]
fn restore() {
    let shop = Shop::lay(&quick());
    let disk = Disk::tmpfs(&shop.directory.join("data"), DATA);
    let stage = Stage::of(shop).backed_up();
    disk.fill();
    stage.shop.run(&["restore", "alpha", "--yes"]).must(3);
    disk.free_up();
    stage.is_as_before();
}
