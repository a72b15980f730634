//! PostgreSQL, version 12 and later: a database of a server that is a service of the stack. Everything goes through
//! the server's own `psql` and `pg_dump`, run where the server runs, so their versions always fit.
//!
//! - **Dump**: plain SQL in UTF-8. A session exports a snapshot, `pg_dump` dumps it, a large database by several connections
//!   ([`parts`]), the rows are counted and hashed as they pass ([`rows_dumped`]), and the sequences follow as the summary
//!   saw them. Owners are in it when the user is a superuser; else everything belongs to who restores. Privileges are
//!   in it. Roles are not: they belong to the server.
//! - **Restore**: a database made like the live one (encoding, collation, owner, tablespace, settings, grants,
//!   comment), filled under the name `..._part`, renamed to [`copy_name`](crate::names::copy_name) when it is whole.
//! - **Swap**: both renames in one transaction. The first takes a lock that lets nobody connect any more and waits
//!   until all are gone, while a second session ends who is still connected. Nothing lasting is changed
//!   before the commit, so a crash leaves either the old state or the new one.

mod aside;
mod catalogue;
mod chosen;
mod dump;
mod facts;
mod moment;
mod parts;
mod quote;
mod restore;
mod rows_dumped;
mod session;
mod summary;
mod swap;

use std::collections::BTreeSet;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use eclusa_ports::{
    Aside, Base, BaseFacts, Checksums, DatabaseCopy, DatabaseFacts, DatabaseSummary, Dump, StoredDump,
    SwapState,
};
use jiff::Timestamp;

use self::catalogue::Live;
pub use self::moment::BasePlace;
use self::quote::{identifier, literal};
pub(crate) use self::session::PROGRAMS;
use self::session::{Access, Failure, Session, psql};
use crate::Shape;
use crate::names::{Part, copy_name, part_name};
use crate::server::{self, feed_statements};

/// The comment by which a scratch database is known, so that no other is ever emptied or dropped as one.
const SCRATCH: &str = "eclusa scratch";

/// A tenant's database on a PostgreSQL server.
pub(crate) struct Postgresql {
    access: Access,
    name: String,
    /// How it is dumped.
    shape: Shape,
    /// Where base backups of its server lie.
    base: Option<BasePlace>,
}

impl Postgresql {
    pub(crate) fn new(access: Access, name: String, shape: Shape, base: Option<BasePlace>) -> Self {
        Self { access, name, shape, base }
    }

    pub(crate) async fn facts(&self, long_transaction: u64) -> Result<DatabaseFacts> {
        let facts = facts::facts(&self.access, &self.name, long_transaction).await;
        let mut facts = self.of(Code::DatabaseUnreachable, facts)?;
        facts.keeps_log &= self.base.is_some();
        Ok(facts)
    }

    /// The base backups of its server, where the configuration says where they lie.
    pub(crate) async fn bases(&self) -> Result<Option<BaseFacts>> {
        let Some(place) = &self.base else { return Ok(None) };
        let found = moment::facts(&self.access, &self.name, place).await;
        found.map(Some).map_err(|failure| moment::base_fault(&self.access, place, failure))
    }

    /// Takes a base backup of its server.
    pub(crate) async fn take_base(&self) -> Result<Base> {
        let place = self.base.as_ref().ok_or_else(|| self.without_base())?;
        let taken = moment::take(&self.access, &self.name, place).await;
        taken.map_err(|failure| moment::base_fault(&self.access, place, failure))
    }

    /// Restores the database beside as it was at a moment.
    pub(crate) async fn restore_moment(
        &self,
        suffix: &str,
        base: &str,
        until: Timestamp,
    ) -> Result<Option<Timestamp>> {
        let place = self.base.as_ref().ok_or_else(|| self.without_base())?;
        let copy = DatabaseCopy::Beside(suffix.to_owned());
        let wanted = moment::Wanted { live: &self.name, suffix, base, until };
        let restored = moment::restore(&self.access, place, &wanted, self.shape).await;
        let moment = |fault: Fault| fault.with("moment", until);
        let (last, expected) = self.of(Code::MomentUnreachable, restored).map_err(moment)?;
        let found = self.summarise(&copy, Checksums::Dump).await?;
        let differences = expected.differences(&found);
        if differences.is_empty() {
            return Ok(last);
        }
        self.drop_copy(&copy).await?;
        let fault = moment(crate::fault(Code::MomentUnreachable, &self.access.tenant));
        Err(differences.into_iter().take(10).fold(fault, |fault, text| fault.because(text)))
    }

    fn without_base(&self) -> Fault {
        let problem = format!(
            "moments between restore points of {}: no table point_in_time says where base backups of the service {} lie",
            self.access.tenant, self.access.service
        );
        Fault::new(Code::DatabaseUnsupported).with("problem", problem)
    }

    pub(crate) async fn dump(&self) -> Result<Dump> {
        dump::dump(&self.access, &self.name, self.shape).await
    }

    pub(crate) async fn restore_beside(&self, suffix: &str, dump: StoredDump) -> Result<()> {
        self.of(Code::RestoreFailed, restore::restore_beside(&self.access, &self.name, suffix, dump).await)
    }

    pub(crate) async fn summarise(
        &self,
        copy: &DatabaseCopy,
        checksums: Checksums,
    ) -> Result<DatabaseSummary> {
        let name = copy_name(&self.name, copy);
        let missing = crate::missing(copy);
        let work = async {
            let mut session = Session::open(&self.access, &name).await?;
            session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;").await?;
            summary::summarise(&mut session).await
        };
        if checksums == Checksums::Server {
            return self.of(missing, work.await);
        }
        let dump = dump::dump(&self.access, &name, self.shape);
        let found = async { server::summarised(&self.access.tenant, dump.await?).await };
        found.await.map_err(|found| crate::looked_at(found, missing, &self.access.tenant))
    }

    /// Statements that people give, in one transaction. psql names the line and the error's number alone: its words quote them.
    pub(crate) async fn execute(&self, copy: &DatabaseCopy, statements: &str) -> Result<()> {
        let mut argv = psql();
        argv.extend(["-v", "VERBOSITY=sqlstate", "-f", "-"].map(String::from));
        let work = async {
            let client = self.access.start_postgresql(argv, &copy_name(&self.name, copy)).await?;
            feed_statements(client, statements, "BEGIN; ", "postgresql.statements.piece").await
        };
        self.of(Code::StatementsFailed, work.await)
    }

    pub(crate) async fn swap_state(&self, suffix: &str) -> Result<SwapState> {
        let work = async {
            let mut session = catalogue::maintenance(&self.access, &self.name).await?;
            swap::settled(&mut session, &self.name).await?;
            swap::look(&mut session, &self.name, suffix).await
        };
        self.of(Code::DatabaseUnreachable, work.await).map(|standing| standing.state())
    }

    pub(crate) async fn swap_in(&self, suffix: &str) -> Result<()> {
        self.of(Code::SwapFailed, swap::swap(&self.access, &self.name, suffix, swap::Way::In).await)
    }

    pub(crate) async fn swap_back(&self, suffix: &str) -> Result<()> {
        self.of(Code::SwapFailed, swap::swap(&self.access, &self.name, suffix, swap::Way::Back).await)
    }

    pub(crate) async fn drop_copy(&self, copy: &DatabaseCopy) -> Result<()> {
        let work = async {
            let mut session = catalogue::maintenance(&self.access, &self.name).await?;
            if let (DatabaseCopy::Beside(_), Some(place)) = (copy, &self.base) {
                moment::clear(&self.access, &self.name, place).await?;
            }
            if let DatabaseCopy::Beside(suffix) = copy {
                catalogue::drop_by_force(&mut session, &part_name(&self.name, suffix, Part::Unfinished))
                    .await?;
            }
            let name = copy_name(&self.name, copy);
            // Ours alone are ended: a person who is looking at the old data is not thrown out.
            catalogue::terminate(&mut session, &[&name], false).await?;
            session.run(&format!("DROP DATABASE IF EXISTS {};", identifier(&name))).await
        };
        self.of(Code::SwapFailed, work.await)
    }

    pub(crate) async fn restore_aside(
        &self,
        suffix: &str,
        dump: StoredDump,
        tables: &BTreeSet<String>,
    ) -> Result<()> {
        let aside = copy_name(&self.name, &DatabaseCopy::Aside(suffix.to_owned()));
        let made = aside::make(&self.access, &self.name, &aside, dump, tables).await;
        self.of(Code::RestoreFailed, made)
    }

    pub(crate) async fn finish_aside(
        &self,
        suffix: &str,
        tenant: &TenantName,
        point: &str,
        at: Timestamp,
    ) -> Result<Aside> {
        let database = copy_name(&self.name, &DatabaseCopy::Aside(suffix.to_owned()));
        let finished = aside::finish(&self.access, &self.name, &database, tenant, point, at).await;
        self.of(Code::DatabaseUnreachable, finished)
    }

    pub(crate) async fn asides(&self) -> Result<Vec<Aside>> {
        self.of(Code::DatabaseUnreachable, aside::list(&self.access, &self.name).await)
    }

    pub(crate) async fn drop_aside(&self, database: &str) -> Result<()> {
        self.of(Code::DatabaseUnreachable, aside::drop(&self.access, &self.name, database).await)
    }

    pub(crate) async fn create_scratch(&self, name: &str) -> Result<()> {
        let work = async {
            let mut session = catalogue::maintenance(&self.access, &self.name).await?;
            self.only_scratch(&mut session, name).await?;
            let live = Live::look(&mut session, &self.name).await?;
            // It gets its name last, so that after a crash none of that name lacks the comment.
            let unfinished = part_name(name, "scratch", Part::Unfinished);
            catalogue::drop_by_force(&mut session, &unfinished).await?;
            session.run(&live.create(&unfinished)).await?;
            let (from, to) = (identifier(&unfinished), identifier(name));
            session.run(&format!("COMMENT ON DATABASE {from} IS {};", literal(SCRATCH))).await?;
            catalogue::drop_by_force(&mut session, name).await?;
            session.run(&format!("ALTER DATABASE {from} RENAME TO {to};")).await
        };
        self.of(Code::DatabaseUnreachable, work.await)
    }

    pub(crate) async fn drop_scratch(&self, name: &str) -> Result<()> {
        let work = async {
            let mut session = catalogue::maintenance(&self.access, &self.name).await?;
            self.only_scratch(&mut session, name).await?;
            let companion = format!("test_{name}");
            if companion != self.name {
                catalogue::drop_by_force(&mut session, &companion).await?;
            }
            catalogue::drop_by_force(&mut session, &part_name(name, "scratch", Part::Unfinished)).await?;
            catalogue::drop_by_force(&mut session, name).await
        };
        self.of(Code::DatabaseUnreachable, work.await)
    }

    /// Refuses a database that is there and was not made as a scratch.
    async fn only_scratch(&self, session: &mut Session, name: &str) -> std::result::Result<(), Failure> {
        let found = session
            .rows(&format!(
                "SELECT json_build_object('comment', shobj_description(oid, 'pg_database')) \
                 FROM pg_database WHERE datname = {};",
                literal(name)
            ))
            .await?;
        let ours =
            found.iter().all(|row| row.get("comment").and_then(|comment| comment.as_str()) == Some(SCRATCH));
        if ours && name != self.name {
            return Ok(());
        }
        let refused = crate::fault(Code::DatabaseDenied, &self.access.tenant);
        Err(Failure::Fault(refused.because(format!("the database {name:?} was not made as a scratch"))))
    }

    fn of<T>(&self, code: Code, outcome: std::result::Result<T, Failure>) -> Result<T> {
        outcome.map_err(|failure| self.access.fault(code, failure))
    }
}
