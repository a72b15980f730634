//! Fault: A check prints OK and exits with 1, or exits with 0 without the line that was asked for

use crate::support::{Stage, quick};

fn refused(command: &str, last_line: &str) {
    let stage = Stage::gated(&quick());
    stage.shop.change_configuration(|text| {
        text + &format!("\n[[stacks.shop.checks]]\nname = \"sale\"\nplace = \"host\"\nlast_line = \"{last_line}\"\ncommand = [\"sh\", \"-c\", \"{command}\"]\n")
    });
    stage.shop.run(&["release", "v2", "--yes"]).must(3).shows("WENT BACK").shows("sale");
    stage.is_as_before();
}

/// OK and 1: no-go (3), and it goes back.
#[test]
fn release() {
    refused("echo OK; exit 1", "OK");
}

/// 0 without the line: no-go (3), and it goes back.
#[test]
fn release_without_the_line() {
    refused("echo skipped", "OK");
}
