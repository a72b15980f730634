//! Swapping SQLite files by renaming them, in an order in which a crash leaves a state that tells what is missing.
//!
//! | live | new | old | it means |
//! |---|---|---|---|
//! | yes | no | no | nothing was restored |
//! | yes | yes | no | restored beside |
//! | no | yes | yes | between the two renames of a swap in either direction |
//! | yes | no | yes | swapped in |
//!
//! The renames: in: live to old, new to live; back: live to new, old to live.

use std::path::Path;
use std::time::Duration;

use eclusa_ports::SwapState;

use super::{Files, Problem, open, remove, sync_parent, with_ending};
use crate::names::Part;

/// What a rollback journal begins with while it is to be played back.
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

/// Which files are there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    live: bool,
    new: bool,
    old: bool,
}

impl Standing {
    pub(crate) fn look(files: &Files, suffix: &str) -> Result<Self, Problem> {
        Ok(Self {
            live: files.live.try_exists()?,
            new: files.part(suffix, Part::New).try_exists()?,
            old: files.part(suffix, Part::Old).try_exists()?,
        })
    }

    pub(crate) fn state(self) -> SwapState {
        match (self.live, self.new, self.old) {
            (_, false, false) => SwapState::Nothing,
            (_, true, false) => SwapState::Beside,
            (true, false, true) => SwapState::SwappedIn,
            (false, _, true) | (true, true, true) => SwapState::Halfway,
        }
    }
}

pub(crate) fn swap_in(files: &Files, suffix: &str) -> Result<(), Problem> {
    let (new, old) = (files.part(suffix, Part::New), files.part(suffix, Part::Old));
    let standing = Standing::look(files, suffix)?;
    match (standing.live, standing.new, standing.old) {
        (true, false, true) => Ok(()),
        (true, true, false) => {
            settle(&new)?;
            settle(&files.live)?;
            rename(&files.live, &old)?;
            rename(&new, &files.live)
        }
        (false, true, true) => {
            settle(&new)?;
            rename(&new, &files.live)
        }
        _ => Err(strange(standing, "swapped in")),
    }
}

pub(crate) fn swap_back(files: &Files, suffix: &str) -> Result<(), Problem> {
    let (new, old) = (files.part(suffix, Part::New), files.part(suffix, Part::Old));
    let standing = Standing::look(files, suffix)?;
    match (standing.live, standing.new, standing.old) {
        // Never swapped in, or already back.
        (true, _, false) => Ok(()),
        (true, false, true) => {
            settle(&old)?;
            settle(&files.live)?;
            rename(&files.live, &new)?;
            rename(&old, &files.live)
        }
        (false, _, true) => {
            settle(&old)?;
            rename(&old, &files.live)
        }
        _ => Err(strange(standing, "swapped back")),
    }
}

fn strange(standing: Standing, what: &str) -> Problem {
    let word = |there| if there { "there" } else { "missing" };
    Problem::Said(format!(
        "nothing can be {what}: the live file is {}, the restored one {}, the kept one {}",
        word(standing.live),
        word(standing.new),
        word(standing.old)
    ))
}

fn rename(from: &Path, to: &Path) -> Result<(), Problem> {
    std::fs::rename(from, to)?;
    sync_parent(to)
}

/// Brings everything that belongs to a database into its one file, so that this can be renamed alone: plays back
/// what a crash left, empties the write-ahead log, and refuses while another process is at it.
fn settle(path: &Path) -> Result<(), Problem> {
    let in_use = || Problem::Said(format!("{} is in use by another process", path.display()));
    {
        let connection = open(path)?;
        connection.busy_timeout(Duration::from_secs(2))?;
        let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy != 0 {
            return Err(in_use());
        }
        // Nobody else may be reading or writing at this moment.
        connection.execute_batch("BEGIN EXCLUSIVE; ROLLBACK")?;
    }
    // The last one to close a database removes its log: where it still is, somebody else has the file open.
    let log = with_ending(path, "-wal");
    if log.try_exists()? {
        return Err(in_use());
    }
    remove(&with_ending(path, "-shm"))?;
    let journal = with_ending(path, "-journal");
    match std::fs::read(&journal) {
        Ok(content) if content.starts_with(&JOURNAL_MAGIC) => {
            Err(Problem::Said(format!("{} could not be played back", journal.display())))
        }
        Ok(_) => remove(&journal),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}
