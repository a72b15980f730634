//! Tenants' databases: consistent dumps with their summaries, restores beside, swaps.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{Tenant, TenantName};
use eclusa_runbook::Load;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{Base, BaseFacts, Checksums, DatabaseSummary, LogPosition, Meter, Replayed, Runtime};

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
    /// Whether the server keeps a log of what is written, from which any moment can be brought back.
    pub keeps_log: bool,
}

/// Opens a stream on the blocking thread that reads it. Its reader gives an error, not an end, when what
/// produces it failed or ended early.
pub type StreamOpener = Box<dyn FnOnce() -> std::io::Result<Box<dyn Read + Send>> + Send>;

/// Tells what a database held, once everything that was dumped of it has been read; an error when it was not.
pub type SummaryOpener = Box<dyn FnOnce() -> Result<DatabaseSummary> + Send>;

/// A stream of a dump.
pub struct DumpStream {
    /// Its path in a restore point: `database.sql`, `database/2-rows-1.sql`.
    pub name: String,
    /// Opens it.
    pub open: StreamOpener,
}

/// A dump that is ready to be read. The summary and the streams see the same snapshot of the data. Streams with a
/// directory in their names are, one after the other in the order of their names, a whole dump too.
pub struct Dump {
    /// The engine's word and version: `postgresql 15.18`.
    pub engine: String,
    /// The streams. They may be read side by side.
    pub streams: Vec<DumpStream>,
    /// What the database held in that snapshot; to be asked when all streams were read to their ends.
    pub summary: SummaryOpener,
    /// Where the server's log stood at that moment, where it keeps one.
    pub log: Option<LogPosition>,
}

impl Dump {
    /// One of a single stream, whose summary is known already.
    #[must_use]
    pub fn single(name: &str, engine: String, summary: DatabaseSummary, open: StreamOpener) -> Self {
        Self {
            engine,
            streams: vec![DumpStream { name: name.to_owned(), open }],
            summary: Box::new(move || Ok(summary)),
            log: None,
        }
    }
}

/// A stream of a dump that comes back from a restore point.
pub struct StoredStream {
    /// Its path in the restore point.
    pub name: String,
    /// Its bytes.
    pub reader: Box<dyn Read + Send>,
}

/// A dump that comes back from a restore point.
#[derive(Default)]
pub struct StoredDump {
    /// The streams, in the order of their names.
    pub streams: Vec<StoredStream>,
    /// How many rows each table has, where it is known.
    pub rows: BTreeMap<String, u64>,
}

impl StoredDump {
    /// One of a single stream.
    #[must_use]
    pub fn single(reader: Box<dyn Read + Send>) -> Self {
        let stream = StoredStream { name: "database.sql".to_owned(), reader };
        Self { streams: vec![stream], rows: BTreeMap::new() }
    }

    /// All streams as one, in their order: a whole dump.
    #[must_use]
    pub fn joined(self) -> Box<dyn Read + Send> {
        let nothing: Box<dyn Read + Send> = Box::new(std::io::empty());
        self.streams.into_iter().fold(nothing, |before, stream| Box::new(before.chain(stream.reader)))
    }
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
    /// Some tables of a restore point, to be looked at, of this suffix.
    Aside(String),
}

/// Tables of a restore point in a database of their own, to be looked at. It stays until somebody drops it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aside {
    /// Whose.
    pub tenant: TenantName,
    /// The name of the database.
    pub database: String,
    /// Of which point.
    pub point: String,
    /// When it was made.
    pub made_at: Timestamp,
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

fn unsupported(problem: String) -> Fault {
    Fault::new(Code::DatabaseUnsupported).with("problem", problem)
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
        Err(unsupported(format!("the rows of {} are not read by Eclusa", tenant.name)))
    }

    /// The same databases, from which dumps are taken within a load; `None` where that changes nothing. What they read
    /// themselves goes past the meter.
    fn bounded(&self, load: &Load, meter: &Arc<Meter>) -> Option<Arc<dyn Database>> {
        let _ = (load, meter);
        None
    }

    /// The same databases as they are where another runtime runs their servers; `None` where no runtime does.
    fn within(&self, runtime: &Arc<dyn Runtime>) -> Option<Arc<dyn Database>> {
        let _ = runtime;
        None
    }

    /// Begins a consistent dump while the tenant may be served.
    ///
    /// # Errors
    /// `DumpFailed`.
    async fn dump(&self, tenant: &Tenant) -> Result<Dump>;

    /// Restores a dump into a new database beside the live one; what lay there before is dropped.
    ///
    /// # Errors
    /// `RestoreFailed`; the live database is not touched.
    async fn restore_beside(&self, tenant: &Tenant, suffix: &str, dump: StoredDump) -> Result<()>;

    /// The tables of a copy that are otherwise than a restore point has them, which has this summary and this dump: other
    /// rows, another definition, missing, or too many; `None` where that cannot be told table by table, as on engines
    /// whose tables depend on each other.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `RestoreFailed` when the copy is not there or the dump cannot be read.
    async fn differing(
        &self,
        tenant: &Tenant,
        copy: &DatabaseCopy,
        expected: &DatabaseSummary,
        dump: StoredDump,
    ) -> Result<Option<BTreeSet<String>>> {
        let (_, _, _, _) = (tenant, copy, expected, dump);
        Ok(None)
    }

    /// Restores some tables of a dump into a new database beside the live one. When that is swapped in, these tables alone
    /// change places; one of them that the dump has not is then no longer there.
    ///
    /// # Errors
    /// `RestoreFailed`; the live database is not touched. `DatabaseUnsupported` where tables depend on each other.
    async fn restore_tables_beside(
        &self,
        tenant: &Tenant,
        suffix: &str,
        dump: StoredDump,
        tables: &BTreeSet<String>,
    ) -> Result<()> {
        let (_, _, _) = (suffix, dump, tables);
        Err(unsupported(format!("a restore of some tables of {} on this engine", tenant.name)))
    }

    /// Replays on the copy beside what the server's log has of the tenant's database from a place on, up to a moment and
    /// without what was written at it. The copy is as it was restored; when it fails, the copy is gone.
    ///
    /// # Errors
    /// `MomentUnreachable`; the live database is not touched. `DatabaseUnsupported` on engines of which no log is read.
    async fn replay(
        &self,
        tenant: &Tenant,
        suffix: &str,
        log: &LogPosition,
        until: Timestamp,
    ) -> Result<Replayed> {
        let (_, _, _) = (suffix, log, until);
        Err(unsupported(format!("moments between restore points of {} on this engine", tenant.name)))
    }

    /// The base backups of a tenant's server; `None` where none are kept.
    ///
    /// # Errors
    /// `BaseFailed`, `DatabaseUnreachable`, `DatabaseDenied`.
    async fn bases(&self, tenant: &Tenant) -> Result<Option<BaseFacts>> {
        let _ = tenant;
        Ok(None)
    }

    /// Takes a base backup of a tenant's server. Those that are more than are kept go.
    ///
    /// # Errors
    /// `BaseFailed`, `DatabaseUnreachable`, `DatabaseDenied`; `DatabaseUnsupported` where none are kept.
    async fn take_base(&self, tenant: &Tenant) -> Result<Base> {
        Err(unsupported(format!("base backups of the server of {} on this engine", tenant.name)))
    }

    /// Restores a tenant's database beside the live one as it was at a moment, without what was written at it, from a base
    /// backup of its server and the log; what lay there before is dropped. The copy was compared with what it came from.
    /// Gives when the last transaction before the moment was committed, where that is known.
    ///
    /// # Errors
    /// `MomentUnreachable`, `RestoreFailed`; the live database is not touched. `DatabaseUnsupported` where no base backups
    /// are kept.
    async fn restore_moment(
        &self,
        tenant: &Tenant,
        suffix: &str,
        base: &str,
        until: Timestamp,
    ) -> Result<Option<Timestamp>> {
        let (_, _, _) = (suffix, base, until);
        Err(unsupported(format!("moments between restore points of {} on this engine", tenant.name)))
    }

    /// Restores some tables of a dump into a database of their own. Until it is [finished](Database::finish_aside), it is none
    /// that anybody is told of.
    ///
    /// # Errors
    /// `RestoreFailed`; `DatabaseUnsupported` on engines whose tables are not restored alone.
    async fn restore_aside(
        &self,
        tenant: &Tenant,
        suffix: &str,
        dump: StoredDump,
        tables: &BTreeSet<String>,
    ) -> Result<()> {
        let (_, _, _) = (suffix, dump, tables);
        Err(unsupported(format!("a restore of some tables of {} on this engine", tenant.name)))
    }

    /// Writes down what such a database is; gives it.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `DatabaseDenied`.
    async fn finish_aside(&self, tenant: &Tenant, suffix: &str, point: &str, at: Timestamp) -> Result<Aside> {
        let (_, _, _) = (suffix, point, at);
        Err(unsupported(format!("a restore of some tables of {} on this engine", tenant.name)))
    }

    /// The finished ones of all tenants on the server of one.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `DatabaseDenied`.
    async fn asides(&self, tenant: &Tenant) -> Result<Vec<Aside>> {
        let _ = tenant;
        Ok(Vec::new())
    }

    /// Drops one of them from the server of a tenant. Idempotent.
    ///
    /// # Errors
    /// `DatabaseUnreachable`; `DatabaseDenied` when a database of that name is something else.
    async fn drop_aside(&self, tenant: &Tenant, database: &str) -> Result<()> {
        let _ = database;
        Err(unsupported(format!("a restore of some tables of {} on this engine", tenant.name)))
    }

    /// What a copy holds, with checksums of this kind, or of the engine's only kind.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `RestoreFailed` when the copy is not there.
    async fn summarise(
        &self,
        tenant: &Tenant,
        copy: &DatabaseCopy,
        checksums: Checksums,
    ) -> Result<DatabaseSummary>;

    /// How many rows each table of the live database has now.
    ///
    /// # Errors
    /// `DatabaseUnreachable`, `DatabaseDenied`.
    async fn counts(&self, tenant: &Tenant) -> Result<BTreeMap<String, u64>> {
        let summary = self.summarise(tenant, &DatabaseCopy::Live, Checksums::default()).await?;
        Ok(summary.rows_by_table())
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
        Err(unsupported(format!("statements for the database of {} on this engine", tenant.name)))
    }

    /// Makes an empty database for a tenant that has none, like another's, and marks it. One that has the mark is left as
    /// it is.
    ///
    /// # Errors
    /// `CloneRefused` when a database or an account of that name is there already.
    async fn make(&self, tenant: &Tenant, like: &Tenant, mark: &str) -> Result<()> {
        let (_, _) = (like, mark);
        Err(unsupported(format!("a new database for {} on this engine", tenant.name)))
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
        Err(unsupported(format!("a new account for {} on this engine", tenant.name)))
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
