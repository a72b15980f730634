//! Which part of a restore point is brought back.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A part of a tenant's data. What is in no part stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The database and every set of files.
    #[default]
    Everything,
    /// The database alone.
    Database,
    /// These sets of files alone.
    Files(BTreeSet<String>),
}

impl Part {
    /// Whether it is everything.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::Everything
    }

    /// Whether the database belongs to it.
    #[must_use]
    pub fn has_database(&self) -> bool {
        !matches!(self, Self::Files(_))
    }

    /// Whether a set of files belongs to it.
    #[must_use]
    pub fn has_files(&self, set: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Database => false,
            Self::Files(sets) => sets.contains(set),
        }
    }
}
