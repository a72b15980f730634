//! Of which streams the dump of a database is made: one for a small database, several for a bigger one.
//!
//! `pg_dump` itself splits a dump in three sections: what must be there before rows, rows, and what comes after them (keys,
//! indexes, triggers). Rows are dumped by several connections that share the snapshot. One of them takes all that the
//! others do not: small tables, large objects, the rows that extensions keep for their users.

use super::quote::identifier;
use super::rows_dumped::TableName;
use super::summary::{Table, TableKind};
use crate::Shape;
use crate::shares::shared_out;
use crate::streams;

/// A table with fewer bytes stays with the others.
const LARGE_FROM: u64 = 4 * 1024 * 1024;
/// How many tables are named at most on the command line of one program, which Linux limits to 2 MiB in all: a name has up to
/// 63 bytes, a schema too.
const NAMED: usize = 2000;

/// A stream of a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Everything.
    Whole,
    /// What must be there before rows.
    Structure,
    /// The rows of these tables alone.
    Rows { number: usize, tables: Vec<TableName> },
    /// All rows but those of these tables.
    Others { number: usize, without: Vec<TableName> },
    /// What comes after rows.
    Definitions,
}

impl Part {
    pub(super) fn name(&self) -> String {
        match self {
            Self::Whole => streams::WHOLE.to_owned(),
            Self::Structure => streams::structure(),
            Self::Rows { number, .. } | Self::Others { number, .. } => streams::rows(&number.to_string()),
            Self::Definitions => streams::definitions(),
        }
    }

    /// What `pg_dump` is told of it.
    pub(super) fn arguments(&self) -> Vec<String> {
        // Within quotes no sign of a pattern means anything.
        let named = |option: &str, (schema, table): &TableName| {
            format!("--{option}={}.{}", identifier(schema), identifier(table))
        };
        match self {
            Self::Whole => Vec::new(),
            Self::Structure => vec!["--section=pre-data".to_owned()],
            Self::Definitions => vec!["--section=post-data".to_owned()],
            Self::Rows { tables, .. } => std::iter::once("--section=data".to_owned())
                .chain(tables.iter().map(|table| named("table", table)))
                .collect(),
            Self::Others { without, .. } => std::iter::once("--section=data".to_owned())
                .chain(without.iter().map(|table| named("exclude-table-data", table)))
                .collect(),
        }
    }

    /// Whether rows are in it.
    pub(super) fn has_rows(&self) -> bool {
        matches!(self, Self::Whole | Self::Rows { .. } | Self::Others { .. })
    }

    /// Whether it is the last one, behind which the sequences follow.
    pub(super) fn is_last(&self) -> bool {
        matches!(self, Self::Whole | Self::Definitions)
    }
}

/// Which streams a dump of these tables has.
pub(super) fn parts(tables: &[Table], shape: Shape) -> Vec<Part> {
    let own = || tables.iter().filter(|table| table.kind == TableKind::Own);
    let bytes: u64 = own().map(|table| table.bytes).sum();
    if bytes < shape.several_from {
        return vec![Part::Whole];
    }
    let mut large: Vec<(u64, TableName)> = own()
        .filter(|table| table.bytes >= LARGE_FROM.min(shape.several_from))
        .map(|table| (table.bytes, table.name.clone()))
        .collect();
    large.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| left.1.cmp(&right.1)));
    large.truncate(NAMED);
    let small = bytes - large.iter().map(|(bytes, _)| bytes).sum::<u64>();
    let mut already = vec![0; shape.connections.max(1)];
    if let Some(first) = already.first_mut() {
        *first = small;
    }
    // What the first of them has, with the small ones, is what the others leave.
    let groups = shared_out(large, already).into_iter().skip(1).filter(|tables| !tables.is_empty());
    let mut parts = vec![Part::Structure];
    let mut without = Vec::new();
    for tables in groups {
        without.extend(tables.iter().cloned());
        parts.push(Part::Rows { number: parts.len(), tables });
    }
    parts.push(Part::Others { number: parts.len(), without });
    parts.push(Part::Definitions);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEBIBYTE: u64 = 1024 * 1024;

    fn table(name: &str, mebibytes: u64, kind: TableKind) -> Table {
        let shown = format!("public.{name}");
        Table {
            name: ("public".to_owned(), name.to_owned()),
            shown,
            bytes: mebibytes * MEBIBYTE,
            kind,
            inherits: false,
        }
    }

    #[test]
    fn a_small_database_is_one_stream_and_a_large_one_shares_its_rows_out() {
        let shape = Shape { several_from: 32 * MEBIBYTE, connections: 2 };
        let own = TableKind::Own;
        let small = [table("a", 20, own), table("e", 40, TableKind::OfExtension)];
        assert_eq!(parts(&small, shape), [Part::Whole]);
        let large = [table("a", 30, own), table("b", 20, own), table("c \"x\"", 5, own), table("d", 1, own)];
        let found = parts(&large, shape);
        let told: Vec<_> = found.iter().map(|part| (part.name(), part.arguments().join(" "))).collect();
        let told: Vec<_> = told.iter().map(|(name, words)| (name.as_str(), words.as_str())).collect();
        assert_eq!(
            told,
            [
                ("database/1-structure.sql", "--section=pre-data"),
                ("database/2-rows-1.sql", r#"--section=data --table="public"."a""#),
                ("database/2-rows-2.sql", r#"--section=data --exclude-table-data="public"."a""#),
                ("database/3-definitions.sql", "--section=post-data"),
            ]
        );
        let single = parts(&large, Shape { connections: 1, ..shape });
        assert_eq!(single[1], Part::Others { number: 1, without: Vec::new() });
    }
}
