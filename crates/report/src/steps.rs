//! The steps of a run, phase by phase.

use eclusa_fault::Language;
use eclusa_runbook::{Progress, Run, Scope, Step, UndoProgress};

use crate::describe::undo_text;
use crate::model::{PhaseReport, StepReport, StepStatus, UndoReport};
use crate::narration::phase_text;
use crate::outputs::phrases;
use crate::words::between;

/// The phases in the order of the plan, each with its steps.
pub(crate) fn of(run: &Run, language: &Language) -> Vec<PhaseReport> {
    let mut phases: Vec<PhaseReport> = Vec::new();
    for step in &run.plan.steps {
        let word = step.phase.word();
        let told = tell(run, step, language);
        match phases.last_mut() {
            Some(phase) if phase.phase == word => phase.steps.push(told),
            _ => phases.push(PhaseReport {
                phase: word.to_owned(),
                title: phase_text(step.phase, language),
                steps: vec![told],
            }),
        }
    }
    phases
}

fn tell(run: &Run, step: &Step, language: &Language) -> StepReport {
    let timing = run.timings.get(&step.name).copied().unwrap_or_default();
    let status = status(run, step);
    // A step that is under way has an end only from an earlier try.
    let ended_at = match status {
        StepStatus::Pending | StepStatus::Begun | StepStatus::Asking => None,
        _ => timing.ended,
    };
    let outputs = run.outputs.get(&step.name).cloned().unwrap_or_default();
    StepReport {
        name: step.name.to_string(),
        title: step.title.render(language),
        tenant: match &step.scope {
            Scope::Tenant(tenant) => Some(tenant.to_string()),
            Scope::Host | Scope::Stack => None,
        },
        status,
        began_at: timing.began,
        ended_at,
        milliseconds: timing.began.map(|began| between(began, ended_at.unwrap_or(run.newest_at))),
        expected_milliseconds: step.expected,
        tries: tries(run, step),
        results: phrases(&outputs, language),
        outputs,
        undo: undo(run, step, language),
    }
}

fn status(run: &Run, step: &Step) -> StepStatus {
    match run.progress.get(&step.name) {
        None | Some(Progress::Pending) => StepStatus::Pending,
        Some(Progress::Begun { .. }) => StepStatus::Begun,
        Some(Progress::Asking { .. }) => StepStatus::Asking,
        Some(Progress::Done) => StepStatus::Done,
        Some(Progress::Failed { .. }) if run.is_passed(&step.name) => StepStatus::Tolerated,
        Some(Progress::Failed { .. }) => StepStatus::Failed,
        Some(Progress::Refused { .. }) => StepStatus::Refused,
    }
}

/// How many tries there were. The run keeps the failures of a step and of its undo in one list, so where a step was
/// taken back in the end and something had failed, it is not known which.
fn tries(run: &Run, step: &Step) -> Option<u32> {
    let failures = run.failures.iter().filter(|(name, _)| *name == step.name).count();
    let failures = u32::try_from(failures).unwrap_or(u32::MAX);
    match run.progress.get(&step.name) {
        None | Some(Progress::Pending) => None,
        Some(Progress::Begun { attempt, .. }) => Some(*attempt),
        Some(Progress::Failed { attempts, .. }) => Some(*attempts),
        Some(Progress::Done | Progress::Refused { .. } | Progress::Asking { .. }) => {
            match run.undone.get(&step.name) {
                _ if failures == 0 => Some(1),
                None => Some(failures + 1),
                Some(UndoProgress::Failed { attempts, .. }) => Some(failures.saturating_sub(*attempts) + 1),
                Some(UndoProgress::Begun { .. } | UndoProgress::Done) => None,
            }
        }
    }
}

fn undo(run: &Run, step: &Step, language: &Language) -> Option<UndoReport> {
    let progress = run.undone.get(&step.name)?;
    let timing = run.timings.get(&step.name).copied().unwrap_or_default();
    let status = match progress {
        UndoProgress::Begun { .. } => StepStatus::Begun,
        UndoProgress::Done => StepStatus::Done,
        UndoProgress::Failed { .. } => StepStatus::Failed,
    };
    let ended_at = timing.undo_ended.filter(|_| status == StepStatus::Done);
    let outputs = run.undo_outputs.get(&step.name).cloned().unwrap_or_default();
    Some(UndoReport {
        by: undo_text(&step.undo, language),
        status,
        began_at: timing.undo_began,
        ended_at,
        milliseconds: timing.undo_began.map(|began| between(began, ended_at.unwrap_or(run.newest_at))),
        results: phrases(&outputs, language),
        outputs,
    })
}
