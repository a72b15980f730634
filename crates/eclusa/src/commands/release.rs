//! `eclusa release`: brings another release through the lock.

use std::path::PathBuf;

use clap::Args;
use eclusa_control::planning::PlanOptions;
use eclusa_fault::Result;
use eclusa_runbook::Intent;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};

/// The arguments.
#[derive(Debug, Args)]
pub struct Release {
    /// The release: a tag, branch or commit, an image tag, or a directory's name.
    release: String,
    /// A plan that was saved; it is refused when the stack has moved since.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    how: Performance,
}

impl Release {
    /// Plans and carries it out.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let intent = Intent::Release { to: self.release };
        perform(session, &assembly, &intent, PlanOptions::default(), self.plan, &self.how).await
    }
}
