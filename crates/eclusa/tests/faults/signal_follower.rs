//! Fault: The command that follows a run is ended (SIGINT, SIGTERM, SIGHUP, SIGKILL, the terminal is closed)

use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::common::{Run, wait_for};
use crate::support::{Stage, hook, quick};

fn held() -> Stage {
    let stage = Stage::plain(&quick());
    stage.shop.change_configuration(|text| {
        text + &hook("wait", "before.change", "while [ ! -e go ]; do sleep 0.05; done")
    });
    stage
}

fn begun(stage: &Stage) -> Run {
    let run = wait_for("the run", 30, || {
        let runs = stage.shop.run(&["history", "--json"]).must(0).json();
        let newest = &runs["runs"][0];
        let id = newest["run"].as_str().filter(|_| newest["outcome"].is_null());
        id.map(|id| Run { id: id.to_owned() })
    });
    run.wait_for_event(&stage.shop, "intended", "change.hook.wait");
    run
}

fn goes_on(stage: &Stage, run: &Run) {
    std::fs::write(stage.shop.directory.join("go"), "").unwrap();
    stage.shop.run(&["attach", &run.id]).must(0).shows("GO.");
    stage.is_released();
}

fn ended_by(signal: Signal, code: Option<i32>) {
    let stage = held();
    let mut command = stage.shop.command(&["release", "v2", "--yes"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let run = begun(&stage);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, signal).unwrap();
    assert_eq!(child.wait().unwrap().code(), code);
    if code.is_some() {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut text).unwrap();
        assert!(text.contains(&format!("eclusa attach {}", run.id)), "{text}");
    }
    goes_on(&stage, &run);
}

/// SIGINT: ends with 130 and the words to follow it again; the run goes on to its end.
#[test]
fn release_sigint() {
    ended_by(Signal::INT, Some(130));
}

/// SIGTERM: ends with 130 and the words to follow it again; the run goes on to its end.
#[test]
fn release_sigterm() {
    ended_by(Signal::TERM, Some(130));
}

/// SIGHUP: ends with 130 and the words to follow it again; the run goes on to its end.
#[test]
fn release_sighup() {
    ended_by(Signal::HUP, Some(130));
}

/// SIGKILL: the run goes on to its end.
#[test]
fn release_sigkill() {
    ended_by(Signal::KILL, None);
}

/// The terminal is closed, with everything that was started in it: the run goes on to its end.
#[test]
fn release_terminal_closed() {
    let stage = held();
    let line = format!("{} release v2 --yes", stage.shop.binary.display());
    // A terminal of its own; its end hangs up on the whole session.
    let mut terminal = Command::new("script")
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .current_dir(&stage.shop.directory)
        .env("ECLUSA_PERSON", "olga")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let run = begun(&stage);
    terminal.kill().unwrap();
    terminal.wait().unwrap();
    wait_for("everything of the terminal is gone", 10, || {
        let left = stage.shop.processes().iter().any(|process| process.command.contains("release v2"));
        (!left).then_some(())
    });
    goes_on(&stage, &run);
}
