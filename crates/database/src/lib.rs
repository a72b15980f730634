//! L3: consistent dumps, restores and swaps: MariaDB, PostgreSQL and SQLite.
//!
//! What a dump of each engine is made of, how its summary is computed and how a swap survives a crash stands at
//! the top of its module: [`mariadb`], [`postgresql`] and [`sqlite`].

mod asides;
pub mod mariadb;
pub mod names;
pub mod postgresql;
mod rows_counted;
mod server;
mod shape;
mod shares;
pub mod sqlite;
mod standing;
mod statements;
mod streams;
mod unsupported;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{DatabasePlace, RuntimeKind, ServiceName, Tenant};
use eclusa_ports::{
    Aside, Base, BaseFacts, Blocker, Checksums, Database, DatabaseCopy, DatabaseFacts, DatabaseSummary, Dump,
    ExecSpec, LogPosition, Meter, NoOutput, Replayed, Row, RowsWanted, Runtime, SecretResolver, StoredDump,
    SwapState,
};
use eclusa_runbook::{Load, Place};

use jiff::Timestamp;
use secrecy::SecretString;

use crate::mariadb::Mariadb;
pub use crate::postgresql::BasePlace;
use crate::postgresql::Postgresql;
use crate::server::Access;
pub(crate) use crate::shape::Shape;
use crate::sqlite::Sqlite;
use crate::unsupported::{cannot_be_made, tables_alone, without_bases, without_log};

/// The databases of one stack, each handled as its engine needs it.
#[derive(Clone)]
pub struct Databases {
    runtime: Arc<dyn Runtime>,
    secrets: Arc<dyn SecretResolver>,
    scratch: PathBuf,
    shape: Shape,
    /// Where base backups of servers of PostgreSQL lie, by the service.
    bases: BTreeMap<ServiceName, BasePlace>,
    /// Within which dumps are taken.
    load: Load,
    meter: Arc<Meter>,
}

impl Databases {
    /// The databases of the stack that this runtime runs. `scratch` is a directory for temporary copies of
    /// SQLite files and of the tables that MariaDB has in no snapshot; a dump needs as much room there as these are big.
    /// It is made when it is not there.
    pub fn new(
        runtime: Arc<dyn Runtime>,
        secrets: Arc<dyn SecretResolver>,
        scratch: impl Into<PathBuf>,
    ) -> Self {
        let shape = Shape::default();
        let (scratch, load, meter) = (scratch.into(), Load::default(), Arc::default());
        Self { runtime, secrets, scratch, shape, bases: BTreeMap::new(), load, meter }
    }

    /// So many connections read rows side by side.
    #[must_use]
    pub fn connections(mut self, connections: usize) -> Self {
        self.shape.connections = connections;
        self
    }

    /// Dumps of a server are several streams from so many bytes on.
    #[must_use]
    pub fn several_from(mut self, bytes: u64) -> Self {
        self.shape.several_from = bytes;
        self
    }

    /// Base backups of servers of PostgreSQL lie there, by the service.
    #[must_use]
    pub fn base_backups(mut self, bases: BTreeMap<ServiceName, BasePlace>) -> Self {
        self.bases = bases;
        self
    }

    fn engine(&self, tenant: &Tenant) -> Engine {
        self.engine_after(tenant, &[])
    }

    fn engine_after(&self, tenant: &Tenant, before: &[String]) -> Engine {
        let access = |programs, service: &ServiceName, user: &str, password: &Option<String>| Access {
            runtime: Arc::clone(&self.runtime),
            secrets: Arc::clone(&self.secrets),
            programs,
            tenant: tenant.name.to_string(),
            service: service.clone(),
            user: user.to_owned(),
            password: password.clone(),
            own_password: None,
            server: Vec::new(),
            before: before.to_vec(),
        };
        match &tenant.database {
            DatabasePlace::Postgresql { service, name, user, password } => {
                Engine::Postgresql(Postgresql::new(
                    access(&postgresql::PROGRAMS, service, user, password),
                    name.clone(),
                    self.shape,
                    self.bases.get(service).cloned(),
                ))
            }
            DatabasePlace::Mariadb { service, host, port, name, user, password } => {
                let mut access = access(&mariadb::PROGRAMS, service, user, password);
                access.server.extend(host.iter().map(|host| format!("--host={host}")));
                access.server.extend(port.iter().map(|port| format!("--port={port}")));
                Engine::Mariadb(Mariadb::new(access, name.clone(), self.scratch.clone(), self.shape))
            }
            DatabasePlace::Sqlite { path } => {
                let (scratch, meter) = (self.scratch.clone(), self.meter.clone());
                Engine::Sqlite(Sqlite::new(tenant.name.as_str(), path.into(), scratch, meter))
            }
        }
    }

    /// The tenant's database where it is one of MariaDB.
    fn mariadb(&self, tenant: &Tenant) -> Option<Mariadb> {
        match self.engine(tenant) {
            Engine::Mariadb(engine) => Some(engine),
            Engine::Postgresql(_) | Engine::Sqlite(_) => None,
        }
    }

    /// What stands before the programs of a tenant's server, so that they step back from others. Programs on this machine
    /// inherit that; in a container they are started by somebody else, and what is missing there is left out.
    async fn before(&self, tenant: &Tenant) -> Vec<String> {
        let (DatabasePlace::Postgresql { service, .. } | DatabasePlace::Mariadb { service, .. }) =
            &tenant.database
        else {
            return Vec::new();
        };
        if self.runtime.kind() != RuntimeKind::Compose {
            return Vec::new();
        }
        let (nice, ionice) = (self.load.nice.is_some(), self.load.ionice.is_some());
        for (nice, ionice) in [(nice, ionice), (nice, false), (false, ionice)] {
            let before = self.load.prefix(nice, ionice);
            if !before.is_empty() && self.starts(service, &before).await {
                return before;
            }
        }
        if nice || ionice {
            tracing::warn!(%service, "neither nice nor ionice can be used in the service of the database");
        }
        Vec::new()
    }

    /// Whether a command can be started behind these words.
    async fn starts(&self, service: &ServiceName, before: &[String]) -> bool {
        let spec = ExecSpec {
            place: Place::Service { service: service.clone() },
            argv: before.iter().cloned().chain(["true".to_owned()]).collect(),
            environment: BTreeMap::new(),
            directory: None,
            stdin: None,
            timeout: Duration::from_secs(30),
            mark: None,
            images: Default::default(),
        };
        matches!(self.runtime.exec(spec, &NoOutput).await, Ok(result) if result.code == 0)
    }
}

enum Engine {
    Mariadb(Mariadb),
    Postgresql(Postgresql),
    Sqlite(Sqlite),
}

/// Calls the same method of whichever engine it is.
macro_rules! dispatch {
    ($self:ident, $tenant:ident, $engine:ident => $call:expr) => {
        match $self.engine($tenant) {
            Engine::Mariadb($engine) => $call.await,
            Engine::Postgresql($engine) => $call.await,
            Engine::Sqlite($engine) => $call.await,
        }
    };
}

#[async_trait]
impl Database for Databases {
    async fn facts(&self, tenant: &Tenant, long_transaction: u64) -> Result<DatabaseFacts> {
        dispatch!(self, tenant, engine => engine.facts(long_transaction))
    }

    async fn account(&self, tenant: &Tenant) -> Result<Option<(String, String)>> {
        match self.engine(tenant) {
            Engine::Mariadb(engine) => engine.account().await,
            Engine::Postgresql(_) | Engine::Sqlite(_) => Ok(None),
        }
    }

    async fn rows(&self, tenant: &Tenant, wanted: &[RowsWanted]) -> Result<Vec<Option<Vec<Row>>>> {
        match self.engine(tenant) {
            Engine::Mariadb(engine) => engine.rows(wanted).await,
            Engine::Postgresql(_) | Engine::Sqlite(_) => {
                let problem = "only rows of MariaDB are read as customizations";
                Err(Fault::new(Code::DatabaseUnsupported).with("problem", problem))
            }
        }
    }

    fn bounded(&self, load: &Load, meter: &Arc<Meter>) -> Option<Arc<dyn Database>> {
        Some(Arc::new(Self { load: *load, meter: meter.clone(), ..self.clone() }))
    }

    fn within(&self, runtime: &Arc<dyn Runtime>) -> Option<Arc<dyn Database>> {
        Some(Arc::new(Self { runtime: runtime.clone(), bases: BTreeMap::new(), ..self.clone() }))
    }

    async fn dump(&self, tenant: &Tenant) -> Result<Dump> {
        let before = self.before(tenant).await;
        match self.engine_after(tenant, &before) {
            Engine::Mariadb(engine) => engine.dump().await,
            Engine::Postgresql(engine) => engine.dump().await,
            Engine::Sqlite(engine) => engine.dump().await,
        }
    }

    async fn restore_beside(&self, tenant: &Tenant, suffix: &str, dump: StoredDump) -> Result<()> {
        names::check(suffix)?;
        match self.engine(tenant) {
            Engine::Mariadb(engine) => engine.restore_beside(suffix, dump).await,
            Engine::Postgresql(engine) => engine.restore_beside(suffix, dump).await,
            Engine::Sqlite(engine) => engine.restore_beside(suffix, dump.joined()).await,
        }
    }

    async fn restore_aside(
        &self,
        tenant: &Tenant,
        suffix: &str,
        dump: StoredDump,
        tables: &BTreeSet<String>,
    ) -> Result<()> {
        names::check(suffix)?;
        match self.engine(tenant) {
            Engine::Mariadb(engine) => engine.restore_aside(suffix, dump, tables).await,
            Engine::Postgresql(engine) => engine.restore_aside(suffix, dump, tables).await,
            Engine::Sqlite(_) => Err(tables_alone(tenant)),
        }
    }

    async fn finish_aside(&self, tenant: &Tenant, suffix: &str, point: &str, at: Timestamp) -> Result<Aside> {
        names::check(suffix)?;
        match self.engine(tenant) {
            Engine::Mariadb(engine) => engine.finish_aside(suffix, &tenant.name, point, at).await,
            Engine::Postgresql(engine) => engine.finish_aside(suffix, &tenant.name, point, at).await,
            Engine::Sqlite(_) => Err(tables_alone(tenant)),
        }
    }

    async fn asides(&self, tenant: &Tenant) -> Result<Vec<Aside>> {
        match self.engine(tenant) {
            Engine::Mariadb(engine) => engine.asides().await,
            Engine::Postgresql(engine) => engine.asides().await,
            Engine::Sqlite(_) => Ok(Vec::new()),
        }
    }

    async fn drop_aside(&self, tenant: &Tenant, database: &str) -> Result<()> {
        match self.engine(tenant) {
            Engine::Mariadb(engine) => engine.drop_aside(database).await,
            Engine::Postgresql(engine) => engine.drop_aside(database).await,
            Engine::Sqlite(_) => Err(tables_alone(tenant)),
        }
    }

    async fn replay(
        &self,
        tenant: &Tenant,
        suffix: &str,
        log: &LogPosition,
        until: Timestamp,
    ) -> Result<Replayed> {
        names::check(suffix)?;
        self.mariadb(tenant).ok_or_else(|| without_log(tenant))?.replay(suffix, log, until).await
    }

    async fn bases(&self, tenant: &Tenant) -> Result<Option<BaseFacts>> {
        match self.engine(tenant) {
            Engine::Postgresql(engine) => engine.bases().await,
            Engine::Mariadb(_) | Engine::Sqlite(_) => Ok(None),
        }
    }

    async fn take_base(&self, tenant: &Tenant) -> Result<Base> {
        match self.engine(tenant) {
            Engine::Postgresql(engine) => engine.take_base().await,
            Engine::Mariadb(_) | Engine::Sqlite(_) => Err(without_bases(tenant)),
        }
    }

    async fn restore_moment(
        &self,
        tenant: &Tenant,
        suffix: &str,
        base: &str,
        until: Timestamp,
    ) -> Result<Option<Timestamp>> {
        names::check(suffix)?;
        match self.engine(tenant) {
            Engine::Postgresql(engine) => engine.restore_moment(suffix, base, until).await,
            Engine::Mariadb(_) | Engine::Sqlite(_) => Err(without_bases(tenant)),
        }
    }

    async fn differing(
        &self,
        tenant: &Tenant,
        copy: &DatabaseCopy,
        expected: &DatabaseSummary,
        dump: StoredDump,
    ) -> Result<Option<BTreeSet<String>>> {
        check_copy(copy)?;
        match self.mariadb(tenant) {
            Some(engine) => engine.differing(copy, expected, dump).await,
            None => Ok(None),
        }
    }

    async fn restore_tables_beside(
        &self,
        tenant: &Tenant,
        suffix: &str,
        dump: StoredDump,
        tables: &BTreeSet<String>,
    ) -> Result<()> {
        names::check(suffix)?;
        let engine = self.mariadb(tenant).ok_or_else(|| tables_alone(tenant))?;
        engine.restore_tables_beside(suffix, dump, tables).await
    }

    async fn summarise(
        &self,
        tenant: &Tenant,
        copy: &DatabaseCopy,
        checksums: Checksums,
    ) -> Result<DatabaseSummary> {
        check_copy(copy)?;
        match self.engine(tenant) {
            Engine::Mariadb(engine) => engine.summarise(copy, checksums).await,
            Engine::Postgresql(engine) => engine.summarise(copy, checksums).await,
            Engine::Sqlite(engine) => engine.summarise(copy).await,
        }
    }

    async fn counts(&self, tenant: &Tenant) -> Result<BTreeMap<String, u64>> {
        match self.engine(tenant) {
            Engine::Mariadb(engine) => engine.counts().await,
            _ => {
                let summary = self.summarise(tenant, &DatabaseCopy::Live, Checksums::default()).await?;
                Ok(summary.rows_by_table())
            }
        }
    }

    async fn query(&self, tenant: &Tenant, sql: &str) -> Result<Vec<String>> {
        match self.engine(tenant) {
            Engine::Mariadb(engine) => engine.query(sql).await,
            _ => {
                let what = format!("queries of the database of {} on this engine", tenant.name);
                Err(Fault::new(Code::Internal).with("what", what))
            }
        }
    }

    async fn blockers(&self, tenant: &Tenant, patience: u64) -> Result<Vec<Blocker>> {
        match self.engine(tenant) {
            Engine::Mariadb(engine) => engine.blockers(patience).await,
            _ => Ok(Vec::new()),
        }
    }

    async fn end_blocker(&self, tenant: &Tenant, id: u64) -> Result<bool> {
        match self.engine(tenant) {
            Engine::Mariadb(engine) => engine.end_blocker(id).await,
            _ => Ok(false),
        }
    }

    async fn swap_state(&self, tenant: &Tenant, suffix: &str) -> Result<SwapState> {
        names::check(suffix)?;
        dispatch!(self, tenant, engine => engine.swap_state(suffix))
    }

    async fn swap_in(&self, tenant: &Tenant, suffix: &str) -> Result<()> {
        names::check(suffix)?;
        dispatch!(self, tenant, engine => engine.swap_in(suffix))
    }

    async fn swap_back(&self, tenant: &Tenant, suffix: &str) -> Result<()> {
        names::check(suffix)?;
        dispatch!(self, tenant, engine => engine.swap_back(suffix))
    }

    async fn drop_copy(&self, tenant: &Tenant, copy: &DatabaseCopy) -> Result<()> {
        check_copy(copy)?;
        if *copy == DatabaseCopy::Live {
            return Err(
                fault(Code::SwapFailed, tenant.name.as_str()).because("the live database is never dropped")
            );
        }
        dispatch!(self, tenant, engine => engine.drop_copy(copy))
    }

    async fn create_scratch(&self, tenant: &Tenant, name: &str) -> Result<()> {
        names::check(name)?;
        dispatch!(self, tenant, engine => engine.create_scratch(name))
    }

    async fn drop_scratch(&self, tenant: &Tenant, name: &str) -> Result<()> {
        names::check(name)?;
        dispatch!(self, tenant, engine => engine.drop_scratch(name))
    }

    async fn execute(&self, tenant: &Tenant, copy: &DatabaseCopy, statements: &str) -> Result<()> {
        check_copy(copy)?;
        let done = dispatch!(self, tenant, engine => engine.execute(copy, statements));
        done.map_err(|fault| statements::failed(&tenant.name, fault))
    }

    async fn make(&self, tenant: &Tenant, like: &Tenant, mark: &str) -> Result<()> {
        match (self.engine(tenant), self.engine(like)) {
            (Engine::Mariadb(engine), Engine::Mariadb(like)) => engine.make(&like, mark).await,
            _ => Err(cannot_be_made(tenant)),
        }
    }

    async fn make_account(
        &self,
        tenant: &Tenant,
        like: &Tenant,
        mark: &str,
        password: &SecretString,
    ) -> Result<()> {
        match (self.engine(tenant), self.engine(like)) {
            (Engine::Mariadb(engine), Engine::Mariadb(like)) => {
                engine.make_account(&like, mark, password).await
            }
            _ => Err(cannot_be_made(tenant)),
        }
    }

    async fn drop_made(&self, tenant: &Tenant, mark: &str) -> Result<()> {
        match self.engine(tenant) {
            Engine::Mariadb(engine) => engine.drop_made(mark).await,
            Engine::Postgresql(_) | Engine::Sqlite(_) => Ok(()),
        }
    }
}

fn check_copy(copy: &DatabaseCopy) -> Result<()> {
    match copy {
        DatabaseCopy::Live => Ok(()),
        DatabaseCopy::Beside(suffix) | DatabaseCopy::Kept(suffix) | DatabaseCopy::Aside(suffix) => {
            names::check(suffix)
        }
    }
}

/// A fault about a tenant. A restore's fault names its stream as the point; a caller that knows the point
/// replaces that argument.
pub(crate) fn fault(code: Code, tenant: &str) -> Fault {
    let fault = Fault::new(code).with("tenant", tenant);
    if code == Code::RestoreFailed { fault.with("point", "its stream") } else { fault }
}

/// What it means that a copy cannot be looked at.
pub(crate) fn missing(copy: &DatabaseCopy) -> Code {
    if *copy == DatabaseCopy::Live { Code::DatabaseUnreachable } else { Code::RestoreFailed }
}

/// What it means that a dump which nobody wanted to keep has failed.
pub(crate) fn looked_at(found: Fault, code: Code, tenant: &str) -> Fault {
    if found.code != Code::DumpFailed {
        return found;
    }
    found.causes.into_iter().fold(fault(code, tenant), |fault, cause| fault.because(cause))
}
