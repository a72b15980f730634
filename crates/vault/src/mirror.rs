//! Copies of the restore points in another directory, on another disk: the same repository, file by file.
//!
//! Every file of a repository but `config` is named by the hash of its bytes, so it can be copied without a look inside.
//! What refers to others is copied after them: packs, lists of what lies in them, then, when all that they need is there,
//! the points. A point is therefore whole at a mirror as soon as it is there, whenever the copying ends. What was copied is
//! read back from the disk before it counts.
//!
//! `DIRECTORY/STACK/eclusa-mirror.json` tells a mirror from an empty mount point; `DIRECTORY/STACK/TENANT/` is a repository.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_ports::{Copied, Copying, MirrorCopies};
use rustic_core::repofile::{SnapshotFile, SnapshotId};
use rustic_core::{BytesList, FileType, Id, ReadBackend as _, RusticError, WriteBackend as _};

use crate::backend::DirectoryBackend;
use crate::lock::Lock;
use crate::mirror_record::{self as record, Marker, Record};
use crate::repository::Places;
use crate::verify::packs_of;
use crate::{durable, keys};

/// A place for copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Its name.
    pub name: String,
    /// The directory, which must be there.
    pub directory: PathBuf,
    /// Whether it may lie on the file system of the vault.
    pub same_file_system: bool,
}

impl Mirror {
    fn of<'a>(places: &'a Places, name: &str) -> Result<&'a Self> {
        let found = places.mirrors.iter().find(|mirror| mirror.name == name);
        found.ok_or_else(|| Fault::new(Code::MirrorUnknown).with("mirror", name))
    }

    /// Where the repositories of the stack lie there.
    fn root(&self, places: &Places) -> PathBuf {
        self.directory.join(places.stack.as_str())
    }

    fn fault(&self, whose: impl std::fmt::Display, cause: impl std::fmt::Display) -> Fault {
        Fault::new(Code::MirrorFailed)
            .with("mirror", &self.name)
            .with("tenant", whose)
            .with("path", self.directory.display())
            .with("problem", cause)
    }
}

/// A mirror of one tenant's repository.
struct Place<'a> {
    places: &'a Places,
    mirror: &'a Mirror,
    tenant: &'a TenantName,
}

impl<'a> Place<'a> {
    fn of(places: &'a Places, tenant: &'a TenantName, name: &str) -> Result<Self> {
        Ok(Self { places, mirror: Mirror::of(places, name)?, tenant })
    }

    fn root(&self) -> PathBuf {
        self.mirror.root(self.places)
    }

    fn fault(&self, cause: impl std::fmt::Display) -> Fault {
        self.mirror.fault(self.tenant, cause)
    }

    /// Makes sure that this is the mirror and no empty mount point.
    fn check(&self, known: Option<&Record>) -> Result<Marker> {
        let directory = &self.mirror.directory;
        let device = |path: &Path| std::fs::metadata(path).map(|found| (found.is_dir(), found.dev()));
        let (is_directory, here) =
            device(directory).map_err(|error| self.fault(format!("the directory: {error}")))?;
        if !is_directory {
            return Err(self.fault("it is no directory"));
        }
        let vault = device(&self.places.root).map(|(_, device)| device).ok();
        if vault == Some(here) && !self.mirror.same_file_system {
            let hint = Message::new("hint-mirror-same").with("path", directory.display());
            return Err(self.fault("it is on the file system of the vault").hint(hint));
        }
        let found = Marker::read(&self.root()).map_err(|problem| self.fault(problem))?;
        let expected = known.map(|record| record.place.as_str());
        match (found, expected) {
            (Some(marker), None) => Ok(marker),
            (Some(marker), Some(expected)) if marker.place == expected => Ok(marker),
            (Some(_), Some(_)) => Err(self
                .fault("it is another mirror than the one that was copied to before")
                .hint(Message::new("hint-mirror-other").with("path", self.record_path().display()))),
            (None, Some(_)) => {
                let hint = Message::new("hint-mirror-mount").with("path", self.record_path().display());
                Err(self.fault("what was copied there before is gone").hint(hint))
            }
            (None, None) => self.begin(),
        }
    }

    /// Makes a directory a mirror. Several tenants may be copied there for the first time at once.
    fn begin(&self) -> Result<Marker> {
        let _beginning = self.lock(".begin")?;
        match Marker::read(&self.root()) {
            Ok(Some(marker)) => Ok(marker),
            Ok(None) => Marker::write_new(&self.root()).map_err(|problem| self.fault(problem)),
            Err(problem) => Err(self.fault(problem)),
        }
    }

    fn record_path(&self) -> PathBuf {
        record::path(&self.places.root, &self.mirror.name, self.tenant)
    }

    fn known(&self) -> Result<Option<Record>> {
        Record::read(&self.record_path()).map_err(|problem| self.places.unreachable(self.tenant, problem))
    }

    fn lock(&self, name: &str) -> Result<Lock> {
        Lock::to_add(&self.root().join(".locks"), name).map_err(|error| self.fault(error))
    }

    /// Makes sure, before anything is written, that both sides are one repository, or one is none yet.
    fn same(&self, from: &DirectoryBackend, to: &DirectoryBackend) -> Result<()> {
        let read = |backend| configuration(backend).map_err(|problem| self.fault(problem));
        match (read(from)?, read(to)?) {
            (Some(ours), Some(theirs)) if ours != theirs => {
                let hint = Message::new("hint-mirror-repository")
                    .with("vault", self.places.repository(self.tenant).display())
                    .with("tenant", self.tenant)
                    .with("mirror", &self.mirror.name);
                Err(self.fault("it holds another repository than the vault").hint(hint))
            }
            _ => Ok(()),
        }
    }

    fn backend(&self) -> Result<DirectoryBackend> {
        let directory = self.root().join(self.tenant.as_str());
        durable::make_directory(&directory).map_err(|error| self.fault(error))?;
        let backend = DirectoryBackend::new(directory);
        backend.remove_unfinished().map_err(|error| self.fault(error))?;
        Ok(backend)
    }
}

/// Copies a tenant's repository to a mirror; one that is not there yet has nothing to copy.
pub(crate) fn copy_to(places: &Places, tenant: &TenantName, name: &str, how: Copying) -> Result<Copied> {
    let place = Place::of(places, tenant, name)?;
    let known = place.known()?;
    let vault = Arc::new(DirectoryBackend::new(places.repository(tenant)));
    if !places.is_made(tenant, &vault)? {
        return Ok(Copied::default());
    }
    let marker = place.check(known.as_ref())?;
    let _reading = places.lock_to_read(tenant)?;
    let _adding = place.lock(tenant.as_str())?;
    let mirror = place.backend()?;
    place.same(&vault, &mirror)?;
    let mut copying = Copy::new(&place, &vault, &mirror, how.read_all);
    copying.whole()?;
    keys::caught_up(places, tenant, name, &mirror)?;
    let points = ids(&mirror, FileType::Snapshot).map_err(|problem| place.fault(problem))?;
    let mut done = copying.done;
    done.points = points.len() as u64;
    let read_at =
        if how.read_all || known.is_none() { Some(how.at) } else { known.and_then(|known| known.read_at) };
    let record = Record::new(marker.place, how.at, read_at, points.iter().filter_map(point_id).collect());
    record.write(&place.record_path()).map_err(|problem| places.unreachable(tenant, problem))?;
    Ok(done)
}

/// Copies out of a mirror what the vault lacks. Everything of the vault is read: what is damaged is why one does this.
pub(crate) fn copy_back(places: &Places, tenant: &TenantName, name: &str) -> Result<Copied> {
    let place = Place::of(places, tenant, name)?;
    if Marker::read(&place.root()).map_err(|problem| place.fault(problem))?.is_none() {
        return Err(place
            .fault("no restore points were copied there")
            .hint(Message::new("hint-mirror-mount").with("path", place.record_path().display())));
    }
    let directory = place.root().join(tenant.as_str());
    let mirror = Arc::new(DirectoryBackend::new(directory));
    if mirror.list_with_size(FileType::Config).map_err(|error| place.fault(error.display_log()))?.is_empty() {
        return Ok(Copied::default());
    }
    let _reading =
        Lock::to_read(&place.root().join(".locks"), tenant.as_str()).map_err(|error| place.fault(error))?;
    let _adding = places.lock_to_add(tenant)?;
    let repository = places.repository(tenant);
    let fault = |problem: String| places.unreachable(tenant, problem);
    durable::make_directory(&repository).map_err(|error| fault(error.to_string()))?;
    let vault = DirectoryBackend::new(repository);
    vault.remove_unfinished().map_err(|error| fault(error.to_string()))?;
    place.same(&mirror, &vault)?;
    let mut copying = Copy::new(&place, &mirror, &vault, true);
    copying.whole()?;
    keys::came_back(places, tenant, &vault)?;
    let points = ids(&vault, FileType::Snapshot).map_err(fault)?;
    let mut done = copying.done;
    done.points = points.len() as u64;
    Ok(done)
}

/// The copies at a mirror as places of their own, with the keys of the vault.
pub(crate) fn places(places: &Places, name: &str) -> Result<Places> {
    let mirror = Mirror::of(places, name)?;
    let root = mirror.root(places);
    let fault = |problem: String| mirror.fault(&places.stack, problem);
    match Marker::read(&root) {
        Ok(Some(_)) => Ok(Places { root, mirrors: Vec::new(), ..places.clone() }),
        Ok(None) => Err(fault("no restore points were copied there".to_owned())),
        Err(problem) => Err(fault(problem)),
    }
}

/// What is known here of each mirror's copies.
pub(crate) fn copies(places: &Places, tenant: &TenantName) -> Result<Vec<MirrorCopies>> {
    let of = |mirror: &Mirror| {
        let known = Place { places, mirror, tenant }.known()?;
        let empty =
            || MirrorCopies { mirror: mirror.name.clone(), at: None, read_at: None, points: BTreeSet::new() };
        Ok(known.map_or_else(empty, |known| MirrorCopies {
            mirror: mirror.name.clone(),
            at: Some(known.at),
            read_at: known.read_at,
            points: known.points,
        }))
    };
    places.mirrors.iter().map(of).collect()
}

/// Where a tenant's copies lie at a mirror, for removing them; `None` when none were ever copied there.
pub(crate) fn directory_of(places: &Places, tenant: &TenantName, name: &str) -> Result<Option<PathBuf>> {
    let place = Place::of(places, tenant, name)?;
    let known = place.known()?;
    if !place.mirror.directory.is_dir() {
        return Err(place.fault("the directory is not there"));
    }
    let marker = Marker::read(&place.root()).map_err(|problem| place.fault(problem))?;
    match (marker, known) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(place.fault("what was copied there before is gone")),
        (Some(marker), Some(known)) if marker.place != known.place => {
            Err(place.fault("it is another mirror than the one that was copied to before"))
        }
        (Some(_), _) => Ok(Some(place.root().join(tenant.as_str()))),
    }
}

/// What a directory of a mirror is called for people; of one that the configuration names no longer nothing is known.
pub(crate) fn location(places: &Places, name: &str) -> Option<String> {
    Mirror::of(places, name).ok().map(|mirror| mirror.root(places).display().to_string())
}

/// Forgets that a tenant was copied to a mirror.
pub(crate) fn forget_record(places: &Places, tenant: &TenantName, name: &str) -> std::io::Result<()> {
    durable::remove_file(&record::path(&places.root, name, tenant))
}

fn point_id((id, _): (&Id, &u32)) -> Option<PointId> {
    PointId::new(id.to_hex().as_str()).ok()
}

/// The files of a kind and their sizes.
fn ids(backend: &DirectoryBackend, kind: FileType) -> std::result::Result<BTreeMap<Id, u32>, String> {
    let listed = backend.list_with_size(kind).map_err(|error| error.display_log())?;
    Ok(listed.into_iter().collect())
}

/// One repository copied into another.
struct Copy<'a> {
    place: &'a Place<'a>,
    from: &'a Arc<DirectoryBackend>,
    to: &'a DirectoryBackend,
    read_all: bool,
    done: Copied,
}

impl<'a> Copy<'a> {
    fn new(
        place: &'a Place<'a>,
        from: &'a Arc<DirectoryBackend>,
        to: &'a DirectoryBackend,
        read_all: bool,
    ) -> Self {
        Self { place, from, to, read_all, done: Copied::default() }
    }

    fn whole(&mut self) -> Result<()> {
        let fail = |problem| self.place.fault(problem);
        let configuration = configuration(self.from).map_err(fail)?;
        self.to.create().map_err(|error| self.place.fault(error.display_log()))?;
        self.to.publish_snapshots();
        // What is published meanwhile is left to the next time: of it, not everything may be copied.
        let points = ids(self.from, FileType::Snapshot).map_err(fail)?;
        for kind in [FileType::Pack, FileType::Index, FileType::Key] {
            let mut wanted = ids(self.from, kind).map_err(fail)?;
            if kind == FileType::Key {
                let retired = keys::retired(self.place.places, self.place.tenant)?;
                wanted.retain(|id, _| !retired.contains(id));
            }
            self.kind(kind, &wanted).map_err(|problem| self.place.fault(problem))?;
        }
        if let Some(content) = &configuration {
            self.configuration(content).map_err(fail)?;
        }
        self.check(&points)?;
        self.kind(FileType::Snapshot, &points).map_err(|problem| self.place.fault(problem))
    }

    fn kind(&mut self, kind: FileType, wanted: &BTreeMap<Id, u32>) -> std::result::Result<(), String> {
        let there = ids(self.to, kind)?;
        for (id, size) in wanted {
            self.file(kind, id, there.get(id).map(|found| found == size))?;
        }
        eclusa_crash::point("vault.mirror.kind");
        Ok(())
    }

    /// Makes sure that all that a new point needs was copied: what is missing here is in no list of files to copy.
    fn check(&self, points: &BTreeMap<Id, u32>) -> Result<()> {
        let fail = |problem| self.place.fault(problem);
        let there = ids(self.to, FileType::Snapshot).map_err(fail)?;
        let new: Vec<&Id> = points.keys().filter(|id| !there.contains_key(id)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let log = |error: Box<RusticError>| self.place.fault(error.display_log());
        let repository = self.place.places.unlocked_on(self.place.tenant, self.from)?;
        let repository = repository.to_indexed().map_err(log)?;
        let packs = ids(self.to, FileType::Pack).map_err(fail)?;
        for id in new {
            let snapshot: SnapshotFile = repository.get_file(&SnapshotId::from(*id)).map_err(log)?;
            let incomplete =
                |problem| fail(format!("restore point {} is not whole: {problem}", id.to_hex().as_str()));
            let needed = packs_of(&repository, snapshot.tree).map_err(incomplete)?;
            if let Some(missing) = needed.iter().find(|pack| !packs.contains_key(pack)) {
                return Err(incomplete(format!("pack {} is missing", missing.to_hex().as_str())));
            }
        }
        Ok(())
    }

    /// Copies a file unless it is there. One of another size is damaged; so may one of the same size be.
    fn file(&mut self, kind: FileType, id: &Id, there: Option<bool>) -> std::result::Result<(), String> {
        if there == Some(true) {
            if !self.read_all {
                return Ok(());
            }
            self.done.read += 1;
            if self.is_sound(kind, id)? {
                return Ok(());
            }
        }
        let content = self.from.read_full(kind, id).map_err(|error| error.display_log())?;
        self.done.bytes += content.len() as u64;
        self.write(kind, id, content)?;
        eclusa_crash::point("vault.mirror.written");
        if !self.is_sound(kind, id)? {
            return Err(format!(
                "{} {} was written, and reads differently",
                kind.dirname(),
                id.to_hex().as_str()
            ));
        }
        self.done.files += 1;
        self.done.mended += u64::from(there.is_some());
        Ok(())
    }

    fn is_sound(&self, kind: FileType, id: &Id) -> std::result::Result<bool, String> {
        self.to.is_sound_on_disk(kind, id).map_err(|error| error.to_string())
    }

    fn write(&self, kind: FileType, id: &Id, content: Bytes) -> std::result::Result<(), String> {
        let content = BytesList::from(content);
        self.to.write_bytes(kind, id, false, content).map_err(|error| error.display_log())
    }

    /// `config` is written once and never again.
    fn configuration(&self, content: &Bytes) -> std::result::Result<(), String> {
        if configuration(self.to)?.is_none() {
            self.write(FileType::Config, &Id::default(), content.clone())?;
        }
        if configuration(self.to)?.as_ref() == Some(content) {
            Ok(())
        } else {
            Err("config was written, and reads differently".to_owned())
        }
    }
}

/// What makes a repository this one and no other.
fn configuration(backend: &DirectoryBackend) -> std::result::Result<Option<Bytes>, String> {
    if ids(backend, FileType::Config)?.is_empty() {
        return Ok(None);
    }
    backend.read_full(FileType::Config, &Id::default()).map(Some).map_err(|error| error.display_log())
}
