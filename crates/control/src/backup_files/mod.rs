//! Files of `bench backup`: taken into the vault as a restore point, and written from one.
//!
//! What is taken in is proved first (a compressed file to its end, the dump to its last line), loaded into a database
//! beside the live one and counted there, and only then kept as a restore point like any other: it is restored, secured,
//! swapped and taken back as they are.

mod archive;
mod export;
mod sealed;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use eclusa_apps::backup_files::{numbers, version_in, version_of};
use eclusa_database::mariadb::{Changed, Definers, ForeignDump};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{AppKind, FilesPlace, Tenant, TenantName};
use eclusa_ports::{Checksums, DatabaseCopy, DirectorySet, Dump, PointManifest, StoredDump, TakeRequest};
use eclusa_runbook::PointKind;

pub use self::export::{Exported, export};

use crate::observe::run;
use crate::workspace::private_directory;
use crate::{Assembly, running};

/// What the copy is named by into which a dump is loaded to be counted.
const SUFFIX: &str = "import";
/// How much of a dump is looked at for its version, in bytes.
const HEAD: usize = 4096;

/// The files, and what shall be done with them.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The dump: plain, compressed or encrypted.
    pub database: PathBuf,
    /// The archive of the public files.
    pub public: Option<PathBuf>,
    /// That of the private ones.
    pub private: Option<PathBuf>,
    /// The site's configuration that belongs to it.
    pub site_config: Option<PathBuf>,
    /// Where the key of encrypted files is (`env:NAME`, `file:PATH`); the site's own configuration without it.
    pub key: Option<String>,
    /// Whether a dump of a later version of Frappe than the stack's is taken.
    pub newer: bool,
    /// What is done with one of an earlier version: migrated or left; none: it is refused, so that somebody decides.
    pub migrate: Option<bool>,
}

/// What was taken in.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The restore point.
    pub manifest: PointManifest,
    /// The version of Frappe in the dump.
    pub version: Option<String>,
    /// The version of the stack.
    pub stack_version: Option<String>,
    /// Whether the site is to be migrated after it.
    pub migrate: bool,
    /// What was changed on the way.
    pub changed: Changed,
}

pub(crate) fn refused(path: &Path, problem: impl std::fmt::Display) -> Fault {
    Fault::new(Code::BackupFiles).with("path", path.display()).with("problem", problem)
}

pub(crate) fn only_frappe(assembly: &Assembly) -> Result<()> {
    if assembly.stack.app == AppKind::Frappe {
        return Ok(());
    }
    let problem = "files of bench backup are those of Frappe's sites";
    Err(Fault::new(Code::DatabaseUnsupported).with("problem", problem))
}

/// Takes files into the vault as a restore point of a tenant.
///
/// # Errors
/// `BackupFiles` when a file is not whole or holds what it must not; what the vault and the database say.
pub async fn import(assembly: &Assembly, tenant: &TenantName, wanted: Wanted) -> Result<Imported> {
    only_frappe(assembly)?;
    let tenant = assembly.tenant(tenant)?;
    running::check_alone(assembly).await?;
    let scratch = assembly.state.join("scratch").join(assembly.name.as_str());
    private_directory(&scratch)?;
    let directory = tempfile::Builder::new()
        .prefix("import")
        .tempdir_in(&scratch)
        .map_err(|error| Fault::new(Code::StateDirectory).with("path", scratch.display()).because(error))?;
    let key = sealed::key(assembly, tenant, wanted.key.as_deref()).await?;
    let dump = sealed::opened(assembly, &wanted.database, key.as_ref(), directory.path()).await?;
    let definers = definers(assembly, tenant).await?;
    // First to its end, before anything is made of it.
    let (version, changed) = proved(&wanted.database, &dump, definers.clone()).await?;
    let stack_version = stack_version(assembly, tenant).await;
    let migrate = decide(&wanted, version.as_deref(), stack_version.as_deref())?;
    let mut directories = Vec::new();
    for (set, path) in [("public-files", &wanted.public), ("private-files", &wanted.private)] {
        let Some(path) = path else { continue };
        let archive = sealed::opened(assembly, path, key.as_ref(), directory.path()).await?;
        let place = tenant.files.iter().find(|place| place.name() == set);
        let to = directory.path().join(set);
        unpack(assembly, place, path.clone(), archive, set, to.clone()).await?;
        directories.push(DirectorySet { name: set.to_owned(), path: to });
    }
    let mut configuration = BTreeMap::new();
    if let Some(path) = &wanted.site_config {
        let bytes = assembly.ports.host.read(path, 4 * 1024 * 1024).await?;
        let is_object =
            serde_json::from_slice::<serde_json::Value>(&bytes).is_ok_and(|value| value.is_object());
        if !is_object {
            return Err(refused(path, "it is no JSON object, as a site_config.json is"));
        }
        configuration.insert("site_config.json".to_owned(), bytes);
    }
    let summary = counted(assembly, tenant, &wanted.database, &dump, definers.clone()).await?;
    let engine = assembly.ports.database.facts(tenant, u64::MAX / 2).await;
    let engine = engine.map_or_else(|_| "mariadb".to_owned(), |facts| format!("mariadb {}", facts.version));
    let at = assembly.ports.clock.now();
    let request = TakeRequest {
        tenant: tenant.name.clone(),
        kind: PointKind::Imported,
        at,
        run: None,
        mark: format!("import/{at}"),
        release: None,
        database: Some(Dump::single(
            "database.sql",
            engine,
            summary,
            Box::new(move || Ok(Box::new(ForeignDump::new(sealed::reader(&dump)?, definers)) as _)),
        )),
        directories,
        configuration,
    };
    let manifest = assembly.ports.vault.take(request).await?;
    Ok(Imported { manifest, version, stack_version, migrate, changed })
}

/// Everything is defined by the site's own account: another one may be gone, or have rights that the site has not.
async fn definers(assembly: &Assembly, tenant: &Tenant) -> Result<Definers> {
    Ok(assembly.ports.database.account(tenant).await?.map_or(Definers::Kept, Definers::Own))
}

/// Reads a dump to its end.
async fn proved(shown: &Path, dump: &Path, definers: Definers) -> Result<(Option<String>, Changed)> {
    let (path, shown) = (dump.to_owned(), shown.to_owned());
    blocking(move || {
        let read = || -> std::io::Result<(Option<String>, Changed)> {
            let mut start = vec![0; HEAD];
            let mut reader = sealed::reader(&path)?;
            let mut filled = 0;
            while let Some(rest) = start.get_mut(filled..).filter(|rest| !rest.is_empty()) {
                match reader.read(rest)? {
                    0 => break,
                    count => filled += count,
                }
            }
            let version = version_in(start.get(..filled).unwrap_or_default());
            let mut whole = ForeignDump::new(sealed::reader(&path)?, definers);
            let changed = whole.changed();
            std::io::copy(&mut whole, &mut std::io::sink())?;
            let changed = changed.lock().unwrap_or_else(PoisonError::into_inner).clone();
            Ok((version, changed))
        };
        read().map_err(|error| refused(&shown, error))
    })
    .await
}

/// Loads a dump beside the live database, counts it there and lets it go.
async fn counted(
    assembly: &Assembly,
    tenant: &Tenant,
    shown: &Path,
    dump: &Path,
    definers: Definers,
) -> Result<eclusa_ports::DatabaseSummary> {
    let database = &assembly.ports.database;
    let beside = DatabaseCopy::Beside(SUFFIX.to_owned());
    let reader = sealed::reader(dump).map_err(|error| refused(shown, error))?;
    let stream: Box<dyn Read + Send> = Box::new(ForeignDump::new(reader, definers));
    let counted = async {
        database.restore_beside(tenant, SUFFIX, StoredDump::single(stream)).await?;
        database.summarise(tenant, &beside, Checksums::Dump).await
    };
    let counted = counted.await.map_err(|fault| {
        if fault.code == Code::RestoreFailed { fault.with("point", shown.display()) } else { fault }
    });
    eclusa_crash::point("import.counted");
    let dropped = database.drop_copy(tenant, &beside).await;
    let summary = counted?;
    dropped?;
    if summary.tables.is_empty() {
        return Err(refused(shown, "there is no table in it"));
    }
    Ok(summary)
}

async fn stack_version(assembly: &Assembly, tenant: &Tenant) -> Option<String> {
    let exec = assembly.app.apps(&assembly.stack, &tenant.name)?;
    version_of(&run(assembly, exec).await?)
}

/// Whether the site has to be migrated afterwards.
fn decide(wanted: &Wanted, dump: Option<&str>, stack: Option<&str>) -> Result<bool> {
    let asked = wanted.migrate.unwrap_or(false);
    let (Some(dump), Some(stack)) = (dump, stack) else { return Ok(asked) };
    let (of_dump, of_stack) = (numbers(dump), numbers(stack));
    if of_dump > of_stack && !wanted.newer {
        let problem =
            format!("it was written by Frappe {dump}, and the stack runs {stack}, which may not read it");
        return Err(refused(&wanted.database, problem).hint(Message::new("hint-import-newer")));
    }
    if of_dump < of_stack && wanted.migrate.is_none() {
        let problem = format!("it was written by Frappe {dump}, and the stack runs {stack}");
        return Err(refused(&wanted.database, problem).hint(Message::new("hint-import-older")));
    }
    Ok(asked)
}

/// Unpacks an archive; what it holds belongs to whoever the site's own files belong to.
async fn unpack(
    assembly: &Assembly,
    place: Option<&FilesPlace>,
    shown: PathBuf,
    archive: PathBuf,
    set: &'static str,
    to: PathBuf,
) -> Result<()> {
    let owner = match place {
        Some(place) => {
            let live = assembly.ports.runtime.files_directory(place).await?;
            archive::owner_of(&live)
        }
        None => return Err(refused(&shown, format!("the tenant has no files {set:?}"))),
    };
    blocking(move || archive::unpack(&shown, &archive, set, &to, owner)).await
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Fault::new(Code::Internal).with("what", error))?
}

/// A reader of a file that may be compressed.
pub(crate) type Opened = BufReader<Box<dyn Read + Send>>;

/// Whether a reader's next bytes are these.
pub(crate) fn begins(reader: &mut impl BufRead, with: &[u8]) -> std::io::Result<bool> {
    Ok(reader.fill_buf()?.starts_with(with))
}
