//! The runtime of a bench under supervisor: what it observes, and where commands run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{
    AppVersion, FilesPlace, Health, Release, ReleaseSource, RuntimeKind, ServiceName, ServiceObservation,
    ServiceRole, ServiceState,
};
use eclusa_ports::{
    ApplyContext, CommandResult, ExecSpec, ExecStream, LogLine, NoOutput, OutputSink, Runtime,
    RuntimeObservation, ServiceStats, Took,
};
use eclusa_runbook::{Outputs, Place, RuntimeOperation};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::control::{Control, Supervised, processes, state_of};
use super::logs::Looks;
use super::stack::{BenchProgram, BenchStack};
use super::stage::{self, Stage};
use super::swap::Swap;
use crate::exec::{self, Prepared};
use crate::process::{of_session, resident_bytes, share_of_a_core, stat};
use crate::release::file_fault;
use crate::runtime::{ProcessRuntime, edge_name};
use crate::stack::ProcessStack;
use crate::state::StackState;

/// How long the processor's time is measured.
const MEASURED: Duration = Duration::from_millis(200);

/// How long something that listens may take to be connected to.
const CONNECTS_WITHIN: Duration = Duration::from_secs(2);

/// How long git may take to say at which commit an app is.
const GIT_WITHIN: Duration = Duration::from_secs(30);

/// Runs a bench whose processes supervisor runs.
#[derive(Debug)]
pub struct SupervisorRuntime {
    pub(crate) stack: BenchStack,
    /// The edge, which Eclusa supervises itself.
    pub(crate) edge: ProcessRuntime,
    pub(crate) swap: Swap,
    /// Held while programs are changed: two operations at once would undo each other's doing.
    changing: Mutex<()>,
}

impl SupervisorRuntime {
    /// The runtime of a bench. Nothing is touched yet.
    #[must_use]
    pub fn new(stack: BenchStack) -> Self {
        let edge = ProcessRuntime::new(ProcessStack {
            name: stack.name.clone(),
            directory: stack.directory.clone(),
            state_path: stack.state_path.clone(),
            logs_directory: stack.logs_directory.clone(),
            releases_directory: stack.releases(),
            address: ProcessStack::loopback(),
            services: Vec::new(),
            edge: stack.edge.clone(),
            supervisor_argv: stack.supervisor_argv.clone(),
        });
        let record = stack.state_path.with_file_name("moving.json");
        let swap = Swap { bench: stack.bench.clone(), record };
        Self { stack, edge, swap, changing: Mutex::new(()) }
    }

    pub(crate) fn state(&self) -> Result<StackState> {
        self.edge.state()
    }

    pub(crate) fn write_state(&self, state: &StackState) -> Result<()> {
        self.edge.write_state(state)
    }

    /// The programs that Eclusa starts and stops.
    pub(crate) fn own_programs(&self) -> impl DoubleEndedIterator<Item = &BenchProgram> {
        self.stack.programs.iter().filter(|program| program.program.is_some())
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let mut environment = exec::passed_on();
        let own = self.stack.environment.iter();
        environment.extend(own.map(|(name, value)| (name.clone(), value.expose_secret().to_owned())));
        environment
    }

    pub(crate) fn control(&self) -> Control<'_> {
        Control { argv: &self.stack.control, environment: exec::passed_on() }
    }

    pub(crate) fn stage(&self, within: Duration) -> Stage<'_> {
        Stage { stack: &self.stack, environment: self.environment(), within }
    }

    /// The release on the bench: the one that was brought, unless its apps are at other commits by now; else one named
    /// by those commits. None while a move is going on that a crash interrupted.
    pub(crate) async fn current(&self) -> Result<Option<Release>> {
        let pinned = self.state()?.pinned;
        if self.swap.moving()?.is_some() {
            return Ok(pinned);
        }
        let commits = self.commits().await?;
        if let Some(release) = &pinned
            && let ReleaseSource::Bench { apps } = &release.source
        {
            let as_brought = commits.iter().all(|(app, commit)| match apps.get(app) {
                Some(AppVersion::Files { .. }) => true,
                Some(version) => version.commit() == commit.as_deref(),
                None => false,
            });
            if as_brought && apps.keys().all(|app| commits.contains_key(app)) {
                return Ok(pinned);
            }
        }
        let apps = commits.into_iter().map(|(app, commit)| (app, AppVersion::Kept { commit })).collect();
        let mut release =
            Release { name: String::new(), source: ReleaseSource::Bench { apps }, images: BTreeMap::new() };
        release.name = format!("bench-{}", stage::short_id(&release)?);
        Ok(Some(release))
    }

    /// The apps of the bench, with their commits where there is git.
    async fn commits(&self) -> Result<BTreeMap<String, Option<String>>> {
        let directory = self.stack.bench.join("apps");
        let fault = |error: std::io::Error| file_fault(&directory, "read").because(error);
        let mut commits = BTreeMap::new();
        for entry in std::fs::read_dir(&directory).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            if !entry.path().is_dir() {
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let commit =
                if entry.path().join(".git").exists() { self.commit(&entry.path()).await } else { None };
            commits.insert(name, commit);
        }
        Ok(commits)
    }

    async fn commit(&self, app: &Path) -> Option<String> {
        let prepared = Prepared {
            argv: ["git", "rev-parse", "--verify", "--quiet", "HEAD"].map(String::from).to_vec(),
            environment: exec::passed_on(),
            directory: app.to_owned(),
            stdin: None,
            timeout: GIT_WITHIN,
            mark: None,
        };
        let result = exec::run(prepared, &NoOutput).await.ok()?;
        Some(result.stdout.trim().to_owned()).filter(|text| result.code == 0 && !text.is_empty())
    }

    pub(crate) async fn connects(&self, address: &str) -> std::result::Result<(), String> {
        match tokio::time::timeout(CONNECTS_WITHIN, tokio::net::TcpStream::connect(address)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("it does not answer".to_owned()),
        }
    }

    async fn observed(
        &self,
        program: &BenchProgram,
        all: &[Supervised],
        release: Option<&Release>,
    ) -> ServiceObservation {
        let own = processes(all, program);
        let answers = match &program.address {
            Some(address) => Some(self.connects(address).await.is_ok()),
            None => None,
        };
        let state = match (&program.program, answers) {
            (Some(_), _) => state_of(&own),
            (None, Some(true)) => ServiceState::Running,
            (None, _) => ServiceState::Exited,
        };
        let health = match (state, answers) {
            (ServiceState::Running, Some(true)) => Health::Healthy,
            (ServiceState::Running, Some(false)) => Health::Unhealthy,
            _ => Health::None,
        };
        let pids: Vec<String> = own.iter().filter_map(|one| one.pid).map(|pid| pid.to_string()).collect();
        let of_release = release.filter(|_| program.program.is_some() && !pids.is_empty());
        ServiceObservation {
            name: program.name.clone(),
            role: program.role,
            state,
            health,
            image: program.program.clone().or_else(|| program.address.clone()),
            image_id: of_release
                .and_then(|release| release.images.get(&program.name))
                .map(|pin| pin.id.clone()),
            release: of_release.map(|release| release.name.clone()),
            started_at: own.iter().filter_map(|one| started_at(one.pid?)).max(),
            restarts: 0,
            instance: (!pids.is_empty()).then(|| pids.join(" ")),
        }
    }

    fn prepared(&self, spec: ExecSpec) -> Result<Prepared> {
        let (service, root) = match &spec.place {
            Place::Host => {
                return Err(
                    Fault::new(Code::Internal).with("what", "a command of the host was given to a runtime")
                );
            }
            Place::Service { service } => (service, self.stack.bench.clone()),
            Place::Candidate { service, release } => {
                let stage = stage::directory_of(&self.stack, release)?;
                let staged = Swap::is_whole(&stage);
                (service, if staged { stage } else { self.stack.bench.clone() })
            }
        };
        let program = self.stack.program(service)?;
        let mut environment = self.environment();
        let more = program.environment.iter().chain(&spec.environment);
        environment.extend(more.map(|(name, value)| (name.clone(), value.expose_secret().to_owned())));
        let directory = match &spec.directory {
            // The bench of a candidate is its own.
            Some(directory) => match Path::new(directory).strip_prefix(&self.stack.bench) {
                Ok(below) => root.join(below),
                Err(_) => self.stack.bench.join(directory),
            },
            None => self.stack.directory.clone(),
        };
        let mut argv = spec.argv;
        let of_server = |program: &String| program.starts_with("mariadb") || program.starts_with("mysql");
        if argv.first().is_some_and(of_server) {
            argv.splice(1..1, program.client.iter().cloned());
        }
        Ok(Prepared {
            argv,
            environment,
            directory,
            stdin: spec.stdin,
            timeout: spec.timeout,
            mark: spec.mark,
        })
    }

    fn looks_path(&self) -> PathBuf {
        self.stack.state_path.with_file_name("logs.json")
    }

    fn known(&self, name: &ServiceName) -> Result<()> {
        if *name == edge_name()? { Ok(()) } else { self.stack.program(name).map(drop) }
    }

    /// The process ids of a service with those of all that they started, and the memory of each in bytes.
    fn usage(&self, program: &BenchProgram, all: &[Supervised]) -> (BTreeMap<u32, u64>, u64) {
        let mut ticks = BTreeMap::new();
        for leader in processes(all, program).iter().filter_map(|one| one.pid) {
            ticks.extend(stat(leader).map(|stat| (leader, stat.ticks)));
            // Supervisor makes each process the leader of a session of its own.
            ticks.extend(of_session(leader).into_iter().map(|(pid, stat)| (pid, stat.ticks)));
        }
        let bytes = ticks.keys().filter_map(|pid| resident_bytes(*pid)).sum();
        (ticks, bytes)
    }
}

/// When a process was started, by the age of its directory in `/proc`.
fn started_at(pid: u32) -> Option<Timestamp> {
    let modified = std::fs::metadata(format!("/proc/{pid}")).ok()?.modified().ok()?;
    Timestamp::try_from(modified).ok()
}

#[async_trait]
impl Runtime for SupervisorRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Supervisor
    }

    async fn observe(&self) -> Result<RuntimeObservation> {
        let all = self.control().status().await?;
        let release = self.current().await?;
        let mut services = Vec::new();
        for program in &self.stack.programs {
            services.push(self.observed(program, &all, release.as_ref()).await);
        }
        let edge = self.edge.observe().await?.services;
        services.extend(edge.into_iter().filter(|service| service.role == ServiceRole::Edge));
        services.sort_by(|left, right| left.name.cmp(&right.name));
        let mut files = BTreeMap::new();
        if let Some(nginx) = &self.stack.nginx
            && let Ok(content) = std::fs::read(&nginx.file)
        {
            files.insert(nginx.file.display().to_string(), content);
        }
        Ok(RuntimeObservation { services, release, files })
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
            RuntimeOperation::Prepare { release } => self.prepare(release, context, output).await,
            RuntimeOperation::Switch { to, services, start, healthy_within } => {
                let start = start.then_some(*healthy_within);
                self.switch(to, services, start, output).await.map(|()| nothing)
            }
            RuntimeOperation::Start { services, healthy_within } => {
                self.start(services, *healthy_within, output).await.map(|()| nothing)
            }
            RuntimeOperation::Stop { services, drain } => {
                self.stop(services, *drain, output).await.map(|()| nothing)
            }
            RuntimeOperation::LetGo { release } => self.let_go(release).await.map(|()| nothing),
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
        let mut sources: Vec<(ServiceName, PathBuf)> = Vec::new();
        for name in services {
            self.known(name)?;
            let Ok(program) = self.stack.program(name) else { continue };
            sources.extend(program.logs.iter().map(|log| (name.clone(), log.clone())));
        }
        let path = self.looks_path();
        let read = move || {
            let now = Timestamp::now();
            let mut looks = Looks::read(&path);
            let mut lines = Vec::new();
            for (name, log) in &sources {
                let found = looks.lines(log, name, since, now);
                lines.extend(found.map_err(|error| file_fault(log, "read").because(error))?);
            }
            let logs: Vec<PathBuf> = sources.into_iter().map(|(_, log)| log).collect();
            looks.look(&logs, now);
            looks.write(&path)?;
            lines.sort_by_key(|line| line.at);
            Ok(lines.split_off(lines.len().saturating_sub(most)))
        };
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| Fault::new(Code::Internal).with("what", error))?
    }

    async fn stats(&self, services: &[ServiceName]) -> Result<Vec<ServiceStats>> {
        services.iter().try_for_each(|name| self.known(name))?;
        let all = self.control().status().await?;
        let programs = || services.iter().filter_map(|name| self.stack.program(name).ok());
        let before: Vec<_> = programs().map(|program| self.usage(program, &all).0).collect();
        let began = Instant::now();
        tokio::time::sleep(MEASURED).await;
        let seconds = began.elapsed().as_secs_f64();
        let mut stats = Vec::new();
        for (program, before) in programs().zip(before) {
            let (ticks, memory_bytes) = self.usage(program, &all);
            if ticks.is_empty() {
                continue;
            }
            let cpu = share_of_a_core(&before, &ticks, seconds);
            stats.push(ServiceStats { service: program.name.clone(), cpu, memory_bytes });
        }
        Ok(stats)
    }

    async fn files_directory(&self, place: &FilesPlace) -> Result<PathBuf> {
        let (FilesPlace::Directory { path, .. } | FilesPlace::Service { path, .. }) = place;
        let path = self.stack.bench.join(path);
        match std::fs::metadata(&path) {
            Ok(found) if found.is_dir() => Ok(path),
            Ok(_) => Err(file_fault(&path, "used: it is no directory")),
            Err(error) => Err(file_fault(&path, "read").because(error)),
        }
    }

    async fn side_door(&self) -> Result<String> {
        match &self.stack.nginx {
            Some(nginx) if self.state()?.edge_installed => {
                Ok(format!("http://127.0.0.1:{}", nginx.side_door))
            }
            _ => self.public_address().await,
        }
    }

    async fn public_address(&self) -> Result<String> {
        Ok(format!("http://{}", self.stack.front_address()?))
    }
}
