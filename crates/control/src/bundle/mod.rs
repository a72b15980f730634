//! A bundle for whoever helps the operator: what is there and what was done, without secrets and without clients'
//! data. It can be had when nothing else works: what could not be had is named with its fault.

mod archive;
mod contents;
mod host;
mod index;
mod stack;

use std::path::{Path, PathBuf};
use std::time::Duration;

use eclusa_fault::{Code, Fault, Language, Message, Result};
use eclusa_journal::{OpenMode, SqliteJournal};
use eclusa_model::RunId;
use eclusa_ports::JournalStore;
use jiff::Timestamp;
use serde_json::json;

use crate::workspace::state_without_configuration;
use crate::{Redaction, Workspace};
use contents::Contents;

pub use contents::{Missing, Part};

/// The format of a bundle.
pub const BUNDLE_FORMAT: u32 = 1;
/// So many runs are taken when none is named.
const RUNS: usize = 3;
/// So many runs are listed.
const RUNS_LISTED: usize = 200;
/// How long one thing is waited for.
const PATIENCE: Duration = Duration::from_secs(45);

/// What is wanted.
pub struct Wanted<'a> {
    /// The configuration file.
    pub configuration: &'a Path,
    /// The state directory, where one was named.
    pub state: Option<&'a Path>,
    /// The stack; all when none is named.
    pub stack: Option<&'a str>,
    /// The run; the newest ones when none is named.
    pub run: Option<RunId>,
    /// The language of texts.
    pub language: Language,
}

/// A bundle.
pub struct Bundle {
    /// The archive: a tar file, compressed with zstd.
    pub archive: Vec<u8>,
    /// What is in it.
    pub parts: Vec<Part>,
    /// What could not be had.
    pub missing: Vec<Missing>,
}

/// Gathers all of it. Nothing is changed, and nothing is made but the archive in memory.
///
/// # Errors
/// Only when the archive cannot be made. What cannot be had is named in it.
pub async fn gather(wanted: &Wanted<'_>) -> Result<Bundle> {
    let at = Timestamp::now();
    let workspace = Workspace::open(wanted.configuration, wanted.state, wanted.language.clone());
    let state = match &workspace {
        Ok(workspace) => Ok(workspace.state.clone()),
        Err(_) => state_without_configuration(wanted.configuration, wanted.state),
    };
    let stacks = workspace.iter().flat_map(|workspace| workspace.configuration.file.stacks.values());
    let mut redaction = Redaction::of_stacks(stacks, state.as_deref().ok());
    redaction.directory(wanted.configuration);
    let mut contents = Contents::new(redaction);

    configuration(&mut contents, wanted.configuration);
    let mut checks = vec![check("configuration", &workspace.as_ref().map_err(Clone::clone))];
    match &workspace {
        Ok(workspace) => stack::environment_names(&mut contents, workspace),
        Err(fault) => contents.lack("status.json", fault),
    }
    let mut sound = false;
    match &state {
        Ok(state) => {
            let journal = SqliteJournal::open(state.join("journal.db"), OpenMode::ReadOnly);
            let verified = journal.as_ref().map_err(Clone::clone).and_then(|journal| journal.verify());
            sound = verified.is_ok();
            checks.push(check("journal", &verified));
            match &journal {
                Ok(journal) => runs(&mut contents, journal, state, wanted),
                Err(fault) => {
                    contents.lack("history.json", fault);
                    outputs_alone(&mut contents, state, wanted.run.as_ref());
                }
            }
        }
        Err(fault) => contents.lack("history.json", fault),
    }
    if let Ok(workspace) = &workspace {
        let names = workspace.configuration.file.stacks.keys().map(ToString::to_string);
        for name in names.filter(|name| wanted.stack.is_none_or(|stack| stack == name)) {
            checks.extend(stack::gather(&mut contents, workspace, &name, sound).await);
        }
    }
    contents.json("doctor.json", "bundle-what-doctor", json!({"format": 1, "checks": checks}));
    host::gather(&mut contents, state.as_deref().ok(), wanted.configuration).await;
    let (parts, missing) = contents.finish(at, &wanted.language);
    let archive = archive::of(&parts, at)?;
    Ok(Bundle { archive, parts, missing })
}

/// One line of what `doctor` looks at.
fn check<T>(name: &str, found: &Result<T>) -> serde_json::Value {
    match found {
        Ok(_) => json!({"check": name, "good": true}),
        Err(fault) => json!({"check": name, "good": false, "fault": fault}),
    }
}

/// Something that is not waited for without end.
async fn within<T>(what: &str, future: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| {
        Err(Fault::new(Code::CommandTimeout).with("command", what).with("seconds", PATIENCE.as_secs()))
    })
}

fn configuration(contents: &mut Contents, path: &Path) {
    match std::fs::read(path) {
        Ok(bytes) => {
            let text = eclusa_config::without_secrets(&String::from_utf8_lossy(&bytes));
            contents.text("eclusa.toml", "bundle-what-configuration", &text);
        }
        Err(error) => {
            let fault = Fault::new(Code::ConfigUnreadable).with("path", path.display()).because(error);
            contents.lack("eclusa.toml", &fault);
        }
    }
}

fn runs(contents: &mut Contents, journal: &SqliteJournal, state: &Path, wanted: &Wanted<'_>) {
    let mut chosen: Vec<RunId> = Vec::new();
    match journal.runs(None, RUNS_LISTED) {
        Ok(all) => {
            let of_stack = |stack: &str| wanted.stack.is_none_or(|wanted| wanted == stack);
            let all: Vec<_> = all.into_iter().filter(|run| of_stack(run.stack.as_str())).collect();
            chosen.extend(all.iter().take(RUNS).map(|run| run.run.clone()));
            contents.json("history.json", "bundle-what-history", json!({"format": 1, "runs": all}));
        }
        Err(fault) => contents.lack("history.json", &fault),
    }
    if let Some(run) = &wanted.run {
        chosen = vec![run.clone()];
    } else if chosen.is_empty() {
        outputs_alone(contents, state, None);
    }
    for id in chosen {
        run(contents, journal, &id, &wanted.language);
        outputs(contents, state, id.as_str());
    }
}

fn run(contents: &mut Contents, journal: &SqliteJournal, id: &RunId, language: &Language) {
    let place = |name: &str| format!("runs/{id}/{name}");
    match journal.read(id) {
        Ok(entries) => {
            let events: Vec<_> = entries
                .iter()
                .filter_map(|entry| serde_json::from_str(&eclusa_report::events_json(entry)).ok())
                .collect();
            contents.json_lines(&place("events.jsonl"), "bundle-what-events", events);
        }
        Err(fault) => return contents.lack(&place("events.jsonl"), &fault),
    }
    match crate::history::replayed(journal, id) {
        Ok(run) => {
            let plan = serde_json::to_value(&*run.plan).unwrap_or_default();
            contents.json(&place("plan.json"), "bundle-what-plan", plan);
        }
        Err(fault) => contents.lack(&place("plan.json"), &fault),
    }
    match crate::reporting::of(journal, id, language) {
        Ok(model) => {
            contents.text(&place("report.md"), "bundle-what-report", &eclusa_report::markdown(&model))
        }
        Err(fault) => contents.lack(&place("report.md"), &fault),
    }
}

/// Of runs whose journal cannot be read, the outputs of their steps: the named one's, or the newest ones'.
fn outputs_alone(contents: &mut Contents, state: &Path, run: Option<&RunId>) {
    let mut names: Vec<String> = match run {
        Some(run) => vec![run.to_string()],
        None => contents::names_in(&state.join("runs")),
    };
    names.sort();
    for name in names.iter().rev().take(RUNS) {
        outputs(contents, state, name);
    }
}

/// The ends of a run's files: what its steps printed, and what its runner said.
fn outputs(contents: &mut Contents, state: &Path, run: &str) {
    let directory: PathBuf = state.join("runs").join(run);
    for name in contents::names_in(&directory).iter().filter(|name| name.ends_with(".log")) {
        let what = if name == "runner.log" { "bundle-what-runner" } else { "bundle-what-output" };
        contents.tail(&format!("runs/{run}/{name}"), what, &directory.join(name));
    }
}

/// The text of a message, in the language of whoever makes the bundle.
fn words(message: Message, language: &Language) -> String {
    message.render(language)
}
