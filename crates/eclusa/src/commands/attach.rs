//! `eclusa attach`: follows a run.

use clap::Args;
use eclusa_control::requests;
use eclusa_fault::Result;
use eclusa_model::RunId;

use super::Session;
use crate::exit::Exit;
use crate::follow::follow;

/// The arguments.
#[derive(Debug, Args)]
pub struct Attach {
    /// The run; the one that has not ended when none is named.
    run: Option<RunId>,
}

impl Attach {
    /// Follows it.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let run = requests::meant(&assembly, self.run)?;
        follow(&assembly, &run.id, &session.language, session.json()).await
    }
}
