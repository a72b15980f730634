//! What every database must do.

use eclusa_model::Tenant;
use eclusa_ports::{Database, DatabaseCopy, StoredDump, SwapState};

use crate::Dumped;

/// Dump, restore beside, swap in and back, drop; `write` adds a row to the tenant's live database.
pub async fn database(database: &dyn Database, tenant: &Tenant, write: &(dyn Fn() + Send + Sync)) {
    let live = DatabaseCopy::Live;
    let beside = DatabaseCopy::Beside("c1".to_owned());
    let kept = DatabaseCopy::Kept("c1".to_owned());
    assert!(!database.facts(tenant, 60).await.unwrap().version.is_empty());
    let first = read(database, tenant).await;
    // As the engine's dumps are checked.
    let checksums = first.summary.checksums;
    let look = async |copy: &DatabaseCopy| database.summarise(tenant, copy, checksums).await;
    write();
    let before = look(&live).await.unwrap();
    let dump = database.dump(tenant).await.unwrap();
    assert_eq!(database.swap_state(tenant, "c1").await.unwrap(), SwapState::Nothing);
    assert!(look(&beside).await.is_err(), "a copy that is not there cannot be summarised");
    assert!(database.swap_in(tenant, "c1").await.is_err(), "nothing lies beside that could be swapped in");

    // What is written while the dump is being read is not in it.
    write();
    let dumped = tokio::task::spawn_blocking(move || Dumped::read(dump).unwrap()).await.unwrap();
    assert_eq!(dumped.summary.differences(&before), Vec::<String>::new(), "a dump says what it holds");
    let after = look(&live).await.unwrap();
    assert_eq!(after.rows(), before.rows() + 1);
    for _ in 0..2 {
        // Once more over itself: what lay there before is dropped.
        database.restore_beside(tenant, "c1", dumped.stored()).await.unwrap();
    }
    assert_eq!(database.swap_state(tenant, "c1").await.unwrap(), SwapState::Beside);
    assert_eq!(look(&beside).await.unwrap().differences(&before), Vec::<String>::new());
    assert_eq!(look(&live).await.unwrap(), after, "a restore beside leaves the live data alone");

    for _ in 0..2 {
        database.swap_in(tenant, "c1").await.unwrap();
        assert_eq!(database.swap_state(tenant, "c1").await.unwrap(), SwapState::SwappedIn);
        assert_eq!(look(&live).await.unwrap().differences(&before), Vec::<String>::new());
        assert_eq!(look(&kept).await.unwrap().differences(&after), Vec::<String>::new());
    }
    for _ in 0..2 {
        database.swap_back(tenant, "c1").await.unwrap();
        assert_eq!(database.swap_state(tenant, "c1").await.unwrap(), SwapState::Beside);
        assert_eq!(look(&live).await.unwrap().differences(&after), Vec::<String>::new());
        assert_eq!(look(&beside).await.unwrap().differences(&before), Vec::<String>::new());
    }
    database.swap_in(tenant, "c1").await.unwrap();
    assert!(database.drop_copy(tenant, &live).await.is_err(), "the live database is never dropped");
    for _ in 0..2 {
        database.drop_copy(tenant, &kept).await.unwrap();
        database.drop_copy(tenant, &beside).await.unwrap();
        assert_eq!(database.swap_state(tenant, "c1").await.unwrap(), SwapState::Nothing);
    }
    assert_eq!(look(&live).await.unwrap().differences(&before), Vec::<String>::new());

    // A stream that is cut off restores nothing that could be swapped in.
    for number in 0..dumped.streams.len() {
        let mut cut = dumped.clone();
        let bytes = &mut cut.streams[number].1;
        bytes.truncate(bytes.len() / 2);
        let (name, restored) =
            (&dumped.streams[number].0, database.restore_beside(tenant, "c1", cut.stored()));
        assert!(restored.await.is_err(), "half a stream is no copy: {name}");
    }
    let bytes = dumped.bytes();
    let cut = StoredDump::single(Box::new(std::io::Cursor::new(bytes[..bytes.len() / 2].to_vec())));
    assert!(database.restore_beside(tenant, "c1", cut).await.is_err(), "half a stream is no copy");
    assert_eq!(look(&live).await.unwrap().differences(&before), Vec::<String>::new());
    database.drop_copy(tenant, &beside).await.unwrap();

    database.create_scratch(tenant, "eclusa_scratch_c1").await.unwrap();
    database.create_scratch(tenant, "eclusa_scratch_c1").await.unwrap();
    database.drop_scratch(tenant, "eclusa_scratch_c1").await.unwrap();
    database.drop_scratch(tenant, "eclusa_scratch_c1").await.unwrap();
}

async fn read(database: &dyn Database, tenant: &Tenant) -> Dumped {
    let dump = database.dump(tenant).await.unwrap();
    tokio::task::spawn_blocking(move || Dumped::read(dump).unwrap()).await.unwrap()
}
