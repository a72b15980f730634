//! Settings in a JSON file of a service: set, and set back to what a restore point has.

use std::collections::BTreeMap;

use eclusa_model::{FilesPlace, TenantName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::PointReference;

/// An operation on the members of a JSON object in a file. The others are left as they are. Each is idempotent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case")]
pub enum SettingsOperation {
    /// Sets members, reads the file back and compares. Outputs: `settings` (those that were not so before).
    Set {
        /// Whose they are; of a file that all share, one of them.
        tenant: TenantName,
        /// The file; in restore points it has the name of its set.
        file: FilesPlace,
        /// The members and what they become; none: they are removed.
        values: BTreeMap<String, Option<Value>>,
    },
    /// Sets members back to what they are in a restore point, or removes them where it has none. What they were never
    /// leaves the files: it may be a secret.
    Back {
        /// Whose point it is.
        tenant: TenantName,
        /// The file.
        file: FilesPlace,
        /// The point.
        point: PointReference,
        /// The members.
        names: Vec<String>,
    },
}
