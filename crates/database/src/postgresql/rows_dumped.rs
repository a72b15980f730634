//! The rows in what `pg_dump` writes: counted and hashed as they pass, and left as they are (see
//! [`rows_counted`](crate::rows_counted)).
//!
//! Rows stand one to a line between `COPY … FROM stdin;` and `\.`, and no line of a row can be `\.`. The body of a function
//! may have such lines too, so the statement counts only behind the comment by which `pg_dump` announces rows.
//!
//! The columns of a table that inherits from another stand in another order once it is restored: those of the other first.
//! Of such a table a row is hashed with its columns in the order of their names.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::sync::Arc;

use twox_hash::XxHash3_128;
use twox_hash::xxhash3_128::Hasher;

use super::quote::{qualified, unquoted};
use crate::rows_counted::Sum;

/// A table: schema and name.
pub(super) type TableName = (String, String);
/// By the tables' names.
pub(super) type Counting = crate::rows_counted::Counting<TableName>;

const ANNOUNCED: &[u8] = b"-- Data for Name: ";
const OF_ROWS: &[u8] = b"; Type: TABLE DATA; ";
const COPY: &[u8] = b"COPY ";
const FROM: &[u8] = b" FROM stdin;";
const END: &[u8] = b"\\.";
/// How much of a line is kept that comes in several pieces. A row that is longer is hashed as it comes; any other line that
/// is longer is neither an announcement nor the head of a statement: one of 1,600 columns has 200 KiB.
const KEPT: usize = 512 * 1024;

/// A stream of rows on its way.
pub(super) struct DumpedRows<R> {
    inner: R,
    counting: Counting,
    /// The tables that inherit from others.
    inheriting: Arc<BTreeSet<TableName>>,
    /// The beginning of a line whose end has not come yet.
    begun: Vec<u8>,
    /// A line that is too long to be kept, hashed so far.
    long: Option<Hasher>,
    place: Place,
    failed: Option<String>,
    ended: bool,
}

/// Where in the dump it is.
enum Place {
    Elsewhere,
    /// Behind the comment that announces rows.
    Announced,
    Rows(Rows),
}

/// Rows of a table.
struct Rows {
    table: TableName,
    sum: Sum,
    /// The places of its columns in the order of their names, where they are hashed so.
    order: Option<Vec<usize>>,
}

impl Rows {
    fn add(&mut self, line: &[u8]) -> io::Result<()> {
        let Some(order) = &self.order else {
            self.sum.add(XxHash3_128::oneshot(line));
            return Ok(());
        };
        // A tab within a value is written as a backslash and a letter.
        let values: Vec<&[u8]> = line.split(|byte| *byte == b'\t').collect();
        let mut hasher = Hasher::new();
        for place in order {
            hasher.write(values.get(*place).ok_or_else(unknown)?);
            hasher.write(b"\t");
        }
        self.sum.add(hasher.finish_128());
        Ok(())
    }
}

fn unknown() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "pg_dump wrote rows in an unknown form")
}

impl<R: Read> DumpedRows<R> {
    pub(super) fn new(inner: R, counting: Counting, inheriting: Arc<BTreeSet<TableName>>) -> Self {
        let (begun, long, place, failed) = (Vec::new(), None, Place::Elsewhere, None);
        Self { inner, counting, inheriting, begun, long, place, failed, ended: false }
    }

    fn scan(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            bytes = rest.get(1..).unwrap_or_default();
            if let Some(mut hasher) = self.long.take() {
                hasher.write(line);
                self.long_line(hasher.finish_128());
            } else if self.begun.is_empty() {
                self.line(line)?;
            } else {
                let mut whole = std::mem::take(&mut self.begun);
                whole.extend_from_slice(line);
                self.line(&whole)?;
                whole.clear();
                self.begun = whole;
            }
        }
        self.keep(bytes);
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) {
        if let Some(hasher) = &mut self.long {
            hasher.write(bytes);
        } else if self.begun.len() + bytes.len() > KEPT && !self.is_ordered() {
            let mut hasher = Hasher::new();
            hasher.write(&std::mem::take(&mut self.begun));
            hasher.write(bytes);
            self.long = Some(hasher);
        } else {
            self.begun.extend_from_slice(bytes);
        }
    }

    fn is_ordered(&self) -> bool {
        matches!(&self.place, Place::Rows(Rows { order: Some(_), .. }))
    }

    fn long_line(&mut self, hash: u128) {
        match &mut self.place {
            Place::Rows(rows) => rows.sum.add(hash),
            place => *place = Place::Elsewhere,
        }
    }

    fn line(&mut self, line: &[u8]) -> io::Result<()> {
        match &mut self.place {
            Place::Rows(rows) if line != END => rows.add(line)?,
            Place::Rows(_) => {
                if let Place::Rows(rows) = std::mem::replace(&mut self.place, Place::Elsewhere) {
                    self.counting.add(rows.table, rows.sum);
                }
            }
            Place::Announced if line.starts_with(COPY) => {
                let (table, columns) = table_of(line).ok_or_else(unknown)?;
                let order = self.inheriting.contains(&table).then(|| {
                    let mut order: Vec<usize> = (0..columns.len()).collect();
                    order.sort_by_key(|place| columns.get(*place));
                    order
                });
                self.place = Place::Rows(Rows { table, sum: Sum::default(), order });
            }
            Place::Announced if line.is_empty() || line.starts_with(b"--") => {}
            Place::Announced | Place::Elsewhere => {
                let announced = line.starts_with(ANNOUNCED) && memchr::memmem::find(line, OF_ROWS).is_some();
                self.place = if announced { Place::Announced } else { Place::Elsewhere };
            }
        }
        Ok(())
    }

    fn next(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.scan(buffer.get(..count).unwrap_or_default())?;
        if count == 0 && !buffer.is_empty() && !self.ended {
            if matches!(self.place, Place::Rows(_)) {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the rows of a table have no end"));
            }
            self.ended = true;
            self.counting.end();
        }
        Ok(count)
    }
}

impl<R: Read> Read for DumpedRows<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(text) = &self.failed {
            return Err(io::Error::other(text.clone()));
        }
        self.next(buffer).inspect_err(|error| self.failed = Some(error.to_string()))
    }
}

/// The table and the columns of `COPY schema.table (column, …) FROM stdin;`.
fn table_of(line: &[u8]) -> Option<(TableName, Vec<String>)> {
    let line = std::str::from_utf8(line.strip_prefix(COPY)?.strip_suffix(FROM)?).ok()?;
    let (table, rest) = qualified(line)?;
    let mut columns = Vec::new();
    if rest.trim().is_empty() {
        return Some((table, columns));
    }
    let mut rest = rest.strip_prefix(" (")?;
    loop {
        let (column, behind) = unquoted(rest)?;
        columns.push(column);
        match behind.strip_prefix(", ") {
            Some(more) => rest = more,
            None => return (behind == ")").then_some((table, columns)),
        }
    }
}

#[cfg(test)]
#[path = "rows_dumped_tests.rs"]
mod tests;
