//! The plan of a rehearsal: a release tried on copies of tenants while everybody is served. Each copy is restored and proved,
//! migrated under the new release, asked what a release is asked, and then the release that runs now is started on it: whether
//! that works says whether there is a way back without the data.

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{PointId, Release, Tenant, TenantName};
use eclusa_runbook::{Intent, Phase, Place, Plan, PointReference};

use crate::PlanInput;
use crate::backup::one;
use crate::draft::{Draft, Frame, NewStep};
use crate::trial::Copy;
use crate::{application, release_gates, release_preflight, trial};

pub(crate) fn plan(input: &PlanInput<'_>, to: &str, points: &BTreeMap<TenantName, PointId>) -> Result<Plan> {
    let all: Vec<Tenant> = input.observation.tenants.iter().map(|tenant| tenant.tenant.clone()).collect();
    if points.is_empty() {
        let what = "there is no restore point that a release could be tried on";
        return Err(Fault::new(Code::NothingToDo).with("what", what));
    }
    let candidate = input.observation.candidate.as_ref().ok_or_else(|| {
        Fault::new(Code::Internal).with("what", "a rehearsal was to be planned without its release")
    })?;
    let release = &candidate.release;
    let tenants = points.keys().map(|name| one(&all, name)).collect::<Result<Vec<_>>>()?;
    let mut lanes = Vec::new();
    for (number, (tenant, point)) in tenants.iter().zip(points.values()).enumerate() {
        let copy = Copy::of(input, tenant, point.as_str(), None, number)?;
        lanes.push(lane(input, &copy, tenant, point.as_str(), release)?);
    }
    let mut draft = Draft::new(input);
    draft.remarks.push(Message::new("remark-rehearsal"));
    draft.take_lease()?;
    draft.phase(Phase::Preflight)?;
    trial::room(&mut draft, &tenants)?;
    draft.then(release_preflight::prepare(input, release)?)?;
    let place = Place::Candidate { service: input.command_service()?, release: release.clone() };
    release_preflight::checks_of_the_application(&mut draft, &place)?;
    draft.phase(Phase::Validate)?;
    draft.lanes(lanes)?;
    draft.phase(Phase::Accept)?;
    draft.finish(Frame {
        intent: Intent::Rehearse { to: to.to_owned(), points: points.clone() },
        to: Some(release.clone()),
        tenants,
        services: Vec::new(),
        reversibility: BTreeMap::new(),
        point_of_no_return: None,
    })
}

fn lane(
    input: &PlanInput<'_>,
    copy: &Copy<'_>,
    tenant: &Tenant,
    point: &str,
    release: &Release,
) -> Result<Vec<NewStep>> {
    let service = input.command_service()?;
    let candidate = Place::Candidate { service: service.clone(), release: release.clone() };
    let mut steps = Vec::new();
    for gate in input.app.candidate_gates(input.stack, &tenant.name, &candidate) {
        steps.push(application::gate(Phase::Validate, gate, &tenant.name)?);
    }
    steps.extend(copy.made()?);
    steps.push(copy.started(Some(release), "start", "step-trial-start-new")?);
    if let Some(mut exec) = input.app.migrate(input.stack, &tenant.name, release, &Place::Service { service })
    {
        exec.unblock = release_gates::unblock(input, tenant);
        let step = copy.run("migrate", "step-trial-migrate", exec)?;
        steps.push(step.seconds(input.stack.limits.migrate.as_seconds()));
    }
    steps.extend(copy.static_files()?);
    steps.extend(copy.asked(Some(release))?);
    let of_point = PointReference::Id(point.to_owned());
    for gate in input.app.settled_gates(input.stack, &tenant.name, &of_point) {
        steps.push(copy.gate(gate)?);
    }
    if let Some(old) = &input.observation.release {
        steps.push(copy.works(old, "back", "step-trial-works")?);
    }
    steps.push(copy.ended()?);
    Ok(steps)
}
