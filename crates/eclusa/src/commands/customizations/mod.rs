//! `eclusa customizations`: what people have made of tenants themselves: kept, compared, reported.

mod difference;
mod export;
mod report;

use clap::{Args, Subcommand};
use eclusa_control::Assembly;
use eclusa_fault::Result;
use eclusa_model::TenantName;

use super::Session;
use crate::exit::Exit;

/// The arguments.
#[derive(Debug, Args)]
pub struct Customizations {
    #[command(subcommand)]
    wanted: Wanted,
}

/// What is wanted.
#[derive(Debug, Subcommand)]
enum Wanted {
    /// Keep what tenants have now, and write fixtures of it.
    Export(export::Export),
    /// Show what is not the same: now and then, in two tenants, in a tenant and in an app's fixtures.
    Diff(difference::Diff),
    /// What there is and who changed it last, as Markdown.
    Report(report::Report),
}

impl Customizations {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        match self.wanted {
            Wanted::Export(command) => command.run(session, &assembly).await,
            Wanted::Diff(command) => command.run(session, &assembly).await,
            Wanted::Report(command) => command.run(session, &assembly).await,
        }
    }
}

/// The tenants that are meant: all when none is named.
fn tenants(assembly: &Assembly, named: &[TenantName]) -> Result<Vec<TenantName>> {
    if named.is_empty() {
        return Ok(assembly.tenants.iter().map(|tenant| tenant.name.clone()).collect());
    }
    named.iter().map(|name| assembly.tenant(name).map(|tenant| tenant.name.clone())).collect()
}
