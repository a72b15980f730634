//! What a tenant has: rows per table and files, counted and summed up, to compare before and after.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::types::ValueRef;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Trouble, database_path, receipts_directory, store, tenant_directory};

/// A table: its rows, and the sum of their hashes, which does not depend on their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableCensus {
    /// How many rows.
    pub rows: u64,
    /// 32 hexadecimal digits: the sum, modulo 2^128, of the first 16 bytes of each row's SHA-256.
    pub checksum: String,
}

/// The files of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilesCensus {
    /// How many files.
    pub count: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// SHA-256 over names and contents, in the order of the names.
    pub checksum: String,
}

/// What a tenant has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Census {
    /// The schema's number; `None` for a database that is half migrated.
    pub schema: Option<u32>,
    /// By table.
    pub tables: BTreeMap<String, TableCensus>,
    /// The uploaded files.
    pub files: FilesCensus,
}

impl Census {
    /// The rows of all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.values().map(|table| table.rows).sum()
    }
}

/// Counts what a tenant has. The tables are of one snapshot; files that are added meanwhile may be in it or not.
///
/// # Errors
/// When database or disk fail.
pub fn census(data: &Path, tenant: &str) -> Result<Census, Trouble> {
    let directory = tenant_directory(data, tenant)?;
    let mut connection = store::open(&database_path(&directory))?;
    let snapshot = connection.transaction()?;
    let names: Vec<String> = snapshot
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut tables = BTreeMap::new();
    for name in names {
        let table = table(&snapshot, &name)?;
        tables.insert(name, table);
    }
    Ok(Census {
        schema: store::schema(&snapshot).ok(),
        tables,
        files: files(&receipts_directory(&directory))?,
    })
}

fn table(connection: &rusqlite::Connection, name: &str) -> Result<TableCensus, Trouble> {
    let mut statement = connection.prepare(&format!("SELECT * FROM \"{}\"", name.replace('"', "\"\"")))?;
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let (mut count, mut sum) = (0_u64, 0_u128);
    while let Some(row) = rows.next()? {
        let mut hash = Sha256::new();
        let mut add = |tag: u8, bytes: &[u8]| {
            hash.update([tag]);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        for (index, column) in columns.iter().enumerate() {
            add(b'c', column.as_bytes());
            match row.get_ref(index)? {
                ValueRef::Null => add(b'n', b""),
                ValueRef::Integer(value) => add(b'i', &value.to_le_bytes()),
                ValueRef::Real(value) => add(b'r', &value.to_le_bytes()),
                ValueRef::Text(value) => add(b't', value),
                ValueRef::Blob(value) => add(b'b', value),
            }
        }
        let digest = hash.finalize();
        let first = digest.iter().take(16).fold(0_u128, |sum, byte| (sum << 8) | u128::from(*byte));
        sum = sum.wrapping_add(first);
        count += 1;
    }
    Ok(TableCensus { rows: count, checksum: format!("{sum:032x}") })
}

fn files(directory: &Path) -> Result<FilesCensus, Trouble> {
    let at = |error: std::io::Error| Trouble::at(directory, error);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(at)? {
        let name = entry.map_err(at)?.file_name();
        // One that begins with a dot is being written.
        if !name.as_encoded_bytes().starts_with(b".") {
            names.push(name);
        }
    }
    names.sort();
    let mut hash = Sha256::new();
    let mut census = FilesCensus { count: 0, bytes: 0, checksum: String::new() };
    for name in names {
        let path = directory.join(&name);
        let content = std::fs::read(&path).map_err(|error| Trouble::at(&path, error))?;
        hash.update(name.as_encoded_bytes());
        hash.update([0]);
        hash.update((content.len() as u64).to_le_bytes());
        hash.update(&content);
        census.count += 1;
        census.bytes += content.len() as u64;
    }
    census.checksum = hex::encode(hash.finalize());
    Ok(census)
}
