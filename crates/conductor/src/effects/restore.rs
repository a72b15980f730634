//! A tenant's data brought back: beside the live data, proved there, swapped in, the old kept.

use std::path::Path;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{FilesPlace, PointId, Tenant, TenantName};
use eclusa_ports::{
    DatabaseCopy, FilesManifest, PointManifest, StoredDump, StoredStream, SwapState, beside_directory,
};
use eclusa_runbook::{Outputs, Part, RestoreOperation, Stage};
use jiff::Timestamp;

use super::aside;
use super::going_back;
use super::headway::measured;
use super::point::{id_of, place_of};
use crate::context::{Context, Ports};

pub(super) async fn perform(context: &Context, operation: &RestoreOperation) -> Result<Outputs> {
    match operation {
        RestoreOperation::Beside { tenant, point, suffix, part } => {
            let manifest = context.ports.vault.find(tenant, &context.point(point)?).await?;
            let manifest = part_of(manifest, part)?;
            let restoring =
                async |context: &Context| beside(context, context.tenant(tenant)?, &manifest, suffix).await;
            measured(context, restoring).await?;
            Ok(Outputs::new())
        }
        RestoreOperation::Prove { tenant, point, suffix, part } => {
            let manifest = context.ports.vault.find(tenant, &context.point(point)?).await?;
            prove(context, context.tenant(tenant)?, &part_of(manifest, part)?, suffix).await
        }
        RestoreOperation::Replay { tenant, point, suffix, until } => {
            let manifest = context.ports.vault.find(tenant, &context.point(point)?).await?;
            let manifest = part_of(manifest, &Part::Database)?;
            let tenant = context.tenant(tenant)?;
            measured(context, async |context| replay(context, tenant, &manifest, suffix, *until).await).await
        }
        RestoreOperation::Moment { tenant, base, suffix, until } => {
            let tenant = context.tenant(tenant)?;
            measured(context, async |context| moment(context, tenant, (base, suffix), *until).await).await
        }
        RestoreOperation::Aside { tenant, point, suffix, tables } => {
            let manifest = context.ports.vault.find(tenant, &context.point(point)?).await?;
            let manifest = part_of(manifest, &Part::Database)?;
            let tenant = context.tenant(tenant)?;
            let making =
                async |context: &Context| aside::make(context, tenant, &manifest, suffix, tables).await;
            measured(context, making).await
        }
        RestoreOperation::DropAside { tenant, database } => aside::drop(context, tenant, database).await,
        RestoreOperation::SwapIn { tenant, suffix, part } => {
            swap_in(context, context.tenant(tenant)?, suffix, part).await?;
            Ok(Outputs::new())
        }
        RestoreOperation::SwapBack { tenant, suffix, part } => {
            swap_back(context, context.tenant(tenant)?, suffix, part).await?;
            Ok(Outputs::new())
        }
        RestoreOperation::Discard { tenant, suffix, part } => {
            discard(&context.ports, context.tenant(tenant)?, suffix, part).await?;
            Ok(Outputs::new())
        }
        RestoreOperation::DropKept { tenant, suffix } => {
            drop_kept(context, context.tenant(tenant)?, suffix).await?;
            Ok(Outputs::new())
        }
        RestoreOperation::Whole { tenant, point, suffix } => {
            let point = context.point(point)?;
            let going_back =
                async |context: &Context| going_back::whole(context, tenant, &point, suffix).await;
            measured(context, going_back).await
        }
    }
}

/// What of a point is brought back. It must be there: a part that a point does not hold would leave what is live as it is,
/// and be called restored.
fn part_of(mut manifest: PointManifest, part: &Part) -> Result<PointManifest> {
    let lacks = |what: &str| {
        let point = manifest.id.as_ref().map_or_else(String::new, |id| id.short().to_owned());
        let known: Vec<&str> = manifest.files.keys().map(String::as_str).collect();
        Err(Fault::new(Code::PartUnknown)
            .with("tenant", &manifest.tenant)
            .with("point", point)
            .with("part", what)
            .with("known", known.join(", ")))
    };
    match part {
        Part::Everything => return Ok(manifest),
        Part::Database if manifest.database.is_empty() => return lacks("database"),
        Part::Database => {}
        Part::Files(sets) => {
            if let Some(set) = sets.iter().find(|set| !manifest.files.contains_key(*set)) {
                return lacks(set);
            }
            manifest.database.clear();
        }
    }
    manifest.files.retain(|set, _| part.has_files(set));
    Ok(manifest)
}

/// The directories of a part.
fn places<'a>(tenant: &'a Tenant, part: &'a Part) -> impl Iterator<Item = &'a FilesPlace> {
    tenant.files.iter().filter(|place| part.has_files(place.name()))
}

/// Restores database and files beside the live ones.
pub(super) async fn beside(
    context: &Context,
    tenant: &Tenant,
    manifest: &PointManifest,
    suffix: &str,
) -> Result<()> {
    let ports = &context.ports;
    let id = id_of(manifest)?;
    context.meter.begin(Stage::Restoring);
    context.meter.expect(manifest.bytes());
    if !manifest.database.is_empty() {
        let dump = stored(ports, &tenant.name, &id, manifest).await?;
        let restored = ports.database.restore_beside(tenant, suffix, dump).await;
        restored.map_err(|fault| named(fault, &id))?;
        eclusa_crash::point("restore.database-beside");
    }
    for set in manifest.files.keys() {
        files_beside(context, tenant, &id, set, suffix).await?;
    }
    Ok(())
}

/// Restores a set of files beside the live ones.
pub(super) async fn files_beside(
    context: &Context,
    tenant: &Tenant,
    id: &PointId,
    set: &str,
    suffix: &str,
) -> Result<()> {
    let ports = &context.ports;
    let live = ports.runtime.files_directory(place_of(tenant, set)?).await?;
    ports.files.drop_beside(&live, suffix).await?;
    ports.vault.restore_files(&tenant.name, id, set, &beside_directory(&live, suffix)).await?;
    Ok(())
}

/// The dump of a restore point.
pub(super) async fn stored(
    ports: &Ports,
    tenant: &TenantName,
    id: &PointId,
    manifest: &PointManifest,
) -> Result<StoredDump> {
    let mut dump = StoredDump { streams: Vec::new(), rows: manifest.summary.rows_by_table() };
    for stream in &manifest.database {
        let reader = ports.vault.open(tenant, id, &stream.path).await?;
        dump.streams.push(StoredStream { name: stream.path.clone(), reader });
    }
    Ok(dump)
}

/// Replays the log on the database beside. One that a try before this one had begun to change is restored anew.
async fn replay(
    context: &Context,
    tenant: &Tenant,
    manifest: &PointManifest,
    suffix: &str,
    until: Timestamp,
) -> Result<Outputs> {
    let unknown = || {
        Fault::new(Code::MomentUnreachable)
            .with("tenant", &tenant.name)
            .with("moment", until)
            .because("the restore point does not know where the log of the server stood")
    };
    let log = manifest.log.as_ref().ok_or_else(unknown)?;
    let database = &context.ports.database;
    if database.swap_state(tenant, suffix).await? != SwapState::Beside {
        beside(context, tenant, manifest, suffix).await?;
        prove(context, tenant, manifest, suffix).await?;
    }
    let replayed = database.replay(tenant, suffix, log, until).await?;
    eclusa_crash::point("restore.replayed");
    let mut outputs = Outputs::from([("changes".to_owned(), replayed.changes.to_string())]);
    outputs.extend(replayed.last.map(|last| ("last".to_owned(), last.to_string())));
    Ok(outputs)
}

/// Restores the database of a moment beside, out of a base backup of the server.
async fn moment(
    context: &Context,
    tenant: &Tenant,
    (base, suffix): (&str, &str),
    until: Timestamp,
) -> Result<Outputs> {
    context.meter.begin(Stage::Restoring);
    let last = context.ports.database.restore_moment(tenant, suffix, base, until).await?;
    eclusa_crash::point("restore.moment");
    Ok(last.map(|last| ("last".to_owned(), last.to_string())).into_iter().collect())
}

/// The database knows only the stream that it read; people know the point.
pub(super) fn named(fault: Fault, point: &PointId) -> Fault {
    let short: String = point.as_str().chars().take(8).collect();
    if fault.code == Code::RestoreFailed { fault.with("point", short) } else { fault }
}

/// Compares what lies beside with the manifest.
pub(super) async fn prove(
    context: &Context,
    tenant: &Tenant,
    manifest: &PointManifest,
    suffix: &str,
) -> Result<Outputs> {
    let ports = &context.ports;
    let mut rows = 0;
    if !manifest.database.is_empty() {
        let copy = DatabaseCopy::Beside(suffix.to_owned());
        let found = ports.database.summarise(tenant, &copy, manifest.summary.checksums).await?;
        compare(tenant, manifest, &found)?;
        rows = found.rows();
    }
    let mut files = 0;
    for (set, expected) in &manifest.files {
        let live = ports.runtime.files_directory(place_of(tenant, set)?).await?;
        files += prove_files(context, tenant, set, expected, &beside_directory(&live, suffix)).await?;
    }
    Ok(Outputs::from([("rows".to_owned(), rows.to_string()), ("files".to_owned(), files.to_string())]))
}

/// Compares what lies in a directory with what a manifest says of a set of files; gives how many there are.
pub(super) async fn prove_files(
    context: &Context,
    tenant: &Tenant,
    set: &str,
    expected: &FilesManifest,
    directory: &Path,
) -> Result<usize> {
    let found = context.ports.vault.summarise_files(directory).await?;
    compare_files(tenant, set, expected, &found)
}

/// Compares a set of files with what a manifest says of it; gives how many there are.
pub(super) fn compare_files(
    tenant: &Tenant,
    set: &str,
    expected: &FilesManifest,
    found: &FilesManifest,
) -> Result<usize> {
    let wrong = expected.files.iter().find(|(path, entry)| {
        found.files.get(*path).map(|f| (f.bytes, &f.sha256)) != Some((entry.bytes, &entry.sha256))
    });
    if let Some((path, _)) = wrong {
        return Err(proof_failed(tenant, format!("{set}/{path} is missing or differs")));
    }
    let (count, wanted) = (found.files.len(), expected.files.len());
    if count != wanted {
        return Err(proof_failed(tenant, format!("{set}: {count} files, not {wanted}")));
    }
    Ok(count)
}

pub(super) fn compare(
    tenant: &Tenant,
    manifest: &PointManifest,
    found: &eclusa_ports::DatabaseSummary,
) -> Result<()> {
    match manifest.summary.differences(found).first() {
        None => Ok(()),
        Some(difference) => Err(proof_failed(tenant, difference)),
    }
}

pub(super) fn proof_failed(tenant: &Tenant, problem: impl std::fmt::Display) -> Fault {
    Fault::new(Code::ProofFailed).with("tenant", &tenant.name).with("problem", problem)
}

/// Files first: the database decides what the application sees, so it is swapped last.
async fn swap_in(context: &Context, tenant: &Tenant, suffix: &str, part: &Part) -> Result<()> {
    swap_files_in(context, tenant, suffix, part).await?;
    if part.has_database() {
        context.ports.database.swap_in(tenant, suffix).await?;
    }
    Ok(())
}

pub(super) async fn swap_files_in(
    context: &Context,
    tenant: &Tenant,
    suffix: &str,
    part: &Part,
) -> Result<()> {
    for place in places(tenant, part) {
        let live = context.ports.runtime.files_directory(place).await?;
        if context.ports.files.state(&live, suffix).await? != SwapState::Nothing {
            context.ports.files.swap_in(&live, suffix).await?;
        }
    }
    Ok(())
}

async fn swap_back(context: &Context, tenant: &Tenant, suffix: &str, part: &Part) -> Result<()> {
    if part.has_database() {
        let state = context.ports.database.swap_state(tenant, suffix).await?;
        if matches!(state, SwapState::SwappedIn | SwapState::Halfway) {
            context.ports.database.swap_back(tenant, suffix).await?;
        }
    }
    for place in places(tenant, part) {
        let live = context.ports.runtime.files_directory(place).await?;
        let state = context.ports.files.state(&live, suffix).await?;
        if matches!(state, SwapState::SwappedIn | SwapState::Halfway) {
            context.ports.files.swap_back(&live, suffix).await?;
        }
    }
    Ok(())
}

/// Drops what lies beside.
pub(super) async fn discard(ports: &Ports, tenant: &Tenant, suffix: &str, part: &Part) -> Result<()> {
    if part.has_database() {
        ports.database.drop_copy(tenant, &DatabaseCopy::Beside(suffix.to_owned())).await?;
    }
    for place in places(tenant, part) {
        let live = ports.runtime.files_directory(place).await?;
        ports.files.drop_beside(&live, suffix).await?;
    }
    Ok(())
}

/// Drops what a swap kept.
pub(super) async fn drop_kept(context: &Context, tenant: &Tenant, suffix: &str) -> Result<()> {
    context.ports.database.drop_copy(tenant, &DatabaseCopy::Kept(suffix.to_owned())).await?;
    for place in &tenant.files {
        let live = context.ports.runtime.files_directory(place).await?;
        context.ports.files.drop_kept(&live, suffix).await?;
    }
    Ok(())
}

/// How far the swap of a tenant's files is: the furthest of its sets.
pub(super) async fn files_state(context: &Context, tenant: &Tenant, suffix: &str) -> Result<SwapState> {
    let mut furthest = SwapState::Nothing;
    for place in &tenant.files {
        let live = context.ports.runtime.files_directory(place).await?;
        let state = context.ports.files.state(&live, suffix).await?;
        furthest = match (furthest, state) {
            (_, SwapState::Halfway) | (SwapState::Halfway, _) => SwapState::Halfway,
            (_, SwapState::SwappedIn) | (SwapState::SwappedIn, _) => SwapState::SwappedIn,
            (_, SwapState::Beside) | (SwapState::Beside, _) => SwapState::Beside,
            _ => SwapState::Nothing,
        };
    }
    Ok(furthest)
}
