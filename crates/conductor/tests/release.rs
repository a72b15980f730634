//! A release by the real planner in a world in memory: it runs, fails, crashes, is aborted and is asked about at every
//! point, and every time the world is either as it was before or as it should be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::sync::Arc;

use eclusa_runbook::{Event, Intent, Outcome};
use eclusa_testkit::{Scenario, Script, Side, Trouble};
use support::{Left, Person, Trial, all};

const HOOKS: &str = r#"
[[stacks.shop.hooks]]
name = "banner"
at = "before.change"
command = ["flag", "on", "banner"]
undo = ["flag", "off", "banner"]

[[stacks.shop.hooks]]
name = "word"
at = "after.open"
command = ["tell", "somebody"]
"#;

const PARALLEL: &str = "\n[stacks.shop.limits]\nparallel = 4\n";

fn release(to: &str, tenants: &[&str], edge: bool, ask: bool, more: &str) -> Trial {
    let scenario = Scenario::new(tenants, edge, ask, more);
    let plan =
        scenario.plan(&Intent::Release { to: to.to_owned() }).unwrap_or_else(|fault| panic!("{fault}"));
    Trial::new(scenario, plan)
}

fn schema() -> Trial {
    release("v2", &["alpha"], true, false, HOOKS)
}

fn code_only() -> Trial {
    release("v1b", &["alpha", "beta"], true, false, HOOKS)
}

fn two() -> Trial {
    release("v2", &["alpha", "beta"], true, false, PARALLEL)
}

/// A release of three tenants of whom one's migration always fails, which is to stay closed.
fn keep() -> Trial {
    let mut scenario = Scenario::new(&["alpha", "beta", "gamma"], true, false, PARALLEL);
    scenario.keeps_closed = true;
    scenario.world.with(|state| {
        state.failing.insert("app migrate beta".to_owned());
        state.behind = state.databases.keys().cloned().collect();
    });
    let plan = scenario.plan(&Intent::Release { to: "v2".to_owned() }).unwrap();
    Trial::new(scenario, plan)
}

/// A release whose answers are wrong once it runs: it goes back from validation.
fn bad() -> Trial {
    let trial = two();
    trial.world().with(|state| state.broken.insert("v2".to_owned()));
    trial
}

fn make(name: &str) -> Trial {
    match name {
        "schema" => schema(),
        "code-only" => code_only(),
        "two" => two(),
        "bad" => bad(),
        "keep" => keep(),
        other => panic!("{other}"),
    }
}

fn blocking<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

/// How many events and operations a trial has when nothing is done to it.
fn counts(name: &str, expected: Outcome) -> (u64, usize) {
    blocking(async {
        let mut trial = make(name);
        trial.world().script(Script::default());
        let outcome = trial.run_to_the_end().await;
        assert_eq!(outcome, expected, "{}", trial.story());
        trial.must_be_right(outcome, &name);
        (trial.state().sequence, trial.world().with(|state| state.operations.len()))
    })
}

/// A release that was rehearsed with these images of its services.
fn rehearsed_with(image: &str) -> Trial {
    let mut scenario = Scenario::new(&["alpha"], true, false, "");
    scenario.rehearsed = Some([("web".to_owned(), image.to_owned())].into());
    let plan = scenario.plan(&Intent::Release { to: "v2".to_owned() }).unwrap();
    Trial::new(scenario, plan)
}

#[test]
fn what_was_rehearsed_is_released_and_nothing_else() {
    blocking(async {
        for (image, expected) in [("sha256:v2", Outcome::Done), ("sha256:v2-of-yesterday", Outcome::Refused)]
        {
            let mut trial = rehearsed_with(image);
            trial.world().script(Script::default());
            let outcome = trial.run_to_the_end().await;
            assert_eq!(outcome, expected, "{image}: {}", trial.story());
            let asked = trial.story().to_string().contains("preflight.rehearsed");
            assert!(asked, "{}", trial.story());
        }
    });
}

#[test]
fn each_shape_of_a_release_runs_to_its_end() {
    for name in ["schema", "code-only", "two"] {
        let (events, operations) = counts(name, Outcome::Done);
        assert!(events > 30 && operations > 30, "{name}: {events} events, {operations} operations");
    }
    counts("bad", Outcome::WentBack);
}

#[test]
fn nothing_but_the_lease_is_left_to_find_out_who_did_what() {
    blocking(async {
        let mut trial = schema();
        trial.run_to_the_end().await;
        let points = trial.world().with(|state| state.points.values().map(Vec::len).sum::<usize>());
        assert_eq!(points, 1, "one restore point, in the closed window");
        let told: Vec<&str> = trial.notifier.told.lock().unwrap().iter().map(|notice| notice.kind).collect();
        assert_eq!(told, ["run.started", "run.verdict", "run.ended"]);
    });
}

fn at_every_operation(name: &'static str, expected: Outcome, troubles: &[Trouble]) {
    let (_, operations) = counts(name, expected);
    let cases = (1..=operations).flat_map(|number| troubles.iter().map(move |trouble| (number, *trouble)));
    all(cases, async |(number, trouble)| {
        let mut trial = make(name);
        trial.world().script(Script::default().at(number, trouble));
        let outcome = trial.run_to_the_end().await;
        trial.judge(outcome).map_err(|wrong| {
            let at = trial.world().with(|state| state.operations.get(number - 1).cloned());
            format!("{at:?} ended {outcome:?}\n{wrong}\n{}", trial.story())
        })
    });
}

const FAILURES: [Trouble; 3] = [Trouble::FailBefore, Trouble::FailDuring, Trouble::FailAfter];
const CRASHES: [Trouble; 3] = [Trouble::CrashBefore, Trouble::CrashDuring, Trouble::CrashAfter];

#[test]
fn a_schema_release_in_which_one_operation_fails() {
    at_every_operation("schema", Outcome::Done, &FAILURES);
}

#[test]
fn a_schema_release_that_crashes_in_an_operation() {
    at_every_operation("schema", Outcome::Done, &CRASHES);
}

#[test]
fn a_code_release_in_which_one_operation_fails() {
    at_every_operation("code-only", Outcome::Done, &FAILURES);
}

#[test]
fn a_code_release_that_crashes_in_an_operation() {
    at_every_operation("code-only", Outcome::Done, &CRASHES);
}

#[test]
fn a_release_of_two_tenants_in_which_one_operation_fails() {
    at_every_operation("two", Outcome::Done, &FAILURES);
}

#[test]
fn a_release_of_two_tenants_that_crashes_in_an_operation() {
    at_every_operation("two", Outcome::Done, &CRASHES);
}

/// The way back included: each undo fails once, and each is done twice (`FailAfter`).
#[test]
fn a_way_back_in_which_one_operation_fails() {
    at_every_operation("bad", Outcome::WentBack, &FAILURES);
}

#[test]
fn a_way_back_that_crashes_in_an_operation() {
    at_every_operation("bad", Outcome::WentBack, &CRASHES);
}

fn at_every_event(name: &'static str, expected: Outcome) {
    let (events, _) = counts(name, expected);
    let cases = (1..=events).flat_map(|sequence| [(sequence, Side::Before), (sequence, Side::After)]);
    all(cases, async |(sequence, side)| {
        let mut trial = make(name);
        trial.journal.stop_at(side, sequence);
        let outcome = trial.run_to_the_end().await;
        trial.judge(outcome).map_err(|wrong| format!("ended {outcome:?}\n{wrong}\n{}", trial.story()))
    });
}

#[test]
fn a_schema_release_that_stops_at_every_event() {
    at_every_event("schema", Outcome::Done);
}

#[test]
fn a_code_release_that_stops_at_every_event() {
    at_every_event("code-only", Outcome::Done);
}

#[test]
fn a_way_back_that_stops_at_every_event() {
    at_every_event("bad", Outcome::WentBack);
}

/// Twice: the second process dies too, wherever it stands then.
#[test]
fn a_way_back_that_crashes_twice() {
    let (_, operations) = counts("bad", Outcome::WentBack);
    let cases = (1..=operations).step_by(3).flat_map(|first| [1, 2, 5, 9].map(|later| (first, later)));
    all(cases, async |(first, later)| {
        let mut trial = make("bad");
        trial.world().script(
            Script::default().at(first, Trouble::CrashDuring).at(first + later, Trouble::CrashDuring),
        );
        for _ in 0..2 {
            if let Left::Ended(outcome) = trial.process().await {
                return trial.judge(outcome);
            }
            // The script goes on; only the process is a new one.
            trial.world().alive_again();
        }
        let outcome = trial.run_to_the_end().await;
        trial.judge(outcome).map_err(|wrong| format!("ended {outcome:?}\n{wrong}\n{}", trial.story()))
    });
}

fn aborted_at_every_event(name: &'static str, expected: Outcome) {
    let (events, _) = counts(name, expected);
    all(1..=events, async |sequence| {
        let mut trial = make(name);
        let journal = trial.journal.clone();
        trial.watchers.push(Arc::new(Person { journal, answer: None, abort_at: Some(sequence) }));
        let outcome = trial.run_to_the_end().await;
        trial.judge(outcome).map_err(|wrong| format!("ended {outcome:?}\n{wrong}\n{}", trial.story()))
    });
}

#[test]
fn a_schema_release_that_is_aborted_at_every_event() {
    aborted_at_every_event("schema", Outcome::Done);
}

#[test]
fn a_release_of_two_tenants_that_is_aborted_at_every_event() {
    aborted_at_every_event("two", Outcome::Done);
}

#[test]
fn an_abort_ends_the_command_that_runs_and_takes_back_what_it_did() {
    blocking(async {
        let mut trial = schema();
        trial.world().script(Script::default().on("exec.app-migrate", 1, Trouble::CrashDuring));
        assert!(matches!(trial.process().await, Left::Crashed));
        assert_eq!(
            trial.world().with(|state| state.running.len()),
            1,
            "the command goes on in its container"
        );
        trial.world().calm();
        let kind = eclusa_ports::RequestKind::Abort { by: support::ana(), reason: "tea".to_owned() };
        eclusa_ports::JournalStore::request(
            trial.journal.as_ref(),
            &trial.run,
            trial.state().newest_at,
            &kind,
        )
        .unwrap();
        let outcome = trial.run_to_the_end().await;
        assert_eq!(outcome, Outcome::WentBack);
        trial.must_be_right(outcome, &"aborted");
    });
}

#[test]
fn a_migration_that_always_fails_takes_both_tenants_back() {
    blocking(async {
        let mut trial = two();
        trial.world().with(|state| state.failing.insert("app migrate beta".to_owned()));
        let outcome = trial.run_to_the_end().await;
        assert_eq!(outcome, Outcome::WentBack);
        trial.must_be_right(outcome, &"beta");
        let undone = trial.entries().iter().filter(|entry| {
            matches!(&entry.event, Event::Undone { step, outputs } if step.as_str().starts_with("migrate.") && outputs.contains_key("rows"))
        }).count();
        assert_eq!(undone, 2, "each tenant went back to its own point");
        let kept = trial.world().with(|state| state.databases.values().any(|one| !one.kept.is_empty()));
        assert!(!kept, "what was swapped out is let go");
    });
}

#[test]
fn whose_migration_fails_stays_closed_and_somebody_answers_for_it() {
    blocking(async {
        let mut trial = keep();
        let outcome = trial.run_to_the_end().await;
        assert_eq!(outcome, Outcome::Partly, "{}", trial.story());
        trial.must_be_right(outcome, &"beta");
        let owners = eclusa_ports::JournalStore::owners(trial.journal.as_ref(), &trial.plan.stack).unwrap();
        let owner = owners.values().next().unwrap();
        assert_eq!(owner.unmigrated.as_deref(), Some("v2"));
        assert_eq!((owner.run.as_str(), &owner.by), ("r-1", &support::ana()));
        let state = trial.state();
        assert_eq!(state.kept_closed().iter().map(|tenant| tenant.as_str()).collect::<Vec<_>>(), ["beta"]);
        let asked = |step: &str| {
            let evidence = &state.evidence[&step.parse().unwrap()];
            let tenants = evidence.samples.iter().map(|sample| sample.tenant.as_str());
            tenants.collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(asked("preflight.baseline").len(), 3);
        for step in ["validate.probes", "watch.stack"] {
            assert_eq!(asked(step), ["alpha", "gamma"].into(), "{step}");
        }
    });
}

#[test]
fn if_none_is_left_everything_goes_back() {
    blocking(async {
        let mut trial = keep();
        for tenant in ["alpha", "gamma"] {
            trial.world().with(|state| state.failing.insert(format!("app migrate {tenant}")));
        }
        let outcome = trial.run_to_the_end().await;
        assert_eq!(outcome, Outcome::WentBack);
        trial.must_be_right(outcome, &"all");
    });
}

#[test]
fn what_fails_for_all_takes_back_who_stays_closed_too() {
    blocking(async {
        let mut trial = keep();
        trial.world().with(|state| state.broken.insert("v2".to_owned()));
        let outcome = trial.run_to_the_end().await;
        assert_eq!(outcome, Outcome::WentBack);
        trial.must_be_right(outcome, &"broken");
        assert_eq!(trial.state().tenants_back.len(), 1);
    });
}

#[test]
fn one_that_stays_closed_and_one_operation_that_fails() {
    at_every_operation("keep", Outcome::Partly, &FAILURES);
}

#[test]
fn one_that_stays_closed_and_a_crash_in_an_operation() {
    at_every_operation("keep", Outcome::Partly, &CRASHES);
}

#[test]
fn one_that_stays_closed_and_a_stop_at_every_event() {
    at_every_event("keep", Outcome::Partly);
}

#[test]
fn one_that_stays_closed_and_an_abort_at_every_event() {
    aborted_at_every_event("keep", Outcome::Partly);
}

#[test]
fn a_failure_that_is_tolerated_stops_nothing() {
    blocking(async {
        let mut trial = schema();
        trial.world().with(|state| state.failing.insert("tell somebody".to_owned()));
        let outcome = trial.run_to_the_end().await;
        assert_eq!(outcome, Outcome::Done);
        trial.must_be_right(outcome, &"tolerated");
        assert_eq!(trial.state().failures.len(), 1, "and it is not forgotten");
    });
}

#[test]
fn a_notice_that_is_lost_is_written_down_and_stops_nothing() {
    blocking(async {
        let mut trial = schema();
        trial.notifier = Arc::new(eclusa_testkit::FakeNotifier { deaf: true, ..Default::default() });
        let outcome = trial.run_to_the_end().await;
        assert_eq!(outcome, Outcome::Done);
        trial.must_be_right(outcome, &"deaf");
        let lost =
            trial.entries().iter().filter(|entry| matches!(entry.event, Event::NoticeLost { .. })).count();
        assert_eq!(lost, 3, "started, verdict, ended");
    });
}

#[test]
fn a_lease_that_another_run_holds_is_respected() {
    blocking(async {
        let mut trial = schema();
        let mut other = trial.ports().holder;
        other.run = eclusa_model::RunId::new("r-other").unwrap();
        trial.world().with(|state| state.lease = Some((other.clone(), 1)));
        let outcome = trial.run_to_the_end().await;
        assert_eq!(outcome, Outcome::Refused);
        assert_eq!(
            trial.world().with(|state| state.lease.take().map(|(holder, _)| holder.run)),
            Some(other.run)
        );
        trial.must_be_right(outcome, &"held");
    });
}

/// A gate that refuses, and how the run must end.
fn refuse(trial: &Trial, gate: &str) {
    trial.world().with(|state| match gate {
        "preflight.unmoved" => state.moved = true,
        "preflight.placeholders" => {
            drop(state.host_files.insert("/stack/.env".into(), b"KEY=CHANGE_ME\n".to_vec()))
        }
        "preflight.disk.vault" => state.free_percent = 10,
        "preflight.check.1" => drop(state.failing.insert("app check".to_owned())),
        "preflight.tests" => drop(state.failing.insert("app tests".to_owned())),
        "preflight.pending.alpha" => {
            state.releases.get_mut("v2").unwrap().insert("sales.0003_secret".to_owned());
        }
        "validate.check.books.alpha" => drop(state.failing.insert("app books alpha".to_owned())),
        "validate.probes" => drop(state.broken.insert("v2".to_owned())),
        other => panic!("{other}"),
    });
}

#[test]
fn every_gate_that_says_no_takes_the_run_back() {
    let gates = [
        ("preflight.unmoved", Outcome::Refused),
        ("preflight.placeholders", Outcome::Refused),
        ("preflight.disk.vault", Outcome::Refused),
        ("preflight.check.1", Outcome::Refused),
        ("preflight.tests", Outcome::Refused),
        ("preflight.pending.alpha", Outcome::Refused),
        ("validate.check.books.alpha", Outcome::WentBack),
        ("validate.probes", Outcome::WentBack),
        ("validate.logs", Outcome::WentBack),
    ];
    all(gates, async |(gate, expected)| {
        let mut trial = schema();
        if gate == "validate.logs" {
            trial.watchers.push(Arc::new(ErrorAfter("migrate.start", trial.world().clone())));
        } else {
            refuse(&trial, gate);
        }
        let outcome = trial.run_to_the_end().await;
        let cause = trial.state().turned_back.and_then(|(step, ..)| step).map(|step| step.to_string());
        if (outcome, cause.as_deref()) != (expected, Some(gate)) {
            return Err(format!("{outcome:?} because of {cause:?}\n{}", trial.story()));
        }
        trial.judge(outcome)
    });
}

#[test]
fn the_decision_is_a_persons() {
    let answers = [(Some(true), Outcome::Done), (Some(false), Outcome::WentBack), (None, Outcome::WentBack)];
    all(answers, async |(answer, expected)| {
        let mut trial = release("v2", &["alpha"], true, true, "");
        let journal = trial.journal.clone();
        trial.watchers.push(Arc::new(Person { journal, answer, abort_at: None }));
        let outcome = trial.run_to_the_end().await;
        let decisions = trial.state().decisions;
        if outcome != expected || decisions.len() != 1 || decisions[0].by.is_some() != answer.is_some() {
            return Err(format!("{outcome:?}, {decisions:?}\n{}", trial.story()));
        }
        trial.judge(outcome)
    });
}

/// The watch says no after the gate was open: a person is asked where data would go back, and what was written since
/// is in a salvage point.
#[test]
fn a_watch_that_says_no_asks_before_data_goes_back() {
    let answers = [(Some(true), Outcome::Done), (Some(false), Outcome::WentBack), (None, Outcome::WentBack)];
    all(answers, async |(answer, expected)| {
        let mut trial = schema();
        let journal = trial.journal.clone();
        trial.watchers.push(Arc::new(Person { journal, answer, abort_at: None }));
        trial.watchers.push(Arc::new(ErrorAfter("open.gate.alpha", trial.world().clone())));
        let outcome = trial.run_to_the_end().await;
        if outcome != expected {
            return Err(format!("{outcome:?}\n{}", trial.story()));
        }
        trial.judge(outcome)
    });
}

/// A new error stands in the log after a step.
struct ErrorAfter(&'static str, eclusa_testkit::World);

impl eclusa_conductor::Watcher for ErrorAfter {
    fn entry(&self, entry: &eclusa_runbook::Entry, _run: &eclusa_runbook::Run) {
        if let Event::Performed { step, .. } = &entry.event
            && step.as_str() == self.0
        {
            self.1.with(|state| {
                let at = "2030-01-01T00:00:00Z".parse().unwrap();
                state.log.push((at, eclusa_model::ServiceName::new("web").unwrap(), "Traceback".to_owned()));
            });
        }
    }
}

/// As above, with a crash in every operation of the way back.
#[test]
fn a_way_back_after_the_gate_was_open_that_crashes_loses_no_write() {
    let make = || {
        let mut trial = release("v2", &["alpha"], true, false, HOOKS);
        let journal = trial.journal.clone();
        trial.watchers.push(Arc::new(Person { journal, answer: Some(false), abort_at: None }));
        trial.watchers.push(Arc::new(ErrorAfter("open.gate.alpha", trial.world().clone())));
        trial
    };
    let operations = blocking(async {
        let mut trial = make();
        trial.world().script(Script::default());
        assert_eq!(trial.run_to_the_end().await, Outcome::WentBack);
        trial.world().with(|state| state.operations.len())
    });
    let troubles = [
        Trouble::CrashBefore,
        Trouble::CrashDuring,
        Trouble::CrashAfter,
        Trouble::FailBefore,
        Trouble::FailAfter,
    ];
    let cases = (operations / 2..=operations).flat_map(|number| troubles.map(|trouble| (number, trouble)));
    all(cases, async |(number, trouble)| {
        let mut trial = make();
        trial.world().script(Script::default().at(number, trouble));
        let outcome = trial.run_to_the_end().await;
        trial.judge(outcome).map_err(|wrong| format!("ended {outcome:?}\n{wrong}\n{}", trial.story()))
    });
}

#[test]
fn without_an_edge_the_release_stops_what_serves() {
    for broken in [false, true] {
        blocking(async {
            let mut trial = release("v2", &["alpha"], false, false, HOOKS);
            if broken {
                trial.world().with(|state| state.broken.insert("v2".to_owned()));
            }
            let outcome = trial.run_to_the_end().await;
            assert_eq!(outcome, if broken { Outcome::WentBack } else { Outcome::Done }, "{}", trial.story());
            trial.must_be_right(outcome, &"no edge");
        });
    }
}

#[test]
fn a_run_that_has_ended_cannot_be_spoilt_by_who_takes_it_up() {
    blocking(async {
        let mut trial = schema();
        trial.run_to_the_end().await;
        let before = trial.entries();
        let ports = trial.ports();
        let taken =
            eclusa_conductor::Conductor::take_up(ports, trial.run.clone(), Some(support::ana()), Vec::new())
                .await;
        assert!(taken.is_err());
        assert_eq!(trial.entries(), before, "what cannot follow is not written");
    });
}
