//! Fault: A dead runner has left its lease

use crate::common::{Ran, Run};
use crate::support::{Stage, quick};

/// A release whose runner was killed in preflight, with the lease.
fn dead(stage: &Stage) -> Run {
    let mut command = stage.shop.command(&["release", "v2", "--yes", "--detach"]);
    let ran = Ran::of(command.env("ECLUSA_CRASH_AT", "after:12")).must(0);
    let run = Run { id: ran.out.lines().last().unwrap().trim().to_owned() };
    run.wait_for_runner(&stage.shop, None);
    assert!(stage.shop.state().join("process/shop/lease.json").exists());
    run
}

/// A new one is refused (1), E0405, with what to type; `resume` takes the lease over and finishes (0).
#[test]
fn release() {
    let stage = Stage::plain(&quick());
    let run = dead(&stage);
    let refused = stage.shop.run(&["release", "v2", "--yes"]).must(1).refused("E0405");
    refused.says("its runner is gone").says(&format!("eclusa resume {}", run.id));
    stage.shop.run(&["resume"]).must(0).shows("GO.");
    stage.is_released();
}

/// `abort` of a run without a runner goes back (0) and gives the lease up.
#[test]
fn abort() {
    let stage = Stage::plain(&quick());
    let run = dead(&stage);
    stage.shop.run(&["abort", &run.id, "--reason", "too late today"]).must(0).shows("NO-GO");
    stage.is_as_before();
}

/// Refused (1), E0405, with what to type.
#[test]
fn backup() {
    let stage = Stage::plain(&quick());
    let run = dead(&stage);
    stage.shop.run(&["backup"]).must(1).refused("E0405").says(&format!("eclusa resume {}", run.id));
    stage.shop.run(&["abort", "--reason", "the test is over"]).must(0);
    stage.is_as_before();
}
