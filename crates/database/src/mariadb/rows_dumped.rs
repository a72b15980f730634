//! The rows in what `mariadb-dump` writes: counted and hashed on their way, and put into statements anew.
//!
//! **Checksum.** See [`rows_counted`](crate::rows_counted); a row is what stands from its opening to its closing parenthesis.
//!
//! **Statements.** `mariadb-dump` closes a statement when it holds about a mebibyte, so that one new row moves all later
//! boundaries and with them the pieces by which a vault finds what it has already. Here a statement ends behind rows whose
//! hash says so: boundaries depend on what stands near them only. Everything is still plain SQL.

use std::io::{self, BufRead, Read};

use twox_hash::XxHash3_128;

use crate::rows_counted::Sum;
use crate::server::PIECE;

const INSERT: &[u8] = b"INSERT INTO `";
/// What `mariadb-dump` says of its option `--where`, in which we have a mark that differs each time.
const WHERE: &[u8] = b"-- WHERE:";
/// The line that puts a client into its sandbox mode; clients before it take it for an unknown command of theirs.
const SANDBOX: &[u8] = b"/*M!999999\\- enable the sandbox mode */";
/// A statement has at least so many bytes before it may end early.
const SHORTEST: usize = 64 * 1024;
/// How many bytes a statement has on the average.
const MIDDLE: u64 = 384 * 1024;
/// A statement that has so many bytes ends; `mariadb-dump` itself writes up to 1 MiB.
const LONGEST: usize = 1024 * 1024;
/// A buffer of a line that grew beyond this is not kept.
const LINE_KEPT: usize = 4 * 1024 * 1024;

/// By the tables' names.
pub(super) type Counting = crate::rows_counted::Counting<String>;

/// A stream of rows on its way.
pub(super) struct DumpedRows<R> {
    inner: R,
    counting: Counting,
    /// Whether the line of the sandbox is left out.
    without_sandbox: bool,
    line: Vec<u8>,
    out: Vec<u8>,
    given: usize,
    table: Option<Table>,
    failed: Option<String>,
    ended: bool,
}

/// The table whose rows go by.
struct Table {
    name: String,
    /// From `INSERT` to `VALUES`.
    head: Vec<u8>,
    /// How many bytes the open statement has; none when no row was written yet.
    open: usize,
    /// Whether the row that was written last ends a statement.
    ends: bool,
    sum: Sum,
}

fn unknown(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("mariadb-dump wrote rows in an unknown form: {what}"))
}

impl<R: BufRead> DumpedRows<R> {
    pub(super) fn new(inner: R, counting: Counting) -> Self {
        Self {
            inner,
            counting,
            without_sandbox: false,
            line: Vec::new(),
            out: Vec::new(),
            given: 0,
            table: None,
            failed: None,
            ended: false,
        }
    }

    /// Leaves out the line by which a client is put into its sandbox mode.
    pub(super) fn without_sandbox(mut self) -> Self {
        self.without_sandbox = true;
        self
    }

    fn fill(&mut self) -> io::Result<()> {
        self.out.clear();
        self.given = 0;
        while self.out.len() < PIECE {
            self.line.clear();
            if self.inner.read_until(b'\n', &mut self.line)? == 0 {
                self.close();
                self.ended = true;
                self.counting.end();
                return Ok(());
            }
            let line = std::mem::take(&mut self.line);
            self.take(&line)?;
            if line.capacity() <= LINE_KEPT {
                self.line = line;
            }
        }
        Ok(())
    }

    fn take(&mut self, line: &[u8]) -> io::Result<()> {
        if line.starts_with(INSERT) {
            let head = head_of(line).ok_or_else(|| unknown("a statement without VALUES"))?;
            let length = head.length;
            self.begin(head)?;
            let rest = line.get(length..).unwrap_or_default().trim_ascii();
            return if rest.is_empty() { Ok(()) } else { self.rows(rest) };
        }
        if let (Some(table), b'(') = (&mut self.table, line.first().copied().unwrap_or_default()) {
            let row = line.strip_suffix(b"\n").unwrap_or(line);
            let row = row.strip_suffix(b",").or_else(|| row.strip_suffix(b";"));
            let row = row.filter(|row| row.ends_with(b")")).ok_or_else(|| unknown("a row without an end"))?;
            table.add(row, &mut self.out);
            return Ok(());
        }
        self.close();
        let left_out = line.starts_with(WHERE) || (self.without_sandbox && line.starts_with(SANDBOX));
        if !left_out {
            self.out.extend_from_slice(line);
        }
        Ok(())
    }

    /// Rows that stand in one line, as older versions write them.
    fn rows(&mut self, mut rest: &[u8]) -> io::Result<()> {
        let Some(table) = &mut self.table else { return Err(unknown("rows without a table")) };
        loop {
            let end = row_end(rest).ok_or_else(|| unknown("a row without an end"))?;
            table.add(rest.get(..end).unwrap_or_default(), &mut self.out);
            match rest.get(end) {
                Some(b',') => rest = rest.get(end + 1..).unwrap_or_default(),
                Some(b';') => return Ok(()),
                _ => return Err(unknown("something behind a row")),
            }
        }
    }

    fn begin(&mut self, head: Head<'_>) -> io::Result<()> {
        if self.table.as_ref().is_some_and(|table| table.head == head.text) {
            return Ok(());
        }
        self.close();
        let name = String::from_utf8(head.name).map_err(|_| unknown("a name that is no text"))?;
        self.table =
            Some(Table { name, head: head.text.to_vec(), open: 0, ends: false, sum: Sum::default() });
        Ok(())
    }

    /// No more rows of the table follow here.
    fn close(&mut self) {
        let Some(table) = self.table.take() else { return };
        if table.open > 0 {
            self.out.extend_from_slice(b";\n");
        }
        self.counting.add(table.name, table.sum);
    }
}

impl Table {
    fn add(&mut self, row: &[u8], out: &mut Vec<u8>) {
        let hash = XxHash3_128::oneshot(row);
        self.sum.add(hash);
        let before = out.len();
        if self.open > 0 && !self.ends {
            out.extend_from_slice(b",\n");
        } else {
            if self.open > 0 {
                out.extend_from_slice(b";\n");
            }
            self.open = 0;
            out.extend_from_slice(&self.head);
            out.push(b'\n');
        }
        out.extend_from_slice(row);
        self.open += out.len() - before;
        // The chance that a row ends a statement is as large as the row is long.
        let share = u64::try_from(row.len()).unwrap_or(u64::MAX).saturating_mul(u64::from(u32::MAX) / MIDDLE);
        let chosen = u64::try_from(hash & u128::from(u32::MAX)).unwrap_or(0) < share;
        self.ends = self.open >= LONGEST || (self.open >= SHORTEST && chosen);
    }
}

/// The beginning of a statement.
struct Head<'a> {
    name: Vec<u8>,
    /// From `INSERT` to `VALUES`.
    text: &'a [u8],
    length: usize,
}

/// Reads ``INSERT INTO `name` [(`column`, …)] VALUES``.
fn head_of(line: &[u8]) -> Option<Head<'_>> {
    const VALUES: &[u8] = b" VALUES";
    let (name, mut at) = quoted(line, INSERT.len() - 1)?;
    if line.get(at..)?.starts_with(b" (") {
        at += 2;
        loop {
            (_, at) = quoted(line, at)?;
            match line.get(at)? {
                b',' => at += if line.get(at + 1) == Some(&b' ') { 2 } else { 1 },
                b')' => break,
                _ => return None,
            }
        }
        at += 1;
    }
    let length = at + VALUES.len();
    line.get(at..)?.starts_with(VALUES).then_some(())?;
    Some(Head { name, text: line.get(..length)?, length })
}

/// The name in backquotes that begins here, and what stands behind it.
fn quoted(line: &[u8], at: usize) -> Option<(Vec<u8>, usize)> {
    (line.get(at) == Some(&b'`')).then_some(())?;
    let (mut name, mut at) = (Vec::new(), at + 1);
    loop {
        match (line.get(at)?, line.get(at + 1)) {
            (b'`', Some(b'`')) => {
                name.push(b'`');
                at += 2;
            }
            (b'`', _) => return Some((name, at + 1)),
            (byte, _) => {
                name.push(*byte);
                at += 1;
            }
        }
    }
}

/// Behind the closing parenthesis of the row with which a text begins.
fn row_end(text: &[u8]) -> Option<usize> {
    (text.first() == Some(&b'(')).then_some(())?;
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'\'', b')', text.get(at..)?)?;
        if text.get(at) == Some(&b')') {
            return Some(at + 1);
        }
        at += 1;
        loop {
            at += memchr::memchr2(b'\'', b'\\', text.get(at..)?)?;
            if text.get(at) == Some(&b'\'') {
                at += 1;
                break;
            }
            at += 2;
        }
    }
}

impl<R: BufRead> Read for DumpedRows<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some(text) = &self.failed {
            return Err(io::Error::other(text.clone()));
        }
        while self.given >= self.out.len() {
            if self.ended || buffer.is_empty() {
                return Ok(0);
            }
            if let Err(error) = self.fill() {
                self.failed = Some(error.to_string());
                return Err(error);
            }
        }
        let left = self.out.get(self.given..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        buffer.get_mut(..count).unwrap_or_default().copy_from_slice(left.get(..count).unwrap_or_default());
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
#[path = "rows_dumped_tests.rs"]
mod tests;
