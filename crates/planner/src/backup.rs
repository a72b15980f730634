//! The plan of a backup: a restore point of each tenant, taken while it is served.

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{Tenant, TenantName};
use eclusa_runbook::{Effect, Intent, Phase, Plan, PointKind, Scope, VaultOperation};

use crate::PlanInput;
use crate::draft::{Draft, Frame, NewStep};

/// The tenants that are meant: those named, or all.
pub(crate) fn chosen(input: &PlanInput<'_>, names: &[TenantName]) -> Result<Vec<Tenant>> {
    let all: Vec<Tenant> = input.observation.tenants.iter().map(|tenant| tenant.tenant.clone()).collect();
    if names.is_empty() {
        return Ok(all);
    }
    names.iter().map(|name| one(&all, name)).collect()
}

pub(crate) fn one(all: &[Tenant], name: &TenantName) -> Result<Tenant> {
    all.iter().find(|tenant| tenant.name == *name).cloned().ok_or_else(|| {
        let known: Vec<&str> = all.iter().map(|tenant| tenant.name.as_str()).collect();
        Fault::new(Code::TenantUnknown).with("tenant", name).with("known", known.join(", "))
    })
}

pub(crate) fn plan(input: &PlanInput<'_>, names: &[TenantName]) -> Result<Plan> {
    let tenants = chosen(input, names)?;
    let mut draft = Draft::new(input);
    draft.take_lease()?;
    draft.phase(Phase::Secure)?;
    let mut points = Vec::new();
    for tenant in &tenants {
        let effect = Effect::Vault(VaultOperation::Take {
            tenant: tenant.name.clone(),
            kind: PointKind::Backup,
            release: input.observation.release.clone(),
            prove: input.prove,
        });
        let title = Message::new(if input.prove { "step-point-proved" } else { "step-point" })
            .with("tenant", &tenant.name);
        let name = format!("secure.point.{}", tenant.name);
        // One tenant's failure keeps no other from its backup; the run's end says who has none.
        let step = NewStep::perform(Phase::Secure, &name, Scope::Tenant(tenant.name.clone()), title, effect)?
            .nothing_to_undo("undo-nothing-point")
            .seconds(6 * 3600);
        points.push(step);
    }
    draft.together(points)?;
    let intent = Intent::Backup { tenants: tenants.iter().map(|tenant| tenant.name.clone()).collect() };
    draft.finish(Frame {
        intent,
        to: None,
        tenants,
        services: Vec::new(),
        reversibility: std::collections::BTreeMap::new(),
        point_of_no_return: None,
    })
}
