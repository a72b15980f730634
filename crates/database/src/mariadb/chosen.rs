//! Only some tables of a dump, and how each table of a dump is defined.
//!
//! `mariadb-dump` writes a section for each table: where it begins, a comment names the table, and its rows end with
//! `UNLOCK TABLES`. What stands outside of these sections (views, triggers, routines, events) is of no table alone and is
//! left out. A value never begins a line: line breaks in values are escaped.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufReader, Read};

use eclusa_ports::{StoredDump, StoredStream};

use super::dump::COMPLETED;
use super::looking::Looking;
use super::quote::identifier;
use crate::server::{PIECE, TRAILER};
use crate::streams;

/// With what a comment begins that names the table or the sequence of the section that follows.
const SECTIONS: [&[u8]; 3] =
    [b"-- Table structure for table `", b"-- Dumping data for table `", b"-- Sequence structure for `"];
/// With what a comment begins that is followed by something else.
const OTHERS: [&[u8]; 4] = [
    b"-- Temporary table structure for view ",
    b"-- Final view structure for view ",
    b"-- Dumping events for database ",
    b"-- Dumping routines for database ",
];
/// With what the head of a dump begins.
const HEADS: [&[u8]; 2] = [b"-- MariaDB dump ", b"-- MySQL dump "];
const UNLOCK: &[u8] = b"UNLOCK TABLES;";
const SET_VALUE: &[u8] = b"DO SETVAL(`";

/// Where a dump is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Head,
    Wanted,
    Other,
}

/// Which lines of a dump belong to tables that are wanted.
struct Chosen {
    /// As they stand in backquotes, with the closing one.
    tables: BTreeSet<Vec<u8>>,
    /// What the lines before the first section are.
    head: Within,
    within: Within,
}

impl Chosen {
    fn of(tables: &BTreeSet<String>, head: Within) -> Self {
        let name = |table: &String| identifier(table).into_bytes().split_off(1);
        Self { tables: tables.iter().map(name).collect(), head, within: head }
    }

    /// Whether the text begins with the name of a table that is wanted, behind its opening quote.
    fn names(&self, text: &[u8], ends: &[u8]) -> bool {
        self.tables
            .iter()
            .any(|table| text.strip_prefix(table.as_slice()).is_some_and(|rest| rest.starts_with(ends)))
    }

    fn keeps(&mut self, line: &[u8]) -> bool {
        if line.starts_with(b"(") || line.starts_with(b"  ") {
            return self.within != Within::Other;
        }
        if line.starts_with(COMPLETED) || line == TRAILER.trim_ascii_start() {
            return true;
        }
        if HEADS.iter().any(|head| line.starts_with(head)) {
            self.within = self.head;
        } else if let Some(name) = SECTIONS.iter().find_map(|begin| line.strip_prefix(*begin)) {
            self.within = if self.names(name, b"\n") { Within::Wanted } else { Within::Other };
        } else if OTHERS.iter().any(|begin| line.starts_with(begin)) {
            self.within = Within::Other;
        } else if let Some(name) = line.strip_prefix(SET_VALUE) {
            return self.names(name, b",");
        } else if line.starts_with(UNLOCK) {
            let kept = self.within != Within::Other;
            self.within = Within::Other;
            return kept;
        }
        self.within != Within::Other
    }
}

/// The dump with these tables and sequences alone.
pub(super) fn only(dump: StoredDump, tables: &BTreeSet<String>) -> StoredDump {
    let streams = dump.streams.into_iter().filter(|stream| !streams::is_views(&stream.name)).map(|stream| {
        // Triggers stand right behind the head of their stream.
        let head = if streams::is_definitions(&stream.name) { Within::Other } else { Within::Head };
        let mut chosen = Chosen::of(tables, head);
        let look = move |line: Option<&mut Vec<u8>>| {
            if let Some(line) = line.filter(|line| !chosen.keeps(line)) {
                line.clear();
            }
            Ok(())
        };
        let reader = Looking::new(BufReader::with_capacity(PIECE, stream.reader), Box::new(look));
        StoredStream { name: stream.name, reader: Box::new(reader) }
    });
    let rows = dump.rows.into_iter().filter(|(name, _)| tables.contains(name)).collect();
    StoredDump { streams: streams.collect(), rows }
}

/// How each table is defined, letter by letter, by its quoted name.
pub(super) type Definitions = BTreeMap<String, Vec<u8>>;

/// Reads how the tables of a dump are defined.
pub(super) fn definitions(dump: StoredDump) -> io::Result<Definitions> {
    let mut found = Definitions::new();
    for stream in dump.streams {
        if streams::is_structure(&stream.name) || !stream.name.contains('/') {
            read_definitions(stream.reader, &mut found)?;
        }
    }
    Ok(found)
}

/// Reads them from a text in which they stand.
pub(super) fn read_definitions(text: impl Read + Send + 'static, found: &mut Definitions) -> io::Result<()> {
    let shared = std::sync::Arc::new(std::sync::Mutex::new(Definitions::new()));
    let own = shared.clone();
    let mut open: Option<(String, Vec<u8>)> = None;
    let look = move |line: Option<&mut Vec<u8>>| {
        let Some(line) = line else { return Ok(()) };
        if let Some((_, body)) = &mut open {
            body.extend_from_slice(line);
            if line.starts_with(b")")
                && let Some((name, body)) = open.take()
            {
                own.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(name, body);
            }
        } else {
            open = super::keys::created(line).map(|name| (name, line.clone()));
        }
        line.clear();
        Ok(())
    };
    let mut looking = Looking::new(BufReader::with_capacity(PIECE, text), Box::new(look));
    io::copy(&mut looking, &mut io::sink())?;
    found.append(&mut shared.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    Ok(())
}

#[cfg(test)]
#[path = "chosen_tests.rs"]
mod tests;
