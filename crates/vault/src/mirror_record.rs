//! What is written down about copies: at the mirror, what it is; beside the vault, what is there.
//!
//! `VAULT/.mirrors/MIRROR/TENANT.json` says which points were read back when, so that nobody has to go there to know, and so
//! that nothing at the mirror has ever to be written anew. `.failed/TENANT.json` beside it is there while the last
//! copying failed.

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
    /// Its name at the mirror.
    pub(crate) const NAME: &str = "eclusa-mirror.json";

    fn path(root: &Path) -> PathBuf {
        root.join(Self::NAME)
    }

    pub(crate) fn new() -> Self {
        Self { format: FORMAT, place: key::random_name() }
    }

    /// What is written.
    pub(crate) fn text(&self) -> Result<Vec<u8>, String> {
        serde_json::to_vec_pretty(self).map_err(|error| error.to_string())
    }

    pub(crate) fn parse(text: &[u8]) -> Result<Self, String> {
        let marker: Self =
            serde_json::from_slice(text).map_err(|error| format!("{}: {error}", Self::NAME))?;
        document::known(marker.format, FORMAT).map(|()| marker)
    }

    pub(crate) fn read(root: &Path) -> Result<Option<Self>, String> {
        document::read(&Self::path(root))?
            .map_or(Ok(None), |marker: Self| document::known(marker.format, FORMAT).map(|()| Some(marker)))
    }

    pub(crate) fn write_new(root: &Path) -> Result<Self, String> {
        let marker = Self::new();
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

/// Where it stands that the last copying failed.
pub(crate) fn failure_path(vault: &Path, mirror: &str, tenant: &TenantName) -> PathBuf {
    vault.join(".mirrors").join(mirror).join(".failed").join(format!("{tenant}.json"))
}

/// That the last copying failed.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Failure {
    format: u32,
    /// When.
    pub(crate) at: Timestamp,
    /// Why, as it was said then.
    pub(crate) problem: String,
}

impl Failure {
    pub(crate) fn new(at: Timestamp, problem: String) -> Self {
        Self { format: FORMAT, at, problem }
    }

    pub(crate) fn read(path: &Path) -> Result<Option<Self>, String> {
        document::read(path)?
            .map_or(Ok(None), |failure: Self| document::known(failure.format, FORMAT).map(|()| Some(failure)))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), String> {
        document::write(path, self)
    }

    pub(crate) fn remove(path: &Path) -> Result<(), String> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.to_string()),
            _ => Ok(()),
        }
    }
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
