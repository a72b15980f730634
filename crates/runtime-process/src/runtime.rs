//! The runtime: operations on services, commands, logs and numbers, on top of supervisors.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{FilesPlace, Release, RuntimeKind, ServiceName, ServiceObservation, ServiceRole};
use eclusa_ports::{
    ApplyContext, CommandResult, ExecSpec, ExecStream, LogLine, OutputSink, OutputStream, Runtime,
    RuntimeObservation, ServiceStats, Took,
};
use eclusa_runbook::{Outputs, Place, RuntimeOperation};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::exec::{self, Prepared};
use crate::log::read_log;
use crate::process::{of_session, resident_bytes, share_of_a_core};
use crate::release::{digest, directory_of, file_fault};
use crate::services::{Check, Look, Services, Unit};
use crate::stack::{EDGE_SERVICE, Placeholders, ProcessService, ProcessStack};
use crate::state::StackState;

/// How long the processor's time is measured.
const MEASURED: Duration = Duration::from_millis(200);

/// How long services that were lost may take to be healthy again.
const REVIVED_WITHIN: Duration = Duration::from_secs(30);

/// Runs a stack as processes of this machine.
#[derive(Debug)]
pub struct ProcessRuntime {
    pub(crate) services: Services,
    /// Held while services are changed: two operations at once would undo each other's doing.
    changing: Mutex<()>,
}

impl ProcessRuntime {
    /// The runtime of a stack. Nothing is touched yet.
    #[must_use]
    pub fn new(stack: ProcessStack) -> Self {
        Self { services: Services { stack }, changing: Mutex::new(()) }
    }

    pub(crate) fn stack(&self) -> &ProcessStack {
        &self.services.stack
    }

    pub(crate) fn state(&self) -> Result<StackState> {
        StackState::read(&self.stack().state_path)
    }

    pub(crate) fn write_state(&self, state: &StackState) -> Result<()> {
        state.write(&self.stack().state_path)
    }

    /// Stops everything that belongs to the stack: the edge, the services, and whatever they had started. The pinned
    /// release stays pinned, and the edge stays installed: `Start` brings both back.
    ///
    /// # Errors
    /// `ServiceControl` when something does not end.
    pub async fn shut_down(&self, drain: Duration) -> Result<()> {
        let _changing = self.changing.lock().await;
        self.services.stop(&edge_name()?, drain).await?;
        for service in self.stack().services.iter().rev() {
            self.services.stop(&service.name, drain).await?;
        }
        let mut state = self.state()?;
        state.wanted.clear();
        self.write_state(&state)
    }

    /// Starts what should be running and is not even supervised: what a loss of power in the middle of a run took
    /// away. A service that does not become healthy is left to the run's own gates.
    ///
    /// # Errors
    /// When the edge cannot be started, without which no gate can be moved.
    pub async fn revive(&self) -> Result<()> {
        let _changing = self.changing.lock().await;
        let state = self.state()?;
        let gone: Vec<ServiceName> =
            state.wanted.iter().filter(|name| !self.services.look(name).supervised).cloned().collect();
        if let Some(release) = state.pinned.as_ref().filter(|_| !gone.is_empty()) {
            let units = self.units(&gone, release, state.edge_installed).await?;
            if let Err(fault) = self.services.start(&units, REVIVED_WITHIN).await {
                tracing::warn!(%fault, "a service that was lost could not be brought back");
            }
        }
        if state.edge_installed { self.start_edge().await } else { Ok(()) }
    }

    pub(crate) fn pinned(&self, state: &StackState) -> Result<Release> {
        state.pinned.clone().ok_or_else(|| {
            Fault::new(Code::ReleaseUnknown)
                .with("release", "(none)")
                .with("problem", "no release is pinned in this stack yet")
                .with(
                    "where",
                    format!("Releases are directories in {}", self.stack().releases_directory.display()),
                )
        })
    }

    fn words(&self, service: &ProcessService, release: &Release, port: Option<u16>) -> Result<Placeholders> {
        let release_directory = directory_of(self.stack(), release)?;
        let port = port.or(service.port).or(service.public_port);
        Ok(Placeholders { release: release.name.clone(), release_directory, port })
    }

    fn environment(service: &ProcessService, words: &Placeholders) -> BTreeMap<String, String> {
        let mut environment = exec::passed_on();
        environment.extend(
            service.environment.iter().map(|(name, value)| (name.clone(), words.fill(value.expose_secret()))),
        );
        environment
    }

    fn unit(
        &self,
        service: &ProcessService,
        release: &Release,
        image_id: &str,
        edge_installed: bool,
    ) -> Result<Unit> {
        let port = service.listens_on(edge_installed);
        let words = self.words(service, release, port)?;
        Ok(Unit {
            name: service.name.clone(),
            argv: words.fill_all(&service.command),
            environment: Self::environment(service, &words),
            port,
            check: check_of(service),
            release: release.name.clone(),
            image_id: image_id.to_owned(),
            stop_within: Duration::from_secs(service.stop_seconds),
        })
    }

    pub(crate) async fn units(
        &self,
        names: &[ServiceName],
        release: &Release,
        edge_installed: bool,
    ) -> Result<Vec<Unit>> {
        let image_id = digest(directory_of(self.stack(), release)?).await?;
        // In the order of the stack, whatever the order that was asked for.
        names.iter().try_for_each(|name| self.stack().service(name).map(drop))?;
        let chosen = self.stack().services.iter().filter(|service| names.contains(&service.name));
        chosen.map(|service| self.unit(service, release, &image_id, edge_installed)).collect()
    }

    fn prepared(&self, spec: ExecSpec) -> Result<Prepared> {
        let (service, release, port) = match &spec.place {
            Place::Host => {
                return Err(
                    Fault::new(Code::Internal).with("what", "a command of the host was given to a runtime")
                );
            }
            Place::Service { service } => {
                let state = self.state()?;
                let release = self.pinned(&state)?;
                let service = self.stack().service(service)?;
                (service, release, service.listens_on(state.edge_installed))
            }
            Place::Candidate { service, release } => (self.stack().service(service)?, release.clone(), None),
        };
        let words = self.words(service, &release, port)?;
        let mut environment = Self::environment(service, &words);
        environment.extend(
            spec.environment.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())),
        );
        let directory = match &spec.directory {
            Some(directory) => self.stack().directory.join(words.fill(directory)),
            None => self.stack().directory.clone(),
        };
        Ok(Prepared {
            argv: words.fill_all(&spec.argv),
            environment,
            directory,
            stdin: spec.stdin,
            timeout: spec.timeout,
            mark: spec.mark,
        })
    }

    async fn observed(&self, name: &ServiceName, role: ServiceRole, check: Check) -> ServiceObservation {
        let look = self.services.look(name);
        let health = match observed_unit(name, check, &look) {
            Some(unit) => self.services.observed_health(&unit, &look).await,
            None => eclusa_model::Health::None,
        };
        let state = look.state();
        let status = look.status;
        ServiceObservation {
            name: name.clone(),
            role,
            state,
            health,
            image: status.as_ref().map(|status| status.command.join(" ")),
            image_id: status.as_ref().map(|status| status.image_id.clone()),
            release: status
                .as_ref()
                .map(|status| status.release.clone())
                .filter(|_| role != ServiceRole::Edge),
            started_at: status.as_ref().and_then(|status| status.started_at),
            restarts: status.as_ref().map_or(0, |status| status.restarts),
            instance: status.as_ref().and_then(|status| status.child).map(|child| child.pid.to_string()),
        }
    }

    /// The ticks of a service and all that it started, by process, and their memory in bytes.
    fn usage(&self, name: &ServiceName) -> Option<(BTreeMap<u32, u64>, u64)> {
        let look = self.services.look(name);
        let leader = look.status.filter(|_| look.supervised)?.supervisor.pid;
        let processes = of_session(leader);
        let bytes = processes.keys().filter_map(|pid| resident_bytes(*pid)).sum();
        Some((processes.into_iter().map(|(pid, stat)| (pid, stat.ticks)).collect(), bytes))
    }

    fn known(&self, name: &ServiceName) -> Result<()> {
        if name.as_str() == EDGE_SERVICE { Ok(()) } else { self.stack().service(name).map(drop) }
    }

    fn url(&self, port: Option<u16>) -> Result<String> {
        let port = port.ok_or_else(|| {
            Fault::new(Code::ServiceMissing).with("service", "with a port").with("known", "none that listens")
        })?;
        Ok(format!("http://{}", SocketAddr::new(self.stack().address, port)))
    }
}

pub(crate) fn edge_name() -> Result<ServiceName> {
    ServiceName::new(EDGE_SERVICE).map_err(|error| Fault::new(Code::Internal).with("what", error))
}

fn check_of(service: &ProcessService) -> Check {
    service.health_path.clone().map_or(Check::Runs, Check::Path)
}

fn observed_unit(name: &ServiceName, check: Check, look: &Look) -> Option<Unit> {
    let status = look.status.as_ref()?;
    Some(Unit {
        name: name.clone(),
        argv: status.command.clone(),
        environment: BTreeMap::new(),
        port: status.port,
        check,
        release: status.release.clone(),
        image_id: status.image_id.clone(),
        stop_within: Duration::ZERO,
    })
}

pub(crate) fn say(output: &dyn OutputSink, line: &str) {
    output.line(OutputStream::Out, line);
}

#[async_trait]
impl Runtime for ProcessRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Process
    }

    async fn observe(&self) -> Result<RuntimeObservation> {
        let state = self.state()?;
        let mut services = Vec::new();
        for service in &self.stack().services {
            services.push(self.observed(&service.name, service.role, check_of(service)).await);
        }
        if state.edge_installed
            && let Some(edge) = &self.stack().edge
        {
            let check = Check::Edge(edge.control_socket.clone());
            services.push(self.observed(&edge_name()?, ServiceRole::Edge, check).await);
        }
        services.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(RuntimeObservation { services, release: state.pinned, files: BTreeMap::new() })
    }

    async fn apply(
        &self,
        operation: &RuntimeOperation,
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<Outputs> {
        let _changing = self.changing.lock().await;
        let nothing = Outputs::new();
        match operation {
            RuntimeOperation::Prepare { release } => self.prepare(release, output).await,
            RuntimeOperation::Switch { to, services, start, healthy_within } => {
                let start = start.then_some(*healthy_within);
                self.switch(to, services, start, context, output).await.map(|()| nothing)
            }
            RuntimeOperation::Start { services, healthy_within } => {
                self.start(services, *healthy_within, output).await.map(|()| nothing)
            }
            RuntimeOperation::Stop { services, drain } => {
                self.stop(services, Some(*drain), output).await.map(|()| nothing)
            }
            // A release's directory is the operator's own: it is not for Eclusa to delete.
            RuntimeOperation::LetGo { .. } => Ok(nothing),
            RuntimeOperation::EdgeInstall => self.edge_install(output).await,
            RuntimeOperation::EdgeRemove => self.edge_remove(output).await,
        }
    }

    async fn took_effect(&self, operation: &RuntimeOperation, _context: &ApplyContext) -> Result<Took> {
        // Every operation finishes what a crash left of it, so that whatever is not wholly done may be done again.
        Ok(if self.took(operation).await? { Took::Yes } else { Took::No })
    }

    async fn exec(&self, spec: ExecSpec, output: &dyn OutputSink) -> Result<CommandResult> {
        exec::run(self.prepared(spec)?, output).await
    }

    async fn exec_running(&self, _place: &Place, mark: &str) -> Result<bool> {
        Ok(exec::still_runs(mark))
    }

    async fn exec_end(&self, _place: &Place, mark: &str) -> Result<()> {
        exec::end(mark).await
    }

    async fn exec_stream(&self, spec: ExecSpec) -> Result<ExecStream> {
        exec::stream(self.prepared(spec)?)
    }

    async fn logs(&self, services: &[ServiceName], since: Timestamp, most: usize) -> Result<Vec<LogLine>> {
        let mut sources = Vec::new();
        for name in services {
            self.known(name)?;
            sources.push((name.clone(), self.services.log_path(name)));
        }
        let read = move || {
            let mut lines = Vec::new();
            for (name, path) in sources {
                lines.extend(
                    read_log(&path, &name, since, most)
                        .map_err(|error| file_fault(&path, "read").because(error))?,
                );
            }
            // Stable, so that lines of one service with one time keep their order.
            lines.sort_by_key(|line| line.at);
            Ok(lines.split_off(lines.len().saturating_sub(most)))
        };
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| Fault::new(Code::Internal).with("what", error))?
    }

    async fn stats(&self, services: &[ServiceName]) -> Result<Vec<ServiceStats>> {
        services.iter().try_for_each(|name| self.known(name))?;
        let before: Vec<_> = services.iter().map(|name| self.usage(name)).collect();
        let began = Instant::now();
        tokio::time::sleep(MEASURED).await;
        let seconds = began.elapsed().as_secs_f64();
        let mut stats = Vec::new();
        for (name, before) in services.iter().zip(before) {
            // A service that does not run uses nothing and has no line.
            let (Some((ticks_before, _)), Some((ticks, memory_bytes))) = (before, self.usage(name)) else {
                continue;
            };
            let cpu = share_of_a_core(&ticks_before, &ticks, seconds);
            stats.push(ServiceStats { service: name.clone(), cpu, memory_bytes });
        }
        Ok(stats)
    }

    async fn files_directory(&self, place: &FilesPlace) -> Result<PathBuf> {
        let path = match place {
            FilesPlace::Directory { path, .. } => PathBuf::from(path),
            // A service sees the same files as everyone else on this machine.
            FilesPlace::Service { path, .. } => self.stack().directory.join(path),
        };
        match std::fs::metadata(&path) {
            Ok(found) if found.is_dir() => Ok(path),
            Ok(_) => Err(file_fault(&path, "used: it is no directory")),
            Err(error) => Err(file_fault(&path, "read").because(error)),
        }
    }

    async fn side_door(&self) -> Result<String> {
        let state = self.state()?;
        self.url(self.stack().front().and_then(|front| front.listens_on(state.edge_installed)))
    }

    async fn public_address(&self) -> Result<String> {
        let state = self.state()?;
        match &self.stack().edge {
            Some(edge) if state.edge_installed => self.url(Some(edge.public_port)),
            _ => self.url(self.stack().front().and_then(|front| front.listens_on(false))),
        }
    }
}
