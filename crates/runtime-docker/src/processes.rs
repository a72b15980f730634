//! Commands inside a service, found again by the mark in their environment and ended where they run. Where the
//! engine is on this host and this user may see its processes, they are found in `/proc`; elsewhere a small script
//! looks for them inside the container.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::models::ContainerInspectResponse;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::ServiceName;
use futures_util::StreamExt;
use rustix::process::{Pid, Signal, kill_process};

use crate::MARK_VARIABLE;
use crate::runtime::ComposeRuntime;

/// How long a command has to end after SIGTERM before it gets SIGKILL, and how long SIGKILL may take to be seen.
const GRACE: Duration = Duration::from_secs(5);

const POLL: Duration = Duration::from_millis(100);

/// Prints the ids of the processes whose environment holds the mark `$1`, and sends them the signal `$2` if it is
/// not empty. The mark is an argument, never part of the text.
const INSIDE: &str = r#"for file in /proc/[0-9]*/environ; do
  if { tr '\0' '\n' < "$file"; } 2>/dev/null | grep -qxF -e "ECLUSA_MARK=$1"; then
    id=${file#/proc/}; id=${id%/environ}; echo "$id"
    if [ -n "$2" ]; then kill "-$2" "$id" 2>/dev/null; fi
  fi
done
exit 0"#;

/// What is done with the processes that are found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Look,
    Terminate,
    Kill,
}

impl ComposeRuntime {
    pub(crate) async fn marked_in_service(&self, service: &ServiceName, mark: &str) -> Result<bool> {
        for container in self.running(service).await? {
            if self.act(&container, mark, None, Act::Look).await? > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) async fn end_in_service(&self, service: &ServiceName, mark: &str) -> Result<()> {
        for container in self.running(service).await? {
            self.end_marked(&container, mark, None).await?;
        }
        Ok(())
    }

    /// Ends the processes of a mark, and those below `root` where its id on this host is known.
    pub(crate) async fn end_marked(
        &self,
        container: &ContainerInspectResponse,
        mark: &str,
        root: Option<i32>,
    ) -> Result<()> {
        for act in [Act::Terminate, Act::Kill] {
            let since = Instant::now();
            let mut left = self.act(container, mark, root, act).await?;
            while left > 0 && since.elapsed() < GRACE {
                tokio::time::sleep(POLL).await;
                left = self.act(container, mark, root, Act::Look).await?;
            }
            if left == 0 {
                return Ok(());
            }
        }
        Err(Fault::new(Code::CommandStillRunning).with("command", mark))
    }

    async fn running(&self, service: &ServiceName) -> Result<Vec<ContainerInspectResponse>> {
        let found = self.containers().await?.remove(service.as_str()).unwrap_or_default();
        Ok(found.into_iter().filter(|container| main_process(container).is_some()).collect())
    }

    /// Finds processes, does something with them, and gives their number.
    async fn act(
        &self,
        container: &ContainerInspectResponse,
        mark: &str,
        root: Option<i32>,
        act: Act,
    ) -> Result<usize> {
        if let (Some(main), Some(id)) = (main_process(container), container.id.clone())
            && self.engine.endpoint().await.starts_with("unix://")
        {
            let mark = mark.to_owned();
            let on_host = tokio::task::spawn_blocking(move || on_host(main, &id, &mark, root, act)).await;
            if let Ok(Some(number)) = on_host {
                return Ok(number);
            }
        }
        self.act_inside(container, mark, act).await
    }

    async fn act_inside(&self, container: &ContainerInspectResponse, mark: &str, act: Act) -> Result<usize> {
        let Some(id) = &container.id else { return Ok(0) };
        let signal = match act {
            Act::Look => "",
            Act::Terminate => "TERM",
            Act::Kill => "KILL",
        };
        let docker = self.engine.docker().await?;
        let fault = |error| self.engine.fault("looking for a command", &error);
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            user: Some("0"),
            cmd: Some(vec!["sh", "-c", INSIDE, "sh", mark, signal]),
            ..Default::default()
        };
        let exec = docker.create_exec(id, options).await.map_err(fault)?;
        let started = docker.start_exec(&exec.id, None::<StartExecOptions>).await.map_err(fault)?;
        let mut text = String::new();
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(chunk) = output.next().await {
                text.push_str(&String::from_utf8_lossy(&chunk.map_err(fault)?.into_bytes()));
            }
        }
        let code = docker.inspect_exec(&exec.id).await.map_err(fault)?.exit_code;
        if code != Some(0) {
            // No shell inside and no sight from outside: nothing is known, so nothing is claimed.
            return Err(Fault::new(Code::CommandStillRunning)
                .with("command", mark)
                .because("its processes can be seen neither on this host nor by a shell in the container")
                .because(text.trim()));
        }
        Ok(text.lines().filter(|line| line.trim().parse::<u32>().is_ok()).count())
    }
}

/// The first process of a container that runs, as its engine's host numbers it.
pub(crate) fn main_process(container: &ContainerInspectResponse) -> Option<i32> {
    let state = container.state.as_ref()?;
    if state.running != Some(true) {
        return None;
    }
    state.pid.and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 0)
}

/// `None` when this host's `/proc` does not show the container's processes to this user.
fn on_host(main: i32, container: &str, mark: &str, root: Option<i32>, act: Act) -> Option<usize> {
    // An engine in a virtual machine numbers its processes too; only a control group of the container's name proves
    // that the number means the same here.
    let group = std::fs::read_to_string(format!("/proc/{main}/cgroup")).ok()?;
    if !group.contains(container) {
        return None;
    }
    std::fs::read(format!("/proc/{main}/environ")).ok()?;
    let namespace = std::fs::read_link(format!("/proc/{main}/ns/pid")).ok()?;
    let wanted = format!("{MARK_VARIABLE}={mark}").into_bytes();
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let place = entry.path();
        let Some(parent) = living_parent(&place) else { continue };
        children.entry(parent).or_default().push(pid);
        let same_namespace = std::fs::read_link(place.join("ns/pid")).is_ok_and(|link| link == namespace);
        if !same_namespace {
            continue;
        }
        let environment = std::fs::read(place.join("environ")).unwrap_or_default();
        let marked = environment.split(|byte| *byte == 0).any(|entry| entry == wanted.as_slice());
        if marked || (root == Some(pid) && pid != main) {
            found.insert(pid);
        }
    }
    // A child that cleared its environment belongs to the command all the same.
    let mut next: Vec<i32> = found.iter().copied().collect();
    while let Some(parent) = next.pop() {
        for child in children.get(&parent).into_iter().flatten() {
            if found.insert(*child) {
                next.push(*child);
            }
        }
    }
    let signal = match act {
        Act::Look => None,
        Act::Terminate => Some(Signal::TERM),
        Act::Kill => Some(Signal::KILL),
    };
    if let Some(signal) = signal {
        for pid in &found {
            if let Some(pid) = Pid::from_raw(*pid) {
                // It may have ended by itself.
                let _ = kill_process(pid, signal);
            }
        }
    }
    Some(found.len())
}

/// The parent of a process that is not a zombie.
fn living_parent(place: &Path) -> Option<i32> {
    let stat = std::fs::read_to_string(place.join("stat")).ok()?;
    // The name in parentheses may itself hold spaces and parentheses.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    (state != "Z" && state != "X").then_some(parent)
}
