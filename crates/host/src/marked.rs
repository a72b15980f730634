//! Commands that a killed runner left behind, found by the mark in their environment.

use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How long they may take to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ends every process with this mark: SIGTERM first, SIGKILL to those that are left.
pub(crate) async fn end(mark: &str) -> Result<()> {
    let wanted = format!("ECLUSA_MARK={mark}");
    let began = tokio::time::Instant::now();
    loop {
        let (name, signal) =
            (wanted.clone(), if began.elapsed() < PATIENCE { Signal::TERM } else { Signal::KILL });
        let left = tokio::task::spawn_blocking(move || signal_all(&name, signal))
            .await
            .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
        if left == 0 {
            return Ok(());
        }
        if began.elapsed() > PATIENCE * 3 {
            return Err(Fault::new(Code::CommandStillRunning).with("command", mark));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Signals every process with this entry in its environment; says how many there are. The environment is read after
/// the process is held by a descriptor, so that a number that changed hands is never signalled.
fn signal_all(wanted: &str, signal: Signal) -> usize {
    let own = std::process::id();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut found = 0;
    for pid in
        entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).filter(|pid| *pid != own)
    {
        let Some(process) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { continue };
        let Ok(held) = pidfd_open(process, PidfdFlags::empty()) else { continue };
        // Those of other users cannot be read; they are not ours. An ended one has no environment any more.
        let Ok(environment) = std::fs::read(format!("/proc/{pid}/environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes()) {
            found += usize::from(pidfd_send_signal(&held, signal).is_ok());
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_marked_command_is_ended_and_no_other() {
        let start = |mark: &str| {
            std::process::Command::new("sleep").arg("60").env("ECLUSA_MARK", mark).spawn().unwrap()
        };
        let mark = format!("test-{}", std::process::id());
        let (mut wanted, mut other) = (start(&mark), start("another"));
        end(&mark).await.unwrap();
        assert!(!wanted.wait().unwrap().success());
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
