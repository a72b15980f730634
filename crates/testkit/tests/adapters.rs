//! The real adapters that need no engine pass the same contracts as the fakes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use eclusa_database::Databases;
use eclusa_host::LocalFilesSwap;
use eclusa_journal::{OpenMode, SqliteJournal};
use eclusa_model::{DatabasePlace, RunId, StackName, Tenant, TenantName};
use eclusa_ports::LeaseHolder;
use eclusa_runtime_process::FileLease;
use eclusa_testkit::{FakeRuntime, FakeSecrets, World, contract};
use eclusa_vault::LocalVault;

#[tokio::test]
async fn sqlite_database() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shop.sqlite");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch("PRAGMA journal_mode=WAL; CREATE TABLE sale (id INTEGER PRIMARY KEY, what TEXT)")
        .unwrap();
    drop(connection);
    let tenant = Tenant {
        name: TenantName::new("alpha").unwrap(),
        domains: Vec::new(),
        database: DatabasePlace::Sqlite { path: path.display().to_string() },
        files: Vec::new(),
        configuration: Vec::new(),
        service_configuration: Vec::new(),
    };
    let write = || {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute("INSERT INTO sale (what) VALUES ('tea')", []).unwrap();
    };
    let world = World::new(&["alpha"], true);
    let databases =
        Databases::new(Arc::new(FakeRuntime(world)), Arc::new(FakeSecrets), directory.path().join("scratch"));
    contract::database(&databases, &tenant, &write).await;
}

struct OnDisk;

impl contract::Directory for OnDisk {
    fn put(&self, directory: &Path, name: &str, content: &str) {
        std::fs::create_dir_all(directory).unwrap();
        std::fs::write(directory.join(name), content).unwrap();
    }

    fn content(&self, directory: &Path) -> Vec<(String, String)> {
        let mut all: Vec<(String, String)> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.file_type().unwrap().is_file())
            .map(|entry| {
                (entry.file_name().into_string().unwrap(), std::fs::read_to_string(entry.path()).unwrap())
            })
            .collect();
        all.sort();
        all
    }
}

#[tokio::test]
async fn local_files() {
    let live = tempfile::tempdir().unwrap();
    contract::files(&LocalFilesSwap, live.path(), &OnDisk).await;
}

#[tokio::test]
async fn local_vault() {
    let directory = tempfile::tempdir().unwrap();
    let base = directory.path();
    contract::Directory::put(&OnDisk, &base.join("media"), "logo.png", "a picture");
    let stack = StackName::new("shop").unwrap();
    let vault = LocalVault::new(base.join("vault"), base.join("keys"), stack, base.join("scratch"));
    contract::vault(&vault, &base.join("media"), &base.join("elsewhere")).await;
}

#[tokio::test]
async fn file_lease() {
    let directory = tempfile::tempdir().unwrap();
    let alive = FileLease::this_process(RunId::new("r-0").unwrap()).unwrap();
    // A process of this id that was started at another time is another process.
    let dead = LeaseHolder { started: alive.started + 1, ..alive.clone() };
    contract::lease(&FileLease::new(directory.path().join("lease")), &alive, &dead).await;
}

#[test]
fn sqlite_journal() {
    let directory = tempfile::tempdir().unwrap();
    let journal = SqliteJournal::open(directory.path().join("journal.sqlite"), OpenMode::ReadWrite).unwrap();
    contract::journal(&journal);
}
