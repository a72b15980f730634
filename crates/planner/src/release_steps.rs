//! The steps of a release from closing to acceptance, phase by phase.

use eclusa_config::{CheckPlace, Proof};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{StepName, TenantName};
use eclusa_runbook::{
    EdgeOperation, Effect, GateKind, Lane, Phase, Place, PointKind, PointReference, ProbeRoute, Question,
    Recovery, RuntimeOperation, Scope, Undo, VaultOperation,
};

use crate::PlanInput;
use crate::application;
use crate::customizations;
use crate::draft::{Draft, NewStep};
use crate::release::ReleaseDraft;
use crate::services::Services;
use crate::settings;
use crate::simple::{baseline_probes, log_rule};
use crate::{keep_closed, release_gates, release_preflight};

pub(crate) use crate::drains::{IN_FLIGHT, NOTHING_LEFT, serving_drain};

pub(crate) fn close(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    draft.phase(Phase::Close)?;
    let drain = draft.input.stack.limits.drain.as_seconds();
    let schedulers = &release.services.schedulers;
    stop(draft, Phase::Close, "close.scheduler", "step-stop-scheduler", schedulers, NOTHING_LEFT)?;
    if release.code_only && release.edge {
        // Requests wait from here on, so everything that can be done before is.
        stop(draft, Phase::Close, "close.workers", "step-stop-workers", &release.services.workers, drain)?;
        static_files(draft, release, Phase::Close)?;
        return gates(draft, release);
    }
    if release.edge {
        gates(draft, release)?;
        idle(draft, release)?;
    } else {
        let serving = release
            .services
            .frontend
            .clone()
            .map_or_else(|| release.services.web.clone(), |front| vec![front]);
        stop(draft, Phase::Close, "close.frontend", "step-stop-frontend", &serving, IN_FLIGHT)?;
        // Where the web server itself was what the public reached, nothing is left that commands could run in.
        if release.services.frontend.is_some() && !release.code_only {
            idle(draft, release)?;
        }
    }
    stop(draft, Phase::Close, "close.workers", "step-stop-workers", &release.services.workers, drain)
}

/// What the application itself does to close each tenant, once nothing of the tenant's runs any more.
fn idle(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let input = draft.input;
    jobs(draft, release)?;
    let mut steps = Vec::new();
    for tenant in release.observed(input) {
        for command in input.app.closing(input.stack, tenant) {
            steps.push(application::perform(Phase::Close, command, Some(&tenant.tenant.name))?);
        }
    }
    draft.together(steps)
}

/// Waits until nothing of the tenants runs any more.
pub(crate) fn jobs(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let input = draft.input;
    let idle = release
        .tenants
        .iter()
        .filter_map(|tenant| Some((tenant, input.app.idle(input.stack, &tenant.name)?)));
    let gates = idle.map(|(tenant, gate)| application::gate(Phase::Close, gate, &tenant.name));
    draft.together(gates.collect::<Result<_>>()?)
}

pub(crate) fn gates(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let edge = &draft.input.stack.edge;
    let mut closing = Vec::new();
    for tenant in &release.tenants {
        let owned = draft.input.owner(&tenant.name).is_some();
        let undo = if owned {
            Undo::Nothing { why: Message::new("undo-nothing-owned") }
        } else {
            Undo::By(Effect::Edge(EdgeOperation::Open { tenant: tenant.name.clone() }))
        };
        let (title, effect) = if release.code_only && !owned {
            ("step-gate-hold", EdgeOperation::Hold { tenant: tenant.name.clone() })
        } else {
            ("step-gate-close", close_operation(edge, &tenant.name))
        };
        let step = NewStep::perform(
            Phase::Close,
            &format!("close.gate.{}", tenant.name),
            Scope::Tenant(tenant.name.clone()),
            Message::new(title).with("tenant", &tenant.name),
            Effect::Edge(effect),
        )?
        .undo(undo)
        .retries(1)
        .seconds(edge.drain.as_seconds() + 30);
        closing.push(step);
    }
    draft.together(closing)
}

pub(crate) fn close_operation(edge: &eclusa_config::EdgeTable, tenant: &TenantName) -> EdgeOperation {
    EdgeOperation::Close {
        tenant: tenant.clone(),
        message: edge.message.clone(),
        retry_after: edge.retry_after.as_seconds(),
        drain: edge.drain.as_seconds(),
    }
}

pub(crate) fn stop(
    draft: &mut Draft<'_, '_>,
    phase: Phase,
    name: &str,
    title: &str,
    services: &[eclusa_model::ServiceName],
    drain: u64,
) -> Result<()> {
    if services.is_empty() {
        return Ok(());
    }
    let healthy_within = draft.input.stack.limits.healthy.as_seconds();
    let step = NewStep::perform(
        phase,
        name,
        Scope::Stack,
        Message::new(title).with("services", listed(services)),
        Effect::Runtime(RuntimeOperation::Stop { services: services.to_vec(), drain }),
    )?
    .undo(Undo::By(Effect::Runtime(RuntimeOperation::Start { services: services.to_vec(), healthy_within })))
    .recovery(Recovery::Probe)
    .retries(1)
    .seconds(drain + healthy_within);
    draft.then(step).map(|_| ())
}

pub(crate) fn listed(services: &[eclusa_model::ServiceName]) -> String {
    services.iter().map(eclusa_model::ServiceName::as_str).collect::<Vec<_>>().join(", ")
}

pub(crate) fn secure(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    draft.phase(Phase::Secure)?;
    let input = draft.input;
    let mut points = Vec::new();
    for tenant in &release.tenants {
        points.push(point(input, release, &tenant.name)?);
        // Beside the dump, which takes longer.
        points.extend(customizations::before(input, &tenant.name)?);
    }
    draft.together(points)
}

/// Takes the restore point of a tenant, behind its closed gate.
pub(crate) fn point(input: &PlanInput<'_>, release: &ReleaseDraft, tenant: &TenantName) -> Result<NewStep> {
    let prove = input.stack.secure.proof == Proof::Restored;
    let effect = Effect::Vault(VaultOperation::Take {
        tenant: tenant.clone(),
        kind: PointKind::Release,
        release: release.from.clone(),
        prove,
    });
    let title = Message::new(if prove { "step-point-proved" } else { "step-point" }).with("tenant", tenant);
    let name = format!("secure.point.{tenant}");
    let step = NewStep::perform(Phase::Secure, &name, Scope::Tenant(tenant.clone()), title, effect)?;
    Ok(step.nothing_to_undo("undo-nothing-point").seconds(6 * 3600))
}

pub(crate) fn change(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    draft.phase(Phase::Change)?;
    let serving = release.services.serving();
    if release.code_only && !release.edge {
        static_files(draft, release, Phase::Change)?;
    }
    stop(draft, Phase::Change, "change.stop", "step-stop", &serving, serving_drain(release.edge))?;
    pin(draft, release)?;
    settings::with_release(draft, &release.tenants)?;
    if !release.code_only {
        migrate(draft, release)?;
        static_files(draft, release, Phase::Migrate)?;
    }
    // Where data may go back, workers wait until the gate opens: a job that they did before would be lost with it.
    let working = if release.code_only { release.services.working() } else { release.services.serving() };
    let phase = if release.code_only { Phase::Change } else { Phase::Migrate };
    start(draft, phase, working)
}

/// Pins the release with nothing of it started.
pub(crate) fn pin(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let healthy_within = draft.input.stack.limits.healthy.as_seconds();
    let switch = |to: &eclusa_model::Release| {
        Effect::Runtime(RuntimeOperation::Switch {
            to: to.clone(),
            services: release.services.all(),
            start: false,
            healthy_within,
        })
    };
    let undo = match &release.from {
        Some(from) => Undo::By(switch(from)),
        None => Undo::Nothing { why: Message::new("undo-nothing-first") },
    };
    let title =
        Message::new(draft.input.worded("step-pin", "step-pin-bench")).with("release", &release.to.name);
    let step = NewStep::perform(Phase::Change, "change.pin", Scope::Stack, title, switch(&release.to))?
        .undo(undo)
        .retries(1)
        .seconds(300);
    draft.then(step)?;
    for command in draft.input.app.after_pin(draft.input.stack, &release.to, release.from.as_ref()) {
        draft.then(application::perform(Phase::Change, command, None)?)?;
    }
    Ok(())
}

/// Starts services of the pinned release as `PHASE.start` and waits until they are healthy.
pub(crate) fn start(
    draft: &mut Draft<'_, '_>,
    phase: Phase,
    services: Vec<eclusa_model::ServiceName>,
) -> Result<()> {
    let healthy_within = draft.input.stack.limits.healthy.as_seconds();
    let title = Message::new("step-start").with("services", listed(&services));
    let effect = Effect::Runtime(RuntimeOperation::Start { services: services.clone(), healthy_within });
    let step = NewStep::perform(phase, &format!("{}.start", phase.word()), Scope::Stack, title, effect)?
        .undo(Undo::By(Effect::Runtime(RuntimeOperation::Stop { services, drain: 30 })))
        .recovery(Recovery::Probe)
        .seconds(healthy_within + 300);
    draft.then(step).map(|_| ())
}

fn migrate(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    draft.phase(Phase::Migrate)?;
    let input = draft.input;
    let mut migrations = Vec::new();
    for tenant in &release.tenants {
        let Some(mut exec) = input.app.migrate(input.stack, &tenant.name, &release.to, &release.candidate)
        else {
            continue;
        };
        exec.unblock = release_gates::unblock(input, tenant);
        let name = format!("migrate.{}", tenant.name);
        let title =
            Message::new("step-migrate").with("tenant", &tenant.name).with("release", &release.to.name);
        let step = NewStep::perform(
            Phase::Migrate,
            &name,
            Scope::Tenant(tenant.name.clone()),
            title,
            Effect::Exec(exec),
        )?
        .undo(Undo::Restore {
            tenant: tenant.name.clone(),
            point: PointReference::TakenBy(point_step(&tenant.name)?),
            suffix: release.suffix.clone(),
        })
        // Half a migration is no state that anyone has tested: it is taken back, not repeated.
        .recovery(Recovery::GoBack)
        .seconds(input.stack.limits.migrate.as_seconds());
        migrations.push((tenant.name.clone(), step));
    }
    if release.keep_closed {
        return keep_closed::migrations(draft, release, migrations);
    }
    draft.together(migrations.into_iter().map(|(_, step)| step).collect())
}

pub(crate) fn point_step(tenant: &TenantName) -> Result<StepName> {
    StepName::new(format!("secure.point.{tenant}"))
        .map_err(|error| Fault::new(Code::Internal).with("what", error))
}

pub(crate) fn static_files(draft: &mut Draft<'_, '_>, release: &ReleaseDraft, phase: Phase) -> Result<()> {
    let input = draft.input;
    let Some(exec) = input.app.collect_static(input.stack, &release.candidate) else { return Ok(()) };
    let back = match (&release.from, &release.candidate) {
        (Some(from), Place::Candidate { service, .. }) if from.images.contains_key(service) => {
            input.app.collect_static(
                input.stack,
                &Place::Candidate { service: service.clone(), release: from.clone() },
            )
        }
        _ => None,
    };
    let undo = match back {
        Some(exec) => Undo::By(Effect::Exec(exec)),
        None => Undo::Nothing { why: Message::new("undo-nothing-static") },
    };
    let name = format!("{}.static", phase.word());
    let step = NewStep::perform(phase, &name, Scope::Stack, Message::new("step-static"), Effect::Exec(exec))?
        .undo(undo)
        .seconds(600);
    draft.then(step).map(|_| ())
}

pub(crate) fn validate(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let phase = Phase::Validate;
    draft.phase(phase)?;
    let input = draft.input;
    reopen(draft, release)?;
    let kind = GateKind::Probes {
        probes: baseline_probes(input, &release.tenants),
        route: ProbeRoute::SideDoor,
        attempts: 3,
    };
    let title = Message::new("step-probes");
    draft.then(NewStep::judge(phase, "validate.probes", Scope::Stack, title, kind)?.seconds(300))?;
    let mut gates = Vec::new();
    for tenant in release.tenants.iter().filter(|tenant| !input.is_in_maintenance(&tenant.name)) {
        for gate in input.app.served_gates(input.stack, tenant) {
            gates.push(application::gate(phase, gate, &tenant.name)?);
        }
    }
    for tenant in &release.tenants {
        gates.extend(customizations::after(input, &tenant.name)?);
    }
    draft.together(gates)?;
    if !release.code_only {
        release_preflight::checks(draft, release, phase, |place| place != CheckPlace::Candidate, None)?;
        // The data is where the application says that it should be.
        let service = release.candidate.clone();
        let mut gates = Vec::new();
        // Where each tenant's failure is its own, it was asked beside its migration.
        for tenant in release.tenants.iter().filter(|_| !release.keep_closed) {
            let Some(exec) = input.app.pending(input.stack, &tenant.name, &release.to, &service) else {
                continue;
            };
            let kind = GateKind::PendingMigrations { exec, expected: Some(Vec::new()), allowed: false };
            let title = Message::new("step-none-pending").with("tenant", &tenant.name);
            let name = format!("validate.pending.{}", tenant.name);
            gates.push(
                NewStep::judge(phase, &name, Scope::Tenant(tenant.name.clone()), title, kind)?.seconds(300),
            );
        }
        draft.together(gates)?;
        release_gates::settled(draft, release)?;
    }
    let rule = log_rule(input.stack);
    let since =
        StepName::new("change.pin").map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    let baseline = Some(baseline_source()?);
    let kind = GateKind::Logs { rule, most: input.stack.logs.most, since: Some(since), baseline };
    let title = Message::new("step-logs");
    draft.then(NewStep::judge(phase, "validate.logs", Scope::Stack, title, kind)?.seconds(120)).map(|_| ())
}

/// Takes back what the application itself did to close each tenant: behind the closed gate it is judged as people will
/// find it.
pub(crate) fn reopen(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let input = draft.input;
    if release.code_only {
        return Ok(());
    }
    let mut steps = Vec::new();
    for tenant in release.observed(input) {
        for command in input.app.reopening(input.stack, tenant) {
            steps.push(application::perform(Phase::Validate, command, Some(&tenant.tenant.name))?);
        }
    }
    draft.together(steps)
}

pub(crate) fn ask_decision(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    if !draft.input.stack.decide.ask {
        return Ok(());
    }
    draft.phase(Phase::Decide)?;
    let question = Question {
        text: Message::new("question-decide").with("release", &release.to.name),
        allowed: crate::draft::deciders(draft.input.stack),
        deadline: Some(draft.input.stack.decide.deadline.as_seconds()),
        checklist: None,
    };
    let title = Message::new("step-decide");
    draft.then(NewStep::ask(Phase::Decide, "decide.person", title, question)?).map(|_| ())
}

/// Opens the gate; gives the step after which going back overwrites what was written.
pub(crate) fn open(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<Option<StepName>> {
    let phase = Phase::Open;
    draft.phase(phase)?;
    if !release.code_only {
        let mut marks = Vec::new();
        for tenant in &release.tenants {
            let salvage = Effect::Vault(VaultOperation::Take {
                tenant: tenant.name.clone(),
                kind: PointKind::Salvage,
                release: Some(release.to.clone()),
                prove: false,
            });
            let name = format!("open.mark.{}", tenant.name);
            let title = Message::new("step-mark").with("tenant", &tenant.name);
            let step =
                NewStep::perform(phase, &name, Scope::Tenant(tenant.name.clone()), title, Effect::Mark)?
                    .undo(Undo::By(salvage))
                    .seconds(6 * 3600);
            marks.push(if release.alone { step.lane(Lane::Follows) } else { step });
        }
        draft.together(marks)?;
        // After the marks, so that on the way back they have stopped before what was written is salvaged.
        start_workers(draft, &release.services)?;
        release_gates::working(draft, release)?;
    }
    let first = open_gates(draft, release)?;
    start_schedulers(draft, &release.services)?;
    release_gates::ticking(draft, release)?;
    Ok(first)
}

/// Starts the workers: after the proof, since what they write cannot be taken out of the data again.
pub(crate) fn start_workers(draft: &mut Draft<'_, '_>, services: &Services) -> Result<()> {
    let workers = &services.workers;
    let healthy_within = draft.input.stack.limits.healthy.as_seconds();
    if workers.is_empty() {
        return Ok(());
    }
    let drain = draft.input.stack.limits.drain.as_seconds();
    let step = NewStep::perform(
        Phase::Open,
        "open.workers",
        Scope::Stack,
        Message::new("step-start").with("services", listed(workers)),
        Effect::Runtime(RuntimeOperation::Start { services: workers.clone(), healthy_within }),
    )?
    .undo(Undo::By(Effect::Runtime(RuntimeOperation::Stop { services: workers.clone(), drain })))
    .recovery(Recovery::Probe)
    .retries(1)
    .seconds(drain + healthy_within + 60);
    draft.then(step).map(|_| ())
}

fn open_gates(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<Option<StepName>> {
    let phase = Phase::Open;
    if !release.edge {
        return Ok(None);
    }
    let edge = &draft.input.stack.edge;
    let mut opening = Vec::new();
    let mut first = None;
    for tenant in release.tenants.iter().filter(|tenant| draft.input.owner(&tenant.name).is_none()) {
        let close = Effect::Edge(if release.code_only {
            EdgeOperation::Hold { tenant: tenant.name.clone() }
        } else {
            close_operation(edge, &tenant.name)
        });
        let name = format!("open.gate.{}", tenant.name);
        first.get_or_insert(name.clone());
        let title = Message::new("step-gate-open").with("tenant", &tenant.name);
        let effect = Effect::Edge(EdgeOperation::Open { tenant: tenant.name.clone() });
        let step = NewStep::perform(phase, &name, Scope::Tenant(tenant.name.clone()), title, effect)?
            .undo(Undo::By(close))
            .retries(2)
            .seconds(60);
        opening.push(step);
    }
    draft.together(opening)?;
    first
        .map(|name| StepName::new(name).map_err(|error| Fault::new(Code::Internal).with("what", error)))
        .transpose()
}

pub(crate) fn baseline_source() -> Result<eclusa_runbook::BaselineSource> {
    let step = StepName::new("preflight.baseline")
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    Ok(eclusa_runbook::BaselineSource { step })
}

/// Starts the schedulers, last of all.
pub(crate) fn start_schedulers(draft: &mut Draft<'_, '_>, services: &Services) -> Result<()> {
    let schedulers = &services.schedulers;
    let healthy_within = draft.input.stack.limits.healthy.as_seconds();
    if schedulers.is_empty() {
        return Ok(());
    }
    let step = NewStep::perform(
        Phase::Open,
        "open.scheduler",
        Scope::Stack,
        Message::new("step-start-scheduler").with("services", listed(schedulers)),
        Effect::Runtime(RuntimeOperation::Start { services: schedulers.clone(), healthy_within }),
    )?
    .undo(Undo::By(Effect::Runtime(RuntimeOperation::Stop { services: schedulers.clone(), drain: 30 })))
    .recovery(Recovery::Probe)
    .retries(1)
    .seconds(healthy_within + 60);
    draft.then(step).map(|_| ())
}
