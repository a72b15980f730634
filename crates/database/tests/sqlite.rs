//! SQLite, with real files.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eclusa_database::{Databases, sqlite::summarise_file};
use eclusa_fault::Code;
use eclusa_model::{DatabasePlace, Tenant};
use eclusa_ports::{Checksums, Database, DatabaseCopy, SwapState};
use proptest::prelude::*;
use rusqlite::{Connection, types::Value};
use support::{Echo, LocalRuntime, read, stored, taken, tenant};

struct Place {
    directory: tempfile::TempDir,
    live: PathBuf,
    databases: Databases,
    tenant: Tenant,
}

fn place() -> Place {
    let directory = tempfile::tempdir().unwrap();
    let live = directory.path().join("a b?%23'.sqlite3");
    let runtime = Arc::new(LocalRuntime {
        environment: Vec::new(),
        commands: Default::default(),
        contained: Default::default(),
    });
    let databases = Databases::new(runtime, Arc::new(Echo), directory.path().join("scratch"));
    let tenant = tenant(DatabasePlace::Sqlite { path: live.display().to_string() });
    Place { directory, live, databases, tenant }
}

impl Place {
    fn sql(&self, sql: &str) {
        Connection::open(&self.live).unwrap().execute_batch(sql).unwrap();
    }
    fn words(&self) -> String {
        Connection::open(&self.live)
            .unwrap()
            .query_row("SELECT group_concat(x) FROM t", [], |row| row.get(0))
            .unwrap()
    }
    fn file(&self, ending: &str) -> PathBuf {
        PathBuf::from(format!("{}{ending}", self.live.display()))
    }
    async fn dump(&self) -> Vec<u8> {
        read(self.databases.dump(&self.tenant).await.unwrap()).await.unwrap()
    }
    async fn restore(&self, bytes: Vec<u8>) -> Result<(), eclusa_fault::Fault> {
        self.databases.restore_beside(&self.tenant, "r1", stored(bytes)).await
    }
    async fn state(&self) -> SwapState {
        self.databases.swap_state(&self.tenant, "r1").await.unwrap()
    }
}

const AWKWARD: &str = r#"
PRAGMA journal_mode = WAL; PRAGMA user_version = 7;
CREATE TABLE "it's a ""table""" (id INTEGER PRIMARY KEY AUTOINCREMENT, "select" TEXT, b BLOB, r REAL, twice INT AS (id * 2));
INSERT INTO "it's a ""table""" ("select", b, r) VALUES ('ünï', x'00ff', 1.5), (NULL, NULL, NULL), (NULL, NULL, NULL), ('1', '1', 1);
CREATE TABLE pairs (a, b, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO pairs VALUES (1, 'x'), ('1', 'x');
CREATE VIEW v AS SELECT 1; CREATE INDEX i ON pairs (b);
CREATE TRIGGER g AFTER INSERT ON pairs BEGIN DELETE FROM pairs; END;
CREATE VIRTUAL TABLE texts USING fts5(body); INSERT INTO texts VALUES ('find me');
"#;

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_from_a_dump() {
    let place = place();
    place.sql(AWKWARD);
    std::fs::set_permissions(&place.live, std::fs::Permissions::from_mode(0o640)).unwrap();
    let dump = place.databases.dump(&place.tenant).await.unwrap();
    assert_eq!(
        (dump.streams[0].name.as_str(), dump.engine.starts_with("sqlite 3.")),
        ("database.sqlite", true)
    );
    let dumped = taken(dump).await.unwrap();
    let (bytes, expected) = (dumped.bytes(), dumped.summary);
    assert_eq!(expected.tables["it's a \"table\""].rows, 4);
    assert_eq!(expected.objects["sequence it's a \"table\""], "4");
    assert_eq!(expected.objects["user_version"], "7");
    assert!(expected.objects["views"].starts_with("1, ") && expected.objects["triggers"].starts_with("1, "));
    assert_eq!(
        std::fs::read_dir(place.directory.path().join("scratch")).unwrap().count(),
        0,
        "no copy has a name"
    );
    assert_eq!(place.state().await, SwapState::Nothing);
    place.restore(bytes).await.unwrap();
    assert_eq!(place.state().await, SwapState::Beside);
    assert_eq!(std::fs::metadata(place.file(".r1.new")).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(summarise_file(&place.file(".r1.new")).unwrap(), expected);
    let beside = DatabaseCopy::Beside("r1".into());
    assert_eq!(place.databases.summarise(&place.tenant, &beside, Checksums::Server).await.unwrap(), expected);
    assert_eq!(
        place.databases.summarise(&place.tenant, &DatabaseCopy::Live, Checksums::Server).await.unwrap(),
        expected
    );
    place.databases.swap_in(&place.tenant, "r1").await.unwrap();
    let mode: String = Connection::open(&place.live)
        .unwrap()
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal", "what the application had set stays");
    let facts = place.databases.facts(&place.tenant, 0).await.unwrap();
    assert!(facts.version.starts_with("3.") && facts.bytes > 4096);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_under_writes_is_one_state() {
    for mode in ["wal", "delete"] {
        let place = place();
        place.sql(&format!("PRAGMA journal_mode = {mode}; CREATE TABLE a (n); CREATE TABLE b (n, x);"));
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let writer = {
            let (path, stop) = (place.live.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut connection = Connection::open(path).unwrap();
                connection.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
                while !stop.load(std::sync::atomic::Ordering::SeqCst) {
                    let transaction = connection.transaction().unwrap();
                    transaction.execute("INSERT INTO a VALUES (random())", []).unwrap();
                    transaction.execute("INSERT INTO b VALUES (random(), zeroblob(2000))", []).unwrap();
                    transaction.commit().unwrap();
                    // Or the database grows faster than it is copied.
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
            })
        };
        for _ in 0..5 {
            let dump = place.databases.dump(&place.tenant).await.unwrap();
            let dumped = taken(dump).await.unwrap();
            let (bytes, expected) = (dumped.bytes(), dumped.summary);
            assert_eq!(expected.tables["a"].rows, expected.tables["b"].rows);
            place.restore(bytes).await.unwrap();
            assert_eq!(summarise_file(&place.file(".r1.new")).unwrap(), expected);
        }
        stop.store(true, std::sync::atomic::Ordering::SeqCst);
        writer.join().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_stream_is_refused_and_leaves_nothing() {
    let place = place();
    place.sql("CREATE TABLE t (x); INSERT INTO t SELECT hex(randomblob(500)) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 100) SELECT i FROM n); CREATE INDEX i ON t (x)");
    let bytes = place.dump().await;
    let mut flipped = bytes.clone();
    let middle = flipped.len() / 4096 / 2 * 4096;
    flipped[middle..middle + 2000].fill(0xee);
    let cut = bytes[..bytes.len() - 4096].to_vec();
    for stream in [Vec::new(), b"x".repeat(5000), cut, bytes[..bytes.len() - 1].to_vec(), flipped] {
        let fault = place.restore(stream).await.unwrap_err();
        assert_eq!(fault.code, Code::RestoreFailed);
        assert_eq!(place.state().await, SwapState::Nothing);
    }
    let names: Vec<_> =
        std::fs::read_dir(place.directory.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_is_finished_from_every_point_in_either_direction() {
    let place = place();
    place.sql("PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES ('old')");
    place.restore(place.dump().await).await.unwrap();
    place.sql("UPDATE t SET x = 'newer'");
    let (new, old) = (place.file(".r1.new"), place.file(".r1.old"));
    place.databases.swap_in(&place.tenant, "r1").await.unwrap();
    assert_eq!((place.state().await, place.words().as_str()), (SwapState::SwappedIn, "old"));
    place.databases.swap_in(&place.tenant, "r1").await.unwrap();
    assert_eq!(place.words(), "old");
    // As a crash between the renames of a swap back leaves it, and of a swap in: it is the same.
    std::fs::rename(&place.live, &new).unwrap();
    assert_eq!(place.state().await, SwapState::Halfway);
    place.databases.swap_in(&place.tenant, "r1").await.unwrap();
    assert_eq!((place.state().await, place.words().as_str()), (SwapState::SwappedIn, "old"));
    std::fs::rename(&place.live, &new).unwrap();
    place.databases.swap_back(&place.tenant, "r1").await.unwrap();
    assert_eq!((place.state().await, place.words().as_str()), (SwapState::Beside, "newer"));
    place.databases.swap_back(&place.tenant, "r1").await.unwrap();
    place.databases.swap_in(&place.tenant, "r1").await.unwrap();
    place.databases.swap_back(&place.tenant, "r1").await.unwrap();
    assert_eq!((place.state().await, place.words().as_str()), (SwapState::Beside, "newer"));
    place.databases.swap_in(&place.tenant, "r1").await.unwrap();
    assert!(old.exists());
    let refused = place.databases.drop_copy(&place.tenant, &DatabaseCopy::Live).await.unwrap_err();
    assert_eq!(refused.code, Code::SwapFailed);
    place.databases.drop_copy(&place.tenant, &DatabaseCopy::Kept("r1".into())).await.unwrap();
    place.databases.drop_copy(&place.tenant, &DatabaseCopy::Kept("r1".into())).await.unwrap();
    assert!(!old.exists() && place.live.exists());
    assert_eq!(place.databases.swap_in(&place.tenant, "r1").await.unwrap_err().code, Code::SwapFailed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_in_use_is_not_swapped() {
    let place = place();
    place.sql("PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES ('old')");
    place.restore(place.dump().await).await.unwrap();
    // Idle, but open: it would go on writing into the file that was renamed.
    let idle = Connection::open(&place.live).unwrap();
    idle.query_row("SELECT count(*) FROM t", [], |_| Ok(())).unwrap();
    let fault = place.databases.swap_in(&place.tenant, "r1").await.unwrap_err();
    assert_eq!(fault.code, Code::SwapFailed);
    assert!(fault.causes[0].contains("in use"), "{fault}");
    assert_eq!(place.state().await, SwapState::Beside);
    idle.execute("INSERT INTO t VALUES ('still writable')", []).unwrap();
    drop(idle);
    place.databases.swap_in(&place.tenant, "r1").await.unwrap();
    assert_eq!(place.words(), "old");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_ahead_log_that_a_crash_left_goes_with_its_database() {
    let place = place();
    let crashed = place.file(".crashed");
    {
        let writer = Connection::open(&crashed).unwrap();
        writer.execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE t (x); INSERT INTO t VALUES ('in the log')").unwrap();
        for ending in ["", "-wal"] {
            std::fs::copy(format!("{}{ending}", crashed.display()), place.file(ending)).unwrap();
        }
    }
    std::fs::remove_file(&crashed).unwrap();
    let bytes = place.dump().await;
    place.restore(bytes).await.unwrap();
    place.databases.swap_in(&place.tenant, "r1").await.unwrap();
    assert!(!place.file("-wal").exists(), "or it would be played into the new database");
    assert_eq!(summarise_file(&place.file(".r1.old")).unwrap().tables["t"].rows, 1);
    assert_eq!(place.words(), "in the log");
}

/// What a loss of power can leave: the rename of the live file is on the disk, and that its log was removed is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_database_was_renamed_is_not_played_into_the_next() {
    let place = place();
    place.sql("PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES ('restored')");
    place.restore(place.dump().await).await.unwrap();
    let log = {
        let writer = Connection::open(&place.live).unwrap();
        writer.execute("UPDATE t SET x = 'swapped out'", []).unwrap();
        std::fs::read(place.file("-wal")).unwrap()
    };
    std::fs::rename(&place.live, place.file(".r1.old")).unwrap();
    std::fs::write(place.file("-wal"), log).unwrap();
    assert_eq!(place.state().await, SwapState::Halfway);
    place.databases.swap_in(&place.tenant, "r1").await.unwrap();
    assert_eq!(place.words(), "restored");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_never_made() {
    let place = place();
    assert_eq!(place.databases.facts(&place.tenant, 0).await.unwrap_err().code, Code::DatabaseUnreachable);
    assert_eq!(place.databases.dump(&place.tenant).await.map(drop).unwrap_err().code, Code::DumpFailed);
    let beside = DatabaseCopy::Beside("r1".into());
    assert_eq!(
        place.databases.summarise(&place.tenant, &beside, Checksums::Server).await.unwrap_err().code,
        Code::RestoreFailed
    );
    assert!(place.databases.swap_state(&place.tenant, "../r1").await.is_err(), "a suffix leads nowhere");
    assert!(!place.live.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn scratch_files_are_made_empty_and_dropped() {
    let place = place();
    place.sql("CREATE TABLE t (x)");
    let scratch = eclusa_database::sqlite::scratch_path(&place.live, "s1");
    for _ in 0..2 {
        place.databases.create_scratch(&place.tenant, "s1").await.unwrap();
        assert_eq!(summarise_file(&scratch).unwrap().tables.len(), 0);
        Connection::open(&scratch).unwrap().execute_batch("CREATE TABLE x (y)").unwrap();
    }
    for _ in 0..2 {
        place.databases.drop_scratch(&place.tenant, "s1").await.unwrap();
        assert!(!scratch.exists() && place.live.exists());
    }
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        (-2_i64..3).prop_map(Value::Integer),
        (-2_i32..3).prop_map(|number| Value::Real(f64::from(number) / 2.0)),
        "[a-c0-1]{0,2}".prop_map(Value::Text),
        proptest::collection::vec(48_u8..51, 0..3).prop_map(Value::Blob),
    ]
}

fn checksum(directory: &Path, rows: &[(Value, Value)]) -> String {
    let path = directory.join("t.sqlite");
    let _ = std::fs::remove_file(&path);
    let mut connection = Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA synchronous = OFF; CREATE TABLE t (a, b)").unwrap();
    let transaction = connection.transaction().unwrap();
    for (a, b) in rows {
        transaction.execute("INSERT INTO t VALUES (?1, ?2)", [a, b]).unwrap();
    }
    transaction.commit().unwrap();
    drop(connection);
    summarise_file(&path).unwrap().tables["t"].checksum.clone()
}

/// The rows without their order. Their text is unambiguous, unlike their order in SQL.
fn unordered(rows: &[(Value, Value)]) -> Vec<String> {
    let mut rows: Vec<_> = rows.iter().map(|row| format!("{row:?}")).collect();
    rows.sort();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_checksum_is_that_of_the_rows_and_not_of_their_order(
        rows in proptest::collection::vec((value(), value()), 0..6),
        turn in 0_usize..6,
        place in 0_usize..6,
        other in (value(), value()),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let first = checksum(directory.path(), &rows);
        let mut turned = rows.clone();
        turned.reverse();
        let length = turned.len().max(1);
        turned.rotate_left(turn % length);
        prop_assert_eq!(&first, &checksum(directory.path(), &turned));
        let mut changed = rows.clone();
        if let Some(row) = changed.get_mut(place) { *row = other.clone() } else { changed.push(other.clone()) }
        prop_assert_eq!(first == checksum(directory.path(), &changed), unordered(&rows) == unordered(&changed));
        let mut doubled = rows.clone();
        doubled.extend([other.clone(), other]);
        prop_assert_ne!(&first, &checksum(directory.path(), &doubled));
    }
}
