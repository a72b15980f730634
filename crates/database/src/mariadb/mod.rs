//! MariaDB, version 10.6 and later, tables of InnoDB, MyISAM and Aria: a database of a server that is a service of the
//! stack. Everything goes through the server's own client and `mariadb-dump`, run where the server runs, so their versions
//! always fit.
//!
//! - **Dump**: plain SQL of `mariadb-dump`, and a summary in a snapshot of the same moment ([`dump`]).
//! - **Restore**: a database with the live one's character set and collation under
//!   [`copy_name`](crate::names::copy_name), whose comment says whether it is whole ([`restore`]).
//! - **Swap**: tables are renamed from one database to another, what cannot be is made again; comments say how far it
//!   came ([`swap`]).
//!
//! The user must be allowed to make databases and to end connections, as `root` is.

mod apart;
mod aside;
mod ask;
mod begun;
mod catalogue;
mod chosen;
mod clone;
mod differing;
mod dump;
mod facts;
mod foreign;
mod keys;
mod log;
mod looking;
mod parts;
mod quote;
mod restore;
mod rows;
mod rows_dumped;
mod session;
mod summary;
mod swap;
mod swap_part;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use eclusa_ports::{
    Aside, Blocker, Checksums, DatabaseCopy, DatabaseFacts, DatabaseSummary, Dump, LogPosition, Replayed,
    Row, RowsWanted, StoredDump, SwapState,
};
use jiff::Timestamp;
use secrecy::SecretString;

use self::catalogue::SCRATCH;
pub use self::foreign::{Account, Changed, Definers, ForeignDump};
pub(crate) use self::session::PROGRAMS;
use self::session::{Access, Failure, Session};
use crate::Shape;
use crate::names::copy_name;

/// A tenant's database on a MariaDB server.
pub(crate) struct Mariadb {
    access: Access,
    name: String,
    /// Where copies of what is in no snapshot may lie for a while.
    scratch: PathBuf,
    /// How it is dumped.
    shape: Shape,
}

impl Mariadb {
    pub(crate) fn new(access: Access, name: String, scratch: PathBuf, shape: Shape) -> Self {
        Self { access, name, scratch, shape }
    }

    pub(crate) async fn facts(&self, long_transaction: u64) -> Result<DatabaseFacts> {
        self.of(Code::DatabaseUnreachable, facts::facts(&self.access, &self.name, long_transaction).await)
    }

    /// The account that has the database's name, as bench makes it; the one for every host first.
    pub(crate) async fn account(&self) -> Result<Option<Account>> {
        let work = async {
            let mut session = Session::open(&self.access).await?;
            let of = quote::literal(&self.name);
            let found = session
                .texts(&format!(
                    "SELECT Host FROM mysql.user WHERE User = {of} ORDER BY Host <> '%', Host LIMIT 1;"
                ))
                .await?;
            Ok(found.into_iter().next().map(|host| (self.name.clone(), host)))
        };
        self.of(Code::DatabaseUnreachable, work.await)
    }

    pub(crate) async fn rows(&self, wanted: &[RowsWanted]) -> Result<Vec<Option<Vec<Row>>>> {
        self.of(Code::DatabaseUnreachable, rows::rows(&self.access, &self.name, wanted).await)
    }

    pub(crate) async fn dump(&self) -> Result<Dump> {
        dump::dump(&self.access, &self.name, &self.scratch, self.shape).await
    }

    pub(crate) async fn restore_beside(&self, suffix: &str, dump: StoredDump) -> Result<()> {
        let restored = restore::restore_beside(&self.access, &self.name, suffix, dump, None).await;
        self.of(Code::RestoreFailed, restored)
    }

    pub(crate) async fn restore_tables_beside(
        &self,
        suffix: &str,
        dump: StoredDump,
        tables: &BTreeSet<String>,
    ) -> Result<()> {
        let restored = restore::restore_beside(&self.access, &self.name, suffix, dump, Some(tables)).await;
        self.of(Code::RestoreFailed, restored)
    }

    pub(crate) async fn restore_aside(
        &self,
        suffix: &str,
        dump: StoredDump,
        tables: &BTreeSet<String>,
    ) -> Result<()> {
        let aside = copy_name(&self.name, &DatabaseCopy::Aside(suffix.to_owned()));
        let restored = restore::restore_aside(&self.access, &self.name, &aside, dump, tables).await;
        self.of(Code::RestoreFailed, restored)
    }

    pub(crate) async fn finish_aside(
        &self,
        suffix: &str,
        tenant: &TenantName,
        point: &str,
        at: Timestamp,
    ) -> Result<Aside> {
        let name = copy_name(&self.name, &DatabaseCopy::Aside(suffix.to_owned()));
        self.of(Code::DatabaseUnreachable, aside::finish(&self.access, &name, tenant, point, at).await)
    }

    pub(crate) async fn asides(&self) -> Result<Vec<Aside>> {
        self.of(Code::DatabaseUnreachable, aside::list(&self.access).await)
    }

    pub(crate) async fn drop_aside(&self, database: &str) -> Result<()> {
        self.of(Code::DatabaseUnreachable, aside::drop(&self.access, database).await)
    }

    /// Replays what the binary log has of the database on the copy beside.
    pub(crate) async fn replay(&self, suffix: &str, log: &LogPosition, until: Timestamp) -> Result<Replayed> {
        let copy = copy_name(&self.name, &DatabaseCopy::Beside(suffix.to_owned()));
        let replayed = log::replay(&self.access, &self.name, &copy, log, until).await;
        let moment = |fault: Fault| fault.with("moment", until);
        self.of(Code::MomentUnreachable, replayed).map_err(moment)
    }

    /// What of a copy is otherwise than a summary and the dump it belongs to say; `None` where that cannot be told table by
    /// table.
    pub(crate) async fn differing(
        &self,
        copy: &DatabaseCopy,
        expected: &DatabaseSummary,
        dump: StoredDump,
    ) -> Result<Option<BTreeSet<String>>> {
        let found = self.summarise(copy, expected.checksums).await?;
        let Some(mut differing) = differing::by_summary(expected, &found) else { return Ok(None) };
        let name = copy_name(&self.name, copy);
        let tables: Vec<String> = found.tables.into_keys().collect();
        let by_definition = differing::by_definition(&self.access, &name, tables, dump).await;
        differing.extend(self.of(Code::DatabaseUnreachable, by_definition)?);
        Ok(Some(differing))
    }

    pub(crate) async fn summarise(
        &self,
        copy: &DatabaseCopy,
        checksums: Checksums,
    ) -> Result<DatabaseSummary> {
        let name = copy_name(&self.name, copy);
        let work = async {
            let mut session = Session::open(&self.access).await?;
            if catalogue::comment(&mut session, &name).await?.is_none() {
                return Err(Failure::Said(format!("the database {name:?} does not exist")));
            }
            match checksums {
                Checksums::Server => {
                    session.begin_snapshot().await?;
                    summary::summarise(&mut session, &name).await.map(Some)
                }
                Checksums::Dump => Ok(None),
            }
        };
        let missing = crate::missing(copy);
        if let Some(summary) = self.of(missing, work.await)? {
            return Ok(summary);
        }
        let found = dump::summarised(&self.access, &name, &self.scratch, self.shape).await;
        found.map_err(|found| crate::looked_at(found, missing, &self.access.tenant))
    }

    pub(crate) async fn counts(&self) -> Result<BTreeMap<String, u64>> {
        self.of(Code::DatabaseUnreachable, ask::counts(&self.access, &self.name).await)
    }

    pub(crate) async fn query(&self, sql: &str) -> Result<Vec<String>> {
        self.of(Code::DatabaseUnreachable, ask::query(&self.access, &self.name, sql).await)
    }

    pub(crate) async fn blockers(&self, patience: u64) -> Result<Vec<Blocker>> {
        self.of(Code::DatabaseUnreachable, ask::blockers(&self.access, &self.name, patience).await)
    }

    pub(crate) async fn end_blocker(&self, id: u64) -> Result<bool> {
        self.of(Code::DatabaseUnreachable, ask::end_blocker(&self.access, &self.name, id).await)
    }

    pub(crate) async fn swap_state(&self, suffix: &str) -> Result<SwapState> {
        let work = async {
            let mut session = Session::open(&self.access).await?;
            swap::state(&mut session, &self.name, suffix).await
        };
        self.of(Code::DatabaseUnreachable, work.await)
    }

    pub(crate) async fn swap_in(&self, suffix: &str) -> Result<()> {
        self.of(Code::SwapFailed, swap::swap(&self.access, &self.name, suffix, swap::Way::In).await)
    }

    pub(crate) async fn swap_back(&self, suffix: &str) -> Result<()> {
        self.of(Code::SwapFailed, swap::swap(&self.access, &self.name, suffix, swap::Way::Back).await)
    }

    pub(crate) async fn drop_copy(&self, copy: &DatabaseCopy) -> Result<()> {
        let name = copy_name(&self.name, copy);
        let work = async {
            let mut session = Session::open(&self.access).await?;
            // A person who is looking at the old data is not thrown out.
            let who = catalogue::connected(&mut session, &[&name]).await?;
            if !who.is_empty() {
                return Err(Failure::Said(who.join("; ")));
            }
            catalogue::drop_database(&mut session, &name).await
        };
        self.of(Code::SwapFailed, work.await)
    }

    pub(crate) async fn create_scratch(&self, name: &str) -> Result<()> {
        let work = async {
            let mut session = Session::open(&self.access).await?;
            self.only_scratch(&mut session, name).await?;
            catalogue::drop_database(&mut session, name).await?;
            catalogue::create_like(&mut session, name, &self.name, SCRATCH).await
        };
        self.of(Code::DatabaseUnreachable, work.await)
    }

    pub(crate) async fn drop_scratch(&self, name: &str) -> Result<()> {
        let work = async {
            let mut session = Session::open(&self.access).await?;
            self.only_scratch(&mut session, name).await?;
            let companion = format!("test_{name}");
            if companion != self.name {
                catalogue::drop_database(&mut session, &companion).await?;
            }
            catalogue::drop_database(&mut session, name).await
        };
        self.of(Code::DatabaseUnreachable, work.await)
    }

    pub(crate) async fn execute(&self, copy: &DatabaseCopy, statements: &str) -> Result<()> {
        let name = copy_name(&self.name, copy);
        self.of(Code::StatementsFailed, clone::execute(&self.access, &name, statements).await)
    }

    pub(crate) async fn make(&self, like: &Self, mark: &str) -> Result<()> {
        self.refused(clone::make(&self.access, &self.name, &like.name, mark).await)
    }

    /// From where the other's account may connect, this one may.
    pub(crate) async fn make_account(&self, like: &Self, mark: &str, password: &SecretString) -> Result<()> {
        let host = like.account().await?.map_or_else(|| "%".to_owned(), |(_, host)| host);
        self.refused(clone::make_account(&self.access, &self.name, &host, mark, password).await)
    }

    pub(crate) async fn drop_made(&self, mark: &str) -> Result<()> {
        self.of(Code::DatabaseUnreachable, clone::drop_made(&self.access, &self.name, mark).await)
    }

    /// That something is in the way of a new database is no failure of the server.
    fn refused(&self, outcome: std::result::Result<(), Failure>) -> Result<()> {
        match outcome {
            Err(Failure::Said(problem)) => Err(Fault::new(Code::CloneRefused)
                .with("tenant", &self.access.tenant)
                .with("problem", problem)),
            outcome => self.of(Code::DatabaseUnreachable, outcome),
        }
    }

    /// Refuses a database that is there and was not made as a scratch.
    async fn only_scratch(&self, session: &mut Session, name: &str) -> std::result::Result<(), Failure> {
        let found = catalogue::comment(session, name).await?;
        if name != self.name && found.is_none_or(|comment| comment == SCRATCH) {
            return Ok(());
        }
        let refused = crate::fault(Code::DatabaseDenied, &self.access.tenant);
        Err(Failure::Fault(refused.because(format!("the database {name:?} was not made as a scratch"))))
    }

    fn of<T>(&self, code: Code, outcome: std::result::Result<T, Failure>) -> Result<T> {
        outcome.map_err(|failure| self.access.fault(code, failure))
    }
}
