//! `eclusa report`: the report of a run.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use eclusa_control::{Workspace, reporting};
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::RunId;
use eclusa_ports::JournalStore;
use eclusa_report::{html, json, markdown};

use super::Session;
use crate::exit::Exit;
use crate::terminal::say;

/// The arguments.
#[derive(Debug, Args)]
pub struct Report {
    /// The run; the newest when none is named.
    run: Option<RunId>,
    /// The form.
    #[arg(long, value_enum, default_value = "html")]
    format: Form,
    /// The file; standard output when none is named.
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// One file that needs nothing else.
    Html,
    /// For a wiki or a ticket.
    Md,
    /// For programs.
    Json,
}

/// A run's report in a form.
pub fn rendered(workspace: &Workspace, id: &RunId, form: Form) -> Result<String> {
    let journal = workspace.journal_read_only()?;
    let model = reporting::of(journal.as_ref(), id, &workspace.language)?;
    Ok(match form {
        Form::Html => html(&model).map_err(internal)?,
        Form::Md => markdown(&model),
        Form::Json => json(&model).map_err(internal)?,
    })
}

fn internal(error: impl std::fmt::Display) -> Fault {
    Fault::new(Code::Internal).with("what", error)
}

impl Report {
    /// Renders it.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let workspace = session.workspace()?;
        let id = match self.run {
            Some(run) => run,
            None => workspace
                .journal_read_only()?
                .runs(None, 1)?
                .into_iter()
                .next()
                .map(|summary| summary.run)
                .ok_or_else(|| Fault::new(Code::NothingToDo).with("what", "there was no run yet"))?,
        };
        let form = if session.json() { Form::Json } else { self.format };
        let text = rendered(&workspace, &id, form)?;
        match &self.output {
            None => say(text),
            Some(path) => std::fs::write(path, text).map_err(|error| {
                Fault::new(Code::FileAccess)
                    .with("path", path.display())
                    .with("operation", "written")
                    .because(error)
            })?,
        }
        Ok(Exit::Ok)
    }
}
