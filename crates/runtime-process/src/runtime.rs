//! The runtime: operations on services, commands, logs and numbers, on top of supervisors.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{FilesPlace, ImagePin, Release, RuntimeKind, ServiceName, ServiceObservation, ServiceRole};
use eclusa_ports::{
    ApplyContext, CommandResult, ExecSpec, ExecStream, LogLine, OutputSink, OutputStream, Runtime, RuntimeObservation,
    ServiceStats, Took,
};
use eclusa_runbook::{Outputs, Place, RuntimeOperation};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::exec::{self, Prepared};
use crate::log::read_log;
use crate::marks::{COMMAND_MARK, end_marked, find_marked};
use crate::process::{TICKS_PER_SECOND, of_session, resident_bytes};
use crate::release::{changed, digest, directory_of, file_fault};
use crate::services::{Check, Look, Services, Unit};
use crate::stack::{EDGE_SERVICE, Placeholders, ProcessEdge, ProcessService, ProcessStack};
use crate::state::{StackState, write_durably};

/// How long the processor's time is measured.
const MEASURED: Duration = Duration::from_millis(200);
/// How long the edge may take to answer.
const EDGE_WITHIN: Duration = Duration::from_secs(30);
/// How long the edge may take to end: it lets requests in flight finish.
const EDGE_ENDS_WITHIN: Duration = Duration::from_secs(15);
/// How long the frontend may take when it moves to another port.
const FRONT_WITHIN: Duration = Duration::from_secs(60);

/// Runs a stack as processes of this machine.
#[derive(Debug)]
pub struct ProcessRuntime {
    services: Services,
    /// Held while services are changed: two operations at once would undo each other's doing.
    changing: Mutex<()>,
}

impl ProcessRuntime {
    /// The runtime of a stack. Nothing is touched yet.
    #[must_use]
    pub fn new(stack: ProcessStack) -> Self {
        Self { services: Services { stack }, changing: Mutex::new(()) }
    }

    fn stack(&self) -> &ProcessStack {
        &self.services.stack
    }

    fn state(&self) -> Result<StackState> {
        StackState::read(&self.stack().state_path)
    }

    fn write_state(&self, state: &StackState) -> Result<()> {
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

    fn pinned(&self, state: &StackState) -> Result<Release> {
        state.pinned.clone().ok_or_else(|| {
            Fault::new(Code::ReleaseUnknown)
                .with("release", "(none)")
                .with("problem", "no release is pinned in this stack yet")
                .with("where", format!("Releases are directories in {}", self.stack().releases_directory.display()))
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

    fn unit(&self, service: &ProcessService, release: &Release, image_id: &str, edge_installed: bool) -> Result<Unit> {
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

    async fn units(&self, names: &[ServiceName], release: &Release, edge_installed: bool) -> Result<Vec<Unit>> {
        let image_id = digest(directory_of(self.stack(), release)?).await?;
        // In the order of the stack, whatever the order that was asked for.
        names.iter().try_for_each(|name| self.stack().service(name).map(drop))?;
        let chosen = self.stack().services.iter().filter(|service| names.contains(&service.name));
        chosen.map(|service| self.unit(service, release, &image_id, edge_installed)).collect()
    }

    fn edge_unit(&self) -> Result<(Unit, &ProcessEdge)> {
        let missing = || Fault::new(Code::EdgeState).with("problem", "No edge is configured for this stack");
        let edge = self.stack().edge.as_ref().ok_or_else(missing)?;
        let config = edge.config_path.display().to_string();
        let argv: Vec<String> = edge.argv.iter().map(|argument| argument.replace("{config}", &config)).collect();
        let content = match &edge.config {
            Some(content) => content.clone().into_bytes(),
            None => std::fs::read(&edge.config_path)
                .map_err(|error| file_fault(&edge.config_path, "read").because(error))?,
        };
        let unit = Unit {
            name: edge_name()?,
            argv,
            environment: exec::passed_on(),
            port: Some(edge.public_port),
            check: Check::Edge(edge.control_socket.clone()),
            release: EDGE_SERVICE.to_owned(),
            // An edge with another configuration is another edge.
            image_id: format!("sha256:{}", hex::encode(Sha256::digest(&content))),
            stop_within: EDGE_ENDS_WITHIN,
        };
        Ok((unit, edge))
    }

    async fn start_edge(&self) -> Result<()> {
        let (unit, edge) = self.edge_unit()?;
        if let Some(content) = &edge.config {
            write_durably(&edge.config_path, content.as_bytes(), 0o600)
                .map_err(|error| file_fault(&edge.config_path, "written").because(error))?;
        }
        self.services.start(&[unit], EDGE_WITHIN).await
    }

    async fn start(&self, names: &[ServiceName], within: u64, output: &dyn OutputSink) -> Result<()> {
        let mut state = self.state()?;
        let release = self.pinned(&state)?;
        let units = self.units(names, &release, state.edge_installed).await?;
        state.wanted.extend(units.iter().map(|unit| unit.name.clone()));
        self.write_state(&state)?;
        let began = Instant::now();
        self.services.start(&units, Duration::from_secs(within)).await?;
        for unit in &units {
            say(output, &format!("{} is healthy under {} after {} ms", unit.name, release.name, began.elapsed().as_millis()));
        }
        // After a restart of the machine the edge is down like everything else.
        if state.edge_installed {
            self.start_edge().await?;
        }
        Ok(())
    }

    async fn stop(&self, names: &[ServiceName], drain: Option<u64>, output: &dyn OutputSink) -> Result<()> {
        names.iter().try_for_each(|name| self.stack().service(name).map(drop))?;
        let mut state = self.state()?;
        state.wanted.retain(|name| !names.contains(name));
        self.write_state(&state)?;
        for service in self.stack().services.iter().rev().filter(|service| names.contains(&service.name)) {
            let drain = Duration::from_secs(drain.unwrap_or(service.stop_seconds));
            let was = self.services.look(&service.name).supervised;
            self.services.stop(&service.name, drain).await?;
            if was {
                say(output, &format!("{} is stopped", service.name));
            }
        }
        Ok(())
    }

    async fn prepare(&self, release: &Release, output: &dyn OutputSink) -> Result<Outputs> {
        let directory = directory_of(self.stack(), release)?;
        let id = digest(directory.clone()).await?;
        say(output, &format!("{} is {} ({id})", release.name, directory.display()));
        let mut outputs = Outputs::new();
        for service in &self.stack().services {
            outputs.insert(format!("image.{}", service.name), id.clone());
            outputs.insert(format!("reference.{}", service.name), release.name.clone());
        }
        Ok(outputs)
    }

    /// The release with its images, as they were prepared or as they are now.
    async fn with_images(&self, to: &Release, names: &[ServiceName], context: &ApplyContext) -> Result<Release> {
        let directory = directory_of(self.stack(), to)?;
        let id = digest(directory.clone()).await?;
        let mut release = to.clone();
        for name in names {
            let prepared = release.images.get(name).map(|pin| pin.id.clone()).or_else(|| {
                // The outputs may be those of another release: going back, they are the new one's.
                let of_this = context.images.get(&format!("reference.{name}")) == Some(&to.name);
                of_this.then(|| context.images.get(&format!("image.{name}")).cloned()).flatten()
            });
            if prepared.is_some_and(|prepared| prepared != id) {
                return Err(changed(&to.name, &directory));
            }
            release
                .images
                .insert(name.clone(), ImagePin { reference: to.name.clone(), id: id.clone(), built: true });
        }
        Ok(release)
    }

    async fn switch(
        &self,
        to: &Release,
        names: &[ServiceName],
        start: Option<u64>,
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<()> {
        names.iter().try_for_each(|name| self.stack().service(name).map(drop))?;
        let release = self.with_images(to, names, context).await?;
        let mut state = self.state()?;
        let units = self.units(names, &release, state.edge_installed).await?;
        for unit in units.iter().rev() {
            if start.is_none() || !self.services.runs_as(unit) {
                self.services.stop(&unit.name, unit.stop_within).await?;
                self.services.forget(&unit.name);
            }
        }
        state.pinned = Some(release);
        if start.is_none() {
            state.wanted.retain(|name| !names.contains(name));
        }
        self.write_state(&state)?;
        say(output, &format!("{} is pinned", to.name));
        match start {
            Some(within) => self.start(names, within, output).await,
            None => Ok(()),
        }
    }

    /// The frontend and its unit for one side of the edge, checked to be able to move.
    async fn front_unit(&self, edge: &ProcessEdge, state: &StackState) -> Result<Option<Unit>> {
        let problem = |text: String| Fault::new(Code::EdgeState).with("problem", text);
        let Some(front) = self.stack().front() else {
            return Err(problem("No service of this stack listens on a port".to_owned()));
        };
        if front.listens_on(true) == Some(edge.public_port) {
            return Err(problem(format!("{} has no port of its own beside the public one", front.name)));
        }
        if !state.wanted.contains(&front.name) {
            return Ok(None);
        }
        let release = self.pinned(state)?;
        Ok(self.units(std::slice::from_ref(&front.name), &release, state.edge_installed).await?.pop())
    }

    async fn edge_install(&self, output: &dyn OutputSink) -> Result<Outputs> {
        let mut state = self.state()?;
        let (edge_unit, edge) = self.edge_unit()?;
        let installed = StackState { edge_installed: true, ..state.clone() };
        let front = self.front_unit(edge, &installed).await?;
        let front_moves = front.as_ref().is_some_and(|unit| !self.services.runs_as(unit));
        if !front_moves && state.edge_installed && self.services.healthy(&edge_unit).await {
            return Ok(gap(Duration::ZERO));
        }
        // First the intent: a crash from here on is finished by doing this again, or by taking the edge away.
        state.edge_installed = true;
        self.write_state(&state)?;
        let began = Instant::now();
        if let Some(unit) = &front {
            self.services.start(std::slice::from_ref(unit), FRONT_WITHIN).await?;
            say(output, &format!("{} listens on its own port {}", unit.name, unit.port.unwrap_or_default()));
        }
        self.start_edge().await?;
        say(output, &format!("the edge listens on port {}", edge.public_port));
        Ok(gap(began.elapsed()))
    }

    async fn edge_remove(&self, output: &dyn OutputSink) -> Result<Outputs> {
        let mut state = self.state()?;
        let name = edge_name()?;
        let was = state.edge_installed || self.services.look(&name).supervised;
        state.edge_installed = false;
        let front = match &self.stack().edge {
            Some(edge) => self.front_unit(edge, &state).await?,
            None => None,
        };
        self.write_state(&state)?;
        let began = Instant::now();
        self.services.stop(&name, EDGE_ENDS_WITHIN).await?;
        self.services.forget(&name);
        let moves = front.as_ref().is_some_and(|unit| !self.services.runs_as(unit));
        if let Some(unit) = &front {
            self.services.start(std::slice::from_ref(unit), FRONT_WITHIN).await?;
            say(output, &format!("{} listens on the public port {}", unit.name, unit.port.unwrap_or_default()));
        }
        Ok(gap(if was || moves { began.elapsed() } else { Duration::ZERO }))
    }

    async fn all_healthy(&self, names: &[ServiceName], state: &StackState) -> Result<bool> {
        let Some(release) = &state.pinned else { return Ok(false) };
        for unit in self.units(names, release, state.edge_installed).await? {
            if !self.services.healthy(&unit).await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn took(&self, operation: &RuntimeOperation) -> Result<bool> {
        let state = self.state()?;
        let down = |names: &[ServiceName]| !names.iter().any(|name| self.services.look(name).supervised);
        Ok(match operation {
            // Its outputs are wanted, and doing it again changes nothing.
            RuntimeOperation::Prepare { .. } => false,
            RuntimeOperation::Switch { to, services, start, .. } => {
                let pinned = state.pinned.as_ref().is_some_and(|release| release.name == to.name);
                pinned && if *start { self.all_healthy(services, &state).await? } else { down(services) }
            }
            RuntimeOperation::Start { services, .. } => self.all_healthy(services, &state).await?,
            RuntimeOperation::Stop { services, .. } => down(services),
            RuntimeOperation::LetGo { .. } => true,
            RuntimeOperation::EdgeInstall => {
                let (unit, edge) = self.edge_unit()?;
                let front = self.front_unit(edge, &state).await?;
                state.edge_installed
                    && self.services.healthy(&unit).await
                    && match front {
                        Some(front) => self.services.healthy(&front).await,
                        None => true,
                    }
            }
            RuntimeOperation::EdgeRemove => {
                let front = match &self.stack().edge {
                    Some(edge) => self.front_unit(edge, &state).await?,
                    None => None,
                };
                !state.edge_installed
                    && !self.services.look(&edge_name()?).supervised
                    && match front {
                        Some(front) => self.services.healthy(&front).await,
                        None => true,
                    }
            }
        })
    }

    fn prepared(&self, spec: ExecSpec) -> Result<Prepared> {
        let (service, release, port) = match &spec.place {
            Place::Host => {
                return Err(Fault::new(Code::Internal).with("what", "a command of the host was given to a runtime"));
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
            release: status.as_ref().map(|status| status.release.clone()).filter(|_| role != ServiceRole::Edge),
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

fn edge_name() -> Result<ServiceName> {
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

fn gap(gap: Duration) -> Outputs {
    Outputs::from([("gap-milliseconds".to_owned(), gap.as_millis().to_string())])
}

fn say(output: &dyn OutputSink, line: &str) {
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
        Ok(!find_marked(COMMAND_MARK, mark).is_empty())
    }

    async fn exec_end(&self, _place: &Place, mark: &str) -> Result<()> {
        end_marked(COMMAND_MARK, mark, exec::PATIENCE)
            .await
            .map(drop)
            .map_err(|error| Fault::new(Code::CommandStillRunning).with("command", mark).because(error))
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
                    read_log(&path, &name, since, most).map_err(|error| file_fault(&path, "read").because(error))?,
                );
            }
            // Stable, so that lines of one service with one time keep their order.
            lines.sort_by_key(|line| line.at);
            Ok(lines.split_off(lines.len().saturating_sub(most)))
        };
        tokio::task::spawn_blocking(read).await.map_err(|error| Fault::new(Code::Internal).with("what", error))?
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
            let (Some((ticks_before, _)), Some((ticks, memory_bytes))) = (before, self.usage(name)) else { continue };
            let used: u64 = ticks
                .iter()
                .map(|(pid, ticks)| ticks.saturating_sub(ticks_before.get(pid).copied().unwrap_or(*ticks)))
                .sum();
            #[allow(clippy::cast_precision_loss)]
            let cpu = used as f64 / TICKS_PER_SECOND / seconds;
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
