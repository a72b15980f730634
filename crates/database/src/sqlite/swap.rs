//! Swapping SQLite files by renaming them, in an order in which a crash leaves a state that tells what is missing.

use std::path::Path;
use std::time::Duration;

use super::{COMPANIONS, Files, Problem, open, remove, sync_parent, with_ending};
use crate::names::Part;
use crate::standing::{Rename, Standing};

/// What a rollback journal begins with while it is to be played back.
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];

pub(crate) fn look(files: &Files, suffix: &str) -> Result<Standing, Problem> {
    Ok(Standing {
        live: files.live.try_exists()?,
        new: files.part(suffix, Part::New).try_exists()?,
        old: files.part(suffix, Part::Old).try_exists()?,
    })
}

pub(crate) fn swap_in(files: &Files, suffix: &str) -> Result<(), Problem> {
    carry_out(files, suffix, look(files, suffix)?.way_in().map_err(Problem::Said)?)
}

pub(crate) fn swap_back(files: &Files, suffix: &str) -> Result<(), Problem> {
    carry_out(files, suffix, look(files, suffix)?.way_back().map_err(Problem::Said)?)
}

fn carry_out(files: &Files, suffix: &str, renames: &[Rename]) -> Result<(), Problem> {
    let (new, old) = (files.part(suffix, Part::New), files.part(suffix, Part::Old));
    let paths: Vec<_> = renames
        .iter()
        .map(|rename| match rename {
            Rename::LiveToOld => (&files.live, &old),
            Rename::LiveToNew => (&files.live, &new),
            Rename::NewToLive => (&new, &files.live),
            Rename::OldToLive => (&old, &files.live),
        })
        .collect();
    // All of them before the first is renamed: one that is in use stops the swap before it has begun.
    for (from, _) in &paths {
        settle(from)?;
        eclusa_crash::point("sqlite.swap.settled");
    }
    // A log that belonged to another file would be played into the one that gets its name. What settling removed
    // must be gone from the disk before that, and so must what a loss of power left of a file that is renamed already.
    for (_, to) in &paths {
        if !to.try_exists()? {
            for companion in COMPANIONS {
                remove(&with_ending(to, companion))?;
            }
        }
    }
    if !paths.is_empty() && !eclusa_crash::left_out("sqlite.settled.sync") {
        sync_parent(&files.live)?;
    }
    for (from, to) in &paths {
        std::fs::rename(from, to)?;
        eclusa_crash::point("sqlite.swap.renamed");
        sync_parent(to)?;
        eclusa_crash::point("sqlite.swap.synchronised");
    }
    Ok(())
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
