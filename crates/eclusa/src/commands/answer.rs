//! `eclusa answer`: answers a run's question.

use clap::{Args, ValueEnum};
use eclusa_control::{requests, running};
use eclusa_fault::{Message, Result};
use eclusa_model::RunId;

use super::Session;
use crate::exit::Exit;
use crate::terminal::tell;

/// The arguments.
#[derive(Debug, Args)]
pub struct Answer {
    /// The run.
    run: RunId,
    /// The answer.
    answer: Decision,
    /// Why; it stands in the report.
    #[arg(long)]
    reason: String,
}

/// An answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Decision {
    /// Go on.
    Go,
    /// Do not go on: the run goes back.
    NoGo,
}

impl Answer {
    /// Puts the answer into the run's inbox.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let run = requests::meant(&assembly, Some(self.run))?;
        let go = self.answer == Decision::Go;
        requests::answer(&assembly, &run, go, &session.person()?, &self.reason)?;
        let owned = running::owner_lives(&assembly, &run.id).await;
        let text = if owned { "answer-taken" } else { "answer-waits" };
        tell(Message::new(text).with("run", &run.id).render(&session.language));
        Ok(Exit::Ok)
    }
}
