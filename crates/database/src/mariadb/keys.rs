//! Keys that are put off until the rows are there: a key that is built at once costs a fraction of one that grows row by row.
//!
//! Only keys that neither forbid anything nor are needed before: plain ones, of tables with many rows, that have no part in a
//! foreign key and no counter other than at their primary key. They are read from the lines in which the server itself
//! writes a table (`SHOW CREATE TABLE`), and added by the same words; what would be lost on the way is seen by the
//! comparison that follows every restore.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::session::Failure;

/// From how many rows on it is worth it: each table needs a statement more.
const MANY_ROWS: u64 = 5_000;
/// The structure of a database may have so many bytes; it is held in memory.
const MOST: u64 = 1024 * 1024 * 1024;

/// A structure without the keys that come later.
pub(super) struct PutOff {
    pub(super) structure: Vec<u8>,
    /// By the table's quoted name, as `KEY … (…)`.
    pub(super) keys: Vec<(String, Vec<String>)>,
}

impl PutOff {
    /// Reads the structure of a dump whose tables have so many rows.
    pub(super) async fn read(
        stream: Box<dyn Read + Send>,
        rows: &BTreeMap<String, u64>,
    ) -> Result<Self, Failure> {
        let many: BTreeSet<String> = rows
            .iter()
            .filter(|(_, rows)| **rows >= MANY_ROWS)
            .map(|(name, _)| super::quote::identifier(name))
            .collect();
        let read = tokio::task::spawn_blocking(move || {
            let mut structure = Vec::new();
            stream.take(MOST).read_to_end(&mut structure).map(|_| structure)
        });
        let structure = read.await.map_err(|error| Failure::Said(error.to_string()))?;
        let structure = structure.map_err(|error| Failure::Said(error.to_string()))?;
        Ok(Self::of(&structure, &many))
    }

    /// `many` are the quoted names of the tables whose keys are worth it.
    fn of(structure: &[u8], many: &BTreeSet<String>) -> Self {
        let referred = referred(structure);
        let mut found = Self { structure: Vec::with_capacity(structure.len()), keys: Vec::new() };
        let mut table: Option<(String, Vec<&[u8]>)> = None;
        for line in structure.split_inclusive(|byte| *byte == b'\n') {
            match &mut table {
                None => {
                    found.structure.extend_from_slice(line);
                    table = created(line).map(|name| (name, Vec::new()));
                }
                Some((_, body)) if line.starts_with(b"  ") => body.push(line),
                Some(_) => {
                    if let Some((name, body)) = table.take() {
                        let wanted = many.contains(&name) && !referred.contains(&name);
                        found.table(name, &body, wanted);
                    }
                    found.structure.extend_from_slice(line);
                }
            }
        }
        if let Some((name, body)) = table {
            found.table(name, &body, false);
        }
        found
    }

    fn table(&mut self, name: String, body: &[&[u8]], wanted: bool) {
        let is_key = |line: &&&[u8]| line.starts_with(b"  KEY `");
        let keys: Vec<String> = body
            .iter()
            .filter(is_key)
            .filter_map(|line| std::str::from_utf8(line).ok())
            .map(|line| line.trim().trim_end_matches(',').to_owned())
            .collect();
        if !wanted || keys.is_empty() || keys.len() != body.iter().filter(is_key).count() || !may_wait(body) {
            body.iter().for_each(|line| self.structure.extend_from_slice(line));
            return;
        }
        let kept: Vec<&&[u8]> = body.iter().filter(|line| !is_key(line)).collect();
        for (number, line) in kept.iter().enumerate() {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b",").unwrap_or(line);
            self.structure.extend_from_slice(line);
            self.structure.extend_from_slice(if number + 1 < kept.len() { b",\n" } else { b"\n" });
        }
        self.keys.push((name, keys));
    }
}

/// Whether the keys of a table with these lines may come later.
fn may_wait(body: &[&[u8]]) -> bool {
    let has = |line: &[u8], word: &[u8]| line.windows(word.len()).any(|window| window == word);
    let column = |line: &[u8]| {
        let rest = line.strip_prefix(b"  `")?;
        let end = rest.iter().position(|byte| *byte == b'`')?;
        rest.get(..end).map(<[u8]>::to_vec)
    };
    let foreign = body.iter().any(|line| has(line, b" FOREIGN KEY "));
    let counter = body.iter().find(|line| line.starts_with(b"  `") && has(line, b" AUTO_INCREMENT"));
    let of_primary = |name: Vec<u8>| {
        let begins = [b"  PRIMARY KEY (`".as_slice(), name.as_slice(), b"`"].concat();
        body.iter().any(|line| line.starts_with(&begins))
    };
    !foreign && counter.is_none_or(|line| column(line).is_some_and(of_primary))
}

/// The quoted name of the table whose definition this line begins.
pub(super) fn created(line: &[u8]) -> Option<String> {
    let line = std::str::from_utf8(line).ok()?;
    let name = line.strip_prefix("CREATE TABLE ")?.trim_end().strip_suffix(" (")?;
    (name.len() > 2 && name.starts_with('`') && name.ends_with('`')).then(|| name.to_owned())
}

/// The quoted names of the tables to which foreign keys lead.
fn referred(structure: &[u8]) -> BTreeSet<String> {
    let lines = structure.split(|byte| *byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok());
    let leading = lines.filter(|line| line.starts_with("  CONSTRAINT ") && line.contains(" FOREIGN KEY "));
    leading
        .filter_map(|line| {
            let (_, rest) = line.split_once(" REFERENCES `")?;
            let (name, _) = rest.split_once("` (")?;
            Some(format!("`{name}`"))
        })
        .collect()
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
