//! From what moments between restore points are brought back: places in a server's log, and copies of a whole server.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A place in the log in which a server keeps what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPosition {
    /// The file of the log.
    pub file: String,
    /// The place in it, in bytes.
    pub position: u64,
    /// The server's number of the last transaction before it; empty: there was none.
    pub gtid: String,
    /// When the log was there, by the server's clock, to the second: everything before it stands before the place.
    pub at: Timestamp,
}

/// What was replayed of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Replayed {
    /// How many changes: sets of rows, and statements.
    pub changes: u64,
    /// When the last of them was made.
    pub last: Option<Timestamp>,
}

/// A copy of everything that a server holds, from which its log leads to any moment after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Base {
    /// By what it is known.
    pub name: String,
    /// When it was finished, by the server's clock.
    pub ended_at: Timestamp,
    /// How many bytes it takes on the disk.
    pub bytes: u64,
}

/// What a server has from which moments are brought back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BaseFacts {
    /// Whether it archives its log.
    pub archives: bool,
    /// The file of its log that it cannot archive at present.
    pub failing: Option<String>,
    /// The base backups, the newest first.
    pub bases: Vec<Base>,
}
