//! One repository copied into another, file by file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use eclusa_fault::{Fault, Result};
use eclusa_model::PointId;
use eclusa_ports::Copied;
use eclusa_runbook::Stage;
use rustic_core::repofile::{SnapshotFile, SnapshotId};
use rustic_core::{BytesList, FileType, Id, RusticError};

use crate::chosen::{self, Chosen, Untold};
use crate::files::RepositoryFiles;
use crate::keys;
use crate::mirror::Place;
use crate::verify::packs_of;

/// The files of a kind and their sizes.
pub(crate) fn ids(
    files: &dyn RepositoryFiles,
    kind: FileType,
) -> std::result::Result<BTreeMap<Id, u32>, Box<RusticError>> {
    Ok(files.list_with_size(kind)?.into_iter().collect())
}

/// What makes a repository this one and no other.
pub(crate) fn configuration(
    files: &dyn RepositoryFiles,
) -> std::result::Result<Option<Bytes>, Box<RusticError>> {
    if ids(files, FileType::Config)?.is_empty() {
        return Ok(None);
    }
    files.read_full(FileType::Config, &Id::default()).map(Some)
}

/// What was done so far, by several threads.
#[derive(Debug, Default)]
struct Tally {
    files: AtomicU64,
    bytes: AtomicU64,
    read: AtomicU64,
    mended: AtomicU64,
}

/// A file that is to be at the other side.
struct Wanted {
    id: Id,
    bytes: u64,
    /// Whether it has this size there; `None` when it is not there.
    there: Option<bool>,
}

/// A copy that is being made.
pub(crate) struct Copy<'a> {
    place: &'a Place<'a>,
    from: &'a Arc<dyn RepositoryFiles>,
    to: &'a Arc<dyn RepositoryFiles>,
    read_all: bool,
    /// The points that are wanted there; none: all of them.
    only: Option<&'a BTreeSet<PointId>>,
    done: Tally,
}

impl<'a> Copy<'a> {
    pub(crate) fn new(
        place: &'a Place<'a>,
        from: &'a Arc<dyn RepositoryFiles>,
        to: &'a Arc<dyn RepositoryFiles>,
        read_all: bool,
    ) -> Self {
        Self { place, from, to, read_all, only: None, done: Tally::default() }
    }

    /// Of these points alone.
    pub(crate) fn of(self, only: Option<&'a BTreeSet<PointId>>) -> Self {
        Self { only, ..self }
    }

    fn failed(&self, error: &RusticError) -> Fault {
        self.place.failed(error)
    }

    /// Copies everything, and says which points are there then.
    pub(crate) fn whole(self) -> Result<(Copied, BTreeMap<Id, u32>)> {
        self.place.places.meter.begin(Stage::Copying);
        let fail = |error: Box<RusticError>| self.failed(&error);
        let configuration = configuration(self.from.as_ref()).map_err(fail)?;
        self.to.create().map_err(fail)?;
        self.to.publish_snapshots();
        // What is published meanwhile is left to the next time: of it, not everything may be copied.
        let mut points = ids(self.from.as_ref(), FileType::Snapshot).map_err(fail)?;
        if let Some(only) = self.only {
            points.retain(|id, _| PointId::new(id.to_hex().as_str()).is_ok_and(|id| only.contains(&id)));
        }
        let chosen = match self.only {
            Some(_) => Some(self.chosen(&points)?),
            None => None,
        };
        for kind in [FileType::Pack, FileType::Index, FileType::Key] {
            let mut wanted = ids(self.from.as_ref(), kind).map_err(fail)?;
            if let Some(chosen) = &chosen {
                match kind {
                    FileType::Pack => wanted.retain(|id, _| chosen.packs.contains(id)),
                    FileType::Index => {
                        self.index(chosen)?;
                        continue;
                    }
                    _ => {}
                }
            }
            if kind == FileType::Key {
                let retired = keys::retired(self.place.places, self.place.tenant)?;
                wanted.retain(|id, _| !retired.contains(id));
            }
            self.kind(kind, &wanted)?;
        }
        if let Some(content) = &configuration {
            self.configuration(content)?;
        }
        self.check(&points)?;
        self.kind(FileType::Snapshot, &points)?;
        let there = ids(self.to.as_ref(), FileType::Snapshot).map_err(fail)?;
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let done = Copied {
            points: there.len() as u64,
            files: of(&self.done.files),
            bytes: of(&self.done.bytes),
            read: of(&self.done.read),
            mended: of(&self.done.mended),
        };
        Ok((done, there))
    }

    fn kind(&self, kind: FileType, wanted: &BTreeMap<Id, u32>) -> Result<()> {
        let there = ids(self.to.as_ref(), kind).map_err(|error| self.failed(&error))?;
        let of = |(id, size): (&Id, &u32)| Wanted {
            id: *id,
            bytes: u64::from(*size),
            there: there.get(id).map(|found| found == size),
        };
        let wanted: Vec<Wanted> = wanted.iter().map(of).collect();
        let passing = wanted.iter().filter(|file| self.read_all || file.there != Some(true));
        self.place.places.meter.expect(passing.map(|file| file.bytes).sum());
        let at_once = self.from.at_once().max(self.to.at_once());
        if at_once == 1 {
            wanted.iter().try_for_each(|file| self.file(kind, file))?;
        } else {
            self.side_by_side(kind, &wanted, at_once)?;
        }
        eclusa_crash::point("vault.mirror.kind");
        Ok(())
    }

    /// Several files at once; after the first that cannot be copied none is begun.
    fn side_by_side(&self, kind: FileType, wanted: &[Wanted], at_once: usize) -> Result<()> {
        let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let first: Mutex<Option<Fault>> = Mutex::new(None);
        std::thread::scope(|threads| {
            for _ in 0..at_once.min(wanted.len()) {
                threads.spawn(|| {
                    while !stop.load(Ordering::Relaxed)
                        && let Some(file) = wanted.get(next.fetch_add(1, Ordering::Relaxed))
                    {
                        if let Err(fault) = self.file(kind, file) {
                            stop.store(true, Ordering::Relaxed);
                            first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
                        }
                    }
                });
            }
        });
        first.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    /// Makes sure that all that a new point needs was copied: what is missing here is in no list of files to copy.
    fn check(&self, points: &BTreeMap<Id, u32>) -> Result<()> {
        let fail = |error: Box<RusticError>| self.failed(&error);
        let there = ids(self.to.as_ref(), FileType::Snapshot).map_err(fail)?;
        let new: Vec<&Id> = points.keys().filter(|id| !there.contains_key(id)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let repository = self.place.places.unlocked_on(self.place.tenant, self.from)?;
        let repository = repository.to_indexed().map_err(fail)?;
        let packs = ids(self.to.as_ref(), FileType::Pack).map_err(fail)?;
        for id in new {
            let snapshot: SnapshotFile = repository.get_file(&SnapshotId::from(*id)).map_err(fail)?;
            let incomplete = |problem| {
                self.place.fault(format!("restore point {} is not whole: {problem}", id.to_hex().as_str()))
            };
            let needed = packs_of(&repository, snapshot.tree).map_err(incomplete)?;
            if let Some(missing) = needed.iter().find(|pack| !packs.contains_key(pack)) {
                return Err(incomplete(format!("pack {} is missing", missing.to_hex().as_str())));
            }
        }
        Ok(())
    }

    /// What points that are not there yet need there, of a mirror that does not get all of them.
    fn chosen(&self, points: &BTreeMap<Id, u32>) -> Result<Chosen> {
        let fail = |error: Box<RusticError>| self.failed(&error);
        let Place { places, tenant, .. } = *self.place;
        let vault = places.unlocked_on(tenant, self.from)?.to_indexed().map_err(fail)?;
        let there = match configuration(self.to.as_ref()).map_err(fail)? {
            Some(_) => Some(places.unlocked_on(tenant, self.to)?),
            None => None,
        };
        let have = ids(self.to.as_ref(), FileType::Snapshot).map_err(fail)?;
        let new: Vec<Id> = points.keys().filter(|id| !have.contains_key(id)).copied().collect();
        chosen::choose(&vault, &new, self.to.as_ref(), there.as_ref()).map_err(|untold| match untold {
            Untold::Error(error) => self.failed(&error),
            Untold::Said(problem) => self.place.fault(problem),
        })
    }

    /// Writes the list of what lies where that belongs to the chosen points, and reads it back.
    fn index(&self, chosen: &Chosen) -> Result<()> {
        let Some(id) = chosen::write_index(chosen, self.to).map_err(|error| self.failed(&error))? else {
            return Ok(());
        };
        eclusa_crash::point("vault.mirror.kind");
        if self.is_sound(FileType::Index, &id)? {
            Ok(())
        } else {
            Err(self.place.fault("a list of packs was written, and reads differently"))
        }
    }

    /// Copies a file unless it is there. One of another size is damaged; so may one of the same size be.
    fn file(&self, kind: FileType, file: &Wanted) -> Result<()> {
        let Wanted { id, bytes, there } = file;
        if *there == Some(true) {
            if !self.read_all {
                return Ok(());
            }
            self.done.read.fetch_add(1, Ordering::Relaxed);
            if self.is_sound(kind, id)? {
                return self.passed(*bytes);
            }
        }
        let content = self.from.read_full(kind, id).map_err(|error| self.failed(&error))?;
        self.passed(*bytes)?;
        let length = content.len() as u64;
        self.write(kind, id, content)?;
        eclusa_crash::point("vault.mirror.written");
        if !self.is_sound(kind, id)? {
            return Err(self.place.fault(format!(
                "{} {} was written, and reads differently",
                kind.dirname(),
                id.to_hex().as_str()
            )));
        }
        self.done.bytes.fetch_add(length, Ordering::Relaxed);
        self.done.files.fetch_add(1, Ordering::Relaxed);
        self.done.mended.fetch_add(u64::from(there.is_some()), Ordering::Relaxed);
        Ok(())
    }

    fn passed(&self, bytes: u64) -> Result<()> {
        self.place.places.meter.pass(bytes).map_err(|error| self.place.fault(error))
    }

    fn is_sound(&self, kind: FileType, id: &Id) -> Result<bool> {
        self.to.is_sound_there(kind, id).map_err(|error| {
            self.place.broken(&error, format!("reading back {} {}", kind.dirname(), id.to_hex().as_str()))
        })
    }

    fn write(&self, kind: FileType, id: &Id, content: Bytes) -> Result<()> {
        let content = BytesList::from(content);
        self.to.write_bytes(kind, id, false, content).map_err(|error| self.failed(&error))
    }

    /// `config` is written once and never again.
    fn configuration(&self, content: &Bytes) -> Result<()> {
        let there = || configuration(self.to.as_ref()).map_err(|error| self.failed(&error));
        if there()?.is_none() {
            self.write(FileType::Config, &Id::default(), content.clone())?;
        }
        if there()?.as_ref() == Some(content) {
            Ok(())
        } else {
            Err(self.place.fault("config was written, and reads differently"))
        }
    }
}
