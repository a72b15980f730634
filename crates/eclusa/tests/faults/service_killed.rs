//! Fault: The service is killed with SIGKILL while the run watches

use crate::common::{processes, wait_for};
use crate::support::services::service;
use crate::support::{Stage, quick};

/// Its supervisor starts it again; the few errors are within the limits, and the run is done (0).
#[test]
fn release() {
    let stage = Stage::plain(&quick());
    stage.shop.change_configuration(|text| text.replace("for = \"2s\"", "for = \"4s\""));
    let run = stage.shop.begin(&["release", "v2"]);
    run.wait_for_event(&stage.shop, "intended", "watch.");
    let before = service(&stage.shop).unwrap();
    processes::kill_one(&before);
    let after = wait_for("a new one", 10, || service(&stage.shop).filter(|found| found.pid != before.pid));
    assert_ne!(before.pid, after.pid);
    stage.shop.run(&["attach", &run.id]).must(0).shows("GO.");
    stage.is_released();
}
