//! `eclusa start`: starts the services and waits until they are healthy.

use clap::Args;
use eclusa_control::planning::PlanOptions;
use eclusa_fault::Result;
use eclusa_runbook::Intent;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};

/// The arguments.
#[derive(Debug, Default, Args)]
pub struct Start {
    #[command(flatten)]
    how: Performance,
}

impl Start {
    /// Plans and carries it out.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        perform(session, &assembly, &Intent::Start, PlanOptions::default(), None, &self.how).await
    }
}
