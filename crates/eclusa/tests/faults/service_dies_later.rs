//! Fault: The service is healthy and dies soon after, each time it is started

use crate::support::services::{Web, laid};
use crate::support::{Stage, quick};

/// The watch says no-go and the run goes back with the data (3), what was written since in a salvage point.
#[test]
fn release() {
    let shop = laid(&quick(), [("v2", Web::DiesAfter("0.9"))]);
    shop.change_configuration(|text| {
        text.replace("for = \"2s\"", "for = \"6s\"").replace("error_rate = 0.6", "error_rate = 0.2")
    });
    let stage = Stage::of(shop);
    stage.shop.run(&["release", "v2", "--yes"]).must(3).shows("WENT BACK");
    stage.is_as_before();
    stage.shop.run(&["backups", "alpha"]).must(0).shows("salvage");
}
