//! The plans that close tenants for whoever asks, and open them again. The owner is written down first and forgotten last:
//! whatever is cut off in between, a tenant that is closed has an owner.

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{MaintenanceOwner, Release, Tenant, TenantName};
use eclusa_runbook::{
    EdgeOperation, Effect, GateKind, Intent, MaintenanceOperation, OnNoGo, Phase, Plan, ProbeRoute, Scope,
    Undo,
};
use jiff::Timestamp;

use crate::PlanInput;
use crate::backup::chosen;
use crate::draft::{Draft, Frame, NewStep};
use crate::release_steps::close_operation;
use crate::simple::probes_of;
use crate::{application, keep_closed};

impl<'a> PlanInput<'a> {
    /// Who keeps a tenant closed.
    pub(crate) fn owner(&self, tenant: &TenantName) -> Option<&'a MaintenanceOwner> {
        self.observation.maintenance.get(tenant)
    }

    /// Whether the application itself refuses a tenant's pages, by its owner's will: then they cannot be judged.
    pub(crate) fn is_in_maintenance(&self, tenant: &TenantName) -> bool {
        let found = self.observation.tenants.iter().find(|found| found.tenant.name == *tenant);
        found.and_then(|found| found.site.as_ref()).is_some_and(|site| site.maintenance)
    }

    /// What a plan says of those who are not opened at its end.
    pub(crate) fn kept_remarks<'b>(&self, tenants: impl Iterator<Item = &'b TenantName>) -> Vec<Message> {
        let mut found = Vec::new();
        for tenant in tenants {
            if let Some(owner) = self.owner(tenant) {
                found.push(owned(Message::new("remark-stays-closed").with("tenant", tenant), owner));
                if let Some(release) = &owner.unmigrated {
                    let text = Message::new("remark-unmigrated").with("tenant", tenant);
                    found.push(text.with("release", release));
                }
            } else if self.is_in_maintenance(tenant) {
                found.push(Message::new("remark-stays-in-maintenance").with("tenant", tenant));
            }
        }
        found
    }
}

fn owned(message: Message, owner: &MaintenanceOwner) -> Message {
    let since = owner.since.strftime("%Y-%m-%d %H:%M UTC");
    let reason = match (&owner.reason, &owner.unmigrated) {
        (Some(reason), _) => reason.clone(),
        (None, Some(release)) => format!("its data could not be brought to {release}"),
        (None, None) => "no reason was given".to_owned(),
    };
    message.with("by", &owner.by).with("since", since).with("reason", reason)
}

pub(crate) fn plan(
    input: &PlanInput<'_>,
    on: bool,
    names: &[TenantName],
    reason: Option<&str>,
    until: Option<Timestamp>,
) -> Result<Plan> {
    let tenants = chosen(input, names)?;
    let mut draft = Draft::new(input);
    let phase = if on { Phase::Close } else { Phase::Open };
    if input.observation.edge.is_none() {
        draft.remarks.push(Message::new("remark-maintenance-no-edge"));
    }
    if !on {
        for tenant in &tenants {
            if let Some(release) = input.owner(&tenant.name).and_then(|owner| owner.unmigrated.as_ref()) {
                let text = Message::new("remark-asks-migrated").with("tenant", &tenant.name);
                draft.remarks.push(text.with("release", release));
            }
        }
    }
    draft.take_lease()?;
    draft.phase(phase)?;
    let mut lanes = Vec::new();
    for tenant in &tenants {
        lanes.push(if on {
            close(input, tenant, reason, until)?
        } else {
            open(input, tenant, input.observation.release.as_ref())?
        });
    }
    if lanes.iter().all(Vec::is_empty) {
        return Err(nothing(input, on));
    }
    draft.lanes(lanes)?;
    let names = tenants.iter().map(|tenant| tenant.name.clone()).collect();
    let intent = Intent::Maintenance { on, tenants: names, reason: reason.map(str::to_owned), until };
    draft.finish(Frame {
        intent,
        to: None,
        tenants,
        services: Vec::new(),
        reversibility: BTreeMap::new(),
        point_of_no_return: None,
    })
}

fn nothing(input: &PlanInput<'_>, on: bool) -> Fault {
    let fault = Fault::new(Code::NothingToDo);
    if !on {
        return fault.with("what", "none of these tenants is closed by anybody");
    }
    let what = format!("nothing stands in front of {} that could be closed", input.name);
    fault.with("what", what).hint(Message::new("hint-edge-install"))
}

/// Writes an owner down as it was.
pub(crate) fn own(tenant: &TenantName, owner: &MaintenanceOwner) -> Effect {
    Effect::Maintenance(MaintenanceOperation::Own {
        tenant: tenant.clone(),
        reason: None,
        until: None,
        before: Some(owner.clone()),
        unmigrated: None,
    })
}

pub(crate) fn disown(tenant: &TenantName) -> Effect {
    Effect::Maintenance(MaintenanceOperation::Disown { tenant: tenant.clone() })
}

fn close(
    input: &PlanInput<'_>,
    tenant: &Tenant,
    reason: Option<&str>,
    until: Option<Timestamp>,
) -> Result<Vec<NewStep>> {
    let (name, scope) = (&tenant.name, Scope::Tenant(tenant.name.clone()));
    let phase = Phase::Close;
    let mut closing = Vec::new();
    if input.observation.edge.is_some() {
        let edge = &input.stack.edge;
        let title = Message::new("step-gate-close").with("tenant", name);
        let effect = Effect::Edge(close_operation(edge, name));
        let undo = match input.owner(name) {
            Some(_) => Undo::Nothing { why: Message::new("undo-nothing-owned") },
            None => Undo::By(Effect::Edge(EdgeOperation::Open { tenant: name.clone() })),
        };
        let step = NewStep::perform(phase, &format!("close.gate.{name}"), scope.clone(), title, effect)?;
        closing.push(step.undo(undo).retries(1).seconds(edge.drain.as_seconds() + 30));
    }
    if !input.is_in_maintenance(name) {
        if let Some(command) = input.app.maintenance(input.stack, tenant, true) {
            closing.push(application::perform(phase, command, Some(name))?);
        }
    } else if closing.is_empty() && input.owner(name).is_none() {
        // It is closed already; from now on somebody answers for it.
        let title = Message::new("step-maintenance-as-it-is").with("tenant", name);
        let step =
            NewStep::perform(phase, &format!("close.as-it-is.{name}"), scope.clone(), title, Effect::Mark)?;
        closing.push(step.nothing_to_undo("undo-nothing-owned"));
    }
    if closing.is_empty() && input.owner(name).is_none() {
        return Ok(closing);
    }
    let effect = Effect::Maintenance(MaintenanceOperation::Own {
        tenant: name.clone(),
        reason: reason.map(str::to_owned),
        until,
        before: None,
        // Who closes it for another reason does not make its data fit.
        unmigrated: input.owner(name).and_then(|owner| owner.unmigrated.clone()),
    });
    let back = input.owner(name).map_or_else(|| disown(name), |owner| own(name, owner));
    let title = Message::new("step-own").with("tenant", name);
    let step = NewStep::perform(phase, &format!("close.owner.{name}"), scope, title, effect)?;
    closing.insert(0, step.undo(Undo::By(back)).seconds(30));
    Ok(closing)
}

/// Opens a tenant's gate under a release and forgets who kept it closed.
pub(crate) fn open(
    input: &PlanInput<'_>,
    tenant: &Tenant,
    release: Option<&Release>,
) -> Result<Vec<NewStep>> {
    let (name, scope) = (&tenant.name, Scope::Tenant(tenant.name.clone()));
    let phase = Phase::Open;
    let owner = input.owner(name);
    let mut opening = Vec::new();
    let mut turned_off = false;
    opening.extend(keep_closed::migrated(input, tenant, release)?);
    if input.is_in_maintenance(name)
        && let Some(command) = input.app.maintenance(input.stack, tenant, false)
    {
        opening.push(application::perform(phase, command, Some(name))?);
        turned_off = true;
    }
    let edge = input.observation.edge.as_ref();
    let shut = edge.and_then(|edge| edge.gates.get(name)).is_some_and(|gate| gate != "open");
    if !opening.is_empty() || shut || owner.is_some() {
        // Whoever opens is told what people will find; it is theirs to decide.
        let probes = probes_of(input, tenant);
        let opens_itself = input.is_in_maintenance(name) && !turned_off;
        if !probes.is_empty() && !opens_itself && edge.is_some() {
            let kind = GateKind::Probes { probes, route: ProbeRoute::SideDoor, attempts: 3 };
            let title = Message::new("step-probes-tenant").with("tenant", name);
            let step = NewStep::judge(phase, &format!("open.probes.{name}"), scope.clone(), title, kind)?;
            opening.push(step.on_no_go(OnNoGo::Warn).on_hold(OnNoGo::Warn).seconds(120));
        }
    }
    if shut {
        let title = Message::new("step-gate-open").with("tenant", name);
        let effect = Effect::Edge(EdgeOperation::Open { tenant: name.clone() });
        let step = NewStep::perform(phase, &format!("open.gate.{name}"), scope.clone(), title, effect)?;
        let back = Effect::Edge(close_operation(&input.stack.edge, name));
        opening.push(step.undo(Undo::By(back)).retries(2).seconds(60));
    }
    if let Some(owner) = owner {
        let title = Message::new("step-disown").with("tenant", name);
        let step = NewStep::perform(phase, &format!("open.owner.{name}"), scope, title, disown(name))?;
        opening.push(step.undo(Undo::By(own(name, owner))).seconds(30));
    }
    Ok(opening)
}
