//! What was really read. rustic_core logs an error of a reader, leaves the file out and reports success; so every
//! reader writes down here how it ended, and the taking compares.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use eclusa_ports::Meter;
use sha2::{Digest as _, Sha256};

/// How the reading of a stream or file ended.
#[derive(Debug, Clone)]
pub(crate) enum Reading {
    /// At its end.
    Whole { bytes: u64, sha256: String },
    /// The file was gone when it was to be opened.
    Vanished,
    /// With an error.
    Failed(String),
}

/// How every reading of a point ended. What is not in it was never read to its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    readings: Arc<Mutex<BTreeMap<PathBuf, Reading>>>,
    failed: Arc<AtomicBool>,
    meter: Arc<Meter>,
}

impl Tally {
    /// One whose readers go past a meter.
    pub(crate) fn with(meter: Arc<Meter>) -> Self {
        Self { meter, ..Self::default() }
    }

    pub(crate) fn note(&self, path: PathBuf, reading: Reading) {
        if matches!(reading, Reading::Failed(_)) {
            self.failed.store(true, Ordering::Release);
        }
        self.lock().insert(path, reading);
    }

    /// Whether something failed already: reading on would be in vain.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    pub(crate) fn readings(&self) -> BTreeMap<PathBuf, Reading> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PathBuf, Reading>> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reader that counts and hashes what passes through it and notes how it ended.
pub(crate) struct TalliedReader {
    inner: Box<dyn Read + Send>,
    path: PathBuf,
    tally: Tally,
    hash: Sha256,
    bytes: u64,
    ended: bool,
}

impl TalliedReader {
    pub(crate) fn new(inner: Box<dyn Read + Send>, path: PathBuf, tally: Tally) -> Self {
        Self { inner, path, tally, hash: Sha256::new(), bytes: 0, ended: false }
    }

    /// One of which nothing is read, since it is known how its reading ends.
    pub(crate) fn known(path: PathBuf, tally: Tally, reading: Reading) -> Self {
        tally.note(path.clone(), reading);
        Self { ended: true, ..Self::new(Box::new(io::empty()), path, tally) }
    }

    /// Fills the buffer as far as the stream goes: rustic_core's chunker shrinks its buffer to the shortest read
    /// it ever got, so that one short read from a pipe would make all later ones as short.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.inner.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }
}

impl Read for TalliedReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.ended {
            return Ok(0);
        }
        if self.tally.has_failed() {
            self.ended = true;
            return Err(io::Error::other("given up: another stream failed"));
        }
        let filled = self.fill(buffer);
        let filled = filled.and_then(|count| self.tally.meter.pass(count as u64).map(|()| count));
        match filled {
            Ok(0) => {
                self.ended = true;
                let sha256 = hex::encode(std::mem::take(&mut self.hash).finalize());
                self.tally.note(self.path.clone(), Reading::Whole { bytes: self.bytes, sha256 });
                Ok(0)
            }
            Ok(count) => {
                self.hash.update(buffer.get(..count).unwrap_or_default());
                self.bytes = self.bytes.saturating_add(u64::try_from(count).unwrap_or(u64::MAX));
                Ok(count)
            }
            Err(error) => {
                self.ended = true;
                self.tally.note(self.path.clone(), Reading::Failed(error.to_string()));
                Err(error)
            }
        }
    }
}
