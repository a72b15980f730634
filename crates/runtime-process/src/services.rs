//! Starting, stopping and looking at services through their supervisors.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{Health, ServiceName, ServiceState};
use jiff::Timestamp;
use rustix::process::Signal;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::time::Instant;

use crate::address::{free_port, get_status, socket_answers};
use crate::log::read_log;
use crate::marks::{SERVICE_MARK, SUPERVISOR_MARK, end_marked, find_marked};
use crate::release::file_fault;
use crate::stack::ProcessStack;
use crate::state::ServiceStatus;
use crate::supervisor::SupervisorOrder;

/// How long a service without a health check must run until it counts as started.
const SETTLED: Duration = Duration::from_millis(500);
/// A service that ended by itself this often before it was healthy is not waited for any longer.
const GIVEN_UP_AFTER: u32 = 2;
/// How long what was killed may take to be gone.
const KILLED_WITHIN: Duration = Duration::from_secs(10);
/// How many of its last lines a fault about a service shows.
const LINES_SHOWN: usize = 12;

/// How a service shows that it is healthy.
#[derive(Debug, Clone)]
pub enum Check {
    /// It runs.
    Runs,
    /// `GET` gives 200.
    Path(String),
    /// It answers HTTP with anything, and its control socket answers.
    Edge(PathBuf),
}

/// A service made ready to be started. No `Debug`: the environment holds secrets.
#[derive(Clone)]
pub struct Unit {
    pub name: ServiceName,
    pub argv: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub port: Option<u16>,
    pub check: Check,
    pub release: String,
    pub image_id: String,
    /// How long it may take to end before it is killed.
    pub stop_within: Duration,
}

/// A service as it is.
#[derive(Debug, Clone)]
pub struct Look {
    pub status: Option<ServiceStatus>,
    pub supervised: bool,
    pub running: bool,
}

impl Look {
    /// The state in the words of an observation.
    pub fn state(&self) -> ServiceState {
        match &self.status {
            Some(_) if self.running => ServiceState::Running,
            Some(_) if self.supervised => ServiceState::Restarting,
            Some(_) => ServiceState::Exited,
            None => ServiceState::Absent,
        }
    }
}

/// The services of a stack.
#[derive(Debug)]
pub struct Services {
    pub stack: ProcessStack,
}

impl Services {
    fn status_path(&self, name: &ServiceName) -> PathBuf {
        self.stack.run_directory().join(format!("{name}.json"))
    }

    /// Where a service's log is.
    pub fn log_path(&self, name: &ServiceName) -> PathBuf {
        self.stack.logs_directory.join(format!("{name}.log"))
    }

    /// Looks at a service.
    pub fn look(&self, name: &ServiceName) -> Look {
        let status = ServiceStatus::read(&self.status_path(name));
        let supervised = status.as_ref().is_some_and(ServiceStatus::supervised);
        let running =
            supervised && status.as_ref().and_then(|status| status.child).is_some_and(|child| child.alive());
        Look { status, supervised, running }
    }

    /// Whether a unit runs just as it is wanted.
    pub fn runs_as(&self, unit: &Unit) -> bool {
        let look = self.look(&unit.name);
        look.supervised
            && look.status.is_some_and(|status| {
                !status.stopped
                    && status.release == unit.release
                    && status.image_id == unit.image_id
                    && status.port == unit.port
                    && status.command == unit.argv
            })
    }

    /// Starts units that do not run as they are wanted, and waits until all are healthy.
    ///
    /// # Errors
    /// `PortTaken`, `ServiceControl`, `ServiceUnhealthy`.
    pub async fn start(&self, units: &[Unit], healthy_within: Duration) -> Result<()> {
        let began = Timestamp::now();
        for unit in units {
            // One that waits for its next restart is started anew: what kept it down may be mended.
            if self.runs_as(unit) && self.look(&unit.name).running {
                continue;
            }
            self.stop(&unit.name, unit.stop_within).await?;
            if let Some(port) = unit.port {
                free_port(self.stack.address, port).await?;
            }
            self.spawn(unit).await?;
        }
        let deadline = Instant::now() + healthy_within;
        for unit in units {
            self.wait_healthy(unit, began, deadline, healthy_within).await?;
        }
        Ok(())
    }

    async fn spawn(&self, unit: &Unit) -> Result<()> {
        let failed = |cause: &dyn std::fmt::Display| {
            Fault::new(Code::ServiceControl)
                .with("service", &unit.name)
                .with("operation", "started")
                .because(cause)
        };
        let order = SupervisorOrder {
            status_path: self.status_path(&unit.name),
            lock_path: self.stack.run_directory().join(format!("{}.lock", unit.name)),
            log_path: self.log_path(&unit.name),
            directory: self.stack.directory.clone(),
            argv: unit.argv.clone(),
            environment: unit.environment.clone(),
            mark: self.stack.service_mark(unit.name.as_str()),
            release: unit.release.clone(),
            image_id: unit.image_id.clone(),
            port: unit.port,
            supervisor_argv: self.stack.supervisor_argv.clone(),
        };
        let text = serde_json::to_vec(&order).map_err(|error| failed(&error))?;
        let (program, rest) = self
            .stack
            .supervisor_argv
            .split_first()
            .ok_or_else(|| Fault::new(Code::Internal).with("what", "no program for supervisors"))?;
        std::fs::create_dir_all(&self.stack.logs_directory)
            .map_err(|error| file_fault(&self.stack.logs_directory, "created").because(error))?;
        let complaints_path = self.stack.logs_directory.join(format!("{}.supervisor.log", unit.name));
        let complaints = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&complaints_path)
            .map_err(|error| file_fault(&complaints_path, "written").because(error))?;
        let mut child = Command::new(program)
            .args(rest)
            .env_clear()
            .envs(crate::exec::passed_on())
            .env(SUPERVISOR_MARK, &order.mark)
            .current_dir(&self.stack.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(complaints)
            .spawn()
            .map_err(|error| failed(&format_args!("{program}: {error}")))?;
        eclusa_crash::point("service.spawned");
        let supervisor = child.id().and_then(crate::ProcessIdentity::of);
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(&text).await.map_err(|error| failed(&error))?;
            stdin.shutdown().await.map_err(|error| failed(&error))?;
        }
        eclusa_crash::point("service.ordered");
        // It has taken over once its own status is there; until then nothing else knows of it.
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let status = ServiceStatus::read(&self.status_path(&unit.name));
            if status.is_some_and(|status| Some(status.supervisor) == supervisor) {
                break;
            }
            if let Some(ended) = child.try_wait().map_err(|error| failed(&error))? {
                let why = std::fs::read_to_string(&complaints_path).unwrap_or_default();
                let why = why.lines().last().unwrap_or_default().to_owned();
                return Err(failed(&format_args!("its supervisor ended ({ended}): {why}")));
            }
            if Instant::now() >= deadline {
                let _ = child.start_kill();
                return Err(failed(&"its supervisor did not take over within 10 s"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        eclusa_crash::point("service.supervised");
        // It is waited for when it ends, so that no zombie stays for as long as this process lives.
        tokio::spawn(async move { child.wait().await });
        Ok(())
    }

    async fn wait_healthy(
        &self,
        unit: &Unit,
        began: Timestamp,
        deadline: Instant,
        limit: Duration,
    ) -> Result<()> {
        loop {
            let look = self.look(&unit.name);
            let found = match self.health(unit, &look).await {
                Ok(()) => {
                    eclusa_crash::point("service.healthy");
                    return Ok(());
                }
                Err(found) => found,
            };
            let restarts = look.status.as_ref().map_or(0, |status| status.restarts);
            let hopeless = !look.supervised || (restarts >= GIVEN_UP_AFTER && !look.running);
            if hopeless || Instant::now() >= deadline {
                return Err(self.unhealthy(unit, began, &found, limit));
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    fn unhealthy(&self, unit: &Unit, began: Timestamp, found: &str, limit: Duration) -> Fault {
        let path = self.log_path(&unit.name);
        let lines = read_log(&path, &unit.name, began, LINES_SHOWN).unwrap_or_default();
        let mut fault = Fault::new(Code::ServiceUnhealthy)
            .with("service", &unit.name)
            .with("seconds", limit.as_secs())
            .with("found", found)
            .hint(Message::verbatim(format!("Look at its output: {}", path.display())));
        for line in lines {
            fault = fault.because(line.text);
        }
        fault
    }

    /// Whether a unit is healthy; otherwise how it is found.
    async fn health(&self, unit: &Unit, look: &Look) -> std::result::Result<(), String> {
        let Some(status) = &look.status else { return Err("absent".to_owned()) };
        if !look.running {
            let how = status.last_exit.clone().unwrap_or_else(|| "not started yet".to_owned());
            return Err(if look.supervised {
                format!("restarting ({how})")
            } else {
                format!("ended ({how})")
            });
        }
        match (&unit.check, unit.port) {
            (Check::Path(path), Some(port)) => {
                let address = SocketAddr::new(self.stack.address, port);
                match get_status(address, path).await {
                    Ok(200) => self.still(unit, status),
                    Ok(other) => Err(format!("running, and {path} is answered with {other}")),
                    Err(error) => Err(format!("running, and {path} is not answered ({error})")),
                }
            }
            (Check::Edge(socket), Some(port)) => {
                let address = SocketAddr::new(self.stack.address, port);
                get_status(address, "/")
                    .await
                    .map_err(|error| format!("running, and {address} does not answer ({error})"))?;
                socket_answers(socket).await.map_err(|error| {
                    format!("running, and {} does not answer ({error})", socket.display())
                })?;
                self.still(unit, status)
            }
            _ => {
                let since = status.started_at.unwrap_or_else(Timestamp::now);
                let settled = Timestamp::now().duration_since(since)
                    >= jiff::SignedDuration::try_from(SETTLED).unwrap_or_default();
                if settled { Ok(()) } else { Err("running for less than half a second".to_owned()) }
            }
        }
    }

    /// The process that ran before the question must run after it: otherwise something else may have answered.
    fn still(&self, unit: &Unit, before: &ServiceStatus) -> std::result::Result<(), String> {
        let now = self.look(&unit.name);
        let same = now.running && now.status.is_some_and(|status| status.child == before.child);
        if same { Ok(()) } else { Err("restarting".to_owned()) }
    }

    /// The health of a unit in the words of an observation.
    pub async fn observed_health(&self, unit: &Unit, look: &Look) -> Health {
        match unit.check {
            Check::Runs => Health::None,
            _ if self.health(unit, look).await.is_ok() => Health::Healthy,
            _ if look.running => Health::Unhealthy,
            _ => Health::None,
        }
    }

    /// Whether a unit runs as it is wanted and is healthy.
    pub async fn healthy(&self, unit: &Unit) -> bool {
        self.runs_as(unit) && self.health(unit, &self.look(&unit.name)).await.is_ok()
    }

    /// Stops a service, and whatever bears its mark. Idempotent.
    ///
    /// # Errors
    /// `ServiceControl`.
    pub async fn stop(&self, name: &ServiceName, drain: Duration) -> Result<()> {
        let failed = |error: std::io::Error| {
            Fault::new(Code::ServiceControl).with("service", name).with("operation", "stopped").because(error)
        };
        let mark = self.stack.service_mark(name.as_str());
        // By the mark too: its status may be lost, or not be written yet.
        let status = ServiceStatus::read(&self.status_path(name)).filter(ServiceStatus::supervised);
        let mut supervisors = find_marked(SUPERVISOR_MARK, &mark);
        supervisors.extend(status.map(|status| status.supervisor).filter(|one| !supervisors.contains(one)));
        for supervisor in supervisors {
            eclusa_crash::point("service.stopping");
            if supervisor.signal(Signal::TERM).map_err(failed)? && !supervisor.gone_within(drain).await {
                // The second one kills the service.
                supervisor.signal(Signal::TERM).map_err(failed)?;
                if !supervisor.gone_within(KILLED_WITHIN).await {
                    supervisor.signal(Signal::KILL).map_err(failed)?;
                    supervisor.gone_within(KILLED_WITHIN).await;
                }
            }
        }
        eclusa_crash::point("service.signalled");
        end_marked(SERVICE_MARK, &mark, Duration::from_secs(2)).await.map_err(failed)?;
        eclusa_crash::point("service.stopped");
        Ok(())
    }

    /// Forgets a service that is stopped: it is absent, not ended.
    pub fn forget(&self, name: &ServiceName) {
        let _ = std::fs::remove_file(self.status_path(name));
    }
}
