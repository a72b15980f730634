//! Logs that supervisor writes: lines without a time. When a line was written is known only as well as it was looked:
//! at each look it is noted how far a log had come, so that a later one can tell what is new since. What was there
//! before the first look is old.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use eclusa_fault::Result;
use eclusa_model::ServiceName;
use eclusa_ports::{LogLine, clean_line};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::release::file_fault;
use crate::state::write_durably;

/// How many looks are remembered of each log.
const REMEMBERED: usize = 500;

/// The most that is read of a log at once, in bytes.
const MOST_BYTES: u64 = 16 * 1024 * 1024;

/// How far a log had come at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Look {
    at: Timestamp,
    inode: u64,
    bytes: u64,
    /// A digest of what stood before that place: a log that was begun anew may have the inode of the one before.
    before: String,
}

/// How much of what stands before a place is looked at, in bytes.
const BEFORE: u64 = 128;

/// The digest of what stands in a file before a place.
fn before(file: &mut std::fs::File, place: u64) -> std::io::Result<String> {
    let from = place.saturating_sub(BEFORE);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(place - from).read_to_end(&mut bytes)?;
    Ok(hex::encode(Sha256::digest(&bytes)))
}

/// The looks at every log.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Looks {
    #[serde(default)]
    logs: BTreeMap<PathBuf, Vec<Look>>,
}

impl Looks {
    /// Those that are remembered; none where nothing can be read: then everything is old.
    pub fn read(path: &Path) -> Self {
        std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// Remembers how far each log has come now.
    pub fn look(&mut self, logs: &[PathBuf], now: Timestamp) {
        for log in logs {
            let Ok(mut file) = std::fs::File::open(log) else { continue };
            let Ok(found) = file.metadata() else { continue };
            let Ok(before) = before(&mut file, found.len()) else { continue };
            let looks = self.logs.entry(log.clone()).or_default();
            let look = Look { at: now, inode: found.ino(), bytes: found.len(), before };
            let same = |last: &Look| {
                (last.inode, last.bytes, &last.before) == (look.inode, look.bytes, &look.before)
            };
            if looks.last().is_some_and(same) {
                // Nothing was written since: the later time says as much as both.
                if let Some(last) = looks.last_mut() {
                    last.at = now;
                }
                continue;
            }
            looks.push(look);
            let excess = looks.len().saturating_sub(REMEMBERED);
            looks.drain(..excess);
        }
    }

    /// Writes them down.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_vec(self).map_err(|error| file_fault(path, "written").because(error))?;
        write_durably(path, &text, 0o600).map_err(|error| file_fault(path, "written").because(error))
    }

    /// The lines of a log that were written at `since` or later, as far as the looks tell.
    ///
    /// # Errors
    /// What reading gives.
    pub fn lines(
        &self,
        log: &Path,
        service: &ServiceName,
        since: Timestamp,
        now: Timestamp,
    ) -> std::io::Result<Vec<LogLine>> {
        let mut file = match std::fs::File::open(log) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let found = file.metadata()?;
        let Some(looks) = self.logs.get(log) else { return Ok(Vec::new()) };
        // The last look before that time; without one, the first that there is.
        let Some(from) = looks.iter().rev().find(|look| look.at <= since).or_else(|| looks.first()) else {
            return Ok(Vec::new());
        };
        // Another file, or a shorter one: it was begun anew since.
        let same = from.inode == found.ino()
            && from.bytes <= found.len()
            && before(&mut file, from.bytes)? == from.before;
        let start = if same { from.bytes } else { 0 };
        let start = start.max(found.len().saturating_sub(MOST_BYTES));
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES).read_to_end(&mut bytes)?;
        let mut offset = start;
        let mut lines = Vec::new();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            // It was there at the first look that had come past its beginning.
            let seen = looks
                .iter()
                .find(|look| look.inode == found.ino() && look.bytes > offset && look.at >= since);
            offset += line.len() as u64;
            let text = clean_line(line);
            if !text.is_empty() {
                lines.push(LogLine { at: seen.map_or(now, |look| look.at), service: service.clone(), text });
            }
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use std::io::Write;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_is_new_since_a_look_is_told_and_nothing_of_before() {
        let root = tempfile::tempdir().unwrap();
        let log = root.path().join("web.log");
        let service = ServiceName::new("web").unwrap();
        let write = |text: &str| {
            let mut file = std::fs::File::options().append(true).create(true).open(&log).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        let texts = |looks: &Looks, since: i64| -> Vec<String> {
            looks.lines(&log, &service, at(since), at(1000)).unwrap().into_iter().map(|l| l.text).collect()
        };
        write("old\n");
        let mut looks = Looks::default();
        assert!(texts(&looks, 0).is_empty());
        looks.look(std::slice::from_ref(&log), at(10));
        write("one\n");
        looks.look(std::slice::from_ref(&log), at(20));
        write("two\n");
        assert_eq!(texts(&looks, 10), ["one", "two"]);
        assert_eq!(texts(&looks, 15), ["one", "two"]);
        assert_eq!(texts(&looks, 25), ["two"]);
        assert_eq!(texts(&looks, 0), ["one", "two"], "what was there before the first look is old");
        std::fs::remove_file(&log).unwrap();
        write("begun anew\n");
        assert_eq!(texts(&looks, 25), ["begun anew"]);
        let path = root.path().join("looks.json");
        looks.write(&path).unwrap();
        assert_eq!(texts(&Looks::read(&path), 25), ["begun anew"]);
    }
}
