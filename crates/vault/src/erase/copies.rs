//! The copies at a place as files that can be counted and destroyed: a directory here, or a repository on another machine.

use std::io;
use std::path::{Path, PathBuf};

use eclusa_fault::{Fault, Result};
use eclusa_model::TenantName;
use rustic_core::FileType;

use super::ErasePlace;
use crate::durable;
use crate::lock::Lock;
use crate::mirror::{self, CopiesAway};
use crate::repository::Places;

/// The kinds of files, in the order in which they are destroyed: without the first the others cannot be read.
const KINDS: [FileType; 4] = [FileType::Key, FileType::Snapshot, FileType::Index, FileType::Pack];

/// The copies of a tenant at a place.
pub(super) struct Copies<'a> {
    places: &'a Places,
    tenant: &'a TenantName,
    at: At<'a>,
}

enum At<'a> {
    Vault(PathBuf),
    Mirror(PathBuf),
    Away(CopiesAway<'a>),
}

impl<'a> Copies<'a> {
    /// Those at a place; `None` when none were ever there.
    pub(super) fn of(places: &'a Places, tenant: &'a TenantName, place: &ErasePlace) -> Result<Option<Self>> {
        let at = match place {
            ErasePlace::Vault => Some(At::Vault(places.repository(tenant))),
            ErasePlace::Mirror(name) => mirror::copies_at(places, tenant, name)?.map(|found| match found {
                mirror::CopiesAt::Directory(path) => At::Mirror(path),
                mirror::CopiesAt::Away(away) => At::Away(away),
            }),
        };
        Ok(at.map(|at| Self { places, tenant, at }))
    }

    fn fail(&self, error: &io::Error) -> Fault {
        match &self.at {
            At::Away(away) => away.fault(error),
            At::Vault(_) | At::Mirror(_) => self.places.unreachable(self.tenant, error),
        }
    }

    /// How many files there are, and their bytes; `None` when there is nothing.
    pub(super) fn count(&self) -> Result<Option<(u64, u64)>> {
        let counted = match &self.at {
            At::Vault(path) | At::Mirror(path) => count(path),
            At::Away(away) => away.files().count(),
        };
        counted.map_err(|error| self.fail(&error))
    }

    /// Keeps everybody from them, as far as they can be known to be there.
    fn alone(&self) -> Result<Lock> {
        let lock = match &self.at {
            At::Vault(_) => return self.places.lock_to_delete(self.tenant),
            At::Mirror(path) => Lock::to_delete(&path.with_file_name(".locks"), self.tenant.as_str()),
            At::Away(away) => return away.lock(),
        };
        lock.map_err(|error| self.places.unreachable(self.tenant, error))
    }

    /// Destroys the key files of the repository.
    pub(super) fn destroy_keys(&self) -> Result<()> {
        if let At::Vault(path) | At::Mirror(path) = &self.at
            && !path.exists()
        {
            return Ok(());
        }
        let _alone = self.alone()?;
        self.destroy_kind(FileType::Key).map_err(|error| self.fail(&error))
    }

    fn destroy_kind(&self, kind: FileType) -> io::Result<()> {
        match &self.at {
            At::Vault(path) | At::Mirror(path) => remove_tree(&path.join(kind.dirname())),
            At::Away(away) => away.files().destroy_kind(kind),
        }
    }

    /// Destroys all of it, the key files before anything else, and says what was there.
    pub(super) fn destroy(&self) -> Result<(u64, u64)> {
        let Some(was) = self.count()? else { return Ok((0, 0)) };
        let _alone = self.alone()?;
        for kind in KINDS {
            self.destroy_kind(kind).map_err(|error| self.fail(&error))?;
            eclusa_crash::point("vault.erase.kind");
        }
        let rest = match &self.at {
            At::Vault(path) | At::Mirror(path) => remove_tree(path),
            At::Away(away) => away.files().destroy_rest(),
        };
        rest.map_err(|error| self.fail(&error))?;
        eclusa_crash::point("vault.erase.repository");
        if self.count()?.is_some() {
            return Err(self.fail(&io::Error::other("it was removed, and is still there")));
        }
        Ok(was)
    }
}

/// How many files are below a directory, and their bytes; `None` when it is not there.
fn count(directory: &Path) -> io::Result<Option<(u64, u64)>> {
    match std::fs::symlink_metadata(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found?,
    };
    let (mut files, mut bytes) = (0, 0);
    for entry in walkdir::WalkDir::new(directory) {
        let entry = entry.map_err(io::Error::from)?;
        if !entry.file_type().is_dir() {
            files += 1;
            bytes += entry.metadata().map_err(io::Error::from)?.len();
        }
    }
    Ok(Some((files, bytes)))
}

fn remove_tree(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed?,
    }
    path.parent().map_or(Ok(()), durable::synchronise_directory)
}
