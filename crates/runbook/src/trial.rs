//! The application started on a restored copy of a tenant, where nobody but Eclusa reaches it and it reaches nobody.

use std::collections::BTreeMap;

use eclusa_model::{FilesPlace, Release, ServiceName, StepName, TenantName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Exec, GateKind};

/// The name by which the services of a trial reach the server of the copy's database, at the server's own port.
pub const TRIAL_DATABASE: &str = "eclusa-database";

/// A copy on which an application is tried. Gates with a trial are asked of it, and of nothing that is live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// What everything of it is named by: containers, network, directory. No two plans have the same.
    pub name: String,
    /// Whose copy.
    pub tenant: TenantName,
    /// The name of the database that holds the copy.
    pub database: String,
    /// The service like which a server is started for the copy alone; none: the copy lies on the live server, under another
    /// name and an account of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<ServiceName>,
}

/// Something done of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialOperation {
    /// What.
    pub operation: TrialStep,
    /// Of which.
    pub trial: Trial,
}

/// Where the copy's server is, as the services of the stack reach it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialDatabase {
    /// Its host: a service of the stack, a name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// What the copy of a tenant is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialCopy {
    /// The live directory inside which the copy's files are made; where a server is not the copy's own, it is that in which
    /// each tenant has a directory.
    pub sites: FilesPlace,
    /// Where each set of files lies in the tenant's directory.
    pub sets: BTreeMap<String, String>,
    /// The other directories of a tenant.
    pub directories: Vec<String>,
    /// What lies in the directory of the sites and is shared by all: copied where it is there.
    pub shared: Vec<String>,
    /// The file of the tenant's settings, in its directory; the restore point holds it. Empty: there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub settings_file: String,
    /// What becomes of its members; null: removed. The database and a password of its own are added.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, Option<Value>>,
    /// The shared file of settings; empty: there is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub shared_settings_file: String,
    /// What becomes of its members; null: removed.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shared_settings: BTreeMap<String, Option<Value>>,
}

/// What is started on the copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialServices {
    /// The release whose images run; none: that of the restore point, or where it names none, what runs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
    /// What serves requests, without what stands in front.
    pub web: Vec<ServiceName>,
    /// What stands in front: it is what gates ask.
    pub frontend: ServiceName,
    /// Caches and queues: empty ones are started under their names.
    pub caches: Vec<ServiceName>,
    /// The server of the copy's database.
    pub database: TrialDatabase,
    /// The service whose networks lead to it.
    pub through: ServiceName,
    /// How long all of it may take to become healthy, in seconds.
    pub healthy_within: u64,
}

/// What is done of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrialStep {
    /// Restores a point into a database and a directory of its own, and gives the copy its settings and its account.
    /// Outputs: `copied-seconds`.
    Fill {
        /// The restore point.
        point: String,
        /// The mirror it is read from; none: the vault.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// What it is made of.
        copy: TrialCopy,
    },
    /// Compares the copy with the point's manifest, and records that the point was proved.
    /// Outputs: `point`, `rows`, `files`, `bytes`, `seconds` (with those of `Fill`).
    Prove {
        /// The restore point.
        point: String,
        /// The mirror it was read from; none: the vault.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// What it is made of.
        copy: TrialCopy,
        /// The step that filled it.
        filled: StepName,
    },
    /// Starts the application, in place of what was started on the copy before.
    Start {
        /// The restore point. Where no release is wanted, the one that wrote it is started.
        point: String,
        /// The mirror it was read from; none: the vault.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// What.
        services: TrialServices,
        /// As in [`TrialCopy::sites`].
        sites: FilesPlace,
    },
    /// Runs a command in what was started.
    Run {
        /// The command.
        exec: Exec,
    },
    /// Starts something else on the copy as it is now, asks it, and writes down whether it works. That it does not is an
    /// answer and no failure. Outputs: `works` (`yes`, `no`), `problem`.
    Works {
        /// The restore point. Where no release is wanted, the one that wrote it is started.
        point: String,
        /// What is started, in place of what was.
        services: TrialServices,
        /// As in [`TrialCopy::sites`].
        sites: FilesPlace,
        /// What is asked.
        gates: Vec<GateKind>,
    },
    /// Ends what runs and removes all of it. Idempotent.
    End {
        /// As in [`TrialCopy::sites`].
        sites: FilesPlace,
    },
}

impl TrialStep {
    /// The word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Fill { .. } => "fill",
            Self::Prove { .. } => "prove",
            Self::Start { .. } => "start",
            Self::Run { .. } => "run",
            Self::Works { .. } => "works",
            Self::End { .. } => "end",
        }
    }
}
