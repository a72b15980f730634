//! A copy of a tenant under another name, made of a restore point.

use std::collections::BTreeMap;

use eclusa_model::{FilesPlace, TenantName};
use serde::{Deserialize, Serialize};

/// A file with SQL statements, kept in the state directory. A plan names it and does not hold it: it may say what belongs in
/// no plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct StatementFile {
    /// Its absolute path.
    pub path: String,
    /// SHA-256 of its bytes, in hexadecimal. A file of other bytes is refused.
    pub sha256: String,
}

/// A statement for a table, left out where there is no such table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scrub {
    /// The table.
    pub table: String,
    /// The statement, with its semicolon.
    pub sql: String,
}

/// What is done of a copy. Nobody but Eclusa sees anything of it before `Publish`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CloneStep {
    /// Makes a database, and restores the point beside it and into a directory that no application looks into.
    Fill,
    /// Compares it with the point's manifest.
    Prove,
    /// Takes out of the copy's database what must not leave the tenant. Outputs: `statements`, and where there is a ledger
    /// `replayed` and `erasures`.
    Scrub {
        /// What the application knows of.
        statements: Vec<Scrub>,
        /// What the operator gave.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        masking: Option<StatementFile>,
        /// The ledger of the erasures of persons, which hold for the copy too; none: there are none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ledger: Option<String>,
    },
    /// Writes its configuration: a database, a password and keys of its own, no mail, no scheduler.
    /// Outputs: `left-out` (the names of settings that were not taken over).
    Configure {
        /// Whether it is in maintenance mode, since its data is not of the release that runs.
        maintenance: bool,
    },
    /// Makes the database account that its configuration names.
    Account,
    /// Gives it its place: from here on it can be seen.
    Publish,
    /// Takes it away from its place again. Idempotent.
    Unpublish,
    /// Removes all of it that was not published. Idempotent.
    Discard,
}

impl CloneStep {
    /// The word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Fill => "fill",
            Self::Prove => "prove",
            Self::Scrub { .. } => "scrub",
            Self::Configure { .. } => "configure",
            Self::Account => "account",
            Self::Publish => "publish",
            Self::Unpublish => "unpublish",
            Self::Discard => "discard",
        }
    }
}

/// A step towards a copy of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CloneOperation {
    /// What is done.
    pub operation: CloneStep,
    /// Whose data it is.
    pub from: TenantName,
    /// Of which point, by its id.
    pub point: String,
    /// What the copy is called. It is a tenant of the plan.
    pub to: TenantName,
    /// What marks everything that this plan makes, so that nothing else is ever removed.
    pub suffix: String,
    /// The directory in which each tenant has one of its own, named by it.
    pub sites: FilesPlace,
    /// Where each set of files lies in the directory of a tenant.
    pub sets: BTreeMap<String, String>,
    /// The other directories that a tenant has, empty at first.
    pub directories: Vec<String>,
}
