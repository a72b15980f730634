//! Fault: A command hangs and ignores SIGTERM

use std::time::Instant;

use crate::support::{Stage, hook, quick};

/// Ended with SIGKILL five seconds after its limit, with its children; the run goes back (3), E0803.
#[test]
fn release() {
    let stage = Stage::plain(&quick());
    let line = "trap \"\" TERM; (trap \"\" TERM; sleep 611) & while true; do sleep 1; done";
    let table = hook("hang", "before.change", line).replace("timeout = \"120s\"", "timeout = \"2s\"");
    stage.shop.change_configuration(|text| text + &table);
    let began = Instant::now();
    stage.shop.run(&["release", "v2", "--yes"]).must(3).shows("WENT BACK").shows("E0803").shows("2 s");
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    stage.is_as_before();
    assert!(!stage.shop.processes().iter().any(|process| process.command.contains("sleep 611")));
}

/// `abort` does not wait for it: it is ended, and the run goes back (0).
#[test]
fn abort() {
    let stage = Stage::plain(&quick());
    let line = "trap \"\" TERM; while true; do sleep 1; done";
    let table = hook("hang", "before.change", line).replace("timeout = \"120s\"", "timeout = \"10m\"");
    stage.shop.change_configuration(|text| text + &table);
    let run = stage.shop.begin(&["release", "v2"]);
    run.wait_for_event(&stage.shop, "intended", "change.hook.hang");
    let began = Instant::now();
    stage.shop.run(&["abort", "--reason", "it hangs"]).must(0).shows("WENT BACK").shows("it hangs");
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    stage.is_as_before();
}
