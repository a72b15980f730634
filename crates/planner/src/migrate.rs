//! The plan of a migration without another release, and that of an app installed for tenants that lack it. The code does
//! not change, so each tenant has a lane of its own: restore point, work, proof. A tenant whose lane fails goes back
//! alone, from its own point; the others go on.
//!
//! With an edge in front the services that serve go on running: the gates of the tenants that are worked on are closed, the
//! others are served. Where there is none, or the data lies in files that a running service keeps open (SQLite), what serves
//! is stopped meanwhile, for everyone.

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{DatabasePlace, ServiceRole, Tenant, TenantName, TenantObservation};
use eclusa_runbook::{
    Effect, Exec, GateKind, Intent, Lane, Phase, Place, Plan, PointReference, ProbeRoute, Recovery,
    Reversibility, Scope, Undo,
};

use crate::app::{NamedGate, Reversible};
use crate::backup::chosen;
use crate::draft::{Draft, Frame, NewStep};
use crate::release::ReleaseDraft;
use crate::services::Services;
use crate::simple::baseline_probes;
use crate::{PlanInput, application, release_gates, release_preflight, release_steps as steps};

/// What is done for each tenant.
#[derive(Clone, Copy)]
enum Work<'a> {
    /// Its data is brought to the release that runs.
    Migrate,
    /// An app is installed, which a migration makes whole.
    Install(&'a str),
}

pub(crate) fn plan(input: &PlanInput<'_>, tenants: &[TenantName]) -> Result<Plan> {
    let chosen = chosen(input, tenants)?;
    let names = chosen.iter().map(|tenant| tenant.name.clone()).collect();
    assemble(input, chosen, Work::Migrate, Intent::Migrate { tenants: names })
}

pub(crate) fn install(input: &PlanInput<'_>, app: &str, tenants: &[TenantName]) -> Result<Plan> {
    if tenants.is_empty() {
        let what = format!("no tenant is left that lacks the app {app}");
        return Err(Fault::new(Code::NothingToDo).with("what", what));
    }
    let intent = Intent::AppsInstall { app: app.to_owned(), tenants: tenants.to_vec() };
    assemble(input, chosen(input, tenants)?, Work::Install(app), intent)
}

fn assemble(input: &PlanInput<'_>, tenants: Vec<Tenant>, work: Work<'_>, intent: Intent) -> Result<Plan> {
    let service = input.command_service()?;
    let running = input.observation.release.clone().ok_or_else(|| {
        let what =
            "no release was brought to this stack yet, so there is none that tenants could be migrated to";
        Fault::new(Code::NothingToDo).with("what", what).hint(Message::new("hint-first-release"))
    })?;
    let edge = input.observation.edge.is_some();
    let serves =
        edge && !tenants.iter().any(|tenant| matches!(tenant.database, DatabasePlace::Sqlite { .. }));
    let place = if serves {
        Place::Service { service }
    } else {
        Place::Candidate { service, release: running.clone() }
    };
    let release = ReleaseDraft {
        to: running.clone(),
        from: Some(running),
        pending: BTreeMap::new(),
        services: Services::of(input.stack),
        candidate: place,
        code_only: false,
        edge,
        alone: true,
        keep_closed: false,
        suffix: format!("r{}", input.nonce),
        tenants,
    };
    let mut draft = Draft::new(input);
    remark(&mut draft, &release, serves);
    draft.take_lease()?;
    draft.phase(Phase::Preflight)?;
    preflight(&mut draft, &release, work)?;
    close(&mut draft, &release, serves)?;
    if !serves {
        draft.phase(Phase::Change)?;
        let serving = release.services.serving();
        steps::stop(
            &mut draft,
            Phase::Change,
            "change.stop",
            "step-stop",
            &serving,
            steps::serving_drain(edge),
        )?;
    }
    lanes(&mut draft, &release, work, serves)?;
    steps::static_files(&mut draft, &release, Phase::Migrate)?;
    if !serves {
        steps::start(&mut draft, Phase::Migrate, release.services.serving())?;
    }
    validate(&mut draft, &release, serves)?;
    if serves {
        steps::open(&mut draft, &release)?;
    } else {
        steps::open(&mut draft, &everyone(input, release.clone()))?;
    }
    draft.phase(Phase::Accept)?;
    let how = |tenant: &Tenant| {
        (tenant.name.clone(), (Reversibility::Restore, Message::new("why-goes-back-alone")))
    };
    let reversibility = release.tenants.iter().map(how).collect();
    let services = release.services.all();
    let frame = Frame {
        intent,
        to: None,
        tenants: if serves { release.tenants } else { everyone(input, release).tenants },
        services,
        reversibility,
        point_of_no_return: None,
    };
    draft.finish(frame)
}

/// The same for every tenant: where what serves is stopped, all of them are closed.
fn everyone(input: &PlanInput<'_>, release: ReleaseDraft) -> ReleaseDraft {
    let tenants = input.observation.tenants.iter().map(|found| found.tenant.clone()).collect();
    ReleaseDraft { tenants, ..release }
}

fn remark(draft: &mut Draft<'_, '_>, release: &ReleaseDraft, serves: bool) {
    draft.remarks.push(Message::new("remark-goes-back-alone"));
    let kept = draft.input.kept_remarks(release.tenants.iter().map(|tenant| &tenant.name));
    draft.remarks.extend(kept);
    if !serves {
        draft.remarks.push(Message::new("remark-all-closed"));
    }
    if !release.edge {
        draft.remarks.push(Message::new("remark-no-edge"));
    }
    for site in draft.input.observation.unusable_sites.keys() {
        draft.remarks.push(Message::new("remark-site-left-out").with("site", site));
    }
}

fn preflight(draft: &mut Draft<'_, '_>, release: &ReleaseDraft, work: Work<'_>) -> Result<()> {
    needed(draft)?;
    release_preflight::state_of_things(draft, release)?;
    offered(draft, work)?;
    release_preflight::read_ahead(draft, release)
}

/// What the image lacks cannot be installed, and half of it would be done before bench says so.
fn offered(draft: &mut Draft<'_, '_>, work: Work<'_>) -> Result<()> {
    let Work::Install(app) = work else { return Ok(()) };
    let Some(exec) = draft.input.app.offered(draft.input.stack, app) else { return Ok(()) };
    let title = Message::new("step-app-offered").with("app", app);
    let gate =
        NewStep::judge(Phase::Preflight, "preflight.app", Scope::Stack, title, GateKind::Command { exec })?;
    draft.then(gate.seconds(120)).map(|_| ())
}

/// What the work needs runs: a cache that cannot be emptied, on the way back neither, would leave a tenant between two
/// states of its data.
fn needed(draft: &mut Draft<'_, '_>) -> Result<()> {
    let once = draft.input.stack.bench().configurator;
    let wanted = |role| matches!(role, ServiceRole::Database | ServiceRole::Cache | ServiceRole::Web);
    let services = draft.input.observation.services.iter();
    let services: Vec<_> = services
        .filter(|service| wanted(service.role) && once.as_ref() != Some(&service.name))
        .map(|service| service.name.clone())
        .collect();
    if services.is_empty() {
        return Ok(());
    }
    let title = Message::new("step-needed").with("services", steps::listed(&services));
    let kind = GateKind::Healthy { services, within: 20 };
    let gate = NewStep::judge(Phase::Preflight, "preflight.services", Scope::Stack, title, kind)?;
    draft.then(gate.seconds(60)).map(|_| ())
}

fn close(draft: &mut Draft<'_, '_>, release: &ReleaseDraft, serves: bool) -> Result<()> {
    draft.phase(Phase::Close)?;
    let input = draft.input;
    let services = &release.services;
    steps::stop(
        draft,
        Phase::Close,
        "close.scheduler",
        "step-stop-scheduler",
        &services.schedulers,
        steps::NOTHING_LEFT,
    )?;
    if !release.edge {
        let front = services.frontend.clone();
        let serving = front.map_or_else(|| services.web.clone(), |front| vec![front]);
        steps::stop(draft, Phase::Close, "close.frontend", "step-stop-frontend", &serving, steps::IN_FLIGHT)?;
    } else if serves {
        steps::gates(draft, release)?;
    } else {
        steps::gates(draft, &everyone(input, release.clone()))?;
    }
    // Where the web server itself was what the public reached, nothing is left that commands could run in.
    if release.edge || services.frontend.is_some() {
        steps::jobs(draft, release)?;
    }
    let drain = input.stack.limits.drain.as_seconds();
    steps::stop(draft, Phase::Close, "close.workers", "step-stop-workers", &services.workers, drain)
}

/// What is done for each tenant by itself.
fn lanes(draft: &mut Draft<'_, '_>, release: &ReleaseDraft, work: Work<'_>, serves: bool) -> Result<()> {
    draft.phase(Phase::Migrate)?;
    let input = draft.input;
    let mut lanes = Vec::new();
    for tenant in release.observed(input) {
        lanes.push(lane(input, release, tenant, work, serves)?);
    }
    draft.lanes(lanes)
}

fn lane(
    input: &PlanInput<'_>,
    release: &ReleaseDraft,
    tenant: &TenantObservation,
    work: Work<'_>,
    serves: bool,
) -> Result<Vec<NewStep>> {
    let (stack, app, place) = (input.stack, input.app, &release.candidate);
    let name = &tenant.tenant.name;
    let own = |command: Reversible| application::perform(Phase::Migrate, command, Some(name));
    let mut lane = Vec::new();
    // Where nothing of the release runs, nothing could set it, and nobody could see it.
    if serves {
        for command in app.closing(stack, tenant) {
            lane.push(application::perform(Phase::Close, command, Some(name))?);
        }
    }
    lane.push(steps::point(input, release, name)?);
    // Before the work, so that on the way back the cache is emptied when the data of before is there again.
    for command in app.caches(stack, name) {
        lane.push(own(command)?);
    }
    if let Work::Install(new) = work {
        let exec = app.install_app(stack, name, new, place).ok_or_else(|| no_apps(input))?;
        let title = Message::new("step-install-app").with("tenant", name).with("app", new);
        lane.push(changing(
            release,
            name,
            "migrate.install",
            title,
            exec,
            stack.limits.migrate.as_seconds(),
        )?);
    }
    if let Some(mut exec) = app.migrate(stack, name, &release.to, place) {
        exec.unblock = release_gates::unblock(input, &tenant.tenant);
        let title = Message::new("step-migrate").with("tenant", name).with("release", &release.to.name);
        lane.push(changing(release, name, "migrate", title, exec, stack.limits.migrate.as_seconds())?);
    }
    if let Some(exec) = app.pending(stack, name, &release.to, place) {
        let kind = GateKind::PendingMigrations { exec, expected: Some(Vec::new()), allowed: false };
        let title = Message::new("step-none-pending").with("tenant", name);
        lane.push(judged(Phase::Validate, &format!("validate.pending.{name}"), name, title, kind, 300)?);
    }
    if let Work::Install(new) = work
        && let Some(exec) = app.has_app(stack, name, new, place)
    {
        let title = Message::new("step-app-installed").with("tenant", name).with("app", new);
        let kind = GateKind::Command { exec };
        lane.push(judged(Phase::Validate, &format!("validate.app.{name}"), name, title, kind, 120)?);
    }
    if serves {
        for command in app.reopening(stack, tenant) {
            lane.push(application::perform(Phase::Validate, command, Some(name))?);
        }
        lane.extend(proof(input, &tenant.tenant)?);
    }
    Ok(lane)
}

fn no_apps(input: &PlanInput<'_>) -> Fault {
    let what = format!("{} has no apps that a tenant could be given one by one", input.name);
    Fault::new(Code::NothingToDo).with("what", what)
}

/// A command that changes the data; the tenant's own point takes it back.
fn changing(
    release: &ReleaseDraft,
    tenant: &TenantName,
    name: &str,
    title: Message,
    exec: Exec,
    seconds: u64,
) -> Result<NewStep> {
    let scope = Scope::Tenant(tenant.clone());
    let step =
        NewStep::perform(Phase::Migrate, &format!("{name}.{tenant}"), scope, title, Effect::Exec(exec))?;
    Ok(step
        .undo(Undo::Restore {
            tenant: tenant.clone(),
            point: PointReference::TakenBy(steps::point_step(tenant)?),
            suffix: release.suffix.clone(),
        })
        // Half of it is no state that anyone has tested: it is taken back, not repeated.
        .recovery(Recovery::GoBack)
        .seconds(seconds))
}

fn judged(
    phase: Phase,
    name: &str,
    tenant: &TenantName,
    title: Message,
    kind: GateKind,
    seconds: u64,
) -> Result<NewStep> {
    let step = NewStep::judge(phase, name, Scope::Tenant(tenant.clone()), title, kind)?;
    Ok(step.seconds(seconds))
}

/// What must hold of a tenant before its gate opens.
fn proof(input: &PlanInput<'_>, tenant: &Tenant) -> Result<Vec<NewStep>> {
    let name = &tenant.name;
    // Its owner keeps its pages from everyone.
    if input.is_in_maintenance(name) {
        return Ok(Vec::new());
    }
    let kind = GateKind::Probes {
        probes: baseline_probes(input, std::slice::from_ref(tenant)),
        route: ProbeRoute::SideDoor,
        attempts: 3,
    };
    let title = Message::new("step-probes-tenant").with("tenant", name);
    let mut found =
        vec![judged(Phase::Validate, &format!("validate.probes.{name}"), name, title, kind, 300)?];
    for gate in input.app.served_gates(input.stack, tenant) {
        let gate = NamedGate { on_no_go: eclusa_runbook::OnNoGo::Back, ..gate };
        found.push(application::gate(Phase::Validate, gate, name)?);
    }
    Ok(found)
}

/// Where what serves was stopped, the tenants are judged once it runs again. One that went back alone is as it was before.
fn validate(draft: &mut Draft<'_, '_>, release: &ReleaseDraft, serves: bool) -> Result<()> {
    draft.phase(Phase::Validate)?;
    if serves {
        return Ok(());
    }
    let input = draft.input;
    let mut gates = Vec::new();
    for tenant in &release.tenants {
        gates.extend(proof(input, tenant)?.into_iter().map(|gate| gate.lane(Lane::Follows)));
    }
    draft.together(gates)
}
