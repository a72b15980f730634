//! Small plans, and every event that may follow in a run.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use eclusa_fault::{Code, Fault, Message};
use eclusa_model::{
    AppKind, Fingerprint, FingerprintKey, PersonName, RunId, RuntimeKind, StackName, StepName,
};
use eclusa_runbook::{
    Action, EVENT_FORMAT, Effect, Entry, Event, Evidence, Exec, Expect, Gate, GateKind, Intent, Limits, Next,
    OnNoGo, Outputs, PLAN_FORMAT, Phase, Place, Plan, Progress, Question, Recovery, Run, Scope, Step, Undo,
    UndoProgress, Verdict, VerdictKind,
};
use jiff::Timestamp;

pub fn name(text: &str) -> StepName {
    StepName::new(text).unwrap()
}

pub fn ana() -> PersonName {
    PersonName::new("ana").unwrap()
}

pub fn at(second: u64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + second as i64).unwrap()
}

pub fn exec(word: &str) -> Effect {
    Effect::Exec(Exec {
        place: Place::Host,
        argv: vec![word.to_owned()],
        environment: BTreeMap::new(),
        directory: None,
        expect: Expect::default(),
        unblock: None,
        stdin: None,
    })
}

/// What a random step is made from.
#[derive(Debug, Clone)]
pub struct Shape {
    pub kind: u8,
    pub undo: u8,
    pub recovery: u8,
    pub retries: u32,
    pub tolerated: bool,
    pub after: Vec<usize>,
    pub policy: u8,
}

pub fn plan(shapes: &[Shape]) -> Plan {
    let policy = |number: u8| [OnNoGo::Back, OnNoGo::Ask, OnNoGo::Warn][number as usize % 3];
    let steps = shapes
        .iter()
        .enumerate()
        .map(|(number, shape)| {
            let mut after: Vec<StepName> = shape
                .after
                .iter()
                .filter(|_| number > 0)
                .map(|other| name(&format!("s{}", other % number.max(1))))
                .collect();
            after.sort();
            after.dedup();
            Step {
                name: name(&format!("s{number}")),
                phase: Phase::Change,
                scope: Scope::Stack,
                title: Message::verbatim("x"),
                after,
                action: match shape.kind % 4 {
                    0 => Action::Judge(Gate {
                        kind: GateKind::Unmoved,
                        on_no_go: policy(shape.policy),
                        on_hold: policy(shape.policy / 3),
                        trial: None,
                    }),
                    1 if shape.policy % 2 == 0 => Action::Ask(Question {
                        text: Message::verbatim("?"),
                        allowed: Vec::new(),
                        deadline: Some(5),
                        checklist: None,
                    }),
                    _ => Action::Perform(exec("do")),
                },
                undo: match shape.undo % 3 {
                    0 => Undo::Nothing { why: Message::verbatim("none") },
                    _ => Undo::By(exec("undo")),
                },
                recovery: [Recovery::Repeat, Recovery::Probe, Recovery::GoBack][shape.recovery as usize % 3]
                    .clone(),
                limits: Limits { timeout: 1, retries: shape.retries % 3, tolerated: shape.tolerated },
                lane: None,
                expected: None,
            }
        })
        .collect();
    Plan {
        format: PLAN_FORMAT,
        version: "0.0.0".to_owned(),
        stack: StackName::new("shop").unwrap(),
        app: AppKind::Generic,
        runtime: RuntimeKind::Process,
        intent: Intent::Start,
        made_at: at(0),
        observation: Fingerprint::of_bytes(&FingerprintKey::new([0; 32]), b"x"),
        from: None,
        to: None,
        tenants: Vec::new(),
        reversibility: BTreeMap::new(),
        reversibility_reasons: BTreeMap::new(),
        point_of_no_return: None,
        expected_downtime: BTreeMap::new(),
        services: Vec::new(),
        parallel: 3,
        deciders: Vec::new(),
        emergency: Vec::new(),
        told: Vec::new(),
        answer_within: None,
        load: Default::default(),
        remarks: Vec::new(),
        steps,
    }
}

pub fn started(plan: Plan) -> Event {
    Event::Started {
        format: EVENT_FORMAT,
        version: "0.0.0".to_owned(),
        plan: Box::new(plan),
        by: ana(),
        reason: None,
    }
}

pub fn entry(sequence: u64, event: Event) -> Entry {
    Entry {
        run: RunId::new("r-1").unwrap(),
        sequence,
        at: at(sequence),
        previous: String::new(),
        hash: String::new(),
        event,
    }
}

pub fn fault() -> Fault {
    Fault::new(Code::CommandFailed).with("command", "do").with("status", "code 1")
}

fn judged(step: StepName, kind: VerdictKind) -> Event {
    Event::Judged { step, evidence: Evidence::default(), verdict: Verdict { kind, reasons: Vec::new() } }
}

/// Every event that may follow now, those that bring the run on first.
pub fn possible(run: &Run) -> Vec<Event> {
    let mut events = Vec::new();
    for step in &run.plan.steps {
        let name = step.name.clone();
        if matches!(run.undone.get(&name), Some(UndoProgress::Begun { generation, .. }) if *generation == run.generation)
        {
            events.push(Event::Undone { step: name.clone(), outputs: Outputs::new() });
            events.push(Event::UndoFailed { step: name.clone(), fault: fault() });
        }
        let begun = matches!(run.progress.get(&name), Some(Progress::Begun { generation, .. }) if *generation == run.generation);
        if !begun || run.verdicts.contains_key(&name) || run.undone.contains_key(&name) {
            continue;
        }
        match &step.action {
            Action::Judge(_) => {
                events.push(judged(name.clone(), VerdictKind::Go));
                events.push(judged(name.clone(), VerdictKind::Hold));
                events.push(judged(name.clone(), VerdictKind::NoGo));
                events.push(Event::Sampled { step: name.clone(), evidence: Evidence::default() });
            }
            _ => events.push(Event::Performed { step: name.clone(), outputs: Outputs::new() }),
        }
        events.push(Event::Failed { step: name, fault: fault() });
    }
    for next in run.next() {
        match next {
            Next::Perform { step, attempt } | Next::Judge { step, attempt } => {
                events.push(Event::Intended { step, attempt })
            }
            Next::Recover { step, recovery, .. } => {
                if recovery == Recovery::Probe {
                    events.push(Event::Performed { step: step.clone(), outputs: Outputs::new() });
                }
                let alone = run.plan.step(&step).filter(|found| found.goes_back_alone());
                let tenant = alone.and_then(|found| found.lane_tenant()).cloned();
                if let (Recovery::GoBack, Some(tenant)) = (&recovery, tenant) {
                    let why = Message::verbatim("unknown");
                    events.push(Event::TenantTurnedBack { tenant, step, why });
                } else if recovery == Recovery::GoBack {
                    events.push(Event::TurnedBack {
                        step: Some(step),
                        why: Message::verbatim("unknown"),
                        by: None,
                    });
                } else {
                    events.push(Event::FoundUndone { step });
                }
            }
            Next::Ask { step } => {
                events.push(Event::Asked { step, text: Message::verbatim("?"), deadline: None })
            }
            Next::Await { step, .. } => {
                for go in [true, false] {
                    events.push(Event::Answered { step: step.clone(), go, by: None, reason: String::new() });
                }
            }
            Next::TurnBack { step, why } => {
                events.push(Event::TurnedBack { step: Some(step), why, by: None })
            }
            Next::TurnTenantBack { tenant, step, why } => {
                events.push(Event::TenantTurnedBack { tenant, step, why })
            }
            Next::Undo { step, attempt, .. } => events.push(Event::UndoIntended { step, attempt }),
            Next::End { outcome } => events.push(Event::Ended { outcome }),
        }
    }
    events
}

/// Whether something is under way in the hands of the present runner.
pub fn busy(run: &Run) -> bool {
    run.plan.steps.iter().any(|step| {
        let forward = matches!(run.progress.get(&step.name), Some(Progress::Begun { generation, .. }) if *generation == run.generation)
            && !run.verdicts.contains_key(&step.name);
        let back = matches!(run.undone.get(&step.name), Some(UndoProgress::Begun { generation, .. }) if *generation == run.generation);
        forward || back
    })
}
