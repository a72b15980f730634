//! Moments between restore points, with a real PostgreSQL server that archives its log, and its real tools.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use eclusa_database::Databases;
use eclusa_fault::Code;
use eclusa_model::Tenant;
use eclusa_ports::{Database, DatabaseCopy, SwapState};
use jiff::Timestamp;
use support::Cluster;

/// A server with two tenants' databases, and a base backup.
struct Stage {
    cluster: Cluster,
    databases: Databases,
    tenant: Tenant,
}

impl Stage {
    fn new(keep: Option<usize>) -> Self {
        let cluster = Cluster::archiving();
        for name in ["shop", "other"] {
            cluster.sql("postgres", &format!("CREATE DATABASE {name}"));
            cluster.sql(name, "CREATE TABLE sale (id serial PRIMARY KEY, what text); INSERT INTO sale (what) VALUES ('before')");
        }
        let (databases, tenant) = (cluster.databases_with_bases(keep), cluster.tenant("shop", "postgres"));
        Self { cluster, databases, tenant }
    }

    /// Writes a row; gives a moment after it and before whatever comes next.
    fn sells(&self, what: &str) -> Timestamp {
        self.cluster.sql("shop", &format!("INSERT INTO sale (what) VALUES ('{what}')"));
        std::thread::sleep(Duration::from_millis(50));
        let now = self.cluster.sql("shop", "SELECT extract(epoch FROM clock_timestamp())");
        std::thread::sleep(Duration::from_millis(50));
        Timestamp::from_microsecond((now.parse::<f64>().unwrap() * 1e6) as i64).unwrap()
    }

    async fn base(&self) -> String {
        let base = self.databases.take_base(&self.tenant).await.unwrap();
        // Its name is rounded up to the second.
        while Timestamp::now() <= base.ended_at {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        base.name
    }

    fn sold(&self, database: &str) -> String {
        self.cluster.sql(database, "SELECT string_agg(what, ',' ORDER BY id) FROM sale")
    }

    fn beside(&self) -> String {
        self.sold(&eclusa_database::names::copy_name("shop", &DatabaseCopy::Beside("r1".into())))
    }

    /// What lies in the directory of base backups that is none.
    fn leftovers(&self) -> Vec<String> {
        names(&self.cluster.home().join("base")).into_iter().filter(|name| name.starts_with('.')).collect()
    }
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn any_moment_since_a_base_backup_comes_back_beside_the_live_database() {
    let stage = Stage::new(None);
    let facts = stage.databases.bases(&stage.tenant).await.unwrap().unwrap();
    assert!(facts.archives && facts.bases.is_empty() && facts.failing.is_none(), "{facts:?}");
    let base = stage.base().await;
    let one = stage.sells("one");
    let two = stage.sells("two");
    stage.cluster.sql("shop", "DELETE FROM sale; DROP TABLE sale");
    // What others write comes into no tenant's copy, and a name that was given to another database leads to the right one.
    stage.cluster.sql("other", "INSERT INTO sale (what) VALUES ('of the other')");
    stage.cluster.sql("postgres", "ALTER DATABASE shop RENAME TO shop_old");
    stage.cluster.sql("postgres", "CREATE DATABASE shop");
    stage.cluster.sql("shop", "CREATE TABLE sale (id serial PRIMARY KEY, what text)");
    let renamed = stage.sells("renamed");

    for (until, expected) in [(one, "before,one"), (two, "before,one,two"), (renamed, "renamed")] {
        let last = stage.databases.restore_moment(&stage.tenant, "r1", &base, until).await.unwrap().unwrap();
        assert!(last < until, "{last} {until}");
        assert_eq!(stage.databases.swap_state(&stage.tenant, "r1").await.unwrap(), SwapState::Beside);
        assert_eq!(stage.beside(), expected);
        assert_eq!(
            (stage.sold("shop"), stage.sold("other")),
            ("renamed".into(), "before,of the other".into())
        );
        assert_eq!(stage.leftovers(), Vec::<String>::new());
    }
    stage.sells("late");
    stage.databases.swap_in(&stage.tenant, "r1").await.unwrap();
    stage.databases.swap_back(&stage.tenant, "r1").await.unwrap();
    stage.databases.drop_copy(&stage.tenant, &DatabaseCopy::Beside("r1".into())).await.unwrap();
    assert_eq!(stage.sold("shop"), "renamed,late");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_that_cannot_be_reached_leaves_nothing_and_says_why() {
    let stage = Stage::new(None);
    let early = stage.sells("early");
    let base = stage.base().await;
    let one = stage.sells("one");
    let refused = async |base: &str, until: Timestamp| {
        let fault = stage.databases.restore_moment(&stage.tenant, "r1", base, until).await.unwrap_err();
        assert_eq!(stage.databases.swap_state(&stage.tenant, "r1").await.unwrap(), SwapState::Nothing);
        assert_eq!(stage.leftovers(), Vec::<String>::new());
        assert_eq!(fault.code, Code::MomentUnreachable, "{fault:?}");
        fault.causes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    let said = refused(&base, early).await;
    assert!(said.contains("does not lead there"), "{said}");
    let said = refused("20200101T000000Z", one).await;
    assert!(said.contains("tar"), "{said}");

    // A hole in the log.
    let two = stage.sells("two");
    stage.cluster.sql("postgres", "SELECT pg_switch_wal()");
    let three = stage.sells("three");
    stage.cluster.sql("postgres", "SELECT pg_switch_wal()");
    let wal = stage.cluster.home().join("wal");
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(100));
        if stage.cluster.sql("postgres", "SELECT last_archived_wal FROM pg_stat_archiver").as_str()
            >= names(&wal).last().map_or("", String::as_str)
        {
            break;
        }
    }
    let file = names(&wal).into_iter().rfind(|name| name.len() == 24).unwrap();
    std::fs::rename(wal.join(&file), wal.join("away")).unwrap();
    let said = refused(&base, three).await;
    assert!(said.contains("recovery ended before configured recovery target was reached"), "{said}");
    std::fs::rename(wal.join("away"), wal.join(&file)).unwrap();
    // Garbage in it is no log.
    let whole = std::fs::read(wal.join(&file)).unwrap();
    std::fs::write(wal.join(&file), &whole[..whole.len() / 2]).unwrap();
    refused(&base, three).await;
    std::fs::write(wal.join(&file), &whole).unwrap();
    stage.databases.restore_moment(&stage.tenant, "r1", &base, two).await.unwrap();
    assert_eq!(stage.beside(), "before,early,one,two");

    // What a restore that was killed has left goes with the next.
    let left = stage.cluster.home().join("base/.eclusa-recovery-r0");
    std::fs::create_dir(&left).unwrap();
    std::fs::write(left.join("PG_VERSION"), "15\n").unwrap();
    assert!(
        std::process::Command::new("chown").args(["-R", "postgres"]).arg(&left).status().unwrap().success()
    );
    stage.databases.restore_moment(&stage.tenant, "r1", &base, one).await.unwrap();
    assert_eq!((stage.beside().as_str(), left.exists()), ("before,early,one", false));

    // Without the tables that say where, nothing is promised.
    let without = stage.cluster.databases();
    assert_eq!(without.bases(&stage.tenant).await.unwrap(), None);
    let fault = without.restore_moment(&stage.tenant, "r1", &base, one).await.unwrap_err();
    assert_eq!(fault.code, Code::DatabaseUnsupported);
    assert!(!without.facts(&stage.tenant, 60).await.unwrap().keeps_log);
    assert!(stage.databases.facts(&stage.tenant, 60).await.unwrap().keeps_log);
}

#[tokio::test(flavor = "multi_thread")]
async fn base_backups_beyond_those_that_are_kept_go_with_their_log() {
    let stage = Stage::new(Some(2));
    let mut taken = Vec::new();
    for number in 0..3 {
        taken.push(stage.base().await);
        stage.sells(&number.to_string());
        stage.cluster.sql("postgres", "SELECT pg_switch_wal()");
    }
    let found = stage.databases.bases(&stage.tenant).await.unwrap().unwrap().bases;
    let found: Vec<&str> = found.iter().map(|base| base.name.as_str()).collect();
    assert_eq!(found, [taken[2].as_str(), taken[1].as_str()]);
    let first = names(&stage.cluster.home().join("wal"));
    assert!(!first.contains(&"000000010000000000000001".to_owned()), "{first:?}");
    // From the oldest that stays every moment is still reached.
    let until = stage.sells("last");
    stage.databases.restore_moment(&stage.tenant, "r1", &taken[1], until).await.unwrap();
    assert_eq!(stage.beside(), "before,0,1,2,last");

    // What somebody may be reading is not removed; two are not taken at once.
    let mut reading = stage.cluster.psql("postgres", "postgres");
    let mut input = reading.stdin.take().unwrap();
    writeln!(input, "SELECT pg_advisory_lock_shared(1163086661, 2);").unwrap();
    let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'";
    while stage.cluster.sql("postgres", held) == "0" {
        std::thread::sleep(Duration::from_millis(50));
    }
    let (one, other) =
        tokio::join!(stage.databases.take_base(&stage.tenant), stage.databases.take_base(&stage.tenant));
    let refused = one.and(other).unwrap_err();
    assert!(refused.causes.iter().any(|cause| cause.to_string().contains("is being taken")), "{refused:?}");
    assert_eq!(stage.databases.bases(&stage.tenant).await.unwrap().unwrap().bases.len(), 3);
    drop(input);
    reading.wait().unwrap();
    stage.base().await;
    assert_eq!(stage.databases.bases(&stage.tenant).await.unwrap().unwrap().bases.len(), 2);

    // One that fails leaves those that are there.
    stage.cluster.sql("postgres", "ALTER SYSTEM SET max_wal_senders = 0");
    stage.cluster.down();
    stage.cluster.up();
    let fault = stage.databases.take_base(&stage.tenant).await.unwrap_err();
    assert_eq!(fault.code, Code::BaseFailed, "{fault:?}");
    assert!(fault.causes.iter().any(|cause| cause.to_string().contains("pg_basebackup")), "{fault:?}");
    assert_eq!(stage.databases.bases(&stage.tenant).await.unwrap().unwrap().bases.len(), 2);
    assert_eq!(stage.leftovers(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_archive_is_told_apart() {
    let stage = Stage::new(None);
    let base = stage.base().await;
    let one = stage.sells("one");
    stage.cluster.sql("postgres", "ALTER SYSTEM SET archive_command = 'false'; SELECT pg_reload_conf()");
    stage.sells("two");
    stage.cluster.sql("postgres", "SELECT pg_switch_wal()");
    let mut facts = Default::default();
    for _ in 0..100 {
        facts = stage.databases.bases(&stage.tenant).await.unwrap().unwrap();
        if facts.failing.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(facts.failing.is_some(), "{facts:?}");
    let restoring = stage.databases.restore_moment(&stage.tenant, "r1", &base, one);
    // It waits for the log; meanwhile it is mended.
    let mended = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stage.cluster.sql("postgres", "ALTER SYSTEM RESET archive_command; SELECT pg_reload_conf()");
    };
    let (restored, ()) = tokio::join!(restoring, mended);
    restored.unwrap();
    assert_eq!(stage.beside(), "before,one");

    stage.cluster.sql("postgres", "ALTER SYSTEM SET archive_mode = off");
    stage.cluster.down();
    stage.cluster.up();
    let fault = stage.databases.take_base(&stage.tenant).await.unwrap_err();
    assert!(fault.causes.iter().any(|cause| cause.to_string().contains("archive_mode is off")), "{fault:?}");
    assert!(!stage.databases.facts(&stage.tenant, 60).await.unwrap().keeps_log);
}
