//! Restore points: taken, read back, and where asked for, restored and proved.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{FilesPlace, PointId, Release, Tenant, TenantName};
use eclusa_ports::{Copying, DirectorySet, FilesManifest, Forgotten, PointManifest, Proof, TakeRequest};
use eclusa_runbook::{Intent, MirrorWay, Outputs, Part, PointKind, Stage, VaultOperation};

use super::directories::Directories;
use super::headway::measured;
use super::restore;
use crate::context::{Context, Ports};

pub(super) async fn perform(context: &Context, operation: &VaultOperation) -> Result<Outputs> {
    match operation {
        VaultOperation::Take { tenant, kind, release, prove } => {
            let tenant = context.tenant(tenant)?.clone();
            measured(context, async |context| take(context, &tenant, *kind, release.clone(), *prove).await)
                .await
        }
        VaultOperation::ReadAhead { tenant } => {
            let tenant = context.tenant(tenant)?.clone();
            measured(context, async |context| read_ahead(context, &tenant).await).await
        }
        VaultOperation::Check { tenant, point, from, on } => {
            let tenant = context.tenant(tenant)?.clone();
            // From a mirror, everything else is the same: the copy is restored beside, proved and discarded.
            let mut context = context.clone();
            if let Some(mirror) = from {
                context.ports.vault = context.ports.vault.at_mirror(mirror)?;
            }
            measured(&context, async |context| {
                let id = context.point(point)?;
                let manifest = context.ports.vault.find(&tenant.name, &id).await?;
                prove(context, &tenant, &manifest, on.as_deref()).await
            })
            .await
        }
        VaultOperation::Copy { tenant, mirror, way, only } => {
            let only = only.as_deref();
            measured(context, async |context| copy(&context.ports, tenant, mirror, *way, only).await).await
        }
        VaultOperation::ForgetAt { tenant, mirror, points } => {
            Ok(gone(context.ports.vault.forget_at(tenant, mirror, points).await?))
        }
        VaultOperation::Forget { tenant, points } => {
            Ok(gone(context.ports.vault.forget(tenant, points).await?))
        }
    }
}

fn gone(forgotten: Forgotten) -> Outputs {
    BTreeMap::from([
        ("points".to_owned(), forgotten.points.to_string()),
        ("freed".to_owned(), forgotten.bytes.to_string()),
    ])
}

async fn copy(
    ports: &Ports,
    tenant: &TenantName,
    mirror: &str,
    way: MirrorWay,
    only: Option<&[PointId]>,
) -> Result<Outputs> {
    let how = |read_all| Copying { read_all, at: ports.clock.now() };
    let how = how(way == MirrorWay::ThereReadingAll);
    let copied = match (way, only) {
        (MirrorWay::Back, _) => ports.vault.copy_back(tenant, mirror).await?,
        (_, None) => ports.vault.copy_to(tenant, mirror, how).await?,
        (_, Some(points)) => ports.vault.copy_chosen(tenant, mirror, points, how).await?,
    };
    let always = [("there", copied.points), ("copied", copied.files)];
    let seldom = [("bytes", copied.bytes), ("reread", copied.read), ("mended", copied.mended)];
    let outputs = always.into_iter().chain(seldom.into_iter().filter(|(_, count)| *count > 0));
    Ok(outputs.map(|(name, count)| (name.to_owned(), count.to_string())).collect())
}

async fn take(
    context: &Context,
    tenant: &Tenant,
    kind: PointKind,
    release: Option<Release>,
    proved: bool,
) -> Result<Outputs> {
    let ports = &context.ports;
    let mark = context.mark();
    let manifest = match ports.vault.find_marked(&tenant.name, &mark).await? {
        Some(manifest) => manifest,
        None => {
            context.meter.begin(Stage::Reading);
            match expected(context, tenant).await {
                Some(bytes) => context.meter.expect(bytes),
                None => context.meter.expect_anything(),
            }
            let request = TakeRequest {
                tenant: tenant.name.clone(),
                kind,
                at: ports.clock.now(),
                run: Some(context.run.clone()),
                mark,
                release,
                database: Some(ports.database.dump(tenant).await?),
                directories: directories(context, tenant).await?,
                configuration: configuration(context, tenant).await?,
            };
            ports.vault.take(request).await?
        }
    };
    let id = id_of(&manifest)?;
    let report = ports.vault.verify(&tenant.name, &id).await?;
    eclusa_crash::point("point.verified");
    if let Some(problem) = report.problems.first() {
        return Err(Fault::new(Code::PointDamaged)
            .with("point", &id)
            .with("tenant", &tenant.name)
            .with("problem", problem)
            .hint(Message::new("hint-vault-damaged-of").with("tenant", &tenant.name)));
    }
    let mut outputs = describe(&manifest, &id);
    outputs.insert("verified".to_owned(), report.equal.to_string());
    if proved {
        let proof = prove(context, tenant, &manifest, None).await?;
        outputs.insert("proved".to_owned(), "yes".to_owned());
        outputs.extend(proof.into_iter().filter(|(name, _)| name == "seconds"));
    }
    Ok(outputs)
}

async fn read_ahead(context: &Context, tenant: &Tenant) -> Result<Outputs> {
    context.meter.begin(Stage::Reading);
    let directories = directories(context, tenant).await?;
    let read = context.ports.vault.read_ahead(&tenant.name, directories).await?;
    eclusa_crash::point("point.read-ahead");
    let outputs = [("files", read.files.to_string()), ("bytes", read.bytes.to_string())];
    Ok(outputs.map(|(name, value)| (name.to_owned(), value)).into())
}

/// About how many bytes the dump of a tenant will have. Nobody who is closed meanwhile waits for the answer.
async fn expected(context: &Context, tenant: &Tenant) -> Option<u64> {
    if !matches!(context.plan.intent, Intent::Backup { .. }) {
        return None;
    }
    let before = context.ports.vault.newest(&tenant.name).await.ok().flatten();
    let before = before.map(|point| point.database_bytes()).filter(|bytes| *bytes > 0);
    match before {
        Some(bytes) => Some(bytes),
        None => context.ports.database.facts(tenant, u64::MAX).await.ok().map(|facts| facts.bytes),
    }
}

async fn directories(context: &Context, tenant: &Tenant) -> Result<Vec<DirectorySet>> {
    let mut sets = Vec::new();
    for place in &tenant.files {
        let path = context.ports.runtime.files_directory(place).await?;
        sets.push(DirectorySet { name: place.name().to_owned(), path });
    }
    Ok(sets)
}

/// Reads the configuration files that belong to a point. Each is kept under its file name.
async fn configuration(context: &Context, tenant: &Tenant) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for path in &tenant.configuration {
        let path = Path::new(path);
        let name = path
            .file_name()
            .map_or_else(|| "configuration".to_owned(), |name| name.to_string_lossy().into_owned());
        files.insert(name, context.ports.host.read(path, 4 * 1024 * 1024).await?);
    }
    for place in &tenant.service_configuration {
        let (path, name) = in_service(context, place).await?;
        files.insert(name, context.ports.host.read(&path, 4 * 1024 * 1024).await?);
    }
    Ok(files)
}

/// Where a file inside a service lies on the host, and its name. Only directories are asked for, so that a link that
/// leads out of its volume is seen.
pub(super) async fn in_service(context: &Context, place: &FilesPlace) -> Result<(PathBuf, String)> {
    let (FilesPlace::Service { path, .. } | FilesPlace::Directory { path, .. }) = place;
    let fault = || Fault::new(Code::PathEscapes).with("path", path).with("root", "a file of the service");
    let (directory, name) = path.rsplit_once('/').ok_or_else(fault)?;
    let mut parent = place.clone();
    let (FilesPlace::Service { path: inside, .. } | FilesPlace::Directory { path: inside, .. }) = &mut parent;
    *inside = directory.to_owned();
    let directory = context.ports.runtime.files_directory(&parent).await?;
    Ok((directory.join(name), name.to_owned()))
}

pub(super) fn id_of(manifest: &PointManifest) -> Result<PointId> {
    manifest.id.clone().ok_or_else(|| {
        Fault::new(Code::Internal).with("what", "a restore point came back from the vault without its id")
    })
}

fn describe(manifest: &PointManifest, id: &PointId) -> Outputs {
    let files: usize = manifest.files.values().map(|set| set.files.len()).sum();
    let file_bytes: u64 = manifest.files.values().map(FilesManifest::bytes).sum();
    let bytes = manifest.bytes();
    Outputs::from([
        ("point".to_owned(), id.to_string()),
        ("bytes".to_owned(), bytes.to_string()),
        ("rows".to_owned(), manifest.summary.rows().to_string()),
        ("tables".to_owned(), manifest.summary.tables.len().to_string()),
        ("files".to_owned(), files.to_string()),
        ("file-bytes".to_owned(), file_bytes.to_string()),
    ])
}

/// What the copies are named by that are restored only to be compared.
const PROOF: &str = "proof";

/// Removes the copies that a proof of a tenant's point had made and could not remove; `on` is where its files went.
/// Idempotent.
///
/// # Errors
/// Those of the database and of the files.
pub async fn discard_proof(ports: &Ports, tenant: &Tenant, on: Option<&str>) -> Result<()> {
    if let Some(on) = on {
        let host = Directories(ports.host.as_ref());
        host.remove(&elsewhere(on, tenant)).await?;
        host.remove_empty(&Path::new(on).join(ELSEWHERE)).await?;
    }
    restore::discard(ports, tenant, PROOF, &Part::Everything).await
}

/// What of a directory that was given for a drill is Eclusa's.
const ELSEWHERE: &str = ".eclusa-drill";

fn elsewhere(on: &str, tenant: &Tenant) -> PathBuf {
    Path::new(on).join(ELSEWHERE).join(tenant.name.as_str())
}

/// Restores a point beside the live data, or its files elsewhere, compares everything, discards the copy, and records the
/// proof.
async fn prove(
    context: &Context,
    tenant: &Tenant,
    manifest: &PointManifest,
    on: Option<&str>,
) -> Result<Outputs> {
    let began = context.ports.clock.now();
    // The name is the same on every try, so that a try that was cut off is cleaned up by the next.
    let suffix = PROOF;
    let mut beside = manifest.clone();
    if on.is_some() {
        beside.files.clear();
    }
    let proved = async {
        restore::beside(context, tenant, &beside, suffix).await?;
        if let Some(on) = on {
            prove_files(context, tenant, manifest, &elsewhere(on, tenant)).await?;
        }
        restore::prove(context, tenant, &beside, suffix).await
    }
    .await;
    eclusa_crash::point("point.compared");
    discard_proof(&context.ports, tenant, on).await?;
    eclusa_crash::point("point.discarded");
    proved?;
    let taken = Duration::try_from(context.ports.clock.now().duration_since(began)).unwrap_or_default();
    record_proof(context, &tenant.name, manifest, taken).await?;
    let mut outputs = describe(manifest, &id_of(manifest)?);
    outputs.insert("seconds".to_owned(), format!("{:.3}", taken.as_secs_f64()));
    Ok(outputs)
}

/// Restores the files of a point below a directory of their own, and compares them.
async fn prove_files(
    context: &Context,
    tenant: &Tenant,
    manifest: &PointManifest,
    below: &Path,
) -> Result<()> {
    let host = Directories(context.ports.host.as_ref());
    // Whatever lies there was left by a try that was cut off.
    host.remove(below).await?;
    host.make(below, "0700").await?;
    let id = id_of(manifest)?;
    for (set, expected) in &manifest.files {
        let place = below.join(set);
        context.ports.vault.restore_files(&tenant.name, &id, set, &place).await?;
        restore::prove_files(context, tenant, set, expected, &place).await?;
    }
    Ok(())
}

/// Records that a point was restored and compared, and how long that took.
pub(super) async fn record_proof(
    context: &Context,
    tenant: &TenantName,
    manifest: &PointManifest,
    taken: Duration,
) -> Result<()> {
    let proof = Proof {
        tenant: tenant.clone(),
        point: id_of(manifest)?.to_string(),
        at: context.ports.clock.now(),
        milliseconds: u64::try_from(taken.as_millis()).unwrap_or(u64::MAX),
        rows: manifest.summary.rows(),
    };
    let (journal, stack) = (context.ports.journal.clone(), context.plan.stack.clone());
    tokio::task::spawn_blocking(move || journal.record_proof(&stack, &proof))
        .await
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?
}

/// The live directory of a set of files, by its name in a point.
pub(super) fn place_of<'a>(tenant: &'a Tenant, set: &str) -> Result<&'a FilesPlace> {
    tenant.files.iter().find(|place| place.name() == set).ok_or_else(|| {
        Fault::new(Code::RestoreFailed)
            .with("tenant", &tenant.name)
            .with("point", "")
            .because(format!("the configuration names no files {set:?} that the restore point holds"))
    })
}
