//! What several plans have in common, and the plans of few steps: start, stop, seed.

use std::collections::BTreeMap;

use eclusa_config::{Check, CheckPlace, Stack, Watch};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{
    Environment, Release, RuntimeKind, ServiceName, ServiceRole, ServiceState, Tenant, TenantName,
};
use eclusa_runbook::{
    Effect, Exec, Expect, HttpProbe, Intent, LogRule, Phase, Place, Plan, Recovery, RuntimeOperation, Scope,
    WatchRule,
};

use crate::PlanInput;
use crate::draft::{Draft, Frame, NewStep};
use crate::release_steps::listed;

/// The host that a tenant is asked under.
fn host(tenant: &Tenant) -> String {
    tenant.domains.first().cloned().unwrap_or_else(|| "localhost".to_owned())
}

/// The configured probes, for each tenant that they are meant for and whose pages the application does not refuse.
pub(crate) fn baseline_probes(input: &PlanInput<'_>, tenants: &[Tenant]) -> Vec<HttpProbe> {
    let served = tenants.iter().filter(|tenant| !input.is_in_maintenance(&tenant.name));
    served.flat_map(|tenant| probes_of(input, tenant)).collect()
}

/// The configured probes of one tenant.
pub(crate) fn probes_of(input: &PlanInput<'_>, tenant: &Tenant) -> Vec<HttpProbe> {
    let meant = input
        .stack
        .probes
        .iter()
        .filter(|probe| probe.tenant.as_ref().is_none_or(|name| *name == tenant.name));
    let probes = meant.map(|probe| HttpProbe {
        name: probe.name.clone(),
        tenant: tenant.name.clone(),
        host: host(tenant),
        method: probe.method.as_str().to_owned(),
        path: probe.path.clone(),
        status: probe.status,
        headers: probe.headers.iter().map(|(name, text)| (name.to_lowercase(), text.clone())).collect(),
        json: probe.json.clone(),
        contains: probe.contains.clone(),
        maximum_milliseconds: probe.maximum.as_milliseconds(),
    });
    probes.collect()
}

/// The service in which a check is made, where it is made in one.
pub(crate) fn check_service(input: &PlanInput<'_>, check: &Check) -> Result<ServiceName> {
    let service = check.service.clone().or_else(|| input.stack.services.web.first().cloned());
    service.ok_or_else(|| Fault::new(Code::ServiceMissing).with("service", "web").with("known", "none"))
}

/// The commands of a check: one for each tenant it is meant for.
pub(crate) fn check_exec(
    input: &PlanInput<'_>,
    check: &Check,
    release: &Release,
    tenants: &[Tenant],
    place: Option<&Place>,
) -> Result<Vec<(Option<TenantName>, Exec)>> {
    let service = check_service(input, check)?;
    let place = match (check.place, place) {
        (CheckPlace::Host, _) => Place::Host,
        (_, Some(place)) => place.clone(),
        (CheckPlace::Candidate, None) => Place::Candidate { service, release: release.clone() },
        (CheckPlace::Service, None) => Place::Service { service },
    };
    let per_tenant = check.command.argv().iter().any(|word| word.contains("{tenant}"));
    let exec = |tenant: &str| Exec {
        place: place.clone(),
        argv: check.command.filled(&[("tenant", tenant), ("release", &release.name)]),
        environment: BTreeMap::new(),
        directory: None,
        expect: Expect {
            last_line_contains: check.last_line.clone(),
            contains: check.contains.clone(),
            lacks: check.lacks.clone(),
            ..Expect::default()
        },
        unblock: None,
        stdin: None,
    };
    Ok(match &check.tenant {
        Some(tenant) => vec![(Some(tenant.clone()), exec(tenant.as_str()))],
        None if per_tenant => {
            tenants.iter().map(|tenant| (Some(tenant.name.clone()), exec(tenant.name.as_str()))).collect()
        }
        None => vec![(None, exec(""))],
    })
}

/// Which log lines count, in which services.
#[must_use]
pub fn log_rule(stack: &Stack) -> LogRule {
    let logs = &stack.logs;
    LogRule { services: stack.log_services(), patterns: logs.patterns.clone(), ignore: logs.ignore.clone() }
}

/// The limits of a watch, as the runbook has them.
pub(crate) fn watch_rule(watch: &Watch) -> WatchRule {
    WatchRule {
        seconds: watch.length.as_seconds(),
        warm_up: watch.warm_up.as_seconds(),
        interval: watch.interval.as_seconds().max(1),
        error_rate: watch.error_rate,
        slowdown: watch.slowdown,
        latency_milliseconds: watch.latency.as_milliseconds(),
        minimum_samples: watch.minimum_samples as usize,
        synthetic_per_second: watch.synthetic_per_second,
        log_errors: watch.log_errors,
    }
}

/// A frame that touches no tenant's data.
pub(crate) fn frame(input: &PlanInput<'_>, intent: Intent, services: Vec<ServiceName>) -> Frame {
    Frame {
        intent,
        to: None,
        tenants: input.observation.tenants.iter().map(|tenant| tenant.tenant.clone()).collect(),
        services,
        reversibility: BTreeMap::new(),
        point_of_no_return: None,
    }
}

/// Every service of the stack but the edge, in an order in which they can be started.
fn every_service(input: &PlanInput<'_>) -> Vec<ServiceName> {
    let order = |role: ServiceRole| match role {
        ServiceRole::Database | ServiceRole::Cache => 0,
        ServiceRole::Other => 1,
        ServiceRole::Web => 2,
        ServiceRole::Worker => 3,
        ServiceRole::Scheduler => 4,
        ServiceRole::Frontend => 5,
        ServiceRole::Edge => 6,
    };
    // What runs once and ends is not waited for.
    let mut services: Vec<_> = input
        .observation
        .services
        .iter()
        .filter(|service| service.role != ServiceRole::Edge && !input.stack.runs_once(&service.name))
        .filter(|service| input.stack.starts(&service.name))
        .collect();
    services.sort_by_key(|service| (order(service.role), service.name.clone()));
    services.into_iter().map(|service| service.name.clone()).collect()
}

pub(crate) fn start(input: &PlanInput<'_>) -> Result<Plan> {
    if input.stack.runtime == RuntimeKind::Process && input.observation.release.is_none() {
        let what = "no release was brought to this stack yet, so there is nothing that could be started";
        return Err(Fault::new(Code::NothingToDo)
            .with("what", what)
            .hint(Message::new("hint-first-release")));
    }
    let mut services = every_service(input);
    // What is gone in front of the stack is missed by everybody, however well the rest runs.
    if input.stack.runtime == RuntimeKind::Compose {
        let edge = input.observation.services_of(ServiceRole::Edge);
        let gone = edge.filter(|edge| edge.state != ServiceState::Running);
        services.extend(gone.map(|edge| edge.name.clone()));
    }
    let healthy_within = input.stack.limits.healthy.as_seconds();
    let mut draft = Draft::new(input);
    draft.take_lease()?;
    draft.phase(Phase::Change)?;
    let effect = Effect::Runtime(RuntimeOperation::Start { services: services.clone(), healthy_within });
    let title = Message::new("step-start").with("services", listed(&services));
    let step = NewStep::perform(Phase::Change, "change.start", Scope::Stack, title, effect)?
        .nothing_to_undo("undo-nothing-start")
        .recovery(Recovery::Probe)
        .retries(1)
        .seconds(healthy_within + 300);
    draft.then(step)?;
    draft.finish(frame(input, Intent::Start, services))
}

pub(crate) fn stop(input: &PlanInput<'_>) -> Result<Plan> {
    let mut services = every_service(input);
    services.reverse();
    let drain = input.stack.limits.drain.as_seconds();
    let mut draft = Draft::new(input);
    draft.take_lease()?;
    draft.phase(Phase::Change)?;
    let effect = Effect::Runtime(RuntimeOperation::Stop { services: services.clone(), drain });
    let title = Message::new("step-stop").with("services", listed(&services));
    let step = NewStep::perform(Phase::Change, "change.stop", Scope::Stack, title, effect)?
        .nothing_to_undo("undo-nothing-stop")
        .recovery(Recovery::Probe)
        .retries(1)
        .seconds(drain + 300);
    draft.then(step)?;
    draft.finish(frame(input, Intent::Stop, services))
}

pub(crate) fn seed(input: &PlanInput<'_>) -> Result<Plan> {
    if input.stack.environment == Environment::Production {
        return Err(Fault::new(Code::ProductionRefused)
            .with("operation", "Demo data")
            .with("stack", input.name));
    }
    let service = input.command_service()?;
    let commands = input.app.seed(input.stack, &Place::Service { service });
    if commands.is_empty() {
        let what = "no demo-data command is configured (commands.seed)";
        return Err(Fault::new(Code::NothingToDo).with("what", what));
    }
    let mut draft = Draft::new(input);
    draft.take_lease()?;
    draft.phase(Phase::Change)?;
    for command in commands {
        let title = Message::new("step-command").with("command", command.exec.argv.join(" "));
        let name = format!("change.seed.{}", command.name);
        let step = NewStep::perform(Phase::Change, &name, Scope::Stack, title, Effect::Exec(command.exec))?
            .nothing_to_undo("undo-nothing-seed")
            .recovery(Recovery::GoBack)
            .seconds(command.timeout);
        draft.then(step)?;
    }
    draft.finish(frame(input, Intent::Seed, Vec::new()))
}
