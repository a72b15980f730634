//! What changed from one restore point of a tenant to another, by what their manifests say.

use std::collections::{BTreeMap, BTreeSet};

use eclusa_ports::{DatabaseSummary, FilesManifest, PointManifest};
use serde::Serialize;

/// A table that is not the same in both points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableDifference {
    /// Its name.
    pub table: String,
    /// Its rows in the first point; none: it was not there.
    pub rows_before: Option<u64>,
    /// Its rows in the second point; none: it is not there.
    pub rows_after: Option<u64>,
}

/// The files of a set that are not the same in both points, by path.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct FilesDifference {
    /// Those that are only in the second point.
    pub added: BTreeSet<String>,
    /// Those that are only in the first point.
    pub removed: BTreeSet<String>,
    /// Those whose content, mode or owner differs, and links that lead elsewhere.
    pub changed: BTreeSet<String>,
}

/// What changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PointDifference {
    /// That the checksums of the two points' tables are of two kinds, so that only numbers of rows could be compared.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub only_counts: bool,
    /// The tables that differ.
    pub tables: Vec<TableDifference>,
    /// Other objects of the database that differ: views, triggers, functions, sequences.
    pub objects: BTreeSet<String>,
    /// The sets of files that differ.
    pub files: BTreeMap<String, FilesDifference>,
    /// Configuration files that differ.
    pub configuration: BTreeSet<String>,
}

impl PointDifference {
    /// From the first point to the second.
    #[must_use]
    pub fn between(first: &PointManifest, second: &PointManifest) -> Self {
        let nothing = FilesManifest::default();
        let sets: BTreeSet<&String> = first.files.keys().chain(second.files.keys()).collect();
        let files = sets.into_iter().filter_map(|set| {
            let of = |point: &PointManifest| point.files.get(set).cloned().unwrap_or_else(|| nothing.clone());
            let difference = files(&of(first), &of(second));
            (difference != FilesDifference::default()).then(|| (set.clone(), difference))
        });
        let hashes = |point: &PointManifest| -> BTreeMap<String, String> {
            let files = point.configuration.iter();
            files.map(|stream| (stream.path.clone(), stream.sha256.clone())).collect()
        };
        Self {
            only_counts: first.summary.checksums != second.summary.checksums,
            tables: tables(&first.summary, &second.summary),
            objects: differing(&first.summary.objects, &second.summary.objects),
            files: files.collect(),
            configuration: differing(&hashes(first), &hashes(second)),
        }
    }

    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.only_counts
            && self.tables.is_empty()
            && self.objects.is_empty()
            && self.files.is_empty()
            && self.configuration.is_empty()
    }
}

/// The keys whose values differ, or that only one side has.
fn differing<V: PartialEq>(first: &BTreeMap<String, V>, second: &BTreeMap<String, V>) -> BTreeSet<String> {
    let names = first.keys().chain(second.keys());
    names.filter(|name| first.get(*name) != second.get(*name)).cloned().collect()
}

fn tables(first: &DatabaseSummary, second: &DatabaseSummary) -> Vec<TableDifference> {
    let rows = |summary: &DatabaseSummary, name: &str| summary.tables.get(name).map(|table| table.rows);
    let names = differing(&first.tables, &second.tables).into_iter();
    let comparable = first.checksums == second.checksums;
    names
        .filter(|name| comparable || rows(first, name) != rows(second, name))
        .map(|table| TableDifference {
            rows_before: rows(first, &table),
            rows_after: rows(second, &table),
            table,
        })
        .collect()
}

fn files(first: &FilesManifest, second: &FilesManifest) -> FilesDifference {
    let mut found = FilesDifference::default();
    let names = |manifest: &FilesManifest| -> BTreeSet<String> {
        manifest.files.keys().chain(manifest.links.keys()).cloned().collect()
    };
    let (before, after) = (names(first), names(second));
    found.added = after.difference(&before).cloned().collect();
    found.removed = before.difference(&after).cloned().collect();
    let differs = |name: &&String| {
        first.files.get(*name) != second.files.get(*name) || first.links.get(*name) != second.links.get(*name)
    };
    found.changed = before.intersection(&after).filter(differs).cloned().collect();
    found
}
