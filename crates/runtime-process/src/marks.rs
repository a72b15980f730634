//! Marks: environment variables by which a process and all that it started are found again, whoever their parent is
//! by now. A program that clears its children's environment hides them; nothing here can see those.

use std::time::Duration;

use rustix::process::Signal;

use crate::process::{ProcessIdentity, all_pids};

/// The variable that marks a command of a run.
pub const COMMAND_MARK: &str = "ECLUSA_MARK";

/// The variable that marks a service.
pub const SERVICE_MARK: &str = "ECLUSA_SERVICE";

/// The variable that marks the supervisor of a service.
pub const SUPERVISOR_MARK: &str = "ECLUSA_SUPERVISOR";

/// The living processes of this user that were started with `variable=value`, this process excepted.
pub fn find_marked(variable: &str, value: &str) -> Vec<ProcessIdentity> {
    let wanted = format!("{variable}={value}");
    let own = std::process::id();
    all_pids()
        .into_iter()
        .filter(|pid| *pid != own)
        .filter_map(|pid| {
            // Taken before the environment is read: if the PID changes hands in between, the identity is that of
            // the process that is gone, and nobody is signalled.
            let identity = ProcessIdentity::of(pid)?;
            // Other users' environments cannot be read; they are not ours.
            let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
            let marked = environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_bytes());
            (marked && identity.alive()).then_some(identity)
        })
        .collect()
}

fn signal_all(processes: &[ProcessIdentity], signal: Signal) -> std::io::Result<()> {
    for process in processes {
        process.signal(signal)?;
    }
    Ok(())
}

/// Ends every process of a mark: SIGTERM, and SIGKILL to those that are left after `patience`. New ones that appear
/// meanwhile are ended too. Says how many there were at first.
pub async fn end_marked(variable: &str, value: &str, patience: Duration) -> std::io::Result<usize> {
    let found = find_marked(variable, value);
    let count = found.len();
    if count == 0 {
        return Ok(0);
    }
    signal_all(&found, Signal::TERM)?;
    let patient_until = tokio::time::Instant::now() + patience;
    // A process that cannot be killed hangs in the kernel (a dead network disk); it is reported, not waited for.
    let deadline = patient_until + Duration::from_secs(10);
    loop {
        let left = find_marked(variable, value);
        if left.is_empty() {
            return Ok(count);
        }
        let now = tokio::time::Instant::now();
        if now >= deadline {
            let names: Vec<String> = left.iter().map(|process| process.pid.to_string()).collect();
            return Err(std::io::Error::other(format!("processes {} do not end", names.join(", "))));
        }
        if now >= patient_until {
            signal_all(&left, Signal::KILL)?;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
