//! Fault: A hook forks a daemon that keeps its output open

use std::time::Instant;

use crate::support::{Stage, hook, quick};

fn released(line: &str) {
    let stage = Stage::plain(&quick());
    stage.shop.change_configuration(|text| text + &hook("daemon", "before.change", line));
    let began = Instant::now();
    stage.shop.run(&["release", "v2", "--yes"]).must(0).shows("GO.").shows("has begun");
    assert!(began.elapsed().as_secs() < 60, "the daemon was waited for: {:?}", began.elapsed());
    // A daemon is what the hook wanted: it is left alone.
    let daemon = stage.shop.processes().into_iter().find(|process| process.command.contains("sleep 622"));
    crate::common::processes::kill_one(&daemon.expect("the daemon was ended"));
    std::thread::sleep(std::time::Duration::from_millis(100));
    stage.is_released();
}

/// In its own group: not waited for, left alone; done (0).
#[test]
fn release() {
    released("sleep 622 & echo it has begun");
}

/// In a session of its own: not waited for, left alone; done (0).
#[test]
fn release_own_session() {
    released("setsid sleep 622 & echo it has begun");
}
