//! Journal events: what was decided and what came of it. Their JSON is a format; see `docs/formats/journal.md`.

use std::collections::BTreeMap;

use eclusa_fault::{Fault, Message};
use eclusa_model::{PersonName, RunId, StepName, TenantName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Evidence, Plan, Verdict};

/// The format of events.
pub const EVENT_FORMAT: u32 = 1;

/// What a step gave to later steps and to the report: short texts by name.
pub type Outputs = BTreeMap<String, String>;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Every step was done.
    Done,
    /// It was stopped before anything was changed.
    Refused,
    /// It went back: everything that was done was undone.
    WentBack,
    /// Some tenants went back alone; for the others it was done.
    Partly,
    /// It went back, and something could not be undone. A person is needed.
    Stuck,
}

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// The run began. Always the first.
    Started {
        /// The format of its events: [`EVENT_FORMAT`].
        format: u32,
        /// The version of Eclusa.
        version: String,
        /// The plan it carries out.
        plan: Box<Plan>,
        /// Who began it.
        by: PersonName,
        /// Why, where a reason had to be given.
        reason: Option<String>,
    },
    /// A runner took the run over after a crash.
    Resumed {
        /// The lease's new generation.
        generation: u64,
        /// Who.
        by: PersonName,
    },
    /// A step is about to be performed, judged or asked.
    Intended {
        /// The step.
        step: StepName,
        /// The how-manieth try, from 1.
        attempt: u32,
    },
    /// A step was performed.
    Performed {
        /// The step.
        step: StepName,
        /// What it gave.
        outputs: Outputs,
    },
    /// A try of a step failed.
    Failed {
        /// The step.
        step: StepName,
        /// Why.
        fault: Fault,
    },
    /// After a crash, the world was asked about a step and it had not taken effect: it may be tried again.
    FoundUndone {
        /// The step.
        step: StepName,
    },
    /// Evidence was collected for a gate that takes long; more will follow.
    Sampled {
        /// The gate.
        step: StepName,
        /// The new evidence.
        evidence: Evidence,
    },
    /// A gate was judged.
    Judged {
        /// The gate.
        step: StepName,
        /// The evidence since the last `Sampled`.
        evidence: Evidence,
        /// The verdict on all of it.
        verdict: Verdict,
    },
    /// A person is asked: by a step, by a gate that holds, or because a step failed after the gate was open.
    Asked {
        /// The step.
        step: StepName,
        /// What is asked.
        text: Message,
        /// Until when; then the run goes back.
        deadline: Option<Timestamp>,
    },
    /// A person answered, or the deadline did.
    Answered {
        /// The step.
        step: StepName,
        /// Go on.
        go: bool,
        /// Who; none for the deadline.
        by: Option<PersonName>,
        /// Why.
        reason: String,
    },
    /// From here on the run goes back.
    TurnedBack {
        /// The step that caused it, if one did.
        step: Option<StepName>,
        /// Why.
        why: Message,
        /// Who wanted it, if a person did.
        by: Option<PersonName>,
    },
    /// From here on one tenant goes back, by its own steps; the others go on.
    TenantTurnedBack {
        /// Whose.
        tenant: TenantName,
        /// The step that caused it.
        step: StepName,
        /// Why.
        why: Message,
    },
    /// The undo of a step is about to be performed.
    UndoIntended {
        /// The step.
        step: StepName,
        /// The how-manieth try, from 1.
        attempt: u32,
    },
    /// A step was taken back.
    Undone {
        /// The step.
        step: StepName,
        /// What the undo gave.
        outputs: Outputs,
    },
    /// A try of an undo failed.
    UndoFailed {
        /// The step.
        step: StepName,
        /// Why.
        fault: Fault,
    },
    /// A notice could not be delivered.
    NoticeLost {
        /// Its kind.
        kind: String,
        /// Why.
        fault: Fault,
    },
    /// Someone wrote something down.
    Noted {
        /// Who.
        by: PersonName,
        /// `incident`, `lesson` or `note`.
        kind: String,
        /// What.
        text: String,
    },
    /// The run ended.
    Ended {
        /// How.
        outcome: Outcome,
    },
}

/// An event in its place in the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The run.
    pub run: RunId,
    /// Its number in the run, from 1.
    pub sequence: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The hash of the entry before it; 64 zeros for the first.
    pub previous: String,
    /// SHA-256 over run, sequence, time, the hash before and the event's JSON.
    pub hash: String,
    /// What happened.
    pub event: Event,
}
