//! Tenants' databases in memory.

use std::io::{Cursor, Read};

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::Tenant;
use eclusa_ports::{
    Checksums, Database, DatabaseCopy, DatabaseFacts, DatabaseSummary, Dump, StoredDump, SwapState,
    TableSummary,
};

use crate::world::Databases;
use crate::{Data, State, World};

/// Databases of a world.
pub struct FakeDatabase(pub World);

fn databases<'a>(state: &'a mut State, tenant: &Tenant) -> Result<&'a mut Databases> {
    state
        .databases
        .get_mut(&tenant.name)
        .ok_or_else(|| Fault::new(Code::DatabaseUnreachable).with("tenant", &tenant.name))
}

fn summary(data: &Data) -> DatabaseSummary {
    let table = |rows: usize, checksum: String| TableSummary { rows: rows as u64, checksum };
    let text = |value: &dyn std::fmt::Debug| format!("{value:?}");
    DatabaseSummary {
        tables: [
            ("rows".to_owned(), table(data.rows.len(), text(&data.rows))),
            ("migrations".to_owned(), table(data.migrations.len(), text(&data.migrations))),
        ]
        .into(),
        ..DatabaseSummary::default()
    }
}

fn standing(databases: &Databases, suffix: &str) -> SwapState {
    match (databases.beside.contains_key(suffix), databases.kept.contains_key(suffix)) {
        (false, false) => SwapState::Nothing,
        (true, false) => SwapState::Beside,
        (false, true) => SwapState::SwappedIn,
        (true, true) => SwapState::Halfway,
    }
}

fn no_writers(state: &mut State, tenant: &Tenant) {
    if state.writers() {
        state.violated(format!("the data of {} is swapped while services run", tenant.name));
    }
}

fn swap_failed(tenant: &Tenant) -> Fault {
    Fault::new(Code::SwapFailed).with("tenant", &tenant.name)
}

#[async_trait]
impl Database for FakeDatabase {
    async fn facts(&self, tenant: &Tenant, _long_transaction: u64) -> Result<DatabaseFacts> {
        self.0
            .step(format!("database.facts.{}", tenant.name), |state| {
                databases(state, tenant)?;
                Ok(DatabaseFacts {
                    version: "fake 1".to_owned(),
                    bytes: 1,
                    long_transactions: Vec::new(),
                    without_snapshot: Vec::new(),
                    keeps_log: false,
                })
            })
            .await
    }

    async fn dump(&self, tenant: &Tenant) -> Result<Dump> {
        let data = self
            .0
            .step(format!("database.dump.{}", tenant.name), |state| {
                Ok(databases(state, tenant)?.live.clone())
            })
            .await?;
        let bytes = serde_json::to_vec(&data).unwrap();
        let open = Box::new(move || Ok(Box::new(Cursor::new(bytes)) as _));
        Ok(Dump::single("database.json", "fake 1".to_owned(), summary(&data), open))
    }

    async fn restore_beside(&self, tenant: &Tenant, suffix: &str, dump: StoredDump) -> Result<()> {
        let mut bytes = Vec::new();
        let failed = |why: String| Fault::new(Code::RestoreFailed).with("tenant", &tenant.name).because(why);
        let read = dump.joined().read_to_end(&mut bytes).map_err(|error| failed(error.to_string()));
        let data = read
            .and_then(|_| serde_json::from_slice::<Data>(&bytes).map_err(|error| failed(error.to_string())));
        self.0
            .parts(
                format!("database.beside.{}", tenant.name),
                |state| {
                    databases(state, tenant)?.beside.insert(suffix.to_owned(), Data::default());
                    Ok(())
                },
                |state| {
                    let beside = &mut databases(state, tenant)?.beside;
                    match data {
                        Ok(data) => drop(beside.insert(suffix.to_owned(), data)),
                        Err(fault) => {
                            beside.remove(suffix);
                            return Err(fault);
                        }
                    }
                    Ok(())
                },
            )
            .await
    }

    async fn summarise(&self, tenant: &Tenant, copy: &DatabaseCopy, _: Checksums) -> Result<DatabaseSummary> {
        self.0
            .step(format!("database.summarise.{}", tenant.name), |state| {
                let databases = databases(state, tenant)?;
                let data = match copy {
                    DatabaseCopy::Live => Some(&databases.live),
                    DatabaseCopy::Beside(suffix) => databases.beside.get(suffix),
                    DatabaseCopy::Kept(suffix) => databases.kept.get(suffix),
                    DatabaseCopy::Aside(_) => None,
                };
                data.map(summary).ok_or_else(|| Fault::new(Code::RestoreFailed).with("tenant", &tenant.name))
            })
            .await
    }

    async fn swap_state(&self, tenant: &Tenant, suffix: &str) -> Result<SwapState> {
        self.0
            .step(format!("database.state.{}", tenant.name), |state| {
                Ok(standing(databases(state, tenant)?, suffix))
            })
            .await
    }

    async fn swap_in(&self, tenant: &Tenant, suffix: &str) -> Result<()> {
        self.0
            .parts(
                format!("database.swap-in.{}", tenant.name),
                |state| {
                    no_writers(state, tenant);
                    let databases = databases(state, tenant)?;
                    match standing(databases, suffix) {
                        SwapState::Nothing => Err(swap_failed(tenant)),
                        SwapState::Beside => {
                            databases.kept.insert(suffix.to_owned(), databases.live.clone());
                            Ok(())
                        }
                        SwapState::SwappedIn | SwapState::Halfway => Ok(()),
                    }
                },
                |state| {
                    let databases = databases(state, tenant)?;
                    if let Some(data) = databases.beside.remove(suffix) {
                        databases.live = data;
                    }
                    Ok(())
                },
            )
            .await
    }

    async fn swap_back(&self, tenant: &Tenant, suffix: &str) -> Result<()> {
        self.0
            .parts(
                format!("database.swap-back.{}", tenant.name),
                |state| {
                    no_writers(state, tenant);
                    let databases = databases(state, tenant)?;
                    if standing(databases, suffix) == SwapState::SwappedIn {
                        databases.beside.insert(suffix.to_owned(), databases.live.clone());
                    }
                    Ok(())
                },
                |state| {
                    let databases = databases(state, tenant)?;
                    if let Some(data) = databases.kept.remove(suffix) {
                        databases.live = data;
                    }
                    Ok(())
                },
            )
            .await
    }

    async fn drop_copy(&self, tenant: &Tenant, copy: &DatabaseCopy) -> Result<()> {
        self.0
            .step(format!("database.drop.{}", tenant.name), |state| {
                let databases = databases(state, tenant)?;
                match copy {
                    DatabaseCopy::Live => return Err(swap_failed(tenant)),
                    DatabaseCopy::Beside(suffix) => databases.beside.remove(suffix),
                    DatabaseCopy::Kept(suffix) => databases.kept.remove(suffix),
                    DatabaseCopy::Aside(_) => None,
                };
                Ok(())
            })
            .await
    }

    async fn create_scratch(&self, tenant: &Tenant, name: &str) -> Result<()> {
        self.0
            .step("database.scratch", |state| {
                databases(state, tenant)?.scratch.insert(name.to_owned());
                Ok(())
            })
            .await
    }

    async fn drop_scratch(&self, tenant: &Tenant, name: &str) -> Result<()> {
        self.0
            .step("database.scratch-drop", |state| {
                databases(state, tenant)?.scratch.remove(name);
                Ok(())
            })
            .await
    }
}
