//! Who keeps a tenant closed, written down where it outlives the run.

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::MaintenanceOwner;
use eclusa_runbook::{MaintenanceOperation, Outputs};

use crate::context::Context;

pub(super) async fn perform(context: &Context, operation: &MaintenanceOperation) -> Result<Outputs> {
    let (journal, stack) = (context.ports.journal.clone(), context.plan.stack.clone());
    eclusa_crash::point("maintenance.owner.before");
    let operation = operation.clone();
    let new = MaintenanceOwner {
        by: context.by.clone(),
        since: context.ports.clock.now(),
        reason: None,
        until: None,
        run: context.run.clone(),
        unmigrated: None,
    };
    tokio::task::spawn_blocking(move || match operation {
        MaintenanceOperation::Own { tenant, reason, until, before, unmigrated } => {
            let owner = before.unwrap_or(MaintenanceOwner { reason, until, unmigrated, ..new });
            journal.own(&stack, &tenant, &owner)
        }
        MaintenanceOperation::Disown { tenant } => journal.disown(&stack, &tenant),
    })
    .await
    .map_err(|error| Fault::new(Code::Internal).with("what", error))??;
    eclusa_crash::point("maintenance.owner.after");
    Ok(Outputs::new())
}
