//! The state on disk: one owner, durable replacement, and no trust in what cannot be proved intact.
//!
//! `state.json` has two lines: a header with format and SHA-256, and the ledger. It is replaced by
//! write, fsync, rename, fsync of the directory. A marker says that a state was once written, so that a state file
//! that vanished is told apart from a first start: the former closes every gate.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::EdgeConfig;
use crate::error::EdgeError;
use crate::state::Ledger;

/// The newest state format that this edge reads, and the one that it writes.
const STATE_FORMAT: u32 = 1;
/// A larger state file was not written by an edge. 64 MiB are about 100,000 tenants.
const LARGEST_STATE_BYTES: u64 = 64 * 1024 * 1024;

const STATE_FILE: &str = "state.json";
const NEW_FILE: &str = "state.json.new";
const MARKER_FILE: &str = "initialised";
const LOCK_FILE: &str = "edge.lock";

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    sha256: String,
}

/// The owned state directory. The lock goes with the process, however it ends.
pub(crate) struct Store {
    directory: PathBuf,
    _lock: File,
}

/// What was found at start.
pub(crate) struct Restored {
    pub ledger: Ledger,
    /// Why the state could not be trusted, if it could not; every gate is closed then.
    pub distrust: Option<String>,
}

impl Store {
    /// Creates the directory if needed and becomes its owner.
    pub fn open(directory: &Path) -> Result<Self, EdgeError> {
        let unwritable = |path: &Path| {
            let path = path.to_owned();
            move |source| EdgeError::StateUnwritable { path, source }
        };
        eclusa_durable::make_directory(directory, 0o777).map_err(unwritable(directory))?;
        let path = directory.join(LOCK_FILE);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(unwritable(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { directory: directory.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(EdgeError::AlreadyRunning { path }),
            Err(TryLockError::Error(source)) => Err(EdgeError::StateUnwritable { path, source }),
        }
    }

    /// Reads the state. One that is missing though it was written before, or that is damaged, yields closed gates;
    /// the damaged file is kept beside for whoever looks into it.
    pub fn restore(&self, config: &EdgeConfig, now: Timestamp) -> Result<Restored, EdgeError> {
        let path = self.directory.join(STATE_FILE);
        let distrust = match read_bounded(&path) {
            Ok(text) => match read_ledger(&text) {
                Ok(ledger) => return Ok(Restored { ledger, distrust: None }),
                Err(Unreadable::Newer(found)) => {
                    return Err(EdgeError::StateNewer { path, found, known: STATE_FORMAT });
                }
                Err(Unreadable::Damaged(why)) => why,
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if !self.directory.join(MARKER_FILE).exists() {
                    return Ok(Restored { ledger: Ledger::default(), distrust: None });
                }
                "the state file is missing, though one was written before".to_owned()
            }
            Err(error) => format!("the state file cannot be read: {error}"),
        };
        let kept = self.directory.join(format!("{STATE_FILE}.damaged-{}", now.as_millisecond()));
        match fs::rename(&path, &kept) {
            Ok(()) => {
                tracing::error!(reason = %distrust, kept = %kept.display(), "state not trusted: all gates closed")
            }
            Err(_) => tracing::error!(reason = %distrust, "state not trusted: all gates closed"),
        }
        Ok(Restored { ledger: Ledger::all_closed(config, now), distrust: Some(distrust) })
    }

    /// Writes the ledger so that it survives a crash at any instant. Blocks: call it off the event loop.
    pub fn save(&self, ledger: &Ledger) -> Result<(), EdgeError> {
        let path = self.directory.join(STATE_FILE);
        self.replace(&path, ledger).map_err(|source| EdgeError::StateUnwritable { path, source })
    }

    fn replace(&self, path: &Path, ledger: &Ledger) -> std::io::Result<()> {
        let body = serde_json::to_string(ledger)?;
        let header = Header { format: STATE_FORMAT, sha256: digest(&body) };
        let new = self.directory.join(NEW_FILE);
        let mut file = File::create(&new)?;
        file.write_all(format!("{}\n{body}\n", serde_json::to_string(&header)?).as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        let directory = File::open(&self.directory)?;
        directory.sync_all()?;
        let marker = self.directory.join(MARKER_FILE);
        if !marker.exists() {
            File::create(&marker)?.sync_all()?;
            directory.sync_all()?;
        }
        Ok(())
    }
}

enum Unreadable {
    Newer(u32),
    Damaged(String),
}

fn read_ledger(text: &str) -> Result<Ledger, Unreadable> {
    let damaged = |why: &str| Unreadable::Damaged(why.to_owned());
    let (header, body) = text.split_once('\n').ok_or_else(|| damaged("the state file has no second line"))?;
    let header: Header = serde_json::from_str(header)
        .map_err(|error| Unreadable::Damaged(format!("the state file's header: {error}")))?;
    if header.format == 0 {
        return Err(damaged("the state file names format 0, which never was"));
    }
    if header.format > STATE_FORMAT {
        return Err(Unreadable::Newer(header.format));
    }
    let body = body.strip_suffix('\n').ok_or_else(|| damaged("the state file is cut off"))?;
    if digest(body) != header.sha256 {
        return Err(damaged("the state file's checksum does not match"));
    }
    serde_json::from_str(body)
        .map_err(|error| Unreadable::Damaged(format!("the state file's ledger: {error}")))
}

fn digest(body: &str) -> String {
    hex::encode(Sha256::digest(body.as_bytes()))
}

fn read_bounded(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(LARGEST_STATE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;
    use crate::state::Gate;

    fn config() -> EdgeConfig {
        serde_json::from_value(serde_json::json!({
            "format": 1, "public": ["127.0.0.1:0"], "control_socket": "/c", "state_directory": "/s",
            "tenants": [{"name": "alpha", "hosts": ["alpha"], "upstream": "old:80"}],
        }))
        .unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_700_000_000).unwrap()
    }

    fn written() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let mut ledger = store.restore(&config(), now()).unwrap().ledger;
        ledger.adopt(&config(), now());
        store.save(&ledger).unwrap();
        (directory, store)
    }

    fn is_closed(restored: &Restored) -> bool {
        matches!(restored.ledger.tenants["alpha"].gate, Gate::Closed(_))
    }

    #[test]
    fn every_single_damaged_byte_closes_the_gates() {
        let (directory, store) = written();
        let path = directory.path().join(STATE_FILE);
        let good = fs::read(&path).unwrap();
        assert!(store.restore(&config(), now()).unwrap().distrust.is_none());
        for position in 0..good.len() {
            let mut bad = good.clone();
            bad[position] ^= 1;
            fs::write(&path, &bad).unwrap();
            match store.restore(&config(), now()) {
                Ok(restored) => {
                    assert!(restored.distrust.is_some() && is_closed(&restored), "byte {position}");
                }
                Err(error) => panic!("byte {position}: {error}"),
            }
        }
        for length in 0..good.len() {
            fs::write(&path, &good[..length]).unwrap();
            assert!(is_closed(&store.restore(&config(), now()).unwrap()), "cut to {length} bytes");
        }
    }

    #[test]
    fn a_vanished_state_closes_the_gates_and_a_first_start_does_not() {
        let (directory, store) = written();
        fs::remove_file(directory.path().join(STATE_FILE)).unwrap();
        let restored = store.restore(&config(), now()).unwrap();
        assert!(restored.distrust.is_some() && is_closed(&restored));
    }

    #[test]
    fn a_newer_format_is_refused_and_left_alone() {
        let (directory, store) = written();
        let path = directory.path().join(STATE_FILE);
        let text = fs::read_to_string(&path).unwrap().replace("\"format\":1", "\"format\":2");
        fs::write(&path, &text).unwrap();
        assert_eq!(store.restore(&config(), now()).err().unwrap().code(), "state-newer");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_directory_has_one_owner() {
        let (directory, store) = written();
        assert_eq!(Store::open(directory.path()).err().unwrap().code(), "already-running");
        drop(store);
        assert!(Store::open(directory.path()).is_ok());
    }
}
