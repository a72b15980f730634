//! Everything a plan is made from.

use std::collections::BTreeMap;

use eclusa_config::{OnFailure, Stack};
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{Fingerprint, Observation, Release, RuntimeKind, ServiceName, StackName, TenantName};
use eclusa_runbook::Reversibility;
use jiff::Timestamp;

use crate::App;

/// The release before the running one, and what is needed to go back to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousRelease {
    /// The release with its images.
    pub release: Release,
    /// The run that replaced it.
    pub run: String,
    /// How each tenant's data would go back.
    pub reversibility: BTreeMap<TenantName, Reversibility>,
    /// The restore points that the run took inside its closed window.
    pub points: BTreeMap<TenantName, String>,
    /// When the gate was opened, so that it is known how much was written since.
    pub opened_at: Option<Timestamp>,
}

/// What earlier runs tell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// The median duration of each step in milliseconds.
    pub durations: BTreeMap<String, u64>,
    /// The release before the running one.
    pub previous: Option<PreviousRelease>,
    /// The data sizes that restore points had, in bytes, to know how much room is needed.
    pub point_bytes: BTreeMap<TenantName, u64>,
    /// How much of that files were, where it is known.
    pub file_bytes: BTreeMap<TenantName, u64>,
    /// Releases that are older than those that are kept.
    pub outdated: Vec<Release>,
    /// What earlier, accepted restores and rollbacks swapped out and kept: the tenant and the suffix.
    pub kept: Vec<(TenantName, String)>,
}

/// Everything a plan is made from.
pub struct PlanInput<'a> {
    /// The stack's name.
    pub name: &'a StackName,
    /// Its configuration.
    pub stack: &'a Stack,
    /// What is there now.
    pub observation: &'a Observation,
    /// Its fingerprint.
    pub fingerprint: &'a Fingerprint,
    /// What is run.
    pub app: &'a dyn App,
    /// What earlier runs tell.
    pub history: &'a History,
    /// The version of Eclusa.
    pub version: &'a str,
    /// Now.
    pub now: Timestamp,
    /// A text that is new with each plan, from which scratch names are made: lower-case letters and digits.
    pub nonce: &'a str,
    /// The env files of the stack, absolute.
    pub env_files: Vec<String>,
    /// Where the vault is, absolute.
    pub vault_path: String,
    /// Where the ledgers of erased persons are, absolute: a directory for each tenant.
    pub persons_path: String,
    /// Whether a rollback's decision was overridden.
    pub overridden: bool,
    /// Whether backups are also restored and proved.
    pub prove: bool,
    /// What becomes of a release when one tenant's migration fails; none: what the configuration says.
    pub on_failure: Option<OnFailure>,
    /// The images, by service, with which every tenant was rehearsed; none: that was not asked for.
    pub rehearsed: Option<BTreeMap<String, String>>,
}

impl PlanInput<'_> {
    /// The service in whose image commands of the release run.
    ///
    /// # Errors
    /// `ServiceMissing`.
    pub(crate) fn command_service(&self) -> Result<ServiceName> {
        let missing = || Fault::new(Code::ServiceMissing).with("service", "web").with("known", "none");
        self.app.command_service(self.stack).ok_or_else(missing)
    }

    /// One of two wordings: where a release is images or a directory, or a bench beside the one that runs.
    pub(crate) fn worded(&self, usual: &'static str, bench: &'static str) -> &'static str {
        if self.stack.runtime == RuntimeKind::Supervisor { bench } else { usual }
    }
}
