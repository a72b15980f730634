//! The plan of a drill: points of tenants restored somewhere harmless, proved, discarded, while the tenants are served.

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{PointId, Tenant, TenantName};
use eclusa_runbook::{Effect, GateKind, Intent, Phase, Plan, PointReference, Scope, VaultOperation};

use crate::PlanInput;
use crate::backup::one;
use crate::draft::{Draft, Frame, NewStep};
use crate::restore::short;
use crate::trial;

/// Where copies come from and where their files go.
#[derive(Clone, Copy, Default)]
pub(crate) struct Copies<'a> {
    /// The mirror; none: the vault.
    pub from: Option<&'a str>,
    /// The directory; none: beside the live files.
    pub on: Option<&'a str>,
}

pub(crate) fn plan(
    input: &PlanInput<'_>,
    points: &BTreeMap<TenantName, PointId>,
    copies: Copies<'_>,
    application: bool,
) -> Result<Plan> {
    let Copies { from, on } = copies;
    let all: Vec<Tenant> = input.observation.tenants.iter().map(|tenant| tenant.tenant.clone()).collect();
    if points.is_empty() {
        return Err(
            Fault::new(Code::NothingToDo).with("what", "there is no restore point that could be tried")
        );
    }
    let mut draft = Draft::new(input);
    draft.take_lease()?;
    let tenants = points.keys().map(|name| one(&all, name)).collect::<Result<Vec<_>>>()?;
    if application {
        draft.phase(Phase::Preflight)?;
        trial::room(&mut draft, &tenants)?;
        draft.phase(Phase::Validate)?;
        let mut lanes = Vec::new();
        for (number, (tenant, point)) in tenants.iter().zip(points.values()).enumerate() {
            lanes.push(trial::lane(input, tenant, point.as_str(), from, number)?);
        }
        draft.lanes(lanes)?;
    } else {
        if let Some(directory) = on {
            draft.phase(Phase::Preflight)?;
            draft.then(room(input, directory, points.keys())?)?;
        }
        draft.phase(Phase::Validate)?;
        draft.remarks.push(Message::new("remark-drill-data"));
        let steps = points.iter().map(|(name, point)| check(name, point.as_str(), copies));
        // One tenant's failure keeps no other from its drill; the run's end says whose point was not proved.
        draft.together(steps.collect::<Result<_>>()?)?;
    }
    draft.finish(Frame {
        intent: Intent::Drill {
            points: points.clone(),
            from: from.map(str::to_owned),
            application,
            on: on.map(str::to_owned),
        },
        to: None,
        tenants,
        services: Vec::new(),
        reversibility: BTreeMap::new(),
        point_of_no_return: None,
    })
}

/// The disk of a directory has room for the files of these tenants.
fn room<'a>(
    input: &PlanInput<'_>,
    directory: &str,
    tenants: impl Iterator<Item = &'a TenantName>,
) -> Result<NewStep> {
    let files = tenants.filter_map(|tenant| input.history.file_bytes.get(tenant));
    let kind = GateKind::Disk {
        purpose: "drill".to_owned(),
        path: directory.to_owned(),
        minimum_percent: input.stack.preflight.disk_free_percent,
        minimum_bytes: files.sum(),
    };
    let title = Message::new("step-disk").with("purpose", "drill");
    NewStep::judge(Phase::Preflight, "preflight.disk.drill", Scope::Host, title, kind)
}

/// Restores one point somewhere harmless, proves it and discards the copy.
pub(crate) fn check(tenant: &TenantName, point: &str, copies: Copies<'_>) -> Result<NewStep> {
    let Copies { from, on } = copies;
    let effect = Effect::Vault(VaultOperation::Check {
        tenant: tenant.clone(),
        point: PointReference::Id(point.to_owned()),
        from: from.map(str::to_owned),
        on: on.map(str::to_owned),
    });
    let title = match from {
        None => Message::new("step-point-check"),
        Some(mirror) => Message::new("step-point-check-mirror").with("mirror", mirror),
    };
    let title = title.with("tenant", tenant).with("point", short(point));
    let name = format!("validate.point.{tenant}");
    let step = NewStep::perform(Phase::Validate, &name, Scope::Tenant(tenant.clone()), title, effect)?;
    Ok(step.nothing_to_undo("undo-nothing-proof").seconds(6 * 3600))
}
