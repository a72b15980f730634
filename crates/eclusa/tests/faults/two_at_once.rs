//! Fault: Two people type a command at the same moment

use std::process::Stdio;

use crate::support::{Stage, quick};

fn both(stage: &Stage, first: &[&str], second: &[&str]) {
    let start = |arguments: &[&str]| {
        let mut command = stage.shop.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let pair = [start(first), start(second)].map(|child| child.wait_with_output().unwrap());
    let codes = pair.each_ref().map(|output| output.status.code().unwrap());
    let texts = pair.each_ref().map(|output| {
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    });
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?} {texts:#?}");
    let other = usize::from(codes[0] == 0);
    assert!([1, 3, 5].contains(&codes[other]), "{codes:?} {texts:#?}");
    assert!(["E0405", "E0302", "E0305"].iter().any(|code| texts[other].contains(code)), "{}", texts[other]);
    if std::env::var_os("ECLUSA_TEST_SHOW").is_some() {
        eprintln!("$ eclusa release (second)\n{}(code {})", texts[other], codes[other]);
    }
}

/// One is done (0), the other is refused with E0405 or finds its plan stale; the data is migrated once.
#[test]
fn release() {
    let stage = Stage::plain(&quick());
    both(&stage, &["release", "v2", "--yes"], &["release", "v2", "--yes"]);
    stage.is_released();
}

/// One is done (0), the other is refused with E0405.
#[test]
fn backup() {
    let stage = Stage::plain(&quick());
    both(&stage, &["backup"], &["backup"]);
    stage.is_as_before();
}

/// One is done (0), the other is refused with E0405 or finds its plan stale.
#[test]
fn restore() {
    let stage = Stage::plain(&quick()).backed_up();
    both(&stage, &["restore", "alpha", "--yes"], &["restore", "alpha", "--yes"]);
    stage.is("v1", &stage.before, true);
}
