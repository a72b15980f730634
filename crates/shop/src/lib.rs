//! The small multi-tenant shop that the demo and the tests run, with its releases and its traffic.
//!
//! A real program with real data, small enough to stand in the binary: products, customers, sales with lines and payments,
//! and a receipt file for each sale. Each tenant has a directory `DATA/TENANT` with `shop.sqlite` and
//! `receipts/`; which tenant is meant is the first label of the `Host` that was asked for
//! (`alpha.shop.test` is `alpha`).
//!
//! A release is a directory with a `release.json` ([`ReleaseFile`]): its version decides which code runs and
//! which schema it needs. The code refuses a schema that is older or newer than its own, so that a release whose
//! schema was not brought along, or not brought back, fails for everyone to see.

mod census;
mod check;
mod migrate;
mod pool;
mod receipts;
mod release;
mod seed;
mod server;
mod store;
mod tally;
mod traffic;
mod trouble;

pub use census::{Census, FilesCensus, TableCensus, census};
pub use check::{CheckOptions, check};
pub use migrate::{MigrateOptions, migrate, pending};
pub use release::{Defect, RELEASE_FILE, ReleaseFile, schema_of};
pub use seed::{SeedOptions, seed};
pub use server::{ServeOptions, Server};
pub use tally::{AcknowledgedSale, TenantResults, TrafficResults, missing_sales};
pub use traffic::{TrafficOptions, terminated, traffic};
pub use trouble::Trouble;

use std::path::{Path, PathBuf};

/// The directory of a tenant.
///
/// # Errors
/// When the name is none that a tenant may have.
pub fn tenant_directory(data: &Path, tenant: &str) -> Result<PathBuf, Trouble> {
    let name = eclusa_model::TenantName::new(tenant).map_err(Trouble::new)?;
    Ok(data.join(name.as_str()))
}

/// The database file of a tenant's directory.
#[must_use]
pub fn database_path(tenant_directory: &Path) -> PathBuf {
    tenant_directory.join("shop.sqlite")
}

/// The directory of uploaded files of a tenant's directory.
#[must_use]
pub fn receipts_directory(tenant_directory: &Path) -> PathBuf {
    tenant_directory.join("receipts")
}

/// The tenants that a data directory holds, in the order of their names.
///
/// # Errors
/// When the directory cannot be read.
pub fn tenants(data: &Path) -> Result<Vec<String>, Trouble> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(data).map_err(|error| Trouble::at(data, error))? {
        let entry = entry.map_err(|error| Trouble::at(data, error))?;
        if let Some(name) = entry.file_name().to_str()
            && database_path(&entry.path()).is_file()
        {
            names.push(name.to_owned());
        }
    }
    names.sort();
    Ok(names)
}
