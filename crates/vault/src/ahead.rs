//! Files that are read before a tenant is closed, so that nobody waits for them afterwards.
//!
//! The files of a tenant can be many times its database, and between two looks at them hardly any changes. So they are
//! read into the repository while the tenant is served, and read back. The taking that follows looks at every file again:
//! one whose inode, size and times (of its content and of its inode) are those of before is taken as it was read then; every
//! other is read. Nobody can set the time of an inode back, but a file that is written twice within one tick of the
//! kernel's clock has the same times: what had changed [shortly](SETTLED) before it was read is read again.
//!
//! What was read is known in this process only, and to one taking only. Data that no taking refers to in the end is
//! unreferenced, as after a crash.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use eclusa_fault::{Message, Result};
use eclusa_model::TenantName;
use eclusa_ports::{DirectorySet, Meter, ReadAhead};
use eclusa_runbook::{PointKind, Stage};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustic_core::repofile::{Node, SnapshotFile};
use rustic_core::{DataId, Id};

use crate::point::{self, Content};
use crate::repository::{Indexed, Opened, Places};
use crate::take::{self, Taking, failed};
use crate::tally::{Reading, Tally};
use crate::verify;

/// How long a file has to have been as it is before it was read, so that its times tell whether it was written since. The
/// clock that file systems write down ticks every few milliseconds; some write whole seconds.
const SETTLED: Duration = Duration::from_secs(2);

/// What tells two states of a file apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Identity {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// Whether it was so for long enough at that moment.
    fn is_settled(&self, at: SystemTime) -> bool {
        let now = at.duration_since(UNIX_EPOCH).unwrap_or_default().saturating_sub(SETTLED);
        let before = |seconds: i64| u64::try_from(seconds).is_ok_and(|seconds| seconds < now.as_secs());
        before(self.modified.0) && before(self.changed.0)
    }
}

/// A file that was read ahead.
#[derive(Debug, Clone)]
pub(crate) struct KnownFile {
    identity: Identity,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    pub(crate) content: Vec<DataId>,
}

/// What was read ahead of one tenant, and read back.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// By the path in a point.
    files: BTreeMap<PathBuf, KnownFile>,
    /// The packs that were read through.
    packs: BTreeSet<Id>,
}

impl Known {
    /// What is known of a file that is as it was.
    pub(crate) fn of(&self, path: &Path, identity: &Identity) -> Option<&KnownFile> {
        self.files.get(path).filter(|known| known.identity == *identity)
    }

    /// Whether this content was read back already, with this hash.
    pub(crate) fn is_read_back(&self, path: &Path, node: &Node, sha256: &str) -> bool {
        self.files
            .get(path)
            .is_some_and(|known| known.sha256 == sha256 && node.content.as_ref() == Some(&known.content))
    }

    /// Whether a pack was read through already.
    pub(crate) fn has_read(&self, pack: &Id) -> bool {
        self.packs.contains(pack)
    }
}

/// What this process has read ahead, by tenant.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ahead(Arc<Mutex<BTreeMap<TenantName, Arc<Known>>>>);

impl Ahead {
    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<TenantName, Arc<Known>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For the taking that comes now.
    pub(crate) fn look(&self, tenant: &TenantName) -> Arc<Known> {
        self.all().get(tenant).cloned().unwrap_or_default()
    }

    /// For the reading back that comes now, which is the last that it is good for.
    pub(crate) fn last_look(&self, tenant: &TenantName) -> Arc<Known> {
        self.all().remove(tenant).unwrap_or_default()
    }
}

/// Reads files into the repository and reads them back.
pub(crate) fn read(
    places: &Places,
    tenant: &TenantName,
    directories: Vec<DirectorySet>,
) -> Result<ReadAhead> {
    let began = SystemTime::now();
    places.ahead.all().remove(tenant);
    let opened = places.open_to_add(tenant)?;
    let at = Timestamp::now();
    let tally = Tally::with(places.meter.clone());
    let mut taking = Taking::new(tenant.clone(), PointKind::Release, at, tally);
    for directory in directories {
        taking.add_directory(&directory.name, &directory.path, &Known::default())?;
    }
    places.meter.expect(taking.sizes());
    let snapshot = SnapshotFile { time: at.to_zoned(TimeZone::UTC), ..SnapshotFile::default() };
    let Opened { repository, backend, lock } = opened;
    let repository = repository.to_indexed_ids().map_err(|error| {
        failed(tenant, "the repository's index cannot be read").because(error.display_log())
    })?;
    // It is no point: nothing is published.
    let snapshot = take::archive(&repository, taking.entries(), snapshot).map_err(|error| {
        let fault = taking.first_failure();
        let fault = fault.unwrap_or_else(|| failed(tenant, "the repository cannot be written"));
        fault.because(take::cause_of(&error, &places.repository(tenant)))
    })?;
    if let Some(fault) = taking.first_failure() {
        return Err(fault);
    }
    let repository = take::indexed(repository, tenant)?;
    let damaged = |problem: String| {
        let hint = Message::new("hint-vault-damaged").with("path", backend.location());
        failed(tenant, problem).hint(hint)
    };
    let (nodes, _) = point::nodes(&repository, snapshot.tree).map_err(damaged)?;
    let known = known(&taking, &nodes, began);
    read_back(&repository, &nodes, &known, &places.meter).map_err(damaged)?;
    let (packs, problems) = verify::packs(&repository, &[], known.keys().filter_map(|path| nodes.get(path)));
    if let Some(problem) = problems.into_iter().next() {
        return Err(damaged(problem));
    }
    for pack in &packs {
        if let Some(problem) = verify::pack_problem(backend.as_ref(), pack) {
            return Err(damaged(problem));
        }
    }
    drop(lock);
    let read = ReadAhead { files: known.len(), bytes: known.values().map(|file| file.bytes).sum() };
    places.ahead.all().insert(tenant.clone(), Arc::new(Known { files: known, packs }));
    Ok(read)
}

/// The files that were read to their ends, as long as their times tell.
fn known(
    taking: &Taking,
    nodes: &BTreeMap<PathBuf, Node>,
    began: SystemTime,
) -> BTreeMap<PathBuf, KnownFile> {
    let readings = taking.readings();
    let mut known = BTreeMap::new();
    for (path, identity) in taking.found() {
        let content = nodes.get(path).and_then(|node| node.content.clone());
        if let (Some(Reading::Whole { bytes, sha256 }), Some(content)) = (readings.get(path), content)
            && *bytes == identity.size
            && identity.is_settled(began)
        {
            let file = KnownFile { identity: *identity, bytes: *bytes, sha256: sha256.clone(), content };
            known.insert(path.clone(), file);
        }
    }
    known
}

fn read_back(
    repository: &Indexed,
    nodes: &BTreeMap<PathBuf, Node>,
    known: &BTreeMap<PathBuf, KnownFile>,
    meter: &Meter,
) -> std::result::Result<(), String> {
    meter.begin(Stage::ReadingBack);
    meter.expect(known.values().map(|file| file.bytes).sum());
    for (path, file) in known {
        let Some(node) = nodes.get(path) else { continue };
        let read = Content::of(repository, node)
            .and_then(|content| content.read_all(repository, &mut |piece| meter.pass(piece.len() as u64)));
        match read {
            Ok((bytes, sha256)) if bytes == file.bytes && sha256 == file.sha256 => {}
            Ok(_) => return Err(format!("{}: other bytes than when it was read", path.display())),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        }
    }
    Ok(())
}
