//! The tenants of a stack, one by one: where their data is, what they answer to, what they run.

use std::collections::BTreeMap;

use eclusa_fault::Result;
use eclusa_model::{MaintenanceOwner, SiteObservation, TenantName};
use futures_util::StreamExt;
use futures_util::stream;
use serde::Serialize;

use crate::Assembly;
use crate::observe::{observe, run};

/// One tenant.
#[derive(Debug, Clone, Serialize)]
pub struct TenantRow {
    /// Its name.
    pub tenant: TenantName,
    /// The host names it answers to.
    pub domains: Vec<String>,
    /// The version of its database server; none when it does not answer.
    pub database_version: Option<String>,
    /// The size of its database in bytes.
    pub database_bytes: Option<u64>,
    /// Its apps with their versions, where the application can say so.
    pub apps: Option<Vec<String>>,
    /// Who keeps it closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<MaintenanceOwner>,
    /// What the application itself says of it.
    pub site: Option<SiteObservation>,
}

/// The tenants of a stack.
#[derive(Debug, Clone, Serialize)]
pub struct Tenants {
    /// The format of this value as JSON.
    pub format: u32,
    /// Those that can be used.
    pub tenants: Vec<TenantRow>,
    /// Sites that lie on the bench and cannot be used, with why.
    pub unusable: BTreeMap<String, String>,
}

/// Looks at the tenants.
///
/// # Errors
/// When the stack cannot be looked at.
pub async fn of(assembly: &Assembly) -> Result<Tenants> {
    let observation = observe(assembly, None).await?;
    let at_once = usize::try_from(assembly.stack.limits.parallel.max(1)).unwrap_or(1);
    let owners = &observation.maintenance;
    let tenants = stream::iter(observation.tenants)
        .map(|found| async move {
            let apps = match assembly.app.apps(&assembly.stack, &found.tenant.name) {
                Some(exec) => run(assembly, exec).await,
                None => None,
            };
            let line = |line: &str| line.split_whitespace().take(2).collect::<Vec<_>>().join(" ");
            TenantRow {
                closed_by: owners.get(&found.tenant.name).cloned(),
                tenant: found.tenant.name,
                domains: found.tenant.domains,
                database_version: found.database_version,
                database_bytes: found.database_bytes,
                apps: apps.map(|text| text.lines().map(line).filter(|line| !line.is_empty()).collect()),
                site: found.site,
            }
        })
        .buffered(at_once)
        .collect()
        .await;
    Ok(Tenants { format: 1, tenants, unusable: observation.unusable_sites })
}
