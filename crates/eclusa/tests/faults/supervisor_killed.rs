//! Fault: The supervisor of the service is killed with SIGKILL

use crate::common::{processes, wait_for};
use crate::support::services::{service, supervisor};
use crate::support::{Stage, quick};

/// While the run watches: the service ends with it, the watch says no-go, and the run goes back (3); v1 serves.
#[test]
fn release() {
    let stage = Stage::plain(&quick());
    stage.shop.change_configuration(|text| {
        text.replace("for = \"2s\"", "for = \"4s\"").replace("error_rate = 0.6", "error_rate = 0.2")
    });
    let run = stage.shop.begin(&["release", "v2"]);
    run.wait_for_event(&stage.shop, "intended", "watch.");
    processes::kill_one(&supervisor(&stage.shop).unwrap());
    stage.shop.run(&["attach", &run.id]).must(3).shows("WENT BACK");
    stage.is_as_before();
}

/// Between runs: `status` says what does not run and what to type (1); `start` brings it back.
#[test]
fn status() {
    let stage = Stage::plain(&quick());
    processes::kill_one(&supervisor(&stage.shop).unwrap());
    wait_for("the service ends with it", 10, || service(&stage.shop).is_none().then_some(()));
    stage.shop.run(&["status"]).must(1).shows("eclusa start");
    stage.shop.run(&["start", "--yes"]).must(0);
    stage.is_as_before();
}
