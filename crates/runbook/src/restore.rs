//! What a step does with data that comes back from a restore point.

use eclusa_model::TenantName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Part, PointReference};

/// An operation that brings a tenant's data back. `suffix` names what lies beside the live data
/// (`NAME_SUFFIX_new`, `NAME_SUFFIX_old`) and is the same on every try, so that a crash can be seen through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case")]
pub enum RestoreOperation {
    /// Restores database and files beside the live ones.
    Beside {
        /// Whose.
        tenant: TenantName,
        /// From which point.
        point: PointReference,
        /// What the copies are named by.
        suffix: String,
        /// Which part of it.
        #[serde(default, skip_serializing_if = "Part::is_everything")]
        part: Part,
    },
    /// Compares what lies beside with the point's manifest: rows, checksums, files.
    Prove {
        /// Whose.
        tenant: TenantName,
        /// With which point.
        point: PointReference,
        /// What the copies are named by.
        suffix: String,
        /// Which part of it.
        #[serde(default, skip_serializing_if = "Part::is_everything")]
        part: Part,
    },
    /// Replays on the database beside what its server's log has of the live one since the point, up to a moment. When it was
    /// cut off before, it is restored and proved anew first. Outputs: `changes`, and `last` when there was one.
    Replay {
        /// Whose.
        tenant: TenantName,
        /// Since which point.
        point: PointReference,
        /// What the copies are named by.
        suffix: String,
        /// Up to which moment.
        until: Timestamp,
    },
    /// Restores the database beside as it was at a moment, from a base backup of its server and the server's log, and compares
    /// it with what it came from. Outputs: `last`, the last transaction before the moment, where that is known.
    Moment {
        /// Whose.
        tenant: TenantName,
        /// The name of the base backup.
        base: String,
        /// What the copy is named by.
        suffix: String,
        /// The moment.
        until: Timestamp,
    },
    /// Swaps what lies beside with the live data; the old data is kept. Writers must be stopped.
    SwapIn {
        /// Whose.
        tenant: TenantName,
        /// What the copies are named by.
        suffix: String,
        /// Which part of it.
        #[serde(default, skip_serializing_if = "Part::is_everything")]
        part: Part,
    },
    /// Swaps back: what was live before is live again; the restored copy lies beside again.
    SwapBack {
        /// Whose.
        tenant: TenantName,
        /// What the copies are named by.
        suffix: String,
        /// Which part of it.
        #[serde(default, skip_serializing_if = "Part::is_everything")]
        part: Part,
    },
    /// Drops what lies beside and was never swapped in. Idempotent.
    Discard {
        /// Whose.
        tenant: TenantName,
        /// What the copies are named by.
        suffix: String,
        /// Which part of it.
        #[serde(default, skip_serializing_if = "Part::is_everything")]
        part: Part,
    },
    /// Drops the old data that a swap kept. Idempotent.
    DropKept {
        /// Whose.
        tenant: TenantName,
        /// What the copies are named by.
        suffix: String,
    },
    /// Restores tables into a database of their own, compares them with the point, and lets it be known. Outputs: `database`,
    /// `tables`, `rows`.
    Aside {
        /// Whose.
        tenant: TenantName,
        /// From which point.
        point: PointReference,
        /// What it is named by.
        suffix: String,
        /// Which tables.
        tables: Vec<String>,
    },
    /// Drops such a database, or what was left of one. Idempotent.
    DropAside {
        /// A tenant whose database is on the same server.
        tenant: TenantName,
        /// Its name, or what it is named by.
        database: AsideName,
    },
    /// All of it for the undo of a step: beside, prove, swap. Idempotent.
    Whole {
        /// Whose.
        tenant: TenantName,
        /// From which point.
        point: PointReference,
        /// What the copies are named by.
        suffix: String,
    },
}

/// How a database to look at is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AsideName {
    /// By its name on the server.
    Database(String),
    /// By what the plan that makes it names it by.
    Suffix(String),
}
