//! What earlier runs tell: which release came before, how long steps take, how big the data is.

use std::collections::BTreeSet;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{Release, RunId, StackName, TenantName};
use eclusa_planner::{History, PreviousRelease};
use eclusa_ports::{JournalStore, RunSummary};
use eclusa_runbook::{
    Action, Effect, Intent, Outcome, Progress, RestoreOperation, Reversibility, Run, Step, Undo,
    VaultOperation,
};

use crate::Assembly;

/// From how many of the newest runs history is taken.
const RUNS_READ: usize = 100;

/// A run by its id, replayed.
///
/// # Errors
/// `RunUnknown`, `JournalDamaged`.
pub fn replayed(journal: &dyn JournalStore, id: &RunId) -> Result<Run> {
    let entries = journal.read(id)?;
    Run::replay(&entries).map_err(|illegal| {
        Fault::new(Code::JournalDamaged).with("path", format!("of run {id}")).with("problem", illegal)
    })
}

/// The newest runs of a stack, replayed, newest first. A damaged one is an error: what cannot be read is not
/// passed over.
///
/// # Errors
/// `JournalDamaged`.
pub fn runs(journal: &dyn JournalStore, stack: Option<&StackName>, most: usize) -> Result<Vec<Run>> {
    journal.runs(stack, most)?.iter().map(|summary: &RunSummary| replayed(journal, &summary.run)).collect()
}

/// The newest run of a stack that has not ended, or is stuck.
///
/// # Errors
/// `JournalDamaged`.
pub fn unfinished(journal: &dyn JournalStore, stack: &StackName) -> Result<Option<Run>> {
    let runs = runs(journal, Some(stack), 20)?;
    Ok(runs.into_iter().find(|run| matches!(run.outcome, None | Some(Outcome::Stuck))))
}

/// The newest runs of the stack, from which history is taken.
pub(crate) fn newest(assembly: &Assembly) -> Result<Vec<Run>> {
    runs(assembly.journal.as_ref(), Some(&assembly.name), RUNS_READ)
}

/// History as a planner needs it.
pub(crate) fn of(assembly: &Assembly) -> Result<History> {
    of_runs(assembly, &newest(assembly)?)
}

/// The same, of runs that were read already.
pub(crate) fn of_runs(assembly: &Assembly, runs: &[Run]) -> Result<History> {
    let durations = assembly.journal.durations(&assembly.name)?;
    let mut history = History { durations, ..History::default() };
    for run in runs {
        for step in &run.plan.steps {
            if let Action::Perform(Effect::Vault(VaultOperation::Take { tenant, .. })) = &step.action
                && let Some(bytes) = run.output(&step.name, "bytes").and_then(|bytes| bytes.parse().ok())
            {
                history.point_bytes.entry(tenant.clone()).or_insert(bytes);
                let files = run.output(&step.name, "file-bytes").and_then(|bytes| bytes.parse().ok());
                if let Some(files) = files {
                    history.file_bytes.entry(tenant.clone()).or_insert(files);
                }
            }
        }
    }
    history.kept = kept(runs);
    history.previous = previous(runs);
    history.outdated = outdated(runs, assembly.stack.release.keep as usize);
    Ok(history)
}

/// Whether what a run brought stays: it was accepted, for all tenants or for those that did not go back alone.
pub(crate) fn is_accepted(run: &Run) -> bool {
    matches!(run.outcome, Some(Outcome::Done | Outcome::Partly))
}

/// What accepted runs swapped out and no later run has let go.
fn kept(runs: &[Run]) -> Vec<(TenantName, String)> {
    let mut kept = Vec::new();
    let mut gone = BTreeSet::new();
    // Newest first: what was let go is known before the run that kept it is met.
    for run in runs.iter().filter(|run| is_accepted(run)) {
        for step in run.plan.steps.iter().filter(|step| run.progress.get(&step.name) == Some(&Progress::Done))
        {
            match &step.action {
                Action::Perform(Effect::Restore(RestoreOperation::DropKept { tenant, suffix })) => {
                    gone.insert((tenant.clone(), suffix.clone()));
                }
                Action::Perform(Effect::Restore(RestoreOperation::SwapIn { tenant, suffix, .. })) => {
                    let entry = (tenant.clone(), suffix.clone());
                    if !gone.contains(&entry) {
                        kept.push(entry);
                    }
                }
                _ => {}
            }
        }
    }
    kept
}

/// The newest change of release that was accepted; a rollback leaves nothing to roll back to.
fn previous(runs: &[Run]) -> Option<PreviousRelease> {
    let run = runs.iter().find(|run| {
        is_accepted(run) && matches!(run.plan.intent, Intent::Release { .. } | Intent::Rollback { .. })
    })?;
    if matches!(run.plan.intent, Intent::Rollback { .. }) {
        return None;
    }
    let release = run.plan.from.clone()?;
    let mut previous = PreviousRelease {
        release,
        run: run.id.to_string(),
        reversibility: run.plan.reversibility.clone(),
        points: Default::default(),
        opened_at: None,
    };
    for tenant in &run.plan.tenants {
        let step = |name: String| {
            run.plan.steps.iter().find(|step| step.name.as_str() == name).map(|step| &step.name)
        };
        if let Some(step) = step(format!("secure.point.{}", tenant.name))
            && let Some(point) = run.output(step, "point")
        {
            previous.points.insert(tenant.name.clone(), point.to_owned());
        }
        if let Some(step) = step(format!("open.gate.{}", tenant.name)) {
            // Who stayed closed was not opened.
            previous.opened_at = run.timings.get(step).and_then(|timing| timing.ended).or(previous.opened_at);
        }
    }
    count_changes_since(runs, run, &mut previous);
    Some(previous)
}

/// Data that was changed since without another release must go back too, also where the release itself changed none: an
/// app that was installed since is in no image of before.
fn count_changes_since(runs: &[Run], release: &Run, previous: &mut PreviousRelease) {
    for run in runs.iter().take_while(|run| run.id != release.id) {
        if !matches!(run.plan.intent, Intent::Migrate { .. } | Intent::AppsInstall { .. }) {
            continue;
        }
        let changed = run.plan.steps.iter().filter(|step| {
            let restores = matches!(step.undo, Undo::Restore { .. });
            restores && run.is_touched(&step.name) && !run.undone.contains_key(&step.name)
        });
        for tenant in changed.filter_map(Step::lane_tenant) {
            previous.reversibility.insert(tenant.clone(), Reversibility::SalvageFirst);
        }
    }
}

/// Releases that are older than the running one and the `keep` before it.
fn outdated(runs: &[Run], keep: usize) -> Vec<Release> {
    let mut seen: Vec<Release> = Vec::new();
    // What was only rehearsed has never run here, so it takes nobody's place.
    let came = |run: &&Run| is_accepted(run) && !matches!(run.plan.intent, Intent::Rehearse { .. });
    for run in runs.iter().filter(came) {
        for release in run.plan.to.iter().chain(&run.plan.from) {
            if !seen.iter().any(|other| other.name == release.name) {
                seen.push(release.clone());
            }
        }
    }
    seen.into_iter().skip(keep + 1).filter(|release| !release.images.is_empty()).collect()
}
