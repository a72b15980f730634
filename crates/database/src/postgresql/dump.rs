//! A dump: what `pg_dump` writes in the snapshot that the summary was computed in, then the sequences as the
//! summary saw them (they stand outside of every snapshot), then a line by which a whole dump is known.

use std::io::{BufReader, Cursor, Error, Read, Result};

use eclusa_fault::{Code, Fault};
use eclusa_ports::{Dump, ExecStream};
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;

use super::session::{Access, Failure, Session, end};
use super::summary::{Sequence, summarise, text};

/// The last bytes of every dump.
pub(crate) const TRAILER: &[u8] = b"\n-- Eclusa dump complete\n";
/// What `pg_dump` writes when it is done. Versions with the mend of CVE-2025-8714 write `\unrestrict` after it.
const PG_DUMP_TRAILER: &[u8] = b"\n-- PostgreSQL database dump complete\n--\n";
/// How much of the end is looked at for it.
const TAIL: usize = 512;
/// The oldest version whose catalogue is understood.
const OLDEST: u64 = 120_000;
/// How many bytes are asked for at a time.
const PIECE: usize = 256 * 1024;

/// Takes the snapshot and summarises it; the stream follows when it is opened.
pub(crate) async fn dump(access: &Access, database: &str) -> std::result::Result<Dump, Fault> {
    let said = |failure| access.fault(Code::DumpFailed, failure);
    let mut session = Session::open(access, database).await.map_err(said)?;
    let server = session.row(SERVER).await.map_err(said)?;
    let version = text(&server, "version").map_err(said)?;
    if server.get("number").and_then(Value::as_u64).is_none_or(|number| number < OLDEST) {
        return Err(Fault::new(Code::DatabaseUnsupported)
            .with("problem", format!("PostgreSQL {version} is older than 12")));
    }
    session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;").await.map_err(said)?;
    let exported =
        session.row("SELECT json_build_object('id', pg_export_snapshot());").await.map_err(said)?;
    let snapshot = text(&exported, "id").map_err(said)?;
    eclusa_crash::point("postgresql.dump.snapshot");
    let (summary, sequences) = summarise(&mut session).await.map_err(said)?;
    eclusa_crash::point("postgresql.dump.summarised");
    let mut argv: Vec<String> =
        ["pg_dump", "--no-password", "--format=plain", "--encoding=UTF8", "--lock-wait-timeout=60000"]
            .map(String::from)
            .to_vec();
    argv.push(format!("--snapshot={snapshot}"));
    if server.get("superuser").and_then(Value::as_bool) != Some(true) {
        // Only a superuser may give objects to others; for anybody else they belong to who restores.
        argv.push("--no-owner".to_owned());
    }
    let (access, database, handle) = (access.clone(), database.to_owned(), Handle::current());
    Ok(Dump {
        name: "database.sql".to_owned(),
        engine: format!("postgresql {version}"),
        summary,
        open: Box::new(move || {
            let stream = handle
                .block_on(access.start(argv, &database))
                .map_err(|failure| Error::other(access.fault(Code::DumpFailed, failure)))?;
            let reader = DumpReader::new(access, handle, stream, session, &sequences);
            Ok(Box::new(BufReader::with_capacity(PIECE, reader)) as Box<dyn Read + Send>)
        }),
    })
}

const SERVER: &str = "SELECT json_build_object('version', split_part(current_setting('server_version'), ' ', 1), \
     'number', current_setting('server_version_num')::int, \
     'superuser', (SELECT rolsuper FROM pg_roles WHERE rolname = current_user));";

/// Reads a dump on a blocking thread. It ends only when all of it was there; otherwise it gives an error, again
/// and again.
struct DumpReader {
    access: Access,
    handle: Handle,
    /// What `pg_dump` is writing; none once it has ended well.
    dumping: Option<ExecStream>,
    /// Holds the snapshot.
    session: Option<Session>,
    tail: Vec<u8>,
    rest: Cursor<Vec<u8>>,
    failed: Option<String>,
}

impl DumpReader {
    fn new(
        access: Access,
        handle: Handle,
        stream: ExecStream,
        session: Session,
        sequences: &[Sequence],
    ) -> Self {
        let mut rest = b"\n-- Sequences, as the summary of this dump saw them.\n".to_vec();
        for sequence in sequences {
            rest.extend_from_slice(sequence.statement().as_bytes());
            rest.push(b'\n');
        }
        rest.extend_from_slice(TRAILER);
        Self {
            access,
            handle,
            dumping: Some(stream),
            session: Some(session),
            tail: Vec::new(),
            rest: Cursor::new(rest),
            failed: None,
        }
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if let Some(stream) = &mut self.dumping {
            let count = self.handle.block_on(stream.stdout.read(buffer))?;
            if count > 0 {
                keep_end(&mut self.tail, buffer.get(..count).unwrap_or_default(), TAIL);
                return Ok(count);
            }
            self.finish()?;
        }
        Read::read(&mut self.rest, buffer)
    }

    /// `pg_dump` has closed its output: whether it was done.
    fn finish(&mut self) -> Result<()> {
        let Some(stream) = self.dumping.take() else { return Ok(()) };
        let said = |failure| Error::other(self.access.fault(Code::DumpFailed, failure));
        let result = self.handle.block_on(end(stream.ended)).map_err(said)?;
        if result.code != 0 {
            return Err(said(Failure::Ended(result)));
        }
        if !self.tail.windows(PG_DUMP_TRAILER.len()).any(|window| window == PG_DUMP_TRAILER) {
            return Err(said(Failure::Said("the output of pg_dump is not whole".to_owned())));
        }
        self.session = None;
        Ok(())
    }
}

impl Read for DumpReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if let Some(text) = &self.failed {
            return Err(Error::other(text.clone()));
        }
        self.next(buffer).inspect_err(|error| self.failed = Some(error.to_string()))
    }
}

/// Keeps the last bytes of what went by.
pub(crate) fn keep_end(tail: &mut Vec<u8>, bytes: &[u8], most: usize) {
    tail.extend_from_slice(bytes.get(bytes.len().saturating_sub(most)..).unwrap_or_default());
    let surplus = tail.len().saturating_sub(most);
    tail.drain(..surplus);
}
