//! What was recorded of a real bench holds for the testbench, or, with `ECLUSA_REAL_BENCH`, for the one that it names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

/// A stack that goes with the test.
struct Stack {
    directory: PathBuf,
    project: String,
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = Command::new("docker")
            .args(["compose", "-p", &self.project, "--env-file", ".env"])
            .args(["down", "--volumes", "--remove-orphans", "--timeout", "1"])
            .current_dir(&self.directory)
            .output();
    }
}

#[test]
fn every_recorded_fact_holds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let temporary = tempfile::Builder::new().prefix("ecl").tempdir_in("/tmp").unwrap();
    let mut run = Command::new("python3");
    run.arg(root.join("testbench/contract/run.py"));
    let mut made = None;
    if std::env::var_os("ECLUSA_REAL_BENCH").is_none() {
        let port = eclusa_testkit::free_port().to_string();
        let directory = temporary.path().join("stack");
        let stack = made.insert(Stack { directory, project: format!("contract{}", std::process::id()) });
        let up = Command::new(root.join("tests/stack/bench.sh"))
            .arg(&stack.directory)
            .args([&stack.project, &port, "2"])
            .output()
            .unwrap();
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
        run.arg(&stack.directory).args([&stack.project, &port]);
    }
    let output = run.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let failed: Vec<&str> =
        said.lines().filter(|line| line.starts_with("FAILS") || line.starts_with("        ")).collect();
    assert!(
        output.status.success(),
        "{}\n{}\n{}",
        failed.join("\n"),
        said.lines().last().unwrap_or_default(),
        String::from_utf8_lossy(&output.stderr)
    );
}
