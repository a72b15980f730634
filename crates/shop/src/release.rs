//! Releases: `release.json` in a release's directory.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Trouble;

/// The file that makes a directory a release.
pub const RELEASE_FILE: &str = "release.json";

/// A release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseFile {
    /// `v1`, `v2` or `v3`: the code that runs.
    pub version: String,
    /// What is wrong with it; nothing when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defect: Option<Defect>,
}

/// A fault of the connection pool: connections are not given back properly, so that after some use a share of its
/// places hold connections that are dead, and whoever asks waits for a place. A fresh process has none of it,
/// which is why a few requests after the start find nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defect {
    /// The share of places that end up with dead connections, 0 to 1.
    pub error_share: f64,
    /// How long a place is waited for once the pool is worn, in milliseconds.
    pub slow_milliseconds: u64,
    /// How many requests, of all tenants together, wear the pool out.
    pub after_requests: u64,
}

/// The schema that a version's code needs; `None` for a version that there is not.
#[must_use]
pub fn schema_of(version: &str) -> Option<u32> {
    match version {
        "v1" => Some(1),
        "v2" => Some(2),
        "v3" => Some(3),
        _ => None,
    }
}

impl ReleaseFile {
    /// A release without a defect.
    #[must_use]
    pub fn healthy(version: &str) -> Self {
        Self { version: version.to_owned(), defect: None }
    }

    /// Reads the release of a directory.
    ///
    /// # Errors
    /// When there is none, or none that this shop knows.
    pub fn read(directory: &Path) -> Result<Self, Trouble> {
        let path = directory.join(RELEASE_FILE);
        let bytes = std::fs::read(&path).map_err(|error| Trouble::at(&path, error))?;
        let release: Self = serde_json::from_slice(&bytes).map_err(|error| Trouble::at(&path, error))?;
        release.schema().map_err(|trouble| Trouble::at(&path, trouble))?;
        if let Some(defect) = release.defect
            && !(0.0..=1.0).contains(&defect.error_share)
        {
            return Err(Trouble::at(&path, "error_share is a share, from 0 to 1"));
        }
        Ok(release)
    }

    /// Writes it into a directory, which is made.
    ///
    /// # Errors
    /// When that fails.
    pub fn write(&self, directory: &Path) -> Result<(), Trouble> {
        std::fs::create_dir_all(directory).map_err(|error| Trouble::at(directory, error))?;
        let path = directory.join(RELEASE_FILE);
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        std::fs::write(&path, text).map_err(|error| Trouble::at(&path, error))
    }

    /// The schema that its code needs.
    ///
    /// # Errors
    /// When the version is unknown.
    pub fn schema(&self) -> Result<u32, Trouble> {
        schema_of(&self.version)
            .ok_or_else(|| Trouble::new(format!("there is no version {:?} of the shop", self.version)))
    }
}
