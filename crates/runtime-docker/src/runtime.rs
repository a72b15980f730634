//! The runtime as a port: each operation leads to the module that carries it out.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{FilesPlace, RuntimeKind, ServiceName};
use eclusa_ports::{
    ApplyContext, CommandResult, ExecSpec, ExecStream, Host, LogLine, OutputSink, Runtime,
    RuntimeObservation, ServiceStats, Took, TrialServer, TrialSpec,
};
use eclusa_runbook::{Outputs, Place, RuntimeOperation};
use jiff::Timestamp;
use tokio::sync::{Mutex, OnceCell};

use crate::EDGE_SERVICE;
use crate::compose::Compose;
use crate::doors::DockerDoors;
use crate::engine::Engine;
use crate::observe::service_name;
use crate::overlay::Pinned;
use crate::stack::ComposeStack;
use crate::trial::TrialRuntime;

/// One Compose stack.
#[derive(Clone)]
pub struct ComposeRuntime {
    pub(crate) stack: ComposeStack,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) engine: Engine,
    pub(crate) compose: Compose,
    pub(crate) project: OnceCell<String>,
    /// Held while an image of Eclusa's own is made: it is made of one directory, and several steps may want it at once.
    pub(crate) making_image: Arc<Mutex<()>>,
}

impl ComposeRuntime {
    /// The stack, behind the doors to its Docker. Nothing is looked at yet.
    #[must_use]
    pub fn new(stack: ComposeStack, doors: DockerDoors) -> Self {
        let DockerDoors { host, compose, engine } = doors;
        Self { stack, host, engine, compose, project: OnceCell::new(), making_image: Arc::default() }
    }

    /// What was said about the stack.
    #[must_use]
    pub fn stack(&self) -> &ComposeStack {
        &self.stack
    }

    /// The engine that runs it, for its lease.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The project's name, as Compose has it.
    ///
    /// # Errors
    /// When the stack's files do not resolve.
    pub async fn project_name(&self) -> Result<String> {
        self.project().await.map(str::to_owned)
    }

    /// What the generated override pins; `None` when there is no override.
    ///
    /// # Errors
    /// `ComposeInvalid` when someone changed it so that it is not understood.
    pub async fn pins(&self) -> Result<Option<Pinned>> {
        self.pinned().await
    }
}

#[async_trait]
impl Runtime for ComposeRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Compose
    }

    async fn observe(&self) -> Result<RuntimeObservation> {
        self.look().await
    }

    async fn strays(&self) -> Result<Vec<ServiceName>> {
        Ok(if self.has_stray_edge().await? { vec![service_name(EDGE_SERVICE)?] } else { Vec::new() })
    }

    async fn apply(
        &self,
        operation: &RuntimeOperation,
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<Outputs> {
        match operation {
            RuntimeOperation::Prepare { release } => self.prepare(release, context, output).await,
            RuntimeOperation::Switch { to, services, start, healthy_within } => {
                let wanted = start.then_some(*healthy_within);
                self.switch(to, services, wanted, context, output).await
            }
            RuntimeOperation::Start { services, healthy_within } => {
                self.start(services, *healthy_within, context, output).await
            }
            RuntimeOperation::Stop { services, drain } => self.stop(services, *drain, output).await,
            RuntimeOperation::LetGo { release } => self.let_go(release).await,
            RuntimeOperation::EdgeInstall => self.edge_install(context, output).await,
            RuntimeOperation::EdgeRemove => self.edge_remove(context, output).await,
        }
    }

    async fn took_effect(&self, operation: &RuntimeOperation, context: &ApplyContext) -> Result<Took> {
        let yes = match operation {
            // Their outputs are lost with the process that had them; doing them again is cheap and gives the same.
            RuntimeOperation::Prepare { .. } | RuntimeOperation::LetGo { .. } => false,
            RuntimeOperation::Switch { to, services, start, .. } => {
                self.has_switched(to, services, *start, context).await?
            }
            RuntimeOperation::Start { services, .. } => self.has_started(services).await?,
            RuntimeOperation::Stop { services, .. } => self.has_stopped(services).await?,
            RuntimeOperation::EdgeInstall => self.has_edge().await?,
            RuntimeOperation::EdgeRemove => self.has_no_edge().await?,
        };
        Ok(if yes { Took::Yes } else { Took::No })
    }

    async fn exec(&self, spec: ExecSpec, output: &dyn OutputSink) -> Result<CommandResult> {
        match spec.place.clone() {
            Place::Service { service } => self.exec_in_service(&service, spec, output).await,
            Place::Candidate { service, release } => {
                self.exec_in_candidate(&service, &release, spec, output).await
            }
            Place::Host => Err(not_on_the_host()),
        }
    }

    async fn exec_running(&self, place: &Place, mark: &str) -> Result<bool> {
        match place {
            Place::Service { service } => self.marked_in_service(service, mark).await,
            Place::Candidate { .. } => self.candidate_running(mark).await,
            Place::Host => Err(not_on_the_host()),
        }
    }

    async fn exec_end(&self, place: &Place, mark: &str) -> Result<()> {
        match place {
            Place::Service { service } => self.end_in_service(service, mark).await,
            Place::Candidate { .. } => self.end_candidate(mark).await,
            Place::Host => Err(not_on_the_host()),
        }
    }

    async fn exec_stream(&self, spec: ExecSpec) -> Result<ExecStream> {
        match spec.place.clone() {
            Place::Service { service } => self.stream_in_service(&service, spec).await,
            Place::Candidate { .. } => Err(Fault::new(Code::RuntimeFailed)
                .with("operation", "a stream")
                .because("streams are carried by running services, not by candidates")),
            Place::Host => Err(not_on_the_host()),
        }
    }

    async fn logs(&self, services: &[ServiceName], since: Timestamp, most: usize) -> Result<Vec<LogLine>> {
        self.read_logs(services, since, most).await
    }

    async fn stats(&self, services: &[ServiceName]) -> Result<Vec<ServiceStats>> {
        self.read_stats(services).await
    }

    async fn files_directory(&self, place: &FilesPlace) -> Result<PathBuf> {
        self.directory_behind(place).await
    }

    async fn side_door(&self) -> Result<String> {
        self.side_door_address().await
    }

    async fn public_address(&self) -> Result<String> {
        self.published_address().await
    }

    async fn trial_server(&self, server: &TrialServer) -> Result<()> {
        self.start_trial_server(server).await
    }

    async fn trial_start(&self, spec: &TrialSpec, output: &dyn OutputSink) -> Result<()> {
        self.start_trial(spec, output).await
    }

    async fn trial_end(&self, name: &str) -> Result<()> {
        self.end_trial(name).await
    }

    fn trial(&self, name: &str) -> Result<Arc<dyn Runtime>> {
        Ok(Arc::new(TrialRuntime::of(self, name)))
    }
}

fn not_on_the_host() -> Fault {
    Fault::new(Code::Internal).with("what", "a command of the host was given to the Compose runtime")
}
