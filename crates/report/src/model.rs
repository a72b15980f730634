//! The report as a value, with its texts already in a language. Its JSON is a format; see `docs/formats/report.md`.

use std::collections::BTreeMap;

use eclusa_fault::Language;
use eclusa_runbook::{Outputs, PointKind, VerdictKind};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

pub use crate::customizations::CustomizationsReport;

/// The format of a report.
pub const REPORT_FORMAT: u32 = 1;

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    /// Every step was done.
    Done,
    /// It went back.
    WentBack,
    /// Some tenants went back alone; for the others it was done.
    Partly,
    /// It was stopped before anything was changed.
    Refused,
    /// Something could not be undone.
    Stuck,
    /// It is under way.
    Running,
    /// It is under way, backwards.
    GoingBack,
    /// It waits for an answer.
    Asking,
}

impl RunState {
    /// The word, as in the JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::WentBack => "went-back",
            Self::Partly => "partly",
            Self::Refused => "refused",
            Self::Stuck => "stuck",
            Self::Running => "running",
            Self::GoingBack => "going-back",
            Self::Asking => "asking",
        }
    }
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// Not begun.
    Pending,
    /// Under way.
    Begun,
    /// Waits for an answer.
    Asking,
    /// Done.
    Done,
    /// Failed, and the run goes on or goes back.
    Failed,
    /// Failed, and that was tolerated.
    Tolerated,
    /// A gate or a person said no.
    Refused,
}

/// The report of a run.
#[derive(Debug, Clone, Serialize)]
pub struct ReportModel {
    /// The format: [`REPORT_FORMAT`].
    pub format: u32,
    /// The language of the texts.
    #[serde(skip)]
    pub language: Language,
    /// The time zone in which it is rendered; the values are all UTC.
    #[serde(skip)]
    pub zone: TimeZone,
    /// The run.
    pub run: String,
    /// The title.
    pub title: String,
    /// How it stands.
    pub state: RunState,
    /// How it stands, in a word or two.
    pub verdict: String,
    /// What that means.
    pub meaning: String,
    /// The stack.
    pub stack: String,
    /// What is run.
    pub app: String,
    /// What runs it.
    pub runtime: String,
    /// What the operator wanted: the word of the command line.
    pub intent: String,
    /// The release that ran before.
    pub from: Option<String>,
    /// The release that was to run.
    pub to: Option<String>,
    /// The digest of the plan.
    pub plan_digest: String,
    /// The fingerprint of the observation that the plan was made from.
    pub observation: String,
    /// Who began it.
    pub begun_by: String,
    /// Why, where a reason had to be given.
    pub reason: Option<String>,
    /// The version of Eclusa that began it.
    pub version: String,
    /// When it began.
    pub began_at: Timestamp,
    /// When its newest event was written.
    pub newest_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How long it took, or has taken until its newest event, in milliseconds.
    pub milliseconds: u64,
    /// How often it was taken over by a new runner.
    pub takeovers: u64,
    /// Where and why it turned back.
    pub turned_back: Option<TurnReport>,
    /// Per tenant.
    pub tenants: Vec<TenantReport>,
    /// The steps by phase.
    pub phases: Vec<PhaseReport>,
    /// The gates that were begun.
    pub gates: Vec<GateReport>,
    /// Who decided what.
    pub decisions: Vec<DecisionReport>,
    /// What only a person could confirm.
    pub checklist: Vec<ChecklistReport>,
    /// What failed, in order, also where a later try succeeded.
    pub failures: Vec<FailureReport>,
    /// What the run changed of what people have made of tenants themselves, where that is recorded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub customizations: Vec<CustomizationsReport>,
    /// What was kept.
    pub kept: Vec<KeptReport>,
    /// Incidents and lessons.
    pub notes: Vec<NoteReport>,
    /// The journal it was made from.
    pub journal: JournalReport,
}

/// Where and why a run turned back.
#[derive(Debug, Clone, Serialize)]
pub struct TurnReport {
    /// When.
    pub at: Timestamp,
    /// The step that caused it.
    pub step: Option<String>,
    /// Why.
    pub why: String,
    /// The reasons of the verdict behind it.
    pub reasons: Vec<String>,
}

/// What became of a tenant's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TenantData {
    /// Nothing wrote to it on the run's behalf.
    Untouched,
    /// The run changed it.
    Changed,
    /// It was restored from the point taken before.
    Restored,
    /// A restored copy was swapped in.
    Swapped,
    /// What was swapped in was swapped back.
    SwappedBack,
}

/// How long a tenant could not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DowntimeReport {
    /// How long, in milliseconds.
    pub milliseconds: u64,
    /// Whether the edge measured it; otherwise it is the time from the beginning of the step that closes the gate to
    /// the end of the one that opens it, which is a little longer.
    pub measured: bool,
    /// Whether the gate still stands closed.
    pub still: bool,
    /// Whether requests waited rather than being turned away.
    pub held: bool,
}

/// What a run meant for a tenant.
#[derive(Debug, Clone, Serialize)]
pub struct TenantReport {
    /// Its name.
    pub name: String,
    /// How long it was closed; none where no gate stood in front.
    pub closed: Option<DowntimeReport>,
    /// How long that was expected to take, in milliseconds.
    pub expected_milliseconds: Option<u64>,
    /// What became of its data.
    pub data: TenantData,
    /// The rows that its restore point of this run holds, or that were live after a restore.
    pub rows: Option<u64>,
    /// The files that its restore point of this run holds.
    pub files: Option<u64>,
    /// The restore point.
    pub point: Option<String>,
    /// The salvage point.
    pub salvage: Option<String>,
}

/// A phase with its steps.
#[derive(Debug, Clone, Serialize)]
pub struct PhaseReport {
    /// The word.
    pub phase: String,
    /// Its name.
    pub title: String,
    /// Its steps.
    pub steps: Vec<StepReport>,
}

/// A step.
#[derive(Debug, Clone, Serialize)]
pub struct StepReport {
    /// Its name.
    pub name: String,
    /// What it does.
    pub title: String,
    /// The tenant it touches, if it is one.
    pub tenant: Option<String>,
    /// How it stands.
    pub status: StepStatus,
    /// When its first try began.
    pub began_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub milliseconds: Option<u64>,
    /// How long it took in earlier runs, in milliseconds.
    pub expected_milliseconds: Option<u64>,
    /// How many tries there were; none where it was not begun, or failures of its undo cannot be told from its own.
    pub tries: Option<u32>,
    /// What it gave, in words.
    pub results: Vec<String>,
    /// What it gave.
    pub outputs: Outputs,
    /// How it was taken back.
    pub undo: Option<UndoReport>,
}

/// How a step was taken back.
#[derive(Debug, Clone, Serialize)]
pub struct UndoReport {
    /// By what.
    pub by: String,
    /// `begun`, `done` or `failed`.
    pub status: StepStatus,
    /// When it began.
    pub began_at: Option<Timestamp>,
    /// When it was done.
    pub ended_at: Option<Timestamp>,
    /// How long it took, in milliseconds.
    pub milliseconds: Option<u64>,
    /// What it gave, in words.
    pub results: Vec<String>,
    /// What it gave.
    pub outputs: Outputs,
}

/// A gate with its evidence.
#[derive(Debug, Clone, Serialize)]
pub struct GateReport {
    /// Its step.
    pub step: String,
    /// What it does.
    pub title: String,
    /// The phase it belongs to.
    pub phase: String,
    /// What it asks.
    pub asks: String,
    /// The verdict; none where it was not judged.
    pub verdict: Option<VerdictKind>,
    /// What was found.
    pub facts: Vec<FactReport>,
    /// Lines of logs or commands.
    pub lines: Vec<String>,
    /// How many samples there are.
    pub sample_count: usize,
    /// How many of them failed.
    pub bad_count: usize,
    /// The samples, or an even choice of them with every failed one.
    pub samples: Vec<SampleReport>,
    /// What they were per tenant and source, counted from all of them.
    pub series: Vec<SeriesReport>,
    /// The highest median that is allowed, in milliseconds.
    pub limit_milliseconds: Option<u64>,
    /// Samples before this time were not counted.
    pub warm_up_until: Option<Timestamp>,
}

/// One thing that was found.
#[derive(Debug, Clone, Serialize)]
pub struct FactReport {
    /// Whether it speaks for going on.
    pub verdict: VerdictKind,
    /// What was found.
    pub text: String,
}

/// One measured answer.
#[derive(Debug, Clone, Serialize)]
pub struct SampleReport {
    /// When it began.
    pub at: Timestamp,
    /// The tenant that was asked.
    pub tenant: String,
    /// The probe's name, or `traffic`.
    pub source: String,
    /// Whether it was as it should be.
    pub good: bool,
    /// The HTTP status; 0 when there was no answer.
    pub status: u16,
    /// How long it took.
    pub milliseconds: f64,
    /// What was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The samples of one source for one tenant.
#[derive(Debug, Clone, Serialize)]
pub struct SeriesReport {
    /// The tenant.
    pub tenant: String,
    /// The source.
    pub source: String,
    /// How many there are.
    pub count: usize,
    /// How many of them failed.
    pub bad: usize,
    /// Their median in milliseconds.
    pub median_milliseconds: f64,
    /// The median of the baseline in milliseconds, where there is one.
    pub baseline_milliseconds: Option<f64>,
}

/// Who decided what.
#[derive(Debug, Clone, Serialize)]
pub struct DecisionReport {
    /// When.
    pub at: Timestamp,
    /// About which step.
    pub step: String,
    /// What was asked.
    pub question: String,
    /// Go on.
    pub go: bool,
    /// Who; none for the deadline.
    pub by: Option<String>,
    /// Why.
    pub reason: String,
}

/// What only a person could confirm.
#[derive(Debug, Clone, Serialize)]
pub struct ChecklistReport {
    /// The item's name.
    pub item: String,
    /// What was to be confirmed.
    pub text: String,
    /// The answer; none where there is none yet.
    pub answer: Option<DecisionReport>,
}

/// What failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailureReport {
    /// The step.
    pub step: String,
    /// The numbered kind.
    pub code: String,
    /// What happened.
    pub text: String,
    /// The state things were in.
    pub state: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// What was underneath.
    pub causes: Vec<String>,
}

/// What was kept.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kept", rename_all = "kebab-case")]
pub enum KeptReport {
    /// A restore point.
    Point {
        /// Whose.
        tenant: String,
        /// Why it was taken.
        kind: PointKind,
        /// Its id.
        point: String,
        /// Its rows.
        rows: Option<u64>,
        /// Its files.
        files: Option<u64>,
        /// Its bytes.
        bytes: Option<u64>,
        /// How many streams were read back equal.
        verified: Option<u64>,
        /// Whether it was restored and proved.
        proved: bool,
        /// The step that took it.
        step: String,
    },
    /// The data that a swap put aside.
    OldData {
        /// Whose.
        tenant: String,
        /// What it is named by.
        suffix: String,
        /// The step that put it aside.
        step: String,
    },
}

/// What someone wrote down.
#[derive(Debug, Clone, Serialize)]
pub struct NoteReport {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// `incident`, `lesson` or `note`.
    pub kind: String,
    /// What.
    pub text: String,
}

/// The journal that a report was made from.
#[derive(Debug, Clone, Serialize)]
pub struct JournalReport {
    /// How many entries it had.
    pub entries: u64,
    /// The hash of the last one.
    pub hash: Option<String>,
}

impl ReportModel {
    /// The gates by verdict.
    #[must_use]
    pub fn gate_counts(&self) -> BTreeMap<Option<VerdictKind>, usize> {
        crate::narration::counted(self.gates.iter().map(|gate| gate.verdict))
    }
}

/// The report as JSON, indented.
///
/// # Errors
/// When it cannot be written as JSON, which would be a fault in this type.
pub fn json(model: &ReportModel) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(model)
}
