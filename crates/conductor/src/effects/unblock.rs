//! Who is in the way of a command that changes a tenant's tables: seen while it runs, named, and ended where that harms
//! nobody.
//!
//! A request that failed between two releases can leave a connection that asks for nothing and keeps its transaction; the
//! next statement that changes a table it had read waits for it, for a day.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use eclusa_fault::Result;
use eclusa_model::Tenant;
use eclusa_ports::{Blocker, CommandResult, OutputSink, OutputStream};
use eclusa_runbook::{Exec, Unblock};

use super::StepOutput;
use super::command::run_command;
use crate::context::Context;

/// How long the database may take to answer.
const ASKED_WITHIN: Duration = Duration::from_secs(20);

/// The shortest pause between two looks.
const LOOKED_EVERY: Duration = Duration::from_secs(2);

/// What was in the way of a command.
#[derive(Default)]
pub(super) struct InTheWay {
    /// The connections that were ended, as a person reads them.
    pub ended: Vec<String>,
    /// Those that were not.
    pub left: Vec<String>,
}

/// Runs a command, and looks after its tenant's database meanwhile where it says so.
pub(super) async fn run(context: &Context, exec: &Exec) -> (Result<CommandResult>, InTheWay) {
    let Some(unblock) = &exec.unblock else {
        return (run_command(context, exec).await, InTheWay::default());
    };
    let found = Mutex::new(InTheWay::default());
    let result = match context.tenant(&unblock.tenant) {
        Ok(tenant) => tokio::select! {
            result = run_command(context, exec) => result,
            never = look_after(context, tenant, unblock, &found) => match never {},
        },
        Err(fault) => Err(fault),
    };
    (result, found.into_inner().unwrap_or_default())
}

async fn look_after(
    context: &Context,
    tenant: &Tenant,
    unblock: &Unblock,
    found: &Mutex<InTheWay>,
) -> std::convert::Infallible {
    let patience = unblock.patience.max(1);
    let pause = Duration::from_secs(patience).max(LOOKED_EVERY);
    let mut named = BTreeSet::new();
    loop {
        tokio::time::sleep(pause).await;
        let asked = context.ports.database.blockers(tenant, patience);
        // What cannot be found out now is asked again; the command has a limit of its own.
        let Ok(Ok(blockers)) = tokio::time::timeout(ASKED_WITHIN, asked).await else { continue };
        for blocker in blockers {
            let text = described(&blocker);
            let ended = unblock.end && blocker.idle && was_ended(context, tenant, blocker.id).await;
            if !ended && !named.insert(blocker.id) {
                continue;
            }
            let line = if ended {
                format!("[eclusa] the connection {text} was in the way, and was ended")
            } else {
                format!("[eclusa] the connection {text} is in the way; it is not ended")
            };
            StepOutput::open(context).line(OutputStream::Err, &line);
            if let Ok(mut found) = found.lock() {
                if ended { found.ended.push(text) } else { found.left.push(text) }
            }
        }
    }
}

async fn was_ended(context: &Context, tenant: &Tenant, id: u64) -> bool {
    let ending = context.ports.database.end_blocker(tenant, id);
    match tokio::time::timeout(ASKED_WITHIN, ending).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(fault)) => {
            tracing::warn!(step = %context.step, id, %fault, "a connection that is in the way cannot be ended");
            false
        }
        Err(_) => false,
    }
}

fn described(blocker: &Blocker) -> String {
    let doing = match (blocker.idle, blocker.statement.as_str()) {
        (true, "") => "asking for nothing".to_owned(),
        (true, more) => format!("asking for nothing {more}"),
        (false, "") => "busy".to_owned(),
        (false, statement) => statement.to_owned(),
    };
    format!("{} of {}@{}, open for {} s, {doing}", blocker.id, blocker.user, blocker.host, blocker.seconds)
}
