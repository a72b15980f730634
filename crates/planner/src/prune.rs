//! The plan of throwing restore points away: those that were decided on, tenant by tenant.

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_runbook::{Effect, Intent, Phase, Plan, Scope, Undo, VaultOperation};

use crate::PlanInput;
use crate::backup::one;
use crate::draft::{Draft, Frame, NewStep};

pub(crate) fn plan(
    input: &PlanInput<'_>,
    points: &BTreeMap<TenantName, Vec<PointId>>,
    at: Option<&str>,
) -> Result<Plan> {
    if let Some(mirror) = at.filter(|at| !input.stack.mirrors.iter().any(|mirror| mirror.name == **at)) {
        return Err(Fault::new(Code::MirrorUnknown).with("mirror", mirror));
    }
    let all: Vec<_> = input.observation.tenants.iter().map(|tenant| tenant.tenant.clone()).collect();
    let mut draft = Draft::new(input);
    draft.take_lease()?;
    draft.phase(Phase::Accept)?;
    let (mut steps, mut tenants) = (Vec::new(), Vec::new());
    for (name, ids) in points.iter().filter(|(_, ids)| !ids.is_empty()) {
        tenants.push(one(&all, name)?);
        let (tenant, points) = (name.clone(), ids.clone());
        let (operation, title, why) = match at {
            Some(mirror) => (
                VaultOperation::ForgetAt { tenant, mirror: mirror.to_owned(), points },
                Message::new("step-forget-at").with("mirror", mirror),
                "undo-no-return-forget-at",
            ),
            None => (
                VaultOperation::Forget { tenant, points },
                Message::new("step-forget"),
                "undo-no-return-forget",
            ),
        };
        let title = title.with("tenant", name).with("count", ids.len());
        let step = NewStep::perform(
            Phase::Accept,
            &format!("accept.forget.{name}"),
            Scope::Tenant(name.clone()),
            title,
            Effect::Vault(operation),
        )?
        .undo(Undo::NoReturn { why: Message::new(why) })
        .seconds(6 * 3600);
        steps.push(step);
    }
    if steps.is_empty() {
        return Err(Fault::new(Code::NothingToDo).with("what", "no restore point has to go"));
    }
    draft.together(steps)?;
    draft.finish(Frame {
        intent: Intent::Prune { points: points.clone(), at: at.map(str::to_owned) },
        to: None,
        tenants,
        services: Vec::new(),
        reversibility: BTreeMap::new(),
        point_of_no_return: None,
    })
}
