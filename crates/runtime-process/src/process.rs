//! Processes as `/proc` shows them. A PID alone names nobody, since the kernel gives it out again; with the start
//! time it does.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal};
use serde::{Deserialize, Serialize};

/// How many clock ticks `/proc` counts in a second: `USER_HZ`, 100 on every Linux there is.
const TICKS_PER_SECOND: f64 = 100.0;

/// A process that cannot be taken for another one: within one boot, no two have the same PID and start time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The process id.
    pub pid: u32,
    /// When it was started, in clock ticks since boot (`/proc/PID/stat` field 22).
    pub started: u64,
}

/// What of `/proc/PID/stat` is used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessStat {
    /// The state's letter: `R`, `S`, `Z` …
    pub state: char,
    /// The process group.
    pub group: u32,
    /// The session.
    pub session: u32,
    /// Its user and system time, in clock ticks.
    pub ticks: u64,
    /// When it was started, in clock ticks since boot.
    pub started: u64,
}

/// Reads `/proc/PID/stat`; `None` when there is no such process.
pub fn stat(pid: u32) -> Option<ProcessStat> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// The resident memory of a process in bytes (`VmRSS`, which the kernel gives in KiB).
pub fn resident_bytes(pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

fn parse_stat(text: &str) -> Option<ProcessStat> {
    // The second field is the program's name in parentheses, which may itself hold blanks and parentheses.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // `fields[0]` is field 3 of proc(5).
    let number = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<u64>().ok());
    Some(ProcessStat {
        state: fields.first()?.chars().next()?,
        group: u32::try_from(number(5)?).ok()?,
        session: u32::try_from(number(6)?).ok()?,
        ticks: number(14)? + number(15)?,
        started: number(22)?,
    })
}

impl ProcessIdentity {
    /// The identity of the process that has this PID now.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        stat(pid).map(|stat| Self { pid, started: stat.started })
    }

    /// The identity of this process.
    #[must_use]
    pub fn own() -> Option<Self> {
        Self::of(std::process::id())
    }

    /// Whether it lives. A zombie does not: it does nothing more and only waits for its parent to look.
    #[must_use]
    pub fn alive(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started == self.started && !matches!(stat.state, 'Z' | 'X'))
    }

    /// Sends it a signal; `false` when it lives no more. The process is held by a descriptor while its start time
    /// is compared, so that the signal cannot reach another one that got the PID meanwhile.
    ///
    /// # Errors
    /// When the kernel refuses: the process is another user's.
    pub fn signal(&self, signal: Signal) -> io::Result<bool> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return Ok(false) };
        let descriptor = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => descriptor,
            Err(rustix::io::Errno::SRCH) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        if !self.alive() {
            return Ok(false);
        }
        match rustix::process::pidfd_send_signal(descriptor, signal) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until it lives no more; `false` when it still does after this time.
    pub async fn gone_within(&self, limit: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + limit;
        while self.alive() {
            if tokio::time::Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        true
    }
}

/// The PIDs there are now.
pub fn all_pids() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The processes of a session, by PID, without its leader.
pub fn of_session(leader: u32) -> BTreeMap<u32, ProcessStat> {
    all_pids()
        .into_iter()
        .filter(|pid| *pid != leader)
        .filter_map(|pid| stat(pid).map(|stat| (pid, stat)))
        .filter(|(_, stat)| stat.session == leader && stat.state != 'Z')
        .collect()
}

/// How much of one core processes have used between two looks: the ticks of each by its PID, and the seconds that lie
/// between. One that began in between has used nothing before it was seen.
pub fn share_of_a_core(before: &BTreeMap<u32, u64>, now: &BTreeMap<u32, u64>, seconds: f64) -> f64 {
    let used = |(pid, ticks): (&u32, &u64)| ticks.saturating_sub(before.get(pid).copied().unwrap_or(*ticks));
    let used: u64 = now.iter().map(used).sum();
    #[allow(clippy::cast_precision_loss)]
    let share = used as f64 / TICKS_PER_SECOND / seconds;
    share
}

fn first_line(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.lines().next()?.trim().to_owned()).filter(|line| !line.is_empty())
}

/// This machine: its id, or its name where it has none (containers).
pub fn machine() -> String {
    first_line("/etc/machine-id")
        .or_else(|| first_line("/proc/sys/kernel/hostname"))
        .unwrap_or_else(|| "unknown".to_owned())
}

/// This boot: PIDs and start times of another one mean nothing.
pub fn boot() -> String {
    first_line("/proc/sys/kernel/random/boot_id").unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_blanks_does_not_shift_the_fields() {
        let line = "42 (a) b (c)) S 1 40 39 0 -1 4194560 1 0 0 0 7 5 0 0 20 0 1 0 9876 1000 33 18446744073709551615 1 1";
        let stat = parse_stat(line).unwrap();
        assert_eq!((stat.state, stat.group, stat.session), ('S', 40, 39));
        assert_eq!((stat.ticks, stat.started), (12, 9876));
    }

    #[test]
    fn another_process_with_the_same_pid_is_not_signalled() {
        let mut child = std::process::Command::new("sleep").arg("30").spawn().unwrap();
        let real = ProcessIdentity::of(child.id()).unwrap();
        let recycled = ProcessIdentity { pid: real.pid, started: real.started + 1 };
        assert!(!recycled.alive());
        assert!(!recycled.signal(Signal::KILL).unwrap());
        assert!(real.alive());
        assert!(real.signal(Signal::KILL).unwrap());
        // Until it is waited for it is a zombie, which counts as dead.
        while real.alive() {
            std::thread::yield_now();
        }
        assert!(ProcessIdentity::of(child.id()).is_some());
        child.wait().unwrap();
    }
}
