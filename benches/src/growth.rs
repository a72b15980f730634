//! How planning grows with tenants, and history with runs. The tenants and runs are made up; what looks at them is real.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use eclusa_config::Configuration;
use eclusa_journal::{OpenMode, SqliteJournal};
use eclusa_model::{
    CandidateObservation, DiskObservation, EdgeObservation, Fingerprint, FingerprintKey, Health,
    OBSERVATION_FORMAT, Observation, Release, ReleaseSource, RunId, ServiceObservation, ServiceRole,
    ServiceState, TenantObservation,
};
use eclusa_planner::{History, PlanInput};
use eclusa_ports::JournalStore;
use eclusa_runbook::{EVENT_FORMAT, Event, Evidence, Intent, Next, Outputs, Plan, Run, Verdict, VerdictKind};
use jiff::Timestamp;

use crate::stack::SmallStack;
use crate::table::{mebibytes, median, milliseconds, print};
use crate::{Common, Outcome, measure};

/// The arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Growth {}

/// The arguments of one plan.
#[derive(Debug, clap::Args)]
pub(crate) struct PlanOnce {
    /// How many tenants.
    tenants: usize,
    /// `backup` or `release`.
    intent: String,
}

const STACK: &str = r#"
version = 1

[stacks.bench]
app = "generic"
runtime = "compose"
environment = "staging"

[stacks.bench.compose]
files = ["docker-compose.yml"]

[stacks.bench.release]
source = "git"

[stacks.bench.services]
frontend = "nginx"
web = ["web"]
workers = ["worker"]
schedulers = ["scheduler"]
database = "db"

[stacks.bench.commands]
migrate = ["app", "migrate", "{tenant}"]
pending = ["app", "pending", "{tenant}"]
static = ["app", "static"]
check = [["app", "check"]]

[[stacks.bench.probes]]
name = "front"
path = "/"

[[stacks.bench.checks]]
name = "books"
command = ["app", "books", "{tenant}"]
"#;

fn configuration(tenants: usize) -> Outcome<Configuration> {
    let mut text = STACK.to_owned();
    for number in 0..tenants {
        text.push_str(&format!(
            "\n[stacks.bench.tenants.t{number}]\ndomains = [\"t{number}.example.org\"]\n\
             database = {{ engine = \"postgresql\", name = \"t{number}\", user = \"shop\" }}\n"
        ));
    }
    Configuration::parse(&text, Path::new("/stack/eclusa.toml")).map_err(|fault| fault.to_string().into())
}

fn release(name: &str) -> Release {
    let source = ReleaseSource::Git { commit: "0".repeat(40) };
    Release { name: name.to_owned(), source, images: Default::default() }
}

/// Everything runs; each tenant has a migration before it.
fn observation(configuration: &Configuration, now: Timestamp) -> Outcome<Observation> {
    let (name, stack) = configuration.stack(None).map_err(|fault| fault.to_string())?;
    let tenants = stack
        .environment_files()
        .and_then(|files| stack.tenants(&files))
        .map_err(|fault| fault.to_string())?;
    let services = [
        ("db", ServiceRole::Database),
        ("eclusa-edge", ServiceRole::Edge),
        ("nginx", ServiceRole::Frontend),
        ("scheduler", ServiceRole::Scheduler),
        ("web", ServiceRole::Web),
        ("worker", ServiceRole::Worker),
    ];
    let services = services.map(|(name, role)| {
        name.parse().map(|name| ServiceObservation {
            name,
            role,
            state: ServiceState::Running,
            health: Health::Healthy,
            image: None,
            image_id: None,
            release: Some("r1".to_owned()),
            started_at: None,
            restarts: 0,
            instance: None,
        })
    });
    Ok(Observation {
        format: OBSERVATION_FORMAT,
        stack: name.clone(),
        at: now,
        app: stack.app,
        runtime: stack.runtime,
        release: Some(release("r1")),
        services: services.into_iter().collect::<Result<_, _>>()?,
        edge: Some(EdgeObservation {
            answers: true,
            gates: tenants.iter().map(|tenant| (tenant.name.clone(), "open".to_owned())).collect(),
            closed_by: Default::default(),
        }),
        tenants: tenants
            .into_iter()
            .map(|tenant| TenantObservation {
                tenant,
                database_version: Some("15.8".to_owned()),
                database_bytes: Some(1 << 30),
                keeps_log: false,
                files_bytes: None,
                migrations: Some(vec!["0001".to_owned()]),
                pending: Some(vec!["0002".to_owned()]),
                site: None,
                trouble: None,
            })
            .collect(),
        unusable_sites: Default::default(),
        maintenance: Default::default(),
        erasures: Default::default(),
        candidate: Some(CandidateObservation {
            release: release("r2"),
            migrations: Some(vec!["0001".to_owned(), "0002".to_owned()]),
            dependencies_change: false,
            image_present: true,
        }),
        disks: vec![DiskObservation {
            purpose: "state".to_owned(),
            path: "/".to_owned(),
            total_bytes: 1 << 50,
            free_bytes: 1 << 49,
        }],
        lease: None,
        files: Default::default(),
    })
}

fn plan(configuration: &Configuration, observation: &Observation, intent: &Intent) -> Outcome<Plan> {
    let (name, stack) = configuration.stack(None).map_err(|fault| fault.to_string())?;
    let fingerprint: Fingerprint = Fingerprint::of_bytes(&FingerprintKey::new([7; 32]), b"bench");
    let input = PlanInput {
        name,
        stack,
        observation,
        fingerprint: &fingerprint,
        app: eclusa_apps::app(stack.app),
        history: &History::default(),
        version: "0.1.0",
        now: observation.at,
        nonce: "x1",
        env_files: Vec::new(),
        vault_path: "/stack/vault".to_owned(),
        persons_path: "/stack/persons".to_owned(),
        overridden: false,
        prove: false,
        on_failure: None,
        rehearsed: None,
    };
    eclusa_planner::plan(&input, intent).map_err(|fault| fault.to_string().into())
}

impl PlanOnce {
    /// Prints, in one line: seconds of reading the configuration, of planning, of writing the plan as JSON; its steps,
    /// edges and bytes.
    pub fn run(self) -> Outcome<()> {
        let began = Instant::now();
        let configuration = configuration(self.tenants)?;
        let read = began.elapsed().as_secs_f64();
        let observation = observation(&configuration, Timestamp::UNIX_EPOCH)?;
        let intent = match self.intent.as_str() {
            "release" => Intent::Release { to: "r2".to_owned() },
            _ => Intent::Backup { tenants: Vec::new() },
        };
        let began = Instant::now();
        let plan = plan(&configuration, &observation, &intent)?;
        let planned = began.elapsed().as_secs_f64();
        let began = Instant::now();
        let text = serde_json::to_vec(&plan)?;
        let written = began.elapsed().as_secs_f64();
        let edges: usize = plan.steps.iter().map(|step| step.after.len()).sum();
        println!("{read} {planned} {written} {} {edges} {}", plan.steps.len(), text.len());
        Ok(())
    }
}

fn planning(common: &Common) -> Outcome<()> {
    let sizes: &[usize] = if common.small { &[10, 100] } else { &[10, 1000, 10_000] };
    let own = std::env::current_exe()?;
    let mut table = Vec::new();
    for intent in ["backup", "release"] {
        for size in sizes {
            let (mut costs, mut words) = (Vec::new(), Vec::<Vec<f64>>::new());
            for _ in 0..common.rounds(5) {
                let mut once = Command::new(&own);
                once.arg("plan-once").arg(size.to_string()).arg(intent);
                let (cost, output) = measure::run(&mut once, &[], true)?;
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                words.push(text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?);
                costs.push(cost);
            }
            let of = |index: usize| {
                median(&words.iter().filter_map(|line| line.get(index).copied()).collect::<Vec<_>>())
            };
            table.push(vec![
                format!("{intent}, {size} tenants"),
                milliseconds(of(0)),
                milliseconds(of(1)),
                milliseconds(of(2)),
                format!("{:.0}", of(3)),
                format!("{:.0}", of(4)),
                format!("{:.1}", of(5) / f64::from(1 << 20)),
                mebibytes(costs.iter().map(|cost| cost.peak).max().unwrap_or(0)),
            ]);
            eprintln!("{:?}", table.last());
        }
    }
    let head = [
        "",
        "configuration, ms",
        "plan and lint, ms",
        "as JSON, ms",
        "steps",
        "pairs",
        "JSON, MiB",
        "peak, MiB",
    ];
    print("Planning", &head, &table);
    Ok(())
}

/// The events of a run in which everything goes well, as the state machine allows them.
fn append_run(journal: &SqliteJournal, plan: &Plan, id: &RunId, began: Timestamp) -> Outcome<()> {
    let by: eclusa_model::PersonName = "bench".parse()?;
    let started = Event::Started {
        format: EVENT_FORMAT,
        version: "0.1.0".to_owned(),
        plan: Box::new(plan.clone()),
        by,
        reason: None,
    };
    let fault = |fault: eclusa_fault::Fault| fault.to_string();
    let first = journal.append(id, &plan.stack, 1, began, &started).map_err(fault)?;
    let mut run = Run::replay(std::slice::from_ref(&first))?;
    let mut at = began;
    loop {
        let Some(next) = run.next().into_iter().next() else { return Ok(()) };
        let events = match next {
            Next::Perform { step, attempt } => vec![
                Event::Intended { step: step.clone(), attempt },
                Event::Performed {
                    step,
                    outputs: Outputs::from([("bytes".to_owned(), "1048576".to_owned())]),
                },
            ],
            Next::Judge { step, attempt } => vec![
                Event::Intended { step: step.clone(), attempt },
                Event::Judged {
                    step,
                    evidence: Evidence::default(),
                    verdict: Verdict { kind: VerdictKind::Go, reasons: Vec::new() },
                },
            ],
            Next::End { outcome } => vec![Event::Ended { outcome }],
            other => return Err(format!("a run of nothing but steps wants {other:?}").into()),
        };
        for event in events {
            at = at.checked_add(jiff::SignedDuration::from_millis(25))?;
            let entry = journal.append(id, &plan.stack, run.sequence + 1, at, &event).map_err(fault)?;
            run.apply(&entry)?;
        }
    }
}

/// A journal of so many backups of one tenant, one an hour. It is made in memory, where nothing waits for a disk.
fn journal_of(runs: usize, directory: &Path) -> Outcome<PathBuf> {
    let configuration = configuration(1)?;
    let path = directory.join("journal.db");
    let journal = SqliteJournal::open(&path, OpenMode::ReadWrite).map_err(|fault| fault.to_string())?;
    let mut at = Timestamp::from_second(1_700_000_000)?;
    for number in 0..runs {
        let observation = observation(&configuration, at)?;
        let plan = plan(&configuration, &observation, &Intent::Backup { tenants: Vec::new() })?;
        append_run(&journal, &plan, &RunId::new(format!("r-{number:06}"))?, at)?;
        at = at.checked_add(jiff::SignedDuration::from_hours(1))?;
    }
    Ok(path)
}

fn histories(common: &Common) -> Outcome<()> {
    let sizes: &[usize] = if common.small { &[10, 100] } else { &[10, 1000, 10_000] };
    let calls: &[&[&str]] = &[
        &["history"],
        &["history", "--most", "100000"],
        &["history", "--verify"],
        &["status"],
        &["plan", "backup", "--summary"],
    ];
    let memory = Path::new("/dev/shm");
    let building = if memory.is_dir() { memory } else { common.scratch.as_path() };
    let mut stacks = Vec::new();
    for size in sizes {
        let stack = SmallStack::lay(common, 1, "")?;
        stack.must(&["release", "r1", "--yes"])?;
        stack.must(&["backup"])?;
        let built = tempfile::tempdir_in(building)?;
        let journal = journal_of(*size, built.path())?;
        std::fs::copy(&journal, stack.directory.join("state/journal.db"))?;
        let bytes = std::fs::metadata(&journal)?.len();
        stacks.push((*size, stack, bytes));
    }
    let mut table = Vec::new();
    for arguments in calls {
        let mut walls = vec![Vec::new(); stacks.len()];
        let mut cpus = vec![Vec::new(); stacks.len()];
        let mut peaks = vec![0; stacks.len()];
        for _ in 0..common.rounds(5) {
            for (index, (_, stack, _)) in stacks.iter().enumerate() {
                let (cost, _) = measure::run(&mut stack.command(arguments), &[], true)?;
                if let (Some(wall), Some(cpu), Some(peak)) =
                    (walls.get_mut(index), cpus.get_mut(index), peaks.get_mut(index))
                {
                    wall.push(cost.wall);
                    cpu.push(cost.cpu);
                    *peak = cost.peak.max(*peak);
                }
            }
        }
        let mut row = vec![format!("eclusa {}", arguments.join(" "))];
        for ((wall, cpu), peak) in walls.iter().zip(&cpus).zip(&peaks) {
            row.push(format!(
                "{} ({} CPU), {} MiB",
                milliseconds(median(wall)),
                milliseconds(median(cpu)),
                mebibytes(*peak)
            ));
        }
        table.push(row);
    }
    let mut sizes = vec!["the journal".to_owned()];
    sizes.extend(stacks.iter().map(|(_, _, bytes)| format!("{} MiB", mebibytes(*bytes))));
    table.push(sizes);
    let names: Vec<String> = stacks.iter().map(|(size, _, _)| format!("{size} runs, ms")).collect();
    let mut head = vec![""];
    head.extend(names.iter().map(String::as_str));
    print("History", &head, &table);
    Ok(())
}

impl Growth {
    pub fn run(self, common: &Common) -> Outcome<()> {
        measure::adopt_orphans()?;
        planning(common)?;
        histories(common)
    }
}
