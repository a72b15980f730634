//! L3: the SQLite journal: append-only, hash-chained, durable. Its file is a format of its own, described in
//! `docs/formats/journal.md`. All calls block; they are made on blocking threads.

mod chain;
mod durations;
mod owners;
mod reading;
mod reserve;
mod schema;
mod store;
mod trouble;
mod writing;

pub use chain::{FIRST_PREVIOUS, entry_hash};
pub use store::{OpenMode, SqliteJournal};
