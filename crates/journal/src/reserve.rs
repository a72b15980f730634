//! Room that is kept for the moment when the disk is full: a run that failed because of it must still be able to
//! write that down. The file is removed when SQLite finds no room, and made again when there is plenty.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

/// How much is kept, in bytes: some hundred events, or one long plan and the events of going back.
pub(crate) const RESERVE_BYTES: u64 = 1 << 20;

/// The reserve is only made while at least this much is free, in bytes, so that it does not itself fill a disk from
/// which it was just given up.
const PLENTY_BYTES: u64 = 4 * RESERVE_BYTES;

/// The reserve of one journal.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
}

impl Reserve {
    /// The reserve at a path.
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Makes it where it is missing and there is room. That it cannot be made is no fault: the journal works without.
    pub(crate) fn keep(&self) {
        match std::fs::metadata(&self.path) {
            Ok(found) if found.len() >= RESERVE_BYTES => return,
            // Half a reserve is what a crash left behind.
            Ok(_) => drop(std::fs::remove_file(&self.path)),
            Err(_) => {}
        }
        let plenty = self
            .path
            .parent()
            .and_then(|directory| rustix::fs::statvfs(directory).ok())
            .is_some_and(|room| room.f_bavail.saturating_mul(room.f_frsize) >= PLENTY_BYTES);
        if !plenty {
            return;
        }
        // Another process may be making it right now; then it is theirs.
        let Ok(mut file) = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path)
        else {
            return;
        };
        if fill(&mut file).is_err() {
            drop(std::fs::remove_file(&self.path));
        }
    }

    /// Gives it up; says whether there was one.
    pub(crate) fn give_up(&self) -> bool {
        std::fs::remove_file(&self.path).is_ok()
    }
}

fn fill(file: &mut File) -> std::io::Result<()> {
    if rustix::fs::fallocate(&*file, rustix::fs::FallocateFlags::empty(), 0, RESERVE_BYTES).is_err() {
        // Not every file system can set room aside; written bytes take room everywhere.
        let block = [0x5a_u8; 4096];
        for _ in 0..RESERVE_BYTES / 4096 {
            file.write_all(&block)?;
        }
    }
    file.sync_all()
}
