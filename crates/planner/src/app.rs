//! What a planner must know of an application: which commands do what, never how they are run.

use eclusa_config::Stack;
use eclusa_model::{AppKind, Release, ServiceName, TenantName};
use eclusa_runbook::{Exec, Place};

/// A command with the name that its step gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCommand {
    /// A short name, such as `check-deploy`.
    pub name: String,
    /// The command.
    pub exec: Exec,
    /// How long it may take, in seconds.
    pub timeout: u64,
}

/// The application's tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestRun {
    /// The command, with the scratch database's name in its environment where `scratch` says so.
    pub exec: Exec,
    /// Whether a scratch database is made for it.
    pub scratch: bool,
    /// How long it may take, in seconds.
    pub timeout: u64,
}

/// An application: pure knowledge of its commands.
pub trait App: Send + Sync {
    /// Which one it is.
    fn kind(&self) -> AppKind;

    /// Its own checks of a candidate, which change nothing.
    fn checks(&self, stack: &Stack, candidate: &Place) -> Vec<NamedCommand>;

    /// Its tests in a candidate; `scratch` is the name of the database they get.
    fn tests(&self, stack: &Stack, candidate: &Place, scratch: &str) -> Option<TestRun>;

    /// Prints the migrations that are pending for a tenant, one a line.
    fn pending(&self, stack: &Stack, tenant: &TenantName, release: &Release, place: &Place) -> Option<Exec>;

    /// Brings a tenant's schema and data to the release.
    fn migrate(&self, stack: &Stack, tenant: &TenantName, release: &Release, place: &Place) -> Option<Exec>;

    /// Collects the static files of a release.
    fn collect_static(&self, stack: &Stack, place: &Place) -> Option<Exec>;

    /// Makes demo data.
    fn seed(&self, stack: &Stack, place: &Place) -> Vec<NamedCommand>;

    /// The service in whose image commands of the release run.
    fn command_service(&self, stack: &Stack) -> Option<ServiceName> {
        stack.services.migrate_in.clone().or_else(|| stack.services.web.first().cloned())
    }
}
