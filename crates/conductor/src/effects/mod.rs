//! Effects carried out: one module per kind of operation. Each is idempotent or can be found out about.

mod aside;
mod clone;
mod command;
mod copying;
mod directories;
mod erasure;
mod going_back;
mod headway;
mod maintenance;
mod output;
mod point;
mod record;
mod restore;
mod settings;
mod statements;
mod trial;
mod unblock;

pub use point::discard_proof;

use std::future::Future;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::Took;
use eclusa_runbook::{DatabaseOperation, EdgeOperation, Effect, LeaseOperation, Outputs, Place};
use tokio::time::Instant;

pub(crate) use command::{end_leftover, failure as run_failure, run_command};
pub(crate) use output::StepOutput;

use crate::context::Context;

/// How long the way back waits for an engine or a database that does not answer, and how long between two tries.
const AWAY: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_secs(2);

/// Carries an effect out within the step's limit.
pub(crate) async fn perform(context: &Context, effect: &Effect) -> Result<Outputs> {
    // Commands have the limit themselves, so that they can be ended where they run; this is the last resort.
    let limit = context.timeout + Duration::from_secs(30);
    match tokio::time::timeout(limit, carry_out(context, effect)).await {
        Ok(result) => result,
        Err(_) => Err(Fault::new(Code::CommandTimeout)
            .with("command", &context.step)
            .with("seconds", context.timeout.as_secs())),
    }
}

/// Takes a step back, and waits for what must be there for it: a server that crashed is back in a moment, and a run
/// that gives up on its way back leaves people outside.
pub(crate) async fn patiently(context: &Context, effect: &Effect) -> Result<Outputs> {
    while_away(|| perform(context, effect)).await
}

/// Does something, and again while the engine or the database does not answer.
pub(crate) async fn while_away<T, F: Future<Output = Result<T>>>(
    mut attempt: impl FnMut() -> F,
) -> Result<T> {
    let since = Instant::now();
    loop {
        match attempt().await {
            Err(fault)
                if matches!(fault.code, Code::DatabaseUnreachable | Code::DockerUnreachable)
                    && since.elapsed() < AWAY =>
            {
                tokio::time::sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

async fn carry_out(context: &Context, effect: &Effect) -> Result<Outputs> {
    match effect {
        Effect::Mark => Ok(Outputs::new()),
        Effect::Wait { milliseconds } => {
            tokio::time::sleep(Duration::from_millis(*milliseconds)).await;
            Ok(Outputs::new())
        }
        Effect::Exec(exec) => command::perform(context, exec).await,
        Effect::Runtime(operation) => {
            let output = StepOutput::open(context);
            context.ports.runtime.apply(operation, &context.apply_context(), &output).await
        }
        Effect::Database(operation) => {
            match operation {
                DatabaseOperation::CreateScratch { tenant, name } => {
                    context.ports.database.create_scratch(context.tenant(tenant)?, name).await?;
                }
                DatabaseOperation::DropScratch { tenant, name } => {
                    context.ports.database.drop_scratch(context.tenant(tenant)?, name).await?;
                }
            }
            Ok(Outputs::new())
        }
        Effect::Vault(operation) => point::perform(context, operation).await,
        Effect::Restore(operation) => restore::perform(context, operation).await,
        Effect::Clone(operation) => clone::perform(context, operation).await,
        Effect::Trial(operation) => trial::perform(context, operation).await,
        Effect::Erasure(operation) => erasure::perform(context, operation).await,
        Effect::Settings(operation) => settings::perform(context, operation).await,
        Effect::Edge(operation) => edge(context, operation).await,
        Effect::Maintenance(operation) => maintenance::perform(context, operation).await,
        Effect::Record { tenant, against } => record::perform(context, tenant, against.as_ref()).await,
        Effect::Lease(LeaseOperation::Take { .. }) => {
            let holder =
                eclusa_ports::LeaseHolder { run: context.run.clone(), ..context.ports.holder.clone() };
            let generation = context.ports.lease.take(&holder).await?;
            Ok(Outputs::from([("generation".to_owned(), generation.to_string())]))
        }
        Effect::Lease(LeaseOperation::Release) => {
            context.ports.lease.release(&context.run).await?;
            Ok(Outputs::new())
        }
    }
}

async fn edge(context: &Context, operation: &EdgeOperation) -> Result<Outputs> {
    let edge = context.ports.edge.as_ref().ok_or_else(|| {
        Fault::new(Code::EdgeState).with("problem", "No edge is installed in front of this stack")
    })?;
    let mut outputs = Outputs::new();
    match operation {
        EdgeOperation::Close { tenant, message, retry_after, drain } => {
            let remaining = edge.close(tenant, &context.run, message, *retry_after, *drain).await?;
            outputs.insert("remaining".to_owned(), remaining.to_string());
        }
        EdgeOperation::Hold { tenant } => edge.hold(tenant, &context.run).await?,
        EdgeOperation::Open { tenant } => {
            let seconds = edge.open(tenant).await?;
            outputs.insert("closed-seconds".to_owned(), format!("{seconds:.3}"));
        }
    }
    Ok(outputs)
}

/// Whether an effect took effect before a crash.
pub(crate) async fn took_effect(context: &Context, effect: &Effect) -> Result<Took> {
    match effect {
        Effect::Exec(exec) => {
            let running = exec.place != Place::Host
                && context.ports.runtime.exec_running(&exec.place, &context.mark()).await?;
            Ok(if running { Took::StillRunning } else { Took::Unknown })
        }
        Effect::Runtime(operation) => {
            context.ports.runtime.took_effect(operation, &context.apply_context()).await
        }
        // All others are idempotent: doing them again finds what is there (a point by its mark, a swap by what lies
        // where, a gate by its state) and gives the outputs that later steps need.
        Effect::Mark
        | Effect::Wait { .. }
        | Effect::Database(_)
        | Effect::Vault(_)
        | Effect::Restore(_)
        | Effect::Clone(_)
        | Effect::Trial(_)
        | Effect::Erasure(_)
        | Effect::Settings(_)
        | Effect::Edge(_)
        | Effect::Maintenance(_)
        | Effect::Record { .. }
        | Effect::Lease(_) => Ok(Took::No),
    }
}
