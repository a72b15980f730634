//! The plan of a restore: beside the live data, proved there, swapped in; what was live is kept.

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{FilesPlace, StepName, Tenant, TenantName};
use eclusa_runbook::{
    Adapt, EdgeOperation, Effect, GateKind, Intent, Part, Phase, Place, Plan, PointKind, PointReference,
    ProbeRoute, Recovery, RestoreOperation, Reversibility, Scope, SettingsOperation, Undo, VaultOperation,
};

use jiff::Timestamp;

use crate::PlanInput;
use crate::backup::one;
use crate::draft::{Draft, Frame, NewStep};
use crate::drill;
use crate::erasure;
use crate::release_steps::{
    NOTHING_LEFT, close_operation, serving_drain, start, start_schedulers, start_workers, stop,
};
use crate::services::Services;
use crate::simple::baseline_probes;

/// What is to be restored, and how.
pub(crate) struct Wanted<'a> {
    pub tenant: &'a TenantName,
    pub point: &'a str,
    pub check_only: bool,
    pub adapt: Adapt,
    pub part: &'a Part,
    /// Up to which moment the server's log is replayed.
    pub until: Option<Timestamp>,
    /// From which base backup of the server, where it is not from the point.
    pub base: Option<&'a str>,
}

pub(crate) fn plan(input: &PlanInput<'_>, wanted: &Wanted<'_>) -> Result<Plan> {
    let Wanted { tenant, point, check_only, adapt, part, until, base } = *wanted;
    let all: Vec<Tenant> = input.observation.tenants.iter().map(|tenant| tenant.tenant.clone()).collect();
    let tenant = one(&all, tenant)?;
    let mut draft = Draft::new(input);
    if !check_only {
        draft.remarks.extend(input.kept_remarks(std::iter::once(&tenant.name)));
    }
    draft.take_lease()?;
    if check_only {
        check(&mut draft, &tenant, point)?;
    } else {
        known(&tenant, part)?;
        draft.remarks.extend(given_up(part));
        let replayed =
            |until| Message::new("remark-until").with("moment", until).with("tenant", &tenant.name);
        draft.remarks.extend(until.map(replayed));
        live(&mut draft, &tenant, wanted)?;
    }
    let intent = Intent::Restore {
        tenant: tenant.name.clone(),
        point: point.to_owned(),
        check_only,
        adapt,
        part: part.clone(),
        until,
        base: base.map(str::to_owned),
    };
    let mut reversibility = BTreeMap::new();
    if !check_only {
        reversibility
            .insert(tenant.name.clone(), (Reversibility::Restore, Message::new("why-restore-keeps")));
    }
    draft.finish(Frame {
        intent,
        to: None,
        tenants: if check_only { vec![tenant] } else { all },
        services: if check_only { Vec::new() } else { Services::of(input.stack).all() },
        reversibility,
        point_of_no_return: None,
    })
}

fn check(draft: &mut Draft<'_, '_>, tenant: &Tenant, point: &str) -> Result<()> {
    draft.phase(Phase::Validate)?;
    draft.then(drill::check(&tenant.name, point, drill::Copies::default())?).map(|_| ())
}

pub(crate) fn short(point: &str) -> &str {
    point.get(..8).unwrap_or(point)
}

fn scope(tenant: &Tenant) -> Scope {
    Scope::Tenant(tenant.name.clone())
}

/// The configuration must still name the sets of files that are wanted.
fn known(tenant: &Tenant, part: &Part) -> Result<()> {
    let Part::Files(sets) = part else { return Ok(()) };
    let known: Vec<&str> = tenant.files.iter().map(FilesPlace::name).collect();
    match sets.iter().find(|set| !known.contains(&set.as_str())) {
        None if !sets.is_empty() => Ok(()),
        _ if sets.is_empty() => {
            let what = format!("no set of files of {} is meant", tenant.name);
            Err(Fault::new(Code::NothingToDo).with("what", what))
        }
        unknown => {
            let problem = format!(
                "the configuration of {} names no files {:?}; it names: {}",
                tenant.name,
                unknown.map_or("", String::as_str),
                known.join(", ")
            );
            Err(Fault::new(Code::PlanInvalid).with("path", "The restore").with("problem", problem))
        }
    }
}

/// What consistency is given up when only a part goes back.
fn given_up(part: &Part) -> Option<Message> {
    match part {
        Part::Everything => None,
        Part::Database => Some(Message::new("remark-part-database")),
        Part::Files(_) => Some(Message::new("remark-part-files").with("sets", sets_of(part))),
    }
}

/// The sets of files of a part, as a person reads them.
fn sets_of(part: &Part) -> String {
    match part {
        Part::Files(sets) => sets.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        Part::Everything | Part::Database => String::new(),
    }
}

fn live(draft: &mut Draft<'_, '_>, tenant: &Tenant, wanted: &Wanted<'_>) -> Result<()> {
    let Wanted { point, adapt, part, until, base, .. } = *wanted;
    let suffix = format!("r{}", draft.input.nonce);
    draft.phase(Phase::Preflight)?;
    match (base, until) {
        (Some(base), Some(until)) => moment(draft, tenant, (point, &suffix), base, until)?,
        _ => beside(draft, Phase::Preflight, tenant, &Source { point, suffix: &suffix, until }, part)?,
    }
    let services = Services::of(draft.input.stack);
    draft.phase(Phase::Close)?;
    close_one(draft, tenant, &services)?;
    draft.phase(Phase::Secure)?;
    salvage(draft, tenant)?;
    draft.phase(Phase::Change)?;
    // The services serve all tenants, so all wait while one is swapped: it takes moments, not minutes.
    gates_of_others(draft, tenant, Phase::Change)?;
    let drain = serving_drain(draft.input.observation.edge.is_some());
    stop(draft, Phase::Change, "change.stop", "step-stop", &services.serving(), drain)?;
    swap(draft, Phase::Change, tenant, &suffix, part)?;
    if adapt.encryption_key {
        take_key(draft, tenant, point)?;
    }
    start(draft, Phase::Change, services.serving())?;
    if adapt.migrate {
        draft.phase(Phase::Migrate)?;
        migrate(draft, tenant)?;
    }
    draft.phase(Phase::Validate)?;
    probe(draft, std::slice::from_ref(tenant))?;
    draft.phase(Phase::Open)?;
    gates_of_others(draft, tenant, Phase::Open)?;
    start_workers(draft, &services)?;
    open_one(draft, tenant)?;
    start_schedulers(draft, &services)?;
    draft.phase(Phase::Accept)
}

/// Where restored data come from, and what the copies of them are named by.
pub(crate) struct Source<'a> {
    pub point: &'a str,
    pub suffix: &'a str,
    /// Up to which moment the server's log is replayed on them.
    pub until: Option<Timestamp>,
}

/// Restores a point beside the live data and proves it there. Nobody notices.
pub(crate) fn beside(
    draft: &mut Draft<'_, '_>,
    phase: Phase,
    tenant: &Tenant,
    source: &Source<'_>,
    part: &Part,
) -> Result<()> {
    let Source { point, suffix, until } = *source;
    let reference = PointReference::Id(point.to_owned());
    let name = |verb: &str| format!("{}.{verb}.{}", phase.word(), tenant.name);
    let effect = RestoreOperation::Beside {
        tenant: tenant.name.clone(),
        point: reference.clone(),
        suffix: suffix.to_owned(),
        part: part.clone(),
    };
    let discard = RestoreOperation::Discard {
        tenant: tenant.name.clone(),
        suffix: suffix.to_owned(),
        part: part.clone(),
    };
    let title = match part {
        Part::Everything => Message::new("step-beside"),
        Part::Database => Message::new("step-beside-database"),
        Part::Files(_) => Message::new("step-beside-files").with("sets", sets_of(part)),
    };
    let title = title.with("tenant", &tenant.name).with("point", short(point));
    let step = NewStep::perform(phase, &name("beside"), scope(tenant), title, Effect::Restore(effect))?
        .undo(Undo::By(Effect::Restore(discard)))
        .seconds(6 * 3600);
    draft.then(step)?;
    let effect = RestoreOperation::Prove {
        tenant: tenant.name.clone(),
        point: reference.clone(),
        suffix: suffix.to_owned(),
        part: part.clone(),
    };
    let title = Message::new("step-prove").with("tenant", &tenant.name);
    let step = NewStep::perform(phase, &name("prove"), scope(tenant), title, Effect::Restore(effect))?
        .nothing_to_undo("undo-nothing-check")
        .seconds(6 * 3600);
    draft.then(step)?;
    if let Some(until) = until {
        let effect = RestoreOperation::Replay {
            tenant: tenant.name.clone(),
            point: reference,
            suffix: suffix.to_owned(),
            until,
        };
        let title = Message::new("step-replay").with("tenant", &tenant.name).with("moment", until);
        let step = NewStep::perform(phase, &name("replay"), scope(tenant), title, Effect::Restore(effect))?;
        draft.then(step.nothing_to_undo("undo-nothing-replay").seconds(6 * 3600))?;
    }
    erasure::replay(draft, phase, tenant, (point, suffix), part)
}

/// Restores the database of a moment beside the live one, out of a base backup of the server. Nobody notices.
fn moment(
    draft: &mut Draft<'_, '_>,
    tenant: &Tenant,
    (point, suffix): (&str, &str),
    base: &str,
    until: Timestamp,
) -> Result<()> {
    let effect = RestoreOperation::Moment {
        tenant: tenant.name.clone(),
        base: base.to_owned(),
        suffix: suffix.to_owned(),
        until,
    };
    let discard = RestoreOperation::Discard {
        tenant: tenant.name.clone(),
        suffix: suffix.to_owned(),
        part: Part::Database,
    };
    let title =
        Message::new("step-moment").with("tenant", &tenant.name).with("moment", until).with("base", base);
    let name = format!("preflight.moment.{}", tenant.name);
    let step = NewStep::perform(Phase::Preflight, &name, scope(tenant), title, Effect::Restore(effect))?
        .undo(Undo::By(Effect::Restore(discard)))
        .seconds(24 * 3600);
    draft.then(step)?;
    erasure::replay(draft, Phase::Preflight, tenant, (point, suffix), &Part::Database)
}

fn close_one(draft: &mut Draft<'_, '_>, tenant: &Tenant, services: &Services) -> Result<()> {
    let drain = draft.input.stack.limits.drain.as_seconds();
    stop(draft, Phase::Close, "close.scheduler", "step-stop-scheduler", &services.schedulers, NOTHING_LEFT)?;
    if draft.input.observation.edge.is_some() {
        let edge = &draft.input.stack.edge;
        let name = format!("close.gate.{}", tenant.name);
        let title = Message::new("step-gate-close").with("tenant", &tenant.name);
        let effect = Effect::Edge(close_operation(edge, &tenant.name));
        let undo = match draft.input.owner(&tenant.name) {
            Some(_) => Undo::Nothing { why: Message::new("undo-nothing-owned") },
            None => Undo::By(Effect::Edge(EdgeOperation::Open { tenant: tenant.name.clone() })),
        };
        let step = NewStep::perform(Phase::Close, &name, scope(tenant), title, effect)?
            .undo(undo)
            .retries(1)
            .seconds(edge.drain.as_seconds() + 30);
        draft.then(step)?;
    }
    stop(draft, Phase::Close, "close.workers", "step-stop-workers", &services.workers, drain)
}

/// Takes the key over by which the restored database's stored passwords are read. The salvage point has the one before.
fn take_key(draft: &mut Draft<'_, '_>, tenant: &Tenant, point: &str) -> Result<()> {
    let salvaged = StepName::new(format!("secure.salvage.{}", tenant.name))
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    let place = tenant.service_configuration.iter().find(|place| place.name() == "site_config.json");
    let place = place.ok_or_else(|| {
        Fault::new(Code::Internal).with("what", format!("{} without a site_config.json", tenant.name))
    })?;
    let key = |point| {
        Effect::Settings(SettingsOperation::Back {
            tenant: tenant.name.clone(),
            file: place.clone(),
            point,
            names: vec!["encryption_key".to_owned()],
        })
    };
    let title = Message::new("step-member").with("tenant", &tenant.name).with("member", "encryption_key");
    let name = format!("change.key.{}", tenant.name);
    let effect = key(PointReference::Id(point.to_owned()));
    let step = NewStep::perform(Phase::Change, &name, scope(tenant), title, effect)?
        .undo(Undo::By(key(PointReference::TakenBy(salvaged))))
        .retries(1)
        .seconds(60);
    draft.then(step).map(|_| ())
}

/// Brings the restored copy to the release that runs. Swapping back takes it back with what it changed.
fn migrate(draft: &mut Draft<'_, '_>, tenant: &Tenant) -> Result<()> {
    let input = draft.input;
    let service = input.command_service()?;
    let release =
        input.observation.release.clone().ok_or_else(|| {
            Fault::new(Code::ServiceMissing).with("service", "release").with("known", "none")
        })?;
    let place = Place::Service { service };
    let Some(exec) = input.app.migrate(input.stack, &tenant.name, &release, &place) else { return Ok(()) };
    let title = Message::new("step-migrate").with("tenant", &tenant.name).with("release", &release.name);
    let name = format!("migrate.{}", tenant.name);
    let step = NewStep::perform(Phase::Migrate, &name, scope(tenant), title, Effect::Exec(exec))?
        .nothing_to_undo("undo-nothing-restored-migration")
        .recovery(Recovery::GoBack)
        .seconds(input.stack.limits.migrate.as_seconds());
    draft.then(step).map(|_| ())
}

/// The tenants that are not restored. They share the services, so their requests wait while these are stopped.
fn others<'a>(draft: &Draft<'a, '_>, tenant: &Tenant) -> Vec<&'a TenantName> {
    let all = draft.input.observation.tenants.iter().map(|found| &found.tenant.name);
    if draft.input.observation.edge.is_some() {
        all.filter(|name| **name != tenant.name && draft.input.owner(name).is_none()).collect()
    } else {
        Vec::new()
    }
}

fn gates_of_others(draft: &mut Draft<'_, '_>, tenant: &Tenant, phase: Phase) -> Result<()> {
    let mut steps = Vec::new();
    for name in others(draft, tenant) {
        let hold = Effect::Edge(EdgeOperation::Hold { tenant: name.clone() });
        let open = Effect::Edge(EdgeOperation::Open { tenant: name.clone() });
        let (title, forward, back) = if phase == Phase::Change {
            ("step-gate-hold", hold, open)
        } else {
            ("step-gate-open", open, hold)
        };
        let title = Message::new(title).with("tenant", name);
        let step = NewStep::perform(
            phase,
            &format!("{}.other.{name}", phase.word()),
            Scope::Tenant(name.clone()),
            title,
            forward,
        )?
        .undo(Undo::By(back))
        .retries(1)
        .seconds(60);
        steps.push(step);
    }
    draft.together(steps)
}

/// A restore point of what is about to be overwritten.
pub(crate) fn salvage(draft: &mut Draft<'_, '_>, tenant: &Tenant) -> Result<()> {
    let effect = Effect::Vault(VaultOperation::Take {
        tenant: tenant.name.clone(),
        kind: PointKind::Salvage,
        release: draft.input.observation.release.clone(),
        prove: false,
    });
    let title = Message::new("step-salvage").with("tenant", &tenant.name);
    let step = NewStep::perform(
        Phase::Secure,
        &format!("secure.salvage.{}", tenant.name),
        scope(tenant),
        title,
        effect,
    )?
    .nothing_to_undo("undo-nothing-point")
    .seconds(6 * 3600);
    draft.then(step).map(|_| ())
}

pub(crate) fn swap(
    draft: &mut Draft<'_, '_>,
    phase: Phase,
    tenant: &Tenant,
    suffix: &str,
    part: &Part,
) -> Result<()> {
    let (name, suffix, part) = (tenant.name.clone(), suffix.to_owned(), part.clone());
    let back =
        RestoreOperation::SwapBack { tenant: name.clone(), suffix: suffix.clone(), part: part.clone() };
    let effect = RestoreOperation::SwapIn { tenant: name.clone(), suffix, part };
    let title = Message::new("step-swap").with("tenant", &name);
    let step = NewStep::perform(
        phase,
        &format!("{}.swap.{name}", phase.word()),
        scope(tenant),
        title,
        Effect::Restore(effect),
    )?
    .undo(Undo::By(Effect::Restore(back)))
    .retries(1)
    .seconds(300);
    draft.then(step).map(|_| ())
}

pub(crate) fn probe(draft: &mut Draft<'_, '_>, tenants: &[Tenant]) -> Result<()> {
    let probes = baseline_probes(draft.input, tenants);
    let kind = GateKind::Probes { probes, route: ProbeRoute::SideDoor, attempts: 3 };
    let title = Message::new("step-probes");
    draft
        .then(NewStep::judge(Phase::Validate, "validate.probes", Scope::Stack, title, kind)?.seconds(300))
        .map(|_| ())
}

fn open_one(draft: &mut Draft<'_, '_>, tenant: &Tenant) -> Result<()> {
    // Whoever keeps it closed opens it.
    if draft.input.observation.edge.is_none() || draft.input.owner(&tenant.name).is_some() {
        return Ok(());
    }
    let edge = &draft.input.stack.edge;
    let title = Message::new("step-gate-open").with("tenant", &tenant.name);
    let effect = Effect::Edge(EdgeOperation::Open { tenant: tenant.name.clone() });
    let step =
        NewStep::perform(Phase::Open, &format!("open.gate.{}", tenant.name), scope(tenant), title, effect)?
            .undo(Undo::By(Effect::Edge(close_operation(edge, &tenant.name))))
            .retries(2)
            .seconds(60);
    draft.then(step).map(|_| ())
}
