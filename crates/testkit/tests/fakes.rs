//! The fakes pass the contracts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use eclusa_model::{RunId, ServiceRole, StackName, TenantName};
use eclusa_ports::LeaseHolder;
use eclusa_testkit::{FakeDatabase, FakeFiles, FakeLease, FakeVault, MemoryJournal, World, contract, tenant};

fn stopped() -> World {
    let world = World::new(&["alpha"], true);
    world.with(|state| {
        state.pinned = None;
        for service in state.services.values_mut().filter(|service| service.role != ServiceRole::Database) {
            service.running = None;
        }
    });
    world
}

#[tokio::test]
async fn database() {
    let world = stopped();
    let alpha = TenantName::new("alpha").unwrap();
    let write = || {
        world.with(|state| {
            let rows = &mut state.databases.get_mut(&alpha).unwrap().live.rows;
            rows.insert(rows.len() as u64);
        });
    };
    contract::database(&FakeDatabase(world.clone()), &tenant(&alpha), &write).await;
    assert_eq!(world.violations(), Vec::<String>::new());
}

struct InMemory(World);

impl contract::Directory for InMemory {
    fn put(&self, directory: &Path, name: &str, content: &str) {
        self.0.with(|state| {
            state
                .directories
                .entry(directory.to_owned())
                .or_default()
                .insert(name.to_owned(), content.as_bytes().to_vec());
        });
    }

    fn content(&self, directory: &Path) -> Vec<(String, String)> {
        self.0.with(|state| {
            let entries = state.directories.get(directory).cloned().unwrap_or_default();
            entries.into_iter().map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap())).collect()
        })
    }
}

#[tokio::test]
async fn files() {
    let world = stopped();
    contract::files(&FakeFiles(world.clone()), Path::new("/world/alpha/media"), &InMemory(world.clone()))
        .await;
}

#[tokio::test]
async fn vault() {
    let world = stopped();
    let media = Path::new("/world/alpha/media");
    contract::Directory::put(&InMemory(world.clone()), media, "logo.png", "a picture");
    let vault = FakeVault { world, stack: StackName::new("shop").unwrap() };
    contract::vault(&vault, media, Path::new("/world/elsewhere")).await;
}

#[tokio::test]
async fn lease() {
    let holder = |pid: u32| LeaseHolder {
        run: RunId::new("r-0").unwrap(),
        machine: "m".to_owned(),
        boot: "b".to_owned(),
        pid,
        started: 1,
    };
    contract::lease(&FakeLease(stopped()), &holder(1), &holder(2)).await;
}

#[test]
fn journal() {
    contract::journal(&MemoryJournal::default());
}
