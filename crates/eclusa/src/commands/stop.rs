//! `eclusa stop`: stops the services.

use clap::Args;
use eclusa_control::planning::PlanOptions;
use eclusa_fault::Result;
use eclusa_runbook::Intent;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};

/// The arguments.
#[derive(Debug, Default, Args)]
pub struct Stop {
    #[command(flatten)]
    how: Performance,
}

impl Stop {
    /// Plans and carries it out.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        perform(session, &assembly, &Intent::Stop, PlanOptions::default(), None, &self.how).await
    }
}
