//! One stack in memory, which all fakes share: what runs, what is pinned, whose data is what, who may enter.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{
    AppKind, CandidateObservation, DatabasePlace, DiskObservation, EdgeObservation, FilesPlace, Fingerprint,
    FingerprintKey, Health, ImagePin, OBSERVATION_FORMAT, Observation, PointId, Release, ReleaseSource,
    RuntimeKind, ServiceName, ServiceObservation, ServiceRole, ServiceState, StackName, Tenant, TenantName,
    TenantObservation,
};
use eclusa_ports::{GateState, Hold, LeaseHolder, PointManifest};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::{Script, Trouble};

/// What a tenant's database holds: rows that clients wrote, and the migrations that were applied.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Data {
    /// The numbers of the writes.
    pub rows: BTreeSet<u64>,
    /// The migrations.
    pub migrations: BTreeSet<String>,
}

/// A tenant's databases.
#[derive(Debug, Clone, Default)]
pub struct Databases {
    pub live: Data,
    pub beside: BTreeMap<String, Data>,
    pub kept: BTreeMap<String, Data>,
    pub scratch: BTreeSet<String>,
}

/// A service.
#[derive(Debug, Clone)]
pub struct Service {
    pub role: ServiceRole,
    pub running: Option<String>,
}

/// A tenant's gate.
#[derive(Debug, Clone)]
pub struct Gate {
    pub state: GateState,
    pub run: Option<String>,
}

/// A restore point.
#[derive(Debug, Clone)]
pub struct StoredPoint {
    pub manifest: PointManifest,
    pub mark: String,
    pub streams: BTreeMap<String, Vec<u8>>,
    pub files: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
}

/// A command that a dead runner left running in a container.
#[derive(Debug, Clone)]
pub struct Leftover {
    pub argv: Vec<String>,
    pub release: String,
    pub ticks: u32,
}

/// Everything that is there.
#[derive(Default)]
pub struct State {
    pub services: BTreeMap<ServiceName, Service>,
    pub pinned: Option<Release>,
    /// The migrations that each release holds.
    pub releases: BTreeMap<String, BTreeSet<String>>,
    pub prepared: BTreeSet<String>,
    pub databases: BTreeMap<TenantName, Databases>,
    pub directories: BTreeMap<PathBuf, BTreeMap<String, Vec<u8>>>,
    pub edge: bool,
    pub gates: BTreeMap<TenantName, Gate>,
    pub lease: Option<(LeaseHolder, u64)>,
    pub points: BTreeMap<TenantName, Vec<StoredPoint>>,
    pub holds: BTreeMap<TenantName, BTreeMap<PointId, Hold>>,
    pub running: BTreeMap<String, Leftover>,
    /// Switched on and off by the command `flag on NAME`, as a hook would.
    pub flags: BTreeSet<String>,
    pub host_files: BTreeMap<PathBuf, Vec<u8>>,
    /// Releases whose answers are wrong.
    pub broken: BTreeSet<String>,
    /// Tenants whose data may be of another release than what runs, as long as their gate is closed.
    pub behind: BTreeSet<TenantName>,
    /// Commands (joined by spaces) that fail.
    pub failing: BTreeSet<String>,
    pub log: Vec<(Timestamp, ServiceName, String)>,
    pub moved: bool,
    pub free_percent: u64,
    /// What each tenant's clients were told is written.
    pub acknowledged: BTreeMap<TenantName, BTreeSet<u64>>,
    pub writes: u64,
    pub violations: Vec<String>,
    /// The names of all operations, in order.
    pub operations: Vec<String>,
    script: Script,
}

impl State {
    pub(crate) fn violated(&mut self, what: impl Into<String>) {
        let at = self.operations.last().cloned().unwrap_or_default();
        self.violations.push(format!("{} (at {at}, number {})", what.into(), self.operations.len()));
    }

    fn of_roles(&self, roles: &[ServiceRole]) -> impl Iterator<Item = (&ServiceName, &Service)> {
        let roles = roles.to_vec();
        self.services.iter().filter(move |(_, service)| roles.contains(&service.role))
    }

    /// Whether anything that writes runs.
    #[must_use]
    pub fn writers(&self) -> bool {
        let roles = [ServiceRole::Web, ServiceRole::Worker, ServiceRole::Scheduler];
        self.of_roles(&roles).any(|(_, service)| service.running.is_some())
    }

    /// The release under which every serving service runs.
    #[must_use]
    pub fn serving(&self) -> Option<String> {
        let mut releases =
            self.of_roles(&[ServiceRole::Web, ServiceRole::Frontend]).map(|(_, s)| s.running.clone());
        let first = releases.next()??;
        releases.all(|release| release.as_ref() == Some(&first)).then_some(first)
    }

    /// Whether a release's code runs on a tenant's data.
    #[must_use]
    pub fn fits(&self, release: &str, tenant: &TenantName) -> bool {
        self.releases.get(release) == self.databases.get(tenant).map(|databases| &databases.live.migrations)
    }

    /// Clients write wherever a gate is open, and commands that were left alone go on.
    fn tick(&mut self) {
        let tenants: Vec<TenantName> = self.databases.keys().cloned().collect();
        for tenant in tenants {
            // A worker does its jobs whether the gate is open or not.
            let workers: Vec<String> =
                self.of_roles(&[ServiceRole::Worker]).filter_map(|(_, one)| one.running.clone()).collect();
            if workers.iter().any(|release| self.fits(release, &tenant)) {
                self.write(&tenant);
            }
            let open = !self.edge || self.gates.get(&tenant).is_none_or(|gate| gate.state == GateState::Open);
            if !open {
                continue;
            }
            match self.serving() {
                Some(release) if self.fits(&release, &tenant) => self.write(&tenant),
                Some(release) => {
                    self.violated(format!("{release} serves {tenant}, whose data is of another release"))
                }
                None if self.edge && self.writers_expected() => {
                    self.violated(format!("the gate of {tenant} is open and nothing serves"))
                }
                None => {}
            }
        }
        for mark in self.running.keys().cloned().collect::<Vec<_>>() {
            let Some(leftover) = self.running.get_mut(&mark) else { continue };
            leftover.ticks -= 1;
            if leftover.ticks == 0
                && let Some(leftover) = self.running.remove(&mark)
                && let Some(("migrate", tenant)) = migration(&leftover.argv)
                && let Some(all) = self.releases.get(&leftover.release).cloned()
                && let Some(databases) = self.databases.get_mut(&tenant)
            {
                databases.live.migrations = all;
            }
        }
    }

    /// A stack that was stopped on purpose serves nobody.
    fn writers_expected(&self) -> bool {
        self.pinned.is_some()
    }

    fn write(&mut self, tenant: &TenantName) {
        self.writes += 1;
        let number = self.writes;
        self.acknowledged.entry(tenant.clone()).or_default().insert(number);
        self.databases.get_mut(tenant).unwrap().live.rows.insert(number);
        if number.is_multiple_of(4) {
            let content = format!("upload {number}").into_bytes();
            self.directories.entry(media(tenant)).or_default().insert(format!("upload-{number}"), content);
        }
    }

    /// The pin of a release.
    #[must_use]
    pub fn release(&self, name: &str, with_images: bool) -> Release {
        let mut release = Release {
            name: name.to_owned(),
            source: ReleaseSource::Git { commit: commit(name) },
            images: BTreeMap::new(),
        };
        if with_images {
            for (service, _) in
                self.of_roles(&[ServiceRole::Web, ServiceRole::Worker, ServiceRole::Scheduler])
            {
                let pin = ImagePin { reference: format!("shop:{name}"), id: image_id(name), built: true };
                release.images.insert(service.clone(), pin);
            }
        }
        release
    }
}

fn commit(name: &str) -> String {
    format!("{name:0>40}").replace(|c: char| !c.is_ascii_hexdigit(), "0")
}

pub(crate) fn image_id(name: &str) -> String {
    format!("sha256:{name}")
}

/// The verb and the tenant of a command `app VERB TENANT`.
pub(crate) fn migration(argv: &[String]) -> Option<(&str, TenantName)> {
    match argv {
        [app, verb, tenant] if app == "app" => Some((verb.as_str(), TenantName::new(tenant.as_str()).ok()?)),
        _ => None,
    }
}

/// The directory of a tenant's files.
#[must_use]
pub fn media(tenant: &TenantName) -> PathBuf {
    Path::new("/world").join(tenant.as_str()).join("media")
}

struct Inner {
    state: Mutex<State>,
    crashed: watch::Sender<bool>,
}

/// One stack in memory.
#[derive(Clone)]
pub struct World(Arc<Inner>);

impl World {
    /// A stack with these tenants that runs release `v1`, with releases `v2` (changes the schema) and `v1b` (does not).
    #[must_use]
    pub fn new(tenants: &[&str], edge: bool) -> Self {
        let mut state = State { edge, free_percent: 50, ..State::default() };
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        state.releases.insert("v1".to_owned(), set(&["sales.0001_initial"]));
        state.releases.insert("v1b".to_owned(), set(&["sales.0001_initial"]));
        state.releases.insert("v2".to_owned(), set(&["sales.0001_initial", "sales.0002_discount"]));
        for (name, role) in [
            ("db", ServiceRole::Database),
            ("nginx", ServiceRole::Frontend),
            ("scheduler", ServiceRole::Scheduler),
            ("web", ServiceRole::Web),
            ("worker", ServiceRole::Worker),
        ] {
            let running = Some("v1".to_owned());
            state.services.insert(ServiceName::new(name).unwrap(), Service { role, running });
        }
        state.pinned = Some(state.release("v1", true));
        state.prepared.insert("v1".to_owned());
        for name in tenants {
            let tenant = TenantName::new(*name).unwrap();
            let live = Data { rows: BTreeSet::new(), migrations: state.releases["v1"].clone() };
            state.databases.insert(tenant.clone(), Databases { live, ..Databases::default() });
            state.directories.insert(media(&tenant), BTreeMap::new());
            if edge {
                state.gates.insert(tenant, Gate { state: GateState::Open, run: None });
            }
        }
        state.host_files.insert(PathBuf::from("/stack/.env"), b"SECRET=x\n".to_vec());
        Self(Arc::new(Inner { state: Mutex::new(state), crashed: watch::channel(false).0 }))
    }

    /// Looks at or changes what is there; no operation of a port.
    pub fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.state.lock().unwrap())
    }

    /// What shall go wrong. The operations are counted anew.
    pub fn script(&self, script: Script) {
        self.with(|state| {
            state.script = script;
            state.operations.clear();
        });
        self.0.crashed.send_replace(false);
    }

    /// Waits until the script has crashed the process.
    pub async fn crashed(&self) {
        let mut seen = self.0.crashed.subscribe();
        let _ = seen.wait_for(|crashed| *crashed).await;
    }

    /// A new process is started; the script goes on.
    pub fn alive_again(&self) {
        self.0.crashed.send_replace(false);
    }

    /// Nothing more goes wrong; what was counted stays.
    pub fn calm(&self) {
        self.with(|state| state.script = Script::default());
        self.0.crashed.send_replace(false);
    }

    /// An operation without parts.
    pub(crate) async fn step<T>(
        &self,
        name: impl Into<String>,
        effect: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<T> {
        self.parts(name, |_| Ok(()), effect).await
    }

    /// An operation that can be cut off between its two parts.
    pub(crate) async fn parts<T>(
        &self,
        name: impl Into<String>,
        first: impl FnOnce(&mut State) -> Result<()>,
        second: impl FnOnce(&mut State) -> Result<T>,
    ) -> Result<T> {
        tokio::task::yield_now().await;
        let name = name.into();
        let failed = || Fault::new(Code::CommandFailed).with("command", &name).with("status", "the script");
        let trouble = self.with(|state| {
            state.operations.push(name.clone());
            state.tick();
            state.script.trouble(&state.operations)
        });
        match trouble {
            Some(Trouble::FailBefore) => return Err(failed()),
            Some(Trouble::CrashBefore) => self.crash().await,
            _ => {}
        }
        self.with(first)?;
        match trouble {
            Some(Trouble::FailDuring) => return Err(failed()),
            Some(Trouble::CrashDuring) => self.crash().await,
            _ => {}
        }
        let done = self.with(second)?;
        match trouble {
            Some(Trouble::FailAfter) => return Err(failed()),
            Some(Trouble::CrashAfter) => self.crash().await,
            _ => {}
        }
        tokio::task::yield_now().await;
        Ok(done)
    }

    async fn crash(&self) {
        self.0.crashed.send_replace(true);
        std::future::pending::<()>().await;
    }

    /// What must never happen and did.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.with(|state| state.violations.clone())
    }

    /// The stack as an observation, with a release that is asked for.
    #[must_use]
    pub fn observation(&self, stack: &StackName, candidate: Option<&str>, at: Timestamp) -> Observation {
        self.with(|state| Observation {
            format: OBSERVATION_FORMAT,
            stack: stack.clone(),
            at,
            app: AppKind::Generic,
            runtime: RuntimeKind::Compose,
            release: state.pinned.clone(),
            services: state.services.iter().map(|(name, service)| observed(name, service)).collect(),
            tenants: state
                .databases
                .iter()
                .map(|(name, databases)| observed_tenant(name, databases))
                .collect(),
            unusable_sites: BTreeMap::new(),
            maintenance: BTreeMap::new(),
            erasures: BTreeMap::new(),
            candidate: candidate.map(|name| CandidateObservation {
                release: state.release(name, false),
                migrations: state.releases.get(name).map(|all| all.iter().cloned().collect()),
                dependencies_change: false,
                image_present: false,
            }),
            edge: state.edge.then(|| EdgeObservation {
                answers: true,
                gates: state.gates.keys().map(|name| (name.clone(), "open".to_owned())).collect(),
                closed_by: BTreeMap::new(),
            }),
            disks: vec![DiskObservation {
                purpose: "vault".to_owned(),
                path: "/stack".to_owned(),
                total_bytes: 100_000_000_000,
                free_bytes: 50_000_000_000,
            }],
            lease: None,
            files: BTreeMap::new(),
        })
    }

    /// The fingerprint that the fake observer answers with.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let word: &[u8] = if self.with(|state| state.moved) { b"moved" } else { b"as it was" };
        Fingerprint::of_bytes(&FingerprintKey::new([7; 32]), word)
    }
}

pub(crate) fn observed(name: &ServiceName, service: &Service) -> ServiceObservation {
    ServiceObservation {
        name: name.clone(),
        role: service.role,
        state: if service.running.is_some() { ServiceState::Running } else { ServiceState::Absent },
        health: Health::Healthy,
        image: None,
        image_id: service.running.as_deref().map(image_id),
        release: service.running.clone(),
        started_at: None,
        restarts: 0,
        instance: service.running.as_ref().map(|_| format!("{name}-1")),
    }
}

/// A tenant as configuration and observation have it.
#[must_use]
pub fn tenant(name: &TenantName) -> Tenant {
    Tenant {
        name: name.clone(),
        domains: vec![format!("{name}.example.org")],
        database: DatabasePlace::Postgresql {
            service: ServiceName::new("db").unwrap(),
            name: name.to_string(),
            user: "shop".to_owned(),
            password: None,
        },
        files: vec![FilesPlace::Directory {
            name: "media".to_owned(),
            path: media(name).display().to_string(),
        }],
        configuration: vec!["/stack/.env".to_owned()],
        service_configuration: Vec::new(),
    }
}

fn observed_tenant(name: &TenantName, databases: &Databases) -> TenantObservation {
    TenantObservation {
        tenant: tenant(name),
        database_version: Some("15.8".to_owned()),
        database_bytes: Some(1),
        keeps_log: false,
        files_bytes: Some(1),
        migrations: Some(databases.live.migrations.iter().cloned().collect()),
        pending: None,
        site: None,
        trouble: None,
    }
}
