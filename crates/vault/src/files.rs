//! What the vault asks of the files of a repository, wherever they lie: beside what rustic_core asks, whether a file is
//! what its name says, and what a killed process left.

use std::fmt::Debug;
use std::io;

use rustic_core::{FileType, Id, RusticResult, WriteBackend};
use sha2::{Digest as _, Sha256};

/// Whether bytes are those that a file's name promises; `config` has a name of its own.
pub(crate) fn is_named_by(content: &[u8], kind: FileType, id: &Id) -> bool {
    kind == FileType::Config || hex::encode(Sha256::digest(content)) == id.to_hex().as_str()
}

/// The error of bytes that are not.
pub(crate) fn misnamed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "its bytes are not those that its name promises")
}

/// The files of one repository.
pub(crate) trait RepositoryFiles: WriteBackend + Debug {
    /// From now on snapshots are written.
    fn publish_snapshots(&self);

    /// The snapshot that was written last.
    fn published(&self) -> Option<Id>;

    /// Removes what a killed process left unfinished. Only for whoever holds the lock to add.
    fn remove_unfinished(&self) -> io::Result<()>;

    /// Reads a file through and says whether its bytes are those that its name promises.
    fn is_sound(&self, kind: FileType, id: &Id) -> io::Result<bool>;

    /// The same of a file that was just written: asks the place where it lies, not what this machine remembers of it.
    fn is_sound_there(&self, kind: FileType, id: &Id) -> io::Result<bool>;

    /// How many files are worth being copied at once.
    fn at_once(&self) -> usize {
        1
    }

    /// Whether anything but keys is in the repository.
    fn holds_data(&self) -> RusticResult<bool> {
        for kind in [FileType::Snapshot, FileType::Index, FileType::Pack] {
            if !self.list_with_size(kind)?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
