//! A run in a world: begun, crashed, taken up again, and judged.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use eclusa_conductor::{Conductor, Ending, Ports, Watcher};
use eclusa_fault::Fault;
use eclusa_model::{PersonName, RunId, TenantName};
use eclusa_ports::{GateState, JournalStore, LeaseHolder, RequestKind};
use eclusa_runbook::{Entry, Event, Outcome, Plan, PointKind, Run};
use eclusa_testkit::{
    Data, FakeDatabase, FakeEdge, FakeFiles, FakeHost, FakeHttp, FakeLease, FakeNotifier, FakeObserver,
    FakeRuntime, FakeSecrets, FakeVault, MemoryJournal, Scenario, World, media,
};
use tokio::sync::watch;

pub fn ana() -> PersonName {
    PersonName::new("ana").unwrap()
}

/// Where the output of steps goes in tests that do not read it: a path under which nothing can be made.
const NO_OUTPUTS: &str = "/dev/null/outputs";

/// One run of one plan.
pub struct Trial {
    pub scenario: Scenario,
    pub plan: Plan,
    pub journal: Arc<MemoryJournal>,
    pub notifier: Arc<FakeNotifier>,
    pub run: RunId,
    /// How often a process was started for it.
    pub processes: u32,
    pub watchers: Vec<Arc<dyn Watcher>>,
}

/// How a process ended.
#[derive(Debug)]
pub enum Left {
    Ended(Outcome),
    Interrupted,
    Crashed,
    Failed(Fault),
}

impl Trial {
    pub fn new(scenario: Scenario, plan: Plan) -> Self {
        Self {
            scenario,
            plan,
            journal: Arc::default(),
            notifier: Arc::default(),
            run: RunId::new("r-1").unwrap(),
            processes: 0,
            watchers: Vec::new(),
        }
    }

    pub fn world(&self) -> &World {
        &self.scenario.world
    }

    pub fn ports(&self) -> Ports {
        let world = self.world().clone();
        let clock = self.scenario.clock.clone();
        Ports {
            host: Arc::new(FakeHost(world.clone())),
            runtime: Arc::new(FakeRuntime(world.clone())),
            database: Arc::new(FakeDatabase(world.clone())),
            files: Arc::new(FakeFiles(world.clone())),
            vault: Arc::new(FakeVault { world: world.clone(), stack: self.plan.stack.clone() }),
            edge: world.with(|state| state.edge).then(|| Arc::new(FakeEdge(world.clone())) as Arc<_>),
            lease: Arc::new(FakeLease(world.clone())),
            journal: self.journal.clone(),
            http: Arc::new(FakeHttp { world: world.clone(), clock: clock.clone() }),
            records: Arc::new(eclusa_ports::NoRecords),
            notifiers: vec![self.notifier.clone()],
            clock,
            secrets: Arc::new(FakeSecrets),
            observer: Arc::new(FakeObserver(world)),
            directory: PathBuf::from("/stack"),
            outputs: PathBuf::from(NO_OUTPUTS),
            holder: LeaseHolder {
                run: self.run.clone(),
                machine: "m".to_owned(),
                boot: "b".to_owned(),
                // Processes with an even id are dead, and every process of a trial but the last is.
                pid: 2 * (self.processes + 1),
                started: 1,
            },
        }
    }

    /// One process: begins the run or takes it up, and goes on until something ends it.
    pub async fn process(&mut self) -> Left {
        let ports = self.ports();
        let begun = self.journal.read(&self.run).is_ok();
        // A run that has ended is no run to resume; who asks is told how it ended.
        if begun && let Some(outcome) = self.state().outcome.filter(|outcome| *outcome != Outcome::Stuck) {
            return Left::Ended(outcome);
        }
        self.processes += 1;
        if !begun
            && let Err(fault) =
                Conductor::begin(ports.clone(), self.run.clone(), self.plan.clone(), ana(), None).await
            && self.journal.read(&self.run).is_err()
        {
            return Left::Failed(fault);
        }
        let resumed = (begun || self.processes > 1).then(ana);
        let conductor =
            match Conductor::take_up(ports, self.run.clone(), resumed, self.watchers.clone()).await {
                Ok(conductor) => conductor,
                Err(fault) => return Left::Failed(fault),
            };
        let (_stop, stopped) = watch::channel(false);
        let world = self.world().clone();
        let conducting = conductor.conduct(stopped);
        let limit = tokio::time::timeout(Duration::from_secs(24 * 3600), async {
            tokio::select! {
                ended = conducting => match ended {
                    Ok(Ending::Ended(outcome)) => Left::Ended(outcome),
                    Ok(Ending::Interrupted) => Left::Interrupted,
                    Err(fault) => Left::Failed(fault),
                },
                () = world.crashed() => Left::Crashed,
            }
        });
        limit.await.expect("the run does not come to an end")
    }

    /// Processes one after another until the run has ended. Only the first finds trouble.
    pub async fn run_to_the_end(&mut self) -> Outcome {
        for _ in 0..5 {
            match self.process().await {
                Left::Ended(outcome) => return outcome,
                Left::Interrupted | Left::Crashed | Left::Failed(_) => self.world().calm(),
            }
        }
        panic!("the run is not ended by five processes:\n{}", self.story());
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.journal.read(&self.run).unwrap()
    }

    pub fn state(&self) -> Run {
        Run::replay(&self.entries()).unwrap()
    }

    /// The events and the operations, for a failure's message.
    pub fn story(&self) -> String {
        let mut story: Vec<String> =
            self.entries().iter().map(|entry| format!("{} {}", entry.sequence, word(&entry.event))).collect();
        story.push(self.world().with(|state| state.operations.join(" ")));
        story.join("\n")
    }

    /// Whether the world is as the outcome says: as it was before, or as the plan wants it; nobody's write is lost.
    pub fn judge(&self, outcome: Outcome) -> Result<(), String> {
        let mut wrong = self.world().violations();
        let release = match outcome {
            Outcome::Done => "v2",
            Outcome::WentBack | Outcome::Refused => "v1",
            Outcome::Partly => "v2",
            Outcome::Stuck => return Err("the run is stuck".to_owned()),
        };
        let release = match &self.plan.to {
            Some(to) if outcome == Outcome::Done => to.name.as_str(),
            _ => release,
        };
        let back: BTreeSet<TenantName> = match outcome {
            Outcome::Partly => self.state().tenants_back.into_keys().collect(),
            _ => BTreeSet::new(),
        };
        let owners: BTreeSet<TenantName> =
            self.journal.owners(&self.plan.stack).unwrap().into_keys().collect();
        if owners != back {
            wrong.push(format!("{owners:?} are kept closed, and {back:?} went back alone"));
        }
        let opened = self.entries().iter().any(|entry| {
            matches!(&entry.event, Event::Intended { step, .. } if step.as_str().starts_with("open.mark"))
        });
        self.world().with(|state| {
            if state.pinned.as_ref().map(|pinned| pinned.name.as_str()) != Some(release) {
                wrong.push(format!(
                    "{:?} is pinned, not {release}",
                    state.pinned.as_ref().map(|pinned| &pinned.name)
                ));
            }
            for (name, service) in &state.services {
                let untouched = name.as_str() == "db";
                if service.running.as_deref() != Some(if untouched { "v1" } else { release }) {
                    wrong.push(format!("{name} runs under {:?}", service.running));
                }
            }
            for (tenant, gate) in &state.gates {
                let wanted = if back.contains(tenant) { GateState::Closed } else { GateState::Open };
                if gate.state != wanted {
                    wrong.push(format!("the gate of {tenant} is {:?}", gate.state));
                }
            }
            if let Some((holder, _)) = &state.lease {
                wrong.push(format!("the lease is held by {}", holder.run));
            }
            if !state.running.is_empty() {
                wrong.push(format!("commands run on: {:?}", state.running));
            }
            if !state.flags.is_empty() && outcome != Outcome::Done {
                wrong.push(format!("hooks were not taken back: {:?}", state.flags));
            }
            let tenants: Vec<TenantName> = state.databases.keys().cloned().collect();
            for tenant in tenants {
                let databases = &state.databases[&tenant];
                let own = if back.contains(&tenant) { "v1" } else { release };
                if databases.live.migrations != state.releases[own] {
                    wrong.push(format!("{tenant} has the schema {:?}", databases.live.migrations));
                }
                if !databases.scratch.is_empty() {
                    wrong.push(format!("{tenant} has scratch databases {:?}", databases.scratch));
                }
                let mut saved = databases.live.rows.clone();
                let mut files: BTreeSet<String> =
                    state.directories[&media(&tenant)].keys().cloned().collect();
                if opened {
                    // After the gate was open, what was written since is in a salvage point when it is not live.
                    let points = state.points.get(&tenant).into_iter().flatten();
                    for point in points.filter(|point| point.manifest.kind == PointKind::Salvage) {
                        for bytes in point.streams.values() {
                            saved.extend(
                                serde_json::from_slice::<Data>(bytes)
                                    .map(|data| data.rows)
                                    .unwrap_or_default(),
                            );
                        }
                        files.extend(point.files.values().flat_map(|set| set.keys().cloned()));
                    }
                }
                let said = state.acknowledged.get(&tenant).cloned().unwrap_or_default();
                let lost: Vec<&u64> = said.difference(&saved).collect();
                if !lost.is_empty() && state.edge {
                    wrong.push(format!("writes of {tenant} are lost: {lost:?}"));
                }
                let uploads =
                    said.iter().filter(|number| **number % 4 == 0).map(|number| format!("upload-{number}"));
                let lost: Vec<String> = uploads.filter(|name| !files.contains(name)).collect();
                if !lost.is_empty() && state.edge {
                    wrong.push(format!("files of {tenant} are lost: {lost:?}"));
                }
                let may_be_left = outcome == Outcome::WentBack || back.contains(&tenant);
                if !databases.beside.is_empty() && !may_be_left {
                    wrong.push(format!("copies are left beside {tenant}: {:?}", databases.beside.keys()));
                }
            }
        });
        // The journal alone tells the same.
        if self.state().outcome != Some(outcome) {
            wrong.push(format!("the journal says {:?}", self.state().outcome));
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
    }

    /// As `judge`, with the whole story when it is not so.
    pub fn must_be_right(&self, outcome: Outcome, about: &dyn std::fmt::Debug) {
        if let Err(wrong) = self.judge(outcome) {
            panic!("{about:?} ended {outcome:?}, and\n{wrong}\n{}", self.story());
        }
    }
}

/// An event as one word and its step.
pub fn word(event: &Event) -> String {
    let json = serde_json::to_value(event).unwrap();
    let text = |name: &str| json.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
    let fault = json.get("fault").map(|fault| fault.to_string()).unwrap_or_default();
    format!(
        "{} {} {}{}{fault}",
        text("event"),
        text("step"),
        text("outcome"),
        json.get("verdict").map(|v| v.to_string()).unwrap_or_default()
    )
}

/// Answers every question, or asks the run to go back at one entry.
pub struct Person {
    pub journal: Arc<MemoryJournal>,
    pub answer: Option<bool>,
    pub abort_at: Option<u64>,
}

impl Watcher for Person {
    fn entry(&self, entry: &Entry, run: &Run) {
        if let (Event::Asked { .. }, Some(go)) = (&entry.event, self.answer) {
            let kind = RequestKind::Answer { go, by: ana(), reason: "so it is".to_owned() };
            self.journal.request(&run.id, entry.at, &kind).unwrap();
        }
        if self.abort_at == Some(entry.sequence) {
            let kind = RequestKind::Abort { by: ana(), reason: "enough".to_owned() };
            self.journal.request(&run.id, entry.at, &kind).unwrap();
        }
    }
}

/// Many trials, each in a world of its own whose time stands still; all failures are told at once.
pub fn all<T: std::fmt::Debug + Copy>(
    about: impl IntoIterator<Item = T>,
    trial: impl AsyncFn(T) -> Result<(), String>,
) {
    let mut failures = Vec::new();
    let mut count = 0;
    for one in about {
        count += 1;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        if let Err(wrong) = runtime.block_on(trial(one)) {
            failures.push(format!("== {one:?}\n{wrong}"));
        }
    }
    assert!(count > 0, "nothing was tried");
    let shown = failures.iter().take(3).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} of {count} failed:\n{shown}", failures.len());
}
