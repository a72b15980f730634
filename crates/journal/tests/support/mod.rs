//! Runs and events for tests.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use eclusa_journal::{OpenMode, SqliteJournal};
use eclusa_model::{PersonName, RunId, StackName, StepName};
use eclusa_ports::JournalStore;
use eclusa_runbook::{EVENT_FORMAT, Entry, Event, Outputs, PLAN_FORMAT, Plan};
use jiff::{SignedDuration, Timestamp};

pub fn run(name: &str) -> RunId {
    RunId::new(name).unwrap()
}

pub fn stack() -> StackName {
    StackName::new("shop").unwrap()
}

pub fn step(name: &str) -> StepName {
    StepName::new(name).unwrap()
}

pub fn at(milliseconds: i64) -> Timestamp {
    let beginning: Timestamp = "2026-11-21T15:21:43Z".parse().unwrap();
    beginning + SignedDuration::from_millis(milliseconds)
}

/// An empty plan, from its JSON: what a later version adds to plans is optional there.
pub fn plan(stack: &StackName) -> Plan {
    serde_json::from_value(serde_json::json!({
        "format": PLAN_FORMAT,
        "version": "0.1.0",
        "stack": stack,
        "app": "generic",
        "runtime": "process",
        "intent": { "intent": "start" },
        "made_at": at(0),
        "observation": "00",
        "from": null,
        "to": null,
        "tenants": [],
        "reversibility": {},
        "reversibility_reasons": {},
        "point_of_no_return": null,
        "expected_downtime": {},
        "services": [],
        "parallel": 1,
        "remarks": [],
        "steps": [],
    }))
    .unwrap()
}

pub fn started() -> Event {
    Event::Started {
        format: EVENT_FORMAT,
        version: "0.1.0".to_owned(),
        plan: Box::new(plan(&stack())),
        by: PersonName::new("ana").unwrap(),
        reason: None,
    }
}

pub fn intended(name: &str) -> Event {
    Event::Intended { step: step(name), attempt: 1 }
}

pub fn performed(name: &str, output: &str) -> Event {
    Event::Performed { step: step(name), outputs: Outputs::from([("text".to_owned(), output.to_owned())]) }
}

pub fn noted(text: &str) -> Event {
    Event::Noted { by: PersonName::new("ana").unwrap(), kind: "note".to_owned(), text: text.to_owned() }
}

pub fn path_in(directory: &Path) -> PathBuf {
    directory.join("journal.sqlite")
}

pub fn writable(path: &Path) -> SqliteJournal {
    SqliteJournal::open(path, OpenMode::ReadWrite).unwrap()
}

/// A run of `length` events, the first being `Started`.
pub fn fill(journal: &SqliteJournal, name: &str, length: u64) -> Vec<Entry> {
    (1..=length)
        .map(|sequence| {
            let event = match sequence {
                1 => started(),
                n => performed(&format!("step.{n}"), &"output ".repeat(usize::try_from(n % 40).unwrap())),
            };
            journal.append(&run(name), &stack(), sequence, at(sequence as i64 * 10), &event).unwrap()
        })
        .collect()
}
