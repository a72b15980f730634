//! `eclusa apps install`: installs an app of the image that runs for tenants that lack it, each by itself.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use eclusa_control::planning::PlanOptions;
use eclusa_control::{Assembly, apps};
use eclusa_fault::{Message, Result};
use eclusa_model::TenantName;
use eclusa_runbook::Intent;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};
use crate::terminal::tell;

/// The arguments.
#[derive(Debug, Args)]
pub struct Apps {
    #[command(subcommand)]
    command: AppsCommand,
}

#[derive(Debug, Subcommand)]
enum AppsCommand {
    /// Install an app that the image has for tenants that lack it.
    Install(Install),
}

#[derive(Debug, Args)]
struct Install {
    #[command(flatten)]
    what: Wanted,
    /// A plan that was saved; it is refused when the stack has moved since.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    how: Performance,
}

/// What is installed for whom.
#[derive(Debug, Args)]
pub struct Wanted {
    /// The app, as bench knows it.
    app: String,
    /// The tenants.
    #[arg(required = true)]
    tenants: Vec<TenantName>,
}

impl Wanted {
    /// The intent: those who have it already are told of and left out.
    pub async fn intent(self, session: &Session, assembly: &Assembly) -> Result<Intent> {
        let chosen = apps::choose(assembly, &self.app, &self.tenants).await?;
        for tenant in &chosen.have {
            let text = Message::new("apps-has-it").with("tenant", tenant).with("app", &self.app);
            tell(text.render(&session.language));
        }
        Ok(Intent::AppsInstall { app: self.app, tenants: chosen.lack })
    }
}

impl Apps {
    /// Plans and carries it out.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let AppsCommand::Install(install) = self.command;
        let assembly = session.assembly().await?;
        let intent = install.what.intent(session, &assembly).await?;
        perform(session, &assembly, &intent, PlanOptions::default(), install.plan, &install.how).await
    }
}
