//! What gates ask of a live database, and who is in a statement's way.
//!
//! A statement that changes a table waits for every transaction that has read it, for a day if need be
//! (`lock_wait_timeout`), however long that transaction has been asking for nothing. Which transaction holds which
//! table's definition the server says only with a plugin; so the open transactions of the database are named that began
//! before the statement had to wait. Where rows are waited for, the server knows whom for.

use std::collections::BTreeMap;

use eclusa_ports::Blocker;

use super::quote::{identifier, literal};
use super::session::{Access, Failure, Session};
use super::summary::text;

type Outcome<T> = Result<T, Failure>;

/// How many tables are counted by one statement.
const AT_ONCE: usize = 100;

/// How long a gate's query may take, in seconds.
const QUERY_SECONDS: u64 = 60;

/// The rows of each table, in one snapshot.
pub(crate) async fn counts(access: &Access, name: &str) -> Outcome<BTreeMap<String, u64>> {
    let mut session = Session::open(access).await?;
    session.begin_snapshot().await?;
    let tables = session
        .texts(&format!(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} \
             AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY TABLE_NAME;",
            literal(name)
        ))
        .await?;
    let mut counted = BTreeMap::new();
    for tables in tables.chunks(AT_ONCE) {
        let each: Vec<String> = tables
            .iter()
            .map(|table| {
                let of = format!("{}.{}", identifier(name), identifier(table));
                format!("SELECT CONCAT(COUNT(*), ' ', {}) FROM {of}", literal(table))
            })
            .collect();
        for line in session.texts(&format!("{};", each.join(" UNION ALL "))).await? {
            let read = line.split_once(' ').and_then(|(rows, table)| Some((table, rows.parse().ok()?)));
            let (table, rows) = read.ok_or_else(|| Failure::Said(format!("the client answered {line:?}")))?;
            counted.insert(table.to_owned(), rows);
        }
    }
    Ok(counted)
}

/// A query that can change nothing.
pub(crate) async fn query(access: &Access, name: &str, sql: &str) -> Outcome<Vec<String>> {
    let mut session = Session::open(access).await?;
    session
        .run(&format!(
            "USE {}; SET SESSION max_statement_time = {QUERY_SECONDS}; START TRANSACTION READ ONLY;",
            identifier(name)
        ))
        .await?;
    session.texts(&format!("{sql};")).await
}

/// The transactions that are in the way of statements that have waited for so many seconds.
fn in_the_way(name: &str, patience: u64) -> String {
    let of = literal(name);
    format!(
        "SELECT JSON_OBJECT('id', CAST(p.ID AS CHAR), 'user', p.USER, 'host', p.HOST, \
           'seconds', CAST(TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) AS CHAR), \
           'statement', CONCAT(LEFT(REGEXP_REPLACE(IFNULL(p.INFO, ''), '[[:space:]]+', ' '), 80), \
             IF(t.trx_rows_modified > 0, CONCAT(' (', t.trx_rows_modified, ' changes not committed)'), '')), \
           'idle', IF(p.COMMAND = 'Sleep' AND p.USER = {of} AND p.TIME >= {patience}, 'yes', 'no')) \
         FROM information_schema.INNODB_TRX t \
         JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id \
         WHERE p.ID <> CONNECTION_ID() AND (\
           (p.DB = {of} AND EXISTS (SELECT 1 FROM information_schema.PROCESSLIST w \
             WHERE w.DB = {of} AND w.ID <> p.ID AND w.STATE LIKE 'Waiting for table%lock' AND w.TIME >= {patience} \
             AND t.trx_started <= NOW() - INTERVAL w.TIME SECOND)) \
           OR t.trx_id IN (SELECT l.blocking_trx_id FROM information_schema.INNODB_LOCK_WAITS l \
             JOIN information_schema.INNODB_TRX r ON r.trx_id = l.requesting_trx_id \
             JOIN information_schema.PROCESSLIST w ON w.ID = r.trx_mysql_thread_id \
             WHERE w.DB = {of} AND TIMESTAMPDIFF(SECOND, r.trx_wait_started, NOW()) >= {patience})) \
         ORDER BY t.trx_started;"
    )
}

async fn found(session: &mut Session, name: &str, patience: u64) -> Outcome<Vec<Blocker>> {
    let rows = session.rows(&in_the_way(name, patience)).await?;
    let number =
        |text: &str| text.parse().map_err(|_| Failure::Said(format!("the client answered {text:?}")));
    rows.iter()
        .map(|row| {
            Ok(Blocker {
                id: number(text(row, "id")?)?,
                user: text(row, "user")?.to_owned(),
                host: text(row, "host")?.to_owned(),
                seconds: number(text(row, "seconds")?)?,
                statement: text(row, "statement")?.trim().to_owned(),
                idle: text(row, "idle")? == "yes",
            })
        })
        .collect()
}

pub(crate) async fn blockers(access: &Access, name: &str, patience: u64) -> Outcome<Vec<Blocker>> {
    let mut session = Session::open(access).await?;
    found(&mut session, name, patience).await
}

/// Ends a connection that is still idle and still in the way.
pub(crate) async fn end_blocker(access: &Access, name: &str, id: u64) -> Outcome<bool> {
    let mut session = Session::open(access).await?;
    let still = found(&mut session, name, 1).await?;
    if !still.iter().any(|blocker| blocker.id == id && blocker.idle) {
        return Ok(false);
    }
    match session.run(&format!("KILL CONNECTION {id};")).await {
        // It went by itself.
        Err(failure) if failure.is_error(&[1094]) => Ok(false),
        outcome => outcome.map(|()| true),
    }
}
