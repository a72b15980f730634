//! Rows of several tables, whole and of one moment, for people to read and compare.
//!
//! Each row comes as one JSON object that the server itself makes: numbers as numbers, dates and texts as text, bytes as
//! hexadecimal digits. All are read in one transaction that sees the data of one moment and can write nothing.

use std::collections::{BTreeMap, BTreeSet};

use eclusa_ports::{Row, RowsWanted};
use serde_json::Value;

use super::catalogue;
use super::quote::{identifier, literal};
use super::session::{Access, Failure, Session};
use super::summary::text;

type Outcome<T> = Result<T, Failure>;

/// The columns of a table: name and type, in their order.
type Columns = Vec<(String, String)>;

/// How a column's value comes out. A column of type JSON would come as an object where its text is wanted.
fn shown(name: &str, kind: &str) -> String {
    let name = identifier(name);
    match kind {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "float" | "double" | "year" => {
            name
        }
        "bit" => format!("{name} + 0"),
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => format!("HEX({name})"),
        _ => format!("CONVERT(CAST({name} AS CHAR) USING utf8mb4)"),
    }
}

async fn columns(
    session: &mut Session,
    database: &str,
    tables: &[String],
) -> Outcome<BTreeMap<String, Columns>> {
    let names: Vec<String> = tables.iter().map(|name| literal(name)).collect();
    let found = session
        .rows(&format!(
            "SELECT JSON_OBJECT('table', c.TABLE_NAME, 'name', c.COLUMN_NAME, 'type', LOWER(c.DATA_TYPE)) \
             FROM information_schema.COLUMNS c JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME) \
             WHERE c.TABLE_SCHEMA = {} AND c.TABLE_NAME IN ({}) AND t.TABLE_TYPE = 'BASE TABLE' \
             ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION;",
            literal(database),
            names.join(", ")
        ))
        .await?;
    let mut tables: BTreeMap<String, Columns> = BTreeMap::new();
    for column in &found {
        let of = tables.entry(text(column, "table")?.to_owned()).or_default();
        of.push((text(column, "name")?.to_owned(), text(column, "type")?.to_owned()));
    }
    Ok(tables)
}

fn query(database: &str, wanted: &RowsWanted, columns: &Columns) -> String {
    let values: Vec<String> =
        columns.iter().map(|(name, kind)| format!("{}, {}", literal(name), shown(name, kind))).collect();
    let known: BTreeSet<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    let limits: Vec<String> = wanted
        .only
        .iter()
        .filter(|(column, _)| known.contains(column.as_str()))
        .map(|(column, texts)| {
            let texts: Vec<String> = texts.iter().map(|text| literal(text)).collect();
            format!("IFNULL(CAST({} AS CHAR), '') IN ({})", identifier(column), texts.join(", "))
        })
        .collect();
    let limits = if limits.is_empty() { String::new() } else { format!(" WHERE {}", limits.join(" AND ")) };
    format!(
        "SELECT JSON_OBJECT({}) FROM {}.{}{limits};",
        values.join(", "),
        identifier(database),
        identifier(&wanted.table)
    )
}

/// Reads them.
pub(crate) async fn rows(
    access: &Access,
    name: &str,
    wanted: &[RowsWanted],
) -> Outcome<Vec<Option<Vec<Row>>>> {
    let mut session = Session::open(access).await?;
    if catalogue::comment(&mut session, name).await?.is_none() {
        return Err(Failure::Said(format!("the database {name:?} does not exist")));
    }
    session.begin_snapshot().await?;
    let tables: Vec<String> = wanted.iter().map(|one| one.table.clone()).collect();
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let columns = columns(&mut session, name, &tables).await?;
    let mut all = Vec::with_capacity(wanted.len());
    for one in wanted {
        let Some(columns) = columns.get(&one.table) else {
            all.push(None);
            continue;
        };
        let found = session.rows(&query(name, one, columns)).await?;
        let rows: Option<Vec<Row>> = found
            .into_iter()
            .map(|row| match row {
                Value::Object(row) => Some(row),
                _ => None,
            })
            .collect();
        all.push(Some(rows.ok_or_else(|| Failure::Said("the client answered no row".to_owned()))?));
    }
    Ok(all)
}
