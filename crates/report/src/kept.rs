//! What a run left behind on purpose: restore points, salvage points, old data beside the live.

use eclusa_model::{StepName, TenantName};
use eclusa_runbook::{
    Action, Effect, Outputs, PointKind, Progress, RestoreOperation, Run, Step, Undo, UndoProgress,
    VaultOperation,
};

use crate::model::KeptReport;

/// Everything that was kept, in the order of the plan.
pub(crate) fn of(run: &Run) -> Vec<KeptReport> {
    let mut kept: Vec<KeptReport> =
        run.plan.steps.iter().filter_map(|step| taken_forward(run, step)).collect();
    kept.extend(run.plan.steps.iter().filter_map(|step| taken_back(run, step)));
    kept.extend(run.plan.steps.iter().filter_map(|step| old_data(run, step)));
    kept
}

/// The tenant and kind of the point that an effect takes.
pub(crate) fn takes(effect: &Effect) -> Option<(&TenantName, PointKind)> {
    match effect {
        Effect::Vault(VaultOperation::Take { tenant, kind, .. }) => Some((tenant, *kind)),
        _ => None,
    }
}

fn taken_forward(run: &Run, step: &Step) -> Option<KeptReport> {
    let Action::Perform(effect) = &step.action else { return None };
    let (tenant, kind) = takes(effect)?;
    point(&step.name, tenant, kind, run.outputs.get(&step.name)?)
}

fn taken_back(run: &Run, step: &Step) -> Option<KeptReport> {
    let Undo::By(effect) = &step.undo else { return None };
    let (tenant, kind) = takes(effect)?;
    point(&step.name, tenant, kind, run.undo_outputs.get(&step.name)?)
}

fn point(step: &StepName, tenant: &TenantName, kind: PointKind, outputs: &Outputs) -> Option<KeptReport> {
    let number = |name: &str| outputs.get(name).and_then(|text| text.parse().ok());
    Some(KeptReport::Point {
        tenant: tenant.to_string(),
        kind,
        point: outputs.get("point")?.clone(),
        rows: number("rows"),
        files: number("files"),
        bytes: number("bytes"),
        verified: number("verified"),
        proved: outputs.contains_key("proved"),
        step: step.to_string(),
    })
}

/// A swap puts what was live aside, on the way forward or, in a restore, on the way back.
fn old_data(run: &Run, step: &Step) -> Option<KeptReport> {
    let swapped = matches!(run.progress.get(&step.name), Some(Progress::Done));
    let undone = matches!(run.undone.get(&step.name), Some(UndoProgress::Done));
    let (tenant, suffix) = match (&step.action, &step.undo) {
        (Action::Perform(Effect::Restore(RestoreOperation::SwapIn { tenant, suffix, .. })), _)
            if swapped && !undone =>
        {
            (tenant, suffix)
        }
        (_, Undo::Restore { tenant, suffix, .. }) if undone => (tenant, suffix),
        _ => return None,
    };
    let dropped = run.plan.steps.iter().any(|other| {
        let drops = matches!(
            &other.action,
            Action::Perform(Effect::Restore(RestoreOperation::DropKept { tenant: name, suffix: named }))
                if name == tenant && named == suffix
        );
        drops && matches!(run.progress.get(&other.name), Some(Progress::Done))
    });
    (!dropped).then(|| KeptReport::OldData {
        tenant: tenant.to_string(),
        suffix: suffix.clone(),
        step: step.name.to_string(),
    })
}
