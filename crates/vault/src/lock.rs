//! Locks between processes: rustic_core takes none of its own.
//!
//! Each repository has two lock files in `.locks` of the vault. Whoever adds to it holds `TENANT.write` alone.
//! Whoever reads or adds also shares `TENANT.delete`, which only something that deletes may hold alone. Adding
//! never disturbs reading (a point is published by one rename, after everything it refers to), so that a list of
//! points does not wait for an hour-long backup.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::durable;

/// A lock that is held until this is dropped; the kernel drops it when the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _files: Vec<File>,
}

impl Lock {
    /// None, where there is nothing to be kept from.
    pub(crate) fn none() -> Self {
        Self { _files: Vec::new() }
    }

    /// Waits until nobody deletes. On a read-only file system nobody does, and there may be no lock to take.
    pub(crate) fn to_read(directory: &Path, name: &str) -> io::Result<Self> {
        match held(directory, &format!("{name}.delete"), FlockOperation::LockShared) {
            Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Ok(Self::none()),
            delete => Ok(Self { _files: vec![delete?] }),
        }
    }

    /// Waits until nobody else adds or deletes.
    pub(crate) fn to_add(directory: &Path, name: &str) -> io::Result<Self> {
        let write = held(directory, &format!("{name}.write"), FlockOperation::LockExclusive)?;
        let delete = held(directory, &format!("{name}.delete"), FlockOperation::LockShared)?;
        Ok(Self { _files: vec![write, delete] })
    }

    /// Waits until nobody else changes what is held.
    pub(crate) fn to_hold(directory: &Path, name: &str) -> io::Result<Self> {
        Ok(Self { _files: vec![held(directory, &format!("{name}.holds"), FlockOperation::LockExclusive)?] })
    }

    /// Waits until nobody else changes what is written down about keys.
    pub(crate) fn to_change_keys(directory: &Path, name: &str) -> io::Result<Self> {
        Ok(Self { _files: vec![held(directory, &format!("{name}.keys"), FlockOperation::LockExclusive)?] })
    }

    /// Waits until nobody else adds, deletes or reads.
    pub(crate) fn to_delete(directory: &Path, name: &str) -> io::Result<Self> {
        let write = held(directory, &format!("{name}.write"), FlockOperation::LockExclusive)?;
        let delete = held(directory, &format!("{name}.delete"), FlockOperation::LockExclusive)?;
        Ok(Self { _files: vec![write, delete] })
    }
}

fn held(directory: &Path, name: &str, operation: FlockOperation) -> io::Result<File> {
    durable::make_directory(directory)?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(directory.join(name))?;
    loop {
        match flock(&file, operation) {
            Ok(()) => return Ok(file),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
