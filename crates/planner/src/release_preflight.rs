//! The steps of a release before anything is changed: what must hold, the candidate built and tested, the baseline.

use eclusa_config::CheckPlace;
use eclusa_fault::{Message, Result};
use eclusa_model::{DiskObservation, Release};
use eclusa_runbook::{
    DatabaseOperation, Effect, GateKind, OnNoGo, Phase, Place, Question, RuntimeOperation, Scope, Undo,
    VaultOperation,
};

use crate::PlanInput;
use crate::application;
use crate::draft::{Draft, NewStep};
use crate::release::ReleaseDraft;
use crate::simple::{baseline_probes, check_exec, log_rule};

pub(crate) fn preflight(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let phase = Phase::Preflight;
    checklist(draft)?;
    state_of_things(draft, release)?;
    draft.then(prepare(draft.input, &release.to)?)?;
    if let Some(images) = draft.input.rehearsed.clone() {
        let title = Message::new("step-rehearsed").with("release", &release.to.name);
        let kind = GateKind::Rehearsed { images };
        draft.then(NewStep::judge(phase, "preflight.rehearsed", Scope::Stack, title, kind)?)?;
    }
    candidate_checks(draft, release)?;
    let input = draft.input;
    let mut gates = Vec::new();
    for tenant in &release.tenants {
        for gate in input.app.candidate_gates(input.stack, &tenant.name, &release.candidate) {
            gates.push(application::gate(phase, gate, &tenant.name)?);
        }
    }
    draft.together(gates)?;
    tests(draft, release)?;
    pending(draft, release)?;
    let probes = baseline_probes(draft.input, &release.tenants);
    let baseline = NewStep::judge(
        phase,
        "preflight.baseline",
        Scope::Stack,
        Message::new("step-baseline"),
        GateKind::Baseline { samples: samples_of(probes.len()), probes, logs: log_rule(draft.input.stack) },
    )?
    .on_no_go(OnNoGo::Warn)
    .on_hold(OnNoGo::Warn)
    .seconds(300);
    draft.then(baseline)?;
    if release.code_only { Ok(()) } else { read_ahead(draft, release) }
}

/// Reads the files of tenants that have many, so that only what was written since is read while they are closed.
pub(crate) fn read_ahead(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let (from, known) = (draft.input.stack.secure.read_ahead_from, &draft.input.history.file_bytes);
    let mut steps = Vec::new();
    for tenant in &release.tenants {
        if known.get(&tenant.name).is_none_or(|bytes| *bytes < from.max(1)) {
            continue;
        }
        let title = Message::new("step-read-ahead").with("tenant", &tenant.name);
        let effect = Effect::Vault(VaultOperation::ReadAhead { tenant: tenant.name.clone() });
        let name = format!("preflight.files.{}", tenant.name);
        let scope = Scope::Tenant(tenant.name.clone());
        let step = NewStep::perform(Phase::Preflight, &name, scope, title, effect)?;
        steps.push(step.nothing_to_undo("undo-nothing-read-ahead").retries(1).seconds(6 * 3600));
    }
    draft.together(steps)
}

/// Builds or pulls what a release runs.
pub(crate) fn prepare(input: &PlanInput<'_>, release: &Release) -> Result<NewStep> {
    let title = input.worded("step-prepare", "step-prepare-bench");
    let prepare = NewStep::perform(
        Phase::Preflight,
        "preflight.image",
        Scope::Stack,
        Message::new(title).with("release", &release.name),
        Effect::Runtime(RuntimeOperation::Prepare { release: release.clone() }),
    )?;
    let let_go = Effect::Runtime(RuntimeOperation::LetGo { release: release.clone() });
    Ok(prepare.undo(Undo::By(let_go)).seconds(input.stack.limits.build.as_seconds()))
}

/// How often each probe is sent for the baseline: a stack of many tenants is not asked thousands of times, and of each there
/// is still enough for a median.
fn samples_of(probes: usize) -> usize {
    const ALL: usize = 120;
    const MOST: usize = 30;
    const FEWEST: usize = 10;
    (ALL / probes.max(1)).clamp(FEWEST, MOST)
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
        draft.then(NewStep::ask(
            Phase::Preflight,
            &format!("preflight.checklist.{}", item.name),
            title,
            question,
        )?)?;
    }
    Ok(())
}

/// What must hold of files, disks and databases.
pub(crate) fn state_of_things(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    let phase = Phase::Preflight;
    let stack = draft.input.stack;
    let mut gates = Vec::new();
    if !draft.input.env_files.is_empty() {
        let kind = GateKind::Placeholders {
            files: draft.input.env_files.clone(),
            prefixes: stack.preflight.placeholders.clone(),
        };
        gates.push(NewStep::judge(
            phase,
            "preflight.placeholders",
            Scope::Stack,
            Message::new("step-placeholders"),
            kind,
        )?);
    }
    // A restore beside needs as much again as the data has.
    gates.extend(disks(draft, draft.input.history.point_bytes.values().sum())?);
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
    let input = draft.input;
    for (tenant, gate) in input.app.queue_gates_before(stack, &release.tenants, input.nonce) {
        gates.push(application::gate(phase, gate, &tenant)?);
    }
    draft.together(gates)
}

/// That the disks have room, those that data is restored to for so many bytes more.
pub(crate) fn disks(draft: &Draft<'_, '_>, needed: u64) -> Result<Vec<NewStep>> {
    let input = draft.input;
    let gate = |disk: &DiskObservation| {
        let kind = GateKind::Disk {
            purpose: disk.purpose.clone(),
            path: disk.path.clone(),
            minimum_percent: input.stack.preflight.disk_free_percent,
            minimum_bytes: if disk.purpose == "state" { 0 } else { needed },
        };
        let title = Message::new("step-disk").with("purpose", &disk.purpose);
        let name = format!("preflight.disk.{}", disk.purpose);
        NewStep::judge(Phase::Preflight, &name, Scope::Host, title, kind)
    };
    input.observation.disks.iter().map(gate).collect()
}

/// The application's own checks of a candidate.
pub(crate) fn checks_of_the_application(draft: &mut Draft<'_, '_>, candidate: &Place) -> Result<()> {
    let input = draft.input;
    for check in input.app.checks(input.stack, candidate) {
        let title = Message::new("step-command").with("command", check.exec.argv.join(" "));
        let name = format!("preflight.check.{}", check.name);
        let kind = GateKind::Command { exec: check.exec };
        draft.then(
            NewStep::judge(Phase::Preflight, &name, Scope::Stack, title, kind)?.seconds(check.timeout),
        )?;
    }
    Ok(())
}

fn candidate_checks(draft: &mut Draft<'_, '_>, release: &ReleaseDraft) -> Result<()> {
    checks_of_the_application(draft, &release.candidate)?;
    // When only code changes, the operator's own checks run in the candidate on the data as it is, so that nobody
    // waits at the gate for them.
    let wanted = |place: CheckPlace| {
        place == CheckPlace::Candidate || (release.code_only && place == CheckPlace::Service)
    };
    checks(draft, release, Phase::Preflight, wanted, Some(&release.candidate))
}

/// The operator's own checks whose place is wanted.
pub(crate) fn checks(
    draft: &mut Draft<'_, '_>,
    release: &ReleaseDraft,
    phase: Phase,
    wanted: impl Fn(CheckPlace) -> bool,
    place: Option<&Place>,
) -> Result<()> {
    for check in draft.input.stack.checks.iter().filter(|check| wanted(check.place)) {
        for (tenant, exec) in check_exec(draft.input, check, &release.to, &release.tenants, place)? {
            let (name, scope) = match &tenant {
                Some(tenant) => {
                    (format!("{}.check.{}.{tenant}", phase.word(), check.name), Scope::Tenant(tenant.clone()))
                }
                None => (format!("{}.check.{}", phase.word(), check.name), Scope::Stack),
            };
            let title = Message::new("step-check").with("name", &check.name);
            let kind = GateKind::Command { exec };
            draft.then(
                NewStep::judge(phase, &name, scope, title, kind)?.seconds(check.timeout.as_seconds()),
            )?;
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
    draft.then(
        NewStep::judge(Phase::Preflight, "preflight.tests", Scope::Stack, title, kind)?.seconds(run.timeout),
    )?;
    if run.scratch {
        let title = Message::new("step-scratch-drop");
        let step = NewStep::perform(
            Phase::Preflight,
            "preflight.scratch-drop",
            Scope::Stack,
            title,
            Effect::Database(drop),
        )?
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
        let Some(exec) = input.app.pending(input.stack, &tenant.name, &release.to, &release.candidate) else {
            continue;
        };
        let found = release.pending.get(&tenant.name);
        let kind = GateKind::PendingMigrations {
            exec,
            expected: found.and_then(|pending| pending.names.clone()),
            allowed: !release.code_only,
        };
        let title = Message::new("step-pending").with("tenant", &tenant.name);
        let name = format!("preflight.pending.{}", tenant.name);
        gates.push(
            NewStep::judge(Phase::Preflight, &name, Scope::Tenant(tenant.name.clone()), title, kind)?
                .seconds(300),
        );
    }
    draft.together(gates)
}
