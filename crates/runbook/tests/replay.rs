//! Any interleaving of what `next()` offers is a run, and nothing else is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;

use eclusa_fault::Message;
use eclusa_model::StepName;
use eclusa_runbook::{
    Action, Direction, Entry, Event, Evidence, Next, Outcome, Outputs, Run, UndoProgress, Verdict,
    VerdictKind,
};
use proptest::prelude::*;
use support::{Shape, ana, busy, entry, fault, name, plan, possible, started};

fn shapes() -> impl Strategy<Value = Vec<Shape>> {
    let one = (
        any::<u8>(),
        any::<u8>(),
        any::<u8>(),
        0u32..3,
        any::<bool>(),
        prop::collection::vec(0usize..8, 0..3),
        any::<u8>(),
    );
    let one = one.prop_map(|(kind, undo, recovery, retries, tolerated, after, policy)| Shape {
        kind,
        undo,
        recovery,
        retries,
        tolerated: tolerated && policy > 200,
        after,
        policy,
    });
    prop::collection::vec(one, 1..8)
}

/// Everything that comes after a step, directly or not.
fn dependents(run: &Run, of: &StepName) -> BTreeSet<StepName> {
    let mut found = BTreeSet::from([of.clone()]);
    for step in &run.plan.steps {
        if step.after.iter().any(|before| found.contains(before)) {
            found.insert(step.name.clone());
        }
    }
    found.remove(of);
    found
}

/// What must hold of every state that can be reached.
fn check(run: &Run) -> Result<(), TestCaseError> {
    let next = run.next();
    if run.outcome.is_none() {
        prop_assert!(busy(run) || !next.is_empty(), "a run in which nothing can happen: {run:#?}");
    } else {
        prop_assert!(next.is_empty());
    }
    for one in &next {
        match one {
            Next::Perform { step, .. } | Next::Judge { step, .. } | Next::Ask { step } => {
                prop_assert_eq!(&run.direction, &Direction::Forward);
                let after = &run.plan.step(step).unwrap().after;
                prop_assert!(after.iter().all(|before| run.is_passed(before)), "{step} is offered too early");
            }
            Next::Undo { step, .. } => {
                prop_assert_eq!(&run.direction, &Direction::Back);
                prop_assert!(run.is_touched(step), "{step} was never begun");
                for later in dependents(run, step) {
                    let has_undo = matches!(
                        run.plan.step(&later).map(|l| (&l.action, &l.undo)),
                        Some((Action::Perform(_), eclusa_runbook::Undo::By(_)))
                    );
                    let done = matches!(run.undone.get(&later), Some(UndoProgress::Done));
                    prop_assert!(
                        done || !has_undo || !run.is_touched(&later),
                        "{step} is taken back before {later}"
                    );
                    let under_way = matches!(run.progress.get(&later),
                        Some(eclusa_runbook::Progress::Begun { generation, .. }) if *generation == run.generation)
                        && !run.verdicts.contains_key(&later)
                        && !run.undone.contains_key(&later);
                    prop_assert!(!under_way, "{step} is taken back while {later} is under way");
                }
            }
            Next::End { outcome: Outcome::Done } => {
                prop_assert!(run.plan.steps.iter().all(|step| run.is_passed(&step.name)));
            }
            Next::End { outcome: Outcome::WentBack | Outcome::Refused } => {
                let left = run.plan.steps.iter().find(|step| {
                    matches!((&step.action, &step.undo), (Action::Perform(_), eclusa_runbook::Undo::By(_)))
                        && run.is_touched(&step.name)
                        && !matches!(run.undone.get(&step.name), Some(UndoProgress::Done))
                });
                prop_assert!(left.is_none(), "{left:?} was not taken back");
            }
            _ => {}
        }
    }
    Ok(())
}

fn begin(shapes: &[Shape]) -> (Run, Vec<Entry>) {
    let entries = vec![entry(1, started(plan(shapes)))];
    (Run::replay(&entries).unwrap(), entries)
}

fn apply(run: &mut Run, entries: &mut Vec<Entry>, event: Event) -> Result<(), eclusa_runbook::Illegal> {
    let entry = entry(run.sequence + 1, event);
    run.apply(&entry)?;
    entries.push(entry);
    Ok(())
}

/// One chosen event: mostly what is offered, now and then a crash, a word, a wish to go back.
fn choose(run: &Run, choice: u16) -> Event {
    let forward = run.direction == Direction::Forward;
    match choice % 40 {
        0 => Event::Resumed { generation: run.generation + 1, by: ana() },
        1 => Event::Noted { by: ana(), kind: "note".to_owned(), text: "x".to_owned() },
        2 if forward && !busy(run) => {
            Event::TurnedBack { step: None, why: Message::verbatim("enough"), by: Some(ana()) }
        }
        _ => {
            let possible = possible(run);
            possible[(choice / 40) as usize % possible.len()].clone()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_interleaving_that_is_offered_is_a_run_and_comes_to_an_end(shapes in shapes(), choices in prop::collection::vec(any::<u16>(), 0..120)) {
        let (mut run, mut entries) = begin(&shapes);
        for choice in choices {
            if run.outcome.is_some() { break; }
            let event = choose(&run, choice);
            apply(&mut run, &mut entries, event.clone()).map_err(|illegal| TestCaseError::fail(format!("{event:?}: {illegal}")))?;
            check(&run)?;
        }
        // From anywhere, a run to which nothing bad happens any more ends soon.
        for _ in 0..200 {
            if run.outcome.is_some() { break; }
            let event = possible(&run)[0].clone();
            apply(&mut run, &mut entries, event.clone()).map_err(|illegal| TestCaseError::fail(format!("{event:?}: {illegal}")))?;
            check(&run)?;
        }
        prop_assert!(run.outcome.is_some(), "{:?}", run.next());
        prop_assert_eq!(&Run::replay(&entries).unwrap(), &run);
        // Through JSON, as it stands in the journal.
        let text = serde_json::to_string(&entries).unwrap();
        let read: Vec<Entry> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(&read, &entries);
        prop_assert_eq!(serde_json::to_string(&read).unwrap(), text);
        prop_assert_eq!(&Run::replay(&read).unwrap(), &run);
    }

    #[test]
    fn any_events_at_all_are_taken_or_refused_and_a_refused_one_changes_nothing(shapes in shapes(), wild in prop::collection::vec((any::<u8>(), 0usize..10, any::<u16>()), 0..120)) {
        let (mut run, mut entries) = begin(&shapes);
        for (kind, step, choice) in wild {
            let event = if choice % 3 == 0 && run.outcome.is_none() { choose(&run, choice) } else { wild_event(kind, step, choice, &shapes) };
            let before = run.clone();
            if apply(&mut run, &mut entries, event).is_err() {
                prop_assert_eq!(&run, &before);
            }
            let _ = run.next();
        }
        prop_assert_eq!(&Run::replay(&entries).unwrap(), &run);
    }
}

fn wild_event(kind: u8, step: usize, choice: u16, shapes: &[Shape]) -> Event {
    let step = name(&format!("s{step}"));
    let verdict = Verdict {
        kind: [VerdictKind::Go, VerdictKind::Hold, VerdictKind::NoGo][choice as usize % 3],
        reasons: Vec::new(),
    };
    let (evidence, outputs, why) = (Evidence::default(), Outputs::new(), Message::verbatim("w"));
    let attempt = u32::from(choice % 4);
    match kind % 16 {
        0 => started(plan(shapes)),
        1 => Event::Resumed { generation: u64::from(choice % 8), by: ana() },
        2 | 3 => Event::Intended { step, attempt },
        4 => Event::Performed { step, outputs },
        5 => Event::Failed { step, fault: fault() },
        6 => Event::FoundUndone { step },
        7 => Event::Sampled { step, evidence },
        8 => Event::Judged { step, evidence, verdict },
        9 => Event::Asked { step, text: why, deadline: None },
        10 => Event::Answered { step, go: choice.is_multiple_of(2), by: None, reason: String::new() },
        11 => Event::TurnedBack { step: Some(step), why, by: None },
        12 => Event::UndoIntended { step, attempt },
        13 => Event::Undone { step, outputs },
        14 => Event::UndoFailed { step, fault: fault() },
        _ => Event::Ended {
            outcome: [Outcome::Done, Outcome::Refused, Outcome::WentBack, Outcome::Stuck]
                [choice as usize % 4],
        },
    }
}

#[test]
fn what_is_no_run_is_refused() {
    let shape =
        Shape { kind: 2, undo: 1, recovery: 0, retries: 0, tolerated: false, after: Vec::new(), policy: 1 };
    let begun = || begin(std::slice::from_ref(&shape));
    assert!(Run::replay(&[]).is_err());
    assert!(Run::replay(&[entry(1, Event::Ended { outcome: Outcome::Done })]).is_err());
    let wrong = [
        ("twice begun", Event::Intended { step: name("s0"), attempt: 1 }),
        ("no such step", Event::Intended { step: name("s9"), attempt: 1 }),
        ("an undo on the way forward", Event::UndoIntended { step: name("s0"), attempt: 1 }),
        ("no question", Event::Answered { step: name("s0"), go: true, by: None, reason: String::new() }),
        (
            "no gate",
            Event::Judged {
                step: name("s0"),
                evidence: Evidence::default(),
                verdict: Verdict { kind: VerdictKind::Go, reasons: Vec::new() },
            },
        ),
        ("an old generation", Event::Resumed { generation: 1, by: ana() }),
        ("an end that is none", Event::Ended { outcome: Outcome::Done }),
        (
            "a question of no gate",
            Event::Asked { step: name("s0"), text: Message::verbatim("?"), deadline: None },
        ),
        ("found undone in one's own hands", Event::FoundUndone { step: name("s0") }),
    ];
    for (what, event) in wrong {
        let (mut run, mut entries) = begun();
        apply(&mut run, &mut entries, Event::Intended { step: name("s0"), attempt: 1 }).unwrap();
        assert!(apply(&mut run, &mut entries, event).is_err(), "{what}");
    }
    let (mut run, _) = begun();
    let mut other = entry(2, Event::Intended { step: name("s0"), attempt: 1 });
    other.sequence = 3;
    assert!(run.apply(&other).is_err(), "a gap");
    other.sequence = 2;
    other.run = eclusa_model::RunId::new("r-2").unwrap();
    assert!(run.apply(&other).is_err(), "another run's");
}

/// The one thing that may follow an end: who takes a stuck run up tries again what had failed.
#[test]
fn a_stuck_run_is_taken_up() {
    let shape =
        Shape { kind: 2, undo: 1, recovery: 0, retries: 0, tolerated: false, after: Vec::new(), policy: 1 };
    let (mut run, mut entries) = begin(&[shape]);
    let s0 = || name("s0");
    let mut events = vec![
        Event::Intended { step: s0(), attempt: 1 },
        Event::Failed { step: s0(), fault: fault() },
        Event::TurnedBack { step: None, why: Message::verbatim("x"), by: None },
    ];
    for attempt in 1..=2 {
        events.push(Event::UndoIntended { step: s0(), attempt });
        events.push(Event::UndoFailed { step: s0(), fault: fault() });
    }
    events.push(Event::Ended { outcome: Outcome::Stuck });
    for event in events {
        apply(&mut run, &mut entries, event).unwrap();
    }
    apply(&mut run, &mut entries, Event::Resumed { generation: 2, by: ana() }).unwrap();
    assert!(matches!(run.next().as_slice(), [Next::Undo { attempt: 1, .. }]));
    apply(&mut run, &mut entries, Event::UndoIntended { step: s0(), attempt: 1 }).unwrap();
    apply(&mut run, &mut entries, Event::Undone { step: s0(), outputs: Outputs::new() }).unwrap();
    assert_eq!(run.next(), [Next::End { outcome: Outcome::WentBack }]);
    assert_eq!(Run::replay(&entries).unwrap(), run);
}
