//! `eclusa release`: brings another release through the lock.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use eclusa_config::OnFailure;
use eclusa_control::planning::PlanOptions;
use eclusa_fault::Result;
use eclusa_runbook::Intent;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};

/// How the plan of a release is to be made.
#[derive(Debug, Clone, Copy, Args)]
pub struct Making {
    /// What happens when the migration of one tenant fails; otherwise what release.on_failure says.
    #[arg(long, value_name = "WHAT", value_enum)]
    on_failure: Option<Choice>,
    /// Refuse it unless it was rehearsed on every tenant, lately, with the images that are released.
    #[arg(long)]
    rehearsed: bool,
}

/// The choices.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Choice {
    /// Every tenant goes back.
    AllBack,
    /// That tenant's data goes back and it stays closed; the others open under the new release.
    KeepClosed,
}

impl Making {
    /// How a plan is to be made with it.
    pub fn options(self) -> PlanOptions {
        let on_failure = self.on_failure.map(|choice| match choice {
            Choice::AllBack => OnFailure::AllBack,
            Choice::KeepClosed => OnFailure::KeepClosed,
        });
        PlanOptions { on_failure, rehearsed: self.rehearsed, ..PlanOptions::default() }
    }
}

/// The arguments.
#[derive(Debug, Args)]
pub struct Release {
    /// The release: a tag, branch or commit, an image tag, or a directory's name.
    release: String,
    /// A plan that was saved; it is refused when the stack has moved since.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["on_failure", "rehearsed"])]
    plan: Option<PathBuf>,
    #[command(flatten)]
    making: Making,
    #[command(flatten)]
    how: Performance,
}

impl Release {
    /// Plans and carries it out.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let intent = Intent::Release { to: self.release };
        perform(session, &assembly, &intent, self.making.options(), self.plan, &self.how).await
    }
}
