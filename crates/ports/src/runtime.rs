//! What runs the services: observe, change, execute, read logs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{
    FilesPlace, Release, RunId, RuntimeKind, ServiceName, ServiceObservation, StepName, TenantName,
};
use eclusa_runbook::{Outputs, Place, RuntimeOperation};
use jiff::Timestamp;
use secrecy::SecretString;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use crate::{CommandResult, OutputSink};

/// The answer to: did it take effect before the crash?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Took {
    /// Wholly.
    Yes,
    /// Not at all, or so that doing it again is right.
    No,
    /// It is still going on (a killed client leaves its command running inside the container).
    StillRunning,
    /// It cannot be known.
    Unknown,
}

/// The services and what is pinned.
#[derive(Debug, Clone)]
pub struct RuntimeObservation {
    /// The services of the stack, in the order of their names, Eclusa's edge among them.
    pub services: Vec<ServiceObservation>,
    /// The release that is pinned or can be told from what runs.
    pub release: Option<Release>,
    /// The user's own files that decide what runs, with their content: Compose files, env files.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// What an operation may need to know about its run.
#[derive(Debug, Clone)]
pub struct ApplyContext {
    /// The run.
    pub run: RunId,
    /// The step.
    pub step: StepName,
    /// Outputs of earlier steps that prepared a release: `image.SERVICE` and `reference.SERVICE`.
    pub images: Outputs,
    /// How long it may take.
    pub timeout: Duration,
}

/// A command in a place.
#[derive(Debug)]
pub struct ExecSpec {
    /// Where. `Place::Host` is never given to a runtime.
    pub place: Place,
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Further environment variables. They never appear in the argv of any process.
    pub environment: BTreeMap<String, SecretString>,
    /// The working directory.
    pub directory: Option<String>,
    /// What it reads on standard input.
    pub stdin: Option<Vec<u8>>,
    /// After this time it is ended where it runs, not only its client.
    pub timeout: Duration,
    /// A text that marks the command where it runs (an environment variable, a label), so that after a crash it
    /// can be found: run and step.
    pub mark: Option<String>,
    /// Outputs of earlier steps that prepared a release: `image.SERVICE` and `reference.SERVICE`.
    pub images: Outputs,
}

/// A command whose input and output are streams. Standard error is collected: its tail is in the result.
pub struct ExecStream {
    /// Written to its standard input; dropping it closes the input.
    pub stdin: Box<dyn AsyncWrite + Send + Unpin>,
    /// Read from its standard output.
    pub stdout: Box<dyn AsyncRead + Send + Unpin>,
    /// How it ended; sent after standard output has ended.
    pub ended: oneshot::Receiver<Result<CommandResult>>,
}

/// A line of a service's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// When it was written.
    pub at: Timestamp,
    /// By which service.
    pub service: ServiceName,
    /// The text, cleaned as `OutputSink` says.
    pub text: String,
}

/// What a service uses.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceStats {
    /// The service.
    pub service: ServiceName,
    /// Share of one core, 1.0 is a whole one.
    pub cpu: f64,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
}

/// A directory of the host in the services of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialMount {
    /// Where it lies on the host.
    pub source: PathBuf,
    /// Where it is seen.
    pub target: TrialTarget,
    /// Whether it cannot be written there, even where what it stands for could.
    pub read_only: bool,
}

/// Where services of a trial see a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrialTarget {
    /// At a path, in each of them.
    Path(String),
    /// Wherever the services that they are started like see a directory of the host, or a part of it.
    InsteadOf(PathBuf),
}

/// Services that are started beside those of the stack, on a copy of a tenant's data. They reach each other and the server
/// of the copy's database, nothing else, and nobody but this host reaches them.
#[derive(Debug, Clone)]
pub struct TrialSpec {
    /// What all of it is named by.
    pub name: String,
    /// Whose copy it is.
    pub tenant: TenantName,
    /// The release whose images run; for a service that it has none for, or without a release: what runs now.
    pub release: Option<Release>,
    /// Outputs of earlier steps that prepared a release: `image.SERVICE` and `reference.SERVICE`.
    pub images: Outputs,
    /// What serves requests.
    pub web: Vec<ServiceName>,
    /// What stands in front of it.
    pub frontend: ServiceName,
    /// Caches and queues, of which empty ones are started.
    pub caches: Vec<ServiceName>,
    /// The service that [`Runtime::trial_server`] was called for; it stays. With it, caches are started as they run now, and
    /// volumes that no mount stands for are empty ones, which the services share.
    pub server: Option<ServiceName>,
    /// Where there is no such server: that of the copy's database, as services of the stack reach it. In the trial it is called
    /// [`eclusa_runbook::TRIAL_DATABASE`].
    pub database: (String, u16),
    /// The service whose networks lead to it.
    pub through: ServiceName,
    /// What they see of the host in place of their own volumes.
    pub mounts: Vec<TrialMount>,
    /// How long all of it may take to become healthy.
    pub healthy_within: Duration,
}

/// A database server that is started for a copy alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialServer {
    /// What all of the trial is named by.
    pub name: String,
    /// Whose copy it is.
    pub tenant: TenantName,
    /// The service like which it is started.
    pub service: ServiceName,
    /// Where it listens.
    pub port: u16,
    /// How long it may take to be there.
    pub healthy_within: Duration,
}

/// That a runtime cannot start an application on a copy.
fn no_trials(kind: RuntimeKind) -> Fault {
    let what = match kind {
        RuntimeKind::Compose => "these services",
        RuntimeKind::Process => "processes that Eclusa runs itself",
        RuntimeKind::Supervisor => "programs of a supervisor on the host",
    };
    let problem = format!("{what} cannot be started a second time beside those that run");
    Fault::new(Code::TrialUnavailable).with("problem", problem)
}

/// What runs the services of one stack.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Which one it is.
    fn kind(&self) -> RuntimeKind;

    /// The services as they are now.
    ///
    /// # Errors
    /// When the engine does not answer or the stack's files do not resolve.
    async fn observe(&self) -> Result<RuntimeObservation>;

    /// Services of Eclusa's own that run although nothing that is written down has them any more.
    ///
    /// # Errors
    /// When the runtime cannot be asked.
    async fn strays(&self) -> Result<Vec<ServiceName>> {
        Ok(Vec::new())
    }

    /// Carries out an operation; waits until it has taken effect. Every operation is idempotent.
    ///
    /// # Errors
    /// When it failed; part of it may have taken effect.
    async fn apply(
        &self,
        operation: &RuntimeOperation,
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<Outputs>;

    /// Whether an operation took effect, asked after a crash.
    ///
    /// # Errors
    /// When the engine does not answer.
    async fn took_effect(&self, operation: &RuntimeOperation, context: &ApplyContext) -> Result<Took>;

    /// Runs a command to its end. A code other than 0 is no error here.
    ///
    /// # Errors
    /// When it cannot be started or was ended.
    async fn exec(&self, spec: ExecSpec, output: &dyn OutputSink) -> Result<CommandResult>;

    /// Whether a command with this mark still runs.
    ///
    /// # Errors
    /// When the engine does not answer.
    async fn exec_running(&self, place: &Place, mark: &str) -> Result<bool>;

    /// Ends a command with this mark, if it still runs.
    ///
    /// # Errors
    /// When it cannot be ended.
    async fn exec_end(&self, place: &Place, mark: &str) -> Result<()>;

    /// Starts a command whose input and output are streams.
    ///
    /// # Errors
    /// When it cannot be started.
    async fn exec_stream(&self, spec: ExecSpec) -> Result<ExecStream>;

    /// The output of services since a time, oldest first, at most `most` lines (the newest are kept).
    ///
    /// # Errors
    /// When the engine does not answer.
    async fn logs(&self, services: &[ServiceName], since: Timestamp, most: usize) -> Result<Vec<LogLine>>;

    /// What services use now.
    ///
    /// # Errors
    /// When the engine does not answer.
    async fn stats(&self, services: &[ServiceName]) -> Result<Vec<ServiceStats>>;

    /// The directory of the host behind a set of files (a bind mount or a volume's data).
    ///
    /// # Errors
    /// `FileAccess` when there is none or this user may not read it.
    async fn files_directory(&self, place: &FilesPlace) -> Result<PathBuf>;

    /// The base URL (`http://127.0.0.1:18080`) by which the frontend is reached past the edge, or the public one
    /// where there is no edge.
    ///
    /// # Errors
    /// `ServiceMissing` when the frontend publishes nothing.
    async fn side_door(&self) -> Result<String>;

    /// The base URL by which this host reaches the stack as the public does.
    ///
    /// # Errors
    /// `ServiceMissing` when nothing is published.
    async fn public_address(&self) -> Result<String>;

    /// Starts an empty server of the same kind as a service of the stack, under the same name and with the same accounts, in
    /// place of everything that runs under that name; waits until it can be reached at a port. Nothing but what is started
    /// under that name reaches it.
    ///
    /// # Errors
    /// `TrialUnavailable`; `TrialFailed` when it does not come up.
    async fn trial_server(&self, server: &TrialServer) -> Result<()> {
        let _ = server;
        Err(no_trials(self.kind()))
    }

    /// Starts services on a copy, in place of what runs under that name; waits until they are healthy.
    ///
    /// # Errors
    /// `TrialUnavailable`; `TrialFailed` when one of them does not come up. What was started stays until
    /// [`Runtime::trial_end`].
    async fn trial_start(&self, spec: &TrialSpec, output: &dyn OutputSink) -> Result<()> {
        let _ = (spec, output);
        Err(no_trials(self.kind()))
    }

    /// Ends and removes everything that was started under a name. Idempotent.
    ///
    /// # Errors
    /// When the engine does not answer.
    async fn trial_end(&self, name: &str) -> Result<()> {
        let _ = name;
        Ok(())
    }

    /// What was started under a name, as a runtime of its own: commands run in it, its side door leads to it.
    ///
    /// # Errors
    /// `TrialUnavailable`.
    fn trial(&self, name: &str) -> Result<Arc<dyn Runtime>> {
        let _ = name;
        Err(no_trials(self.kind()))
    }
}
