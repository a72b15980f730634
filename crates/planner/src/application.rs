//! Steps that the application itself asks for, by the names that it gives them.

use eclusa_fault::Result;
use eclusa_model::TenantName;
use eclusa_runbook::{OnNoGo, Phase, Scope, Undo};

use crate::app::{Back, NamedGate, Reversible};
use crate::draft::NewStep;

fn scope(tenant: Option<&TenantName>) -> Scope {
    tenant.map_or(Scope::Stack, |tenant| Scope::Tenant(tenant.clone()))
}

fn name(phase: Phase, name: &str, tenant: Option<&TenantName>) -> String {
    match tenant {
        Some(tenant) => format!("{}.{name}.{tenant}", phase.word()),
        None => format!("{}.{name}", phase.word()),
    }
}

/// A change of the application's with its way back.
pub(crate) fn perform(phase: Phase, command: Reversible, tenant: Option<&TenantName>) -> Result<NewStep> {
    let undo = match command.back {
        Back::By(effect) => Undo::By(effect),
        Back::Nothing(why) => Undo::Nothing { why },
    };
    let name = name(phase, &command.name, tenant);
    Ok(NewStep::perform(phase, &name, scope(tenant), command.title, command.change)?
        .undo(undo)
        .retries(1)
        .seconds(command.timeout))
}

/// A gate of the application's.
pub(crate) fn gate(phase: Phase, gate: NamedGate, tenant: &TenantName) -> Result<NewStep> {
    let name = name(phase, &gate.name, Some(tenant));
    Ok(NewStep::judge(phase, &name, scope(Some(tenant)), gate.title, gate.kind)?
        .on_no_go(gate.on_no_go)
        .on_hold(if gate.on_no_go == OnNoGo::Ask { OnNoGo::Ask } else { OnNoGo::Back })
        .seconds(gate.timeout))
}
