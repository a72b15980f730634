//! Which tables of a database are otherwise than a restore point says: by their rows, or by how they are defined.

use std::collections::BTreeSet;

use eclusa_ports::{DatabaseSummary, StoredDump};

use super::chosen::{self, Definitions};
use super::parts::Part;
use super::quote::identifier;
use super::session::{Access, Failure, Session};
use super::swap::written;

type Outcome<T> = Result<T, Failure>;

/// Objects that belong to more than one table, or to none: where there are any, a table cannot go back by itself.
const BETWEEN_TABLES: [&str; 5] = ["foreign keys", "views", "triggers", "routines", "events"];
/// What the summary of a sequence is called.
const SEQUENCE: &str = "sequence ";
/// The name of the database's own settings in a summary.
const SETTINGS: &str = "character set";

/// The tables whose rows differ, that are missing, or are too many, and every sequence; `None` where there are objects
/// that tables share, or the two cannot be compared.
pub(super) fn by_summary(expected: &DatabaseSummary, found: &DatabaseSummary) -> Option<BTreeSet<String>> {
    let shared =
        |summary: &DatabaseSummary| BETWEEN_TABLES.iter().any(|kind| summary.objects.contains_key(*kind));
    let settings = |summary: &DatabaseSummary| summary.objects.get(SETTINGS).cloned();
    if expected.checksums != found.checksums
        || shared(expected)
        || shared(found)
        || settings(expected) != settings(found)
    {
        return None;
    }
    let names = expected.tables.keys().chain(found.tables.keys());
    let mut differing: BTreeSet<String> =
        names.filter(|name| expected.tables.get(*name) != found.tables.get(*name)).cloned().collect();
    let sequences = expected.objects.keys().chain(found.objects.keys());
    differing.extend(sequences.filter_map(|key| key.strip_prefix(SEQUENCE)).map(str::to_owned));
    Some(differing)
}

/// The tables of a database that are not defined letter by letter as in a dump.
pub(super) async fn by_definition(
    access: &Access,
    database: &str,
    tables: Vec<String>,
    dump: StoredDump,
) -> Outcome<BTreeSet<String>> {
    let said = |error: std::io::Error| Failure::Said(error.to_string());
    let expected = tokio::task::spawn_blocking(move || chosen::definitions(dump)).await;
    let expected = expected.map_err(|error| Failure::Said(error.to_string()))?.map_err(said)?;
    let found = live(access, database, &tables).await?;
    let differs = |name: &String| {
        let quoted = identifier(name);
        expected.get(&quoted) != found.get(&quoted)
    };
    // One that is only in the dump is missing in the summary of the database too.
    Ok(tables.into_iter().filter(differs).collect())
}

/// How tables are defined now, written by the program that writes dumps.
async fn live(access: &Access, database: &str, tables: &[String]) -> Outcome<Definitions> {
    if tables.is_empty() {
        return Ok(Definitions::new());
    }
    let names = Session::open(access).await?.names;
    let part = Part::Structure { tables: tables.to_vec() };
    let text = written(access, names, &part.arguments(database)).await?;
    let mut found = Definitions::new();
    let reading = chosen::read_definitions(std::io::Cursor::new(text), &mut found);
    reading.map_err(|error| Failure::Said(error.to_string()))?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use eclusa_ports::TableSummary;

    use super::*;

    fn summary(tables: &[(&str, u64)], objects: &[(&str, &str)]) -> DatabaseSummary {
        let table = |(name, rows): &(&str, u64)| {
            ((*name).to_owned(), TableSummary { rows: *rows, checksum: rows.to_string() })
        };
        let object = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        DatabaseSummary {
            tables: tables.iter().map(table).collect(),
            objects: objects.iter().map(object).collect(),
            ..DatabaseSummary::default()
        }
    }

    #[test]
    fn what_tables_share_is_not_told_by_table() {
        let plain = summary(&[("a", 1), ("b", 2)], &[(SETTINGS, "utf8mb4"), ("columns", "1")]);
        let changed = summary(&[("a", 1), ("b", 3), ("c", 0)], &[(SETTINGS, "utf8mb4"), ("sequence s", "5")]);
        let found: Vec<_> = by_summary(&plain, &changed).into_iter().flatten().collect();
        assert_eq!(found, ["b", "c", "s"]);
        for kind in BETWEEN_TABLES {
            let with = summary(&[("a", 1)], &[(SETTINGS, "utf8mb4"), (kind, "1")]);
            assert!(by_summary(&plain, &with).is_none() && by_summary(&with, &plain).is_none(), "{kind}");
        }
        assert!(by_summary(&plain, &summary(&[], &[(SETTINGS, "latin1")])).is_none());
    }
}
