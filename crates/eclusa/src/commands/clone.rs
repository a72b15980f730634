//! `eclusa clone`: a new site out of a restore point of another, with mail and scheduler off and keys of its own.

use std::path::PathBuf;

use clap::Args;
use eclusa_control::planning::PlanOptions;
use eclusa_control::{Assembly, statements};
use eclusa_fault::Result;
use eclusa_model::TenantName;
use eclusa_runbook::Intent;

use super::Session;
use super::restore::point_of;
use crate::exit::Exit;
use crate::perform::{Performance, perform};

/// The arguments.
#[derive(Debug, Args)]
pub struct Clone {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    how: Performance,
}

/// What becomes what.
#[derive(Debug, Args)]
pub struct What {
    /// The tenant that is copied. It is not touched.
    tenant: TenantName,
    /// The name of the copy, which nothing has yet.
    #[arg(value_name = "NEW")]
    to: TenantName,
    /// The restore point, or the beginning of its id; the newest when none is named.
    #[arg(long, value_name = "POINT")]
    point: Option<String>,
    /// Run these SQL statements on the copy before anybody can see it.
    #[arg(long, value_name = "FILE.sql")]
    masking: Option<PathBuf>,
}

impl What {
    /// As an intent. The masking file is taken over, so that what is agreed to is what is run.
    pub async fn intent(self, assembly: &Assembly) -> Result<Intent> {
        let point = point_of(assembly, &self.tenant, self.point.as_deref()).await?;
        let manifest = assembly.ports.vault.find(&self.tenant, &point).await?;
        let masking = match &self.masking {
            Some(path) => Some(statements::keep(assembly, path, &statements::directory(assembly)).await?),
            None => None,
        };
        let release = manifest.release.map(|release| release.name);
        Ok(Intent::Clone { tenant: self.tenant, point, release, to: self.to, masking })
    }
}

impl Clone {
    /// Plans and carries it out.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let intent = self.what.intent(&assembly).await?;
        perform(session, &assembly, &intent, PlanOptions::default(), None, &self.how).await
    }
}
