//! What was started on a copy, as a runtime of its own: commands run in it, and its doors lead to it.

use std::path::PathBuf;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{FilesPlace, RuntimeKind, ServiceName};
use eclusa_ports::{
    ApplyContext, CommandResult, ExecSpec, ExecStream, LogLine, OutputSink, Runtime, RuntimeObservation,
    ServiceStats, Took,
};
use eclusa_runbook::{Outputs, Place, RuntimeOperation};
use jiff::Timestamp;

use crate::runtime::ComposeRuntime;

/// What was started under a name, as a runtime.
pub(crate) struct TrialRuntime {
    inside: ComposeRuntime,
    name: String,
}

impl TrialRuntime {
    pub(crate) fn of(runtime: &ComposeRuntime, name: &str) -> Self {
        Self { inside: runtime.inside(name), name: name.to_owned() }
    }

    async fn address(&self) -> Result<String> {
        let stack = &self.inside.stack;
        let address = self.inside.address_in_trial(&self.name, &stack.frontend).await?;
        Ok(format!("http://{address}:{}", stack.frontend_port))
    }
}

/// What belongs to the stack alone.
fn not_of_a_trial(what: &str) -> Fault {
    Fault::new(Code::Internal).with("what", format!("{what} was asked of what is started on a copy"))
}

#[async_trait]
impl Runtime for TrialRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Compose
    }

    async fn observe(&self) -> Result<RuntimeObservation> {
        Err(not_of_a_trial("an observation"))
    }

    async fn apply(
        &self,
        _operation: &RuntimeOperation,
        _context: &ApplyContext,
        _output: &dyn OutputSink,
    ) -> Result<Outputs> {
        Err(not_of_a_trial("an operation"))
    }

    async fn took_effect(&self, _operation: &RuntimeOperation, _context: &ApplyContext) -> Result<Took> {
        Err(not_of_a_trial("an operation"))
    }

    async fn exec(&self, spec: ExecSpec, output: &dyn OutputSink) -> Result<CommandResult> {
        match spec.place.clone() {
            Place::Service { service } => self.inside.exec_in_service(&service, spec, output).await,
            Place::Candidate { .. } | Place::Host => Err(not_of_a_trial("a command elsewhere")),
        }
    }

    async fn exec_running(&self, place: &Place, mark: &str) -> Result<bool> {
        match place {
            Place::Service { service } => self.inside.marked_in_service(service, mark).await,
            Place::Candidate { .. } | Place::Host => Err(not_of_a_trial("a command elsewhere")),
        }
    }

    async fn exec_end(&self, place: &Place, mark: &str) -> Result<()> {
        match place {
            Place::Service { service } => self.inside.end_in_service(service, mark).await,
            Place::Candidate { .. } | Place::Host => Err(not_of_a_trial("a command elsewhere")),
        }
    }

    async fn exec_stream(&self, spec: ExecSpec) -> Result<ExecStream> {
        match spec.place.clone() {
            Place::Service { service } => self.inside.stream_in_service(&service, spec).await,
            Place::Candidate { .. } | Place::Host => Err(not_of_a_trial("a stream elsewhere")),
        }
    }

    async fn logs(&self, services: &[ServiceName], since: Timestamp, most: usize) -> Result<Vec<LogLine>> {
        self.inside.read_logs(services, since, most).await
    }

    async fn stats(&self, services: &[ServiceName]) -> Result<Vec<ServiceStats>> {
        self.inside.read_stats(services).await
    }

    async fn files_directory(&self, _place: &FilesPlace) -> Result<PathBuf> {
        Err(not_of_a_trial("a directory"))
    }

    async fn side_door(&self) -> Result<String> {
        self.address().await
    }

    async fn public_address(&self) -> Result<String> {
        self.address().await
    }
}
