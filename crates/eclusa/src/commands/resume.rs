//! `eclusa resume`: takes up a run whose runner is gone.

use clap::Args;
use eclusa_control::{history, running};
use eclusa_fault::{Message, Result};
use eclusa_model::RunId;

use super::Session;
use crate::exit::Exit;
use crate::follow::follow_after;
use crate::terminal::{say, tell};

/// The arguments.
#[derive(Debug, Args)]
pub struct Resume {
    /// The run; the one that has not ended when none is named.
    run: Option<RunId>,
    /// Do not follow it.
    #[arg(long)]
    detach: bool,
}

impl Resume {
    /// Starts a runner for it and follows.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let run = running::to_resume(&assembly, self.run).await?;
        if !session.json() {
            tell(Message::new("resume-taken-over").with("run", &run).render(&session.language));
        }
        let before = history::replayed(assembly.journal.as_ref(), &run)?.generation;
        running::spawn_runner(&assembly, &run, Some(&session.person()?))?;
        if self.detach {
            say(&run);
            return Ok(Exit::Ok);
        }
        follow_after(&assembly, &run, &session.language, session.json(), before).await
    }
}
