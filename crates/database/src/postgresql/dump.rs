//! A dump: what `pg_dump` writes in one snapshot, then the sequences as the summary saw them (they stand outside of every
//! snapshot), then a line by which a whole stream is known.
//!
//! A session exports the snapshot and is kept until the last program that dumps in it has ended. The tables are counted
//! from the rows as they pass, so the server reads them once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Error, Read};
use std::sync::{Arc, Mutex};

use eclusa_fault::{Code, Fault};
use eclusa_ports::{Dump, DumpStream, StreamOpener, SummaryOpener};
use serde_json::Value;
use tokio::runtime::Handle;

use super::parts::{Part, parts};
use super::rows_dumped::{Counting, DumpedRows, TableName};
use super::session::{Access, Session};
use super::summary::{Sequence, Table, TableKind, dumped_tables, objects_of, text};
use crate::Shape;
use crate::rows_counted::Sum;
use crate::server::{Begun, DumpReader, Ending, PIECE, TRAILER};

/// What `pg_dump` writes when it is done. Versions with the mend of CVE-2025-8714 write `\unrestrict` after it.
const PG_DUMP_TRAILER: &[u8] = b"\n-- PostgreSQL database dump complete\n--\n";
/// The oldest version whose catalogue is understood.
const OLDEST: u64 = 120_000;

/// Takes the snapshot; the streams follow when they are opened.
pub(crate) async fn dump(access: &Access, database: &str, shape: Shape) -> std::result::Result<Dump, Fault> {
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
    let tables = dumped_tables(&mut session).await.map_err(said)?;
    let (objects, sequences) = objects_of(&mut session).await.map_err(said)?;
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
    let inheriting = tables.iter().filter(|table| table.inherits);
    let dumping = Dumping {
        access: access.clone(),
        database: database.to_owned(),
        argv,
        session: Arc::new(Mutex::new(session)),
        counting: Counting::default(),
        inheriting: Arc::new(inheriting.map(|table| table.name.clone()).collect()),
    };
    let parts = parts(&tables, shape);
    let with_rows = parts.iter().filter(|part| part.has_rows()).count();
    let streams = parts.into_iter().map(|part| {
        let rest = if part.is_last() { rest(&sequences) } else { TRAILER.to_vec() };
        DumpStream { name: part.name(), open: dumping.stream(&part, rest) }
    });
    let streams = streams.collect();
    let summary = dumping.summary(with_rows, tables, objects);
    Ok(Dump { engine: format!("postgresql {version}"), streams, summary, log: None })
}

const SERVER: &str = "SELECT json_build_object('version', split_part(current_setting('server_version'), ' ', 1), \
     'number', current_setting('server_version_num')::int, \
     'superuser', (SELECT rolsuper FROM pg_roles WHERE rolname = current_user));";

/// A dump whose snapshot is taken.
struct Dumping {
    access: Access,
    database: String,
    argv: Vec<String>,
    /// It holds the snapshot.
    session: Arc<Mutex<Session>>,
    counting: Counting,
    inheriting: Arc<BTreeSet<TableName>>,
}

impl Dumping {
    fn stream(&self, part: &Part, rest: Vec<u8>) -> StreamOpener {
        let (access, database, handle) = (self.access.clone(), self.database.clone(), Handle::current());
        let argv: Vec<String> = self.argv.iter().cloned().chain(part.arguments()).collect();
        let snapshot = Arc::clone(&self.session);
        let counting = part.has_rows().then(|| (self.counting.clone(), self.inheriting.clone()));
        Box::new(move || {
            let stream = handle
                .block_on(access.start_postgresql(argv, &database))
                .map_err(|failure| Error::other(access.fault(Code::DumpFailed, failure)))?;
            let ending = Ending { program: "pg_dump", words: PG_DUMP_TRAILER };
            let begun = Begun { stream, read: Vec::new() };
            let reader = DumpReader::new(access, handle, ending, begun, rest).holding(snapshot);
            let reader = BufReader::with_capacity(PIECE, reader);
            Ok(match counting {
                Some((counting, inheriting)) => {
                    Box::new(DumpedRows::new(reader, counting, inheriting)) as Box<dyn Read + Send>
                }
                None => Box::new(reader),
            })
        })
    }

    fn summary(
        &self,
        expected: usize,
        tables: Vec<Table>,
        objects: BTreeMap<String, String>,
    ) -> SummaryOpener {
        let (counting, tenant) = (self.counting.clone(), self.access.tenant.clone());
        Box::new(move || {
            let sums = |counted: &mut BTreeMap<TableName, Sum>| {
                let of = |table: Table| match (table.kind, counted.remove(&table.name)) {
                    (TableKind::OfExtension, _) | (TableKind::Partitioned, None) => None,
                    (TableKind::Own | TableKind::Partitioned, sum) => {
                        Some((table.shown, sum.unwrap_or_default().summary()))
                    }
                };
                tables.into_iter().filter_map(of).collect()
            };
            let shown = |(schema, name): &TableName| format!("{schema}.{name}");
            counting.summary(&tenant, expected, objects, sums, shown)
        })
    }
}

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
