//! A dump: what `mariadb-dump` writes in one snapshot, then a line by which a whole dump is known.
//!
//! A small database is one stream, written by one program. A bigger one is several, of which each is plain SQL and all,
//! one after the other, are a whole dump too (see [`parts`]): the tables without their rows, the rows, read by several
//! connections side by side, and what may come only after them.
//!
//! Two connections cannot share a snapshot in MariaDB. So another one locks the tenant's own tables for reading, which
//! lets readers on and makes writers of this database wait; under it the snapshots are begun, and once each
//! `mariadb-dump` is seen to have begun its own, the lock is given up: writers wait for moments. A global
//! read lock would make all tenants wait. Where somebody writes for long, the lock is not waited for for more than
//! seconds, and tried again. Tables that are in no snapshot are held for longer, see [`apart`].
//!
//! The summary comes from the rows as they were written (see [`rows_dumped`](super::rows_dumped)), so the server reads
//! them once; other objects are counted when the snapshots have begun.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::{DatabaseSummary, Dump, DumpStream, LogPosition, StreamOpener, SummaryOpener};
use tokio::runtime::Handle;

use super::begun::{Waiting, start};
use super::parts::{self, Part, Plan};
use super::quote::identifier;
use super::rows_dumped::{Counting, DumpedRows};
use super::session::{Access, Failure, Names, Session};
use super::{apart, catalogue, log, summary};
use crate::Shape;
use crate::rows_counted::Sum;
use crate::server::{self, Begun, DumpReader, Ending, PIECE, TRAILER};

type Outcome<T> = std::result::Result<T, Failure>;

/// What `mariadb-dump` writes when it is done.
pub(crate) const COMPLETED: &[u8] = b"-- Dump completed";
/// How long the lock is waited for each time, in seconds, and how often.
const LOCK_WAIT: u64 = 5;
const LOCK_TRIES: usize = 6;
/// Between two tries, so that those who waited behind the lock come through.
const LOCK_PAUSE: Duration = Duration::from_secs(2);
/// Lock wait timeout, deadlock.
const BUSY: &[u32] = &[1205, 1213];

/// The programs' arguments: nothing of the time of day, so that two dumps of the same data are the same bytes.
pub(super) fn shaped() -> Vec<String> {
    ["--single-transaction", "--skip-lock-tables", "--quick", "--hex-blob", "--skip-dump-date", "--tz-utc"]
        .map(String::from)
        .to_vec()
}

/// A dump whose snapshots are begun.
struct Started<'a> {
    access: &'a Access,
    database: &'a str,
    names: Names,
    counting: Counting,
    /// How many streams of rows there are.
    streams: usize,
    log: Option<LogPosition>,
}

/// Begins the dump; the streams follow when they are opened. What is in no snapshot is dumped into `scratch` meanwhile.
pub(crate) async fn dump(access: &Access, database: &str, scratch: &Path, shape: Shape) -> Result<Dump> {
    let said = |failure| access.fault(Code::DumpFailed, failure);
    let mut session = Session::open(access).await.map_err(said)?;
    let version = session.text("SELECT SUBSTRING_INDEX(VERSION(), '-', 1);").await.map_err(said)?;
    refuse_unsupported(&mut session, &version, database).await.map_err(said)?;
    let apart = apart::tables(&mut session, database).await.map_err(said)?;
    let plan = parts::plan(&mut session, database, &apart, shape).await.map_err(said)?;
    let (begun, holding, log) = begin(access, &mut session, database, &plan, &apart).await.map_err(said)?;
    eclusa_crash::point("mariadb.dump.snapshot");
    let waiting: Vec<_> = begun.into_iter().map(Waiting::new).collect();
    let besides = async {
        let file = match &holding {
            Some(_) => {
                Some(apart::dumped(access, session.names.dump(), database, &apart, &plan, scratch).await?)
            }
            None => None,
        };
        eclusa_crash::point("mariadb.dump.apart");
        drop(holding);
        Ok((
            file,
            summary::objects_of(&mut session, database).await?,
            summary::table_names(&mut session, database).await?,
        ))
    };
    let (file, objects, tables) = besides.await.map_err(said)?;
    eclusa_crash::point("mariadb.dump.summarised");
    let started =
        Started { access, database, names: session.names, counting: Counting::default(), streams: 0, log };
    drop(session);
    started.into_dump(plan, waiting, file, objects, tables, &version)
}

impl Started<'_> {
    fn into_dump(
        mut self,
        plan: Plan,
        waiting: Vec<Waiting>,
        file: Option<File>,
        objects: BTreeMap<String, String>,
        tables: Vec<String>,
        version: &str,
    ) -> Result<Dump> {
        let mut waiting = waiting.into_iter();
        let mut streams = Vec::new();
        let sequences = parts::sequences(&objects);
        let mut file = file;
        for part in plan.parts {
            let open = match &part {
                Part::Whole { .. } => self.rows(waiting.next(), file.take(), false),
                Part::Rows { .. } => self.rows(waiting.next(), None, true),
                Part::Apart => self.rows(None, file.take(), true),
                Part::Structure { .. } => self.later(part.arguments(self.database), Vec::new()),
                Part::Definitions => self.later(part.arguments(self.database), sequences.clone()),
                Part::Views { .. } => self.later(part.arguments(self.database), Vec::new()),
            };
            streams.push(DumpStream { name: part.name(), open });
        }
        let summary = self.summary(objects, tables);
        Ok(Dump { engine: format!("mariadb {version}"), streams, summary, log: self.log })
    }

    /// A stream with rows: of a program that waits, of a file, or of both.
    fn rows(&mut self, waiting: Option<Waiting>, file: Option<File>, part: bool) -> StreamOpener {
        self.streams += 1;
        let (access, handle, counting) = (self.access.clone(), Handle::current(), self.counting.clone());
        let ending = Ending { program: Names::Mariadb.dump(), words: COMPLETED };
        Box::new(move || {
            let begun = waiting.and_then(|waiting| handle.block_on(waiting.take()));
            let mut reader = match begun {
                Some(begun) => DumpReader::new(access, handle, ending, begun, TRAILER.to_vec()),
                None => DumpReader::without_program(access, handle, ending, TRAILER.to_vec()),
            };
            if let Some(file) = file {
                reader = reader.after(file);
            }
            let mut rows = DumpedRows::new(BufReader::with_capacity(PIECE, reader), counting);
            if part {
                rows = rows.without_sandbox();
            }
            Ok(Box::new(rows) as Box<dyn Read + Send>)
        })
    }

    /// A stream without rows, whose program is started when it is opened.
    fn later(&self, arguments: Vec<String>, mut rest: Vec<u8>) -> StreamOpener {
        let (access, handle, program) = (self.access.clone(), Handle::current(), self.names.dump());
        let ending = Ending { program: Names::Mariadb.dump(), words: COMPLETED };
        rest.extend_from_slice(TRAILER);
        Box::new(move || {
            let stream = handle
                .block_on(access.start_mariadb(program, &arguments))
                .map_err(|failure| std::io::Error::other(access.fault(Code::DumpFailed, failure)))?;
            let begun = Begun { stream, read: Vec::new() };
            let reader = DumpReader::new(access, handle, ending, begun, rest);
            Ok(Box::new(BufReader::with_capacity(PIECE, reader)) as Box<dyn Read + Send>)
        })
    }

    fn summary(&self, objects: BTreeMap<String, String>, tables: Vec<String>) -> SummaryOpener {
        let (counting, expected) = (self.counting.clone(), self.streams);
        let tenant = self.access.tenant.clone();
        Box::new(move || {
            let sums = |counted: &mut BTreeMap<String, Sum>| {
                let of = |name: String| {
                    let sum = counted.remove(&name).unwrap_or_default();
                    (name, sum.summary())
                };
                tables.into_iter().map(of).collect()
            };
            counting.summary(&tenant, expected, objects, sums, String::clone)
        })
    }
}

/// What a database holds, by reading all of it as a dump does.
pub(crate) async fn summarised(
    access: &Access,
    database: &str,
    scratch: &Path,
    shape: Shape,
) -> Result<DatabaseSummary> {
    let dump = dump(access, database, scratch, shape).await?;
    server::summarised(&access.tenant, dump).await
}

/// MySQL is none.
async fn refuse_unsupported(session: &mut Session, version: &str, database: &str) -> Outcome<()> {
    let unsupported =
        |problem: String| Failure::Fault(Fault::new(Code::DatabaseUnsupported).with("problem", problem));
    let whole = session.text("SELECT VERSION();").await?;
    if !whole.to_lowercase().contains("mariadb") {
        return Err(unsupported(format!("the server is no MariaDB: {whole}")));
    }
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or_default());
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    if (major, minor) < (10, 6) {
        return Err(unsupported(format!("MariaDB {version} is older than 10.6")));
    }
    let exists = catalogue::comment(session, database).await?.is_some();
    if !exists {
        return Err(Failure::Said(format!("the database {database:?} does not exist")));
    }
    Ok(())
}

/// Begins all snapshots under a lock of the tenant's tables. What is in no snapshot is still held afterwards.
async fn begin(
    access: &Access,
    session: &mut Session,
    database: &str,
    plan: &Plan,
    apart: &[String],
) -> Outcome<(Vec<Begun>, Option<Session>, Option<LogPosition>)> {
    let mut last = None;
    for attempt in 0..LOCK_TRIES {
        if attempt > 0 {
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        match begin_once(access, session, database, plan, apart).await {
            Err(failure) if failure.is_error(BUSY) => last = Some(failure),
            outcome => return outcome,
        }
    }
    Err(match last {
        Some(failure) => failure,
        None => Failure::Said("the tables could not be locked".to_owned()),
    })
}

async fn begin_once(
    access: &Access,
    session: &mut Session,
    database: &str,
    plan: &Plan,
    apart: &[String],
) -> Outcome<(Vec<Begun>, Option<Session>, Option<LogPosition>)> {
    let mut holding = None;
    if !apart.is_empty() {
        let mut session = Session::open(access).await?;
        apart::hold(&mut session, database, apart, LOCK_WAIT).await?;
        holding = Some(session);
    }
    let mut locking = Session::open(access).await?;
    lock(&mut locking, database, apart).await?;
    let place = log::place(&mut locking).await?;
    let mut begun = Vec::new();
    for part in plan.parts.iter().filter(|part| part.is_begun_at_once()) {
        let stream = access.start_mariadb(session.names.dump(), &part.arguments(database)).await?;
        begun.push((stream, part.mark()));
    }
    let begun = start(session, begun).await?;
    locking.run("UNLOCK TABLES;").await?;
    let log = match place {
        Some(place) => Some(log::position(&mut locking, place).await?),
        None => None,
    };
    Ok((begun, holding, log))
}

async fn lock(locking: &mut Session, database: &str, apart: &[String]) -> Outcome<()> {
    let mut tables = catalogue::tables(locking, database).await?;
    tables.retain(|table| !apart.contains(table));
    if tables.is_empty() {
        return Ok(());
    }
    let locks: Vec<String> =
        tables.iter().map(|table| format!("{}.{} READ", identifier(database), identifier(table))).collect();
    locking
        .run(&format!("SET SESSION lock_wait_timeout = {LOCK_WAIT}; LOCK TABLES {};", locks.join(", ")))
        .await
}
