//! The plan of copying restore points to other places, or back from one, while the tenants are served.

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_runbook::{Effect, Intent, MirrorWay, Phase, Plan, Scope, VaultOperation};

use crate::PlanInput;
use crate::backup::chosen;
use crate::draft::{Draft, Frame, NewStep};

/// By mirror and tenant, which points are copied; of whom nothing is said, all.
type Only = BTreeMap<String, BTreeMap<TenantName, Vec<PointId>>>;

pub(crate) fn plan(
    input: &PlanInput<'_>,
    mirrors: &[String],
    names: &[TenantName],
    way: MirrorWay,
    only: &Only,
) -> Result<Plan> {
    if let Some(unknown) =
        mirrors.iter().find(|name| !input.stack.mirrors.iter().any(|mirror| mirror.name == **name))
    {
        return Err(Fault::new(Code::MirrorUnknown).with("mirror", unknown));
    }
    if mirrors.is_empty() {
        return Err(Fault::new(Code::NothingToDo)
            .with("what", "there is no mirror")
            .hint(Message::new("hint-mirrors").with("stack", input.name)));
    }
    let tenants = chosen(input, names)?;
    let mut draft = Draft::new(input);
    draft.take_lease()?;
    draft.phase(Phase::Secure)?;
    let mut steps = Vec::new();
    for mirror in mirrors {
        for tenant in &tenants {
            let only = only.get(mirror).and_then(|of_mirror| of_mirror.get(&tenant.name));
            steps.push(copy(mirror, &tenant.name, way, only)?);
        }
    }
    draft.together(steps)?;
    let names = tenants.iter().map(|tenant| tenant.name.clone()).collect();
    draft.finish(Frame {
        intent: Intent::Mirror { mirrors: mirrors.to_vec(), tenants: names, way, only: only.clone() },
        to: None,
        tenants,
        services: Vec::new(),
        reversibility: BTreeMap::new(),
        point_of_no_return: None,
    })
}

fn copy(mirror: &str, tenant: &TenantName, way: MirrorWay, only: Option<&Vec<PointId>>) -> Result<NewStep> {
    let effect = Effect::Vault(VaultOperation::Copy {
        tenant: tenant.clone(),
        mirror: mirror.to_owned(),
        way,
        only: only.cloned(),
    });
    let title = Message::new(match way {
        MirrorWay::There => "step-mirror",
        MirrorWay::ThereReadingAll => "step-mirror-all",
        MirrorWay::Back => "step-mirror-back",
    });
    let title = title.with("tenant", tenant).with("mirror", mirror);
    let name = format!("secure.mirror.{mirror}.{tenant}");
    let step = NewStep::perform(Phase::Secure, &name, Scope::Tenant(tenant.clone()), title, effect)?;
    Ok(step.nothing_to_undo("undo-nothing-mirror").seconds(24 * 3600))
}
