//! What is written down about copies: at the mirror, what it is; beside the vault, what is there.
//!
//! `VAULT/.mirrors/MIRROR/TENANT.json` says which points were read back when, so that nobody has to go there to know.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use eclusa_model::{PointId, TenantName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{document, key};

/// The format of both files.
const FORMAT: u32 = 1;

/// `eclusa-mirror.json` at the mirror.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Marker {
    format: u32,
    /// What this place is known by: something random.
    pub(crate) place: String,
}

impl Marker {
    fn path(root: &Path) -> PathBuf {
        root.join("eclusa-mirror.json")
    }

    pub(crate) fn read(root: &Path) -> Result<Option<Self>, String> {
        document::read(&Self::path(root))?
            .map_or(Ok(None), |marker: Self| document::known(marker.format, FORMAT).map(|()| Some(marker)))
    }

    pub(crate) fn write_new(root: &Path) -> Result<Self, String> {
        let marker = Self { format: FORMAT, place: key::random_name() };
        document::write(&Self::path(root), &marker)?;
        Ok(marker)
    }
}

/// What is at a mirror of one tenant.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    format: u32,
    /// The marker's word.
    pub(crate) place: String,
    /// When everything that was there was last copied and read back.
    pub(crate) at: Timestamp,
    /// When everything at the mirror was last read.
    pub(crate) read_at: Option<Timestamp>,
    /// The points that are there.
    pub(crate) points: BTreeSet<PointId>,
}

/// Where it stands.
pub(crate) fn path(vault: &Path, mirror: &str, tenant: &TenantName) -> PathBuf {
    vault.join(".mirrors").join(mirror).join(format!("{tenant}.json"))
}

impl Record {
    pub(crate) fn new(
        place: String,
        at: Timestamp,
        read_at: Option<Timestamp>,
        points: BTreeSet<PointId>,
    ) -> Self {
        Self { format: FORMAT, place, at, read_at, points }
    }

    pub(crate) fn read(path: &Path) -> Result<Option<Self>, String> {
        document::read(path)?
            .map_or(Ok(None), |record: Self| document::known(record.format, FORMAT).map(|()| Some(record)))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        document::write(path, self)
    }
}
