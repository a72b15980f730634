//! What people have made of their tenants' application themselves, recorded before and after a release.

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{StepName, TenantName};
use eclusa_runbook::{Effect, Phase, Scope};

use crate::PlanInput;
use crate::draft::NewStep;

/// How long reading them may take, in seconds.
const WITHIN: u64 = 120;

/// The record that is taken beside the restore point; none where the application has nothing to record.
pub(crate) fn before(input: &PlanInput<'_>, tenant: &TenantName) -> Result<Option<NewStep>> {
    step(input, tenant, Phase::Secure, "step-customizations-before", None)
}

/// The record that is taken when the data is what the release made of it.
pub(crate) fn after(input: &PlanInput<'_>, tenant: &TenantName) -> Result<Option<NewStep>> {
    let against = StepName::new(name(Phase::Secure, tenant))
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    step(input, tenant, Phase::Validate, "step-customizations-after", Some(against))
}

fn name(phase: Phase, tenant: &TenantName) -> String {
    format!("{}.customizations.{tenant}", phase.word())
}

/// It only tells: a release does not stop because it could not be taken.
fn step(
    input: &PlanInput<'_>,
    tenant: &TenantName,
    phase: Phase,
    title: &str,
    against: Option<StepName>,
) -> Result<Option<NewStep>> {
    if !input.app.has_customizations() {
        return Ok(None);
    }
    let effect = Effect::Record { tenant: tenant.clone(), against };
    let title = Message::new(title).with("tenant", tenant);
    let step = NewStep::perform(phase, &name(phase, tenant), Scope::Tenant(tenant.clone()), title, effect)?
        .nothing_to_undo("undo-nothing-record")
        .tolerated()
        .seconds(WITHIN);
    Ok(Some(step))
}
