//! `eclusa note`: writes an incident or a lesson down in a run's report.

use clap::{Args, ValueEnum};
use eclusa_control::requests;
use eclusa_fault::{Message, Result};
use eclusa_model::RunId;

use super::Session;
use crate::exit::Exit;
use crate::terminal::tell;

/// The arguments.
#[derive(Debug, Args)]
pub struct Note {
    /// The run.
    run: RunId,
    /// What to write down.
    text: String,
    /// What it is.
    #[arg(long, value_enum, default_value = "note")]
    kind: Kind,
}

/// What is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Anything.
    Note,
    /// Something that went wrong.
    Incident,
    /// Something to do otherwise the next time.
    Lesson,
}

impl Note {
    /// Appends it to the run.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let run = requests::meant(&assembly, Some(self.run))?;
        let kind = match self.kind {
            Kind::Note => "note",
            Kind::Incident => "incident",
            Kind::Lesson => "lesson",
        };
        requests::note(&assembly, &run, &session.person()?, kind, &self.text)?;
        tell(Message::new("note-taken").with("run", &run.id).render(&session.language));
        Ok(Exit::Ok)
    }
}
