//! What a database holds, in a form that two of them can be compared by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the checksums of a summary were computed. Those of two ways cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checksums {
    /// By the server, from the values of each row.
    #[default]
    Server,
    /// From the rows as the dump program writes them.
    Dump,
}

impl Checksums {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One table: how many rows, and a checksum of all of them that does not depend on their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSummary {
    /// The number of rows.
    pub rows: u64,
    /// The checksum, as the engine's module documents it.
    pub checksum: String,
}

/// What a database holds, by table (`schema.table` for PostgreSQL).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DatabaseSummary {
    /// How the checksums were computed.
    #[serde(default, skip_serializing_if = "Checksums::is_default")]
    pub checksums: Checksums,
    /// The tables.
    pub tables: BTreeMap<String, TableSummary>,
    /// Other objects that a dump must bring back, counted: views, triggers, functions, sequences with their values.
    pub objects: BTreeMap<String, String>,
}

impl DatabaseSummary {
    /// The number of rows of each table.
    #[must_use]
    pub fn rows_by_table(&self) -> BTreeMap<String, u64> {
        self.tables.iter().map(|(name, table)| (name.clone(), table.rows)).collect()
    }

    /// The number of rows of all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.values().map(|table| table.rows).sum()
    }

    /// What differs, as a person reads it; empty when equal. Summaries of two kinds of checksums are never equal.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.checksums != other.checksums {
            found.push(format!("checksums of kind {:?}, not {:?}", other.checksums, self.checksums));
        }
        let names: std::collections::BTreeSet<_> = self.tables.keys().chain(other.tables.keys()).collect();
        for name in names {
            match (self.tables.get(name), other.tables.get(name)) {
                (Some(left), Some(right)) if left.rows != right.rows => {
                    found.push(format!("{name}: {} rows, not {}", right.rows, left.rows));
                }
                (Some(left), Some(right)) if left.checksum != right.checksum => {
                    found.push(format!("{name}: {} rows whose content differs", right.rows));
                }
                (Some(_), None) => found.push(format!("{name}: missing")),
                (None, Some(_)) => found.push(format!("{name}: not expected")),
                _ => {}
            }
        }
        let names: std::collections::BTreeSet<_> = self.objects.keys().chain(other.objects.keys()).collect();
        for name in names {
            if self.objects.get(name) != other.objects.get(name) {
                found.push(format!(
                    "{name}: {:?}, not {:?}",
                    other.objects.get(name),
                    self.objects.get(name)
                ));
            }
        }
        found
    }
}
