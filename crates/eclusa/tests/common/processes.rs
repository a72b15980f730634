//! The living processes that belong to a directory: whose program, working directory, arguments or environment lie in
//! it. Supervisors, services and the edge are found, and what hooks and commands left behind.

use std::path::Path;
use std::time::{Duration, Instant};

/// A living process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// When it started, in ticks: a number alone may have changed hands.
    pub started: String,
    /// Its arguments.
    pub command: String,
    /// Its environment.
    pub environment: String,
}

impl Process {
    /// Whether a step of a run started it.
    pub fn is_of_a_step(&self) -> bool {
        self.environment.contains("ECLUSA_MARK=")
    }

    /// Whether it owns a run.
    pub fn is_runner(&self) -> bool {
        self.command.contains(" own-run ")
    }
}

fn text(path: &Path) -> String {
    std::fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " ")).unwrap_or_default()
}

/// When a process started; `None` when it does not run, or has ended and was not waited for.
fn started(pid: &str) -> Option<String> {
    let stat = text(&Path::new("/proc").join(pid).join("stat"));
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ended = matches!(fields.first(), Some(&("Z" | "X")));
    fields.get(19).filter(|_| !ended).map(|ticks| (*ticks).to_owned())
}

/// Whether the process that started at a time runs.
pub fn lives(pid: &str, since: &str) -> bool {
    started(pid).is_some_and(|found| found == since)
}

/// The processes of a directory.
pub fn of(directory: &Path) -> Vec<Process> {
    let place = directory.display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        if pid == std::process::id().cast_signed() {
            continue;
        }
        let own = entry.path();
        let Some(since) = started(&pid.to_string()) else { continue };
        let link = |name: &str| std::fs::read_link(own.join(name)).map(|path| path.starts_with(directory));
        let (command, environment) = (text(&own.join("cmdline")), text(&own.join("environ")));
        let ours = link("exe").unwrap_or(false)
            || link("cwd").unwrap_or(false)
            || command.contains(&place)
            || environment.contains(&place);
        if ours && lives(&pid.to_string(), &since) {
            found.push(Process { pid, started: since, command: command.trim().to_owned(), environment });
        }
    }
    found
}

fn signal(pid: i32, signal: rustix::process::Signal) {
    if let Some(pid) = rustix::process::Pid::from_raw(pid) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Kills every process of a directory, until there is none: a supervisor may have started one meanwhile.
pub fn kill(directory: &Path) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while Instant::now() < deadline {
        let found = of(directory);
        if found.is_empty() {
            return;
        }
        for process in found {
            if lives(&process.pid.to_string(), &process.started) {
                signal(process.pid, rustix::process::Signal::KILL);
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Sends a signal to a whole group of processes, as a terminal does.
pub fn interrupt_group(leader: u32) {
    let pid = rustix::process::Pid::from_raw(leader.cast_signed()).unwrap();
    rustix::process::kill_process_group(pid, rustix::process::Signal::INT).unwrap();
}

/// Asks one process to end.
pub fn terminate(process: &Process) {
    signal(process.pid, rustix::process::Signal::TERM);
}

/// Kills one process.
pub fn kill_one(process: &Process) {
    signal(process.pid, rustix::process::Signal::KILL);
}
