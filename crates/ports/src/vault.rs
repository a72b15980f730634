//! Restore points: taken from streams and directories, verified by reading back, opened as streams.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{PointId, Release, RunId, StackName, TenantName};
use eclusa_runbook::PointKind;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Checksums, DatabaseSummary, Dump, LogPosition, Meter};

/// The newest format of a restore point's manifest. Since 2 a database may be several streams. A manifest says the
/// oldest format that it fits, so that older programs read what they can.
pub const MANIFEST_FORMAT: u32 = 2;

/// A stream of a restore point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamManifest {
    /// The path in the point: `database.sql`, `configuration/.env.production`.
    pub path: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal, computed while it was read.
    pub sha256: String,
}

/// A file of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its length in bytes.
    pub bytes: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// Its permission bits.
    pub mode: u32,
    /// The numeric owner.
    pub owner: u32,
    /// The numeric group.
    pub group: u32,
}

/// A set of files of a restore point, by path relative to the set. Symbolic links are kept as links and listed
/// in `links`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FilesManifest {
    /// The files.
    pub files: BTreeMap<String, FileEntry>,
    /// The symbolic links and their targets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<String, String>,
}

impl FilesManifest {
    /// The bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }
}

/// What was read before a tenant was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReadAhead {
    /// How many files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// What a restore point holds. It stands in the point itself as `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointManifest {
    /// The format, at most [`MANIFEST_FORMAT`].
    pub format: u32,
    /// The snapshot's id. Not in the stored file (the id is known only afterwards); filled in when it is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PointId>,
    /// The stack.
    pub stack: StackName,
    /// The tenant.
    pub tenant: TenantName,
    /// Why it was taken.
    pub kind: PointKind,
    /// When its snapshot of the data was.
    pub taken_at: Timestamp,
    /// The run that took it.
    pub run: Option<RunId>,
    /// The release that wrote the data.
    pub release: Option<Release>,
    /// The engine's word and version: `postgresql 15.18`.
    pub engine: Option<String>,
    /// The streams of the database, in the order of their paths; none where it was not part of the point.
    #[serde(with = "streams_of_database")]
    pub database: Vec<StreamManifest>,
    /// Where the log of the database's server stood at that moment, where it keeps one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogPosition>,
    /// What the database held.
    pub summary: DatabaseSummary,
    /// The sets of files.
    pub files: BTreeMap<String, FilesManifest>,
    /// The configuration files.
    pub configuration: Vec<StreamManifest>,
}

impl PointManifest {
    /// The oldest format that says all about a database of these streams and of this summary.
    #[must_use]
    pub fn format_of(database: &[StreamManifest], summary: &DatabaseSummary) -> u32 {
        let old = database.len() <= 1 && summary.checksums == Checksums::default();
        if old { 1 } else { MANIFEST_FORMAT }
    }

    /// The bytes of all of it, as they are in the database's streams and in the files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.database_bytes() + self.files.values().map(FilesManifest::bytes).sum::<u64>()
    }

    /// The bytes of the database's streams.
    #[must_use]
    pub fn database_bytes(&self) -> u64 {
        self.database.iter().map(|stream| stream.bytes).sum()
    }
}

/// In format 1 the database is one stream or null; since 2 it may be a list.
mod streams_of_database {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::StreamManifest;

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Streams {
        Several(Vec<StreamManifest>),
        One(StreamManifest),
    }

    pub(super) fn serialize<S: Serializer>(
        streams: &Vec<StreamManifest>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match streams.as_slice() {
            [] => serializer.serialize_none(),
            [one] => one.serialize(serializer),
            _ => streams.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<StreamManifest>, D::Error> {
        Ok(match Option::<Streams>::deserialize(deserializer)? {
            None => Vec::new(),
            Some(Streams::One(stream)) => vec![stream],
            Some(Streams::Several(streams)) => streams,
        })
    }
}

/// A directory that goes into a restore point as a set of files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectorySet {
    /// The set's name.
    pub name: String,
    /// The directory of the host.
    pub path: PathBuf,
}

/// What goes into a restore point.
pub struct TakeRequest {
    /// The tenant.
    pub tenant: TenantName,
    /// Why it is taken.
    pub kind: PointKind,
    /// When it was begun.
    pub at: Timestamp,
    /// The run that takes it.
    pub run: Option<RunId>,
    /// The step of that run, so that after a crash the point can be found.
    pub mark: String,
    /// The release that wrote the data.
    pub release: Option<Release>,
    /// The database.
    pub database: Option<Dump>,
    /// The sets of files.
    pub directories: Vec<DirectorySet>,
    /// Configuration files by name, small.
    pub configuration: BTreeMap<String, Vec<u8>>,
}

/// What reading a restore point back found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many streams and files were read back with equal hashes.
    pub equal: u64,
    /// How many bytes were read.
    pub bytes: u64,
    /// What is missing or differs; empty when the point is verified.
    pub problems: Vec<String>,
}

/// Why a point must not be thrown away, and who said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Why.
    pub reason: String,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Who ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<HoldEnd>,
}

/// How a hold was ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldEnd {
    /// Why.
    pub reason: String,
    /// Who said so.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// What throwing points away came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// How many points went; those that were gone before are not counted.
    pub points: u64,
    /// How many bytes of the vault's disk became free.
    pub bytes: u64,
}

/// How a copy of the restore points is brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Copying {
    /// Whether everything that is there already is read too, and what is damaged copied anew.
    pub read_all: bool,
    /// When it is done.
    pub at: Timestamp,
}

/// What copying a tenant's restore points came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Copied {
    /// How many restore points are at the other place now.
    pub points: u64,
    /// How many files were copied and read back.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many files were there already and were read as well.
    pub read: u64,
    /// How many of the files that were copied replace a damaged one.
    pub mended: u64,
}

/// What is known of the copies of a tenant's restore points at one place, without going there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MirrorCopies {
    /// The place.
    pub mirror: String,
    /// When everything that was there was last copied and read back.
    pub at: Option<Timestamp>,
    /// When the whole mirror was last read.
    pub read_at: Option<Timestamp>,
    /// The points that were there then.
    pub points: BTreeSet<PointId>,
    /// That the last copying failed; `None` when it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<MirrorFailure>,
}

/// That copying to a place failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MirrorFailure {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub problem: String,
}

/// The restore points of one stack, one repository per tenant.
#[async_trait]
pub trait Vault: Send + Sync {
    /// The same vault, with a meter past which goes whatever it reads; `None` where it measures nothing.
    fn measured(&self, meter: &Arc<Meter>) -> Option<Arc<dyn Vault>> {
        let _ = meter;
        None
    }

    /// Reads the files of a tenant that is still served, and reads them back, so that the next taking in this process
    /// reads only those that were written since. Publishes nothing.
    ///
    /// # Errors
    /// `PointFailed`, `VaultUnreachable`.
    async fn read_ahead(&self, tenant: &TenantName, directories: Vec<DirectorySet>) -> Result<ReadAhead> {
        let (_, _) = (tenant, directories);
        Ok(ReadAhead::default())
    }

    /// Takes a restore point. It is listed only when every stream and file that was expected is in it.
    ///
    /// # Errors
    /// `PointFailed`, `DumpFailed`; nothing is listed then.
    async fn take(&self, request: TakeRequest) -> Result<PointManifest>;

    /// Reads every stream and file of a point back and compares the hashes.
    ///
    /// # Errors
    /// `PointUnknown`, `VaultUnreachable`, `VaultKey`. What differs is in the report, not an error.
    async fn verify(&self, tenant: &TenantName, point: &PointId) -> Result<VerifyReport>;

    /// The points of a tenant, newest first. Those whose manifest is unreadable are not listed but named in the
    /// second list.
    ///
    /// # Errors
    /// `VaultUnreachable`, `VaultKey`. No repository yet is an empty list.
    async fn list(&self, tenant: &TenantName) -> Result<(Vec<PointManifest>, Vec<String>)>;

    /// The newest complete restore point of a tenant; the others need not be read for it.
    ///
    /// # Errors
    /// `VaultUnreachable`, `VaultKey`.
    async fn newest(&self, tenant: &TenantName) -> Result<Option<PointManifest>> {
        Ok(self.list(tenant).await?.0.into_iter().next())
    }

    /// Removes what a process left unfinished that was killed while it added to a tenant's points. Whoever adds next
    /// does so too. Idempotent; a vault that leaves nothing unfinished has nothing to do.
    ///
    /// # Errors
    /// `VaultUnreachable`.
    async fn clear_unfinished(&self, tenant: &TenantName) -> Result<()> {
        let _ = tenant;
        Ok(())
    }

    /// Throws points away, with what no other point needs. Points that are gone already are passed over. The last point of
    /// a tenant never goes.
    ///
    /// # Errors
    /// `VaultUnreachable` (when the repository cannot be read whole nothing was thrown away), `VaultKey`, `PointFailed`.
    async fn forget(&self, tenant: &TenantName, points: &[PointId]) -> Result<Forgotten>;

    /// Copies what of a tenant's restore points a mirror lacks, and reads it back there. Nothing is removed there.
    ///
    /// # Errors
    /// `MirrorUnknown`; `MirrorFailed`: a point that is not wholly there is not listed there. `VaultUnreachable`.
    async fn copy_to(&self, tenant: &TenantName, mirror: &str, how: Copying) -> Result<Copied> {
        let _ = (tenant, how);
        Err(Fault::new(Code::MirrorUnknown).with("mirror", mirror))
    }

    /// The same of some points alone: a mirror that keeps others than the vault gets only those that it keeps.
    ///
    /// # Errors
    /// As [`Vault::copy_to`].
    async fn copy_chosen(
        &self,
        tenant: &TenantName,
        mirror: &str,
        points: &[PointId],
        how: Copying,
    ) -> Result<Copied> {
        let (_, _, _) = (tenant, points, how);
        Err(Fault::new(Code::MirrorUnknown).with("mirror", mirror))
    }

    /// Throws points away at a mirror, with what no other point there needs. Points that are gone already are passed over.
    /// The last point of a tenant there never goes, nor one that is held.
    ///
    /// # Errors
    /// `MirrorUnknown`; `MirrorFailed`, also when the credentials may not remove anything: then all is as it was.
    async fn forget_at(&self, tenant: &TenantName, mirror: &str, points: &[PointId]) -> Result<Forgotten> {
        let (_, _) = (tenant, points);
        Err(Fault::new(Code::MirrorUnknown).with("mirror", mirror))
    }

    /// Copies what of a tenant's restore points the vault lacks out of a mirror, and what is damaged in the vault.
    ///
    /// # Errors
    /// `MirrorUnknown`, `MirrorFailed`, `VaultUnreachable`.
    async fn copy_back(&self, tenant: &TenantName, mirror: &str) -> Result<Copied> {
        let _ = tenant;
        Err(Fault::new(Code::MirrorUnknown).with("mirror", mirror))
    }

    /// The copies at a mirror, as a vault that is only read from.
    ///
    /// # Errors
    /// `MirrorUnknown`; `MirrorFailed` when it is not there, or is another one than what was copied to.
    fn at_mirror(&self, mirror: &str) -> Result<Arc<dyn Vault>> {
        Err(Fault::new(Code::MirrorUnknown).with("mirror", mirror))
    }

    /// Where copies of a tenant's points are, as it was written down here when they were read back.
    ///
    /// # Errors
    /// `VaultUnreachable` when what was written down cannot be read.
    async fn copies(&self, tenant: &TenantName) -> Result<Vec<MirrorCopies>> {
        let _ = tenant;
        Ok(Vec::new())
    }

    /// The points of a tenant that are held now.
    ///
    /// # Errors
    /// `VaultUnreachable`.
    async fn holds(&self, tenant: &TenantName) -> Result<BTreeMap<PointId, Hold>>;

    /// Holds a point: it is not thrown away until the hold is ended.
    ///
    /// # Errors
    /// `PointUnknown`, `NothingToDo` when it is held already, `VaultUnreachable`.
    async fn hold(&self, tenant: &TenantName, point: &PointId, hold: Hold) -> Result<()>;

    /// Ends the hold of a point. That it was held stays written.
    ///
    /// # Errors
    /// `NothingToDo` when it is not held, `VaultUnreachable`.
    async fn end_hold(&self, tenant: &TenantName, point: &PointId, end: HoldEnd) -> Result<()>;

    /// One point, by id or an unambiguous beginning of it.
    ///
    /// # Errors
    /// `PointUnknown`, `PointDamaged`.
    async fn find(&self, tenant: &TenantName, point: &str) -> Result<PointManifest>;

    /// The point that a step of a run took, if it was finished.
    ///
    /// # Errors
    /// `VaultUnreachable`, `VaultKey`.
    async fn find_marked(&self, tenant: &TenantName, mark: &str) -> Result<Option<PointManifest>>;

    /// Opens the stream of the database, of a configuration file or of a file (`files/SET/PATH`) for reading on a blocking thread. The reader
    /// gives an error when the bytes read are not those of the manifest.
    ///
    /// # Errors
    /// `PointUnknown`, `PointDamaged`.
    async fn open(&self, tenant: &TenantName, point: &PointId, path: &str) -> Result<Box<dyn Read + Send>>;

    /// Restores a set of files into a directory that is empty or absent. Paths stay inside it.
    ///
    /// # Errors
    /// `PointUnknown`, `PointDamaged`, `PathEscapes`, `FileAccess`.
    async fn restore_files(
        &self,
        tenant: &TenantName,
        point: &PointId,
        set: &str,
        to: &Path,
    ) -> Result<FilesManifest>;

    /// What a directory holds, in the form of a manifest, for comparing.
    ///
    /// # Errors
    /// `FileAccess`.
    async fn summarise_files(&self, directory: &Path) -> Result<FilesManifest>;
}
