//! Looking at the lines of a dump while it passes.

use std::io::{self, BufRead, Read};

/// Of a line, so much is looked at, in bytes; of one with a definition all.
const LOOKED_AT: usize = 64 * 1024;
/// With what the lines begin in which a dump defines views, triggers, routines and events.
pub(super) const DEFINITION: &[u8] = b"/*!5";

/// What looks at the beginning of each line and may change it, or leave out the whole line by emptying it; at the end it
/// gets none.
pub(super) type Look = Box<dyn FnMut(Option<&mut Vec<u8>>) -> io::Result<()> + Send>;

/// A dump that is looked at.
pub(super) struct Looking<R> {
    inner: R,
    look: Look,
    out: Vec<u8>,
    given: usize,
    in_line: bool,
    /// Whether the rest of a long line is left out, as its beginning was.
    left_out: bool,
    ended: bool,
}

impl<R: BufRead> Looking<R> {
    pub(super) fn new(inner: R, look: Look) -> Self {
        Self { inner, look, out: Vec::new(), given: 0, in_line: false, left_out: false, ended: false }
    }

    /// The next piece: the beginning of a line, looked at, or more of a long one.
    fn fill(&mut self) -> io::Result<()> {
        self.out.clear();
        self.given = 0;
        if self.in_line {
            let piece = self.inner.fill_buf()?;
            let end = piece.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
            let taken = end.unwrap_or(piece.len());
            if !self.left_out {
                self.out.extend_from_slice(piece.get(..taken).unwrap_or_default());
            }
            self.inner.consume(taken);
            self.in_line = end.is_none() && taken > 0;
            self.ended = taken == 0;
        } else {
            let limit = LOOKED_AT as u64;
            let read = (&mut self.inner).take(limit).read_until(b'\n', &mut self.out)?;
            if self.out.last() != Some(&b'\n') && self.out.starts_with(DEFINITION) {
                self.inner.read_until(b'\n', &mut self.out)?;
            }
            self.ended = read == 0;
            self.in_line = read > 0 && self.out.last() != Some(&b'\n');
            if read > 0 {
                (self.look)(Some(&mut self.out))?;
                self.left_out = self.out.is_empty();
            }
        }
        if self.ended { (self.look)(None) } else { Ok(()) }
    }
}

impl<R: BufRead> Read for Looking<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given >= self.out.len() {
            if self.ended || buffer.is_empty() {
                return Ok(0);
            }
            self.fill()?;
        }
        let left = self.out.get(self.given..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), left.get(..count)) {
            to.copy_from_slice(from);
        }
        self.given += count;
        Ok(count)
    }
}

/// A dump whose views name no database. Where a view's definer is gone, the server writes the name of its database before
/// every column, and in another database the view would have none of them.
pub(super) fn without_own_name(inner: impl Read + Send + 'static) -> impl Read + Send + 'static {
    let mut names = OwnName::default();
    let look = move |line: Option<&mut Vec<u8>>| {
        if let Some(line) = line {
            names.look(line);
        }
        Ok(())
    };
    Looking::new(io::BufReader::with_capacity(crate::server::PIECE, inner), Box::new(look))
}

/// The name of the database that a dump is of, as its head says it.
#[derive(Default)]
pub(super) struct OwnName {
    /// As it stands before a table's name.
    name: Option<Vec<u8>>,
}

impl OwnName {
    /// Of a database whose name is known.
    pub(super) fn of(database: &str) -> Self {
        Self { name: Some(format!("`{}`.", database.replace('`', "``")).into_bytes()) }
    }

    /// Leaves it out of the views in a text that has no head.
    pub(super) fn left_out(&mut self, text: &[u8]) -> Vec<u8> {
        let lines = text.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec);
        lines
            .flat_map(|mut line| {
                self.look(&mut line);
                line
            })
            .collect()
    }

    /// Looks at a line; leaves the database's own name out of a view.
    pub(super) fn look(&mut self, line: &mut Vec<u8>) {
        const HEAD: &[u8] = b"-- Host: ";
        const DATABASE: &[u8] = b" Database: ";
        const VIEW: &[u8] = b"/*!50001 VIEW ";
        if self.name.is_none() && line.starts_with(HEAD) {
            let at = line.windows(DATABASE.len()).position(|window| window == DATABASE);
            let name = at.and_then(|at| line.get(at + DATABASE.len()..)).map(<[u8]>::trim_ascii);
            if let Some(name) = name.filter(|name| !name.is_empty()) {
                let name = String::from_utf8_lossy(name).replace('`', "``");
                self.name = Some(format!("`{name}`.").into_bytes());
            }
        } else if line.starts_with(VIEW)
            && let Some(name) = &self.name
        {
            let mut from = 0;
            let is_name = |window: &[u8]| window == name.as_slice();
            while let Some(at) = line.get(from..).and_then(|rest| rest.windows(name.len()).position(is_name))
            {
                let at = from + at;
                line.drain(at..at + name.len());
                from = at;
            }
        }
    }
}
