//! Copying a SQLite file while it is written to.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use eclusa_ports::{Dump, Meter};
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
pub(crate) fn dump(live: &Path, scratch: &Path, meter: &Meter) -> Result<Dump, Problem> {
    std::fs::create_dir_all(scratch)?;
    let copy = tempfile::Builder::new().prefix("eclusa-dump-").suffix(".sqlite").tempfile_in(scratch)?;
    {
        let source = open(live)?;
        let mut target = Connection::open(copy.path())?;
        // What is lost in a crash is only a copy, and there is nothing yet to go back to.
        target.pragma_update(None, "synchronous", "OFF")?;
        target.pragma_update(None, "journal_mode", "OFF")?;
        eclusa_crash::point("sqlite.dump.begins");
        copy_all(&source, &mut target, meter)?;
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

fn copy_all(source: &Connection, target: &mut Connection, meter: &Meter) -> Result<(), Problem> {
    let mode: String = source.query_row("PRAGMA journal_mode", [], |row| row.get(0))?;
    let page: u32 = source.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let wal = mode.eq_ignore_ascii_case("wal");
    // With a write-ahead log reading blocks nobody: all steps see the snapshot of one transaction. Otherwise others may
    // write between two steps; each write by another process starts it anew, so it ends with patience.
    let snapshot = if wal { Some(source.unchecked_transaction()?) } else { None };
    if snapshot.is_some() {
        source.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    }
    let backup = Backup::new(source, target)?;
    let start = Instant::now();
    let mut pages = PAGES;
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
        if wal {
            meter.hold(u64::from(PAGES.unsigned_abs()) * u64::from(page))?;
            continue;
        }
        if start.elapsed() > PATIENCE {
            pages = -1;
        }
        meter.hold(u64::from(PAGES.unsigned_abs()) * u64::from(page))?;
        std::thread::sleep(PAUSE);
    }
}
