//! Hand-made journals of whole runs: a release that succeeds, one that goes back with its data, one that asks, one
//! that gets stuck.
#![allow(dead_code)]

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message};
use eclusa_model::{
    AppKind, DatabasePlace, FilesPlace, Fingerprint, FingerprintKey, PersonName, Release, ReleaseSource,
    RuntimeKind, ServiceName, StepName, Tenant, TenantName,
};
use eclusa_runbook::*;
use jiff::{SignedDuration, Timestamp};

pub const TENANTS: [&str; 3] = ["alpha", "bravo", "charlie"];

fn tenant_name(name: &str) -> TenantName {
    name.parse().unwrap()
}

fn step_name(name: &str) -> StepName {
    name.parse().unwrap()
}

pub fn person(name: &str) -> PersonName {
    name.parse().unwrap()
}

fn release(name: &str) -> Release {
    let source = ReleaseSource::Directory { path: format!("/srv/shop/releases/{name}") };
    Release { name: name.to_owned(), source, images: BTreeMap::new() }
}

fn services() -> Vec<ServiceName> {
    ["web", "worker"].iter().map(|name| name.parse().unwrap()).collect()
}

fn tenant(name: &str) -> Tenant {
    Tenant {
        name: tenant_name(name),
        domains: vec![format!("{name}.example.org")],
        database: DatabasePlace::Sqlite { path: format!("/srv/shop/data/{name}.db") },
        files: vec![FilesPlace::Directory {
            name: "media".to_owned(),
            path: format!("/srv/shop/data/{name}/media"),
        }],
        configuration: Vec::new(),
        service_configuration: Vec::new(),
    }
}

/// Makes a plan step by step, each after the ones of the line before.
struct Steps {
    steps: Vec<Step>,
    frontier: Vec<StepName>,
}

impl Steps {
    fn add(&mut self, phase: Phase, made: Vec<(String, Scope, Message, Action, Undo, Option<u64>)>) {
        let mut frontier = Vec::new();
        for (name, scope, title, action, undo, expected) in made {
            frontier.push(step_name(&name));
            self.steps.push(Step {
                name: step_name(&name),
                phase,
                scope,
                title,
                after: self.frontier.clone(),
                action,
                undo,
                recovery: Recovery::Repeat,
                limits: Limits { timeout: 600, retries: 1, tolerated: name.starts_with("accept.release") },
                lane: None,
                expected,
            });
        }
        self.frontier = frontier;
    }

    fn each(&mut self, phase: Phase, make: impl Fn(&str) -> (String, Message, Action, Undo, Option<u64>)) {
        let made = TENANTS
            .iter()
            .map(|tenant| {
                let (name, title, action, undo, expected) = make(tenant);
                (name, Scope::Tenant(tenant_name(tenant)), title, action, undo, expected)
            })
            .collect();
        self.add(phase, made);
    }

    fn one(
        &mut self,
        phase: Phase,
        name: &str,
        title: Message,
        action: Action,
        undo: Undo,
        expected: Option<u64>,
    ) {
        self.add(phase, vec![(name.to_owned(), Scope::Stack, title, action, undo, expected)]);
    }
}

fn only_looks() -> Undo {
    Undo::Nothing { why: Message::new("undo-nothing-check") }
}

fn judge(kind: GateKind) -> Action {
    Action::Judge(Gate { kind, on_no_go: OnNoGo::Back, on_hold: OnNoGo::Back, trial: None })
}

fn probes() -> Vec<HttpProbe> {
    let probe = |tenant: &str, name: &str, path: &str| HttpProbe {
        name: name.to_owned(),
        tenant: tenant_name(tenant),
        host: format!("{tenant}.example.org"),
        method: "GET".to_owned(),
        path: path.to_owned(),
        status: 200,
        headers: BTreeMap::new(),
        json: BTreeMap::new(),
        contains: None,
        maximum_milliseconds: 500,
    };
    TENANTS
        .iter()
        .flat_map(|tenant| [probe(tenant, "catalogue", "/"), probe(tenant, "csrf", "/api/v1/auth/csrf/")])
        .collect()
}

fn rule() -> WatchRule {
    WatchRule {
        seconds: 60,
        warm_up: 5,
        interval: 10,
        error_rate: 0.05,
        slowdown: 1.5,
        latency_milliseconds: 500,
        minimum_samples: 20,
        synthetic_per_second: 2.0,
        log_errors: 0,
    }
}

fn logs() -> LogRule {
    LogRule { services: services(), patterns: vec!["ERROR".to_owned()], ignore: Vec::new() }
}

fn exec(argv: &[&str]) -> Exec {
    Exec {
        place: Place::Host,
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        environment: BTreeMap::new(),
        directory: None,
        expect: Expect::default(),
        unblock: None,
        stdin: None,
    }
}

fn take(tenant: &str, kind: PointKind) -> Effect {
    Effect::Vault(VaultOperation::Take {
        tenant: tenant_name(tenant),
        kind,
        release: Some(release("v1")),
        prove: false,
    })
}

fn preflight(steps: &mut Steps, known: bool) {
    use Phase::Preflight;
    let time = |milliseconds| known.then_some(milliseconds);
    let lease = Action::Perform(Effect::Lease(LeaseOperation::Take { run: None }));
    let undo = Undo::By(Effect::Lease(LeaseOperation::Release));
    steps.one(Preflight, "preflight.lease", Message::new("step-lease-take"), lease, undo, time(40));
    steps.one(
        Preflight,
        "preflight.unmoved",
        Message::new("step-unmoved"),
        judge(GateKind::Unmoved),
        only_looks(),
        time(90),
    );
    let question = Question {
        text: Message::new("question-checklist").with("text", "The clients were told about the window"),
        allowed: vec![person("marta"), person("joao")],
        deadline: Some(1800),
        checklist: Some("clients-told".to_owned()),
    };
    let title = Message::new("step-checklist").with("text", "The clients were told about the window");
    steps.one(
        Preflight,
        "preflight.checklist.clients-told",
        title,
        Action::Ask(question),
        only_looks(),
        None,
    );
    let kind = GateKind::Disk {
        purpose: "data".to_owned(),
        path: "/srv/shop/data".to_owned(),
        minimum_percent: 20,
        minimum_bytes: 48_000_000,
    };
    let title = Message::new("step-disk").with("purpose", "data");
    steps.one(Preflight, "preflight.disk.data", title, judge(kind), only_looks(), time(5));
    let kind = GateKind::Command { exec: exec(&["./shop", "check", "--deploy"]) };
    let title = Message::new("step-command").with("command", "./shop check --deploy");
    steps.one(Preflight, "preflight.check.deploy", title, judge(kind), only_looks(), time(700));
    let gate = Gate {
        kind: GateKind::Baseline { probes: probes(), samples: 30, logs: logs() },
        on_no_go: OnNoGo::Warn,
        on_hold: OnNoGo::Warn,
        trial: None,
    };
    let title = Message::new("step-baseline");
    steps.one(Preflight, "preflight.baseline", title, Action::Judge(gate), only_looks(), time(2_100));
}

fn closing(steps: &mut Steps, known: bool) {
    let time = |milliseconds| known.then_some(milliseconds);
    let close = |tenant: &str| {
        Effect::Edge(EdgeOperation::Close {
            tenant: tenant_name(tenant),
            message: "Back in a moment".to_owned(),
            retry_after: 60,
            drain: 10,
        })
    };
    let open = |tenant: &str| Effect::Edge(EdgeOperation::Open { tenant: tenant_name(tenant) });
    steps.each(Phase::Close, |tenant| {
        let title = Message::new("step-gate-close").with("tenant", tenant);
        (
            format!("close.gate.{tenant}"),
            title,
            Action::Perform(close(tenant)),
            Undo::By(open(tenant)),
            time(420),
        )
    });
    steps.each(Phase::Secure, |tenant| {
        let title = Message::new("step-point").with("tenant", tenant);
        let why = Message::new("undo-nothing-point");
        let action = Action::Perform(take(tenant, PointKind::Release));
        (format!("secure.point.{tenant}"), title, action, Undo::Nothing { why }, time(1_300))
    });
    let switch = |to: &str| {
        let operation = RuntimeOperation::Switch {
            to: release(to),
            services: services(),
            start: false,
            healthy_within: 60,
        };
        Effect::Runtime(operation)
    };
    let title = Message::new("step-pin").with("release", "v2");
    steps.one(
        Phase::Change,
        "change.pin",
        title,
        Action::Perform(switch("v2")),
        Undo::By(switch("v1")),
        time(800),
    );
    steps.each(Phase::Migrate, |tenant| {
        let title = Message::new("step-migrate").with("tenant", tenant).with("release", "v2");
        let action = Action::Perform(Effect::Exec(exec(&["./shop", "migrate", "--tenant", tenant])));
        let undo = Undo::Restore {
            tenant: tenant_name(tenant),
            point: PointReference::TakenBy(step_name(&format!("secure.point.{tenant}"))),
            suffix: "r7f3a".to_owned(),
        };
        (format!("migrate.{tenant}"), title, action, undo, time(2_000))
    });
    let title = Message::new("step-start").with("services", "web, worker");
    let start = Effect::Runtime(RuntimeOperation::Start { services: services(), healthy_within: 60 });
    let stop = Effect::Runtime(RuntimeOperation::Stop { services: services(), drain: 30 });
    steps.one(Phase::Migrate, "migrate.start", title, Action::Perform(start), Undo::By(stop), time(3_000));
}

fn proving(steps: &mut Steps, known: bool) {
    let time = |milliseconds| known.then_some(milliseconds);
    let kind = GateKind::Probes { probes: probes(), route: ProbeRoute::SideDoor, attempts: 3 };
    steps.one(
        Phase::Validate,
        "validate.probes",
        Message::new("step-probes"),
        judge(kind),
        only_looks(),
        time(300),
    );
    let kind = GateKind::Logs { rule: logs(), most: 0, since: Some(step_name("change.pin")), baseline: None };
    steps.one(
        Phase::Validate,
        "validate.logs",
        Message::new("step-logs"),
        judge(kind),
        only_looks(),
        time(60),
    );
    let question = Question {
        text: Message::new("question-decide").with("release", "v2"),
        allowed: vec![person("marta")],
        deadline: Some(900),
        checklist: None,
    };
    let title = Message::new("step-decide");
    steps.one(Phase::Decide, "decide.person", title, Action::Ask(question), only_looks(), None);
    steps.each(Phase::Open, |tenant| {
        let title = Message::new("step-mark").with("tenant", tenant);
        let undo = Undo::By(take(tenant, PointKind::Salvage));
        (format!("open.mark.{tenant}"), title, Action::Perform(Effect::Mark), undo, time(2))
    });
    steps.each(Phase::Open, |tenant| {
        let title = Message::new("step-gate-open").with("tenant", tenant);
        let open = Effect::Edge(EdgeOperation::Open { tenant: tenant_name(tenant) });
        let close = EdgeOperation::Close {
            tenant: tenant_name(tenant),
            message: "Back in a moment".to_owned(),
            retry_after: 60,
            drain: 10,
        };
        (format!("open.gate.{tenant}"), title, Action::Perform(open), Undo::By(Effect::Edge(close)), time(30))
    });
    let gate = Gate {
        kind: GateKind::Watch {
            probes: probes(),
            rule: rule(),
            baseline: BaselineSource { step: step_name("preflight.baseline") },
            logs: logs(),
        },
        on_no_go: OnNoGo::Back,
        on_hold: OnNoGo::Ask,
        trial: None,
    };
    let title = Message::new("step-watch").with("minutes", "1.0");
    steps.one(Phase::Watch, "watch.stack", title, Action::Judge(gate), only_looks(), time(60_000));
    let title = Message::new("step-let-go").with("release", "v0");
    let undo = Undo::NoReturn { why: Message::new("undo-no-return-image") };
    let action = Action::Perform(Effect::Runtime(RuntimeOperation::LetGo { release: release("v0") }));
    steps.one(Phase::Accept, "accept.release.v0", title, action, undo, time(150));
    let why = Message::new("undo-nothing-lease");
    let action = Action::Perform(Effect::Lease(LeaseOperation::Release));
    let title = Message::new("step-lease-release");
    steps.one(Phase::Accept, "accept.lease", title, action, Undo::Nothing { why }, time(20));
}

pub fn began() -> Timestamp {
    "2026-11-21T02:00:00Z".parse().unwrap()
}

/// The plan of a release with a migration. `known`: whether earlier runs tell how long things take.
pub fn plan(known: bool) -> Plan {
    let mut steps = Steps { steps: Vec::new(), frontier: Vec::new() };
    preflight(&mut steps, known);
    closing(&mut steps, known);
    proving(&mut steps, known);
    let each =
        |make: &dyn Fn() -> Message| TENANTS.iter().map(|tenant| (tenant_name(tenant), make())).collect();
    Plan {
        format: PLAN_FORMAT,
        version: "0.1.0".to_owned(),
        stack: "shop".parse().unwrap(),
        app: AppKind::Generic,
        runtime: RuntimeKind::Process,
        intent: Intent::Release { to: "v2".to_owned() },
        made_at: began(),
        observation: Fingerprint::of_bytes(&FingerprintKey::new([7; 32]), b"observation"),
        from: Some(release("v1")),
        to: Some(release("v2")),
        tenants: TENANTS.iter().map(|name| tenant(name)).collect(),
        reversibility: TENANTS.iter().map(|name| (tenant_name(name), Reversibility::Restore)).collect(),
        reversibility_reasons: each(&|| {
            Message::new("why-schema-changes")
                .with("count", 2)
                .with("migrations", "0002_discount, 0003_receipt_total")
        }),
        point_of_no_return: Some(step_name("open.gate.alpha")),
        expected_downtime: TENANTS.iter().map(|name| (tenant_name(name), known.then_some(9_850))).collect(),
        services: services(),
        parallel: 2,
        deciders: vec![person("marta")],
        emergency: vec!["Marta Reis (+351 912 000 000)".to_owned()],
        told: Vec::new(),
        answer_within: Some(900),
        load: Default::default(),
        remarks: vec![Message::new("remark-dependencies-change")],
        steps: steps.steps,
    }
}

/// A journal in the making, with a clock of its own.
pub struct Scene {
    pub entries: Vec<Entry>,
    pub at: Timestamp,
    random: u64,
}

impl Scene {
    pub fn begin(plan: Plan) -> Self {
        let mut scene = Self { entries: Vec::new(), at: began(), random: 42 };
        scene.add(
            0,
            Event::Started {
                format: EVENT_FORMAT,
                version: plan.version.clone(),
                plan: Box::new(plan),
                by: person("marta"),
                reason: Some("outside the window: the tax change is due at eight".to_owned()),
            },
        );
        scene
    }

    pub fn add(&mut self, later: i64, event: Event) {
        self.at += SignedDuration::from_millis(later);
        let sequence = self.entries.len() as u64 + 1;
        self.entries.push(Entry {
            run: "r-20261121-020000-k3f9".parse().unwrap(),
            sequence,
            at: self.at,
            previous: format!("{:064x}", sequence - 1),
            hash: format!("{sequence:064x}"),
            event,
        });
    }

    /// A number from 0 to 1 that looks random and is the same in every test.
    fn chance(&mut self) -> f64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) as f64 / (1_u64 << 31) as f64
    }

    pub fn intend(&mut self, name: &str) {
        self.add(3, Event::Intended { step: step_name(name), attempt: 1 });
    }

    pub fn perform(&mut self, name: &str, milliseconds: i64, outputs: &[(&str, &str)]) {
        self.intend(name);
        self.end(name, milliseconds, outputs);
    }

    pub fn end(&mut self, name: &str, milliseconds: i64, outputs: &[(&str, &str)]) {
        let outputs = outputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.add(milliseconds, Event::Performed { step: step_name(name), outputs });
    }

    pub fn judge(&mut self, name: &str, milliseconds: i64, evidence: Evidence) {
        self.intend(name);
        let verdict = Verdict::of_facts(&evidence.facts);
        self.add(milliseconds, Event::Judged { step: step_name(name), evidence, verdict });
    }

    pub fn undo(&mut self, name: &str, milliseconds: i64, outputs: &[(&str, &str)]) {
        self.add(3, Event::UndoIntended { step: step_name(name), attempt: 1 });
        let outputs = outputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.add(milliseconds, Event::Undone { step: step_name(name), outputs });
    }

    pub fn answer(&mut self, name: &str, later: i64, text: Message, go: bool, by: &str, reason: &str) {
        let deadline = Some(self.at + SignedDuration::from_secs(900));
        self.add(4, Event::Asked { step: step_name(name), text, deadline });
        let (step, reason) = (step_name(name), reason.to_owned());
        self.add(later, Event::Answered { step, go, by: Some(person(by)), reason });
    }

    pub fn run(&self) -> Run {
        Run::replay(&self.entries).expect("the hand-made journal is one that a conductor could have written")
    }

    /// Answers around a middle, as they are measured: most near it, some late.
    fn samples(&mut self, source: &str, each: i64, count: usize, middle: f64, bad: f64) -> Vec<Sample> {
        let mut samples = Vec::new();
        let start = self.at;
        for number in 0..count {
            for (place, tenant) in TENANTS.iter().enumerate() {
                let spread = (self.chance() - 0.5 + (self.chance() - 0.5)) * 0.5;
                let late = if self.chance() > 0.97 { 4.0 } else { 1.0 };
                let good = self.chance() >= bad;
                let time =
                    middle * (1.0 + 0.3 * place as f64) * spread.exp() * late * if good { 1.0 } else { 2.5 };
                samples.push(Sample {
                    at: start + SignedDuration::from_millis(number as i64 * each + place as i64 * 7),
                    tenant: tenant_name(tenant),
                    source: source.to_owned(),
                    good,
                    status: if good { 200 } else { 500 },
                    microseconds: (time * 1000.0) as u64,
                    problem: (!good).then(|| "status 500, not 200".to_owned()),
                });
            }
        }
        samples
    }
}

fn fact(good: bool, text: Message) -> Fact {
    Fact { text, verdict: if good { VerdictKind::Go } else { VerdictKind::NoGo } }
}

fn facts(facts: Vec<Fact>) -> Evidence {
    Evidence { facts, ..Evidence::default() }
}

/// Everything up to the question before anything is changed, and its answer.
fn through_preflight(scene: &mut Scene) {
    scene.perform("preflight.lease", 38, &[("generation", "1")]);
    let text = Message::new("fact-fingerprint").with("now", "61f0c2a9b7d4").with("then", "61f0c2a9b7d4");
    scene.judge("preflight.unmoved", 84, facts(vec![fact(true, text)]));
    let text = Message::new("question-checklist").with("text", "The clients were told about the window");
    scene.answer(
        "preflight.checklist.clients-told",
        6_200,
        text,
        true,
        "joao",
        "mail sent on Thursday, no objections",
    );
    let text = Message::new("fact-disk")
        .with("purpose", "data")
        .with("path", "/srv/shop/data")
        .with("percent", 63)
        .with("free", "41.2")
        .with("least", 20)
        .with("needed", "0.0");
    scene.judge("preflight.disk.data", 6, facts(vec![fact(true, text)]));
    let text = Message::new("fact-command").with("command", "./shop check --deploy").with("code", 0);
    let lines = vec!["System check identified no issues (0 silenced).".to_owned()];
    scene.judge("preflight.check.deploy", 655, Evidence { lines, ..facts(vec![fact(true, text)]) });
    scene.intend("preflight.baseline");
    let mut samples = scene.samples("catalogue", 30, 30, 7.5, 0.0);
    samples.extend(scene.samples("csrf", 30, 30, 2.4, 0.0));
    let found = TENANTS
        .iter()
        .flat_map(|tenant| {
            [("catalogue", "7.6"), ("csrf", "2.4")].map(|(probe, median)| (*tenant, probe, median))
        })
        .map(|(tenant, probe, median)| {
            let text = Message::new("fact-baseline")
                .with("tenant", tenant)
                .with("probe", probe)
                .with("median", median);
            fact(true, text.with("bad", 0).with("all", 30))
        })
        .collect();
    let evidence = Evidence { samples, ..facts(found) };
    let verdict = Verdict::of_facts(&evidence.facts);
    scene.add(1_930, Event::Judged { step: step_name("preflight.baseline"), evidence, verdict });
}

fn through_secure(scene: &mut Scene) {
    for (tenant, time) in [("alpha", 380), ("bravo", 410), ("charlie", 350)] {
        scene.perform(&format!("close.gate.{tenant}"), time, &[("remaining", "0")]);
    }
    let points = [
        ("alpha", 1_190, "8214", "112", "5120033", "1a2b3c4d5e6f7081"),
        ("bravo", 940, "3071", "48", "1990400", "9c0d1e2f3a4b5c6d"),
        ("charlie", 610, "918", "7", "402118", "77aa88bb99cc00dd"),
    ];
    for (tenant, time, rows, files, bytes, point) in points {
        let outputs = [
            ("point", point),
            ("rows", rows),
            ("tables", "6"),
            ("files", files),
            ("bytes", bytes),
            ("verified", "2"),
        ];
        scene.perform(&format!("secure.point.{tenant}"), time, &outputs);
    }
}

fn through_open(scene: &mut Scene) {
    scene.perform("change.pin", 760, &[]);
    for (tenant, time) in [("alpha", 2_310), ("bravo", 1_480), ("charlie", 930)] {
        let line = [("last-line", "applied 0002_discount, 0003_receipt_total")];
        scene.perform(&format!("migrate.{tenant}"), time, &line);
    }
    scene.intend("migrate.start");
    let fault = Fault::new(Code::ServiceUnhealthy)
        .with("service", "web")
        .with("seconds", 60)
        .with("found", "starting")
        .because("listen tcp 127.0.0.1:18080: bind: address already in use");
    scene.add(1_200, Event::Failed { step: step_name("migrate.start"), fault });
    scene.add(2, Event::Intended { step: step_name("migrate.start"), attempt: 2 });
    scene.end("migrate.start", 2_450, &[]);
    let found = TENANTS
        .iter()
        .flat_map(|tenant| {
            [("catalogue", "/", "8.1"), ("csrf", "/api/v1/auth/csrf/", "2.6")].map(|rest| (*tenant, rest))
        })
        .map(|(tenant, (probe, path, time))| {
            let text =
                Message::new("fact-probe").with("tenant", tenant).with("probe", probe).with("path", path);
            fact(true, text.with("status", 200).with("milliseconds", time).with("problem", ""))
        })
        .collect();
    scene.judge("validate.probes", 240, facts(found));
    let text = Message::new("fact-log-errors").with("found", 0).with("most", 0);
    scene.judge("validate.logs", 51, facts(vec![fact(true, text)]));
    let text = Message::new("question-decide").with("release", "v2");
    scene.answer("decide.person", 9_700, text, true, "marta", "looked at two invoices by the side door");
    for tenant in TENANTS {
        scene.perform(&format!("open.mark.{tenant}"), 1, &[]);
    }
    for tenant in TENANTS {
        scene.perform(&format!("open.gate.{tenant}"), 24, &[("closed-seconds", "22.105")]);
    }
}

fn watch(scene: &mut Scene, rounds: usize, slower: f64, bad: f64, lines: Vec<String>) {
    let name = step_name("watch.stack");
    scene.intend("watch.stack");
    let began = scene.at;
    let baseline: Vec<Sample> = scene
        .entries
        .iter()
        .find_map(|entry| match &entry.event {
            Event::Judged { step, evidence, .. } if step.as_str() == "preflight.baseline" => {
                Some(evidence.samples.clone())
            }
            _ => None,
        })
        .unwrap();
    let mut all = Vec::new();
    for round in 0..rounds {
        let mut samples = scene.samples("traffic", 120, 83, 9.0 * slower, bad);
        samples.extend(scene.samples("catalogue", 1_000, 10, 7.5 * slower, bad));
        samples.extend(scene.samples("csrf", 1_000, 10, 2.4, 0.0));
        all.extend(samples.iter().cloned());
        if round + 1 < rounds {
            scene.add(
                10_000,
                Event::Sampled { step: name.clone(), evidence: Evidence { samples, ..Evidence::default() } },
            );
            continue;
        }
        let tenants: Vec<TenantName> = TENANTS.iter().map(|tenant| tenant_name(tenant)).collect();
        let (verdict, facts) = judge_watch(&rule(), began, &baseline, &all, &tenants, lines.len() as u64);
        let evidence = Evidence { samples, facts, lines: lines.clone() };
        scene.add(10_000, Event::Judged { step: name.clone(), evidence, verdict });
    }
}

/// A release that ends in go, with one step that had to be tried twice.
pub fn success() -> Scene {
    let mut scene = Scene::begin(plan(true));
    through_preflight(&mut scene);
    through_secure(&mut scene);
    through_open(&mut scene);
    watch(&mut scene, 6, 1.05, 0.0, Vec::new());
    scene.intend("accept.release.v0");
    for attempt in 1..=2 {
        let fault = Fault::new(Code::FileAccess)
            .with("path", "/srv/shop/releases/v0")
            .with("operation", "removed")
            .because("Directory not empty");
        scene.add(90, Event::Failed { step: step_name("accept.release.v0"), fault });
        if attempt == 1 {
            scene.add(2, Event::Intended { step: step_name("accept.release.v0"), attempt: 2 });
        }
    }
    scene.perform("accept.lease", 18, &[]);
    scene.add(2, Event::Ended { outcome: Outcome::Done });
    let fault =
        Fault::new(Code::NotifyFailed).with("to", "https://hooks.example.org/eclusa").because("timed out");
    scene.add(4_000, Event::NoticeLost { kind: "run.ended".to_owned(), fault });
    scene.add(
        600_000,
        Event::Noted {
            by: person("joao"),
            kind: "lesson".to_owned(),
            text: "The port of web was still taken at the first start; give the old process longer to end."
                .to_owned(),
        },
    );
    scene
}

/// A release that the watch catches: everything goes back, data included, what was written meanwhile is salvaged.
pub fn went_back() -> Scene {
    let mut scene = Scene::begin(plan(true));
    through_preflight(&mut scene);
    through_secure(&mut scene);
    through_open(&mut scene);
    let lines = vec![
        "2026-11-21T02:00:43Z web: ERROR payment 4711: <script>alert('never run')</script> total is None".to_owned(),
        "2026-11-21T02:00:44Z web: ERROR TypeError: unsupported operand type(s) for +: 'NoneType' and 'Decimal'".to_owned(),
    ];
    watch(&mut scene, 3, 2.4, 0.14, lines);
    let why = Message::new("why-gate-refused").with("step", "watch.stack");
    scene.add(2, Event::TurnedBack { step: Some(step_name("watch.stack")), why, by: None });
    for tenant in TENANTS {
        scene.undo(&format!("open.gate.{tenant}"), 300, &[("remaining", "1")]);
    }
    let salvaged = [
        ("alpha", "8251", "114", "aa11bb22cc33dd44"),
        ("bravo", "3090", "48", "bb22cc33dd44ee55"),
        ("charlie", "921", "7", "cc33dd44ee55ff66"),
    ];
    for (tenant, rows, files, point) in salvaged {
        let outputs =
            [("point", point), ("rows", rows), ("files", files), ("bytes", "5133120"), ("verified", "2")];
        scene.undo(&format!("open.mark.{tenant}"), 700, &outputs);
    }
    scene.undo("migrate.start", 1_100, &[]);
    for (tenant, rows, point) in
        [("alpha", "8214", "1a2b3c4d5e6f7081"), ("bravo", "3071", "9c0d1e2f3a4b5c6d")]
    {
        scene.undo(
            &format!("migrate.{tenant}"),
            1_700,
            &[("point", point), ("rows", rows), ("kept", "r7f3a")],
        );
    }
    scene.add(3, Event::UndoIntended { step: step_name("migrate.charlie"), attempt: 1 });
    let fault = Fault::new(Code::SwapFailed).with("tenant", "charlie").because("database is locked");
    scene.add(5_000, Event::UndoFailed { step: step_name("migrate.charlie"), fault });
    scene.add(3, Event::UndoIntended { step: step_name("migrate.charlie"), attempt: 2 });
    let outputs = [("point", "77aa88bb99cc00dd"), ("rows", "918"), ("kept", "r7f3a")];
    let outputs = outputs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    scene.add(800, Event::Undone { step: step_name("migrate.charlie"), outputs });
    scene.undo("change.pin", 2_900, &[]);
    for tenant in TENANTS {
        scene.undo(&format!("close.gate.{tenant}"), 20, &[("closed-seconds", "15.412")]);
    }
    scene.undo("preflight.lease", 12, &[]);
    scene.add(2, Event::Ended { outcome: Outcome::WentBack });
    let text = "Receipts of v2 fail where a sale has no discount. | Fixed in 3f2e1d0.".to_owned();
    scene.add(900_000, Event::Noted { by: person("marta"), kind: "incident".to_owned(), text });
    scene
}

/// A run that waits for the decision.
pub fn asking() -> Scene {
    let mut scene = Scene::begin(plan(true));
    through_preflight(&mut scene);
    through_secure(&mut scene);
    scene.perform("change.pin", 760, &[]);
    scene.intend("migrate.alpha");
    scene.add(700, Event::Resumed { generation: 2, by: person("joao") });
    scene.add(40, Event::FoundUndone { step: step_name("migrate.alpha") });
    for (tenant, time) in [("alpha", 2_310), ("bravo", 1_480), ("charlie", 930)] {
        scene.perform(&format!("migrate.{tenant}"), time, &[]);
    }
    scene.perform("migrate.start", 2_450, &[]);
    scene.judge("validate.probes", 240, facts(vec![fact(true, Message::new("fact-no-probes"))]));
    let text = Message::new("fact-log-errors").with("found", 0).with("most", 0);
    scene.judge("validate.logs", 51, facts(vec![fact(true, text)]));
    let text = Message::new("question-decide").with("release", "v2");
    let deadline = Some(scene.at + SignedDuration::from_secs(900));
    scene.add(4, Event::Asked { step: step_name("decide.person"), text, deadline });
    scene
}

/// A run whose way back is barred.
pub fn stuck() -> Scene {
    let mut scene = Scene::begin(plan(false));
    through_preflight(&mut scene);
    through_secure(&mut scene);
    scene.perform("change.pin", 760, &[]);
    scene.intend("migrate.alpha");
    let fault = Fault::new(Code::CommandFailed)
        .with("command", "./shop migrate --tenant alpha")
        .with("status", "code 1")
        .because("no such column: sale.discount");
    for attempt in 1..=2 {
        scene.add(500, Event::Failed { step: step_name("migrate.alpha"), fault: fault.clone() });
        if attempt == 1 {
            scene.add(2, Event::Intended { step: step_name("migrate.alpha"), attempt: 2 });
        }
    }
    let why = Message::new("why-step-failed").with("step", "migrate.alpha");
    scene.add(2, Event::TurnedBack { step: Some(step_name("migrate.alpha")), why, by: None });
    for attempt in 1..=2 {
        scene.add(3, Event::UndoIntended { step: step_name("migrate.alpha"), attempt });
        let fault = Fault::new(Code::PointDamaged)
            .with("point", "1a2b3c4d")
            .with("tenant", "alpha")
            .with("problem", "pack 91ab is missing");
        scene.add(400, Event::UndoFailed { step: step_name("migrate.alpha"), fault });
    }
    scene.add(2, Event::Ended { outcome: Outcome::Stuck });
    scene
}
