//! Other people's programs: what is not there is not measured, and the output says so.

use std::process::{Command, Stdio};

/// Which argument makes a program tell its version.
fn asking(program: &str) -> &'static str {
    if program == "restic" { "version" } else { "--version" }
}

/// Whether a program is there.
pub(crate) fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    let status = command.arg(asking(program)).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Prints the versions of these programs, or that one is not installed.
pub(crate) fn describe(programs: &[&str]) {
    for program in programs {
        let output = Command::new(program).arg(asking(program)).output();
        let output = output.ok().filter(|output| output.status.success());
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        match text.as_deref().and_then(|text| text.lines().next()) {
            Some(version) => println!("{version}"),
            None => println!("{program} is not installed: what it costs is not measured"),
        }
    }
}
