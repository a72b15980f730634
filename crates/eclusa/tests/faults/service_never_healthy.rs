//! Fault: The service starts and never becomes healthy

use crate::support::services::{Web, laid};
use crate::support::{Stage, quick};

/// Goes back (3) when `limits.healthy` is over, E0206 with what was found.
#[test]
fn release() {
    let shop = laid(&quick(), [("v2", Web::Hangs)]);
    shop.change_configuration(|text| text.replace("healthy = \"20s\"", "healthy = \"2s\""));
    let stage = Stage::of(shop);
    stage.shop.run(&["release", "v2", "--yes"]).must(3).shows("WENT BACK").shows("E0206");
    stage.is_as_before();
}

/// Goes back (3), and nobody who waited at the edge saw an error of the new release.
#[test]
fn release_code_only() {
    let shop = laid(&quick(), [("v1b", Web::Hangs)]);
    shop.change_configuration(|text| text.replace("healthy = \"20s\"", "healthy = \"2s\""));
    let stage = Stage::of(shop);
    stage.shop.run(&["edge", "install", "--yes"]).must(0);
    let waiting = stage.visitor();
    stage.shop.run(&["release", "v1b", "--yes"]).must(3).shows("WENT BACK").shows("E0206");
    waiting.saw_only("v1");
    stage.is_as_before();
}
