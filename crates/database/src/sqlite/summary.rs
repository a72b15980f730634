//! What a SQLite database holds.
//!
//! A table's checksum does not depend on the order of its rows and changes with any of them: each row is encoded
//! without ambiguity, hashed with SHA-256, and the hashes are added modulo 2^256 (so two equal rows do not cancel
//! each other). The encoding of a row is its values in the declared order of the columns, each as one byte for its
//! storage class and then: NULL (0) nothing; INTEGER (1) eight bytes, most significant first; REAL (2) the
//! eight bytes of its IEEE 754 form, most significant first; TEXT (3) and BLOB (4) the length in eight bytes and the bytes. The
//! rowid takes part only where it is a declared column.

use std::collections::BTreeMap;
use std::path::Path;

use eclusa_ports::{DatabaseSummary, TableSummary};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use sha2::{Digest, Sha256};

use super::{Problem, open_untouched};

/// What a complete file holds that nobody else uses. Nothing is written beside it.
///
/// # Errors
/// When it is no database or is damaged.
pub fn summarise_file(path: &Path) -> Result<DatabaseSummary, Problem> {
    summarise(&open_untouched(path)?)
}

/// What a database holds in the transaction of this connection.
pub(crate) fn summarise(connection: &Connection) -> Result<DatabaseSummary, Problem> {
    let mut summary = DatabaseSummary::default();
    for name in tables(connection)? {
        let table = summarise_table(connection, &name)?;
        summary.tables.insert(name, table);
    }
    summary.objects = objects(connection)?;
    Ok(summary)
}

/// The tables that hold rows of their own: all but SQLite's own and virtual ones, whose rows lie in others.
fn tables(connection: &Connection) -> Result<Vec<String>, Problem> {
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 AND substr(name, 1, 7) <> 'sqlite_'",
    )?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names)
}

fn summarise_table(connection: &Connection, name: &str) -> Result<TableSummary, Problem> {
    let mut statement = connection.prepare(&format!("SELECT * FROM {}", quoted(name)))?;
    let columns = statement.column_count();
    let mut rows = statement.query([])?;
    let (mut count, mut sum) = (0_u64, Sum::default());
    while let Some(row) = rows.next()? {
        let mut hash = Sha256::new();
        for column in 0..columns {
            encode(&mut hash, row.get_ref(column)?);
        }
        sum.add(&hash.finalize().into());
        count += 1;
    }
    Ok(TableSummary { rows: count, checksum: sum.text() })
}

fn encode(hash: &mut Sha256, value: ValueRef<'_>) {
    match value {
        ValueRef::Null => hash.update([0]),
        ValueRef::Integer(number) => {
            hash.update([1]);
            hash.update(number.to_be_bytes());
        }
        ValueRef::Real(number) => {
            hash.update([2]);
            hash.update(number.to_bits().to_be_bytes());
        }
        ValueRef::Text(bytes) => counted(hash, 3, bytes),
        ValueRef::Blob(bytes) => counted(hash, 4, bytes),
    }
}

fn counted(hash: &mut Sha256, class: u8, bytes: &[u8]) {
    hash.update([class]);
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

/// A sum modulo 2^256, most significant byte first.
#[derive(Default)]
struct Sum([u8; 32]);

impl Sum {
    fn add(&mut self, other: &[u8; 32]) {
        let mut carry = 0_u16;
        for (own, other) in self.0.iter_mut().zip(other).rev() {
            let [high, low] = (u16::from(*own) + u16::from(*other) + carry).to_be_bytes();
            *own = low;
            carry = u16::from(high);
        }
    }

    fn text(&self) -> String {
        hex::encode(self.0)
    }
}

/// How many objects of each kind there are and a hash of what defines them, and the numbers that live in no table.
fn objects(connection: &Connection) -> Result<BTreeMap<String, String>, Problem> {
    let mut found = BTreeMap::new();
    for (kind, title) in
        [("table", "tables"), ("view", "views"), ("trigger", "triggers"), ("index", "indexes")]
    {
        let mut statement = connection.prepare(
            "SELECT name, coalesce(sql, '') FROM sqlite_schema WHERE type = ?1 ORDER BY name, sql",
        )?;
        let mut rows = statement.query([kind])?;
        let (mut count, mut hash) = (0_u64, Sha256::new());
        while let Some(row) = rows.next()? {
            counted(&mut hash, 3, row.get_ref(0)?.as_bytes().unwrap_or_default());
            counted(&mut hash, 3, row.get_ref(1)?.as_bytes().unwrap_or_default());
            count += 1;
        }
        let digest = hex::encode(hash.finalize());
        found.insert(title.to_owned(), format!("{count}, {}", digest.get(..16).unwrap_or(&digest)));
    }
    for setting in ["user_version", "application_id"] {
        let value: i64 = connection.query_row(&format!("PRAGMA {setting}"), [], |row| row.get(0))?;
        found.insert(setting.to_owned(), value.to_string());
    }
    let counting: bool = connection.query_row(
        "SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'sqlite_sequence'",
        [],
        |row| row.get(0),
    )?;
    if counting {
        let mut statement = connection.prepare("SELECT name, seq FROM sqlite_sequence")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (name, value): (String, Option<i64>) = (row.get(0)?, row.get(1)?);
            found.insert(format!("sequence {name}"), value.unwrap_or_default().to_string());
        }
    }
    Ok(found)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
