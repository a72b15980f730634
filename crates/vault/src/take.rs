//! Taking a restore point.
//!
//! 1. Everything is read once into the repository; every reader counts, hashes and notes how it ended.
//! 2. The manifest is made from what was read; anything that failed or is missing ends the taking here.
//! 3. The manifest is written, and the trees with it and with the true sizes.
//! 4. The trees are read back and compared with the manifest.
//! 5. Only now a snapshot is written, by one rename. Before that nothing that anybody could list is there; what a
//!    crash leaves is unreferenced data that a later taking of the same data uses again or `restic prune` removes.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use eclusa_ports::{
    DatabaseSummary, Dump, FileEntry, FilesManifest, LogPosition, PointManifest, StreamManifest,
    StreamOpener, SummaryOpener, TakeRequest,
};
use eclusa_runbook::PointKind;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rustic_core::repofile::{Node, NodeType, SnapshotFile};
use rustic_core::{
    BackupOptions, DataId, ErrorKind, IndexedIds, IndexedTree, ParentOptions, ReadSource, ReadSourceEntry,
    ReadSourceOpen, Repository, RusticError, RusticResult,
};

use crate::ahead::{Identity, Known};
use crate::finish::Finishing;
use crate::point::MANIFEST;
use crate::repository::{Indexed, Opened, Places};
use crate::seal::Corrections;
use crate::tally::{Reading, TalliedReader, Tally};
use crate::walk::{self, Kind};

/// Where the bytes of an entry come from.
enum Source {
    Stream(StreamOpener),
    Bytes(Vec<u8>),
    /// A file that was read ahead and is as it was.
    Known {
        bytes: u64,
        sha256: String,
    },
    File {
        directory: Arc<Path>,
        relative: PathBuf,
    },
}

/// An entry that is opened when its turn comes, on a thread of rustic_core.
pub(crate) struct Opening {
    path: PathBuf,
    source: Source,
    tally: Tally,
}

impl ReadSourceOpen for Opening {
    type Reader = TalliedReader;

    fn open(self) -> RusticResult<TalliedReader> {
        let unread = |problem: &str| RusticError::new(ErrorKind::InputOutput, problem.to_owned());
        if self.tally.has_failed() {
            return Err(unread("given up: another stream failed"));
        }
        let opened: std::io::Result<Option<Box<dyn Read + Send>>> = match self.source {
            Source::Known { bytes, sha256 } => {
                let reading = Reading::Whole { bytes, sha256 };
                return Ok(TalliedReader::known(self.path, self.tally, reading));
            }
            Source::Stream(open) => open().map(Some),
            Source::Bytes(bytes) => Ok(Some(Box::new(Cursor::new(bytes)))),
            Source::File { directory, relative } => walk::open_file(&directory, &relative)
                .map(|file| file.map(|file| Box::new(file) as Box<dyn Read + Send>)),
        };
        match opened {
            Ok(Some(reader)) => Ok(TalliedReader::new(reader, self.path, self.tally)),
            Ok(None) => {
                self.tally.note(self.path, Reading::Vanished);
                Err(unread("it vanished"))
            }
            Err(error) => {
                self.tally.note(self.path, Reading::Failed(error.to_string()));
                Err(unread("it could not be opened"))
            }
        }
    }
}

/// What goes into one archive, by path: that is the order in which rustic_core wants it.
#[derive(Default)]
struct Selection {
    entries: Mutex<BTreeMap<PathBuf, (Node, Option<Opening>)>>,
}

impl ReadSource for Selection {
    type Open = Opening;
    type Iter = std::vec::IntoIter<RusticResult<ReadSourceEntry<Opening>>>;

    fn size(&self) -> RusticResult<Option<u64>> {
        Ok(None)
    }

    fn entries(&self) -> Self::Iter {
        let entries = std::mem::take(&mut *self.entries.lock().unwrap_or_else(PoisonError::into_inner));
        let entries =
            entries.into_iter().map(|(path, (node, open))| Ok(ReadSourceEntry { path, node, open }));
        entries.collect::<Vec<_>>().into_iter()
    }
}

/// A file of a set, as it was found.
struct FoundFile {
    set: String,
    text: String,
    path: PathBuf,
    mode: u32,
    owner: u32,
    group: u32,
    identity: Identity,
}

/// A taking under way.
pub(crate) struct Taking {
    tenant: TenantName,
    kind: PointKind,
    at: Timestamp,
    tally: Tally,
    entries: BTreeMap<PathBuf, (Node, Option<Opening>)>,
    database: Vec<PathBuf>,
    engine: Option<String>,
    summary: Option<SummaryOpener>,
    log: Option<LogPosition>,
    configuration: Vec<PathBuf>,
    files: Vec<FoundFile>,
    sets: BTreeMap<String, FilesManifest>,
    /// The content of files that are not read again.
    contents: BTreeMap<PathBuf, (u64, Vec<DataId>)>,
}

pub(crate) fn failed(tenant: &TenantName, problem: impl std::fmt::Display) -> Fault {
    Fault::new(Code::PointFailed).with("tenant", tenant).with("problem", problem)
}

/// Takes a restore point; see the module for how.
pub(crate) fn take(places: &Places, request: TakeRequest) -> Result<PointManifest> {
    let TakeRequest { tenant, kind, at, run, mark, release, database, directories, configuration } = request;
    let known = places.ahead.look(&tenant);
    let opened = places.open_to_add(&tenant)?;
    eclusa_crash::point("vault.take.opened");
    let mut taking = Taking::new(tenant.clone(), kind, at, Tally::with(places.meter.clone()));
    taking.add_configuration(configuration)?;
    if let Some(dump) = database {
        taking.add_database(dump)?;
    }
    for directory in directories {
        taking.add_directory(&directory.name, &directory.path, &known)?;
    }
    // What a stream of the database comes to, whoever began this may know better.
    places.meter.expect(taking.sizes());
    let known_sizes = taking.entries.iter().map(|(path, (node, _))| (path.clone(), node.meta.size)).collect();
    let snapshot = SnapshotFile {
        time: at.to_zoned(TimeZone::UTC),
        hostname: places.stack.to_string(),
        ..SnapshotFile::default()
    };
    let Opened { repository, backend, lock } = opened;
    let repository = repository.to_indexed_ids().map_err(|error| {
        failed(&tenant, "the repository's index cannot be read").because(error.display_log())
    })?;
    let snapshot = archive(&repository, taking.entries(), snapshot).map_err(|error| {
        let fault = taking.first_failure();
        fault
            .unwrap_or_else(|| failed(&tenant, "the repository cannot be written"))
            .because(cause_of(&error, &places.repository(&tenant)))
    })?;
    eclusa_crash::point("vault.take.archived");
    let contents = std::mem::take(&mut taking.contents);
    let (readings, manifest) = taking.into_manifest(places)?;
    let manifest = PointManifest { run, release, ..manifest };
    let sizes = changed_sizes(&readings, known_sizes);
    let repository = indexed(repository, &tenant)?;
    let finishing = Finishing { repository, backend, snapshot, manifest };
    let manifest = finishing.finish(Corrections { sizes, contents }, &mark)?;
    drop(lock);
    Ok(manifest)
}

/// The sizes of what was read that are not those which rustic_core was told before the reading.
fn changed_sizes(
    readings: &BTreeMap<PathBuf, Reading>,
    known: BTreeMap<PathBuf, u64>,
) -> BTreeMap<PathBuf, u64> {
    let changed = known.into_iter().filter_map(|(path, known)| match readings.get(&path) {
        Some(Reading::Whole { bytes, .. }) if *bytes != known => Some((path, *bytes)),
        _ => None,
    });
    changed.collect()
}

/// What an error of writing says, in few words where the disk is to blame.
pub(crate) fn cause_of(error: &RusticError, repository: &Path) -> String {
    let mut source = std::error::Error::source(error);
    while let Some(found) = source {
        match found.downcast_ref::<std::io::Error>().map(std::io::Error::kind) {
            Some(std::io::ErrorKind::StorageFull) => {
                return format!("the disk of {} is full", repository.display());
            }
            Some(std::io::ErrorKind::ReadOnlyFilesystem) => {
                return format!("the file system of {} is read-only", repository.display());
            }
            _ => source = found.source(),
        }
    }
    error.display_log()
}

/// The repository as it is on the disk now: an index in memory knows nothing of what was written since.
pub(crate) fn indexed<S: IndexedTree>(repository: Repository<S>, tenant: &TenantName) -> Result<Indexed> {
    repository.drop_index().to_indexed().map_err(|error| {
        failed(tenant, "the repository's index cannot be read back").because(error.display_log())
    })
}

/// Puts entries into the repository. The snapshot that rustic_core writes for them is withheld by the backend.
pub(crate) fn archive<S: IndexedIds>(
    repository: &Repository<S>,
    entries: BTreeMap<PathBuf, (Node, Option<Opening>)>,
    snapshot: SnapshotFile,
) -> RusticResult<SnapshotFile> {
    let source = Selection { entries: Mutex::new(entries) };
    // Without a parent: every byte is read, because every byte is hashed.
    let options = BackupOptions::default().no_scan(true).parent_opts(ParentOptions::default().force(true));
    repository.archive(&options, &source, snapshot, &[PathBuf::from("/")])
}

impl Taking {
    pub(crate) fn new(tenant: TenantName, kind: PointKind, at: Timestamp, tally: Tally) -> Self {
        Self {
            tenant,
            kind,
            at,
            tally,
            entries: BTreeMap::new(),
            database: Vec::new(),
            engine: None,
            summary: None,
            log: None,
            configuration: Vec::new(),
            files: Vec::new(),
            sets: BTreeMap::new(),
            contents: BTreeMap::new(),
        }
    }

    /// What is to be put into the repository.
    pub(crate) fn entries(&mut self) -> BTreeMap<PathBuf, (Node, Option<Opening>)> {
        std::mem::take(&mut self.entries)
    }

    /// How many bytes are to be read, as far as that is known.
    pub(crate) fn sizes(&self) -> u64 {
        let read = self.entries.iter().filter(|(path, _)| !self.contents.contains_key(*path));
        read.filter(|(_, (_, opening))| opening.is_some()).map(|(_, (node, _))| node.meta.size).sum()
    }

    /// How the readings ended.
    pub(crate) fn readings(&self) -> BTreeMap<PathBuf, Reading> {
        self.tally.readings()
    }

    /// The files of all sets, as they were found.
    pub(crate) fn found(&self) -> impl Iterator<Item = (&PathBuf, &Identity)> {
        self.files.iter().map(|file| (&file.path, &file.identity))
    }

    fn escapes(path: &Path) -> Fault {
        Fault::new(Code::PathEscapes).with("path", path.display()).with("root", "the restore point")
    }

    fn add(&mut self, path: PathBuf, node: Node, source: Source) {
        let opening = Opening { path: path.clone(), source, tally: self.tally.clone() };
        self.entries.insert(path, (node, Some(opening)));
    }

    fn add_made_directory(&mut self, name: &str) {
        let node = walk::made_node(OsStr::new(name), NodeType::Dir, self.at, 0);
        self.entries.insert(PathBuf::from(name), (node, None));
    }

    fn add_configuration(&mut self, configuration: BTreeMap<String, Vec<u8>>) -> Result<()> {
        for (name, content) in configuration {
            let relative = Path::new(&name);
            let Some(last) = relative.file_name().filter(|_| walk::is_confined(relative)) else {
                return Err(Self::escapes(relative));
            };
            self.add_made_directory("configuration");
            let path = Path::new("configuration").join(relative);
            let size = u64::try_from(content.len()).unwrap_or(u64::MAX);
            let node = walk::made_node(last, NodeType::File, self.at, size);
            self.configuration.push(path.clone());
            self.add(path, node, Source::Bytes(content));
        }
        Ok(())
    }

    fn add_database(&mut self, dump: Dump) -> Result<()> {
        for stream in dump.streams {
            self.add_stream(&stream.name, stream.open)?;
        }
        self.database.sort();
        self.engine = Some(dump.engine);
        self.summary = Some(dump.summary);
        self.log = dump.log;
        Ok(())
    }

    /// A stream of the database lies at the top or in a directory of its own.
    fn add_stream(&mut self, name: &str, open: StreamOpener) -> Result<()> {
        let path = PathBuf::from(name);
        let (directory, last) =
            name.split_once('/').map_or((None, name), |(first, last)| (Some(first), last));
        let top = directory.unwrap_or(last);
        let taken = [MANIFEST, "files", "configuration"].contains(&top);
        if taken || ![top, last].iter().all(|part| walk::is_name(OsStr::new(part))) {
            return Err(Self::escapes(&path));
        }
        if let Some(directory) = directory {
            self.add_made_directory(directory);
        }
        let node = walk::made_node(OsStr::new(last), NodeType::File, self.at, 0);
        self.database.push(path.clone());
        self.add(path, node, Source::Stream(open));
        Ok(())
    }

    pub(crate) fn add_directory(&mut self, set: &str, directory: &Path, known: &Known) -> Result<()> {
        if !walk::is_name(OsStr::new(set)) {
            return Err(Self::escapes(Path::new(set)));
        }
        let unreadable = |error: std::io::Error| {
            failed(&self.tenant, format!("{} cannot be read", directory.display())).because(error)
        };
        let found = walk::walk(directory).map_err(unreadable)?;
        self.add_made_directory("files");
        let below = Path::new("files").join(set);
        let shared: Arc<Path> = directory.into();
        let mut links = BTreeMap::new();
        for entry in found {
            let path = if entry.relative.as_os_str().is_empty() {
                below.clone()
            } else {
                below.join(&entry.relative)
            };
            let name = path.file_name().unwrap_or_default();
            let node = walk::node(name, &entry.kind, &entry.metadata);
            let text = walk::text_of(&entry.relative);
            match entry.kind {
                Kind::Directory => {
                    self.entries.insert(path, (node, None));
                }
                Kind::Link(target) => {
                    links.insert(text, walk::text_of(&target));
                    self.entries.insert(path, (node, None));
                }
                Kind::File => {
                    let (owner, group) =
                        (node.meta.uid.unwrap_or_default(), node.meta.gid.unwrap_or_default());
                    let mode = walk::permissions(&entry.metadata);
                    let identity = Identity::of(&entry.metadata);
                    let (set, path) = (set.to_owned(), path);
                    self.files.push(FoundFile {
                        set,
                        text,
                        path: path.clone(),
                        mode,
                        owner,
                        group,
                        identity,
                    });
                    let source = match known.of(&path, &identity) {
                        Some(known) => {
                            self.contents.insert(path.clone(), (known.bytes, known.content.clone()));
                            Source::Known { bytes: known.bytes, sha256: known.sha256.clone() }
                        }
                        None => Source::File { directory: shared.clone(), relative: entry.relative },
                    };
                    self.add(path, node, source);
                }
            }
        }
        self.sets.insert(set.to_owned(), FilesManifest { files: BTreeMap::new(), links });
        Ok(())
    }

    /// The first thing that failed, the database before all else.
    pub(crate) fn first_failure(&self) -> Option<Fault> {
        let readings = self.tally.readings();
        let failure = |path: &PathBuf| match readings.get(path) {
            Some(Reading::Failed(cause)) => Some(cause.clone()),
            _ => None,
        };
        if let Some(cause) = self.database.iter().find_map(failure) {
            return Some(Fault::new(Code::DumpFailed).with("tenant", &self.tenant).because(cause));
        }
        let path = readings.keys().find(|path| failure(path).is_some())?;
        Some(failed(&self.tenant, format!("{} cannot be read", path.display())).because(failure(path)?))
    }

    /// The manifest of what was read, or what prevents one.
    fn into_manifest(self, places: &Places) -> Result<(BTreeMap<PathBuf, Reading>, PointManifest)> {
        if let Some(fault) = self.first_failure() {
            return Err(fault);
        }
        let readings = self.tally.readings();
        let unread =
            |path: &Path| failed(&self.tenant, format!("{} was not read to its end", path.display()));
        let stream = |path: &PathBuf| match readings.get(path) {
            Some(Reading::Whole { bytes, sha256 }) => {
                Ok(StreamManifest { path: path.display().to_string(), bytes: *bytes, sha256: sha256.clone() })
            }
            _ => Err(unread(path)),
        };
        let mut sets = self.sets;
        for file in &self.files {
            match readings.get(&file.path) {
                Some(Reading::Whole { bytes, sha256 }) => {
                    let entry = FileEntry {
                        bytes: *bytes,
                        sha256: sha256.clone(),
                        mode: file.mode,
                        owner: file.owner,
                        group: file.group,
                    };
                    sets.entry(file.set.clone()).or_default().files.insert(file.text.clone(), entry);
                }
                Some(Reading::Vanished) => {}
                _ => return Err(unread(&file.path)),
            }
        }
        let database = self.database.iter().map(stream).collect::<Result<Vec<_>>>()?;
        let summary = match self.summary {
            Some(summary) => summary()?,
            None => DatabaseSummary::default(),
        };
        let manifest = PointManifest {
            format: PointManifest::format_of(&database, &summary),
            id: None,
            stack: places.stack.clone(),
            tenant: self.tenant.clone(),
            kind: self.kind,
            taken_at: self.at,
            run: None,
            release: None,
            engine: self.engine,
            database,
            log: self.log,
            summary,
            files: sets,
            configuration: self.configuration.iter().map(stream).collect::<Result<_>>()?,
        };
        Ok((readings, manifest))
    }
}
