//! The journal: append-only events per run, the truth about what was done. Its calls block; they are made on
//! blocking threads.

use std::collections::BTreeMap;

use eclusa_fault::Result;
use eclusa_model::{MaintenanceOwner, PersonName, RunId, StackName, TenantName};
use eclusa_runbook::{Entry, Event};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its id.
    pub run: RunId,
    /// Its stack.
    pub stack: StackName,
    /// When it began.
    pub began: Timestamp,
    /// When its newest event was written.
    pub newest: Timestamp,
    /// How many events it has.
    pub events: u64,
}

/// What someone asks of a run that another process owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum RequestKind {
    /// The answer to its question.
    Answer {
        /// Go, or no-go.
        go: bool,
        /// By whom.
        by: PersonName,
        /// Why.
        reason: String,
    },
    /// To write something down.
    Note {
        /// By whom.
        by: PersonName,
        /// `incident`, `lesson` or `note`.
        kind: String,
        /// What.
        text: String,
    },
    /// To go back.
    Abort {
        /// By whom.
        by: PersonName,
        /// Why.
        reason: String,
    },
}

/// A request that waits for the owner of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub number: i64,
    /// What is asked.
    pub kind: RequestKind,
    /// When.
    pub at: Timestamp,
}

/// A restore point that was restored and checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Whose.
    pub tenant: TenantName,
    /// The point.
    pub point: String,
    /// When it was proved.
    pub at: Timestamp,
    /// How long restoring took, in milliseconds.
    pub milliseconds: u64,
    /// The rows that were compared.
    pub rows: u64,
}

/// The journal of one state directory.
pub trait JournalStore: Send + Sync {
    /// Appends an event, durably, as number `sequence` of its run.
    ///
    /// # Errors
    /// `JournalUnwritable`; `RunState` when another process appended in between.
    fn append(
        &self,
        run: &RunId,
        stack: &StackName,
        sequence: u64,
        at: Timestamp,
        event: &Event,
    ) -> Result<Entry>;

    /// The events of a run, with the hash chain checked.
    ///
    /// # Errors
    /// `RunUnknown`, `JournalDamaged`.
    fn read(&self, run: &RunId) -> Result<Vec<Entry>>;

    /// The events of a run after one that was read before, with the hash chain checked from there on. Whoever follows a run
    /// reads each event once.
    ///
    /// # Errors
    /// `RunUnknown`, `JournalDamaged`.
    fn read_after(&self, run: &RunId, last: &Entry) -> Result<Vec<Entry>>;

    /// The runs, newest first, of one stack or of all.
    ///
    /// # Errors
    /// `JournalDamaged`.
    fn runs(&self, stack: Option<&StackName>, most: usize) -> Result<Vec<RunSummary>>;

    /// Puts a request into a run's inbox, durably.
    ///
    /// # Errors
    /// `RunUnknown`, `JournalUnwritable`.
    fn request(&self, run: &RunId, at: Timestamp, kind: &RequestKind) -> Result<()>;

    /// The requests that were not yet taken.
    ///
    /// # Errors
    /// `JournalDamaged`.
    fn requests(&self, run: &RunId) -> Result<Vec<Request>>;

    /// Marks a request as taken.
    ///
    /// # Errors
    /// `JournalUnwritable`.
    fn taken(&self, number: i64) -> Result<()>;

    /// Checks the hash chain of every run.
    ///
    /// # Errors
    /// `JournalDamaged` with the first place that does not fit.
    fn verify(&self) -> Result<u64>;

    /// Records that a point was proved.
    ///
    /// # Errors
    /// `JournalUnwritable`.
    fn record_proof(&self, stack: &StackName, proof: &Proof) -> Result<()>;

    /// The newest proof of a tenant.
    ///
    /// # Errors
    /// `JournalDamaged`.
    fn newest_proof(&self, stack: &StackName, tenant: &TenantName) -> Result<Option<Proof>>;

    /// Writes down who keeps a tenant closed, durably; whoever did before does no longer.
    ///
    /// # Errors
    /// `JournalUnwritable`.
    fn own(&self, stack: &StackName, tenant: &TenantName, owner: &MaintenanceOwner) -> Result<()>;

    /// Writes down that nobody keeps a tenant closed. Idempotent.
    ///
    /// # Errors
    /// `JournalUnwritable`.
    fn disown(&self, stack: &StackName, tenant: &TenantName) -> Result<()>;

    /// Who keeps which tenants of a stack closed.
    ///
    /// # Errors
    /// `JournalDamaged`.
    fn owners(&self, stack: &StackName) -> Result<BTreeMap<TenantName, MaintenanceOwner>>;

    /// How long steps took in the newest runs of a stack: the median by step name, in milliseconds.
    ///
    /// # Errors
    /// `JournalDamaged`.
    fn durations(&self, stack: &StackName) -> Result<BTreeMap<String, u64>>;
}
