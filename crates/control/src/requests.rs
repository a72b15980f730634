//! What people ask of a run: an answer, to go back, a note.

use eclusa_conductor::{asking, may_answer};
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{PersonName, RunId};
use eclusa_ports::{JournalStore, RequestKind};
use eclusa_runbook::{Direction, Event, Outcome, Run};

use crate::{Assembly, history};

/// The run that is meant: the one named, or the newest that has not ended.
///
/// # Errors
/// `RunUnknown`, `NothingAsked`.
pub fn meant(assembly: &Assembly, run: Option<RunId>) -> Result<Run> {
    match run {
        Some(run) => history::replayed(assembly.journal.as_ref(), &run),
        None => history::unfinished(assembly.journal.as_ref(), &assembly.name)?
            .ok_or_else(|| Fault::new(Code::NothingToDo).with("what", "every run has ended")),
    }
}

/// Answers a run's question. The answer is durable when this returns; the run's owner takes it within a second.
///
/// # Errors
/// `NothingAsked`, `AnswerDenied`, `RunState`.
pub fn answer(assembly: &Assembly, run: &Run, go: bool, by: &PersonName, reason: &str) -> Result<()> {
    let step = asking(run).ok_or_else(|| Fault::new(Code::NothingAsked).with("run", &run.id))?;
    may_answer(run, &step, by)?;
    let kind = RequestKind::Answer { go, by: by.clone(), reason: reason.to_owned() };
    assembly.journal.request(&run.id, assembly.ports.clock.now(), &kind)
}

/// Asks a run to go back.
///
/// # Errors
/// `RunState` when it has ended or goes back already.
pub fn abort(assembly: &Assembly, run: &Run, by: &PersonName, reason: &str) -> Result<()> {
    let refused = |problem: &str| Fault::new(Code::RunState).with("run", &run.id).with("problem", problem);
    match (run.outcome, &run.direction) {
        (Some(Outcome::Stuck), _) => return Err(refused("is stuck on its way back; resume tries again")),
        (Some(_), _) => return Err(refused("has ended; to go back now: eclusa rollback")),
        (None, Direction::Back) => return Err(refused("goes back already")),
        (None, Direction::Forward) => {}
    }
    let accepting =
        run.plan.steps.iter().any(|step| {
            matches!(step.undo, eclusa_runbook::Undo::NoReturn { .. }) && run.is_touched(&step.name)
        });
    if accepting {
        return Err(refused("is past the point of no return"));
    }
    let kind = RequestKind::Abort { by: by.clone(), reason: reason.to_owned() };
    assembly.journal.request(&run.id, assembly.ports.clock.now(), &kind)
}

/// Writes something down. A run that has ended is written to at once; one that goes on is its owner's, who takes
/// the note within a second.
///
/// # Errors
/// `JournalUnwritable`; `RunState` when someone else writes to the ended run at the same moment.
pub fn note(assembly: &Assembly, run: &Run, by: &PersonName, kind: &str, text: &str) -> Result<()> {
    let now = assembly.ports.clock.now();
    if run.outcome.is_none() {
        let kind = RequestKind::Note { by: by.clone(), kind: kind.to_owned(), text: text.to_owned() };
        return assembly.journal.request(&run.id, now, &kind);
    }
    let event = Event::Noted { by: by.clone(), kind: kind.to_owned(), text: text.to_owned() };
    assembly.journal.append(&run.id, &run.plan.stack, run.sequence + 1, now, &event).map(|_| ())
}
