//! Tenants that go back alone while the others go on.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use eclusa_fault::Message;
use eclusa_model::TenantName;
use eclusa_runbook::{Direction, Event, Lane, Outcome, Plan, Progress, Run, Scope, Step, UndoProgress};
use proptest::prelude::*;
use support::{Shape, ana, busy, entry, name, plan, possible, started};

const TENANTS: [&str; 3] = ["a", "b", "c"];
/// The steps of each lane.
const STEPS: usize = 3;
/// The place of the step that is done only where its tenant went back.
const INSTEAD: usize = STEPS + 1;
/// The shared step after the lanes, and the last.
const MIDDLE: usize = 1 + TENANTS.len() * STEPS;
const LAST: usize = MIDDLE + 2 * TENANTS.len() + 1;

/// One shared step, a row of steps for each tenant, a shared one, of each tenant a step that follows and one that is only
/// for those who went back, and a shared one.
fn lanes(shapes: &[u8]) -> Plan {
    let count = LAST + 1;
    let shape = |number: usize| {
        let seed = shapes.get(number).copied().unwrap_or(2);
        // No gates that ask: what a person answers is tested elsewhere.
        let kind = if seed % 5 == 0 { 0 } else { 2 };
        Shape {
            kind,
            undo: seed,
            recovery: seed / 3,
            retries: 0,
            tolerated: false,
            after: Vec::new(),
            policy: 0,
        }
    };
    let mut plan = plan(&(0..count).map(shape).collect::<Vec<_>>());
    let after = |step: &mut Step, numbers: &[usize]| {
        step.after = numbers.iter().map(|number| name(&format!("s{number}"))).collect();
    };
    let mut ends = Vec::new();
    for (row, tenant) in TENANTS.iter().enumerate() {
        for place in 0..=INSTEAD {
            let (number, lane, before) = match place {
                0 => (1 + row * STEPS, Lane::Own, 0),
                STEPS => (MIDDLE + 1 + row, Lane::Follows, MIDDLE),
                INSTEAD => (MIDDLE + 1 + TENANTS.len() + row, Lane::Instead, MIDDLE),
                _ => (1 + row * STEPS + place, Lane::Own, row * STEPS + place),
            };
            let step = &mut plan.steps[number];
            step.scope = Scope::Tenant(TenantName::new(*tenant).unwrap());
            step.lane = Some(lane);
            after(step, &[before]);
        }
        ends.push(row * STEPS + STEPS);
    }
    after(&mut plan.steps[MIDDLE], &ends);
    after(&mut plan.steps[LAST], &(MIDDLE + 1..LAST).collect::<Vec<_>>());
    plan
}

fn is_left(run: &Run, step: &Step) -> bool {
    let has_undo = matches!(
        (&step.action, &step.undo),
        (eclusa_runbook::Action::Perform(_), eclusa_runbook::Undo::By(_))
    );
    has_undo && run.is_touched(&step.name) && run.undone.get(&step.name) != Some(&UndoProgress::Done)
}

/// What must hold of every state that can be reached.
fn check(run: &Run) -> Result<(), TestCaseError> {
    prop_assert!(
        run.outcome.is_some() || busy(run) || !run.next().is_empty(),
        "nothing can happen: {run:#?}"
    );
    for step in &run.plan.steps {
        if let Some(tenant) = step.instead_tenant()
            && run.is_touched(&step.name)
        {
            let own = || run.plan.steps.iter().filter(|own| own.lane_tenant() == Some(tenant));
            let settled = run.tenants_back.contains_key(tenant) && !own().any(|own| is_left(run, own));
            prop_assert!(settled, "{} began before its tenant had gone back", step.name);
        }
        let back = step.lane_tenant().is_some_and(|tenant| run.tenants_back.contains_key(tenant));
        if run.direction == Direction::Forward && run.undone.contains_key(&step.name) {
            prop_assert!(back, "{} is taken back although its tenant goes on", step.name);
        }
    }
    let last = run.plan.steps.last().unwrap();
    let lanes = || run.plan.steps.iter().filter(|step| step.lane.is_some());
    if run.direction == Direction::Forward && run.is_touched(&last.name) {
        let middle = run.progress.get(&name(&format!("s{MIDDLE}")));
        prop_assert_eq!(middle, Some(&Progress::Done), "what follows is left out, and nothing before it");
        for step in lanes() {
            let Some(tenant) = step.lane_tenant() else {
                let tenant = step.instead_tenant().unwrap();
                let done = run.progress.get(&step.name) == Some(&Progress::Done);
                prop_assert_eq!(done, run.tenants_back.contains_key(tenant), "{}", step.name);
                continue;
            };
            let settled = if run.tenants_back.contains_key(tenant) {
                !is_left(run, step)
            } else {
                run.progress.get(&step.name) == Some(&Progress::Done)
            };
            prop_assert!(settled, "the end began before {}", step.name);
        }
    }
    match run.outcome {
        Some(Outcome::Done) => prop_assert!(run.tenants_back.is_empty()),
        Some(Outcome::Partly) => {
            prop_assert!(!run.tenants_back.is_empty() && run.tenants_back.len() < TENANTS.len());
        }
        Some(Outcome::WentBack) if run.direction == Direction::Forward => {
            prop_assert_eq!(run.tenants_back.len(), TENANTS.len());
        }
        Some(Outcome::WentBack | Outcome::Refused) => {
            prop_assert!(!run.plan.steps.iter().any(|step| is_left(run, step)));
        }
        Some(Outcome::Stuck) | None => {}
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_tenant_that_fails_goes_back_and_the_others_come_through(
        shapes in prop::collection::vec(any::<u8>(), LAST + 1),
        choices in prop::collection::vec(any::<u16>(), 0..160),
    ) {
        let mut entries = vec![entry(1, started(lanes(&shapes)))];
        let mut run = Run::replay(&entries).unwrap();
        let mut step = |run: &mut Run, event: Event| -> Result<(), TestCaseError> {
            let next = entry(run.sequence + 1, event.clone());
            run.apply(&next).map_err(|illegal| TestCaseError::fail(format!("{event:?}: {illegal}")))?;
            entries.push(next);
            check(run)
        };
        for choice in choices {
            if run.outcome.is_some() { break; }
            let event = match choice % 60 {
                0 => Event::Resumed { generation: run.generation + 1, by: ana() },
                1 if run.direction == Direction::Forward && !busy(&run) => {
                    Event::TurnedBack { step: None, why: Message::verbatim("enough"), by: Some(ana()) }
                }
                _ => {
                    let possible = possible(&run);
                    possible[(choice / 60) as usize % possible.len()].clone()
                }
            };
            step(&mut run, event)?;
        }
        for _ in 0..200 {
            if run.outcome.is_some() { break; }
            let event = possible(&run)[0].clone();
            step(&mut run, event)?;
        }
        prop_assert!(run.outcome.is_some(), "{:?}", run.next());
        prop_assert_eq!(&Run::replay(&entries).unwrap(), &run);
    }
}

/// Brings a run on without a fault, but for one step.
fn come_through(plan: Plan, failing: &str) -> Run {
    let mut run = Run::replay(&[entry(1, started(plan))]).unwrap();
    while run.outcome.is_none() {
        let events = possible(&run);
        let fails = |event: &&Event| matches!(event, Event::Failed { step, .. } if step.as_str() == failing);
        let event = events.iter().find(fails).unwrap_or(&events[0]).clone();
        run.apply(&entry(run.sequence + 1, event)).unwrap();
    }
    run
}

#[test]
fn one_goes_back_alone_a_shared_failure_takes_everyone() {
    let undone = |run: &Run| run.undone.keys().map(|step| step.as_str().to_owned()).collect::<Vec<_>>();
    // Every step is performed and has an undo.
    let plan = lanes(&[1; LAST + 1]);
    let run = come_through(plan.clone(), "s5");
    assert_eq!(run.outcome, Some(Outcome::Partly));
    assert_eq!(run.tenants_back.keys().map(TenantName::as_str).collect::<Vec<_>>(), ["b"]);
    assert_eq!(undone(&run), ["s4", "s5"], "what failed may have done half");
    assert_eq!(run.progress.get(&name("s12")), Some(&Progress::Pending), "what follows is left out");
    assert_eq!(run.progress.get(&name("s17")), Some(&Progress::Done));
    let instead = |number: &str| run.progress.get(&name(number)) == Some(&Progress::Done);
    assert_eq!(["s14", "s15", "s16"].map(instead), [false, true, false], "only for those who went back");
    // One that only follows, and one that is everyone's.
    for failing in ["s12", "s17", "s0"] {
        let run = come_through(plan.clone(), failing);
        assert_eq!((run.outcome, run.tenants_back.len()), (Some(Outcome::WentBack), 0), "{failing}");
    }
}
