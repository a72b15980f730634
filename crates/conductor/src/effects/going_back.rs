//! A tenant's data taken back to a restore point of the same run. Most of it is as it was: a migration touches some tables.
//! So what is live is compared with the point first, table by table and file by file, and what differs alone is restored
//! beside, proved there and swapped in; where that cannot be told, everything is. What is live then is compared once more,
//! all of it.
//!
//! What an application itself says of the tables that it touched is not asked: it knows nothing of what triggers, foreign
//! keys and a statement by hand changed.

use std::collections::BTreeSet;

use eclusa_fault::Result;
use eclusa_model::{Tenant, TenantName};
use eclusa_ports::{DatabaseCopy, PointManifest, SwapState, beside_directory};
use eclusa_runbook::{Outputs, Part};

use super::point::{id_of, place_of};
use super::restore::{
    self, beside, compare, drop_kept, files_beside, files_state, named, proof_failed, prove, prove_files,
    stored, swap_files_in,
};
use crate::context::Context;

/// What lies beside, ready to be swapped in.
struct Ready {
    /// Whether there is a database.
    database: bool,
    /// How many tables there are in it, where not all are.
    tables: Option<usize>,
}

/// All of it. A second call after a crash goes on where the first was: what has been swapped in is not restored
/// again over itself.
pub(super) async fn whole(
    context: &Context,
    tenant: &TenantName,
    point: &str,
    suffix: &str,
) -> Result<Outputs> {
    let tenant = context.tenant(tenant)?;
    let manifest = context.ports.vault.find(&tenant.name, point).await?;
    let database = context.ports.database.swap_state(tenant, suffix).await?;
    let files = files_state(context, tenant, suffix).await?;
    let begun = |state| matches!(state, SwapState::SwappedIn | SwapState::Halfway);
    let mut outputs = Outputs::new();
    let swapped = if begun(database) || begun(files) {
        // No copy of the database beside files that are swapped in: none was needed, or a try before this one was cut
        // off while it let go what had been swapped out, and the database went first. The comparison below says whether
        // that is so.
        database != SwapState::Nothing
    } else {
        let ready = made_ready(context, tenant, &manifest, suffix).await?;
        if let Some(tables) = ready.tables {
            outputs.insert("tables-back".to_owned(), tables.to_string());
        }
        ready.database
    };
    eclusa_crash::point("restore.proved");
    swap_files_in(context, tenant, suffix, &Part::Everything).await?;
    eclusa_crash::point("restore.files-swapped");
    if swapped {
        context.ports.database.swap_in(tenant, suffix).await?;
    }
    eclusa_crash::point("restore.swapped");
    // What is live now is compared once more: this is what will be said to be back.
    let kind = manifest.summary.checksums;
    let live = context.ports.database.summarise(tenant, &DatabaseCopy::Live, kind).await?;
    compare(tenant, &manifest, &live)?;
    eclusa_crash::point("restore.compared");
    // What was swapped out is the restore point plus a migration that is taken back; what was written after the
    // gate had opened is in the salvage point, which was read back before this. Nothing of it is lost.
    drop_kept(context, tenant, suffix).await?;
    outputs.insert("point".to_owned(), id_of(&manifest)?.to_string());
    outputs.insert("rows".to_owned(), live.rows().to_string());
    Ok(outputs)
}

/// Restores what differs beside, and proves it there.
async fn made_ready(
    context: &Context,
    tenant: &Tenant,
    manifest: &PointManifest,
    suffix: &str,
) -> Result<Ready> {
    let Some(tables) = differing(context, tenant, manifest).await else {
        beside(context, tenant, manifest, suffix).await?;
        prove(context, tenant, manifest, suffix).await?;
        return Ok(Ready { database: true, tables: None });
    };
    eclusa_crash::point("restore.differing");
    // What a try that was cut off left beside could be of more tables, or of files that are as they were.
    restore::discard(&context.ports, tenant, suffix, &Part::Everything).await?;
    if !tables.is_empty() {
        tables_beside(context, tenant, manifest, suffix, &tables).await?;
        eclusa_crash::point("restore.database-beside");
    }
    for (set, expected) in &manifest.files {
        let live = context.ports.runtime.files_directory(place_of(tenant, set)?).await?;
        let found = context.ports.vault.summarise_files(&live).await;
        if found.is_ok_and(|found| found == *expected) {
            continue;
        }
        files_beside(context, tenant, &id_of(manifest)?, set, suffix).await?;
        prove_files(context, tenant, set, expected, &beside_directory(&live, suffix)).await?;
    }
    Ok(Ready { database: !tables.is_empty(), tables: Some(tables.len()) })
}

/// The tables that are otherwise than in the restore point; `None` where that cannot be told, for whatever reason: then
/// everything is restored, which needs nothing of what is live.
async fn differing(context: &Context, tenant: &Tenant, manifest: &PointManifest) -> Option<BTreeSet<String>> {
    let found = told(context, tenant, manifest, &DatabaseCopy::Live).await;
    found.unwrap_or_else(|fault| {
        tracing::warn!(tenant = %tenant.name, %fault, "what is live cannot be compared with the restore point");
        None
    })
}

async fn told(
    context: &Context,
    tenant: &Tenant,
    manifest: &PointManifest,
    copy: &DatabaseCopy,
) -> Result<Option<BTreeSet<String>>> {
    let (ports, id) = (&context.ports, id_of(manifest)?);
    let dump = stored(ports, &tenant.name, &id, manifest).await?;
    ports.database.differing(tenant, copy, &manifest.summary, dump).await
}

/// Restores tables beside. They are as the restore point has them before any of them is swapped in.
async fn tables_beside(
    context: &Context,
    tenant: &Tenant,
    manifest: &PointManifest,
    suffix: &str,
    tables: &BTreeSet<String>,
) -> Result<()> {
    let (ports, id) = (&context.ports, id_of(manifest)?);
    let dump = stored(ports, &tenant.name, &id, manifest).await?;
    let restored = ports.database.restore_tables_beside(tenant, suffix, dump, tables).await;
    restored.map_err(|fault| named(fault, &id))?;
    let copy = DatabaseCopy::Beside(suffix.to_owned());
    let found = told(context, tenant, manifest, &copy).await?;
    let found = found.ok_or_else(|| proof_failed(tenant, "the restored tables cannot be compared"))?;
    // Sequences always count as different; they have no rows to lose, and all of them are compared at the end.
    let wrong =
        found.iter().find(|name| tables.contains(*name) && manifest.summary.tables.contains_key(*name));
    match wrong {
        Some(table) => Err(proof_failed(tenant, format!("{table} was restored and differs"))),
        None => Ok(()),
    }
}
