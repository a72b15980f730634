//! Fault: The clock of the machine is stepped in the middle of a run

use crate::common::{Ran, Run, Setting};
use crate::support::{Stage, hook, quick};

/// A release during whose `point` the clock of its runner is stepped.
fn stepped(seconds: i64, point: &str) -> (Stage, Run) {
    let setting = Setting { watch: crate::common::SHORT_WATCH, ..quick() };
    let stage = Stage::gated(&setting);
    let file = stage.shop.directory.join("stepped");
    if !point.is_empty() {
        stage.shop.change_configuration(|text| text + &hook("step", point, "touch stepped"));
    }
    let mut command = stage.shop.command(&["release", "v2", "--yes", "--detach"]);
    command.env("ECLUSA_CLOCK_STEP", format!("{seconds}@{}", file.display()));
    let ran = Ran::of(&mut command).must(0);
    let run = Run { id: ran.out.lines().last().unwrap().trim().to_owned() };
    if point.is_empty() {
        run.wait_for_event(&stage.shop, "intended", "watch.");
        std::fs::write(&file, "").unwrap();
    }
    (stage, run)
}

#[track_caller]
fn done(seconds: i64, point: &str) {
    let (stage, run) = stepped(seconds, point);
    stage.shop.run(&["attach", &run.id]).must(0).shows("GO.");
    // The times in the report are those of the clock, with its step; the order of what was done is not.
    stage.shop.run(&["report", &run.id, "--format", "md"]).must(0);
    stage.is_released();
}

/// Two hours back, while the gate is closed: done (0).
#[test]
fn release_back_while_closed() {
    done(-7200, "before.migrate");
}

/// Two hours back, while it watches: the watch takes as long as it should, and no longer; done (0).
#[test]
fn release_back_while_watching() {
    done(-7200, "");
}

/// Two hours forward, while the gate is closed: done (0); nothing runs past its limit for that.
#[test]
fn release_forward_while_closed() {
    done(7200, "before.migrate");
}

/// Two hours forward, while it watches: the watch is not cut short; done (0).
#[test]
fn release_forward_while_watching() {
    done(7200, "");
}
