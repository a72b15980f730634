//! Where releases come from.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::{AppSource, Period};

/// Where a release comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReleaseKind {
    /// A tag, branch or commit of a git repository, which is built.
    Git,
    /// An image tag, which stands in a variable of an env file.
    Image,
    /// A directory per release, or the binary itself (process runtime).
    Directory,
    /// A git ref of each app of a bench, or a directory of files (supervisor runtime).
    Bench,
}

/// What becomes of a release when the migration of one tenant fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Every tenant goes back.
    #[default]
    AllBack,
    /// That tenant's data goes back and it stays closed; the others open under the new release.
    KeepClosed,
}

/// `[stacks.NAME.release]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseTable {
    /// Where a release comes from.
    pub source: ReleaseKind,
    /// The git repository; relative to `eclusa.toml`.
    #[serde(default = "default_repository")]
    pub repository: PathBuf,
    /// The variable that Compose interpolates into `image:`; needed for `source = "image"`.
    pub variable: Option<String>,
    /// The env file in which the variable stands; absent: the last of `compose.env_files`.
    pub env_file: Option<PathBuf>,
    /// How many releases before the running one are kept.
    #[serde(default = "default_keep")]
    pub keep: u32,
    /// What becomes of a release when the migration of one tenant fails.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// How long a rehearsal of the release counts for `eclusa release --rehearsed`.
    #[serde(default = "a_week")]
    pub rehearsed_within: Period,
    /// Files of the release whose change means that third-party code changes too; shell patterns.
    #[serde(default = "default_dependency_files")]
    pub dependency_files: Vec<String>,
    /// Where the apps of a bench come from, by app; those not named: the release's name as a git ref.
    #[serde(default)]
    pub apps: BTreeMap<String, AppSource>,
}

fn default_repository() -> PathBuf {
    PathBuf::from(".")
}

fn a_week() -> Period {
    Period::minutes(7 * 24 * 60)
}

fn default_keep() -> u32 {
    2
}

fn default_dependency_files() -> Vec<String> {
    ["requirements*.txt", "poetry.lock", "uv.lock", "Pipfile.lock", "pyproject.toml"]
        .map(String::from)
        .to_vec()
}
