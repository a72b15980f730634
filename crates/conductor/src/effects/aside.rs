//! Tables of a restore point in a database of their own: restored, compared with the point, and only then known.

use std::collections::BTreeSet;

use eclusa_fault::Result;
use eclusa_model::{Tenant, TenantName};
use eclusa_ports::{DatabaseCopy, PointManifest};
use eclusa_runbook::{AsideName, Outputs, Stage};

use super::point::id_of;
use super::restore::{named, proof_failed, stored};
use crate::context::Context;

pub(super) async fn make(
    context: &Context,
    tenant: &Tenant,
    manifest: &PointManifest,
    suffix: &str,
    tables: &[String],
) -> Result<Outputs> {
    let (ports, id) = (&context.ports, id_of(manifest)?);
    let chosen: BTreeSet<String> = tables.iter().cloned().collect();
    context.meter.begin(Stage::Restoring);
    context.meter.expect(manifest.database_bytes());
    let dump = stored(ports, &tenant.name, &id, manifest).await?;
    let restored = ports.database.restore_aside(tenant, suffix, dump, &chosen).await;
    restored.map_err(|fault| named(fault, &id))?;
    eclusa_crash::point("aside.restored");
    let rows = compared(context, tenant, manifest, suffix, &chosen).await?;
    let at = ports.clock.now();
    let made = ports.database.finish_aside(tenant, suffix, id.short(), at).await?;
    eclusa_crash::point("aside.finished");
    Ok(Outputs::from([
        ("database".to_owned(), made.database),
        ("tables".to_owned(), chosen.len().to_string()),
        ("rows".to_owned(), rows.to_string()),
    ]))
}

/// Compares the rows of the tables with the restore point; gives how many there are.
async fn compared(
    context: &Context,
    tenant: &Tenant,
    manifest: &PointManifest,
    suffix: &str,
    tables: &BTreeSet<String>,
) -> Result<u64> {
    let copy = DatabaseCopy::Aside(suffix.to_owned());
    let kind = manifest.summary.checksums;
    let found = context.ports.database.summarise(tenant, &copy, kind).await?;
    let mut rows = 0;
    for table in tables {
        let (expected, found) = (manifest.summary.tables.get(table), found.tables.get(table));
        if expected.is_none() || expected != found {
            return Err(proof_failed(tenant, format!("{table} was restored and differs")));
        }
        rows += found.map_or(0, |table| table.rows);
    }
    Ok(rows)
}

/// Drops one.
pub(super) async fn drop(context: &Context, tenant: &TenantName, name: &AsideName) -> Result<Outputs> {
    let tenant = context.tenant(tenant)?;
    let database = &context.ports.database;
    match name {
        AsideName::Database(name) => database.drop_aside(tenant, name).await?,
        AsideName::Suffix(suffix) => {
            database.drop_copy(tenant, &DatabaseCopy::Aside(suffix.clone())).await?;
        }
    }
    Ok(Outputs::new())
}
