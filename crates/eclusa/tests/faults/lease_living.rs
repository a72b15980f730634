//! Fault: The stack is leased by a run that lives

use crate::support::{Stage, done, hook, quick};

fn refused(arguments: &[&str]) {
    let stage = Stage::plain(&quick()).backed_up();
    if arguments[0] == "rollback" {
        stage.shop.run(&["release", "v2", "--yes"]).must(0);
    }
    let to = if arguments[0] == "rollback" { "v3" } else { "v2" };
    stage.shop.change_configuration(|text| {
        text + &hook("wait", "before.change", "while [ ! -e go ]; do sleep 0.05; done")
    });
    let run = stage.shop.begin(&["release", to]);
    run.wait_for_event(&stage.shop, "intended", "change.hook.wait");
    stage
        .shop
        .run(arguments)
        .must(1)
        .refused("E0405")
        .says(&run.id)
        .says("eclusa attach")
        .says("Nothing was changed.");
    std::fs::write(stage.shop.directory.join("go"), "").unwrap();
    done(&stage.shop, &["attach", &run.id]);
    let data = stage.shop.censuses();
    stage.is(to, &data, false);
}

/// Refused (1), E0405, by whom; the run that lives is done (0).
#[test]
fn release() {
    refused(&["release", "v2", "--yes"]);
}

/// Refused (1), E0405; the run that lives is done (0).
#[test]
fn rollback() {
    refused(&["rollback", "--yes"]);
}

/// Refused (1), E0405; the run that lives is done (0).
#[test]
fn backup() {
    refused(&["backup"]);
}

/// Refused (1), E0405; the run that lives is done (0).
#[test]
fn restore() {
    refused(&["restore", "alpha", "--yes"]);
}
