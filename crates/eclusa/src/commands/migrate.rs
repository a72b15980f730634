//! `eclusa migrate`: brings the data of tenants to the release that runs, each by itself.

use std::path::PathBuf;

use clap::Args;
use eclusa_control::planning::PlanOptions;
use eclusa_control::saved_plan::SavedPlan;
use eclusa_fault::Result;
use eclusa_model::TenantName;
use eclusa_runbook::Intent;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};

/// The arguments.
#[derive(Debug, Args)]
pub struct Migrate {
    #[command(flatten)]
    what: Wanted,
    /// A plan that was saved; it is refused when the stack has moved since.
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    how: Performance,
}

/// Who is migrated.
#[derive(Debug, Args)]
pub struct Wanted {
    /// The tenants; all when none is named.
    tenants: Vec<TenantName>,
}

impl Wanted {
    /// The intent. All are named in it, so that a saved plan says who is meant.
    pub fn intent(self, assembly: &eclusa_control::Assembly) -> Intent {
        let all = || assembly.tenants.iter().map(|tenant| tenant.name.clone()).collect();
        Intent::Migrate { tenants: if self.tenants.is_empty() { all() } else { self.tenants } }
    }
}

impl Migrate {
    /// Plans and carries it out.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let intent = match &self.plan {
            // Who is meant stands in the plan; that somebody is gone since makes it stale, and nothing else.
            Some(path) if self.what.tenants.is_empty() => SavedPlan::read(path)?.intent.clone(),
            _ => self.what.intent(&assembly),
        };
        let intent = match intent {
            Intent::Migrate { .. } => intent,
            _ => Wanted { tenants: Vec::new() }.intent(&assembly),
        };
        perform(session, &assembly, &intent, PlanOptions::default(), self.plan, &self.how).await
    }
}
