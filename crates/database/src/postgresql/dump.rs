//! A dump: what `pg_dump` writes in the snapshot that the summary was computed in, then the sequences as the
//! summary saw them (they stand outside of every snapshot), then a line by which a whole dump is known.

use std::io::{BufReader, Error, Read};

use eclusa_fault::{Code, Fault};
use eclusa_ports::Dump;
use serde_json::Value;
use tokio::runtime::Handle;

use super::session::{Access, Session};
use super::summary::{Sequence, summarise, text};
use crate::server::{Begun, DumpReader, Ending, PIECE, TRAILER};

/// What `pg_dump` writes when it is done. Versions with the mend of CVE-2025-8714 write `\unrestrict` after it.
const PG_DUMP_TRAILER: &[u8] = b"\n-- PostgreSQL database dump complete\n--\n";
/// The oldest version whose catalogue is understood.
const OLDEST: u64 = 120_000;

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
    let open = Box::new(move || {
        let stream = handle
            .block_on(access.start_postgresql(argv, &database))
            .map_err(|failure| Error::other(access.fault(Code::DumpFailed, failure)))?;
        let ending = Ending { program: "pg_dump", words: PG_DUMP_TRAILER };
        let begun = Begun { stream, read: Vec::new() };
        // The session holds the snapshot.
        let reader = DumpReader::new(access, handle, ending, begun, rest(&sequences)).holding(session);
        Ok(Box::new(BufReader::with_capacity(PIECE, reader)) as Box<dyn Read + Send>)
    });
    Ok(Dump::single("database.sql", format!("postgresql {version}"), summary, open))
}

const SERVER: &str = "SELECT json_build_object('version', split_part(current_setting('server_version'), ' ', 1), \
     'number', current_setting('server_version_num')::int, \
     'superuser', (SELECT rolsuper FROM pg_roles WHERE rolname = current_user));";

/// What stands behind what `pg_dump` writes.
fn rest(sequences: &[Sequence]) -> Vec<u8> {
    let mut rest = b"\n-- Sequences, as the summary of this dump saw them.\n".to_vec();
    for sequence in sequences {
        rest.extend_from_slice(sequence.statement().as_bytes());
        rest.push(b'\n');
    }
    rest.extend_from_slice(TRAILER);
    rest
}
