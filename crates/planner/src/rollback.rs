//! The plan of a rollback that an operator asks for after a release was accepted: the code alone where no schema
//! changed, otherwise code and data, after what was written since is in a salvage point.

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{Tenant, TenantName};
use eclusa_runbook::{EdgeOperation, Effect, Intent, Part, Phase, Plan, Reversibility, Scope, Undo};

use crate::draft::{Draft, Frame, NewStep};
use crate::input::PreviousRelease;
use crate::release::ReleaseDraft;
use crate::services::Services;
use crate::{PlanInput, maintenance, release_steps as steps, restore, settings};

pub(crate) fn plan(input: &PlanInput<'_>, to: &str, how: Reversibility) -> Result<Plan> {
    let no_way = |problem: String| Fault::new(Code::NoWayBack).with("problem", problem);
    let previous = input
        .history
        .previous
        .as_ref()
        .ok_or_else(|| no_way("no release was accepted before this one".to_owned()))?;
    if previous.release.name != to {
        return Err(no_way(format!("the release before this one is {}, not {to}", previous.release.name)));
    }
    let tenants: Vec<Tenant> = input.observation.tenants.iter().map(|tenant| tenant.tenant.clone()).collect();
    let with_data = how != Reversibility::CodeOnly;
    if with_data
        && let Some(missing) = tenants.iter().find(|tenant| !previous.points.contains_key(&tenant.name))
    {
        return Err(no_way(format!("run {} took no restore point of {}", previous.run, missing.name)));
    }
    let service = input.command_service()?;
    let release = ReleaseDraft {
        to: previous.release.clone(),
        from: input.observation.release.clone(),
        pending: std::collections::BTreeMap::new(),
        services: Services::of(input.stack),
        candidate: eclusa_runbook::Place::Candidate { service, release: previous.release.clone() },
        code_only: !with_data,
        edge: input.observation.edge.is_some(),
        alone: false,
        keep_closed: false,
        suffix: format!("r{}", input.nonce),
        tenants,
    };
    let mut draft = Draft::new(input);
    remarks(&mut draft, previous, with_data);
    draft.take_lease()?;
    if with_data {
        // The long part happens beside the live data, while it is served.
        draft.phase(Phase::Preflight)?;
        for tenant in &release.tenants {
            let point = previous.points.get(&tenant.name).cloned().unwrap_or_default();
            let source = restore::Source { point: &point, suffix: &release.suffix, until: None };
            restore::beside(&mut draft, Phase::Preflight, tenant, &source, &Part::Everything)?;
        }
    }
    steps::close(&mut draft, &release)?;
    if with_data {
        draft.phase(Phase::Secure)?;
        for tenant in &release.tenants {
            restore::salvage(&mut draft, tenant)?;
        }
    }
    change(&mut draft, &release, with_data.then_some(&previous.points))?;
    draft.phase(Phase::Validate)?;
    steps::reopen(&mut draft, &release)?;
    restore::probe(&mut draft, &release.tenants)?;
    open(&mut draft, &release, previous)?;
    draft.phase(Phase::Accept)?;
    let why = Message::new(match (input.overridden, with_data) {
        (true, _) => "why-overridden",
        (false, true) => "why-data-changed",
        (false, false) => "why-no-schema-change",
    });
    draft.finish(Frame {
        intent: Intent::Rollback { to: to.to_owned(), how },
        to: Some(release.to.clone()),
        services: release.services.all(),
        reversibility: release
            .tenants
            .iter()
            .map(|tenant| (tenant.name.clone(), (how, why.clone())))
            .collect(),
        tenants: release.tenants,
        point_of_no_return: None,
    })
}

fn remarks(draft: &mut Draft<'_, '_>, previous: &PreviousRelease, with_data: bool) {
    if draft.input.observation.edge.is_none() {
        draft.remarks.push(Message::new("remark-no-edge"));
    }
    let tenants = draft.input.observation.tenants.iter().map(|found| &found.tenant.name);
    let (opened, others): (Vec<_>, Vec<_>) =
        tenants.partition(|tenant| is_kept_by(draft.input, previous, tenant));
    draft.remarks.extend(draft.input.kept_remarks(others.into_iter()));
    for tenant in opened {
        let text = Message::new("remark-opens-kept").with("tenant", tenant);
        draft.remarks.push(text.with("release", &previous.release.name));
    }
    if !with_data {
        return;
    }
    if let Some(opened) = previous.opened_at {
        let minutes = draft.input.now.duration_since(opened).as_mins().max(0);
        draft.remarks.push(Message::new("remark-writes-since").with("minutes", minutes));
    }
}

/// Whether the release that is taken back keeps a tenant closed, because its data could not be brought to it. Who was
/// closed already by somebody else stays so.
fn is_kept_by(input: &PlanInput<'_>, previous: &PreviousRelease, tenant: &TenantName) -> bool {
    input.owner(tenant).is_some_and(|owner| owner.unmigrated.is_some() && owner.run.as_str() == previous.run)
}

fn change(
    draft: &mut Draft<'_, '_>,
    release: &ReleaseDraft,
    points: Option<&BTreeMap<TenantName, String>>,
) -> Result<()> {
    let with_data = points.is_some();
    draft.phase(Phase::Change)?;
    let serving = release.services.serving();
    let drain = steps::serving_drain(release.edge);
    steps::stop(draft, Phase::Change, "change.stop", "step-stop", &serving, drain)?;
    steps::pin(draft, release)?;
    if let Some(points) = points {
        settings::with_rollback(draft, &release.tenants, points)?;
    }
    if with_data {
        for tenant in &release.tenants {
            restore::swap(draft, Phase::Change, tenant, &release.suffix, &Part::Everything)?;
        }
    }
    // Where requests wait at the gate, this was done before they began to.
    if with_data || !release.edge {
        steps::static_files(draft, release, Phase::Change)?;
    }
    steps::start(draft, Phase::Change, serving)
}

fn open(draft: &mut Draft<'_, '_>, release: &ReleaseDraft, previous: &PreviousRelease) -> Result<()> {
    draft.phase(Phase::Open)?;
    steps::start_workers(draft, &release.services)?;
    if release.edge {
        open_gates(draft, release)?;
    }
    let kept = release.tenants.iter().filter(|tenant| is_kept_by(draft.input, previous, &tenant.name));
    for tenant in kept {
        // What it has now is what it had when it was served by this release.
        for step in maintenance::open(draft.input, tenant, None)? {
            draft.then(step)?;
        }
    }
    steps::start_schedulers(draft, &release.services)
}

fn open_gates(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let mut opening = Vec::new();
    for tenant in release.tenants.iter().filter(|tenant| draft.input.owner(&tenant.name).is_none()) {
        let title = Message::new("step-gate-open").with("tenant", &tenant.name);
        let effect = Effect::Edge(EdgeOperation::Open { tenant: tenant.name.clone() });
        let close = steps::close_operation(&draft.input.stack.edge, &tenant.name);
        let name = format!("open.gate.{}", tenant.name);
        let step = NewStep::perform(Phase::Open, &name, Scope::Tenant(tenant.name.clone()), title, effect)?
            .undo(Undo::By(Effect::Edge(close)))
            .retries(2)
            .seconds(60);
        opening.push(step);
    }
    draft.together(opening)
}
