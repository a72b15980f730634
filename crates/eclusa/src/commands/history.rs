//! `eclusa history`: the runs so far, one run's events, or a check of the whole journal.

use clap::Args;
use comfy_table::{Table, presets::NOTHING};
use eclusa_control::history;
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::RunId;
use eclusa_ports::JournalStore;
use eclusa_runbook::{Direction, Intent, Outcome, Part, Run};
use serde_json::json;

use super::Session;
use crate::exit::Exit;
use crate::terminal::{GREEN, say};

/// The arguments.
#[derive(Debug, Args)]
pub struct History {
    /// A run, whose events are shown.
    run: Option<RunId>,
    /// Check the hash chain of every run.
    #[arg(long)]
    verify: bool,
    /// The most runs to list.
    #[arg(long, default_value = "30")]
    most: usize,
}

impl History {
    /// Shows what is asked for. Only the journal is read: no runtime is needed.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let workspace = session.workspace()?;
        let journal = workspace.journal_read_only()?;
        if self.verify {
            let entries = journal.verify()?;
            let text = Message::new("history-verified").with("entries", entries).render(&session.language);
            if session.json() {
                say(json!({"format": 1, "verified": true, "entries": entries}));
            } else {
                say(format!("{GREEN}{text}{GREEN:#}"));
            }
            return Ok(Exit::Ok);
        }
        match self.run {
            Some(id) => one(session, journal.as_ref(), &id),
            None => {
                let stack = session.arguments.stack.as_deref();
                let stack = stack
                    .map(|name| workspace.configuration.stack(Some(name)))
                    .transpose()?
                    .map(|(name, _)| name);
                let runs = history::runs(journal.as_ref(), stack, self.most)?;
                list(session, &runs);
                Ok(Exit::Ok)
            }
        }
    }
}

fn one(session: &Session, journal: &dyn JournalStore, id: &RunId) -> Result<Exit> {
    let entries = journal.read(id)?;
    let illegal = |illegal| {
        Fault::new(Code::JournalDamaged).with("path", format!("of run {id}")).with("problem", illegal)
    };
    let mut run: Option<Run> = None;
    for entry in &entries {
        match &mut run {
            None => run = Some(Run::replay(std::slice::from_ref(entry)).map_err(illegal)?),
            Some(run) => run.apply(entry).map_err(illegal)?,
        }
        if session.json() {
            say(eclusa_report::events_json(entry));
        } else if let Some(run) = &run
            && let Some(line) = eclusa_report::summary_line(entry, run, &session.language)
        {
            say(line);
        }
    }
    Ok(Exit::Ok)
}

/// What a run was for, in a few words.
fn what(run: &Run) -> String {
    match &run.plan.intent {
        Intent::Release { to } | Intent::Rollback { to, .. } | Intent::Rehearse { to, .. } => {
            format!("{} {to}", run.plan.intent.word())
        }
        Intent::Restore { tenant, check_only, part, until, .. } => {
            let word = match part {
                _ if *check_only => "restore check",
                _ if until.is_some() => "restore moment",
                Part::Everything => "restore",
                Part::Database => "restore database",
                Part::Files(_) => "restore files",
            };
            format!("{word} {tenant}")
        }
        Intent::Aside { tenant, .. } => format!("tables of {tenant} aside"),
        Intent::DropAside { database, .. } => format!("drop {database}"),
        Intent::ErasePerson { tenant, .. } => format!("erase person {tenant}"),
        Intent::Clone { tenant, to, .. } => format!("clone {tenant} as {to}"),
        other => other.word().to_owned(),
    }
}

fn how(run: &Run) -> &'static str {
    match (run.outcome, &run.direction) {
        (Some(Outcome::Done), _) => "done",
        (Some(Outcome::Refused), _) => "refused",
        (Some(Outcome::WentBack), _) => "went back",
        (Some(Outcome::Partly), _) => "partly",
        (Some(Outcome::Stuck), _) => "stuck",
        (None, Direction::Forward) => "under way",
        (None, Direction::Back) => "going back",
    }
}

fn list(session: &Session, runs: &[Run]) {
    if session.json() {
        let value: Vec<_> = runs
            .iter()
            .map(|run| {
                json!({"run": run.id, "stack": run.plan.stack, "intent": run.plan.intent, "began": run.began_at,
                       "ended": run.ended_at, "outcome": run.outcome, "by": run.by, "from": run.plan.from.as_ref().map(|r| &r.name),
                       "to": run.plan.to.as_ref().map(|r| &r.name)})
            })
            .collect();
        say(json!({"format": 1, "runs": value}));
        return;
    }
    if runs.is_empty() {
        say(Message::new("history-none").render(&session.language));
        return;
    }
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(["run", "stack", "what", "outcome", "began", "took", "by"]);
    for run in runs {
        let took = run.ended_at.map_or_else(String::new, |end| {
            let milliseconds = end.duration_since(run.began_at).as_millis().max(0) as u64;
            eclusa_report::duration_text(milliseconds)
        });
        table.add_row([
            run.id.to_string(),
            run.plan.stack.to_string(),
            what(run),
            how(run).to_owned(),
            run.began_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            took,
            run.by.to_string(),
        ]);
    }
    say(table);
}
