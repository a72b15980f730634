//! What a MariaDB database holds, computed by the server: all but the rows for every dump, and the rows too for points
//! that were taken before checksums came from what is dumped (see [`rows_dumped`](super::rows_dumped)).
//!
//! A table's checksum of this kind does not depend on the order of its rows or columns: each row, its columns in the order of their
//! names, becomes text under fixed settings (see the session; texts quoted, so that NULL, '' and 'NULL' differ; binary
//! values as hexadecimal digits, long ones by their MD5); the first 64 bits of the row's MD5 are summed over all rows as
//! unsigned numbers without overflow. Two equal rows do not cancel each other. It guards against loss and mistakes, not
//! against forgery.
//!
//! Other objects are counted by kind, with a hash of what a restore brings back letter by letter. Where a definition
//! names its own database (views do), that name is left out. The counters of `AUTO_INCREMENT` take no part: a server
//! may let them skip.

use std::collections::BTreeMap;

use eclusa_ports::{Checksums, DatabaseSummary, TableSummary};
use serde_json::Value;

use super::quote::{identifier, literal};
use super::session::{Failure, Session};

type Outcome<T> = Result<T, Failure>;

/// How a column becomes text.
fn canonical(column: &Value) -> Outcome<String> {
    let name = identifier(text(column, "name")?);
    Ok(match text(column, "type")? {
        "tinytext" | "text" | "mediumtext" | "longtext" => format!("MD5({name})"),
        "tinyblob" | "blob" | "mediumblob" | "longblob" => format!("MD5({name})"),
        "binary" | "varbinary" => format!("HEX({name})"),
        "bit" => format!("HEX({name} + 0)"),
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" => {
            format!("CONCAT(ST_SRID({name}), ':', MD5(ST_AsWKB({name})))")
        }
        "char" | "varchar" | "enum" | "set" => format!("CONVERT({name} USING utf8mb4)"),
        _ => format!("CAST({name} AS CHAR CHARACTER SET utf8mb4)"),
    })
}

async fn table(session: &mut Session, database: &str, name: &str) -> Outcome<TableSummary> {
    let columns = session
        .rows(&format!(
            "SELECT JSON_OBJECT('name', COLUMN_NAME, 'type', LOWER(DATA_TYPE)) FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} ORDER BY CAST(COLUMN_NAME AS BINARY);",
            literal(database),
            literal(name)
        ))
        .await?;
    let mut parts = Vec::new();
    for column in &columns {
        parts.push(format!("QUOTE({})", canonical(column)?));
    }
    let row =
        if parts.is_empty() { "''".to_owned() } else { format!("CONCAT_WS(',', {})", parts.join(", ")) };
    let row = session
        .text(&format!(
            "SELECT CONCAT(COUNT(*), ' ', COALESCE(SUM(CAST(CONV(LEFT(MD5({row}), 16), 16, 10) AS UNSIGNED)), 0)) \
             FROM {}.{};",
            identifier(database),
            identifier(name)
        ))
        .await?;
    let read =
        row.split_once(' ').and_then(|(rows, checksum)| Some((rows.parse().ok()?, checksum.to_owned())));
    let (rows, checksum) = read.ok_or_else(|| Failure::Said(format!("the client answered {row:?}")))?;
    Ok(TableSummary { rows, checksum })
}

/// Everything else, by kind: a query of texts each.
fn objects(database: &str) -> Vec<(&'static str, String)> {
    let of = literal(database);
    // A view's text names the database it is in.
    let own = literal(&format!("{}.", identifier(database)));
    vec![
        (
            "columns",
            format!(
                "SELECT CONCAT_WS(' ', TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, EXTRA, COLLATION_NAME, \
             REPLACE(IFNULL(COLUMN_DEFAULT, 'NULL'), {own}, ''), GENERATION_EXPRESSION) AS what FROM information_schema.COLUMNS \
             WHERE TABLE_SCHEMA = {of}"
            ),
        ),
        (
            "tables",
            format!(
                "SELECT CONCAT_WS(' ', TABLE_NAME, ENGINE, TABLE_COLLATION, TABLE_TYPE) AS what FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = {of} AND TABLE_TYPE NOT LIKE '%VIEW'"
            ),
        ),
        (
            "indexes",
            format!(
                "SELECT CONCAT_WS(' ', TABLE_NAME, INDEX_NAME, NON_UNIQUE, SEQ_IN_INDEX, COLUMN_NAME, SUB_PART, INDEX_TYPE) AS what \
             FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {of}"
            ),
        ),
        (
            "foreign keys",
            format!(
                "SELECT CONCAT_WS(' ', TABLE_NAME, CONSTRAINT_NAME, COLUMN_NAME, \
             NULLIF(REFERENCED_TABLE_SCHEMA, {of}), REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME) AS what \
             FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = {of} AND REFERENCED_TABLE_NAME IS NOT NULL"
            ),
        ),
        (
            "checks",
            format!(
                "SELECT CONCAT_WS(' ', TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE) AS what FROM information_schema.CHECK_CONSTRAINTS \
             WHERE CONSTRAINT_SCHEMA = {of}"
            ),
        ),
        (
            "views",
            format!(
                "SELECT CONCAT_WS(' ', TABLE_NAME, REPLACE(VIEW_DEFINITION, {own}, ''), CHECK_OPTION, DEFINER, SECURITY_TYPE) AS what \
             FROM information_schema.VIEWS WHERE TABLE_SCHEMA = {of}"
            ),
        ),
        (
            "triggers",
            format!(
                "SELECT CONCAT_WS(' ', TRIGGER_NAME, EVENT_MANIPULATION, EVENT_OBJECT_TABLE, ACTION_TIMING, ACTION_STATEMENT, \
             DEFINER, SQL_MODE) AS what FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {of}"
            ),
        ),
        (
            "routines",
            format!(
                "SELECT CONCAT_WS(' ', ROUTINE_TYPE, ROUTINE_NAME, DTD_IDENTIFIER, ROUTINE_DEFINITION, DEFINER, SQL_MODE) AS what \
             FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = {of}"
            ),
        ),
        (
            "events",
            format!(
                "SELECT CONCAT_WS(' ', EVENT_NAME, EVENT_DEFINITION, EXECUTE_AT, INTERVAL_VALUE, INTERVAL_FIELD, DEFINER, \
             SQL_MODE) AS what FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {of}"
            ),
        ),
    ]
}

/// The tables of a database that have rows.
pub(crate) async fn table_names(session: &mut Session, database: &str) -> Outcome<Vec<String>> {
    session
        .texts(&format!(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} \
             AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY TABLE_NAME;",
            literal(database)
        ))
        .await
}

/// Summarises a database in the session's transaction.
pub(crate) async fn summarise(session: &mut Session, database: &str) -> Outcome<DatabaseSummary> {
    let mut tables = BTreeMap::new();
    for name in table_names(session, database).await? {
        let found = table(session, database, &name).await?;
        tables.insert(name, found);
    }
    let objects = objects_of(session, database).await?;
    Ok(DatabaseSummary { checksums: Checksums::Server, tables, objects })
}

/// Everything but the rows of tables.
pub(crate) async fn objects_of(session: &mut Session, database: &str) -> Outcome<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    let sequences = session
        .texts(&format!(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_TYPE = 'SEQUENCE' \
             ORDER BY TABLE_NAME;",
            literal(database)
        ))
        .await?;
    for name in &sequences {
        let value = session
            .text(&format!(
                "SELECT CONCAT_WS(' ', next_not_cached_value, minimum_value, maximum_value, start_value, increment, \
                 cycle_option) FROM {}.{};",
                identifier(database),
                identifier(name)
            ))
            .await?;
        found.insert(format!("sequence {name}"), value);
    }
    for (kind, query) in objects(database) {
        let counted = session
            .text(&format!(
                "SELECT CONCAT(COUNT(*), ', ', LEFT(MD5(IFNULL(GROUP_CONCAT(what ORDER BY CAST(what AS BINARY) \
                 SEPARATOR '\\n'), '')), 16)) FROM ({query}) AS found;"
            ))
            .await?;
        if !counted.starts_with("0, ") {
            found.insert(kind.to_owned(), counted);
        }
    }
    let settings = session
        .text(&format!(
            "SELECT CONCAT(DEFAULT_CHARACTER_SET_NAME, ' ', DEFAULT_COLLATION_NAME) FROM information_schema.SCHEMATA \
             WHERE SCHEMA_NAME = {};",
            literal(database)
        ))
        .await?;
    found.insert("character set".to_owned(), settings);
    Ok(found)
}

pub(crate) fn text<'a>(row: &'a Value, key: &str) -> Outcome<&'a str> {
    row.get(key)
        .and_then(Value::as_str)
        .ok_or_else(|| Failure::Said(format!("the client's answer lacks {key:?}")))
}
