//! `eclusa abort`: makes a run go back.

use clap::Args;
use eclusa_control::{requests, running};
use eclusa_fault::{Message, Result};
use eclusa_model::RunId;

use super::Session;
use crate::exit::Exit;
use crate::follow::follow_after;
use crate::terminal::tell;

/// The arguments.
#[derive(Debug, Args)]
pub struct Abort {
    /// The run; the one that has not ended when none is named.
    run: Option<RunId>,
    /// Why.
    #[arg(long, default_value = "aborted by hand")]
    reason: String,
    /// Do not wait until it has gone back.
    #[arg(long)]
    detach: bool,
}

impl Abort {
    /// Puts the wish into the run's inbox; where nobody owns the run, starts a runner that takes it.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let run = requests::meant(&assembly, self.run)?;
        let by = session.person()?;
        requests::abort(&assembly, &run, &by, &self.reason)?;
        let mut before = 0;
        if !running::owner_lives(&assembly, &run.id).await {
            before = run.generation;
            running::spawn_runner(&assembly, &run.id, Some(&by))?;
        }
        if self.detach {
            tell(Message::new("abort-asked").with("run", &run.id).render(&session.language));
            return Ok(Exit::Ok);
        }
        match follow_after(&assembly, &run.id, &session.language, session.json(), before).await? {
            // Going back is what was asked for.
            Exit::NoGo => Ok(Exit::Ok),
            other => Ok(other),
        }
    }
}
