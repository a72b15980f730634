//! The demo's customers: a process of its own that sends steady traffic to the public door.

use std::process::Stdio;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use tokio::process::{Child, Command};

use super::Stage;
use super::layout::TENANTS;

/// Requests a second for each tenant.
const RATE: &str = "14";

/// Starts it. It is killed when the demo ends in whatever way.
pub fn start(stage: &Stage) -> Result<Child> {
    let directory = stage.directory.join("traffic");
    let made = |error: std::io::Error| {
        Fault::new(Code::FileAccess)
            .with("path", directory.display())
            .with("operation", "made")
            .because(error)
    };
    std::fs::create_dir_all(&directory).map_err(made)?;
    let log = std::fs::File::create(directory.join("traffic.log")).map_err(made)?;
    let mut command = Command::new(&stage.assembly.binary);
    command.args(["shop", "traffic", "--rate", RATE, "--seed", &stage.seed.to_string()]);
    command.arg("--base").arg(base(stage)?);
    for tenant in TENANTS {
        command.arg("--host").arg(format!("{tenant}={tenant}.shop.test"));
    }
    command.arg("--results").arg(directory.join("results.json"));
    command.arg("--acknowledged").arg(directory.join("acknowledged.jsonl"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).kill_on_drop(true);
    // Not the terminal's: the demo ends it itself, after it has written its results.
    command.process_group(0);
    command.spawn().map_err(made)
}

/// The public door.
fn base(stage: &Stage) -> Result<String> {
    let port = stage
        .assembly
        .stack
        .public_port()
        .ok_or_else(|| Fault::new(Code::Internal).with("what", "the demo's stack has no public port"))?;
    Ok(format!("http://127.0.0.1:{port}"))
}

/// Ends it and waits until its results are written.
pub async fn stop(customers: &mut Child) {
    if let Some(pid) = customers.id().and_then(|pid| rustix::process::Pid::from_raw(pid as i32)) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    if tokio::time::timeout(Duration::from_secs(5), customers.wait()).await.is_err() {
        let _ = customers.kill().await;
    }
}
