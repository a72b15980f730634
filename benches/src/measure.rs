//! What a command costs: wall clock, processor time and memory, of itself and of everything it starts, also of what it
//! leaves behind to finish (a run's owner), and of a server that works for it.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitOptions};

use crate::Outcome;

/// The kernel counts processor time in these: 100 a second on Linux, whatever the clock of the machine.
const TICKS_PER_SECOND: f64 = 100.0;
/// The size of a page on the only architecture that Eclusa is built for.
const PAGE: u64 = 4096;
/// How often memory is looked at.
const GLANCE: Duration = Duration::from_millis(20);

/// What something cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Seconds until it had ended.
    pub wall: f64,
    /// Processor seconds (user and system) of the command and all that it started.
    pub cpu: f64,
    /// Processor seconds of the server meanwhile.
    pub server: f64,
    /// The largest sum of the resident memory of its processes, in bytes, as seen every 20 ms. Pages that processes share
    /// are counted with each of them.
    pub peak: u64,
}

impl Cost {
    /// Processor seconds of both.
    pub fn all_cpu(&self) -> f64 {
        self.cpu + self.server
    }
}

/// From now on what a command leaves behind becomes this process's child, and its time can be counted.
pub(crate) fn adopt_orphans() -> Outcome<()> {
    Ok(rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// The fields of `/proc/PID/stat` after the name, from the state on.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

fn number(fields: &[String], index: usize) -> u64 {
    fields.get(index).and_then(|field| field.parse().ok()).unwrap_or(0)
}

/// Processor seconds of the children of this process that have ended and were waited for, and of theirs.
fn own_children() -> f64 {
    let fields = stat(std::process::id()).unwrap_or_default();
    ticks(number(&fields, 13) + number(&fields, 14))
}

#[allow(clippy::cast_precision_loss)]
fn ticks(count: u64) -> f64 {
    count as f64 / TICKS_PER_SECOND
}

/// Every process with its parent.
fn parents() -> BTreeMap<u32, u32> {
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok()));
    pids.filter_map(|pid: u32| Some((pid, u32::try_from(number(&stat(pid)?, 1)).ok()?))).collect()
}

/// A process and all that descends from it.
fn family(root: u32) -> Vec<u32> {
    let parents = parents();
    let mut found = vec![root];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, of)| **of == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found
}

/// Processor seconds of a server and its processes, those that have ended included.
fn server_seconds(roots: &[u32]) -> f64 {
    let mut sum = 0;
    for pid in roots.iter().flat_map(|root| family(*root)) {
        let fields = stat(pid).unwrap_or_default();
        sum += (11..=14).map(|index| number(&fields, index)).sum::<u64>();
    }
    ticks(sum)
}

fn resident(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    text.split_whitespace().nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * PAGE
}

fn command_line(pid: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// Whether the owner of a run is still among the children of this process.
fn a_run_is_owned() -> bool {
    family(std::process::id()).into_iter().any(|pid| command_line(pid).contains(" own-run "))
}

/// Waits for orphans that have ended, so that their time is counted.
fn reap() {
    while let Ok(Some(_)) = rustix::process::waitpid(None::<Pid>, WaitOptions::NOHANG) {}
}

struct Sampler {
    stop: Arc<AtomicBool>,
    peak: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Sampler {
    /// Samples the memory of all descendants, except of those that are there already (a server, a supervisor).
    fn start() -> Self {
        let own = std::process::id();
        let known = family(own);
        let (stop, peak) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, seen) = (stop.clone(), peak.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let new = family(own).into_iter().filter(|pid| !known.contains(pid));
                seen.fetch_max(new.map(resident).sum(), Ordering::Relaxed);
                std::thread::sleep(GLANCE);
            }
        });
        Self { stop, peak, thread }
    }

    fn stop(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.join();
        self.peak.load(Ordering::Relaxed)
    }
}

/// Runs a command to its end, with its run's, and says what it cost; an error when it fails.
pub(crate) fn run(command: &mut Command, servers: &[u32], memory: bool) -> Outcome<(Cost, Output)> {
    reap();
    command.stdin(Stdio::null());
    let sampler = memory.then(Sampler::start);
    let (before, server_before) = (own_children(), server_seconds(servers));
    let began = Instant::now();
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let wall = began.elapsed().as_secs_f64();
    while a_run_is_owned() {
        reap();
        std::thread::sleep(Duration::from_millis(5));
    }
    reap();
    let cost = Cost {
        wall,
        cpu: own_children() - before,
        server: server_seconds(servers) - server_before,
        peak: sampler.map_or(0, Sampler::stop),
    };
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        return Err(
            format!("{command:?} ended with {}:\n{}", output.status, String::from_utf8_lossy(&text)).into()
        );
    }
    Ok((cost, output))
}

/// Runs a command that must succeed and whose cost is of no interest.
pub(crate) fn must(command: &mut Command) -> Outcome<String> {
    let (_, output) = run(command, &[], false)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The kind of file system and the device of a directory, so that nobody takes a RAM disk for a disk.
pub(crate) fn file_system(path: &std::path::Path) -> String {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut best = ("", "unknown", "unknown");
    for line in mounts.lines() {
        let mut fields = line.split_whitespace();
        let (Some(device), Some(at), Some(kind)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if real.starts_with(at) && at.len() >= best.0.len() {
            best = (at, kind, device);
        }
    }
    format!("{} on {}", best.1, best.2)
}
