//! Copying a SQLite file while it is written to.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use eclusa_ports::Dump;
use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use super::{Problem, open, summary};

/// How many pages are copied between two pauses, where readers block writers: 4 MiB of pages of the usual size.
const PAGES: i32 = 1024;
/// How long writers are let through between steps, before the rest is copied in one go.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

/// Copies a file into the scratch directory, summarises the copy, and gives it as a dump. The copy has no name
/// any more when this returns: whatever happens, the system frees its room when the last reader is gone.
pub(crate) fn dump(live: &Path, scratch: &Path) -> Result<Dump, Problem> {
    std::fs::create_dir_all(scratch)?;
    let copy = tempfile::Builder::new().prefix("eclusa-dump-").suffix(".sqlite").tempfile_in(scratch)?;
    {
        let source = open(live)?;
        let mut target = Connection::open(copy.path())?;
        // What is lost in a crash is only a copy, and there is nothing yet to go back to.
        target.pragma_update(None, "synchronous", "OFF")?;
        target.pragma_update(None, "journal_mode", "OFF")?;
        eclusa_crash::point("sqlite.dump.begins");
        copy_all(&source, &mut target)?;
        eclusa_crash::point("sqlite.dump.copied");
    }
    let summary = summary::summarise_file(copy.path())?;
    let stream: File = copy.reopen()?;
    eclusa_crash::point("sqlite.dump.summarised");
    drop(copy);
    eclusa_crash::point("sqlite.dump.nameless");
    let open = Box::new(move || Ok(Box::new(stream) as Box<dyn Read + Send>));
    Ok(Dump::single("database.sqlite", format!("sqlite {}", rusqlite::version()), summary, open))
}

fn copy_all(source: &Connection, target: &mut Connection) -> Result<(), Problem> {
    let mode: String = source.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let backup = Backup::new(source, target)?;
    // With a write-ahead log, reading blocks nobody, and one step is one snapshot. Otherwise it is copied in steps
    // between which others may write; each write by another process starts it anew, so it ends with patience.
    let start = Instant::now();
    let mut pages = if mode.eq_ignore_ascii_case("wal") { -1 } else { PAGES };
    let mut refused = None;
    loop {
        match backup.step(pages)? {
            StepResult::Done => return Ok(()),
            StepResult::More => refused = None,
            _ => {
                let since = *refused.get_or_insert_with(Instant::now);
                if since.elapsed() > PATIENCE {
                    return Err(Problem::Said("another process keeps the database locked".to_owned()));
                }
            }
        }
        if start.elapsed() > PATIENCE {
            pages = -1;
        }
        std::thread::sleep(PAUSE);
    }
}
