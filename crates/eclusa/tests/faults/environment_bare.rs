//! Fault: The environment is bare: no HOME, no PATH, few open files, a state directory that is no directory

use std::process::Command;

use crate::common::{Ran, Shop};
use crate::support::{Stage, quick};

/// Without any variable: done (0); everything that it starts is named by its path or found all the same.
#[test]
fn release_no_variables() {
    let stage = Stage::plain(&quick());
    let mut command = stage.shop.command(&["release", "v2", "--yes"]);
    Ran::of(command.env_clear().env("ECLUSA_PERSON", "olga")).must(0).shows("GO.");
    stage.is_released();
}

/// A release under a limit of open files; `-S` where the limit may be raised again.
fn limited(limit: &str) -> (Stage, Ran) {
    let stage = Stage::plain(&quick());
    let line = format!("ulimit {limit}; exec {} release v2 --yes", stage.shop.binary.display());
    let mut command = Command::new("sh");
    command.args(["-c", &line]).current_dir(&stage.shop.directory).env("ECLUSA_PERSON", "olga");
    let ran = Ran::of(&mut command);
    (stage, ran)
}

/// A limit of 16 open files that may be raised: it raises it, done (0).
#[test]
fn release_few_files() {
    let (stage, ran) = limited("-S -n 16");
    ran.must(0).shows("GO.");
    stage.is_released();
}

/// A limit of 16 open files that may not be raised: ends without having changed anything (1, 3 or 5).
#[test]
fn release_no_files() {
    let (stage, ran) = limited("-n 16");
    assert!([1, 3, 5].contains(&ran.code), "{ran:?}");
    stage.is_as_before();
}

/// The state directory's place is taken by a file: refused (1), E0002 with what to do.
#[test]
fn release_state_is_a_file() {
    let shop = Shop::lay(&quick());
    let _ = std::fs::remove_dir_all(shop.state());
    std::fs::write(shop.state(), "no directory").unwrap();
    shop.run(&["release", "v1", "--yes"]).must(1).refused("E0002").says("--state");
    assert_eq!(std::fs::read_to_string(shop.state()).unwrap(), "no directory");
    assert_eq!(shop.processes(), []);
}
