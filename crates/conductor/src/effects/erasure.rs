//! Erasures of persons: written down before they are done, done on the live database, and done again on what is restored of an
//! older point. The ledger is a file of the state directory that only its owner reads.

use std::path::Path;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::Tenant;
use eclusa_ports::{CommandSpec, DatabaseCopy, NoOutput, PointManifest};
use eclusa_runbook::{ErasureOperation, Outputs, PersonErasure, PointKind};
use serde::{Deserialize, Serialize};

use super::statements;
use crate::context::Context;

/// The format of the file.
const FORMAT: u32 = 1;
/// The most that is read of a ledger, in bytes.
const MOST: u64 = 64 * 1024 * 1024;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct Ledger {
    format: u32,
    erasures: Vec<PersonErasure>,
}

pub(super) async fn perform(context: &Context, operation: &ErasureOperation) -> Result<Outputs> {
    match operation {
        ErasureOperation::Record { ledger, id, reason, statements, .. } => {
            // It must be there and be what was agreed to before anybody counts on it.
            statements::read(context, statements).await?;
            let mut found = read(context, ledger).await?;
            if found.erasures.iter().all(|one| one.id != *id) {
                found.erasures.push(PersonErasure {
                    id: id.clone(),
                    by: context.by.clone(),
                    reason: reason.clone(),
                    statements: statements.clone(),
                    begun: false,
                    at: None,
                });
                write(context, ledger, &found).await?;
            }
            eclusa_crash::point("person.recorded");
            Ok(Outputs::new())
        }
        ErasureOperation::Forget { ledger, id, statements, .. } => {
            let mut found = read(context, ledger).await?;
            found.erasures.retain(|one| one.id != *id || one.begun);
            write(context, ledger, &found).await?;
            // They name a person, and nothing needs them any more.
            if found.erasures.iter().all(|one| one.statements.path != statements.path) {
                context.ports.host.remove(Path::new(&statements.path)).await?;
            }
            Ok(Outputs::new())
        }
        ErasureOperation::Apply { tenant, ledger, id } => {
            apply(context, context.tenant(tenant)?, ledger, id).await?;
            Ok(Outputs::new())
        }
        ErasureOperation::Replay { tenant, ledger, point, suffix } => {
            let manifest = context.ports.vault.find(tenant, point).await?;
            let copy = DatabaseCopy::Beside(suffix.clone());
            replay(context, ledger, &manifest, context.tenant(tenant)?, &copy).await
        }
    }
}

/// Runs the statements on the live database. That they were begun is written down first: a run that is cut off here and then
/// taken back may have run them, and must not forget it.
async fn apply(context: &Context, tenant: &Tenant, ledger: &str, id: &str) -> Result<()> {
    let mut found = read(context, ledger).await?;
    let missing = || Fault::new(Code::Internal).with("what", format!("the ledger has no erasure {id}"));
    let place = found.erasures.iter().position(|one| one.id == id).ok_or_else(missing)?;
    let mut entry = found.erasures.get(place).cloned().ok_or_else(missing)?;
    let text = statements::read(context, &entry.statements).await?;
    entry.begun = true;
    put(context, ledger, &mut found, place, &entry).await?;
    let done = context.ports.database.execute(tenant, &DatabaseCopy::Live, &text).await;
    eclusa_crash::point("person.erased");
    match &done {
        // Whatever was dumped before this moment may still hold the person.
        Ok(()) => entry.at = Some(context.ports.clock.now()),
        // The engine has taken them back. Of any other failure it is not known how far they came.
        Err(fault) if fault.code == Code::StatementsFailed => entry.begun = false,
        Err(_) => return done,
    }
    put(context, ledger, &mut found, place, &entry).await?;
    done
}

async fn put(
    context: &Context,
    ledger: &str,
    found: &mut Ledger,
    place: usize,
    entry: &PersonErasure,
) -> Result<()> {
    if let Some(slot) = found.erasures.get_mut(place) {
        slot.clone_from(entry);
    }
    write(context, ledger, found).await
}

/// Runs what is newer than a point on a copy of it.
pub(super) async fn replay(
    context: &Context,
    ledger: &str,
    manifest: &PointManifest,
    tenant: &Tenant,
    copy: &DatabaseCopy,
) -> Result<Outputs> {
    let found = read(context, ledger).await?;
    let mut replayed = Vec::new();
    for entry in found.erasures.iter().filter(|entry| may_hold(manifest, entry)) {
        let text = statements::read(context, &entry.statements).await?;
        context.ports.database.execute(tenant, copy, &text).await?;
        eclusa_crash::point("person.replayed");
        replayed.push(entry.id.as_str());
    }
    let mut outputs = Outputs::from([("replayed".to_owned(), replayed.len().to_string())]);
    if !replayed.is_empty() {
        outputs.insert("erasures".to_owned(), replayed.join(", "));
    }
    Ok(outputs)
}

/// Whether a point may hold who was erased. When what another tool wrote was written is not known.
fn may_hold(manifest: &PointManifest, entry: &PersonErasure) -> bool {
    manifest.kind == PointKind::Imported || entry.at.is_none_or(|at| manifest.taken_at <= at)
}

async fn read(context: &Context, ledger: &str) -> Result<Ledger> {
    let spec = CommandSpec::new(["test", "-e", ledger], Duration::from_secs(30));
    if context.ports.host.run(spec, &NoOutput).await?.code != 0 {
        return Ok(Ledger { format: FORMAT, erasures: Vec::new() });
    }
    let fault = |why: String| {
        Fault::new(Code::FileAccess).with("path", ledger).with("operation", "read").because(why)
    };
    let bytes = context.ports.host.read(Path::new(ledger), MOST).await?;
    let found: Ledger = serde_json::from_slice(&bytes).map_err(|error| fault(error.to_string()))?;
    if found.format == FORMAT { Ok(found) } else { Err(fault(format!("its format is {}", found.format))) }
}

async fn write(context: &Context, ledger: &str, found: &Ledger) -> Result<()> {
    let text =
        serde_json::to_vec_pretty(found).map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    context.ports.host.write_durably(Path::new(ledger), &text, 0o600).await
}
