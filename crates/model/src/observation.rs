//! What is there now. Part of it decides a plan and is in the fingerprint; the rest (sizes, free disk, times)
//! only informs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    AppKind, Fingerprint, FingerprintKey, PersonName, Release, RunId, RuntimeKind, ServiceName, ServiceRole,
    StackName, Tenant, TenantName,
};

/// The format of an observation.
pub const OBSERVATION_FORMAT: u32 = 1;

/// Whether a service runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// It runs.
    Running,
    /// It was started and has ended.
    Exited,
    /// It exists and was never started, or it does not exist.
    Absent,
    /// It is being restarted over and over.
    Restarting,
}

impl ServiceState {
    /// What somebody wants of it, as far as its state shows: a service that dies again and again is seen running at one
    /// moment and restarting at the next, and neither makes a plan stale.
    fn wanted(self) -> Self {
        if self == Self::Restarting { Self::Running } else { self }
    }
}

/// What a service's own health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// It has no health check.
    None,
    /// It has not yet passed one.
    Starting,
    /// It passes.
    Healthy,
    /// It fails.
    Unhealthy,
}

/// One service as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceObservation {
    /// Its name.
    pub name: ServiceName,
    /// What it does.
    pub role: ServiceRole,
    /// Whether it runs.
    pub state: ServiceState,
    /// What its health check says.
    pub health: Health,
    /// The image reference it was made from, or the command line of a process.
    pub image: Option<String>,
    /// The image id that runs.
    pub image_id: Option<String>,
    /// The release that Eclusa pinned it to, read from its label. `None`: started without Eclusa's override.
    pub release: Option<String>,
    /// When it was started.
    pub started_at: Option<Timestamp>,
    /// How often the engine restarted it.
    pub restarts: u32,
    /// The container id or PID.
    pub instance: Option<String>,
}

/// One tenant as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantObservation {
    /// Who it is and where its data is.
    pub tenant: Tenant,
    /// The version of its database server; `None` when it does not answer.
    pub database_version: Option<String>,
    /// The size of its database in bytes.
    pub database_bytes: Option<u64>,
    /// Whether the server keeps a log of what is written, from which any moment can be brought back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_log: bool,
    /// The size of its files in bytes.
    pub files_bytes: Option<u64>,
    /// The migrations that are applied, as the application names them; `None` when it cannot be known now.
    pub migrations: Option<Vec<String>>,
    /// What the candidate would still have to migrate, where the application can say so itself beforehand.
    pub pending: Option<Vec<String>>,
    /// What the application itself says of the tenant, where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteObservation>,
    /// Why something above is not known.
    pub trouble: Option<String>,
}

/// What an application with many sites says of one of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteObservation {
    /// Whether the application's own maintenance mode is on.
    pub maintenance: bool,
    /// Whether its jobs by the clock are paused.
    pub scheduler_paused: bool,
}

/// The release that a plan would bring, as far as it can be known without changing anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateObservation {
    /// The release.
    pub release: Release,
    /// The migrations it holds, as the application names them; `None` when they cannot be known beforehand.
    pub migrations: Option<Vec<String>>,
    /// Whether third-party code changes too (a requirements file differs), so that migrations may come from there.
    pub dependencies_change: bool,
    /// Whether an image of it is here already.
    pub image_present: bool,
}

/// The edge as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeObservation {
    /// Whether it answers.
    pub answers: bool,
    /// Per tenant: `open`, `held` or `closed`.
    pub gates: BTreeMap<TenantName, String>,
    /// Per closed tenant, the run that closed it.
    pub closed_by: BTreeMap<TenantName, String>,
}

/// The room on a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskObservation {
    /// What is kept there: `data`, `vault`, `state`.
    pub purpose: String,
    /// The path that was measured.
    pub path: String,
    /// Its size in bytes.
    pub total_bytes: u64,
    /// What this user may still write, in bytes.
    pub free_bytes: u64,
}

/// Who holds the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseObservation {
    /// The run it is held for.
    pub run: RunId,
    /// The holder as a person reads it: host and process.
    pub holder: String,
    /// Whether the holder is known to live; `None` when that cannot be known from here.
    pub alive: Option<bool>,
    /// How often the lease changed hands.
    pub generation: u64,
}

/// Who keeps a tenant closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceOwner {
    /// Who asked for it.
    pub by: PersonName,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Until when it was meant; it does not end by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// The run that closed it.
    pub run: RunId,
    /// The release that its data could not be brought to, while the code of all tenants was: before its gate opens it is
    /// asked whether that has been done since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmigrated: Option<String>,
}

/// One stack as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The format: [`OBSERVATION_FORMAT`].
    pub format: u32,
    /// The stack.
    pub stack: StackName,
    /// When it was looked at.
    pub at: Timestamp,
    /// What is run.
    pub app: AppKind,
    /// What runs it.
    pub runtime: RuntimeKind,
    /// The release that runs now, as far as it is known.
    pub release: Option<Release>,
    /// The services in the order of their names.
    pub services: Vec<ServiceObservation>,
    /// The tenants in the order of their names.
    pub tenants: Vec<TenantObservation>,
    /// Sites that are there and cannot be used, with why: a plan that should move all tenants would leave them behind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unusable_sites: BTreeMap<String, String>,
    /// The tenants that someone keeps closed, with who and why. No release, restore or rollback opens them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub maintenance: BTreeMap<TenantName, MaintenanceOwner>,
    /// How many erasures of persons the ledger of a tenant holds, where it holds any: a restore replays them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub erasures: BTreeMap<TenantName, usize>,
    /// The release that was asked for, if one was.
    pub candidate: Option<CandidateObservation>,
    /// The edge, if one is installed.
    pub edge: Option<EdgeObservation>,
    /// The disks.
    pub disks: Vec<DiskObservation>,
    /// Who holds the stack.
    pub lease: Option<LeaseObservation>,
    /// The fingerprint of the user's own files (Compose files, env file) and of `eclusa.toml`, by name.
    pub files: BTreeMap<String, Fingerprint>,
}

/// The part of a tenant's observation that decides a plan.
#[derive(Serialize)]
struct DecidingTenant<'a> {
    tenant: &'a Tenant,
    database_version: &'a Option<String>,
    migrations: &'a Option<Vec<String>>,
    pending: &'a Option<Vec<String>>,
    site: &'a Option<SiteObservation>,
}

/// The part of an observation that decides a plan.
#[derive(Serialize)]
struct Deciding<'a> {
    format: u32,
    stack: &'a StackName,
    app: AppKind,
    runtime: RuntimeKind,
    release: &'a Option<Release>,
    services: Vec<(&'a ServiceName, ServiceRole, ServiceState, &'a Option<String>)>,
    tenants: Vec<DecidingTenant<'a>>,
    unusable_sites: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    maintenance: &'a BTreeMap<TenantName, MaintenanceOwner>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    erasures: &'a BTreeMap<TenantName, usize>,
    candidate: Option<(&'a Release, &'a Option<Vec<String>>, bool)>,
    gates: Option<&'a BTreeMap<TenantName, String>>,
    files: &'a BTreeMap<String, Fingerprint>,
}

impl Observation {
    /// The fingerprint of what decides a plan: not the time, sizes, restarts, health or free disk.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which would be a fault in this type.
    pub fn fingerprint(&self, key: &FingerprintKey) -> Result<Fingerprint, serde_json::Error> {
        let deciding = Deciding {
            format: self.format,
            stack: &self.stack,
            app: self.app,
            runtime: self.runtime,
            release: &self.release,
            services: self
                .services
                .iter()
                .map(|s| (&s.name, s.role, s.state.wanted(), &s.image_id))
                .collect(),
            tenants: self
                .tenants
                .iter()
                .map(|t| DecidingTenant {
                    tenant: &t.tenant,
                    database_version: &t.database_version,
                    migrations: &t.migrations,
                    pending: &t.pending,
                    site: &t.site,
                })
                .collect(),
            unusable_sites: &self.unusable_sites,
            maintenance: &self.maintenance,
            erasures: &self.erasures,
            // Whether an image of it is here already changes nothing about what has to be done.
            candidate: self.candidate.as_ref().map(|c| (&c.release, &c.migrations, c.dependencies_change)),
            gates: self.edge.as_ref().map(|e| &e.gates),
            files: &self.files,
        };
        Fingerprint::of(key, &deciding)
    }

    /// The service of a name.
    #[must_use]
    pub fn service(&self, name: &ServiceName) -> Option<&ServiceObservation> {
        self.services.iter().find(|s| s.name == *name)
    }

    /// The services of a role.
    pub fn services_of(&self, role: ServiceRole) -> impl Iterator<Item = &ServiceObservation> {
        self.services.iter().filter(move |s| s.role == role)
    }
}

#[cfg(test)]
mod tests {
    use super::ServiceState;

    #[test]
    fn a_service_that_dies_again_and_again_makes_no_plan_stale_and_one_that_was_stopped_does() {
        assert_eq!(ServiceState::Restarting.wanted(), ServiceState::Running.wanted());
        assert_ne!(ServiceState::Exited.wanted(), ServiceState::Running.wanted());
        assert_ne!(ServiceState::Absent.wanted(), ServiceState::Running.wanted());
    }
}
