//! Scenes: a text file with a configuration, a small observation and an intent, and a plan as text.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use eclusa_config::{Configuration, OnFailure};
use eclusa_fault::{Fault, Language};
use eclusa_model::{
    AppKind, CandidateObservation, DatabasePlace, DiskObservation, EdgeObservation, FilesPlace, Fingerprint,
    FingerprintKey, Health, ImagePin, MaintenanceOwner, OBSERVATION_FORMAT, Observation, Release,
    ReleaseSource, RuntimeKind, ServiceName, ServiceObservation, ServiceRole, ServiceState, SiteObservation,
    Tenant, TenantName, TenantObservation,
};
use eclusa_planner::{History, PlanInput, PreviousRelease};
use eclusa_runbook::{Action, Effect, Intent, Plan, Reversibility, Scope, SettingsOperation, Step, Undo};
use jiff::Timestamp;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub struct Candidate {
    pub name: String,
    pub migrations: Option<Vec<String>>,
    pub dependencies_change: bool,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Previous {
    pub name: String,
    pub how: Reversibility,
    pub points: BTreeMap<TenantName, String>,
    pub opened_minutes_ago: i64,
}

/// The observation of a scene, and the little else that decides a plan.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    pub release: Option<String>,
    pub tenants: BTreeMap<TenantName, Vec<String>>,
    pub edge: bool,
    pub candidate: Option<Candidate>,
    pub previous: Option<Previous>,
    #[serde(default)]
    pub closed: Vec<TenantName>,
    #[serde(default)]
    pub durations: BTreeMap<String, u64>,
    #[serde(default)]
    pub outdated: Vec<String>,
    #[serde(default)]
    pub overridden: bool,
    #[serde(default)]
    pub prove: bool,
    pub environment: Option<String>,
    /// How many erasures of persons the ledger of a tenant holds.
    #[serde(default)]
    pub erasures: BTreeMap<TenantName, usize>,
    /// Sites whose own maintenance mode is on.
    #[serde(default)]
    pub maintenance: Vec<TenantName>,
    #[serde(default)]
    pub unusable_sites: BTreeMap<String, String>,
    /// Tenants that someone keeps closed.
    #[serde(default)]
    pub owned: Vec<TenantName>,
    pub on_failure: Option<OnFailure>,
    /// With which images, by service, the candidate was rehearsed on every tenant.
    pub rehearsed: Option<BTreeMap<String, String>>,
    /// Tenants that the run before keeps closed, since their data could not be brought to v2.
    #[serde(default)]
    pub unmigrated: Vec<TenantName>,
    /// The bytes of the files in the last restore points.
    #[serde(default)]
    pub file_bytes: BTreeMap<TenantName, u64>,
    /// The queues that a bench's configuration names besides the usual ones.
    #[serde(default)]
    pub queues: Vec<String>,
}

pub struct Scene {
    pub configuration: Configuration,
    pub seen: Seen,
    pub intent: Intent,
}

fn now() -> Timestamp {
    Timestamp::from_second(1_767_225_600).unwrap()
}

fn release(name: &str, images: bool) -> Release {
    let pin = ImagePin { reference: format!("shop:{name}"), id: format!("sha256:{name}"), built: true };
    let services =
        ["web", "worker", "scheduler"].map(|service| (ServiceName::new(service).unwrap(), pin.clone()));
    Release {
        name: name.to_owned(),
        source: ReleaseSource::Git { commit: "0".repeat(40) },
        images: if images { services.into() } else { BTreeMap::new() },
    }
}

fn tenant(name: &TenantName) -> Tenant {
    Tenant {
        name: name.clone(),
        domains: vec![format!("{name}.example.org")],
        database: DatabasePlace::Postgresql {
            service: ServiceName::new("db").unwrap(),
            name: name.to_string(),
            user: "shop".to_owned(),
            password: None,
        },
        files: vec![FilesPlace::Directory { name: "media".to_owned(), path: format!("/data/{name}") }],
        configuration: Vec::new(),
        service_configuration: ["site_config.json", "common_site_config.json"]
            .map(|file| FilesPlace::Service {
                name: file.to_owned(),
                service: ServiceName::new("web").unwrap(),
                path: format!("/sites/{name}/{file}"),
            })
            .into(),
    }
}

/// The same as a site of a bench.
fn site(name: &TenantName) -> Tenant {
    let service = ServiceName::new("web").unwrap();
    let sites = eclusa_config::FrappeTable::default().sites();
    let place = |set: &str, inside: &str| FilesPlace::Service {
        name: set.to_owned(),
        service: service.clone(),
        path: format!("{sites}/{name}/{inside}"),
    };
    Tenant {
        database: DatabasePlace::Mariadb {
            service: ServiceName::new("db").unwrap(),
            host: None,
            port: None,
            name: format!("_{}", name.as_str().replace('.', "_")),
            user: "root".to_owned(),
            password: None,
        },
        files: vec![place("public-files", "public/files"), place("private-files", "private/files")],
        service_configuration: ["site_config.json", "common_site_config.json"]
            .map(|file| place(file, file))
            .into(),
        ..tenant(name)
    }
}

impl Seen {
    fn kept_closed(&self) -> BTreeMap<TenantName, MaintenanceOwner> {
        let owner = || MaintenanceOwner {
            by: "ana".parse().unwrap(),
            since: now(),
            reason: Some("stocktaking".to_owned()),
            until: None,
            run: "r-earlier".parse().unwrap(),
            unmigrated: None,
        };
        let owned = self.owned.iter().map(|tenant| (tenant.clone(), owner()));
        let unmigrated = self.unmigrated.iter().map(|tenant| {
            let owner = MaintenanceOwner { reason: None, unmigrated: Some("v2".to_owned()), ..owner() };
            (tenant.clone(), owner)
        });
        owned.chain(unmigrated).collect()
    }

    fn services(&self) -> Vec<ServiceObservation> {
        let mut services = vec![
            ("db", ServiceRole::Database),
            ("nginx", ServiceRole::Frontend),
            ("scheduler", ServiceRole::Scheduler),
            ("web", ServiceRole::Web),
            ("worker", ServiceRole::Worker),
        ];
        if self.edge {
            services.insert(1, ("eclusa-edge", ServiceRole::Edge));
        }
        let one = |(name, role): (&str, ServiceRole)| ServiceObservation {
            name: ServiceName::new(name).unwrap(),
            role,
            state: ServiceState::Running,
            health: Health::Healthy,
            image: None,
            image_id: None,
            release: self.release.clone(),
            started_at: None,
            restarts: 0,
            instance: Some(format!("{name}-1")),
        };
        services.into_iter().map(one).collect()
    }

    pub fn observation(&self, app: AppKind) -> Observation {
        let gate = |name: &TenantName| if self.closed.contains(name) { "closed" } else { "open" }.to_owned();
        Observation {
            format: OBSERVATION_FORMAT,
            stack: "shop".parse().unwrap(),
            at: now(),
            app,
            runtime: RuntimeKind::Compose,
            release: self.release.as_ref().map(|name| release(name, true)),
            services: self.services(),
            tenants: self
                .tenants
                .iter()
                .map(|(name, migrations)| TenantObservation {
                    tenant: if app == AppKind::Frappe { site(name) } else { tenant(name) },
                    database_version: Some("15.8".to_owned()),
                    database_bytes: None,
                    keeps_log: false,
                    files_bytes: None,
                    migrations: Some(migrations.clone()),
                    pending: None,
                    site: (app == AppKind::Frappe).then(|| SiteObservation {
                        maintenance: self.maintenance.contains(name),
                        scheduler_paused: false,
                    }),
                    trouble: None,
                })
                .collect(),
            unusable_sites: self.unusable_sites.clone(),
            maintenance: self.kept_closed(),
            erasures: self.erasures.clone(),
            candidate: self.candidate.as_ref().map(|candidate| CandidateObservation {
                release: release(&candidate.name, false),
                migrations: candidate.migrations.clone(),
                dependencies_change: candidate.dependencies_change,
                image_present: false,
            }),
            edge: self.edge.then(|| EdgeObservation {
                answers: true,
                gates: self.tenants.keys().map(|name| (name.clone(), gate(name))).collect(),
                closed_by: BTreeMap::new(),
            }),
            disks: vec![DiskObservation {
                purpose: "vault".to_owned(),
                path: "/stack".to_owned(),
                total_bytes: 100,
                free_bytes: 50,
            }],
            lease: None,
            files: BTreeMap::new(),
        }
    }

    fn history(&self) -> History {
        History {
            durations: self.durations.clone(),
            previous: self.previous.as_ref().map(|previous| PreviousRelease {
                release: release(&previous.name, true),
                run: "r-earlier".to_owned(),
                reversibility: self.tenants.keys().map(|name| (name.clone(), previous.how)).collect(),
                points: previous.points.clone(),
                opened_at: Some(now() - jiff::SignedDuration::from_mins(previous.opened_minutes_ago)),
            }),
            point_bytes: self.tenants.keys().map(|name| (name.clone(), 1000)).collect(),
            file_bytes: self.file_bytes.clone(),
            outdated: self.outdated.iter().map(|name| release(name, true)).collect(),
            ..History::default()
        }
    }
}

impl Scene {
    pub fn new(app: &str, more: &str, seen: Seen, intent: Intent) -> Self {
        let mut base = include_str!("../scenes/base.toml").replace("APP", app);
        if app == "frappe" {
            base = base.replace(
                "engine = \"postgresql\"\nname = \"shop\"\nuser = \"shop\"",
                "engine = \"mariadb\"\npassword = \"env:DB_ROOT_PASSWORD\"",
            );
        }
        let base = base.replace("ENVIRONMENT", seen.environment.as_deref().unwrap_or("production"));
        let text = format!("{base}\n{more}");
        let configuration = Configuration::parse(&text, Path::new("/stack/eclusa.toml"))
            .unwrap_or_else(|fault| panic!("{fault:#?}"));
        Self { configuration, seen, intent }
    }

    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let mut parts = text.split("--- ").skip(1).map(|part| part.split_once('\n').unwrap());
        let mut part = |wanted: &str| {
            let (name, text) = parts.next().unwrap();
            assert_eq!(name, wanted, "{}", path.display());
            text.to_owned()
        };
        let (configuration, seen, intent) = (part("configuration"), part("observation"), part("intent"));
        let seen = serde_json::from_str(&seen).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let intent =
            serde_json::from_str(&intent).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let bench = path.file_name().is_some_and(|name| name.to_string_lossy().contains("bench-"));
        Self::new(if bench { "frappe" } else { "django" }, &configuration, seen, intent)
    }

    pub fn plan(&self) -> Result<Plan, Fault> {
        let (name, stack) = self.configuration.stack(None).unwrap();
        let mut stack = stack.clone();
        if let Some(bench) = &mut stack.frappe {
            bench.gates.found_queues = self.seen.queues.clone();
        }
        let stack = &stack;
        let observation = self.seen.observation(stack.app);
        let fingerprint: Fingerprint = observation.fingerprint(&FingerprintKey::new([7; 32])).unwrap();
        eclusa_planner::plan(
            &PlanInput {
                name,
                stack,
                observation: &observation,
                fingerprint: &fingerprint,
                app: eclusa_testkit::app(stack.app),
                history: &self.seen.history(),
                version: "0.0.0",
                now: now(),
                nonce: "x1",
                env_files: vec!["/stack/.env".to_owned()],
                vault_path: "/stack/vault".to_owned(),
                persons_path: "/stack/persons".to_owned(),
                overridden: self.seen.overridden,
                prove: self.seen.prove,
                on_failure: self.seen.on_failure,
                rehearsed: self.seen.rehearsed.clone(),
            },
            &self.intent,
        )
    }
}

/// The inner words of a value's JSON: `exec`, `runtime/stop`, `edge/close`.
fn effect(effect: &Effect) -> String {
    let json = serde_json::to_value(effect).unwrap();
    let text = |name: &str| json.get(name).and_then(|value| value.as_str());
    let mut word = text("effect").unwrap_or_default().to_owned();
    if let Some(operation) = text("operation") {
        write!(word, "/{operation}").unwrap();
    }
    if let Some(kind) = text("kind") {
        write!(word, " {kind}").unwrap();
    }
    if let Effect::Settings(SettingsOperation::Set { tenant, file, values }) = effect {
        let values = serde_json::to_string(values).unwrap();
        write!(word, " {} of {tenant}: {values}", file.name()).unwrap();
    }
    if let Effect::Exec(exec) = effect {
        let place =
            serde_json::to_value(&exec.place).unwrap()["place"].as_str().unwrap_or_default().to_owned();
        write!(word, " {place}: {}", exec.argv.join(" ")).unwrap();
    }
    word
}

fn action(step: &Step) -> String {
    match &step.action {
        Action::Perform(one) => effect(one),
        Action::Judge(gate) => {
            let kind =
                serde_json::to_value(&gate.kind).unwrap()["gate"].as_str().unwrap_or_default().to_owned();
            format!("gate {kind} (no-go {:?}, hold {:?})", gate.on_no_go, gate.on_hold).to_lowercase()
        }
        Action::Ask(question) => {
            let allowed: Vec<&str> = question.allowed.iter().map(|person| person.as_str()).collect();
            format!("ask [{}] within {:?}", allowed.join(", "), question.deadline)
        }
    }
}

/// A plan as text: what it says, and a line for each step.
pub fn text(plan: &Plan) -> String {
    let mut text = String::new();
    let say = |message: &eclusa_fault::Message| message.render(&Language::default());
    writeln!(text, "{} of {}: {} -> {}", plan.intent.word(), plan.stack, name(&plan.from), name(&plan.to))
        .unwrap();
    for (tenant, how) in &plan.reversibility {
        let why = plan.reversibility_reasons.get(tenant).map(say).unwrap_or_default();
        writeln!(text, "  {tenant}: {how:?}: {why}").unwrap();
    }
    let downtime =
        plan.expected_downtime.iter().map(|(tenant, time)| format!("{tenant} {time:?}")).collect::<Vec<_>>();
    writeln!(text, "  closed for (ms): {}", downtime.join(", ")).unwrap();
    writeln!(
        text,
        "  point of no return: {}",
        plan.point_of_no_return.as_ref().map_or("none", |step| step.as_str())
    )
    .unwrap();
    let people: Vec<&str> = plan.deciders.iter().map(|person| person.as_str()).collect();
    writeln!(text, "  deciders: [{}]; emergency: [{}]", people.join(", "), plan.emergency.join(", "))
        .unwrap();
    for remark in &plan.remarks {
        writeln!(text, "  remark: {}", say(remark)).unwrap();
    }
    for step in &plan.steps {
        let scope = match &step.scope {
            Scope::Host => "host".to_owned(),
            Scope::Stack => "stack".to_owned(),
            Scope::Tenant(tenant) => tenant.to_string(),
        };
        let undo = match &step.undo {
            Undo::By(by) => format!("by {}", effect(by)),
            Undo::Restore { tenant, .. } => format!("restore {tenant}"),
            Undo::Nothing { why } => format!("nothing ({})", why.id),
            Undo::NoReturn { why } => format!("no return ({})", why.id),
        };
        let after: Vec<&str> = step.after.iter().map(|name| name.as_str()).collect();
        let tolerated = if step.limits.tolerated { ", tolerated" } else { "" };
        writeln!(text, "{} | {} | {scope} | {}", step.phase.word(), step.name, say(&step.title)).unwrap();
        writeln!(text, "    does: {}", action(step)).unwrap();
        let lane = step.lane.map_or(String::new(), |lane| format!("; lane: {lane:?}"));
        writeln!(text, "    after: {}{lane}", after.join(", ")).unwrap();
        writeln!(
            text,
            "    undo: {undo}; after a crash: {:?}; {} s, {} more tries{tolerated}",
            step.recovery, step.limits.timeout, step.limits.retries
        )
        .unwrap();
    }
    text
}

fn name(release: &Option<Release>) -> &str {
    release.as_ref().map_or("-", |release| release.name.as_str())
}
