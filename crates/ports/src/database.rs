//! Tenants' databases: consistent dumps with their summaries, restores beside, swaps.

use std::collections::BTreeMap;
use std::io::Read;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::Tenant;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// What a server says about a tenant's database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseFacts {
    /// The server's version.
    pub version: String,
    /// The size in bytes.
    pub bytes: u64,
    /// Transactions and locks that are older than was asked, as a person reads them.
    pub long_transactions: Vec<String>,
    /// Tables that are in no snapshot: who writes to one waits while it is dumped.
    pub without_snapshot: Vec<String>,
}

/// One table: how many rows, and a checksum of all of them that does not depend on their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableSummary {
    /// The number of rows.
    pub rows: u64,
    /// The checksum, as the engine's module documents it.
    pub checksum: String,
}

/// What a database holds, by table (`schema.table` for PostgreSQL).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DatabaseSummary {
    /// The tables.
    pub tables: BTreeMap<String, TableSummary>,
    /// Other objects that a dump must bring back, counted: views, triggers, functions, sequences with their values.
    pub objects: BTreeMap<String, String>,
}

impl DatabaseSummary {
    /// The number of rows of all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.values().map(|table| table.rows).sum()
    }

    /// What differs, as a person reads it; empty when equal.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        let names: std::collections::BTreeSet<_> = self.tables.keys().chain(other.tables.keys()).collect();
        for name in names {
            match (self.tables.get(name), other.tables.get(name)) {
                (Some(left), Some(right)) if left.rows != right.rows => {
                    found.push(format!("{name}: {} rows, not {}", right.rows, left.rows));
                }
                (Some(left), Some(right)) if left.checksum != right.checksum => {
                    found.push(format!("{name}: {} rows whose content differs", right.rows));
                }
                (Some(_), None) => found.push(format!("{name}: missing")),
                (None, Some(_)) => found.push(format!("{name}: not expected")),
                _ => {}
            }
        }
        let names: std::collections::BTreeSet<_> = self.objects.keys().chain(other.objects.keys()).collect();
        for name in names {
            if self.objects.get(name) != other.objects.get(name) {
                found.push(format!(
                    "{name}: {:?}, not {:?}",
                    other.objects.get(name),
                    self.objects.get(name)
                ));
            }
        }
        found
    }
}

/// Opens a stream on the blocking thread that reads it. Its reader gives an error, not an end, when what
/// produces it failed or ended early.
pub type StreamOpener = Box<dyn FnOnce() -> std::io::Result<Box<dyn Read + Send>> + Send>;

/// A dump that is ready to be read. The summary and the stream see the same snapshot of the data.
pub struct Dump {
    /// The name of its stream in a restore point: `database.sql`, `database.sqlite`.
    pub name: String,
    /// The engine's word and version: `postgresql 15.18`.
    pub engine: String,
    /// What the database held in that snapshot.
    pub summary: DatabaseSummary,
    /// Opens the stream.
    pub open: StreamOpener,
}

/// Rows of one table that are wanted, with all of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowsWanted {
    /// The table.
    pub table: String,
    /// Columns of which only these texts are wanted; `NULL` counts as an empty text. One that the table does not have
    /// limits nothing.
    pub only: Vec<(String, Vec<String>)>,
}

/// A row by column: numbers as numbers, `NULL` as null, bytes as hexadecimal digits, everything else as text.
pub type Row = serde_json::Map<String, serde_json::Value>;

/// Which copy of a tenant's database is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseCopy {
    /// The live one.
    Live,
    /// The one restored beside, of this suffix.
    Beside(String),
    /// The old one that a swap kept, of this suffix.
    Kept(String),
}

/// Where a swap stands, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapState {
    /// Neither a copy beside nor a kept one is there.
    Nothing,
    /// A copy lies beside; the live one was not touched.
    Beside,
    /// The copy is live, the old one is kept.
    SwappedIn,
    /// A swap was interrupted; `swap_in` or `swap_back` finishes it.
    Halfway,
}

/// A connection that a statement of the tenant's waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// The server's number for it.
    pub id: u64,
    /// Who it is.
    pub user: String,
    /// Where it comes from.
    pub host: String,
    /// How long its transaction has been open, in seconds.
    pub seconds: u64,
    /// What it said last, or is saying.
    pub statement: String,
    /// Whether it is the tenant's own user, asks for nothing now and has a transaction open.
    pub idle: bool,
}

/// Databases of one stack.
#[async_trait]
pub trait Database: Send + Sync {
    /// What the server says. Transactions older than `long_transaction` seconds are named.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `DatabaseDenied`.
    async fn facts(&self, tenant: &Tenant, long_transaction: u64) -> Result<DatabaseFacts>;

    /// The account, user and host, by which the application itself uses a tenant's database; none where it is not known.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `DatabaseDenied`.
    async fn account(&self, tenant: &Tenant) -> Result<Option<(String, String)>> {
        let _ = tenant;
        Ok(None)
    }

    /// Reads rows of several tables as they are at one moment; none for a table that is not there. Changes nothing.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `DatabaseDenied`; `DatabaseUnsupported` where the engine's rows are not read.
    async fn rows(&self, tenant: &Tenant, wanted: &[RowsWanted]) -> Result<Vec<Option<Vec<Row>>>> {
        let _ = wanted;
        let problem = format!("the rows of {} are not read by Eclusa", tenant.name);
        Err(Fault::new(Code::DatabaseUnsupported).with("problem", problem))
    }

    /// Begins a consistent dump while the tenant may be served.
    ///
    /// # Errors
    /// `DumpFailed`.
    async fn dump(&self, tenant: &Tenant) -> Result<Dump>;

    /// Restores a dump's stream into a new database beside the live one; what lay there before is dropped.
    ///
    /// # Errors
    /// `RestoreFailed`; the live database is not touched.
    async fn restore_beside(&self, tenant: &Tenant, suffix: &str, stream: Box<dyn Read + Send>)
    -> Result<()>;

    /// What a copy holds.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `RestoreFailed` when the copy is not there.
    async fn summarise(&self, tenant: &Tenant, copy: &DatabaseCopy) -> Result<DatabaseSummary>;

    /// How many rows each table of the live database has now.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `DatabaseDenied`.
    async fn counts(&self, tenant: &Tenant) -> Result<BTreeMap<String, u64>> {
        let summary = self.summarise(tenant, &DatabaseCopy::Live).await?;
        Ok(summary.tables.into_iter().map(|(name, table)| (name, table.rows)).collect())
    }

    /// What a query of the live database gives that changes nothing and has one column of text.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `DatabaseDenied`; `Internal` for an engine whose tenants are asked nothing.
    async fn query(&self, tenant: &Tenant, sql: &str) -> Result<Vec<String>> {
        let _ = sql;
        let what = format!("queries of the database of {} on this engine", tenant.name);
        Err(Fault::new(Code::Internal).with("what", what))
    }

    /// The connections that statements of the tenant's have waited for, for at least so many seconds, to change a table.
    /// On engines that do not keep such a statement waiting behind idle connections: none.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `DatabaseDenied`.
    async fn blockers(&self, tenant: &Tenant, patience: u64) -> Result<Vec<Blocker>> {
        let _ = (tenant, patience);
        Ok(Vec::new())
    }

    /// Ends a blocker, if it is still one that may be ended. Gives whether it was.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `DatabaseDenied`.
    async fn end_blocker(&self, tenant: &Tenant, id: u64) -> Result<bool> {
        let _ = (tenant, id);
        Ok(false)
    }

    /// Where a swap stands.
    ///
    /// # Errors
    /// `DatabaseUnreachable`.
    async fn swap_state(&self, tenant: &Tenant, suffix: &str) -> Result<SwapState>;

    /// Swaps the copy beside in; the old one is kept. Idempotent: also finishes a swap that was interrupted.
    ///
    /// # Errors
    /// `SwapFailed`.
    async fn swap_in(&self, tenant: &Tenant, suffix: &str) -> Result<()>;

    /// Swaps back: the kept one is live again, the copy lies beside again. Idempotent.
    ///
    /// # Errors
    /// `SwapFailed`.
    async fn swap_back(&self, tenant: &Tenant, suffix: &str) -> Result<()>;

    /// Drops a copy that is not live. Idempotent.
    ///
    /// # Errors
    /// `SwapFailed` when it is the live one or in use.
    async fn drop_copy(&self, tenant: &Tenant, copy: &DatabaseCopy) -> Result<()>;

    /// Makes an empty database for tests; one that is there is emptied.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `DatabaseDenied`.
    async fn create_scratch(&self, tenant: &Tenant, name: &str) -> Result<()>;

    /// Drops a scratch database and its `test_` companion. Idempotent.
    ///
    /// # Errors
    /// `DatabaseUnreachable`.
    async fn drop_scratch(&self, tenant: &Tenant, name: &str) -> Result<()>;

    /// Runs statements on a copy, or on the live database: all of them, or where the engine can take them back none.
    ///
    /// # Errors
    /// `StatementsFailed`, `DatabaseUnreachable`, `DatabaseDenied`.
    async fn execute(&self, tenant: &Tenant, copy: &DatabaseCopy, statements: &str) -> Result<()> {
        let (_, _) = (copy, statements);
        let problem = format!("statements for the database of {} on this engine", tenant.name);
        Err(Fault::new(Code::DatabaseUnsupported).with("problem", problem))
    }

    /// Makes an empty database for a tenant that has none, like another's, and marks it. One that has the mark is left as
    /// it is.
    ///
    /// # Errors
    /// `CloneRefused` when a database or an account of that name is there already.
    async fn make(&self, tenant: &Tenant, like: &Tenant, mark: &str) -> Result<()> {
        let (_, _) = (like, mark);
        let problem = format!("a new database for {} on this engine", tenant.name);
        Err(Fault::new(Code::DatabaseUnsupported).with("problem", problem))
    }

    /// Makes the account of a database that has the mark, with this password, as the other's application has one.
    /// Idempotent.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `DatabaseDenied`; `CloneRefused` when the database has not the mark.
    async fn make_account(
        &self,
        tenant: &Tenant,
        like: &Tenant,
        mark: &str,
        password: &SecretString,
    ) -> Result<()> {
        let (_, _, _) = (like, mark, password);
        let problem = format!("a new account for {} on this engine", tenant.name);
        Err(Fault::new(Code::DatabaseUnsupported).with("problem", problem))
    }

    /// Drops a database that has the mark, with its account and its copies. One without it is left as it is. Idempotent.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `DatabaseDenied`.
    async fn drop_made(&self, tenant: &Tenant, mark: &str) -> Result<()> {
        let (_, _) = (tenant, mark);
        Ok(())
    }
}
