//! The plan of a copy of a tenant under another name: made where nobody sees it, proved, what must not go along taken out,
//! and only then given its place. The tenant that is copied is only read, in its restore point.

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{Tenant, TenantName};
use eclusa_runbook::{
    CloneOperation, CloneStep, Effect, Intent, Phase, Plan, Recovery, Scope, StatementFile, Undo,
};

use crate::app::CloneShape;
use crate::backup::one;
use crate::draft::{Draft, Frame, NewStep};
use crate::erasure;
use crate::restore::short;
use crate::{PlanInput, app::App};

/// What is to be copied, and how.
pub(crate) struct Wanted<'a> {
    pub tenant: &'a TenantName,
    pub point: &'a str,
    pub release: Option<&'a str>,
    pub to: &'a TenantName,
    pub masking: Option<&'a StatementFile>,
}

pub(crate) fn plan(input: &PlanInput<'_>, wanted: &Wanted<'_>) -> Result<Plan> {
    let all: Vec<Tenant> = input.observation.tenants.iter().map(|tenant| tenant.tenant.clone()).collect();
    let from = one(&all, wanted.tenant)?;
    let shape = shape(input, &all, &from, wanted.to)?;
    let running = input.observation.release.as_ref().map(|release| release.name.as_str());
    let maintenance = wanted.release.is_none() || wanted.release != running;
    let mut draft = Draft::new(input);
    draft.remarks.extend(remarks(wanted, running, maintenance));
    if input.observation.edge.is_some() {
        draft.remarks.push(Message::new("remark-clone-edge").with("to", wanted.to));
    }
    draft.take_lease()?;
    draft.phase(Phase::Change)?;
    for step in steps(input, wanted, &shape, maintenance)? {
        draft.then(step)?;
    }
    draft.phase(Phase::Validate)?;
    let title = Message::new("step-clone-answers").with("to", wanted.to);
    let name = format!("validate.clone.{}", wanted.to);
    let scope = Scope::Tenant(wanted.to.clone());
    let proof = NewStep::perform(Phase::Validate, &name, scope, title, Effect::Exec(shape.proof.clone()))?;
    draft.then(proof.nothing_to_undo("undo-nothing-check").retries(1).seconds(120))?;
    draft.phase(Phase::Accept)?;
    draft.finish(Frame {
        intent: Intent::Clone {
            tenant: from.name.clone(),
            point: wanted.point.to_owned(),
            release: wanted.release.map(str::to_owned),
            to: wanted.to.clone(),
            masking: wanted.masking.cloned(),
        },
        to: None,
        tenants: vec![from, shape.tenant],
        services: Vec::new(),
        reversibility: BTreeMap::new(),
        point_of_no_return: None,
    })
}

fn shape(input: &PlanInput<'_>, all: &[Tenant], from: &Tenant, to: &TenantName) -> Result<CloneShape> {
    let refused = |problem: &str| Fault::new(Code::CloneRefused).with("tenant", to).with("problem", problem);
    if all.iter().any(|tenant| tenant.name == *to)
        || input.observation.unusable_sites.contains_key(to.as_str())
    {
        return Err(refused("a tenant of this name is there, and none is ever overwritten"));
    }
    let app: &dyn App = input.app;
    app.clone_shape(input.stack, from, to).ok_or_else(|| {
        let problem = "only sites of a bench can be; of other applications each tenant has to be configured";
        refused(problem).hint(Message::new("hint-clone-frappe"))
    })
}

fn remarks(wanted: &Wanted<'_>, running: Option<&str>, maintenance: bool) -> Vec<Message> {
    let mut found = vec![Message::new("remark-clone-secrets").with("to", wanted.to)];
    if wanted.masking.is_none() {
        found.push(Message::new("remark-clone-unmasked").with("to", wanted.to));
    }
    if maintenance {
        let text = Message::new("remark-clone-release").with("to", wanted.to);
        let release = wanted.release.unwrap_or("–");
        found.push(text.with("release", release).with("running", running.unwrap_or("–")));
    }
    found
}

fn title(operation: &CloneStep, wanted: &Wanted<'_>) -> Message {
    match operation {
        CloneStep::Fill => {
            Message::new("step-clone-fill").with("from", wanted.tenant).with("point", short(wanted.point))
        }
        CloneStep::Prove => Message::new("step-clone-prove"),
        CloneStep::Scrub { masking: None, .. } => Message::new("step-clone-scrub"),
        CloneStep::Scrub { .. } => Message::new("step-clone-mask"),
        CloneStep::Configure { .. } => Message::new("step-clone-configure"),
        CloneStep::Account => Message::new("step-clone-account"),
        CloneStep::Publish => Message::new("step-clone-publish"),
        CloneStep::Unpublish | CloneStep::Discard => Message::new("back-clone-discard"),
    }
}

fn steps(
    input: &PlanInput<'_>,
    wanted: &Wanted<'_>,
    shape: &CloneShape,
    maintenance: bool,
) -> Result<Vec<NewStep>> {
    let effect = |operation: CloneStep| {
        Effect::Clone(CloneOperation {
            operation,
            from: wanted.tenant.clone(),
            point: wanted.point.to_owned(),
            to: wanted.to.clone(),
            suffix: format!("c{}", input.nonce),
            sites: shape.sites.clone(),
            sets: shape.sets.clone(),
            directories: shape.directories.clone(),
        })
    };
    let step = |operation: CloneStep| {
        let word = operation.word();
        let title = title(&operation, wanted).with("to", wanted.to);
        let name = format!("change.{word}.{}", wanted.to);
        NewStep::perform(Phase::Change, &name, Scope::Tenant(wanted.to.clone()), title, effect(operation))
    };
    let ledger = erasure::ledger_of(input, wanted.tenant);
    let scrub =
        CloneStep::Scrub { statements: shape.scrub.clone(), masking: wanted.masking.cloned(), ledger };
    Ok(vec![
        step(CloneStep::Fill)?.undo(Undo::By(effect(CloneStep::Discard))).seconds(6 * 3600),
        step(CloneStep::Prove)?.nothing_to_undo("undo-nothing-check").seconds(6 * 3600),
        // Statements of the operator's may not be the same when they are run twice: the copy is thrown away instead.
        step(scrub)?.nothing_to_undo("undo-nothing-clone").recovery(Recovery::GoBack).seconds(3600),
        step(CloneStep::Configure { maintenance })?.nothing_to_undo("undo-nothing-clone").seconds(300),
        step(CloneStep::Account)?.nothing_to_undo("undo-nothing-clone").seconds(300),
        step(CloneStep::Publish)?.undo(Undo::By(effect(CloneStep::Unpublish))).seconds(600),
    ])
}
