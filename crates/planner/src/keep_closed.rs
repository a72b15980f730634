//! A release whose failed tenants stay closed while the others open. A tenant whose migration fails goes back alone, to its own
//! restore point; the code of all tenants is the new one, which its data does not fit, so it stays closed, and from then on
//! somebody answers for it. Where none is left, everything goes back.

use eclusa_config::OnFailure;
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{MaintenanceOwner, Release, Tenant, TenantName};
use eclusa_runbook::{Effect, GateKind, Lane, MaintenanceOperation, OnNoGo, Phase, Place, Scope, Undo};

use crate::PlanInput;
use crate::application;
use crate::draft::{Draft, NewStep};
use crate::maintenance::{disown, own};
use crate::release::ReleaseDraft;

/// Whether failed tenants stay closed in this release: that was asked for, their data changes, and there are others.
pub(crate) fn is_wanted(input: &PlanInput<'_>, release: &ReleaseDraft) -> Result<bool> {
    let wanted = input.on_failure.unwrap_or(input.stack.release.on_failure) == OnFailure::KeepClosed;
    if !wanted || release.code_only || release.tenants.len() < 2 {
        return Ok(false);
    }
    if !release.edge {
        let problem =
            "A tenant cannot stay closed while the others open: no edge stands in front of this stack";
        return Err(Fault::new(Code::EdgeState)
            .with("problem", problem)
            .hint(Message::new("hint-keep-closed-edge")));
    }
    Ok(true)
}

/// Adds the migrations so that each failure is its tenant's own, and what is done about those who failed.
pub(crate) fn migrations(
    draft: &mut Draft<'_, '_>,
    release: &ReleaseDraft,
    migrations: Vec<(TenantName, NewStep)>,
) -> Result<()> {
    let input = draft.input;
    let mut lanes = Vec::new();
    let mut kept = Vec::new();
    let mut tenants = Vec::new();
    for (tenant, migration) in migrations {
        let mut lane = vec![migration];
        if let Some(exec) = input.app.pending(input.stack, &tenant, &release.to, &release.candidate) {
            let kind = GateKind::PendingMigrations { exec, expected: Some(Vec::new()), allowed: false };
            let title = Message::new("step-none-pending").with("tenant", &tenant);
            let (name, scope) = (format!("migrate.pending.{tenant}"), Scope::Tenant(tenant.clone()));
            lane.push(NewStep::judge(Phase::Migrate, &name, scope, title, kind)?.seconds(300));
        }
        lanes.push(lane);
        kept.push(keep(input, release, &tenant)?);
        tenants.push(tenant);
    }
    if lanes.is_empty() {
        return Ok(());
    }
    draft.lanes(lanes)?;
    let title = Message::new("step-remaining").with("release", &release.to.name);
    // Who stays closed whatever this run does is nobody to go on for.
    let served: Vec<_> = tenants.iter().filter(|tenant| input.owner(tenant).is_none()).cloned().collect();
    let kind = GateKind::Remaining { tenants: if served.is_empty() { tenants } else { served } };
    draft.then(NewStep::judge(Phase::Migrate, "migrate.remaining", Scope::Stack, title, kind)?)?;
    draft.together(kept)?;
    // Whatever is of one tenant from here on is of one that was migrated.
    draft.follow();
    Ok(())
}

/// Writes down who answers for a tenant that went back. Whoever kept it closed before still does.
fn keep(input: &PlanInput<'_>, release: &ReleaseDraft, tenant: &TenantName) -> Result<NewStep> {
    let unmigrated = Some(release.to.name.clone());
    let owner = input.owner(tenant);
    let (before, back) = match owner {
        Some(owner) => {
            (Some(MaintenanceOwner { unmigrated: unmigrated.clone(), ..owner.clone() }), own(tenant, owner))
        }
        None => (None, disown(tenant)),
    };
    let effect = Effect::Maintenance(MaintenanceOperation::Own {
        tenant: tenant.clone(),
        reason: None,
        until: None,
        before,
        unmigrated,
    });
    let (name, scope) = (format!("migrate.kept.{tenant}"), Scope::Tenant(tenant.clone()));
    let title = Message::new("step-keep-closed").with("tenant", tenant).with("release", &release.to.name);
    Ok(NewStep::perform(Phase::Migrate, &name, scope, title, effect)?
        .undo(Undo::By(back))
        .retries(1)
        .seconds(30)
        .lane(Lane::Instead))
}

/// What goes through the queues is asked of the first tenant alone, by default. Where that one went back, it is asked of the
/// second.
pub(crate) fn queues(input: &PlanInput<'_>, release: &ReleaseDraft) -> Result<Vec<NewStep>> {
    let [first, second, ..] = release.tenants.as_slice() else { return Ok(Vec::new()) };
    let asked = input.app.queue_gates(input.stack, &release.tenants, input.nonce);
    if !release.keep_closed || asked.iter().any(|(tenant, _)| *tenant != first.name) {
        return Ok(Vec::new());
    }
    let gates = input.app.queue_gates(input.stack, std::slice::from_ref(second), input.nonce).into_iter();
    let instead = |(tenant, gate)| {
        let step = application::gate(Phase::Open, gate, &tenant)?;
        Ok(step.scope(Scope::Tenant(first.name.clone())).lane(Lane::Instead))
    };
    gates.map(instead).collect()
}

/// Before the gate of a tenant opens whose data could not be brought to a release: whether that has been done since.
pub(crate) fn migrated(
    input: &PlanInput<'_>,
    tenant: &Tenant,
    release: Option<&Release>,
) -> Result<Option<NewStep>> {
    let unmigrated = input.owner(&tenant.name).and_then(|owner| owner.unmigrated.as_ref());
    let (Some(_), Some(release), Some(service)) =
        (unmigrated, release, input.app.command_service(input.stack))
    else {
        return Ok(None);
    };
    let place = Place::Service { service };
    let gate = input.app.migrated(input.stack, &tenant.name, release, &place);
    gate.map(|gate| {
        let step = application::gate(Phase::Open, gate, &tenant.name)?;
        Ok(step.on_no_go(OnNoGo::Back).on_hold(OnNoGo::Back))
    })
    .transpose()
}

/// What a plan says of it beforehand.
pub(crate) fn remark(release: &ReleaseDraft) -> Message {
    Message::new("remark-keep-closed").with("release", &release.to.name)
}
