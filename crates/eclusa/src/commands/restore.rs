//! `eclusa restore`: brings a tenant's data back from a restore point, or shows that it could be.

use clap::Args;
use eclusa_control::Assembly;
use eclusa_control::planning::PlanOptions;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use eclusa_runbook::Intent;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};

/// The arguments.
#[derive(Debug, Args)]
pub struct Restore {
    /// The tenant.
    tenant: TenantName,
    /// The restore point, or the beginning of its id; the newest when none is named.
    #[arg(long, value_name = "POINT")]
    point: Option<String>,
    /// Restore it somewhere harmless, compare everything, and discard the copy.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    how: Performance,
}

/// The restore point that is meant, by its whole id.
pub async fn point_of(assembly: &Assembly, tenant: &TenantName, point: Option<&str>) -> Result<String> {
    assembly.tenant(tenant)?;
    let unknown = || {
        Fault::new(Code::PointUnknown)
            .with("tenant", tenant)
            .with("point", point.unwrap_or("(none was ever taken)"))
    };
    let manifest = match point {
        Some(point) => assembly.ports.vault.find(tenant, point).await?,
        None => assembly.ports.vault.list(tenant).await?.0.into_iter().next().ok_or_else(unknown)?,
    };
    manifest.id.map(|id| id.to_string()).ok_or_else(unknown)
}

impl Restore {
    /// Plans and carries it out.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let point = point_of(&assembly, &self.tenant, self.point.as_deref()).await?;
        let intent = Intent::Restore { tenant: self.tenant, point, check_only: self.check };
        // A check touches nothing live, so nobody is asked.
        let how = Performance { yes: self.how.yes || self.check, ..self.how };
        perform(session, &assembly, &intent, PlanOptions::default(), None, &how).await
    }
}
