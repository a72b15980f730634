//! A dump: what `mariadb-dump` writes in a snapshot of the same moment as the summary's, then a line by which a whole
//! dump is known.
//!
//! Two connections cannot share a snapshot in MariaDB. So a third one locks the tenant's own tables for reading, which
//! lets readers on and makes writers of this database wait; under it both snapshots are begun, and once `mariadb-dump`
//! has shown by its first table that it has begun its own, the lock is given up: writers wait for moments. A global
//! read lock would make all tenants wait. Where somebody writes for long, the lock is not waited for for more than
//! seconds, and tried again. Tables that are in no snapshot are held for longer, see [`apart`].

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::time::Duration;

use eclusa_fault::{Code, Fault};
use eclusa_ports::{DatabaseSummary, Dump, ExecStream};
use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;

use super::quote::identifier;
use super::session::{Access, Failure, Names, Session, end};
use super::summary::{summarise_besides, tables_of};
use super::{apart, catalogue};
use crate::server::{Begun, DumpReader, Ending, PIECE, TRAILER};

type Outcome<T> = std::result::Result<T, Failure>;

/// What `mariadb-dump` writes when it is done.
pub(crate) const COMPLETED: &[u8] = b"-- Dump completed";
/// By what it is seen that `mariadb-dump` has begun its snapshot: it writes about tables only after that.
const BEGUN: [&[u8]; 5] =
    [b"-- Table structure", b"-- Temporary ", b"-- Sequence structure", b"-- Dumping ", COMPLETED];
/// How long the lock is waited for each time, in seconds, and how often.
const LOCK_WAIT: u64 = 5;
const LOCK_TRIES: usize = 6;
/// Between two tries, so that those who waited behind the lock come through.
const LOCK_PAUSE: Duration = Duration::from_secs(2);
/// While the summary is computed, a little of the dump is read every so often: a server ends a connection that takes
/// nothing for 60 seconds (`net_write_timeout`).
const TAKEN_EVERY: Duration = Duration::from_secs(15);
/// Lock wait timeout, deadlock.
const BUSY: &[u32] = &[1205, 1213];

/// The programs' arguments: nothing of the time of day, rows in the order of their keys, so that two dumps of the same
/// data are the same bytes.
pub(super) fn shaped() -> Vec<String> {
    [
        "--single-transaction",
        "--skip-lock-tables",
        "--quick",
        "--hex-blob",
        "--skip-dump-date",
        "--order-by-primary",
        "--tz-utc",
    ]
    .map(String::from)
    .to_vec()
}

fn arguments(database: &str, apart: &[String]) -> Vec<String> {
    let mut arguments = shaped();
    arguments.extend(apart::left_out(database, apart));
    arguments.extend(["--routines", "--triggers", "--events", "--"].map(String::from));
    arguments.push(database.to_owned());
    arguments
}

/// Begins the dump and summarises the same snapshot; the stream follows when it is opened. What is in no snapshot is
/// dumped into `scratch` meanwhile.
pub(crate) async fn dump(
    access: &Access,
    database: &str,
    scratch: &Path,
) -> std::result::Result<Dump, Fault> {
    let said = |failure| access.fault(Code::DumpFailed, failure);
    let mut session = Session::open(access).await.map_err(said)?;
    let version = session.text("SELECT SUBSTRING_INDEX(VERSION(), '-', 1);").await.map_err(said)?;
    refuse_unsupported(&mut session, &version, database).await.map_err(said)?;
    let apart = apart::tables(&mut session, database).await.map_err(said)?;
    let (begun, holding) = begin(access, &mut session, database, &apart).await.map_err(said)?;
    eclusa_crash::point("mariadb.dump.snapshot");
    let held = Held { access, database, tables: &apart, holding, scratch };
    let (summary, before, begun) = summarised(&mut session, held, begun).await.map_err(said)?;
    eclusa_crash::point("mariadb.dump.summarised");
    drop(session);
    let (access, handle) = (access.clone(), Handle::current());
    Ok(Dump {
        name: "database.sql".to_owned(),
        engine: format!("mariadb {version}"),
        summary,
        open: Box::new(move || {
            let ending = Ending { program: Names::Mariadb.dump(), words: COMPLETED };
            let mut reader = DumpReader::new(access, handle, ending, begun, TRAILER.to_vec());
            if let Some(before) = before {
                reader = reader.after(before);
            }
            Ok(Box::new(BufReader::with_capacity(PIECE, reader)) as Box<dyn Read + Send>)
        }),
    })
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

/// Begins both snapshots under a lock of the tenant's tables. What is in no snapshot is still held afterwards.
async fn begin(
    access: &Access,
    session: &mut Session,
    database: &str,
    apart: &[String],
) -> Outcome<(Begun, Option<Session>)> {
    let mut last = None;
    for attempt in 0..LOCK_TRIES {
        if attempt > 0 {
            tokio::time::sleep(LOCK_PAUSE).await;
        }
        match begin_once(access, session, database, apart).await {
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
    apart: &[String],
) -> Outcome<(Begun, Option<Session>)> {
    let mut holding = None;
    if !apart.is_empty() {
        let mut session = Session::open(access).await?;
        apart::hold(&mut session, database, apart, LOCK_WAIT).await?;
        holding = Some(session);
    }
    let mut locking = Session::open(access).await?;
    lock(&mut locking, database, apart).await?;
    session.begin_snapshot().await?;
    let stream = access.start_mariadb(session.names.dump(), &arguments(database, apart)).await?;
    let begun = begun(stream).await?;
    locking.run("UNLOCK TABLES;").await?;
    Ok((begun, holding))
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

/// Reads until `mariadb-dump` shows that its snapshot is begun.
async fn begun(mut stream: ExecStream) -> Outcome<Begun> {
    let mut read = Vec::new();
    let mut piece = vec![0; 16 * 1024];
    loop {
        let count = stream.stdout.read(&mut piece).await.map_err(|error| Failure::Said(error.to_string()))?;
        if count == 0 {
            let result = end(stream.ended).await?;
            return Err(Failure::Ended(result));
        }
        read.extend_from_slice(piece.get(..count).unwrap_or_default());
        let shows = |mark: &&[u8]| read.windows(mark.len()).any(|window| window == *mark);
        if BEGUN.iter().any(shows) {
            return Ok(Begun { stream, read });
        }
    }
}

/// What is in no snapshot, and who holds it.
struct Held<'a> {
    access: &'a Access,
    database: &'a str,
    tables: &'a [String],
    holding: Option<Session>,
    scratch: &'a Path,
}

impl Held<'_> {
    /// Summarises and dumps what is held, lets it go, and summarises the rest.
    async fn summarised(self, session: &mut Session) -> Outcome<(DatabaseSummary, Option<File>)> {
        let Some(holding) = self.holding else {
            return Ok((summarise_besides(session, self.database, Default::default()).await?, None));
        };
        let summed = tables_of(session, self.database, self.tables).await?;
        let program = session.names.dump();
        let file = apart::dumped(self.access, program, self.database, self.tables, self.scratch).await?;
        eclusa_crash::point("mariadb.dump.apart");
        drop(holding);
        Ok((summarise_besides(session, self.database, summed).await?, Some(file)))
    }
}

/// Summarises while the dump waits, and takes a little of it now and then.
async fn summarised(
    session: &mut Session,
    held: Held<'_>,
    mut begun: Begun,
) -> Outcome<(DatabaseSummary, Option<File>, Begun)> {
    let summarising = held.summarised(session);
    tokio::pin!(summarising);
    loop {
        tokio::select! {
            done = &mut summarising => {
                let (summary, before) = done?;
                return Ok((summary, before, begun));
            }
            () = tokio::time::sleep(TAKEN_EVERY) => {
                let mut piece = vec![0; PIECE];
                let Ok(read) = tokio::time::timeout(Duration::from_secs(1), begun.stream.stdout.read(&mut piece)).await
                else { continue };
                let count = read.map_err(|error| Failure::Said(error.to_string()))?;
                begun.read.extend_from_slice(piece.get(..count).unwrap_or_default());
            }
        }
    }
}
