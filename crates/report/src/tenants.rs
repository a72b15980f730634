//! What a run meant for each tenant: how long it was closed, and what became of its data.

use eclusa_model::TenantName;
use eclusa_runbook::{
    Action, EdgeOperation, Effect, Outputs, PointKind, Progress, RestoreOperation, Run, Step, Undo,
    UndoProgress,
};
use jiff::Timestamp;

use crate::kept::takes;
use crate::model::{DowntimeReport, TenantData, TenantReport};
use crate::words::between;

/// Every tenant of the plan.
pub(crate) fn of(run: &Run) -> Vec<TenantReport> {
    run.plan.tenants.iter().map(|tenant| tell(run, &tenant.name)).collect()
}

fn tell(run: &Run, tenant: &TenantName) -> TenantReport {
    let number = |outputs: Option<&Outputs>, name: &str| {
        outputs.and_then(|outputs| outputs.get(name)).and_then(|text| text.parse::<u64>().ok())
    };
    let taken = point(run, tenant, false);
    let salvaged = point(run, tenant, true);
    let restored = restored(run, tenant);
    TenantReport {
        name: tenant.to_string(),
        closed: closed(run, tenant),
        expected_milliseconds: run.plan.expected_downtime.get(tenant).copied().flatten(),
        data: data(run, tenant),
        rows: number(restored, "rows").or_else(|| number(taken, "rows")),
        files: number(taken, "files"),
        point: taken.and_then(|outputs| outputs.get("point")).cloned(),
        salvage: salvaged.and_then(|outputs| outputs.get("point")).cloned(),
    }
}

/// The outputs of the step, or of the undo, that took a point of the tenant.
fn point<'a>(run: &'a Run, tenant: &TenantName, salvage: bool) -> Option<&'a Outputs> {
    let wanted = |effect: &Effect| {
        takes(effect).is_some_and(|(name, kind)| name == tenant && (kind == PointKind::Salvage) == salvage)
    };
    run.plan.steps.iter().find_map(|step| {
        let forward = match &step.action {
            Action::Perform(effect) if wanted(effect) => run.outputs.get(&step.name),
            _ => None,
        };
        let back = match &step.undo {
            Undo::By(effect) if wanted(effect) => run.undo_outputs.get(&step.name),
            _ => None,
        };
        forward.or(back)
    })
}

fn is_restored_by(step: &Step, tenant: &TenantName) -> bool {
    matches!(&step.undo, Undo::Restore { tenant: name, .. } if name == tenant)
}

fn restored<'a>(run: &'a Run, tenant: &TenantName) -> Option<&'a Outputs> {
    let step = run.plan.steps.iter().find(|step| is_restored_by(step, tenant))?;
    run.undo_outputs.get(&step.name)
}

fn data(run: &Run, tenant: &TenantName) -> TenantData {
    let touched = |step: &&Step| run.is_touched(&step.name);
    let undone = |step: &Step| matches!(run.undone.get(&step.name), Some(UndoProgress::Done));
    let changes = |step: &&Step| is_restored_by(step, tenant);
    let swaps = |step: &&Step| {
        matches!(&step.action, Action::Perform(Effect::Restore(RestoreOperation::SwapIn { tenant: name, .. }))
            if name == tenant)
    };
    if let Some(step) = run.plan.steps.iter().filter(touched).find(changes) {
        return if undone(step) { TenantData::Restored } else { TenantData::Changed };
    }
    match run.plan.steps.iter().filter(touched).find(swaps) {
        Some(step) if undone(step) => TenantData::SwappedBack,
        Some(_) => TenantData::Swapped,
        None => TenantData::Untouched,
    }
}

/// The edge has a clock of its own; so many milliseconds it may be ahead.
const CLOCK_TOLERANCE: u64 = 250;

/// A moment at which the gate of a tenant is moved.
#[derive(Clone, Copy)]
struct Move {
    at: Timestamp,
    shut: bool,
    held: bool,
    /// How long it had been closed, as the edge measured it, in milliseconds.
    measured: Option<u64>,
}

/// How long a gate was closed, as often as that happened: a run that went back after it had opened has shut it twice.
fn closed(run: &Run, tenant: &TenantName) -> Option<DowntimeReport> {
    let mut moves: Vec<Move> = Vec::new();
    let mut has_gate = false;
    for step in &run.plan.steps {
        let timing = run.timings.get(&step.name).copied().unwrap_or_default();
        if let Action::Perform(effect) = &step.action
            && let Some((shut, held)) = gate_of(effect, tenant)
        {
            has_gate = true;
            let ended = timing.ended.filter(|_| matches!(run.progress.get(&step.name), Some(Progress::Done)));
            let at = if shut { timing.began } else { ended };
            let measured = measured(run.outputs.get(&step.name));
            moves.extend(at.map(|at| Move { at, shut, held, measured }));
        }
        if let Undo::By(effect) = &step.undo
            && let Some((shut, held)) = gate_of(effect, tenant)
        {
            let at = if shut { timing.undo_began } else { timing.undo_ended };
            let measured = measured(run.undo_outputs.get(&step.name));
            moves.extend(at.map(|at| Move { at, shut, held, measured }));
        }
    }
    moves.sort_by_key(|moved| moved.at);
    has_gate.then(|| add_up(run, &moves))
}

fn add_up(run: &Run, moves: &[Move]) -> DowntimeReport {
    let mut since = None;
    let mut downtime = DowntimeReport { milliseconds: 0, measured: true, still: false, held: false };
    for moved in moves {
        match (moved.shut, since) {
            (true, None) => {
                since = Some(moved.at);
                downtime.held |= moved.held;
            }
            (false, Some(began)) => {
                let around = between(began, moved.at);
                // The gate was closed and opened within these steps. What says more than they took was not measured
                // of this closure alone; and of a gate that let requests wait, the steps are believed.
                let measured =
                    moved.measured.filter(|time| !downtime.held && *time <= around + CLOCK_TOLERANCE);
                downtime.measured &= measured.is_some();
                downtime.milliseconds += measured.unwrap_or(around);
                since = None;
            }
            _ => {}
        }
    }
    if let Some(began) = since {
        downtime.milliseconds += between(began, run.newest_at);
        downtime.still = true;
        downtime.measured = false;
    }
    downtime
}

fn measured(outputs: Option<&Outputs>) -> Option<u64> {
    let seconds: f64 = outputs?.get("closed-seconds")?.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then(|| (seconds * 1000.0).round() as u64)
}

/// Whether an effect shuts a tenant's gate, and whether it lets requests wait.
fn gate_of(effect: &Effect, tenant: &TenantName) -> Option<(bool, bool)> {
    match effect {
        Effect::Edge(EdgeOperation::Close { tenant: name, .. }) if name == tenant => Some((true, false)),
        Effect::Edge(EdgeOperation::Hold { tenant: name }) if name == tenant => Some((true, true)),
        Effect::Edge(EdgeOperation::Open { tenant: name }) if name == tenant => Some((false, false)),
        _ => None,
    }
}
