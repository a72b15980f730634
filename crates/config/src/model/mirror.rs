//! Where copies of the restore points lie.

use std::path::PathBuf;

use serde::Deserialize;

use super::Period;

/// `[[stacks.NAME.mirrors]]`: a directory on another disk that restore points are copied to.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mirror {
    /// What it is called.
    pub name: String,
    /// The directory. It must be there; it is never made.
    pub directory: PathBuf,
    /// How old the newest copy may become before `status` says so.
    #[serde(default = "default_stale_after")]
    pub stale_after: Period,
    /// Whether it may lie on the file system of the vault, and so be lost with it.
    #[serde(default)]
    pub same_file_system: bool,
}

fn default_stale_after() -> Period {
    Period::minutes(26 * 60)
}
