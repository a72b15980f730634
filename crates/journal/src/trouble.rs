//! What goes wrong below the journal, and the fault that a user sees for it.

use std::path::Path;

use eclusa_fault::{Code, Fault};
use rusqlite::ErrorCode;
use rusqlite::ffi;

/// What went wrong, before the journal's path is known.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// SQLite said so.
    Sql(rusqlite::Error),
    /// The content does not fit together.
    Damaged(String),
    /// A fault that is complete already.
    Fault(Fault),
}

impl From<rusqlite::Error> for Trouble {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl Trouble {
    /// An entry that does not fit.
    pub(crate) fn entry(run: &str, sequence: u64, problem: impl std::fmt::Display) -> Self {
        Self::Damaged(format!("run {run}, entry {sequence}: {problem}"))
    }

    /// Whether more room on the disk may cure it.
    pub(crate) fn wants_room(&self) -> bool {
        match self {
            // Some file systems find out that they are full only in fsync or when a mapped file grows, which SQLite
            // passes on as an input/output error.
            Self::Sql(rusqlite::Error::SqliteFailure(error, _)) => {
                error.code == ErrorCode::DiskFull
                    || (error.code == ErrorCode::SystemIoFailure
                        && error.extended_code != ffi::SQLITE_IOERR_SHORT_READ
                        && error.extended_code != ffi::SQLITE_IOERR_CORRUPTFS)
            }
            _ => false,
        }
    }

    /// The fault.
    pub(crate) fn into_fault(self, path: &Path) -> Fault {
        match self {
            Self::Fault(fault) => fault,
            Self::Damaged(problem) => damaged(path, problem),
            Self::Sql(error) if is_outside(&error) => unwritable(path).because(error),
            Self::Sql(error) => damaged(path, error),
        }
    }
}

/// Whether an error lies in the world around the file. Every other one means that the file does not hold what the
/// program's fixed statements expect, which is damage: fail closed.
fn is_outside(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(error, _) => match error.code {
            ErrorCode::SystemIoFailure => {
                error.extended_code != ffi::SQLITE_IOERR_SHORT_READ
                    && error.extended_code != ffi::SQLITE_IOERR_CORRUPTFS
            }
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::CannotOpen
            | ErrorCode::OutOfMemory
            | ErrorCode::OperationInterrupted
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::NoLargeFileSupport => true,
            _ => false,
        },
        rusqlite::Error::InvalidPath(_) => true,
        _ => false,
    }
}

/// The journal cannot be opened or written.
pub(crate) fn unwritable(path: &Path) -> Fault {
    Fault::new(Code::JournalUnwritable).with("path", path.display())
}

/// The journal is damaged.
pub(crate) fn damaged(path: &Path, problem: impl std::fmt::Display) -> Fault {
    Fault::new(Code::JournalDamaged).with("path", path.display()).with("problem", problem)
}
