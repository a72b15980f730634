//! Rows that went by in the streams of a dump, counted and hashed.
//!
//! **Checksum.** A table's checksum is the sum, modulo 2¹²⁸, of XXH3-128 over the text of each row as the server's dump
//! program writes it. It does not depend on the order of the rows, two equal rows do not cancel each other, and it costs
//! the server nothing: the text was written anyway. It guards against loss and mistakes, not against forgery. Texts of two
//! versions of a server may differ, so such a checksum is compared with one of the same server only.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use eclusa_fault::{Code, Result};
use eclusa_ports::{Checksums, DatabaseSummary, TableSummary};

/// Rows of a table: how many, and the sum of their hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sum {
    rows: u64,
    hashes: u128,
}

impl Sum {
    /// One more row, of this hash.
    pub(crate) fn add(&mut self, hash: u128) {
        self.rows += 1;
        self.hashes = self.hashes.wrapping_add(hash);
    }

    pub(crate) fn summary(self) -> TableSummary {
        TableSummary { rows: self.rows, checksum: format!("{:032x}", self.hashes) }
    }
}

/// What went by in the streams of one dump. `Name` is what the program calls a table.
#[derive(Debug)]
pub(crate) struct Counted<Name> {
    /// By table; one without rows need not be named.
    pub(crate) tables: BTreeMap<Name, Sum>,
    /// How many streams were read to their ends.
    pub(crate) ended: usize,
}

/// Shared between the streams of one dump and whoever asks for its summary.
#[derive(Debug)]
pub(crate) struct Counting<Name>(Arc<Mutex<Counted<Name>>>);

impl<Name> Default for Counting<Name> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Counted { tables: BTreeMap::new(), ended: 0 })))
    }
}

impl<Name> Clone for Counting<Name> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Name: Ord> Counting<Name> {
    /// Looks at what was counted, or changes it.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Counted<Name>) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Rows of a table that stood together in a stream.
    pub(crate) fn add(&self, table: Name, sum: Sum) {
        self.with(|counted| {
            let all = counted.tables.entry(table).or_default();
            all.rows += sum.rows;
            all.hashes = all.hashes.wrapping_add(sum.hashes);
        });
    }

    /// What the database held, when so many streams were read to their ends. `tables` takes the sums of the tables that are
    /// there, by the names that people read; of one that is left nobody knows what it is.
    ///
    /// # Errors
    /// `DumpFailed`.
    pub(crate) fn summary(
        &self,
        tenant: &str,
        streams: usize,
        objects: BTreeMap<String, String>,
        tables: impl FnOnce(&mut BTreeMap<Name, Sum>) -> BTreeMap<String, TableSummary>,
        shown: impl FnOnce(&Name) -> String,
    ) -> Result<DatabaseSummary> {
        let failed = |cause: String| crate::fault(Code::DumpFailed, tenant).because(cause);
        self.with(|counted| {
            if counted.ended != streams {
                let cause = format!("{} of {streams} streams were read to their ends", counted.ended);
                return Err(failed(cause));
            }
            let tables = tables(&mut counted.tables);
            match counted.tables.keys().next() {
                Some(stranger) => {
                    Err(failed(format!("rows of a table that is not there: {}", shown(stranger))))
                }
                None => Ok(DatabaseSummary { checksums: Checksums::Dump, tables, objects }),
            }
        })
    }

    /// One more stream was read to its end.
    pub(crate) fn end(&self) {
        self.with(|counted| counted.ended += 1);
    }
}
