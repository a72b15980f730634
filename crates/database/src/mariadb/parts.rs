//! Of which streams the dump of a database is made.
//!
//! One that is small is `database.sql`. One that is bigger:
//!
//! | stream | what is in it |
//! |---|---|
//! | `database/1-structure.sql` | tables and sequences, without rows and triggers |
//! | `database/2-rows-N.sql` | the rows of some of the tables, about as much in each of them |
//! | `database/2-rows-apart.sql` | the rows of tables that are in no snapshot |
//! | `database/3-definitions.sql` | triggers, routines and events, and the values of sequences |
//! | `database/4-views.sql` | views |
//!
//! Rows come in the order of `creation` and `name` where a table has both columns, as every DocType of Frappe: names are
//! random there, so that in the order of the key a day's new rows would be scattered over the whole stream, and a vault
//! would find little of it again. A table that is too big to be sorted in the server's memory comes in the order of its
//! key, as all others do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use super::apart;
use super::dump::shaped;
use super::quote;
use super::quote::identifier;
use super::session::{Failure, Session};
use super::summary::text;
use crate::Shape;
use crate::shares::shared_out;
use crate::streams;

type Outcome<T> = std::result::Result<T, Failure>;

/// A stream of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything, but for the rows of tables that are in no snapshot, which come before it.
    Whole { apart: Vec<String> },
    /// Tables and sequences.
    Structure { tables: Vec<String> },
    /// Rows of tables, each in the order of its creation or of its key.
    Rows { number: usize, tables: Vec<String>, by_creation: bool, mark: String },
    /// Rows of tables that are in no snapshot.
    Apart,
    /// Triggers, routines and events.
    Definitions,
    /// Views.
    Views { names: Vec<String> },
}

/// The streams of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) parts: Vec<Part>,
}

impl Plan {
    /// Whether it is a single stream.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.parts.as_slice(), [Part::Whole { .. }])
    }
}

impl Part {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Whole { .. } => streams::WHOLE.to_owned(),
            Self::Structure { .. } => streams::structure(),
            Self::Rows { number, .. } => streams::rows(&number.to_string()),
            Self::Apart => streams::rows("apart"),
            Self::Definitions => streams::definitions(),
            Self::Views { .. } => streams::views(),
        }
    }

    /// Whether its program sees the snapshot and is started with it.
    pub(super) fn is_begun_at_once(&self) -> bool {
        matches!(self, Self::Whole { .. } | Self::Rows { .. })
    }

    /// By what its statements are known on the server.
    pub(super) fn mark(&self) -> Option<&str> {
        match self {
            Self::Rows { mark, .. } => Some(mark),
            _ => None,
        }
    }

    /// The arguments of `mariadb-dump`.
    pub(super) fn arguments(&self, database: &str) -> Vec<String> {
        let mut arguments = shaped();
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(|word| (*word).to_owned()));
        let mut tables: &[String] = &[];
        match self {
            Self::Whole { apart } => {
                add(&["--order-by-primary", "--routines", "--triggers", "--events"]);
                arguments.extend(apart::left_out(database, apart));
            }
            Self::Structure { tables: all } => {
                add(&["--no-data", "--skip-triggers"]);
                tables = all;
            }
            Self::Rows { tables: some, by_creation, mark, .. } => {
                add(&["--no-create-info", "--skip-triggers"]);
                let order = if *by_creation { " ORDER BY `creation`, `name`" } else { "" };
                add(&[&format!("--where={} <> ''{order}", quote::literal(mark))]);
                if !by_creation {
                    add(&["--order-by-primary"]);
                }
                tables = some;
            }
            // Its rows come from a file.
            Self::Apart => {}
            Self::Definitions => {
                add(&["--no-create-info", "--no-data", "--triggers", "--routines", "--events"]);
            }
            Self::Views { names } => {
                add(&["--no-data", "--skip-triggers"]);
                tables = names;
            }
        }
        arguments.push("--".to_owned());
        arguments.push(database.to_owned());
        arguments.extend(tables.iter().cloned());
        arguments
    }
}

/// A table, as it is asked for.
#[derive(Debug, Clone)]
struct Table {
    name: String,
    bytes: u64,
    by_creation: bool,
}

/// Which streams a dump of the database has now.
pub(super) async fn plan(
    session: &mut Session,
    database: &str,
    apart: &[String],
    shape: Shape,
) -> Outcome<Plan> {
    let (tables, sequences, views) = look(session, database).await?;
    let bytes: u64 = tables.iter().map(|table| table.bytes).sum();
    if bytes < shape.several_from || tables.is_empty() {
        return Ok(Plan { parts: vec![Part::Whole { apart: apart.to_vec() }] });
    }
    let mut structure: Vec<String> = sequences;
    structure.extend(tables.iter().map(|table| table.name.clone()));
    let mut parts = vec![Part::Structure { tables: structure }];
    let in_snapshot: Vec<Table> = tables.into_iter().filter(|table| !apart.contains(&table.name)).collect();
    parts.extend(rows(in_snapshot, shape.connections));
    if !apart.is_empty() {
        parts.push(Part::Apart);
    }
    parts.push(Part::Definitions);
    if !views.is_empty() {
        parts.push(Part::Views { names: views });
    }
    Ok(Plan { parts })
}

/// Distributes tables over streams: those of one order together, about as many bytes in each of a kind that is big.
fn rows(tables: Vec<Table>, connections: usize) -> Vec<Part> {
    let (by_creation, by_key): (Vec<_>, Vec<_>) = tables.into_iter().partition(|table| table.by_creation);
    let bytes = |tables: &[Table]| tables.iter().map(|table| table.bytes).sum::<u64>();
    let (of_creation, of_key) = (bytes(&by_creation), bytes(&by_key));
    // A kind with little in it needs no second connection.
    let several = |own: u64| if own * 4 >= of_creation + of_key { connections.max(1) } else { 1 };
    let mut parts = Vec::new();
    // The smaller kind first, so that it is not what is left at the end.
    let mut kinds = [(by_key, false, several(of_key)), (by_creation, true, several(of_creation))];
    if of_key > of_creation {
        kinds.reverse();
    }
    for (tables, by_creation, groups) in kinds {
        let tables = tables.into_iter().map(|table| (table.bytes, table.name)).collect();
        let shares = shared_out(tables, vec![0; groups]);
        for tables in shares.into_iter().filter(|tables| !tables.is_empty()) {
            parts.push(Part::Rows { number: parts.len() + 1, tables, by_creation, mark: mark() });
        }
    }
    parts
}

/// A text that no other statement has.
fn mark() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("eclusa-{}-{}-{number}", std::process::id(), since.map_or(0, |since| since.as_nanos()))
}

/// Tables, sequences and views, in the order of their names.
async fn look(session: &mut Session, database: &str) -> Outcome<(Vec<Table>, Vec<String>, Vec<String>)> {
    let found = session
        .rows(&format!(
            "SELECT JSON_OBJECT('name', TABLE_NAME, 'type', TABLE_TYPE, 'bytes', IFNULL(DATA_LENGTH, 0), \
             'sorted', IFNULL(ENGINE = 'InnoDB' AND DATA_LENGTH <= @@innodb_buffer_pool_size / 2, 0)) \
             FROM information_schema.TABLES WHERE TABLE_SCHEMA = {};",
            quote::literal(database)
        ))
        .await?;
    let created: BTreeSet<String> = session
        .texts(&format!(
            "SELECT TABLE_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} \
             AND COLUMN_NAME IN ('creation', 'name') GROUP BY TABLE_NAME HAVING COUNT(*) = 2;",
            quote::literal(database)
        ))
        .await?
        .into_iter()
        .collect();
    let (mut tables, mut sequences, mut views) = (Vec::new(), Vec::new(), Vec::new());
    for one in &found {
        let name = text(one, "name")?.to_owned();
        match text(one, "type")? {
            "VIEW" => views.push(name),
            "SEQUENCE" => sequences.push(name),
            _ => tables.push(Table {
                by_creation: created.contains(&name) && one.get("sorted").and_then(Value::as_u64) == Some(1),
                bytes: one.get("bytes").and_then(Value::as_u64).unwrap_or_default(),
                name,
            }),
        }
    }
    tables.sort_by(|left, right| left.name.cmp(&right.name));
    sequences.sort();
    views.sort();
    Ok((tables, sequences, views))
}

/// Statements that give the sequences the values that the summary saw; they stand outside of every snapshot.
pub(super) fn sequences(objects: &BTreeMap<String, String>) -> Vec<u8> {
    let mut statements = Vec::new();
    for (name, value) in
        objects.iter().filter_map(|(key, value)| Some((key.strip_prefix("sequence ")?, value)))
    {
        if let Some(next) = value.split(' ').next() {
            statements.extend(format!("DO SETVAL({}, {next}, 0);\n", identifier(name)).into_bytes());
        }
    }
    statements
}
