//! Fault: The process that owns a run is told to stop (SIGTERM, SIGINT, SIGHUP)

use rustix::process::Signal;

use crate::common::{Process, Run};
use crate::support::{Stage, hook, quick};

fn runner(stage: &Stage) -> Process {
    stage.shop.processes().into_iter().find(Process::is_runner).unwrap()
}

fn send(process: &Process, signal: Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(process.pid).unwrap(), signal).unwrap();
}

/// Stops the runner in a step, and says so with what to type; the rest is up to `resume`.
fn stopped(stage: &Stage, step: &str, signal: Signal) -> Run {
    let run = stage.shop.begin(&["release", "v2"]);
    run.wait_for_event(&stage.shop, "intended", step);
    send(&runner(stage), signal);
    run.wait_for_runner(&stage.shop, None);
    assert_eq!(run.outcome(&stage.shop), None, "a stop is no end");
    let status = stage.shop.run(&["status"]).must(1);
    status.shows(&format!("eclusa resume {}", run.id));
    run
}

/// SIGTERM in preflight: nothing has changed; `resume` finishes (0).
#[test]
fn resume_in_preflight() {
    let stage = Stage::gated(&quick());
    stopped(&stage, "preflight.baseline", Signal::TERM);
    stage.shop.run(&["resume"]).must(0).shows("GO.");
    stage.is_released();
}

/// SIGINT while a migration runs: the migration is ended with its runner, `resume` goes back (3), nothing is lost.
#[test]
fn resume_in_migrate() {
    let mut setting = quick();
    setting.migration = 8000;
    let stage = Stage::gated(&setting);
    stopped(&stage, "migrate.alpha", Signal::INT);
    assert_eq!(stage.shop.public("alpha", "/api/products").0, 503, "the gate stays closed");
    stage.shop.run(&["resume"]).must(3).shows("WENT BACK");
    stage.is_as_before();
}

/// SIGTERM while it watches: `resume` goes on watching and finishes (0).
#[test]
fn resume_in_watch() {
    let stage = Stage::gated(&quick());
    stage.shop.change_configuration(|text| text.replace("for = \"2s\"", "for = \"4s\""));
    stopped(&stage, "watch.", Signal::TERM);
    assert_eq!(stage.shop.public("alpha", "/api/products").0, 200, "the gate stays open");
    stage.shop.run(&["resume"]).must(0).shows("GO.");
    stage.is_released();
}

/// SIGTERM on the way back: `resume` finishes going back (3).
#[test]
fn resume_on_the_way_back() {
    let stage = Stage::gated(&quick());
    let undo = "undo = [\"sh\", \"-c\", \"test -e second || { touch second; sleep 5; }\"]\n";
    stage.shop.change_configuration(|text| {
        text + &hook("slow", "before.change", "true") + undo + &hook("no", "after.migrate", "exit 3")
    });
    let run = stage.shop.begin(&["release", "v2"]);
    run.wait_for_event(&stage.shop, "undo-intended", "change.hook.slow");
    send(&runner(&stage), Signal::TERM);
    run.wait_for_runner(&stage.shop, None);
    assert_eq!(run.outcome(&stage.shop), None, "a stop is no end");
    stage.shop.run(&["resume"]).must(3).shows("WENT BACK");
    stage.is_as_before();
}

/// SIGHUP: it is no terminal's, and goes on to its end (0).
#[test]
fn release_sighup() {
    let stage = Stage::plain(&quick());
    let run = stage.shop.begin(&["release", "v2"]);
    run.wait_for_event(&stage.shop, "intended", "preflight.baseline");
    send(&runner(&stage), Signal::HUP);
    stage.shop.run(&["attach", &run.id]).must(0).shows("GO.");
    stage.is_released();
}
