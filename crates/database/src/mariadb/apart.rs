//! Tables that are in no snapshot: those of MyISAM and Aria. Frappe makes some (`__global_search`, `tabError Log`), and
//! MariaDB reads them as they are at the moment.
//!
//! They are held for reading while they are dumped, by `FLUSH TABLES … WITH READ LOCK`. Under `LOCK TABLES`
//! a writer would wait for the table itself, and whoever reads after it, the dump too, would wait for that writer; this
//! way writers wait before the table and readers go on. So that writers wait only for as long as these tables take, their
//! dump goes to a file first, and comes before that of the others.

use std::fs::File;
use std::path::Path;

use eclusa_fault::{Code, Fault};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use super::dump::{COMPLETED, shaped};
use super::parts::Plan;
use super::quote::{identifier, literal};
use super::session::{Access, Failure, Session, end};
use crate::server::{PIECE, holds};

type Outcome<T> = std::result::Result<T, Failure>;

/// Engines whose rows lie in the server's own files, and in no snapshot.
const ENGINES: [&str; 2] = ["MyISAM", "Aria"];

/// The tables of a database that are in no snapshot, in the order of their names.
///
/// # Errors
/// `DatabaseUnsupported` for a table of another engine, whose rows may lie anywhere.
pub(super) async fn tables(session: &mut Session, database: &str) -> Outcome<Vec<String>> {
    let engines = ENGINES.map(literal).join(", ");
    let tables = |what: &str, which: &str| {
        format!(
            "SELECT {what} FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} \
             AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND {which} ORDER BY TABLE_NAME",
            literal(database)
        )
    };
    let unsupported =
        |problem: String| Failure::Fault(Fault::new(Code::DatabaseUnsupported).with("problem", problem));
    let others = tables(
        "CONCAT(TABLE_NAME, ' (', ENGINE, ')')",
        &format!("ENGINE <> 'InnoDB' AND ENGINE NOT IN ({engines})"),
    );
    let others = session.texts(&format!("{others} LIMIT 5;")).await?;
    if !others.is_empty() {
        let others = others.join(", ");
        return Err(unsupported(format!("tables of other engines than InnoDB, MyISAM and Aria: {others}")));
    }
    let mut found =
        session.texts(&format!("{};", tables("TABLE_NAME", &format!("ENGINE IN ({engines})")))).await?;
    if !found.is_empty() && database.contains('.') {
        // `mariadb-dump --ignore-table` takes what stands before the first dot for the database.
        let found = found.join(", ");
        return Err(unsupported(format!(
            "tables of MyISAM or Aria ({found}) in a database with a dot in its name"
        )));
    }
    // Not in the order of the server's collation, which differs.
    found.sort();
    Ok(found)
}

/// Holds tables for reading, until the session ends or gives them up.
pub(super) async fn hold(session: &mut Session, database: &str, tables: &[String], wait: u64) -> Outcome<()> {
    let names: Vec<String> =
        tables.iter().map(|table| format!("{}.{}", identifier(database), identifier(table))).collect();
    session
        .run(&format!(
            "SET SESSION lock_wait_timeout = {wait}; FLUSH TABLES {} WITH READ LOCK;",
            names.join(", ")
        ))
        .await
}

/// What makes the dump of the others leave these out.
pub(super) fn left_out(database: &str, tables: &[String]) -> Vec<String> {
    tables.iter().map(|table| format!("--ignore-table={database}.{table}")).collect()
}

/// Dumps tables to a file without a name in this directory, which is read from its beginning; where their structure comes
/// in another stream, only their rows.
pub(super) async fn dumped(
    access: &Access,
    program: &str,
    database: &str,
    tables: &[String],
    plan: &Plan,
    directory: &Path,
) -> Outcome<File> {
    let said =
        |error: std::io::Error| Failure::Said(format!("a copy of its tables cannot be written: {error}"));
    let mut arguments = shaped();
    arguments.push("--order-by-primary".to_owned());
    let rows_only = ["--no-create-info", "--skip-triggers"];
    let with_structure = ["--triggers"];
    let what: &[&str] = if plan.is_whole() { &with_structure } else { &rows_only };
    arguments.extend(what.iter().map(|word| (*word).to_owned()));
    arguments.push("--".to_owned());
    arguments.push(database.to_owned());
    arguments.extend(tables.iter().cloned());
    let mut stream = access.start_mariadb(program, &arguments).await?;
    tokio::fs::create_dir_all(directory).await.map_err(said)?;
    let place = directory.to_owned();
    let file = tokio::task::spawn_blocking(move || tempfile::tempfile_in(place)).await;
    let file = file.map_err(|error| Failure::Said(error.to_string()))?.map_err(said)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut piece = vec![0; PIECE];
    let mut tail = Vec::new();
    loop {
        let count = stream.stdout.read(&mut piece).await.map_err(|error| Failure::Said(error.to_string()))?;
        let read = piece.get(..count).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        crate::server::keep_end(&mut tail, read, 512);
        file.write_all(read).await.map_err(said)?;
    }
    let result = end(stream.ended).await?;
    if result.code != 0 {
        return Err(Failure::Ended(result));
    }
    if !holds(&tail, COMPLETED) {
        return Err(Failure::Said(format!("the output of {program} is not whole")));
    }
    file.flush().await.map_err(said)?;
    file.rewind().await.map_err(said)?;
    Ok(file.into_std().await)
}
