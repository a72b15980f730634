//! The plan of a release: the runbook of DESIGN section 5, in one of two shapes. When a schema changes the gate is
//! closed; when only code changes, requests wait at the gate while the services are switched, and none fails.

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{Observation, Release, ServiceState, StepName, Tenant, TenantName, TenantObservation};
use eclusa_runbook::{Intent, Phase, Place, Plan, Reversibility};

use crate::PlanInput;
use crate::draft::{Draft, Frame};
use crate::reversibility::{self, Pending};
use crate::services::Services;
use crate::{keep_closed, release_end, release_preflight, release_steps as steps};

/// What all the steps of a release are made from.
#[derive(Clone)]
pub(crate) struct ReleaseDraft {
    pub to: Release,
    pub from: Option<Release>,
    pub tenants: Vec<Tenant>,
    pub pending: BTreeMap<TenantName, Pending>,
    pub services: Services,
    /// The candidate as a place for commands.
    pub candidate: Place,
    /// Whether only code changes, for every tenant.
    pub code_only: bool,
    /// Whether an edge is in front.
    pub edge: bool,
    /// Whether a tenant can go back alone: then it is not asked any more what only who was changed has to answer.
    pub alone: bool,
    /// Whether a tenant that went back alone stays closed.
    pub keep_closed: bool,
    /// The name of what is restored beside live data.
    pub suffix: String,
}

impl ReleaseDraft {
    /// Its tenants as they were observed.
    pub(crate) fn observed<'a>(&self, input: &PlanInput<'a>) -> impl Iterator<Item = &'a TenantObservation> {
        let names: Vec<TenantName> = self.tenants.iter().map(|tenant| tenant.name.clone()).collect();
        input.observation.tenants.iter().filter(move |found| names.contains(&found.tenant.name))
    }
}

pub(crate) fn plan(input: &PlanInput<'_>, to: &str) -> Result<Plan> {
    let observation = input.observation;
    let candidate = observation.candidate.as_ref().ok_or_else(|| {
        Fault::new(Code::Internal)
            .with("what", "a release was to be planned from an observation without a candidate")
    })?;
    if let Some(running) = &observation.release
        && running.source == candidate.release.source
        && running.name == candidate.release.name
        && everything_runs(input, running)
    {
        let runs = |name| {
            input.observation.service(name).is_some_and(|service| service.state == ServiceState::Running)
        };
        if running.images.keys().all(runs) {
            let what = format!("{} runs release {to}", input.name);
            let fault = Fault::new(Code::NothingToDo).with("what", what);
            let behind = |tenant: &&TenantObservation| {
                input.owner(&tenant.tenant.name).is_some_and(|owner| owner.unmigrated.is_some())
            };
            return Err(match observation.tenants.iter().find(behind) {
                Some(found) => {
                    fault.hint(Message::new("hint-migrate-closed").with("tenant", &found.tenant.name))
                }
                None => fault,
            });
        }
        let what = format!("{} has release {to}, whose services do not run", input.name);
        return Err(Fault::new(Code::NothingToDo).with("what", what).hint(Message::new("hint-start")));
    }
    refuse_unusable(observation)?;
    let mut pending = BTreeMap::new();
    for tenant in &observation.tenants {
        pending.insert(tenant.tenant.name.clone(), reversibility::of(tenant, candidate)?);
    }
    let service = input.command_service()?;
    let mut draft = ReleaseDraft {
        to: candidate.release.clone(),
        from: observation.release.clone(),
        tenants: observation.tenants.iter().map(|tenant| tenant.tenant.clone()).collect(),
        code_only: pending.values().all(|pending| pending.how == Reversibility::CodeOnly),
        pending,
        services: Services::of(input.stack),
        candidate: Place::Candidate { service, release: candidate.release.clone() },
        edge: observation.edge.is_some(),
        alone: false,
        keep_closed: false,
        suffix: format!("r{}", input.nonce),
    };
    draft.keep_closed = keep_closed::is_wanted(input, &draft)?;
    draft.alone = draft.keep_closed;
    assemble(input, to, draft)
}

/// A site that cannot be taken into a plan would be left behind on a schema that the new code does not know.
fn refuse_unusable(observation: &Observation) -> Result<()> {
    let Some((site, problem)) = observation.unusable_sites.iter().next() else { return Ok(()) };
    let others = observation.unusable_sites.len() - 1;
    Err(Fault::new(Code::SiteUnusable).with("site", site).with("problem", problem).with("others", others))
}

/// Whether the release is what runs in every service that Eclusa pins.
fn everything_runs(input: &PlanInput<'_>, release: &Release) -> bool {
    let mut pinned =
        input.observation.services.iter().filter(|service| release.images.contains_key(&service.name));
    pinned.all(|service| service.release.as_deref() == Some(release.name.as_str()))
}

fn assemble(input: &PlanInput<'_>, to: &str, release: ReleaseDraft) -> Result<Plan> {
    let mut draft = Draft::new(input);
    remark(&mut draft, &release);
    draft.take_lease()?;
    draft.phase(Phase::Preflight)?;
    release_preflight::preflight(&mut draft, &release)?;
    if release.code_only {
        steps::secure(&mut draft, &release)?;
        steps::ask_decision(&mut draft, &release)?;
        steps::close(&mut draft, &release)?;
    } else {
        steps::close(&mut draft, &release)?;
        steps::secure(&mut draft, &release)?;
    }
    steps::change(&mut draft, &release)?;
    steps::validate(&mut draft, &release)?;
    if !release.code_only {
        steps::ask_decision(&mut draft, &release)?;
    }
    let opening = steps::open(&mut draft, &release)?;
    release_end::watch(&mut draft, &release)?;
    release_end::accept(&mut draft, &release)?;
    let point_of_no_return: Option<StepName> = if release.code_only { None } else { opening };
    draft.finish(Frame {
        intent: Intent::Release { to: to.to_owned() },
        to: Some(release.to),
        tenants: release.tenants,
        services: release.services.all(),
        reversibility: release
            .pending
            .into_iter()
            .map(|(name, found)| (name, (found.how, found.why)))
            .collect(),
        point_of_no_return,
    })
}

fn remark(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) {
    let kept = draft.input.kept_remarks(release.tenants.iter().map(|tenant| &tenant.name));
    draft.remarks.extend(kept);
    if release.keep_closed {
        draft.remarks.push(keep_closed::remark(release));
    }
    if !release.edge {
        draft.remarks.push(Message::new("remark-no-edge"));
    }
    if release.from.is_none() {
        draft.remarks.push(Message::new("remark-first-release"));
    }
    let unpinned = draft.input.observation.services.iter().any(|service| {
        let pinned = draft
            .input
            .observation
            .release
            .as_ref()
            .is_some_and(|from| from.images.contains_key(&service.name));
        pinned && service.release.is_none() && service.instance.is_some()
    });
    if unpinned && draft.input.observation.services.iter().any(|service| service.release.is_some()) {
        draft.remarks.push(Message::new("remark-started-without-override"));
    }
    if draft.input.observation.candidate.as_ref().is_some_and(|candidate| candidate.dependencies_change) {
        draft.remarks.push(Message::new("remark-dependencies-change"));
    }
}
