//! Copies of the restore points elsewhere: in a directory on another disk, in S3-compatible storage, behind SFTP. They are the
//! same repository, file by file.
//!
//! Every file of a repository but `config` is named by the hash of its bytes, so it can be copied without a look inside.
//! What refers to others is copied after them: packs, lists of what lies in them, then, when all that they need is there,
//! the points. A point is therefore whole at a mirror as soon as it is there, whenever the copying ends. What was copied is
//! read back from there before it counts. Nothing is removed, and nothing that is sound is written anew, so that credentials
//! which may only add are enough; what was read back when stands beside the vault, and is never written there.
//!
//! `STACK/eclusa-mirror.json` there tells a mirror from an empty mount point or another bucket; `STACK/TENANT/` is a
//! repository.

mod removal;
mod thinning;

use std::collections::BTreeSet;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_ports::{Copied, Copying, MirrorCopies, MirrorFailure};
use rustic_core::{Id, RusticError};

use crate::backend::DirectoryBackend;
use crate::copy::{Copy, configuration};
use crate::files::RepositoryFiles;
use crate::lock::Lock;
use crate::mirror_record::{self as record, Failure, Marker, Record};
use crate::remote::{Existing, Kind, Remote, RemotePlace, S3Place, SftpPlace, Trouble};
use crate::repository::Places;
use crate::{durable, keys};

pub(crate) use removal::{CopiesAt, CopiesAway, copies_at, forget_record, location};
pub(crate) use thinning::forget_at;

/// A place for copies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub place: MirrorPlace,
}

/// Where copies lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MirrorPlace {
    /// In a directory of this machine.
    Directory {
        /// The directory, which must be there.
        directory: PathBuf,
        /// Whether it may lie on the file system of the vault.
        same_file_system: bool,
    },
    /// In S3-compatible storage.
    S3(S3Place),
    /// Behind SFTP.
    Sftp(SftpPlace),
}

impl MirrorPlace {
    fn location(&self) -> String {
        match self {
            Self::Directory { directory, .. } => directory.display().to_string(),
            Self::S3(place) => {
                format!("s3://{}/{}", place.bucket, place.prefix).trim_end_matches('/').to_owned()
            }
            Self::Sftp(place) => {
                format!("sftp://{}@{}:{}{}", place.user, place.host, place.port, place.directory)
            }
        }
    }

    fn remote(&self) -> Option<RemotePlace> {
        match self {
            Self::Directory { .. } => None,
            Self::S3(place) => Some(RemotePlace::S3(place.clone())),
            Self::Sftp(place) => Some(RemotePlace::Sftp(place.clone())),
        }
    }
}

/// What rustic_core says of an error, without its own remarks.
fn plain(error: &RusticError) -> String {
    let said = error.display_log();
    let said = said.strip_prefix("Error: ").unwrap_or(&said);
    match said.split_once(" (kind: related to ") {
        Some((what, rest)) => match rest.split_once("): caused by: ") {
            Some((_, cause)) => format!("{what}: {cause}"),
            None => what.to_owned(),
        },
        None => said.to_owned(),
    }
}

/// The error of reading or writing beneath another.
fn beneath(error: &RusticError) -> Option<&io::Error> {
    let mut source = std::error::Error::source(error);
    while let Some(found) = source {
        if let Some(error) = found.downcast_ref::<io::Error>() {
            return Some(error);
        }
        source = found.source();
    }
    None
}

impl Mirror {
    fn of<'a>(places: &'a Places, name: &str) -> Result<&'a Self> {
        let found = places.mirrors.iter().find(|mirror| mirror.name == name);
        found.ok_or_else(|| Fault::new(Code::MirrorUnknown).with("mirror", name))
    }

    pub(crate) fn fault(&self, whose: impl std::fmt::Display, cause: impl std::fmt::Display) -> Fault {
        Fault::new(Code::MirrorFailed)
            .with("mirror", &self.name)
            .with("tenant", whose)
            .with("path", self.place.location())
            .with("problem", cause)
    }

    /// The same with what to do about an error of this kind.
    fn advised(&self, whose: &TenantName, kind: Kind, cause: impl std::fmt::Display) -> Fault {
        let fault = self.fault(whose, cause);
        let hint = match (kind, &self.place) {
            (Kind::Unreachable, _) => Message::new("hint-mirror-unreachable"),
            (Kind::Denied, _) => Message::new("hint-mirror-denied"),
            (Kind::Full, _) => Message::new("hint-mirror-full"),
            (Kind::NoPlace, _) => Message::new("hint-mirror-no-place"),
            (Kind::Stranger, MirrorPlace::Sftp(place)) => Message::new("hint-mirror-stranger")
                .with("host", &place.host)
                .with("port", place.port)
                .with("path", place.known_hosts.display()),
            _ => return fault,
        };
        fault.hint(hint)
    }

    /// What an error of rustic_core means here.
    pub(crate) fn failed(&self, whose: &TenantName, error: &RusticError) -> Fault {
        let kind = beneath(error).map_or(Kind::Other, Trouble::kind_of);
        self.advised(whose, kind, plain(error))
    }
}

/// The copies at a mirror, in the place of a vault.
#[derive(Debug, Clone)]
pub(crate) struct Away {
    pub(crate) mirror: Mirror,
    remote: Option<Arc<Remote>>,
    /// Where the vault lies.
    vault: PathBuf,
}

impl Away {
    /// A tenant's repository when it lies on another machine. That points were copied there is made sure of.
    pub(crate) fn remote(
        &self,
        places: &Places,
        tenant: &TenantName,
    ) -> Result<Option<Arc<dyn RepositoryFiles>>> {
        if self.remote.is_none() {
            return Ok(None);
        }
        let place = Place { places, mirror: &self.mirror, tenant, remote: self.remote.clone() };
        if place.marker()?.is_none() {
            return Err(place.nothing_there());
        }
        place.files().map(Some)
    }

    /// Keeps others of this machine from throwing points away there, of a mirror on another machine, which has no locks.
    pub(crate) fn lock_to_read(&self, tenant: &TenantName) -> Option<io::Result<Lock>> {
        self.remote.as_ref()?;
        // Where the vault is lost, nobody throws anything away.
        let locks = self.vault.join(".locks");
        let lock = || Lock::to_read(&locks, &format!("{tenant}@{}", self.mirror.name));
        Some(if locks.is_dir() { lock() } else { Ok(Lock::none()) })
    }
}

/// A mirror of one tenant's repository.
pub(crate) struct Place<'a> {
    pub(crate) places: &'a Places,
    mirror: &'a Mirror,
    pub(crate) tenant: &'a TenantName,
    remote: Option<Arc<Remote>>,
}

impl<'a> Place<'a> {
    fn of(places: &'a Places, tenant: &'a TenantName, name: &str) -> Result<Self> {
        let mirror = Mirror::of(places, name)?;
        let remote = mirror.place.remote().map(|place| Arc::new(Remote::new(place, places.secrets.clone())));
        Ok(Self { places, mirror, tenant, remote })
    }

    /// Where the repositories of the stack lie, of a mirror that is a directory.
    fn root(&self) -> PathBuf {
        root(self.mirror, self.places)
    }

    pub(crate) fn fault(&self, cause: impl std::fmt::Display) -> Fault {
        self.mirror.fault(self.tenant, cause)
    }

    /// What an error of rustic_core means here.
    pub(crate) fn failed(&self, error: &RusticError) -> Fault {
        self.mirror.failed(self.tenant, error)
    }

    /// What an error of reading or writing means here.
    pub(crate) fn broken(&self, error: &io::Error, what: impl std::fmt::Display) -> Fault {
        self.mirror.advised(self.tenant, Trouble::kind_of(error), format!("{what}: {error}"))
    }

    fn nothing_there(&self) -> Fault {
        self.not_there("no restore points were copied there")
    }

    /// What should be there is not: another place may be looked at than was meant.
    fn not_there(&self, cause: &str) -> Fault {
        let hint = match &self.mirror.place {
            MirrorPlace::Directory { .. } => "hint-mirror-mount",
            _ => "hint-mirror-elsewhere",
        };
        self.fault(cause).hint(Message::new(hint).with("path", self.record_path().display()))
    }

    /// Makes sure that the place is there.
    fn reach(&self) -> Result<()> {
        match &self.mirror.place {
            MirrorPlace::Directory { directory, same_file_system } => {
                self.check_directory(directory, *same_file_system)?;
            }
            _ => {
                if let Some(remote) = &self.remote {
                    let store = remote.store()?;
                    store.check().map_err(|error| self.broken(&error, "asking for what is there"))?;
                }
            }
        }
        Ok(())
    }

    /// Makes sure that this is the mirror and no empty mount point, nor another bucket.
    fn check(&self, known: Option<&Record>) -> Result<Marker> {
        self.reach()?;
        match self.recognised(known)? {
            Some(marker) => Ok(marker),
            None => self.begin(),
        }
    }

    /// What the place says that it is, once it is what was copied to before; `None` when nothing was copied there yet.
    fn recognised(&self, known: Option<&Record>) -> Result<Option<Marker>> {
        match (self.marker()?, known) {
            (None, None) => Ok(None),
            (Some(marker), Some(known)) if marker.place != known.place => Err(self
                .fault("it is another mirror than the one that was copied to before")
                .hint(Message::new("hint-mirror-other").with("path", self.record_path().display()))),
            (Some(marker), _) => Ok(Some(marker)),
            (None, Some(_)) => Err(self.not_there("what was copied there before is gone")),
        }
    }

    fn check_directory(&self, directory: &Path, same_file_system: bool) -> Result<()> {
        let device = |path: &Path| std::fs::metadata(path).map(|found| (found.is_dir(), found.dev()));
        let (is_directory, here) =
            device(directory).map_err(|error| self.fault(format!("the directory: {error}")))?;
        if !is_directory {
            return Err(self.fault("it is no directory"));
        }
        let vault = device(&self.places.root).map(|(_, device)| device).ok();
        if vault == Some(here) && !same_file_system {
            let hint = Message::new("hint-mirror-same").with("path", directory.display());
            return Err(self.fault("it is on the file system of the vault").hint(hint));
        }
        Ok(())
    }

    /// What the place says that it is.
    fn marker(&self) -> Result<Option<Marker>> {
        let Some(remote) = &self.remote else {
            return Marker::read(&self.root()).map_err(|problem| self.fault(problem));
        };
        match remote.store()?.read(&self.marker_path(), None) {
            Ok(content) => Marker::parse(&content).map(Some).map_err(|problem| self.fault(problem)),
            Err(error) if Trouble::kind_of(&error) == Kind::Missing => Ok(None),
            Err(error) => Err(self.broken(&error, "reading eclusa-mirror.json")),
        }
    }

    fn marker_path(&self) -> String {
        format!("{}/{}", self.places.stack, Marker::NAME)
    }

    /// Makes a place a mirror. Several tenants may be copied there for the first time at once.
    fn begin(&self) -> Result<Marker> {
        let _beginning = self.lock(".begin")?;
        if let Some(marker) = self.marker()? {
            return Ok(marker);
        }
        let Some(remote) = &self.remote else {
            return Marker::write_new(&self.root()).map_err(|problem| self.fault(problem));
        };
        let content = Marker::new().text().map_err(|problem| self.fault(problem))?;
        match remote.store()?.write(&self.marker_path(), Bytes::from(content), Existing::Stays) {
            Err(error) if Trouble::kind_of(&error) != Kind::Exists => {
                return Err(self.broken(&error, "writing eclusa-mirror.json"));
            }
            _ => {}
        }
        // Another machine may have been first.
        self.marker()?.ok_or_else(|| self.fault("eclusa-mirror.json was written, and is not there"))
    }

    fn record_path(&self) -> PathBuf {
        record::path(&self.places.root, &self.mirror.name, self.tenant)
    }

    fn failure_path(&self) -> PathBuf {
        record::failure_path(&self.places.root, &self.mirror.name, self.tenant)
    }

    fn known(&self) -> Result<Option<Record>> {
        Record::read(&self.record_path()).map_err(|problem| self.places.unreachable(self.tenant, problem))
    }

    /// Keeps other processes from adding. Another machine has no locks; there, two that add do the same.
    fn lock(&self, name: &str) -> Result<Lock> {
        let lock = match &self.remote {
            None => Lock::to_add(&self.root().join(".locks"), name),
            Some(_) => {
                Lock::to_add(&self.places.root.join(".locks"), &format!("{name}@{}", self.mirror.name))
            }
        };
        lock.map_err(|error| self.fault(error))
    }

    /// Makes sure, before anything is written, that both sides are one repository, or one is none yet.
    fn same(&self, from: &dyn RepositoryFiles, to: &dyn RepositoryFiles) -> Result<()> {
        let read = |files| configuration(files).map_err(|error| self.failed(&error));
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

    /// The files of the repository there.
    fn files(&self) -> Result<Arc<dyn RepositoryFiles>> {
        Ok(match self.remote_files()? {
            Some(files) => Arc::new(files),
            None => Arc::new(DirectoryBackend::new(self.root().join(self.tenant.as_str()))),
        })
    }

    /// The same for adding to it.
    fn files_to_add(&self) -> Result<Arc<dyn RepositoryFiles>> {
        if self.remote.is_none() {
            let directory = self.root().join(self.tenant.as_str());
            durable::make_directory(&directory).map_err(|error| self.fault(error))?;
        }
        let files = self.files()?;
        files
            .remove_unfinished()
            .map_err(|error| self.broken(&error, "removing what was left unfinished"))?;
        Ok(files)
    }
}

/// Where the repositories of the stack lie in a mirror that is a directory. One on another machine has only a name.
fn root(mirror: &Mirror, places: &Places) -> PathBuf {
    match &mirror.place {
        MirrorPlace::Directory { directory, .. } => directory.join(places.stack.as_str()),
        other => PathBuf::from(other.location()).join(places.stack.as_str()),
    }
}

/// Copies a tenant's repository to a mirror; one that is not there yet has nothing to copy. That it failed is written down,
/// so that whoever asks later knows.
pub(crate) fn copy_to(
    places: &Places,
    tenant: &TenantName,
    name: &str,
    how: Copying,
    only: Option<&BTreeSet<PointId>>,
) -> Result<Copied> {
    let place = Place::of(places, tenant, name)?;
    let copied = copy(&place, how, only);
    let noted = match &copied {
        Ok(_) => Failure::remove(&place.failure_path()),
        Err(fault) => Failure::new(how.at, fault.to_string()).write(&place.failure_path()),
    };
    match (&copied, noted) {
        (Ok(_), Err(problem)) => Err(places.unreachable(tenant, problem)),
        _ => copied,
    }
}

fn copy(place: &Place<'_>, how: Copying, only: Option<&BTreeSet<PointId>>) -> Result<Copied> {
    let (places, tenant) = (place.places, place.tenant);
    let known = place.known()?;
    let vault: Arc<dyn RepositoryFiles> = Arc::new(DirectoryBackend::new(places.repository(tenant)));
    if !places.is_made(tenant, vault.as_ref())? {
        return Ok(Copied::default());
    }
    let marker = place.check(known.as_ref())?;
    let _reading = places.lock_to_read(tenant)?;
    let _adding = place.lock(tenant.as_str())?;
    let mirror = place.files_to_add()?;
    place.same(vault.as_ref(), mirror.as_ref())?;
    let (done, points) = Copy::new(place, &vault, &mirror, how.read_all).of(only).whole()?;
    keys::caught_up(places, tenant, &place.mirror.name, mirror.as_ref())?;
    let read_at =
        if how.read_all || known.is_none() { Some(how.at) } else { known.and_then(|known| known.read_at) };
    let record = Record::new(marker.place, how.at, read_at, points.keys().filter_map(point_id).collect());
    record.write(&place.record_path()).map_err(|problem| places.unreachable(tenant, problem))?;
    Ok(done)
}

/// Copies out of a mirror what the vault lacks. Everything of the vault is read: what is damaged is why one does this.
pub(crate) fn copy_back(places: &Places, tenant: &TenantName, name: &str) -> Result<Copied> {
    let place = Place::of(places, tenant, name)?;
    if place.marker()?.is_none() {
        return Err(place.nothing_there());
    }
    let mirror = place.files()?;
    if configuration(mirror.as_ref()).map_err(|error| place.failed(&error))?.is_none() {
        return Ok(Copied::default());
    }
    let _reading = places_at(places, place.mirror, place.remote.clone()).lock_to_read(tenant)?;
    let _adding = places.lock_to_add(tenant)?;
    let repository = places.repository(tenant);
    let fault = |problem: String| places.unreachable(tenant, problem);
    durable::make_directory(&repository).map_err(|error| fault(error.to_string()))?;
    let vault: Arc<dyn RepositoryFiles> = Arc::new(DirectoryBackend::new(repository));
    vault.remove_unfinished().map_err(|error| fault(error.to_string()))?;
    place.same(mirror.as_ref(), vault.as_ref())?;
    let done = Copy::new(&place, &mirror, &vault, true).whole()?.0;
    keys::came_back(places, tenant, vault.as_ref())?;
    Ok(done)
}

/// The copies at a mirror as places of their own, with the keys of the vault.
pub(crate) fn places(places: &Places, name: &str) -> Result<Places> {
    let mirror = Mirror::of(places, name)?;
    let remote = mirror.place.remote().map(|place| Arc::new(Remote::new(place, places.secrets.clone())));
    let root = root(mirror, places);
    if remote.is_none() {
        let fault = |problem: String| mirror.fault(&places.stack, problem);
        if Marker::read(&root).map_err(fault)?.is_none() {
            return Err(fault("no restore points were copied there".to_owned()));
        }
    }
    Ok(places_at(places, mirror, remote))
}

fn places_at(places: &Places, mirror: &Mirror, remote: Option<Arc<Remote>>) -> Places {
    let away = Some(Away { mirror: mirror.clone(), remote, vault: places.root.clone() });
    Places { root: root(mirror, places), mirrors: Vec::new(), away, ..places.clone() }
}

/// What is known here of each mirror's copies.
pub(crate) fn copies(places: &Places, tenant: &TenantName) -> Result<Vec<MirrorCopies>> {
    let of = |mirror: &Mirror| {
        let place = Place { places, mirror, tenant, remote: None };
        let failed = Failure::read(&place.failure_path())
            .map_err(|problem| places.unreachable(tenant, problem))?
            .map(|failure| MirrorFailure { at: failure.at, problem: failure.problem });
        let known = place.known()?;
        Ok(MirrorCopies {
            mirror: mirror.name.clone(),
            at: known.as_ref().map(|known| known.at),
            read_at: known.as_ref().and_then(|known| known.read_at),
            points: known.map_or_else(BTreeSet::new, |known| known.points),
            failed,
        })
    };
    places.mirrors.iter().map(of).collect()
}

fn point_id(id: &Id) -> Option<PointId> {
    PointId::new(id.to_hex().as_str()).ok()
}
