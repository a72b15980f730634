//! The formats of journals and plans are versioned: what was written once is read for ever. The golden files are read
//! and written back; one that changes is a new format.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use eclusa_fault::Message;
use eclusa_model::TenantName;
use eclusa_runbook::{
    Action, BaselineSource, Effect, Event, Evidence, Fact, Gate, GateKind, HttpProbe, LogRule, OnNoGo,
    Outcome, Outputs, Plan, ProbeRoute, Sample, Verdict, VerdictKind, WatchRule,
};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use support::{Shape, ana, at, fault, name, plan, started};

/// The golden file of a name, which must be what the value is written as, and read as the value.
fn golden<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(file: &str, value: &T) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert_eq!(
        kept, text,
        "{file} is another format; a change needs a new number and a way to read the old one"
    );
    assert_eq!(&serde_json::from_str::<T>(&kept).unwrap(), value, "{file}");
}

fn evidence() -> Evidence {
    let tenant = TenantName::new("alpha").unwrap();
    Evidence {
        samples: vec![Sample {
            at: at(3),
            tenant,
            source: "front".to_owned(),
            good: false,
            status: 503,
            microseconds: 1234,
            problem: Some("late".to_owned()),
        }],
        facts: vec![Fact { text: Message::new("fact-disk").with("percent", 9), verdict: VerdictKind::NoGo }],
        lines: vec!["ERROR".to_owned()],
    }
}

fn events() -> Vec<(&'static str, Event)> {
    let step = || name("migrate.alpha");
    let outputs = || Outputs::from([("point".to_owned(), "abc".to_owned())]);
    let why = || Message::new("why-step-failed").with("step", "migrate.alpha");
    let verdict = Verdict { kind: VerdictKind::NoGo, reasons: vec![why()] };
    vec![
        ("started", started(whole())),
        ("resumed", Event::Resumed { generation: 2, by: ana() }),
        ("intended", Event::Intended { step: step(), attempt: 1 }),
        ("performed", Event::Performed { step: step(), outputs: outputs() }),
        ("failed", Event::Failed { step: step(), fault: fault().because("underneath") }),
        ("found-undone", Event::FoundUndone { step: step() }),
        ("sampled", Event::Sampled { step: step(), evidence: evidence() }),
        ("judged", Event::Judged { step: step(), evidence: evidence(), verdict }),
        ("asked", Event::Asked { step: step(), text: why(), deadline: Some(at(9)) }),
        ("answered", Event::Answered { step: step(), go: true, by: Some(ana()), reason: "so".to_owned() }),
        (
            "tenant-turned-back",
            Event::TenantTurnedBack {
                tenant: eclusa_model::TenantName::new("alpha").unwrap(),
                step: step(),
                why: why(),
            },
        ),
        ("turned-back", Event::TurnedBack { step: Some(step()), why: why(), by: None }),
        ("undo-intended", Event::UndoIntended { step: step(), attempt: 2 }),
        ("undone", Event::Undone { step: step(), outputs: outputs() }),
        ("undo-failed", Event::UndoFailed { step: step(), fault: fault() }),
        ("notice-lost", Event::NoticeLost { kind: "run.asks".to_owned(), fault: fault() }),
        ("noted", Event::Noted { by: ana(), kind: "lesson".to_owned(), text: "x".to_owned() }),
        ("ended", Event::Ended { outcome: Outcome::WentBack }),
    ]
}

fn probe() -> HttpProbe {
    HttpProbe {
        name: "front".to_owned(),
        tenant: TenantName::new("alpha").unwrap(),
        host: "alpha.example.org".to_owned(),
        method: "GET".to_owned(),
        path: "/".to_owned(),
        status: 200,
        headers: [("content-type".to_owned(), "html".to_owned())].into(),
        json: [("/ok".to_owned(), "true".to_owned())].into(),
        contains: Some("x".to_owned()),
        maximum_milliseconds: 500,
    }
}

fn watch(rates: [f64; 3]) -> GateKind {
    let [error_rate, slowdown, synthetic_per_second] = rates;
    let logs = LogRule { services: Vec::new(), patterns: vec!["ERROR".to_owned()], ignore: Vec::new() };
    GateKind::Watch {
        probes: vec![probe()],
        rule: WatchRule {
            seconds: 60,
            warm_up: 1,
            interval: 5,
            error_rate,
            slowdown,
            latency_milliseconds: 500,
            minimum_samples: 20,
            synthetic_per_second,
            log_errors: 0,
        },
        baseline: BaselineSource { step: name("preflight.baseline") },
        logs,
    }
}

fn gate(kind: GateKind) -> Action {
    Action::Judge(Gate { kind, on_no_go: OnNoGo::Ask, on_hold: OnNoGo::Warn, trial: None })
}

/// A plan with a step of each kind of action and undo, whose shares are no round numbers.
fn whole() -> Plan {
    let shape = |kind, undo, policy| Shape {
        kind,
        undo,
        recovery: kind,
        retries: 1,
        tolerated: false,
        after: vec![0],
        policy,
    };
    let mut plan = plan(&[shape(2, 1, 1), shape(1, 0, 0), shape(0, 0, 1), shape(2, 2, 1), shape(0, 0, 0)]);
    plan.steps[2].action = gate(watch([0.20436507056771822, 1.5, 0.1]));
    plan.steps[3].action = Action::Perform(Effect::Wait { milliseconds: 5 });
    plan.steps[4].action =
        gate(GateKind::Probes { probes: vec![probe()], route: ProbeRoute::SideDoor, attempts: 3 });
    plan
}

#[test]
fn events_are_written_as_they_always_were() {
    for (kind, event) in events() {
        golden(&format!("{kind}.json"), &event);
        assert_eq!(serde_json::to_value(&event).unwrap()["event"], kind);
    }
}

#[test]
fn a_plan_is_written_as_it_always_was() {
    golden("plan.json", &whole());
    assert_eq!(
        whole().digest().unwrap().as_str(),
        include_str!("golden/plan.digest").trim(),
        "approvals bind to it"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Shares are written so that the very same number is read back; an approval would be lost otherwise.
    #[test]
    fn a_digest_survives_the_plans_json(rates in prop::array::uniform3(prop_oneof![0.0f64..2.0, prop::num::f64::POSITIVE | prop::num::f64::NORMAL])) {
        let mut plan = whole();
        plan.steps[2].action = gate(watch(rates));
        for text in [serde_json::to_string(&plan).unwrap(), serde_json::to_string_pretty(&plan).unwrap()] {
            let read: Plan = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&read, &plan);
            prop_assert_eq!(read.digest().unwrap(), plan.digest().unwrap());
        }
    }
}
