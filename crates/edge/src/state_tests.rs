//! The laws of the gate's state machine, over arbitrary histories of calls.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Step {
    Close(Option<u8>, bool),
    Hold(Option<u8>, bool),
    Open(Option<u8>, bool),
    Reload,
}

fn step() -> impl Strategy<Value = Step> {
    let run = proptest::option::of(0u8..3);
    let force = prop::bool::weighted(0.1);
    prop_oneof![
        (run.clone(), force).prop_map(|(run, force)| Step::Close(run, force)),
        (run.clone(), force).prop_map(|(run, force)| Step::Hold(run, force)),
        (run, force).prop_map(|(run, force)| Step::Open(run, force)),
        Just(Step::Reload),
    ]
}

fn config() -> EdgeConfig {
    serde_json::from_value(serde_json::json!({
        "format": 1, "public": ["127.0.0.1:0"], "control_socket": "/c", "state_directory": "/s",
        "tenants": [
            {"name": "alpha", "hosts": ["alpha"], "upstream": "old:80"},
            {"name": "beta", "hosts": ["beta"], "upstream": "old:81"},
        ],
    }))
    .unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn order(run: Option<String>, force: bool) -> CloseOrder {
    CloseOrder { message: Notice::default(), retry_after_seconds: 5, run, force }
}

fn run_name(run: Option<u8>) -> Option<String> {
    run.map(|number| format!("run-{number}"))
}

proptest! {
    #[test]
    fn only_the_owner_moves_a_gate_and_closed_time_adds_up(
        steps in proptest::collection::vec((step(), 0i64..100), 0..40)
    ) {
        let mut ledger = Ledger::default();
        ledger.adopt(&config(), at(0));
        let (mut now, mut closed) = (0i64, 0i64);
        for (step, wait) in steps {
            let before = ledger.tenants["alpha"].gate.clone();
            now += wait;
            if matches!(before, Gate::Closed(_)) { closed += wait; }
            let (result, run, force) = match step {
                Step::Close(run, force) => {
                    let run = run_name(run);
                    (ledger.close("alpha", order(run.clone(), force), at(now)), run, force)
                }
                Step::Hold(run, force) => {
                    let run = run_name(run);
                    (ledger.hold("alpha", run.clone(), force, at(now)), run, force)
                }
                Step::Open(run, force) => {
                    let run = run_name(run);
                    (ledger.open("alpha", run.as_deref(), force, at(now)), run, force)
                }
                Step::Reload => {
                    let text = serde_json::to_string(&ledger).unwrap();
                    let mut read: Ledger = serde_json::from_str(&text).unwrap();
                    read.adopt(&config(), at(now));
                    prop_assert_eq!(&read, &ledger);
                    continue;
                }
            };
            let allowed = force || before.owner().is_none() || before.owner() == run.as_deref();
            prop_assert_eq!(result.is_ok(), allowed);
            if !allowed { prop_assert_eq!(&ledger.tenants["alpha"].gate, &before); }
            let record = &ledger.tenants["alpha"];
            prop_assert_eq!(record.closed_until(at(now)), u64::try_from(closed).unwrap() * 1000);
            prop_assert_eq!(&ledger.tenants["beta"].gate, &Gate::Open);
        }
    }
}

#[test]
fn closing_again_keeps_since_when() {
    let mut ledger = Ledger::default();
    ledger.adopt(&config(), at(0));
    ledger.close("alpha", order(Some("run-1".into()), false), at(10)).unwrap();
    ledger.close("alpha", order(Some("run-1".into()), false), at(20)).unwrap();
    let Gate::Closed(closure) = &ledger.tenants["alpha"].gate else { panic!("closed") };
    assert_eq!(closure.since, at(10));
    assert_eq!(ledger.tenants["alpha"].closed_until(at(30)), 20_000);
    assert_eq!(ledger.tenants["alpha"].closed_until(at(0)), 0, "a clock gone backwards adds nothing");
}

#[test]
fn a_switched_upstream_is_void_once_the_configuration_names_another() {
    let (mut ledger, mut config) = (Ledger::default(), config());
    ledger.adopt(&config, at(0));
    let new = Upstream::parse("new:80").unwrap();
    ledger.set_upstream("alpha", &config.tenants[0].upstream, new.clone()).unwrap();
    ledger.adopt(&config, at(1));
    assert_eq!(ledger.tenants["alpha"].switched.as_ref().unwrap().upstream, new);
    config.tenants[0].upstream = Upstream::parse("third:80").unwrap();
    ledger.adopt(&config, at(2));
    assert_eq!(ledger.tenants["alpha"].switched, None);
    let error = ledger.set_upstream("nobody", &config.tenants[0].upstream, new).unwrap_err();
    assert_eq!(error.code(), "unknown-tenant");
}

#[test]
fn an_untrusted_state_closes_everyone_and_anyone_may_open() {
    let mut ledger = Ledger::all_closed(&config(), at(0));
    assert!(ledger.tenants.values().all(|record| matches!(record.gate, Gate::Closed(_))));
    ledger.open("alpha", Some("run-1"), false, at(5)).unwrap();
    assert!(ledger.tenants["alpha"].gate.is_open());
    assert_eq!(ledger.tenants["alpha"].closed_milliseconds, 5_000);
}
