//! What people have made of tenants' applications themselves: read out of the live databases, kept beside the state,
//! compared.

mod records;
mod sides;
mod store;

use std::sync::Arc;

use eclusa_apps::customizations::{Customizations, Taken, gather, wanted};
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{AppKind, FingerprintKey, StackName, Tenant, TenantName};
use eclusa_ports::{Clock, Database, Runtime};

pub(crate) use self::records::KeptRecords;
pub use self::sides::{Compared, Side, compare};
pub use self::store::Store;

use crate::Assembly;

/// What is needed to read a tenant's customizations.
#[derive(Clone)]
pub(crate) struct Reader {
    pub stack: StackName,
    pub database: Arc<dyn Database>,
    pub runtime: Arc<dyn Runtime>,
    pub clock: Arc<dyn Clock>,
    pub key: FingerprintKey,
}

impl Reader {
    /// Reads them, all of one moment.
    async fn read(&self, tenant: &Tenant) -> Result<Customizations> {
        let at = self.clock.now();
        let rows = self.database.rows(tenant, &wanted()).await?;
        let release = self.runtime.observe().await.ok().and_then(|found| found.release);
        let taken = Taken {
            stack: self.stack.clone(),
            tenant: tenant.name.clone(),
            at,
            release: release.map(|release| release.name),
        };
        Ok(gather(taken, rows, &self.key))
    }
}

fn reader(assembly: &Assembly) -> Result<Reader> {
    if assembly.stack.app != AppKind::Frappe {
        let problem = "customizations are read of Frappe's sites only";
        return Err(Fault::new(Code::DatabaseUnsupported).with("problem", problem));
    }
    Ok(Reader {
        stack: assembly.name.clone(),
        database: assembly.ports.database.clone(),
        runtime: assembly.ports.runtime.clone(),
        clock: assembly.ports.clock.clone(),
        key: assembly.key.clone(),
    })
}

/// Those of a tenant as they are now. Nothing is changed or kept.
///
/// # Errors
/// `TenantUnknown`, `DatabaseUnreachable`, `DatabaseDenied`, `DatabaseUnsupported`.
pub async fn read(assembly: &Assembly, tenant: &TenantName) -> Result<Customizations> {
    reader(assembly)?.read(assembly.tenant(tenant)?).await
}

/// Where those of the stack's tenants are kept.
#[must_use]
pub fn store(assembly: &Assembly) -> Store {
    Store::new(&assembly.state, &assembly.name, assembly.ports.host.clone())
}
