//! The steps of a release, phase by phase.

use eclusa_config::{AfterOpen, CheckPlace, Proof};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{StepName, TenantName};
use eclusa_runbook::{
    DatabaseOperation, EdgeOperation, Effect, GateKind, OnNoGo, Phase, Place, PointKind, PointReference, ProbeRoute, Question,
    Recovery, RuntimeOperation, Scope, Undo, VaultOperation,
};

use crate::draft::{Draft, NewStep};
use crate::release::ReleaseDraft;
use crate::simple::{baseline_probes, check_exec, log_rule, watch_rule};

pub(crate) fn preflight(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let phase = Phase::Preflight;
    checklist(draft)?;
    state_of_things(draft, release)?;
    let prepare = NewStep::perform(
        phase,
        "preflight.image",
        Scope::Stack,
        Message::new("step-prepare").with("release", &release.to.name),
        Effect::Runtime(RuntimeOperation::Prepare { release: release.to.clone() }),
    )?
    .undo(Undo::By(Effect::Runtime(RuntimeOperation::LetGo { release: release.to.clone() })))
    .seconds(draft.input.stack.limits.build.as_seconds());
    draft.then(prepare)?;
    candidate_checks(draft, release)?;
    tests(draft, release)?;
    pending(draft, release)?;
    let baseline = NewStep::judge(
        phase,
        "preflight.baseline",
        Scope::Stack,
        Message::new("step-baseline"),
        GateKind::Baseline { probes: baseline_probes(draft.input, &release.tenants), samples: 30, logs: log_rule(draft.input) },
    )?
    .on_no_go(OnNoGo::Warn)
    .on_hold(OnNoGo::Warn)
    .seconds(300);
    draft.then(baseline).map(|_| ())
}

/// What only a person can confirm, asked before anything is changed.
fn checklist(draft: &mut Draft<'_, '_>) -> Result<()> {
    for item in &draft.input.stack.checklist {
        let question = Question {
            text: Message::new("question-checklist").with("text", &item.text),
            allowed: item.allowed.clone(),
            deadline: Some(draft.input.stack.decide.deadline.as_seconds()),
            checklist: Some(item.name.clone()),
        };
        let title = Message::new("step-checklist").with("text", &item.text);
        draft.then(NewStep::ask(Phase::Preflight, &format!("preflight.checklist.{}", item.name), title, question)?)?;
    }
    Ok(())
}

fn state_of_things(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let phase = Phase::Preflight;
    let stack = draft.input.stack;
    let mut gates = Vec::new();
    if !draft.input.env_files.is_empty() {
        let kind = GateKind::Placeholders {
            files: draft.input.env_files.clone(),
            prefixes: stack.preflight.placeholders.clone(),
        };
        gates.push(NewStep::judge(phase, "preflight.placeholders", Scope::Stack, Message::new("step-placeholders"), kind)?);
    }
    let needed: u64 = draft.input.history.point_bytes.values().sum();
    for disk in &draft.input.observation.disks {
        let kind = GateKind::Disk {
            purpose: disk.purpose.clone(),
            path: disk.path.clone(),
            minimum_percent: stack.preflight.disk_free_percent,
            // A restore beside needs as much again as the data has.
            minimum_bytes: if disk.purpose == "state" { 0 } else { needed },
        };
        let title = Message::new("step-disk").with("purpose", &disk.purpose);
        gates.push(NewStep::judge(phase, &format!("preflight.disk.{}", disk.purpose), Scope::Host, title, kind)?);
    }
    for tenant in &release.tenants {
        let scope = Scope::Tenant(tenant.name.clone());
        let kind = GateKind::Database {
            tenant: tenant.name.clone(),
            long_transaction: stack.preflight.long_transaction.as_seconds(),
        };
        let title = Message::new("step-database").with("tenant", &tenant.name);
        let name = format!("preflight.database.{}", tenant.name);
        gates.push(NewStep::judge(phase, &name, scope.clone(), title, kind)?.on_hold(OnNoGo::Ask));
        let (within, policy) = match stack.preflight.proof_within {
            Some(within) => (within.as_seconds(), OnNoGo::Back),
            // A week, as the runbooks have it; without a rule of the operator's it is only said.
            None => (7 * 24 * 3600, OnNoGo::Warn),
        };
        let kind = GateKind::ProofAge { tenant: tenant.name.clone(), within };
        let title = Message::new("step-proof-age").with("tenant", &tenant.name);
        let name = format!("preflight.proof.{}", tenant.name);
        gates.push(NewStep::judge(phase, &name, scope, title, kind)?.on_no_go(policy));
    }
    draft.together(gates)
}

fn candidate_checks(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let input = draft.input;
    for check in input.app.checks(input.stack, &release.candidate) {
        let title = Message::new("step-command").with("command", check.exec.argv.join(" "));
        let name = format!("preflight.check.{}", check.name);
        let kind = GateKind::Command { exec: check.exec };
        draft.then(NewStep::judge(Phase::Preflight, &name, Scope::Stack, title, kind)?.seconds(check.timeout))?;
    }
    // When only code changes, the operator's own checks run in the candidate on the data as it is, so that nobody
    // waits at the gate for them.
    let wanted = |place: CheckPlace| place == CheckPlace::Candidate || (release.code_only && place == CheckPlace::Service);
    checks(draft, release, Phase::Preflight, wanted, Some(&release.candidate))
}

/// The operator's own checks whose place is wanted.
fn checks(
    draft: &mut Draft<'_, '_>,
    release: &ReleaseDraft,
    phase: Phase,
    wanted: impl Fn(CheckPlace) -> bool,
    place: Option<&Place>,
) -> Result<()> {
    for check in draft.input.stack.checks.iter().filter(|check| wanted(check.place)) {
        for (tenant, exec) in check_exec(draft.input, check, &release.to, &release.tenants, place)? {
            let (name, scope) = match &tenant {
                Some(tenant) => (format!("{}.check.{}.{tenant}", phase.word(), check.name), Scope::Tenant(tenant.clone())),
                None => (format!("{}.check.{}", phase.word(), check.name), Scope::Stack),
            };
            let title = Message::new("step-check").with("name", &check.name);
            let kind = GateKind::Command { exec };
            draft.then(NewStep::judge(phase, &name, scope, title, kind)?.seconds(check.timeout.as_seconds()))?;
        }
    }
    Ok(())
}

fn tests(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let input = draft.input;
    let Some(tenant) = release.tenants.first().map(|tenant| tenant.name.clone()) else { return Ok(()) };
    let scratch = format!("eclusa_scratch_{}", input.nonce);
    let Some(run) = input.app.tests(input.stack, &release.candidate, &scratch) else { return Ok(()) };
    let drop = DatabaseOperation::DropScratch { tenant: tenant.clone(), name: scratch.clone() };
    if run.scratch {
        let title = Message::new("step-scratch").with("name", &scratch);
        let effect = Effect::Database(DatabaseOperation::CreateScratch { tenant, name: scratch });
        let step = NewStep::perform(Phase::Preflight, "preflight.scratch", Scope::Stack, title, effect)?
            .undo(Undo::By(Effect::Database(drop.clone())));
        draft.then(step)?;
    }
    let kind = GateKind::Command { exec: run.exec };
    let title = Message::new("step-tests");
    draft.then(NewStep::judge(Phase::Preflight, "preflight.tests", Scope::Stack, title, kind)?.seconds(run.timeout))?;
    if run.scratch {
        let title = Message::new("step-scratch-drop");
        let step = NewStep::perform(Phase::Preflight, "preflight.scratch-drop", Scope::Stack, title, Effect::Database(drop))?
            .nothing_to_undo("undo-nothing-scratch")
            .retries(1);
        draft.then(step)?;
    }
    Ok(())
}

fn pending(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let input = draft.input;
    let mut gates = Vec::new();
    for tenant in &release.tenants {
        let Some(exec) = input.app.pending(input.stack, &tenant.name, &release.to, &release.candidate) else { continue };
        let found = release.pending.get(&tenant.name);
        let kind = GateKind::PendingMigrations {
            exec,
            expected: found.and_then(|pending| pending.names.clone()),
            allowed: !release.code_only,
        };
        let title = Message::new("step-pending").with("tenant", &tenant.name);
        let name = format!("preflight.pending.{}", tenant.name);
        gates.push(NewStep::judge(Phase::Preflight, &name, Scope::Tenant(tenant.name.clone()), title, kind)?.seconds(300));
    }
    draft.together(gates)
}

pub(crate) fn close(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    draft.phase(Phase::Close)?;
    let drain = draft.input.stack.limits.drain.as_seconds();
    stop(draft, Phase::Close, "close.scheduler", "step-stop-scheduler", &release.services.schedulers, drain)?;
    if release.edge {
        gates(draft, release)?;
    } else {
        let serving = release.services.frontend.clone().map_or_else(|| release.services.web.clone(), |front| vec![front]);
        stop(draft, Phase::Close, "close.frontend", "step-stop-frontend", &serving, 30)?;
    }
    stop(draft, Phase::Close, "close.workers", "step-stop-workers", &release.services.workers, drain)
}

fn gates(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let edge = &draft.input.stack.edge;
    let mut closing = Vec::new();
    for tenant in &release.tenants {
        let open = Effect::Edge(EdgeOperation::Open { tenant: tenant.name.clone() });
        let (title, effect) = if release.code_only {
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
        .undo(Undo::By(open))
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
    let prove = draft.input.stack.secure.proof == Proof::Restored;
    let mut points = Vec::new();
    for tenant in &release.tenants {
        let effect = Effect::Vault(VaultOperation::Take {
            tenant: tenant.name.clone(),
            kind: PointKind::Release,
            release: release.from.clone(),
            prove,
        });
        let title = Message::new(if prove { "step-point-proved" } else { "step-point" }).with("tenant", &tenant.name);
        let name = format!("secure.point.{}", tenant.name);
        let step = NewStep::perform(Phase::Secure, &name, Scope::Tenant(tenant.name.clone()), title, effect)?
            .nothing_to_undo("undo-nothing-point")
            .seconds(6 * 3600);
        points.push(step);
    }
    draft.together(points)
}

pub(crate) fn change(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    draft.phase(Phase::Change)?;
    let healthy_within = draft.input.stack.limits.healthy.as_seconds();
    let all = release.services.all();
    let serving = release.services.serving();
    if release.code_only {
        static_files(draft, release, Phase::Change)?;
    }
    stop(draft, Phase::Change, "change.stop", "step-stop", &serving, 30)?;
    let switch = |to: &eclusa_model::Release| {
        Effect::Runtime(RuntimeOperation::Switch { to: to.clone(), services: all.clone(), start: false, healthy_within })
    };
    let undo = match &release.from {
        Some(from) => Undo::By(switch(from)),
        None => Undo::Nothing { why: Message::new("undo-nothing-first") },
    };
    let pin = NewStep::perform(
        Phase::Change,
        "change.pin",
        Scope::Stack,
        Message::new("step-pin").with("release", &release.to.name),
        switch(&release.to),
    )?
    .undo(undo)
    .retries(1)
    .seconds(300);
    draft.then(pin)?;
    if !release.code_only {
        migrate(draft, release)?;
        static_files(draft, release, Phase::Migrate)?;
    }
    let working = release.services.working();
    let phase = if release.code_only { Phase::Change } else { Phase::Migrate };
    let start = NewStep::perform(
        phase,
        &format!("{}.start", phase.word()),
        Scope::Stack,
        Message::new("step-start").with("services", listed(&working)),
        Effect::Runtime(RuntimeOperation::Start { services: working.clone(), healthy_within }),
    )?
    .undo(Undo::By(Effect::Runtime(RuntimeOperation::Stop { services: working, drain: 30 })))
    .recovery(Recovery::Probe)
    .seconds(healthy_within + 300);
    draft.then(start).map(|_| ())
}

fn migrate(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    draft.phase(Phase::Migrate)?;
    let input = draft.input;
    let mut migrations = Vec::new();
    for tenant in &release.tenants {
        let Some(exec) = input.app.migrate(input.stack, &tenant.name, &release.to, &release.candidate) else { continue };
        let name = format!("migrate.{}", tenant.name);
        let title = Message::new("step-migrate").with("tenant", &tenant.name).with("release", &release.to.name);
        let step = NewStep::perform(Phase::Migrate, &name, Scope::Tenant(tenant.name.clone()), title, Effect::Exec(exec))?
            .undo(Undo::Restore {
                tenant: tenant.name.clone(),
                point: PointReference::TakenBy(point_step(&tenant.name)?),
                suffix: release.suffix.clone(),
            })
            // Half a migration is no state that anyone has tested: it is taken back, not repeated.
            .recovery(Recovery::GoBack)
            .seconds(input.stack.limits.migrate.as_seconds());
        migrations.push(step);
    }
    draft.together(migrations)
}

fn point_step(tenant: &TenantName) -> Result<StepName> {
    StepName::new(format!("secure.point.{tenant}")).map_err(|error| Fault::new(Code::Internal).with("what", error))
}

fn static_files(draft: &mut Draft<'_, '_>, release: &ReleaseDraft, phase: Phase) -> Result<()> {
    let input = draft.input;
    let Some(exec) = input.app.collect_static(input.stack, &release.candidate) else { return Ok(()) };
    let back = match (&release.from, &release.candidate) {
        (Some(from), Place::Candidate { service, .. }) if from.images.contains_key(service) => input
            .app
            .collect_static(input.stack, &Place::Candidate { service: service.clone(), release: from.clone() }),
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
    let kind = GateKind::Probes {
        probes: baseline_probes(input, &release.tenants),
        route: ProbeRoute::SideDoor,
        attempts: 3,
    };
    let title = Message::new("step-probes");
    draft.then(NewStep::judge(phase, "validate.probes", Scope::Stack, title, kind)?.seconds(300))?;
    if !release.code_only {
        checks(draft, release, phase, |place| place != CheckPlace::Candidate, None)?;
        // The data is where the application says that it should be.
        let service = release.candidate.clone();
        let mut gates = Vec::new();
        for tenant in &release.tenants {
            let Some(exec) = input.app.pending(input.stack, &tenant.name, &release.to, &service) else { continue };
            let kind = GateKind::PendingMigrations { exec, expected: Some(Vec::new()), allowed: false };
            let title = Message::new("step-none-pending").with("tenant", &tenant.name);
            let name = format!("validate.pending.{}", tenant.name);
            gates.push(NewStep::judge(phase, &name, Scope::Tenant(tenant.name.clone()), title, kind)?.seconds(300));
        }
        draft.together(gates)?;
    }
    let rule = log_rule(input);
    let since = StepName::new("change.pin")
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    let baseline = Some(baseline_source()?);
    let kind = GateKind::Logs { rule, most: input.stack.logs.most, since: Some(since), baseline };
    let title = Message::new("step-logs");
    draft.then(NewStep::judge(phase, "validate.logs", Scope::Stack, title, kind)?.seconds(120)).map(|_| ())
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
    let healthy_within = draft.input.stack.limits.healthy.as_seconds();
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
            let step = NewStep::perform(phase, &name, Scope::Tenant(tenant.name.clone()), title, Effect::Mark)?
                .undo(Undo::By(salvage))
                .seconds(6 * 3600);
            marks.push(step);
        }
        draft.together(marks)?;
    }
    let schedulers = &release.services.schedulers;
    if !schedulers.is_empty() {
        let step = NewStep::perform(
            phase,
            "open.scheduler",
            Scope::Stack,
            Message::new("step-start-scheduler").with("services", listed(schedulers)),
            Effect::Runtime(RuntimeOperation::Start { services: schedulers.clone(), healthy_within }),
        )?
        .undo(Undo::By(Effect::Runtime(RuntimeOperation::Stop { services: schedulers.clone(), drain: 30 })))
        .recovery(Recovery::Probe)
        .retries(1)
        .seconds(healthy_within + 60);
        draft.then(step)?;
    }
    if !release.edge {
        return Ok(None);
    }
    let edge = &draft.input.stack.edge;
    let mut opening = Vec::new();
    let mut first = None;
    for tenant in &release.tenants {
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
    first.map(|name| StepName::new(name).map_err(|error| Fault::new(Code::Internal).with("what", error))).transpose()
}

fn baseline_source() -> Result<eclusa_runbook::BaselineSource> {
    let step = StepName::new("preflight.baseline").map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    Ok(eclusa_runbook::BaselineSource { step })
}

pub(crate) fn watch(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    draft.phase(Phase::Watch)?;
    let input = draft.input;
    let rule = watch_rule(&input.stack.watch);
    if rule.seconds == 0 {
        draft.remarks.push(Message::new("remark-no-watch"));
        return Ok(());
    }
    let seconds = rule.seconds;
    let kind = GateKind::Watch {
        probes: baseline_probes(input, &release.tenants),
        rule,
        baseline: baseline_source()?,
        logs: log_rule(input),
    };
    let back = release.code_only || input.stack.watch.after_open == AfterOpen::Restore;
    let title = Message::new("step-watch").with("minutes", format!("{:.1}", seconds as f64 / 60.0));
    let step = NewStep::judge(Phase::Watch, "watch.stack", Scope::Stack, title, kind)?
        .on_no_go(if back { OnNoGo::Back } else { OnNoGo::Ask })
        .on_hold(OnNoGo::Ask)
        .seconds(seconds + 300);
    draft.then(step).map(|_| ())
}

pub(crate) fn accept(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    draft.phase(Phase::Accept)?;
    let mut steps = Vec::new();
    for outdated in &draft.input.history.outdated {
        if outdated.name == release.to.name || release.from.as_ref().is_some_and(|from| from.name == outdated.name) {
            continue;
        }
        let Ok(name) = StepName::new(format!("accept.release.{}", outdated.name)) else { continue };
        let step = NewStep::perform(
            Phase::Accept,
            name.as_str(),
            Scope::Stack,
            Message::new("step-let-go").with("release", &outdated.name),
            Effect::Runtime(RuntimeOperation::LetGo { release: outdated.clone() }),
        )?
        .undo(Undo::NoReturn { why: Message::new("undo-no-return-image") })
        .tolerated();
        steps.push(step);
    }
    draft.together(steps)
}
