//! Fault: A hook kills the process that owns its run

use crate::support::{Stage, hook, quick};

/// The command ends with 1 and says what to type; whether the hook took effect is unknown, so `resume` goes back (3).
#[test]
fn release() {
    let stage = Stage::gated(&quick());
    let line = "test -e once || { touch once; kill -9 $PPID; sleep 5; }";
    stage.shop.change_configuration(|text| text + &hook("kill", "before.migrate", line));
    let ran = stage.shop.run(&["release", "v2", "--yes"]).must(1).refused("E0404");
    ran.says("lost its runner").says("eclusa resume");
    assert_eq!(stage.shop.public("alpha", "/api/products").0, 503, "the gate stays closed");
    stage.shop.run(&["resume"]).must(3).shows("WENT BACK");
    stage.is_as_before();
}
