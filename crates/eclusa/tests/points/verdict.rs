//! The model: what must be so after a process was killed, and after the run that it owned has come to its end.

use std::collections::BTreeSet;

use eclusa_runbook::{Action, Effect, Entry, Event, Run as State};
use eclusa_shop::Census;
use serde_json::Value;

use crate::chain::interrupted_for_good;
use crate::common::{Run, TENANTS};
use crate::lane::Lane;
use crate::scenario::Scenario;

/// What was there before a scenario began.
#[derive(Debug)]
pub struct Before {
    data: Vec<Census>,
    points: Vec<usize>,
}

impl Before {
    /// What is there now.
    pub fn of(lane: &Lane) -> Self {
        Self { data: lane.shop.censuses(), points: lane.points() }
    }
}

/// What is wrong with a journal after a process was killed: nothing that was acknowledged may be lost or changed, and it
/// must be a run's journal.
pub fn kill_left(before: &[Entry], after: &[Entry], passed: &[String]) -> Vec<String> {
    let mut wrong = Vec::new();
    if after.len() < before.len() || after.iter().zip(before).any(|(after, before)| after.hash != before.hash)
    {
        wrong.push("entries that were there are gone or changed".to_owned());
    }
    let count = |word: &str| passed.iter().filter(|point| point.contains(&format!("/{word}."))).count();
    // The first entry is written by the command that begins the run.
    let earlier = before.len().max(1);
    let (acknowledged, begun) = (earlier + count("after"), earlier + count("before"));
    if after.len() < acknowledged || after.len() > begun {
        wrong.push(format!(
            "{acknowledged} entries were acknowledged and {begun} begun, but {} are there",
            after.len()
        ));
    }
    if let Err(illegal) = State::replay(after) {
        wrong.push(format!("the journal is no run: {illegal}"));
    }
    wrong
}

/// The part of a tenant's data that says which release it is of, without the times at which migrations ran.
fn substance(census: &Census) -> Census {
    let mut census = census.clone();
    if let Some(log) = census.tables.get_mut("shop_migrations") {
        log.checksum.clear();
    }
    census
}

/// Why a run may go back although the scenario would have ended well: each crash that leaves a step begun which is
/// never repeated, and a person's wish.
fn may_go_back(entries: &[Entry]) -> bool {
    entries.iter().enumerate().any(|(index, entry)| {
        matches!(entry.event, Event::Resumed { .. }) && interrupted_for_good(&entries[..index])
    })
}

/// What is wrong after a run has ended.
pub fn judge(
    lane: &mut Lane,
    scenario: &'static Scenario,
    run: &Run,
    before: &Before,
    aborted: bool,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let entries = match lane.entries(run) {
        Ok(entries) => entries,
        Err(problem) => return vec![problem],
    };
    let outcome = lane.outcome(run).unwrap_or_else(|| "no end".to_owned());
    let done = outcome == "done";
    if !done && !matches!(outcome.as_str(), "went-back" | "refused") {
        wrong.push(format!("the run ended {outcome:?}"));
    }
    if scenario.end == "done" && !done && !aborted && !may_go_back(&entries) {
        wrong.push(format!("it went back, and nothing that was interrupted asked for it: {}", why(&entries)));
    }
    if scenario.end == "went-back" && done {
        wrong.push("it ended well, which it must not".to_owned());
    }
    wrong.extend(repeated(lane, &entries));
    wrong.extend(data(lane, scenario, before, done));
    wrong.extend(services(lane, scenario, done));
    wrong.extend(left_behind(lane, scenario, done));
    if done && scenario.name == "backup" {
        let points = lane.points();
        if points.iter().zip(&before.points).any(|(now, earlier)| now <= earlier) {
            wrong.push(format!("{points:?} points, and {:?} before", before.points));
        }
    }
    if let Err(fault) = lane
        .journal()
        .and_then(|journal| eclusa_ports::JournalStore::verify(&journal).map_err(|fault| fault.to_string()))
    {
        wrong.push(format!("the whole journal: {fault}"));
    }
    if wrong.is_empty() {
        lane.release = if done { scenario.to } else { scenario.from };
        lane.let_go_of_what_is_kept();
    }
    wrong
}

fn why(entries: &[Entry]) -> String {
    let failed: Vec<String> = entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Failed { step, fault } | Event::UndoFailed { step, fault } => {
                Some(format!("{step} failed: {fault} {:?}", fault.causes))
            }
            Event::TurnedBack { step, why, .. } => Some(format!("{step:?}: {why:?}")),
            Event::Judged { step, verdict, .. } => Some(format!("{step}: {:?}", verdict.kind)),
            _ => None,
        })
        .collect();
    failed.join("; ")
}

/// No step that is not to be repeated ran twice, and what was done and taken back is in balance.
fn repeated(lane: &Lane, entries: &[Entry]) -> Vec<String> {
    let mut wrong = Vec::new();
    let told = std::fs::read_to_string(lane.told()).unwrap_or_default();
    let did = told.lines().filter(|line| line.starts_with("did ")).count();
    if did > 1 {
        wrong.push(format!("the hook ran {did} times"));
    }
    let undone: BTreeSet<&str> = entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Undone { step, .. } => Some(step.as_str()),
            _ => None,
        })
        .collect();
    // A second Performed of one step would be a step that was acknowledged and done again.
    let mut performed: BTreeSet<&str> = BTreeSet::new();
    for entry in entries {
        if let Event::Performed { step, .. } = &entry.event
            && !performed.insert(step.as_str())
        {
            wrong.push(format!("{step} was performed twice"));
        }
    }
    let went_back = entries.iter().any(|entry| matches!(entry.event, Event::TurnedBack { .. }));
    if let (true, Some(Event::Started { plan, .. })) = (went_back, entries.first().map(|entry| &entry.event))
    {
        for step in &plan.steps {
            let has_undo =
                matches!(step.undo, eclusa_runbook::Undo::By(_) | eclusa_runbook::Undo::Restore { .. })
                    && matches!(&step.action, Action::Perform(effect) if *effect != Effect::Mark);
            if has_undo && performed.contains(step.name.as_str()) && !undone.contains(step.name.as_str()) {
                wrong.push(format!("{} was done and not taken back", step.name));
            }
        }
    }
    wrong
}

fn data(lane: &Lane, scenario: &Scenario, before: &Before, done: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for (index, tenant) in TENANTS.iter().enumerate() {
        let found = lane.shop.census(tenant);
        let same = match (done, scenario.name) {
            (true, "release") => {
                let schema = found.schema == Some(2);
                // A migration adds columns and points; the books' own rows are all there.
                let rows = |census: &Census| {
                    ["sales", "customers", "products"].map(|table| census.tables.get(table).map(|t| t.rows))
                };
                schema && rows(&found) == rows(&before.data[index]) && found.files == before.data[index].files
            }
            (true, "rollback") => found == lane.base[index],
            (true, "restore") if *tenant == "alpha" => found == lane.base[index],
            (true, "restore-files") if *tenant == "alpha" => {
                found.tables == before.data[index].tables && found.files == lane.base[index].files
            }
            _ => found == before.data[index],
        };
        if !same {
            wrong.push(format!("{tenant} has {:?}, and had {:?}", substance(&found), before.data[index]));
        }
    }
    wrong
}

fn services(lane: &Lane, scenario: &Scenario, done: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let shop = &lane.shop;
    let release = if done { scenario.to } else { scenario.from };
    // v1b is the code of v1.
    let says = release.trim_end_matches('b');
    for tenant in TENANTS {
        let (status, said, _) = shop.public(tenant, "/api/products");
        if status != 200 || said.as_deref() != Some(says) {
            wrong.push(format!("{tenant}'s public gets {status} of {said:?}, not of {release}"));
        }
    }
    let own = shop.state().join("process/shop");
    if own.join("lease.json").exists() {
        wrong.push("the lease is held".to_owned());
    }
    let state = std::fs::read(own.join("stack.json")).unwrap_or_default();
    let state: Value = serde_json::from_slice(&state).unwrap_or_default();
    if state["pinned"]["name"] != release {
        wrong.push(format!("pinned: {}", state["pinned"]));
    }
    for line in shop.run(&["edge", "status", "--json"]).out.lines() {
        let gate: Value = serde_json::from_str(line).unwrap_or_default();
        if gate["gate"] != "open" {
            wrong.push(format!("a gate: {line}"));
        }
    }
    let all = shop.processes();
    let serving: Vec<&str> = all
        .iter()
        .map(|process| process.command.as_str())
        .filter(|command| command.contains(" serve --release"))
        .collect();
    if serving.len() != 1 || !serving.iter().all(|command| command.contains(&format!("/releases/{release} ")))
    {
        wrong.push(format!("serving: {serving:?}"));
    }
    // A step's mark is on its own commands; a service that a step started has none.
    let left = all.iter().filter(|process| process.is_of_a_step() || process.is_runner());
    wrong.extend(left.map(|process| format!("left running: {}", process.command)));
    wrong
}

/// Files that no ended run should leave.
fn left_behind(lane: &Lane, scenario: &Scenario, done: bool) -> Vec<String> {
    // What a person asked to be replaced is kept until it is let go.
    let keeps = done && (scenario.is_restore() || scenario.name == "rollback");
    let mut found = Vec::new();
    for place in ["data", "state/vault", "state/scratch", "state/process"] {
        for path in lane.files(place) {
            let text = path.display().to_string();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let kept = name.ends_with(".old") || text.contains("/.eclusa-") && text.contains("-old");
            if keeps && kept {
                continue;
            }
            let unfinished = [".old", ".new", ".part"].iter().any(|ending| name.ends_with(ending));
            let scratch = text.contains("/state/scratch/shop/") || text.contains("eclusa_scratch");
            let temporary = text.contains("/tmp/.unfinished-");
            if unfinished || scratch || temporary || name.starts_with(".eclusa-") || text.contains(".sqlite.")
            {
                found.push(format!("left behind: {text}"));
            }
        }
    }
    found
}
