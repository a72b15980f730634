//! `eclusa backup`: takes restore points now.

use clap::Args;
use eclusa_control::planning::PlanOptions;
use eclusa_fault::Result;
use eclusa_model::TenantName;
use eclusa_runbook::Intent;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};

/// The arguments.
#[derive(Debug, Args)]
pub struct Backup {
    /// The tenants; all when none is named.
    tenants: Vec<TenantName>,
    /// Restore each point beside the live data as well and compare everything.
    #[arg(long)]
    prove: bool,
    #[command(flatten)]
    how: Performance,
}

impl Backup {
    /// Plans and carries it out. A backup changes nothing, so nobody is asked.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let how = Performance { yes: true, ..self.how };
        let intent = Intent::Backup { tenants: self.tenants };
        let options = PlanOptions { prove: self.prove, ..PlanOptions::default() };
        perform(session, &assembly, &intent, options, None, &how).await
    }
}
