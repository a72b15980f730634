//! Fault: The edge is killed with SIGKILL

use crate::common::{processes, wait_for};
use crate::support::services::edge;
use crate::support::{Stage, hook, quick};

/// While the gate is closed: it comes back closed, nobody reaches the half migrated stack, and the run is done (0).
#[test]
fn release() {
    let mut stage = Stage::gated(&quick());
    stage.shop.change_configuration(|text| {
        text + &hook("wait", "before.migrate", "touch waiting; while [ -e waiting ]; do sleep 0.05; done")
    });
    stage.before = stage.shop.censuses();
    let run = stage.shop.begin(&["release", "v2"]);
    let waiting = stage.shop.directory.join("waiting");
    wait_for("the hook", 60, || waiting.exists().then_some(()));
    assert_eq!(stage.shop.public("alpha", "/api/products").0, 503);
    let before = edge(&stage.shop).unwrap();
    processes::kill_one(&before);
    wait_for("a new edge", 15, || edge(&stage.shop).filter(|found| found.pid != before.pid));
    let status = wait_for("an answer", 15, || {
        Some(stage.shop.public("alpha", "/api/products").0).filter(|status| *status != 0)
    });
    assert_eq!(status, 503, "the gate was forgotten");
    std::fs::remove_file(&waiting).unwrap();
    stage.shop.run(&["attach", &run.id]).must(0).shows("GO.");
    stage.is_released();
}

/// Between runs: it is started again by its supervisor, with the gates as they were.
#[test]
fn edge_between_runs() {
    let stage = Stage::gated(&quick());
    let before = edge(&stage.shop).unwrap();
    processes::kill_one(&before);
    wait_for("a new edge", 15, || edge(&stage.shop).filter(|found| found.pid != before.pid));
    wait_for("an answer", 15, || {
        Some(stage.shop.public("alpha", "/api/products").0).filter(|status| *status == 200)
    });
    stage.shop.run(&["status"]).must(0);
    stage.is_as_before();
}
