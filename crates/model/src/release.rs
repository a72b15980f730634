//! Releases: immutable versions, and how an image is pinned.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ServiceName;

/// Where a release comes from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum ReleaseSource {
    /// A git ref that is built; `commit` is the full id it resolved to when it was planned.
    Git {
        /// The full commit id.
        commit: String,
    },
    /// An image tag that stands in the env file under `variable`.
    Image {
        /// The variable's name.
        variable: String,
    },
    /// A version that a directory or the binary itself holds (process runtime).
    Directory {
        /// The absolute path.
        path: String,
    },
    /// The version of each app of a bench, by the app's name.
    Bench {
        /// Its version.
        apps: BTreeMap<String, AppVersion>,
    },
    /// Found running; nothing is known of where it came from.
    Found,
}

/// The version of one app of a bench.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum AppVersion {
    /// A commit.
    Git {
        /// Its full id.
        commit: String,
        /// The ref by which it was found.
        reference: String,
        /// The remote's name, or the URL of an app that is new on the bench.
        remote: String,
    },
    /// The files of a directory.
    Files {
        /// Its absolute path.
        path: String,
    },
    /// As it is on the bench.
    Kept {
        /// The commit, where there is git.
        commit: Option<String>,
    },
}

impl AppVersion {
    /// The commit, where it is known.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        match self {
            Self::Git { commit, .. } => Some(commit),
            Self::Kept { commit } => commit.as_deref(),
            Self::Files { .. } => None,
        }
    }
}

/// How a service's image is pinned in the generated override.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ImagePin {
    /// What stands in the override: `name@sha256:…`, or a tag of ours derived from the id.
    pub reference: String,
    /// The image id that must be found running.
    pub id: String,
    /// Whether it was built here and so has no digest: then Compose is told never to pull it.
    pub built: bool,
}

/// An immutable version of the application.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Release {
    /// What the operator calls it: `v2`, a tag, a ref.
    pub name: String,
    /// Where it comes from.
    pub source: ReleaseSource,
    /// The pinned image of each service that the release changes. Empty until it was built or pulled.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub images: BTreeMap<ServiceName, ImagePin>,
}
