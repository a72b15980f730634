//! Reading what a server's dump program writes.

use std::fs::File;
use std::io::{Cursor, Error, Read, Result};

use eclusa_fault::Code;
use eclusa_ports::ExecStream;
use tokio::io::AsyncReadExt;
use tokio::runtime::Handle;

use super::{Access, Failure, end};

/// How much of the end is looked at for the program's last words.
const TAIL: usize = 512;

/// A dump that a program has begun to write, with what was read of it.
pub(crate) struct Begun {
    pub(crate) stream: ExecStream,
    pub(crate) read: Vec<u8>,
}

/// By what it is known that a program was done.
pub(crate) struct Ending {
    /// What the program is called.
    pub(crate) program: &'static str,
    /// What it writes when it is done.
    pub(crate) words: &'static [u8],
}

/// Reads a dump on a blocking thread, and then more that belongs to it. It ends only when all of it was there; otherwise
/// it gives an error, again and again.
pub(crate) struct DumpReader {
    access: Access,
    handle: Handle,
    ending: Ending,
    first: Box<dyn Read + Send>,
    /// What the program is writing; none once it has ended well.
    dumping: Option<ExecStream>,
    /// What holds the snapshot until then.
    snapshot: Option<Box<dyn Send>>,
    tail: Vec<u8>,
    rest: Cursor<Vec<u8>>,
    failed: Option<String>,
}

impl DumpReader {
    pub(crate) fn new(access: Access, handle: Handle, ending: Ending, begun: Begun, rest: Vec<u8>) -> Self {
        let mut tail = Vec::new();
        keep_end(&mut tail, &begun.read, TAIL);
        let first = Box::new(Cursor::new(begun.read));
        Self {
            first,
            dumping: Some(begun.stream),
            tail,
            ..Self::without_program(access, handle, ending, rest)
        }
    }

    /// Without a program, because all that it wrote is in a file.
    pub(crate) fn without_program(access: Access, handle: Handle, ending: Ending, rest: Vec<u8>) -> Self {
        Self {
            access,
            handle,
            ending,
            first: Box::new(std::io::empty()),
            dumping: None,
            snapshot: None,
            tail: Vec::new(),
            rest: Cursor::new(rest),
            failed: None,
        }
    }

    /// Gives what is in a file before it.
    pub(crate) fn after(mut self, file: File) -> Self {
        self.first = Box::new(file.chain(self.first));
        self
    }

    /// Keeps what holds the snapshot until the program has ended well.
    pub(crate) fn holding(mut self, snapshot: impl Send + 'static) -> Self {
        self.snapshot = Some(Box::new(snapshot));
        self
    }

    fn next(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.first.read(buffer)?;
        if count > 0 {
            return Ok(count);
        }
        if let Some(stream) = &mut self.dumping {
            let count = self.handle.block_on(stream.stdout.read(buffer))?;
            if count > 0 {
                keep_end(&mut self.tail, buffer.get(..count).unwrap_or_default(), TAIL);
                return Ok(count);
            }
            self.finish()?;
        }
        Read::read(&mut self.rest, buffer)
    }

    /// The program has closed its output: whether it was done.
    fn finish(&mut self) -> Result<()> {
        let Some(stream) = self.dumping.take() else { return Ok(()) };
        let said = |failure| Error::other(self.access.fault(Code::DumpFailed, failure));
        let result = self.handle.block_on(end(stream.ended)).map_err(said)?;
        if result.code != 0 {
            return Err(said(Failure::Ended(result)));
        }
        if !holds(&self.tail, self.ending.words) {
            return Err(said(Failure::Said(format!("the output of {} is not whole", self.ending.program))));
        }
        self.snapshot = None;
        Ok(())
    }
}

impl Read for DumpReader {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if let Some(text) = &self.failed {
            return Err(Error::other(text.clone()));
        }
        self.next(buffer).inspect_err(|error| self.failed = Some(error.to_string()))
    }
}

/// Whether bytes have this text in them.
pub(crate) fn holds(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

/// Keeps the last bytes of what went by.
pub(crate) fn keep_end(tail: &mut Vec<u8>, bytes: &[u8], most: usize) {
    tail.extend_from_slice(bytes.get(bytes.len().saturating_sub(most)..).unwrap_or_default());
    let surplus = tail.len().saturating_sub(most);
    tail.drain(..surplus);
}
