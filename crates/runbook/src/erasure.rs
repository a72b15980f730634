//! Erasures of single persons: statements that are run on a tenant's live database, and again on whatever is restored of an
//! older restore point.

use eclusa_model::{PersonName, TenantName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::StatementFile;

/// An entry of a tenant's ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonErasure {
    /// Its id.
    pub id: String,
    /// Who wanted it.
    pub by: PersonName,
    /// Why, in words that name nobody.
    pub reason: String,
    /// The statements. Running them twice is the same as running them once.
    pub statements: StatementFile,
    /// Whether they were begun to be run and are not known to have failed. From then on the entry stays, whatever becomes of
    /// the run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub begun: bool,
    /// When the live database had them behind it. None: not yet, so every restore point may be older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// An operation on the ledger of a tenant and on what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case")]
pub enum ErasureOperation {
    /// Writes an entry down, before its statements are run.
    Record {
        /// Whose ledger.
        tenant: TenantName,
        /// Its file, absolute.
        ledger: String,
        /// The entry's id.
        id: String,
        /// Why.
        reason: String,
        /// The statements.
        statements: StatementFile,
    },
    /// Takes an entry out again whose statements were not run, and removes them. Idempotent.
    Forget {
        /// Whose ledger.
        tenant: TenantName,
        /// Its file, absolute.
        ledger: String,
        /// The entry's id.
        id: String,
        /// The statements.
        statements: StatementFile,
    },
    /// Runs the statements of an entry on the live database, and writes down when.
    Apply {
        /// Whose.
        tenant: TenantName,
        /// The file of the ledger, absolute.
        ledger: String,
        /// The entry's id.
        id: String,
    },
    /// Runs the statements of every entry that is newer than a point on what was restored of it, before that is swapped
    /// in. Outputs: `replayed` (how many), `erasures` (their ids).
    Replay {
        /// Whose.
        tenant: TenantName,
        /// The file of the ledger, absolute.
        ledger: String,
        /// The point, by its id.
        point: String,
        /// What the copy is named by.
        suffix: String,
    },
}
