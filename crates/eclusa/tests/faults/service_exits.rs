//! Fault: The service ends as soon as it is started

use crate::support::services::{Web, break_service, laid};
use crate::support::{Stage, quick};

/// Goes back (3), E0206: the old release serves, the data is as it was.
#[test]
fn release() {
    let stage = Stage::of(laid(&quick(), [("v2", Web::Exits)]));
    stage.shop.run(&["release", "v2", "--yes"]).must(3).shows("WENT BACK").shows("E0206");
    stage.is_as_before();
}

/// Goes back (3), E0206: requests waited at the edge meanwhile, and none was lost.
#[test]
fn release_code_only() {
    let stage = Stage::of(laid(&quick(), [("v1b", Web::Exits)]));
    stage.shop.run(&["edge", "install", "--yes"]).must(0);
    stage.shop.run(&["release", "v1b", "--yes"]).must(3).shows("WENT BACK").shows("E0206");
    stage.is_as_before();
}

/// Goes back to where it was (3): the newer release serves, with its data.
#[test]
fn rollback() {
    let stage = Stage::of(laid(&quick(), [])).released();
    break_service(&stage.shop, "v1");
    stage.shop.run(&["rollback", "--yes"]).must(3).shows("WENT BACK").shows("E0206");
    stage.is_as_before();
}
