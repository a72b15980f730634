//! What a planner must know of an application: which commands do what, never how they are run.

use std::collections::BTreeMap;

use eclusa_config::Stack;
use eclusa_fault::Message;
use eclusa_model::{AppKind, FilesPlace, Release, ServiceName, Tenant, TenantName, TenantObservation};
use eclusa_runbook::{
    Effect, Exec, Expect, GateKind, OnNoGo, Place, PointReference, Scrub, TrialCopy, TrialServices,
};

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

/// What changes something, with what takes it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reversible {
    /// A short name, such as `maintenance`.
    pub name: String,
    /// What it does, for people.
    pub title: Message,
    /// The change, most often a command. To make it twice is the same as to make it once.
    pub change: Effect,
    /// What takes it back, or why nothing has to.
    pub back: Back,
    /// How long it may take, in seconds.
    pub timeout: u64,
}

/// How a change of an application's is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Back {
    /// By another change.
    By(Effect),
    /// Nothing has to be done.
    Nothing(Message),
}

/// Settings in a file of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Whose they are; of a file that all share, the tenant whose restore point has it.
    pub tenant: TenantName,
    /// Whether all share the file.
    pub shared: bool,
    /// The file.
    pub file: FilesPlace,
    /// The members and what they become; none: they are removed.
    pub values: BTreeMap<String, Option<serde_json::Value>>,
}

/// What a copy of a tenant under another name is, and what must not go along with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloneShape {
    /// The copy, as a tenant.
    pub tenant: Tenant,
    /// The directory in which each tenant has one of its own.
    pub sites: FilesPlace,
    /// Where each set of files lies in it.
    pub sets: BTreeMap<String, String>,
    /// The other directories of a tenant.
    pub directories: Vec<String>,
    /// What is taken out of the copy's database.
    pub scrub: Vec<Scrub>,
    /// What succeeds when the application can use the copy.
    pub proof: Exec,
}

/// How the application is started on a copy of a tenant's data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialShape {
    /// The service like which a server is started for the copy alone; none: the copy lies on the live server.
    pub server: Option<ServiceName>,
    /// What the copy is made of.
    pub copy: TrialCopy,
    /// What is started.
    pub services: TrialServices,
}

/// A gate of the application's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedGate {
    /// A short name, such as `pages`.
    pub name: String,
    /// What is asked, for people.
    pub title: Message,
    /// What is asked.
    pub kind: GateKind,
    /// What a no-go leads to.
    pub on_no_go: OnNoGo,
    /// How long it may take, in seconds.
    pub timeout: u64,
}

/// Where an application writes log files of a single tenant, and how they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFiles {
    /// What holds the data of all tenants.
    pub place: FilesPlace,
    /// The directory of the files, relative to the place. Each file in it whose name ends with `.log` is read.
    pub directory: String,
    /// The names of files that are not for whoever looks for an error.
    pub except: Vec<String>,
    /// The time in UTC that an entry begins with, as strptime writes it. Lines that begin otherwise go on with the entry
    /// before them.
    pub time: String,
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

    /// What must hold of a candidate for a tenant before anything is changed.
    fn candidate_gates(&self, stack: &Stack, tenant: &TenantName, candidate: &Place) -> Vec<NamedGate> {
        let _ = (stack, tenant, candidate);
        Vec::new()
    }

    /// Whether nothing of the tenant's runs or waits to run; asked once nobody is served any more.
    fn idle(&self, stack: &Stack, tenant: &TenantName) -> Option<NamedGate> {
        let _ = (stack, tenant);
        None
    }

    /// What the application itself does to close a tenant, done while the release before still runs.
    fn closing(&self, stack: &Stack, tenant: &TenantObservation) -> Vec<Reversible> {
        let _ = (stack, tenant);
        Vec::new()
    }

    /// The opposite of [`App::closing`], done when the new release runs and before it is judged.
    fn reopening(&self, stack: &Stack, tenant: &TenantObservation) -> Vec<Reversible> {
        let _ = (stack, tenant);
        Vec::new()
    }

    /// What must not be carried over from one release to another, in either direction. Done when a release is pinned
    /// and nothing of it runs.
    fn after_pin(&self, stack: &Stack, to: &Release, from: Option<&Release>) -> Vec<Reversible> {
        let _ = (stack, to, from);
        Vec::new()
    }

    /// Settings that the release brings with it, each with its way back to what it was at a tenant's restore point.
    fn settings(&self, stack: &Stack, tenants: &[Tenant]) -> Vec<Setting> {
        let _ = (stack, tenants);
        Vec::new()
    }

    /// What the application itself does to close a tenant for longer than a run, or to open it again.
    fn maintenance(&self, stack: &Stack, tenant: &Tenant, on: bool) -> Option<Reversible> {
        let _ = (stack, tenant, on);
        None
    }

    /// What is emptied when a tenant's data changes under code that stays, and again when it is taken back.
    fn caches(&self, stack: &Stack, tenant: &TenantName) -> Vec<Reversible> {
        let _ = (stack, tenant);
        Vec::new()
    }

    /// Succeeds where the release that runs has an app.
    fn offered(&self, stack: &Stack, app: &str) -> Option<Exec> {
        let _ = (stack, app);
        None
    }

    /// Succeeds where an app is installed for a tenant.
    fn has_app(&self, stack: &Stack, tenant: &TenantName, app: &str, place: &Place) -> Option<Exec> {
        let _ = (stack, tenant, app, place);
        None
    }

    /// Installs an app for a tenant.
    fn install_app(&self, stack: &Stack, tenant: &TenantName, app: &str, place: &Place) -> Option<Exec> {
        let _ = (stack, tenant, app, place);
        None
    }

    /// What must hold of each tenant under the new release before the gate opens.
    fn served_gates(&self, stack: &Stack, tenant: &Tenant) -> Vec<NamedGate> {
        let _ = (stack, tenant);
        Vec::new()
    }

    /// What must hold of each tenant's data beside its restore point, once everything else was asked under the new
    /// release and nothing works in the background yet.
    fn settled_gates(&self, stack: &Stack, tenant: &TenantName, point: &PointReference) -> Vec<NamedGate> {
        let _ = (stack, tenant, point);
        Vec::new()
    }

    /// Whether nothing is left to be done for a tenant's data to be of a release, asked of what runs; none where the
    /// application cannot say so.
    fn migrated(
        &self,
        stack: &Stack,
        tenant: &TenantName,
        release: &Release,
        place: &Place,
    ) -> Option<NamedGate> {
        let exec = self.pending(stack, tenant, release, place)?;
        Some(NamedGate {
            name: "migrated".to_owned(),
            title: Message::new("step-none-pending").with("tenant", tenant),
            kind: GateKind::PendingMigrations { exec, expected: Some(Vec::new()), allowed: false },
            on_no_go: OnNoGo::Back,
            timeout: 300,
        })
    }

    /// What must go through the queues once the workers run. What it leaves there is named by `mark`, which no other
    /// plan has.
    fn queue_gates(&self, stack: &Stack, tenants: &[Tenant], mark: &str) -> Vec<(TenantName, NamedGate)> {
        let _ = (stack, tenants, mark);
        Vec::new()
    }

    /// What must go through queues before anything is changed, where nobody said that somebody works on them.
    fn queue_gates_before(
        &self,
        stack: &Stack,
        tenants: &[Tenant],
        mark: &str,
    ) -> Vec<(TenantName, NamedGate)> {
        let _ = (stack, tenants, mark);
        Vec::new()
    }

    /// What must hold of each tenant once the scheduler runs.
    fn ticking_gates(&self, stack: &Stack, tenant: &TenantName) -> Vec<NamedGate> {
        let _ = (stack, tenant);
        Vec::new()
    }

    /// What must hold of each tenant once the workers run.
    fn working_gates(&self, stack: &Stack, tenant: &Tenant) -> Vec<NamedGate> {
        let _ = (stack, tenant);
        Vec::new()
    }

    /// Prints a tenant's apps with their versions, one a line.
    fn apps(&self, stack: &Stack, tenant: &TenantName) -> Option<Exec> {
        let _ = (stack, tenant);
        None
    }

    /// Where a tenant's own log files are; none where its services alone say what happens.
    fn log_files(&self, stack: &Stack, tenant: &Tenant) -> Option<LogFiles> {
        let (_, _) = (stack, tenant);
        None
    }

    /// A copy of a tenant under another name; none where tenants cannot be made without changing the configuration.
    fn clone_shape(&self, stack: &Stack, from: &Tenant, to: &TenantName) -> Option<CloneShape> {
        let (_, _, _) = (stack, from, to);
        None
    }

    /// How the application is started on a copy of a tenant's data; none where it cannot be.
    fn trial_shape(&self, stack: &Stack, tenant: &Tenant) -> Option<TrialShape> {
        let (_, _) = (stack, tenant);
        None
    }

    /// Whether people make customizations in a tenant's data, which are recorded before and after a release.
    fn has_customizations(&self) -> bool {
        false
    }

    /// A command of an operator's own for a tenant, where commands of the running release run.
    fn command(&self, stack: &Stack, tenant: &TenantName, argv: &[String]) -> Option<Exec> {
        let _ = tenant;
        let service = self.command_service(stack)?;
        Some(Exec {
            place: Place::Service { service },
            argv: argv.to_vec(),
            environment: BTreeMap::new(),
            directory: None,
            expect: Expect::default(),
            unblock: None,
            stdin: None,
        })
    }

    /// The service in whose image commands of the release run.
    fn command_service(&self, stack: &Stack) -> Option<ServiceName> {
        stack.services.migrate_in.clone().or_else(|| stack.services.web.first().cloned())
    }
}
