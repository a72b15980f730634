//! Moments between dumps of MariaDB, by the binary log of the real server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/mariadb.rs"]
mod server;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use eclusa_database::Databases;
use eclusa_fault::{Code, Fault};
use eclusa_model::Tenant;
use eclusa_ports::{Checksums, Database, DatabaseCopy, DatabaseSummary, Dump, LogPosition, SwapState};
use eclusa_testkit::Dumped;
use jiff::Timestamp;
use server::Server;
use support::taken;

fn logging(format: &str) -> Server {
    Server::start_with(&["--log-bin=bin", "--server-id=7", &format!("--binlog-format={format}")])
}

fn beside() -> DatabaseCopy {
    DatabaseCopy::Beside("r1".into())
}

/// A dump, with the place at which the log stood.
async fn dumped(dump: Dump) -> (Dumped, LogPosition) {
    let log = dump.log.clone().expect("the server keeps a log");
    (taken(dump).await.unwrap(), log)
}

async fn summary(databases: &Databases, tenant: &Tenant, copy: &DatabaseCopy) -> DatabaseSummary {
    databases.summarise(tenant, copy, Checksums::Dump).await.unwrap()
}

/// A whole second at which nothing was written: the log knows seconds only.
async fn quiet_second() -> Timestamp {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let now = Timestamp::now();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    Timestamp::from_second(now.as_second() + 1).unwrap()
}

struct Scene {
    server: Server,
    databases: Databases,
    tenant: Tenant,
    point: Dumped,
    log: LogPosition,
}

impl Scene {
    async fn new(format: &str) -> Self {
        Self::on(logging(format)).await
    }

    /// On a server that leaves something out of its log.
    async fn filtered(option: &str) -> Self {
        Self::on(Server::start_with(&["--log-bin=bin", "--server-id=7", option])).await
    }

    async fn on(server: Server) -> Self {
        for name in ["shop", "shop2"] {
            server.create(name);
            server.sql(
                name,
                "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, x VARCHAR(200), KEY (x)); INSERT INTO t (x) VALUES ('a'); \
                 CREATE TABLE search (words TEXT) ENGINE = MyISAM; INSERT INTO search VALUES ('a'); CREATE SEQUENCE s;",
            );
        }
        let (databases, tenant) = (server.databases(), server.tenant("shop"));
        assert!(databases.facts(&tenant, 60).await.unwrap().keeps_log);
        let (point, log) = dumped(databases.dump(&tenant).await.unwrap()).await;
        Self { server, databases, tenant, point, log }
    }

    async fn restored(&self) {
        self.databases.restore_beside(&self.tenant, "r1", self.point.stored()).await.unwrap();
    }

    async fn replayed(&self, until: Timestamp) -> Result<eclusa_ports::Replayed, Fault> {
        self.databases.replay(&self.tenant, "r1", &self.log, until).await
    }

    async fn refused(&self, until: Timestamp, why: &str) {
        self.restored().await;
        let live = summary(&self.databases, &self.tenant, &DatabaseCopy::Live).await;
        let fault = self.replayed(until).await.unwrap_err();
        assert_eq!(fault.code, Code::MomentUnreachable, "{fault}");
        let said = fault.causes.join("\n");
        assert!(said.contains(why), "{said}");
        assert_eq!(live, summary(&self.databases, &self.tenant, &DatabaseCopy::Live).await);
        assert_eq!(
            self.server.sql("mysql", "SELECT COUNT(*) FROM mysql.user WHERE User LIKE 'eclusa%'"),
            "0"
        );
        self.databases.drop_copy(&self.tenant, &beside()).await.unwrap();
    }
}

async fn a_moment_comes_back(format: &str) {
    let scene = Scene::new(format).await;
    let (server, databases, tenant) = (&scene.server, &scene.databases, &scene.tenant);
    server.sql(
        "shop",
        "INSERT INTO t (x) VALUES ('it''s \\\\ b'), (UUID()); ALTER TABLE t ADD COLUMN y INT DEFAULT 4; UPDATE t SET y = 5 WHERE id = 1; \
         CREATE TABLE later (i INT); INSERT INTO later SELECT NEXTVAL(s) FROM seq_1_to_3; DROP TABLE IF EXISTS never; \
         INSERT INTO search VALUES ('b'); INSERT INTO later VALUES (RAND() * 1000);",
    );
    server.sql("shop2", "INSERT INTO t (x) VALUES ('of another tenant'); ALTER TABLE t ADD COLUMN z INT;");
    // A transaction that writes to both counts here for what it writes to this one.
    server.sql("shop", "START TRANSACTION; UPDATE t SET x = 'c' WHERE id = 2; COMMIT;");
    server.sql("mysql", "FLUSH BINARY LOGS");
    server.sql("shop", "INSERT INTO t (x) VALUES ('in the next file')");
    let wanted = summary(databases, tenant, &DatabaseCopy::Live).await;
    let moment = quiet_second().await;
    server.sql("shop", "DELETE FROM t; DROP TABLE later;");
    let now = summary(databases, tenant, &DatabaseCopy::Live).await;
    let other = summary(databases, &server.tenant("shop2"), &DatabaseCopy::Live).await;
    let numbers = server.sql("mysql", "SELECT @@GLOBAL.gtid_binlog_pos");

    scene.restored().await;
    let replayed = scene.replayed(moment).await.unwrap();
    assert!(replayed.changes > 5, "{replayed:?}");
    assert!(replayed.last.is_some_and(|last| last < moment), "{replayed:?}, {moment}");
    assert_eq!(databases.swap_state(tenant, "r1").await.unwrap(), SwapState::Beside);
    let found = summary(databases, tenant, &beside()).await;
    assert_eq!(wanted.differences(&found), Vec::<String>::new());
    assert_eq!(summary(databases, tenant, &DatabaseCopy::Live).await, now);
    assert_eq!(summary(databases, &server.tenant("shop2"), &DatabaseCopy::Live).await, other);
    assert_eq!(server.sql("mysql", "SELECT COUNT(*) FROM mysql.user WHERE User LIKE 'eclusa%'"), "0");
    // The transactions that were replayed have new numbers.
    let sequence = |gtid: &str| gtid.rsplit('-').next().unwrap().parse::<u64>().unwrap();
    let later = server.sql("mysql", "SELECT @@GLOBAL.gtid_binlog_pos");
    assert!(sequence(&later) > sequence(&numbers), "{numbers}, then {later}");

    databases.swap_in(tenant, "r1").await.unwrap();
    assert_eq!(
        wanted.differences(&summary(databases, tenant, &DatabaseCopy::Live).await),
        Vec::<String>::new()
    );
    databases.drop_copy(tenant, &DatabaseCopy::Kept("r1".into())).await.unwrap();
    // The swap renamed its tables: from a point before it, no moment behind it can be reached.
    scene.refused(quiet_second().await, "a statement that names it").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_comes_back_from_a_log_of_rows() {
    a_moment_comes_back("ROW").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_comes_back_from_a_mixed_log() {
    a_moment_comes_back("MIXED").await;
}

/// Somebody writes all the time. What the dump has and what the log has from its place on is everything, and nothing twice.
#[tokio::test(flavor = "multi_thread")]
async fn the_place_in_the_log_is_that_of_the_dump() {
    for several in [u64::MAX, 0] {
        let server = Arc::new(logging("MIXED"));
        server.create("shop");
        server.sql("shop", "CREATE TABLE a (id INT PRIMARY KEY); CREATE TABLE b LIKE a; CREATE TABLE m LIKE a; ALTER TABLE m ENGINE = MyISAM;");
        let (databases, tenant) = (server.databases().several_from(several), server.tenant("shop"));
        let ends = Arc::new(AtomicBool::new(false));
        let (writing, stop) = (server.clone(), ends.clone());
        let writer = std::thread::spawn(move || {
            let mut id = 0;
            while !stop.load(Ordering::Relaxed) {
                let statements: String = (0..40)
                    .map(|n| {
                        let id = id + n;
                        format!("START TRANSACTION; INSERT INTO a VALUES ({id}); INSERT INTO b VALUES ({id}); COMMIT; INSERT INTO m VALUES ({id});")
                    })
                    .collect();
                writing.sql("shop", &statements);
                id += 40;
            }
            id
        });
        std::thread::sleep(Duration::from_millis(300));
        let (point, log) = dumped(databases.dump(&tenant).await.unwrap()).await;
        std::thread::sleep(Duration::from_millis(300));
        ends.store(true, Ordering::Relaxed);
        let written = writer.join().unwrap();
        let until = quiet_second().await;
        let live = summary(&databases, &tenant, &DatabaseCopy::Live).await;
        assert!(point.summary.tables["a"].rows < written && point.summary.tables["a"].rows > 0);
        databases.restore_beside(&tenant, "r1", point.stored()).await.unwrap();
        databases.replay(&tenant, "r1", &log, until).await.unwrap();
        let found = summary(&databases, &tenant, &beside()).await;
        assert_eq!(live.differences(&found), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_replayed_faithfully_is_refused() {
    // Of a session that is in another database: a filter by database does not show it.
    let scene = Scene::new("MIXED").await;
    scene.server.sql("mysql", "TRUNCATE TABLE shop.t");
    scene.refused(quiet_second().await, "TRUNCATE TABLE shop.t").await;

    // Of a session that is in this one, and writes to another: it would be written there twice.
    let scene = Scene::new("MIXED").await;
    scene.server.sql("shop", "INSERT INTO shop2.search VALUES ('once')");
    scene.refused(quiet_second().await, "denied").await;
    assert_eq!(scene.server.sql("shop2", "SELECT COUNT(*) FROM search"), "2");

    let scene = Scene::new("ROW").await;
    scene.server.sql("mysql", "FLUSH BINARY LOGS");
    // A file that a recovery would need stays until the server has written down that it does not.
    let purged = || {
        let listed = scene.server.sql("mysql", "PURGE BINARY LOGS TO 'bin.000002'; SHOW BINARY LOGS");
        !listed.contains("bin.000001") || {
            std::thread::sleep(Duration::from_millis(200));
            false
        }
    };
    assert!((0..100).any(|_| purged()));
    scene.refused(Timestamp::now(), "thrown away").await;

    let scene = Scene::new("ROW").await;
    scene.server.sql("mysql", "RESET MASTER");
    scene.server.sql("shop", "INSERT INTO t (x) VALUES ('anew')");
    scene.refused(Timestamp::now(), "not the one").await;

    let scene = Scene::filtered("--binlog-ignore-db=other").await;
    scene.refused(Timestamp::now(), "binlog_ignore_db").await;

    // Halfway of an earlier try, a copy is no whole one.
    let scene = Scene::new("ROW").await;
    scene.restored().await;
    scene.server.sql("mysql", "ALTER DATABASE shop_eclusa_r1_new COMMENT 'eclusa: unfinished'");
    let fault = scene.replayed(Timestamp::now()).await.unwrap_err();
    assert!(fault.causes.join("\n").contains("no whole copy"), "{fault}");

    let scene = Server::start();
    scene.create("shop");
    let (databases, tenant) = (scene.databases(), scene.tenant("shop"));
    assert!(!databases.facts(&tenant, 60).await.unwrap().keeps_log);
    assert_eq!(databases.dump(&tenant).await.unwrap().log, None);
}
