//! Fault: The output of a command is huge, endless, binary, one endless line, or has terminal codes

use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use crate::common::{Ran, wait_for};
use crate::support::{Stage, hook, quick};

/// The log of a step is not larger than this: 64 MiB, and the last line.
const LARGEST_LOG: u64 = (64 << 20) + (16 << 10);
/// The memory of a runner grows by no more than this for a command's output, in KiB.
const MOST_GROWTH: u64 = 40 << 10;

/// A release with this line as a hook: what is kept and shown of its output is bounded and harmless.
fn released(line: &str, timeout: Option<&str>) -> (Stage, Ran) {
    let stage = Stage::plain(&quick());
    let mut table = hook("talk", "before.change", line);
    if let Some(timeout) = timeout {
        table = table.replace("timeout = \"120s\"", &format!("timeout = \"{timeout}\""));
    }
    stage.shop.change_configuration(|text| text + &table);
    let run = stage.shop.begin(&["release", "v2"]);
    run.wait_for_event(&stage.shop, "intended", "change.hook.talk");
    let runner = stage.shop.processes().into_iter().find(crate::common::Process::is_runner).unwrap();
    // What it has taken before, to open the vault, is no matter of the output.
    let memory = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", runner.pid)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:").map(str::to_owned));
        line.and_then(|text| text.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0)
    };
    let (before, mut most) = (memory(), 0);
    wait_for("the hook ends", 120, || {
        most = most.max(memory());
        let events = run.events(&stage.shop);
        let ended = |event: &serde_json::Value| {
            ["performed", "failed"].contains(&crate::common::run::kind(event))
                && crate::common::run::event_step(event) == "change.hook.talk"
        };
        events.iter().any(ended).then_some(())
    });
    let ran = stage.shop.run(&["attach", &run.id]);
    let log = stage.shop.state().join("runs").join(&run.id).join("change.hook.talk.log");
    let size = std::fs::metadata(&log).map_or(0, |found| found.size());
    assert!(size <= LARGEST_LOG, "{size}");
    assert!(most < before + MOST_GROWTH, "the memory of the runner grew from {before} to {most} KiB");
    // Neither what is shown nor what is kept has a control character of the command's.
    let kept = std::fs::read(&log).unwrap_or_default();
    let report = stage.shop.run(&["report", &run.id, "--format", "md"]).must(0).out;
    let page = stage.shop.run(&["report", &run.id, "--format", "html"]).must(0).out;
    let history = stage.shop.run(&["history", &run.id]).must(0).out;
    for text in [
        ran.out.as_bytes(),
        ran.err.as_bytes(),
        &kept,
        report.as_bytes(),
        page.as_bytes(),
        history.as_bytes(),
    ] {
        let odd = text.iter().find(|byte| **byte < 0x20 && !b"\n\t\r".contains(byte));
        assert_eq!(odd, None, "a control character is passed on");
    }
    (stage, ran)
}

/// 200 MB in lines: done (0); 64 MiB of it are kept, and the memory stays bounded.
#[test]
fn release_huge() {
    let (stage, ran) = released(
        "yes $(head -c 4000 /dev/zero | tr \"\\000\" x) | head -c 200000000; echo; echo the end",
        None,
    );
    ran.must(0).shows("the end");
    stage.is_released();
}

/// One line of 100 MB without an end: done (0), cut at 8 KiB, and the memory stays bounded.
#[test]
fn release_one_line() {
    let (stage, ran) = released("head -c 100000000 /dev/zero | tr \"\\\\000\" x", None);
    ran.must(0);
    stage.is_released();
}

/// Without end: ended at its limit with what it started, and the run goes back (3), E0803.
#[test]
fn release_endless() {
    let (stage, ran) = released("yes again and again", Some("3s"));
    ran.must(3).shows("WENT BACK").shows("E0803");
    stage.is_as_before();
}

/// Bytes that are no text: done (0), they are replaced.
#[test]
fn release_binary() {
    let (stage, ran) = released("head -c 3000000 /dev/urandom; echo; echo the end", None);
    ran.must(0).shows("the end");
    stage.is_released();
}

/// Colours, titles, clearing the screen, a fake prompt, when it fails: none of the codes gets to the terminal, to the log
/// or to the report; goes back (3).
#[test]
fn release_terminal_codes() {
    let codes = r#"printf "\\033[2J\\033]0;title\\007\\033[31mred\\033[0m \\033]8;;http://x\\033\\\\link \\033P1;2|x\\033\\\\ \\233 31m \\r fake \\b\\n"; exit 4"#;
    let (stage, ran) = released(codes, None);
    let ran = ran.must(3).shows("WENT BACK");
    assert!(ran.out.contains("red"), "{ran:?}");
    stage.is_as_before();
    // In a terminal the program's own colours are wanted, and nothing else.
    let run = stage.newest_run();
    let line = format!("{} attach {}", stage.shop.binary.display(), run.id);
    let shown = Command::new("script")
        .args(["-q", "-c", &line, "/dev/null"])
        .current_dir(&stage.shop.directory)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    for forbidden in ["\u{1b}[2J", "\u{1b}]0;", "\u{1b}]8;", "\u{1b}P", "\u{7}"] {
        assert!(!text.contains(forbidden), "{forbidden:?} gets to the terminal");
    }
}

/// Names of migrations with terminal codes: the plan shows them without (6 with `--exit-code`).
#[test]
fn plan_terminal_codes() {
    let stage = Stage::plain(&quick());
    let script = stage.shop.directory.join("pending.sh");
    let line = r#"printf '0002_\033[2J\033]0;owned\007discounts\n'"#;
    std::fs::write(&script, format!("#!/bin/sh\n{line}\n")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).unwrap();
    stage.shop.change_configuration(|text| {
        text.replacen("\npending = [", &format!("\npending = [\"{}\", ", script.display()), 1)
    });
    for colours in ["0", "1"] {
        let mut command = stage.shop.command(&["plan", "release", "v2", "--exit-code"]);
        let ran = Ran::of(command.env("CLICOLOR_FORCE", colours)).must(6).shows("0002_discounts");
        ran.lacks("\u{1b}[2J").lacks("\u{1b}]0;").lacks("\u{7}");
    }
}
