//! `eclusa rollback`: goes back to the release before, with its data where that is needed.

use clap::Args;
use eclusa_control::planning::{PlanOptions, rollback_intent};
use eclusa_fault::Result;
use eclusa_runbook::{Intent, Reversibility};

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};

/// How a rollback is decided.
#[derive(Debug, Clone, Copy, Default, Args)]
#[group(multiple = false)]
pub struct Override {
    /// Go back with the code alone, whatever was computed.
    #[arg(long)]
    code_only: bool,
    /// Go back with the data too, whatever was computed.
    #[arg(long)]
    with_data: bool,
}

impl Override {
    /// What was asked for instead of what is computed.
    pub fn wanted(self) -> Option<Reversibility> {
        match (self.code_only, self.with_data) {
            (true, _) => Some(Reversibility::CodeOnly),
            (_, true) => Some(Reversibility::SalvageFirst),
            _ => None,
        }
    }
}

/// The arguments.
#[derive(Debug, Args)]
pub struct Rollback {
    #[command(flatten)]
    decision: Override,
    #[command(flatten)]
    how: Performance,
}

impl Rollback {
    /// Plans and carries it out.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let wanted = self.decision.wanted();
        let intent: Intent = rollback_intent(&assembly, wanted)?;
        let options = PlanOptions { overridden: wanted.is_some(), ..PlanOptions::default() };
        perform(session, &assembly, &intent, options, None, &self.how).await
    }
}
