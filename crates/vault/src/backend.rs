//! A restic repository in a local directory, for rustic_core: `config`, `data/xx/`, `index/`, `keys/`, `locks/`,
//! `snapshots/`, and `tmp/` for files that are being written.
//!
//! Every file but `config` is named by the SHA-256 of its bytes; whatever is read whole is checked against its
//! name before anything looks into it.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use rustic_core::{
    ALL_FILE_TYPES, BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend,
};
use sha2::{Digest as _, Sha256};

use crate::durable;
use crate::files::{RepositoryFiles, is_named_by, misnamed};

/// What becomes of the snapshots that rustic_core writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Snapshots {
    /// They are not written: `archive` saves one before anybody could look whether it is complete.
    Withheld,
    /// They are written; the last one's id.
    Written(Option<Id>),
}

/// The directory of one repository.
#[derive(Debug)]
pub(crate) struct DirectoryBackend {
    root: PathBuf,
    snapshots: Mutex<Snapshots>,
}

impl DirectoryBackend {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, snapshots: Mutex::new(Snapshots::Withheld) }
    }

    fn unfinished(&self) -> PathBuf {
        self.root.join("tmp")
    }

    fn path(&self, kind: FileType, id: &Id) -> PathBuf {
        let name = id.to_hex();
        let name = name.as_str();
        match kind {
            FileType::Config => self.root.join("config"),
            FileType::Pack => self.root.join("data").join(name.get(..2).unwrap_or_default()).join(name),
            _ => self.root.join(kind.dirname()).join(name),
        }
    }
}

fn failed(operation: &'static str, path: &Path, error: io::Error) -> Box<RusticError> {
    RusticError::with_source(ErrorKind::Backend, format!("{operation} `{{path}}` failed"), error)
        .attach_context("path", path.display().to_string())
}

fn list_directory(directory: &Path, found: &mut Vec<(Id, u32)>) -> io::Result<()> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let entry = entry?;
        // Other names are not of the format; restic passes over them too.
        let Some(id) =
            entry.file_name().to_str().filter(|name| name.len() == 64).and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // A file that is deleted meanwhile is no longer in the list.
        let Ok(metadata) = entry.metadata() else { continue };
        found.push((id, u32::try_from(metadata.len()).unwrap_or(u32::MAX)));
    }
    Ok(())
}

impl ReadBackend for DirectoryBackend {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let mut found = Vec::new();
        let directory = self.root.join(kind.dirname());
        let listed = match kind {
            FileType::Config => match std::fs::metadata(&directory) {
                Ok(metadata) => {
                    found.push((Id::default(), u32::try_from(metadata.len()).unwrap_or(u32::MAX)));
                    Ok(())
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(error) => Err(error),
            },
            FileType::Pack => (0_u8..=255)
                .try_for_each(|first| list_directory(&directory.join(format!("{first:02x}")), &mut found)),
            _ => list_directory(&directory, &mut found),
        };
        listed.map_err(|error| failed("listing", &directory, error))?;
        found.sort_unstable_by_key(|(id, _)| *id);
        Ok(found)
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        let path = self.path(kind, id);
        let mut content = Vec::new();
        File::open(&path)
            .and_then(|mut file| file.read_to_end(&mut content))
            .map_err(|error| failed("reading", &path, error))?;
        if !is_named_by(&content, kind, id) {
            return Err(failed("checking", &path, misnamed()));
        }
        Ok(content.into())
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        _: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let path = self.path(kind, id);
        let read = || {
            let file = File::open(&path)?;
            // A damaged length must not become an allocation.
            if u64::from(offset) + u64::from(length) > file.metadata()?.len() {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            let mut content = vec![0; usize::try_from(length).map_err(io::Error::other)?];
            file.read_exact_at(&mut content, u64::from(offset))?;
            Ok(content)
        };
        read().map(Bytes::from).map_err(|error| failed("reading", &path, error))
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        self.path(kind, id).display().to_string()
    }
}

impl WriteBackend for DirectoryBackend {
    fn create(&self) -> RusticResult<()> {
        let data = self.root.join(FileType::Pack.dirname());
        let create = || {
            for kind in ALL_FILE_TYPES {
                durable::make_directory(&self.root.join(kind.dirname()))?;
            }
            durable::make_directory(&self.root.join("locks"))?;
            durable::make_directory(&self.unfinished())?;
            for first in 0_u8..=255 {
                match DirBuilder::new().mode(0o700).create(data.join(format!("{first:02x}"))) {
                    Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                    _ => {}
                }
            }
            if eclusa_crash::left_out("vault.packs.sync") {
                return Ok(());
            }
            durable::synchronise_directory(&data)
        };
        create().map_err(|error| failed("making", &self.root, error))
    }

    fn write_bytes(&self, kind: FileType, id: &Id, _: bool, content: BytesList) -> RusticResult<()> {
        if kind == FileType::Snapshot {
            match &mut *self.snapshots.lock().unwrap_or_else(PoisonError::into_inner) {
                Snapshots::Withheld => return Ok(()),
                Snapshots::Written(last) => *last = Some(*id),
            }
        }
        let path = self.path(kind, id);
        durable::make_directory(&self.unfinished())
            .and_then(|()| {
                let pieces = content.slice().iter().map(AsRef::as_ref);
                durable::write_file(&path, &self.unfinished(), 0o400, pieces)
            })
            .map_err(|error| failed("writing", &path, error))
    }

    fn remove(&self, kind: FileType, id: &Id, _: bool) -> RusticResult<()> {
        let path = self.path(kind, id);
        let remove = || {
            std::fs::remove_file(&path)?;
            eclusa_crash::point("vault.file.removed");
            // A list of what lies where must not come back after a loss of power when the packs that it names do not.
            match path.parent() {
                Some(parent) if kind != FileType::Pack => durable::synchronise_directory(parent),
                _ => Ok(()),
            }
        };
        remove().map_err(|error| failed("removing", &path, error))
    }
}

impl RepositoryFiles for DirectoryBackend {
    fn publish_snapshots(&self) {
        *self.snapshots.lock().unwrap_or_else(PoisonError::into_inner) = Snapshots::Written(None);
    }

    fn published(&self) -> Option<Id> {
        match *self.snapshots.lock().unwrap_or_else(PoisonError::into_inner) {
            Snapshots::Written(id) => id,
            Snapshots::Withheld => None,
        }
    }

    fn remove_unfinished(&self) -> io::Result<()> {
        match std::fs::read_dir(self.unfinished()) {
            Ok(entries) => entries.into_iter().try_for_each(|entry| std::fs::remove_file(entry?.path())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn is_sound(&self, kind: FileType, id: &Id) -> io::Result<bool> {
        let mut file = File::open(self.path(kind, id))?;
        let mut hash = Sha256::new();
        io::copy(&mut file, &mut hash)?;
        Ok(hex::encode(hash.finalize()) == id.to_hex().as_str())
    }

    /// What the kernel still remembers of it is put aside first, so that the disk is asked.
    fn is_sound_there(&self, kind: FileType, id: &Id) -> io::Result<bool> {
        rustix::fs::fadvise(File::open(self.path(kind, id))?, 0, None, rustix::fs::Advice::DontNeed)?;
        self.is_sound(kind, id)
    }
}
