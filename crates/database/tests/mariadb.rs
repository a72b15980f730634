//! MariaDB, with the real server and its real tools. Needs Debian's `mariadb-server`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/mariadb.rs"]
mod server;
mod support;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use eclusa_database::Databases;
use eclusa_fault::Code;
use eclusa_ports::{Checksums, Database, DatabaseCopy, SwapState};
use eclusa_testkit::Dumped;
use server::Server;
use support::{read, stored, taken};

fn beside() -> DatabaseCopy {
    DatabaseCopy::Beside("r1".into())
}
fn kept() -> DatabaseCopy {
    DatabaseCopy::Kept("r1".into())
}

/// A name that no shell and no careless quoting would survive. (`mariadb-dump` itself loses one with quotes or a backslash
/// when it comes to the routines, and says so.)
const NAME: &str = "shop-1 `a=b`; $(x)";

const AWKWARD: &str = r#"
CREATE TABLE client (
  id BIGINT AUTO_INCREMENT PRIMARY KEY, `Nä``me` VARCHAR(140) NOT NULL, price DECIMAL(30,10), data JSON, raw LONGBLOB,
  small BINARY(4), flags BIT(9), f DOUBLE, g FLOAT, at DATETIME(6), stamp TIMESTAMP NULL, day DATE, span TIME(3), y YEAR,
  mood ENUM('gut', 'schlecht', 'na ja'), many SET('a','b'), x LONGTEXT, latin VARCHAR(20) CHARACTER SET latin1,
  total DECIMAL(31,10) AS (price * 2) STORED, twice DECIMAL(31,10) AS (price * 2) VIRTUAL, place POINT, address INET6,
  CONSTRAINT positive CHECK (price >= 0), KEY by_name (`Nä``me`(10)), FULLTEXT KEY words (x)) CHARSET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE TABLE `Order` (no INT AUTO_INCREMENT PRIMARY KEY, client BIGINT, `select` VARCHAR(10),
  FOREIGN KEY (client) REFERENCES client(id) ON DELETE CASCADE) ROW_FORMAT=DYNAMIC;
CREATE TABLE empty (a INT);
CREATE TABLE parts (at DATE NOT NULL, t TEXT) PARTITION BY RANGE (YEAR(at)) (PARTITION a VALUES LESS THAN (2024), PARTITION b VALUES LESS THAN MAXVALUE);
CREATE USER somebody; GRANT ALL ON *.* TO somebody; CREATE SEQUENCE lone START WITH 40; DO NEXT VALUE FOR lone;
CREATE FUNCTION tax(p DECIMAL(30,10)) RETURNS DECIMAL(30,10) DETERMINISTIC RETURN p * 0.19;
CREATE DEFINER='somebody'@'%' VIEW rich AS SELECT id, `Nä``me`, tax(price) AS tax FROM client WHERE price > 5;
CREATE VIEW richer AS SELECT * FROM rich;
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM empty;
SET time_zone = '+00:00';
INSERT INTO client (`Nä``me`, price, data, raw, small, flags, f, g, at, stamp, day, span, y, mood, many, x, latin, place, address)
SELECT CONCAT('Zoë ✓ ', CHAR(9), seq, '\n\\. quoted "x" ''y'''), seq * 1.0000000001, '{"b": 1,  "a":[null]}', X'00ff5c270a',
  X'00FF', b'101010101', 1e-300 / seq, 1.1, '2024-03-31 02:30:00.123456', '2024-03-31 02:30:00', '9999-12-31', '-838:59:59.000',
  2024, 'na ja', 'a,b', REPEAT('long ', 20000), 'é', POINT(1, seq), '::1' FROM seq_1_to_20;
INSERT INTO client (`Nä``me`) VALUES ('only nulls'), ('only nulls'), ('NULL');
INSERT INTO `Order` (client, `select`) SELECT id, 'a' FROM client;
INSERT INTO parts SELECT '2024-05-05', 'part' FROM seq_1_to_3;
"#;
const TRIGGERS: &str = "DELIMITER //\nCREATE TRIGGER touching BEFORE UPDATE ON client FOR EACH ROW BEGIN SET NEW.x = 'it''s \\\\ touched'; END//\n\
     CREATE PROCEDURE clean() BEGIN DELETE FROM empty; SELECT 'done; really'; END//\nDELIMITER ;\n";

fn awkward(server: &Server) {
    server.create(NAME);
    server.sql(NAME, AWKWARD);
    server.sql(NAME, TRIGGERS);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_from_a_dump() {
    let server = Server::start();
    awkward(&server);
    everything_comes_back(&server, server.databases(), &["database.sql"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_back_from_a_dump_of_several_streams() {
    let server = Server::start();
    awkward(&server);
    server.sql(
        NAME,
        "CREATE TABLE tabDoc (name VARCHAR(140) PRIMARY KEY, creation DATETIME(6), x INT, KEY (x), KEY of_creation (creation)); \
         INSERT INTO tabDoc SELECT MD5(seq), '2024-01-01' + INTERVAL (seq * 7919 % 100003) SECOND, seq FROM seq_1_to_30000; \
         CREATE TABLE tabOther LIKE tabDoc; INSERT INTO tabOther SELECT name, creation, 7 FROM tabDoc; \
         CREATE TABLE __global_search (content TEXT, FULLTEXT(content)) ENGINE = MyISAM; INSERT INTO __global_search VALUES ('words');",
    );
    let names = [
        "database/1-structure.sql",
        "database/2-rows-N.sql",
        "database/2-rows-apart.sql",
        "database/3-definitions.sql",
        "database/4-views.sql",
    ];
    let databases = server.databases().several_from(0).connections(2);
    everything_comes_back(&server, databases, &names).await;

    let (databases, tenant) = (server.databases().several_from(0).connections(2), server.tenant(NAME));
    let dumped = taken(databases.dump(&tenant).await.unwrap()).await.unwrap();
    let keys = "SELECT COUNT(*) FROM information_schema.STATISTICS WHERE TABLE_NAME = 'tabDoc' AND INDEX_NAME <> 'PRIMARY' \
                AND TABLE_SCHEMA LIKE 'shop%keys%new'";
    databases.restore_beside(&tenant, "keys", dumped.stored()).await.unwrap();
    assert_eq!(server.sql("mysql", keys), "2", "keys that were put off are there");
    databases.drop_copy(&tenant, &DatabaseCopy::Beside("keys".into())).await.unwrap();

    // All streams, one after the other, are a dump that a client reads.
    databases.restore_beside(&tenant, "joined", stored(dumped.bytes())).await.unwrap();
    let copy = DatabaseCopy::Beside("joined".into());
    let found = databases.summarise(&tenant, &copy, Checksums::Dump).await.unwrap();
    assert_eq!(dumped.summary.differences(&found), Vec::<String>::new());
    databases.drop_copy(&tenant, &copy).await.unwrap();

    // Without one of them it is none.
    for (number, (name, _)) in dumped.streams.iter().enumerate() {
        let mut less = dumped.stored();
        less.streams.remove(number);
        let missing = databases.restore_beside(&tenant, "less", less).await.is_err() || {
            let copy = DatabaseCopy::Beside("less".into());
            let found = databases.summarise(&tenant, &copy, Checksums::Dump).await.unwrap();
            !dumped.summary.differences(&found).is_empty()
        };
        assert!(missing, "{name}");
    }
}

async fn everything_comes_back(server: &Server, databases: Databases, streams: &[&str]) {
    let tenant = server.tenant(NAME);
    let dump = databases.dump(&tenant).await.unwrap();
    // How many streams of rows there are depends on what the server, which counts in the background, takes for large.
    let is_rows = |name: &str| {
        name.strip_prefix("database/2-rows-")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let kind = |name: &str| if is_rows(name) { "database/2-rows-N.sql".to_owned() } else { name.to_owned() };
    let mut names: Vec<String> = dump.streams.iter().map(|stream| kind(&stream.name)).collect();
    let rows = names.iter().filter(|name| name.as_str() == "database/2-rows-N.sql").count();
    names.dedup();
    assert_eq!(names, streams);
    assert!(streams.len() == 1 || rows > 1, "{rows}");
    assert!(dump.engine.starts_with("mariadb 1"), "{}", dump.engine);
    let dumped = taken(dump).await.unwrap();
    let (stored, expected) = (dumped.stored(), dumped.summary.clone());
    assert_eq!(expected.tables["client"].rows, 23);
    assert_eq!(expected.tables["Order"].rows, 23);
    assert_eq!(expected.tables["empty"].rows, 0);
    assert_eq!(expected.tables["parts"].rows, 3);
    for kind in ["columns", "indexes", "foreign keys", "checks", "views", "triggers", "routines", "events"] {
        assert!(expected.objects.contains_key(kind), "{kind}: {:?}", expected.objects);
    }
    assert!(expected.objects.contains_key("sequence lone"), "{:?}", expected.objects);
    let again = taken(databases.dump(&tenant).await.unwrap()).await.unwrap();
    assert_eq!(dumped.streams, again.streams, "two dumps of the same data are the same bytes");
    assert_eq!(dumped.summary, again.summary);

    assert_eq!(databases.swap_state(&tenant, "r1").await.unwrap(), SwapState::Nothing);
    databases.restore_beside(&tenant, "r1", stored).await.unwrap();
    assert_eq!(databases.swap_state(&tenant, "r1").await.unwrap(), SwapState::Beside);
    let restored = databases.summarise(&tenant, &beside(), Checksums::Dump).await.unwrap();
    assert_eq!(expected.differences(&restored), Vec::<String>::new());
    assert_eq!(databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap(), expected);

    databases.swap_in(&tenant, "r1").await.unwrap();
    assert_eq!(databases.swap_state(&tenant, "r1").await.unwrap(), SwapState::SwappedIn);
    for copy in [DatabaseCopy::Live, kept()] {
        let found = databases.summarise(&tenant, &copy, Checksums::Dump).await.unwrap();
        assert_eq!(expected.differences(&found), Vec::<String>::new(), "{copy:?}");
    }
    server.sql(NAME, "UPDATE client SET price = 1 WHERE id = 1; CALL clean();");
    assert_eq!(server.sql(NAME, "SELECT x FROM client WHERE id = 1"), "it's \\\\ touched", "triggers work");
    let orphan = server.fails(NAME, "INSERT INTO `Order` (client) VALUES (99999)");
    assert!(
        orphan.contains("foreign key constraint fails"),
        "foreign keys hold within the live database: {orphan}"
    );
    assert!(!orphan.contains("_eclusa_"), "and lead to its own tables: {orphan}");
    databases.swap_back(&tenant, "r1").await.unwrap();
    assert_eq!(databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap(), expected);
    let orphan = server.fails(NAME, "INSERT INTO `Order` (client) VALUES (99999)");
    assert!(orphan.contains("foreign key constraint fails") && !orphan.contains("_eclusa_"), "{orphan}");
    for argv in server.runtime.commands.lock().unwrap().iter() {
        assert!(!argv.iter().any(|word| word.contains("hunter2")), "{argv:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_shows_in_the_summary() {
    let server = Server::start();
    awkward(&server);
    let (databases, tenant) = (server.databases(), server.tenant(NAME));
    let look = async || {
        let mut found = Vec::new();
        // Points that were taken before checksums came from the dump are still proved.
        for kind in [Checksums::Dump, Checksums::Server] {
            found.push(databases.summarise(&tenant, &DatabaseCopy::Live, kind).await.unwrap());
        }
        found
    };
    let mut before = look().await;
    for (change, place) in [
        ("UPDATE client SET price = price + 0.0000000001, x = x WHERE id = 3", "client"),
        ("UPDATE client SET `Nä``me` = 'Null' WHERE `Nä``me` = 'NULL'", "client"),
        ("UPDATE client SET latin = '' WHERE latin IS NULL LIMIT 1", "client"),
        ("UPDATE client SET flags = b'101010100' WHERE id = 4", "client"),
        ("UPDATE client SET raw = X'00ff5c270b' WHERE id = 5", "client"),
        ("UPDATE client SET at = '2024-03-31 02:30:00.123457' WHERE id = 6", "client"),
        ("UPDATE client SET place = POINT(2, 2) WHERE id = 7", "client"),
        ("UPDATE client SET g = 1.1000001 WHERE id = 8", "client"),
        ("UPDATE client SET f = 1.0000000000000002e-300 WHERE id = 1", "client"),
        ("DELETE FROM parts LIMIT 1", "parts"),
        ("INSERT INTO empty VALUES (NULL)", "empty"),
        ("DO NEXT VALUE FOR lone; ALTER SEQUENCE lone RESTART 5000", "sequence lone"),
        ("DROP VIEW richer", "views"),
        ("DROP TRIGGER touching", "triggers"),
        ("DROP PROCEDURE clean", "routines"),
        ("DROP EVENT nightly", "events"),
        ("ALTER TABLE client MODIFY latin VARCHAR(21) CHARACTER SET latin1", "columns"),
        ("ALTER TABLE client DROP KEY by_name", "indexes"),
        ("ALTER TABLE client DROP CONSTRAINT positive", "checks"),
        ("ALTER TABLE `Order` DROP FOREIGN KEY Order_ibfk_1", "foreign keys"),
    ] {
        server.sql(NAME, change);
        let after = look().await;
        for (before, after) in before.iter().zip(&after) {
            let differences = before.differences(after);
            assert!(
                differences.iter().any(|line| line.starts_with(&format!("{place}:"))),
                "{change}: {differences:?} by {:?}",
                after.checksums
            );
        }
        before = after;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_under_writes_is_of_one_moment() {
    let server = Server::start();
    server.create("busy");
    server.sql("busy", "CREATE TABLE a (id INT AUTO_INCREMENT PRIMARY KEY, x INT); CREATE TABLE b LIKE a;");
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..2)
        .map(|_| {
            let (client, stop) = (server.client("busy"), stop.clone());
            std::thread::spawn(move || {
                let mut client = client;
                let mut written = 0;
                while !stop.load(Ordering::SeqCst) {
                    // Both or none: a dump that holds one row more of one table is of no moment.
                    client.write("BEGIN; INSERT INTO a (x) VALUES (1); INSERT INTO b (x) VALUES (1); COMMIT; SELECT 'ok';");
                    written += 1;
                }
                written
            })
        })
        .collect();
    let tenant = server.tenant("busy");
    for round in 0..4 {
        // The last two are of several streams, each with a snapshot of its own.
        let databases = server.databases().several_from(if round < 2 { u64::MAX } else { 0 }).connections(2);
        let dump = databases.dump(&tenant).await.unwrap();
        let dumped = taken(dump).await.unwrap();
        let (bytes, expected) = (dumped.bytes(), dumped.summary);
        assert_eq!(expected.tables["a"].rows, expected.tables["b"].rows, "round {round}");
        databases.restore_beside(&tenant, "r1", stored(bytes)).await.unwrap();
        let restored = databases.summarise(&tenant, &beside(), Checksums::Dump).await.unwrap();
        assert_eq!(expected.differences(&restored), Vec::<String>::new(), "round {round}");
    }
    stop.store(true, Ordering::SeqCst);
    let written: i32 = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
    assert!(written > 100, "{written} writes came through");
    let locked =
        server.sql("busy", "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE '%lock%'");
    assert_eq!(locked, "0");
}

/// As Frappe has them. Each writer changes rows of both engines, and also as nobody may who reads at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn tables_that_are_in_no_snapshot_are_of_the_same_moment_and_go_through_a_swap() {
    let server = Server::start();
    server.create("site");
    server.sql(
        "site",
        "CREATE TABLE tabDoc (id INT AUTO_INCREMENT PRIMARY KEY, x INT); \
         CREATE TABLE __global_search (doctype VARCHAR(100), name VARCHAR(140), content TEXT, FULLTEXT(content), \
           UNIQUE doctype_name (doctype, name)) ENGINE = MyISAM COLLATE = utf8mb4_unicode_ci; \
         CREATE TABLE `tabError Log` (id INT AUTO_INCREMENT PRIMARY KEY, x INT) ENGINE = Aria; \
         CREATE TRIGGER noted AFTER INSERT ON `tabError Log` FOR EACH ROW SET @noted = NEW.id; \
         CREATE VIEW searched AS SELECT name FROM __global_search;",
    );
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..2)
        .map(|number| {
            let (mut client, stop) = (server.client("site"), stop.clone());
            std::thread::spawn(move || {
                let mut written = 0;
                while !stop.load(Ordering::SeqCst) {
                    client.write(&format!(
                        "INSERT INTO `tabError Log` (x) VALUES (1); INSERT INTO tabDoc (x) VALUES (1); \
                         REPLACE INTO __global_search VALUES ('Doc', 'd{number}', 'words {written}'); \
                         DELETE FROM __global_search WHERE name = 'none'; SELECT 'ok';"
                    ));
                    written += 1;
                }
                written
            })
        })
        .collect();
    let (databases, tenant) = (server.databases(), server.tenant("site"));
    let facts = databases.facts(&tenant, 60).await.unwrap();
    assert_eq!(facts.without_snapshot, ["__global_search", "tabError Log"]);
    for round in 0..4 {
        let databases = server.databases().several_from(if round < 2 { u64::MAX } else { 0 });
        let dump = databases.dump(&tenant).await.unwrap();
        // Before it is read, writers go on.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let dumped = taken(dump).await.unwrap();
        let expected = &dumped.summary;
        let (errors, documents) = (expected.tables["tabError Log"].rows, expected.tables["tabDoc"].rows);
        // Each of two writers is at most one row ahead in the table that it writes to first.
        assert!((documents..=documents + 2).contains(&errors), "{errors} and {documents}, round {round}");
        databases.restore_beside(&tenant, "r1", dumped.stored()).await.unwrap();
        let restored = databases.summarise(&tenant, &beside(), Checksums::Dump).await.unwrap();
        assert_eq!(expected.differences(&restored), Vec::<String>::new(), "round {round}");
        assert!(restored.objects.contains_key("triggers") && restored.objects.contains_key("views"));
    }
    stop.store(true, Ordering::SeqCst);
    let written: i32 = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
    assert!(written > 50, "{written} writes came through");

    let live = databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap();
    let restored = databases.summarise(&tenant, &beside(), Checksums::Dump).await.unwrap();
    databases.swap_in(&tenant, "r1").await.unwrap();
    let now = databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap();
    assert_eq!(restored.differences(&now), Vec::<String>::new());
    databases.swap_back(&tenant, "r1").await.unwrap();
    let now = databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap();
    assert_eq!(live.differences(&now), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_waits_for_a_lock_only_for_seconds_and_says_who_has_it() {
    let server = Server::start();
    server.create("shop");
    server.sql("shop", "CREATE TABLE t (x INT)");
    let (databases, tenant) = (server.databases(), server.tenant("shop"));
    let mut open = server.client("shop");
    open.write("LOCK TABLES t WRITE; SELECT 'locked';");
    let began = Instant::now();
    let waiting = tokio::spawn(async move { databases.dump(&tenant).await.map(|dump| dump.engine) });
    let mut client = server.client("shop");
    let reading = std::thread::spawn(move || client.write("SELECT COUNT(*) FROM t;"));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (databases, tenant) = (server.databases(), server.tenant("shop"));
    let facts = databases.facts(&tenant, 1).await.unwrap();
    let waits = "s (waiting for table metadata lock): SELECT COUNT(*) FROM t";
    assert!(facts.long_transactions.iter().any(|text| text.contains(waits)), "{facts:?}");
    open.write("UNLOCK TABLES; SELECT 'free';");
    reading.join().unwrap();
    waiting.await.unwrap().unwrap();
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_dump_is_refused_and_leaves_nothing() {
    let server = Server::start();
    awkward(&server);
    let (databases, tenant) = (server.databases(), server.tenant(NAME));
    let bytes = read(databases.dump(&tenant).await.unwrap()).await.unwrap();
    let before = databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap();
    let mut broken = bytes.clone();
    let at = broken.windows(23).position(|window| window == b"-- Table structure for ").unwrap();
    broken.splice(at..at, b"SELECT no_such_column;\n".iter().copied());
    for (what, stream) in [
        ("its last line", bytes[..bytes.len() - 1].to_vec()),
        ("within a table", bytes[..bytes.len() / 2].to_vec()),
        ("nothing", Vec::new()),
        ("no_such_column", broken),
    ] {
        let fault = databases.restore_beside(&tenant, "r1", stored(stream)).await.unwrap_err();
        assert_eq!(fault.code, Code::RestoreFailed, "{what}: {fault}");
        assert!(!fault.causes.is_empty(), "{what}");
        if what == "no_such_column" {
            assert!(fault.causes.iter().any(|cause| cause.contains(what)), "{:?}", fault.causes);
        }
        assert_eq!(databases.swap_state(&tenant, "r1").await.unwrap(), SwapState::Nothing);
    }
    assert_eq!(
        server.sql(
            "mysql",
            "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE '%eclusa%'"
        ),
        "0"
    );
    assert_eq!(databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap(), before);
    let fault = databases.summarise(&tenant, &beside(), Checksums::Dump).await.unwrap_err();
    assert_eq!(fault.code, Code::RestoreFailed);
}

/// What `bench backup` and a person write: a header of another program, the line that turns the sandbox on, a definer
/// who is not there.
#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_was_made_by_hand_is_taken() {
    let server = Server::start();
    server.create("shop");
    let by_hand = "-- begin frappe metadata\n-- [frappe]\n-- version = 15.40.0\n-- end frappe metadata\n\
        /*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19\nCREATE TABLE t (x INT);\nINSERT INTO t VALUES (1);\n\
        /*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`gone`@`%` SQL SECURITY DEFINER */\n\
        /*!50001 VIEW v AS SELECT 1 AS x */;\n-- Dump completed on 2026-11-21  7:32:00\n";
    let (databases, tenant) = (server.databases(), server.tenant("shop"));
    databases.restore_beside(&tenant, "r1", stored(by_hand)).await.unwrap();
    let found = databases.summarise(&tenant, &beside(), Checksums::Dump).await.unwrap();
    assert_eq!(found.tables["t"].rows, 1);
    assert!(found.objects.contains_key("views"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_and_what_is_not_there_are_told_apart() {
    let server = Server::start();
    server.create("shop");
    server.sql(
        "shop",
        "CREATE TABLE t (x INT); CREATE USER app IDENTIFIED BY 'hunter2'; GRANT SELECT ON shop.* TO app;",
    );
    let databases = server.databases();
    let wrong = server.tenant_with("shop", "root", "wrong");
    assert_eq!(databases.facts(&wrong, 60).await.unwrap_err().code, Code::DatabaseDenied);
    let stranger = server.tenant_with("shop", "nobody", "hunter2");
    assert_eq!(databases.dump(&stranger).await.map(drop).unwrap_err().code, Code::DatabaseDenied);
    let reader = server.tenant_with("shop", "app", "hunter2");
    let fault = databases.restore_beside(&reader, "r1", stored("x")).await.unwrap_err();
    assert_eq!(fault.code, Code::DatabaseDenied, "{fault}");
    let fault = databases.dump(&server.tenant("missing")).await.map(drop).unwrap_err();
    assert_eq!(fault.code, Code::DumpFailed);
    assert!(fault.causes[0].contains("does not exist"), "{fault}");
    server.sql("shop", "CREATE TABLE other (x INT) ENGINE = MEMORY");
    let fault = databases.dump(&server.tenant("shop")).await.map(drop).unwrap_err();
    assert_eq!(fault.code, Code::DatabaseUnsupported, "{fault}");
    assert!(fault.to_string().contains("other (MEMORY)"), "{fault}");
    server.kill();
    let tenant = server.tenant("shop");
    for fault in [
        databases.facts(&tenant, 60).await.map(drop).unwrap_err(),
        databases.dump(&tenant).await.map(drop).unwrap_err(),
        databases.swap_state(&tenant, "r1").await.map(drop).unwrap_err(),
        databases.swap_in(&tenant, "r1").await.unwrap_err(),
    ] {
        assert_eq!(fault.code, Code::DatabaseUnreachable, "{fault}");
    }
}

/// Of such a view the server writes its database's name before every column.
#[tokio::test(flavor = "multi_thread")]
async fn a_view_whose_definer_is_gone_comes_back_and_is_swapped_in() {
    let server = Server::start();
    server.create("shop");
    server.sql("shop", "CREATE TABLE t (x INT); INSERT INTO t VALUES (1); CREATE DEFINER=`gone`@`10.0.0.1` VIEW v AS SELECT x FROM t");
    let (databases, tenant) = (server.databases(), server.tenant("shop"));
    let dump = databases.dump(&tenant).await.unwrap();
    let dumped = taken(dump).await.unwrap();
    databases.restore_beside(&tenant, "r1", dumped.stored()).await.unwrap();
    let before = dumped.summary;
    let copy = databases.summarise(&tenant, &beside(), Checksums::Dump).await.unwrap();
    assert_eq!(before.differences(&copy), Vec::<String>::new());
    server.sql("shop", "INSERT INTO t VALUES (2)");
    databases.swap_in(&tenant, "r1").await.unwrap();
    let live = databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap();
    assert_eq!(before.differences(&live), Vec::<String>::new());
    databases.swap_back(&tenant, "r1").await.unwrap();
    let back = databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap();
    assert_eq!((back.tables["t"].rows, before.objects.get("views")), (2, back.objects.get("views")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_ends_connections_and_can_be_taken_back() {
    let server = Server::start();
    server.create("shop");
    server.sql(
        "shop",
        "CREATE TABLE t (x VARCHAR(20)); INSERT INTO t VALUES ('old'); CREATE TABLE only_old (x INT);",
    );
    let (databases, tenant) = (server.databases(), server.tenant("shop"));
    assert_eq!(databases.swap_in(&tenant, "r1").await.unwrap_err().code, Code::SwapFailed);
    let bytes = read(databases.dump(&tenant).await.unwrap()).await.unwrap();
    databases.restore_beside(&tenant, "r1", stored(bytes.clone())).await.unwrap();
    server.sql(
        "shop",
        "INSERT INTO t VALUES ('after the dump'); DROP TABLE only_old; CREATE TABLE only_new (x INT);",
    );
    let mut open = server.client("shop");
    open.write("BEGIN; INSERT INTO t VALUES ('open'); SELECT 'open';");
    databases.swap_in(&tenant, "r1").await.unwrap();
    databases.swap_in(&tenant, "r1").await.unwrap();
    assert_eq!(databases.swap_state(&tenant, "r1").await.unwrap(), SwapState::SwappedIn);
    let tables = "SELECT GROUP_CONCAT(TABLE_NAME ORDER BY TABLE_NAME) FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'shop'";
    assert_eq!(server.sql("shop", tables), "only_old,t");
    assert_eq!(server.sql("shop", "SELECT GROUP_CONCAT(x) FROM t"), "old");
    assert_eq!(
        databases.summarise(&tenant, &kept(), Checksums::Dump).await.unwrap().tables["t"].rows,
        2,
        "what was open was taken back"
    );
    let fault = databases.restore_beside(&tenant, "r1", stored(bytes)).await.unwrap_err();
    assert_eq!(fault.code, Code::RestoreFailed, "a kept database is not lost to a second restore");
    databases.swap_back(&tenant, "r1").await.unwrap();
    databases.swap_back(&tenant, "r1").await.unwrap();
    assert_eq!(databases.swap_state(&tenant, "r1").await.unwrap(), SwapState::Beside);
    assert_eq!(server.sql("shop", tables), "only_new,t");
    assert_eq!(server.sql("shop", "SELECT GROUP_CONCAT(x ORDER BY x) FROM t"), "after the dump,old");
    databases.swap_in(&tenant, "r1").await.unwrap();
    let looking = server.client("shop_eclusa_r1_old");
    assert_eq!(
        databases.drop_copy(&tenant, &kept()).await.unwrap_err().code,
        Code::SwapFailed,
        "it is in use"
    );
    drop(looking);
    while server.sql("mysql", "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB LIKE 'shop_ecl%'")
        != "0"
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    databases.drop_copy(&tenant, &kept()).await.unwrap();
    databases.drop_copy(&tenant, &kept()).await.unwrap();
    assert_eq!(databases.drop_copy(&tenant, &DatabaseCopy::Live).await.unwrap_err().code, Code::SwapFailed);
    assert_eq!(databases.swap_state(&tenant, "r1").await.unwrap(), SwapState::Nothing);
    assert_eq!(server.sql("shop", "SELECT COUNT(*) FROM t"), "1");
}

/// The server is killed, and the swap dropped, at ever later moments; whatever is left is finished either way, and no
/// table is lost, doubled or mixed.
#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_was_cut_off_at_any_moment_is_finished_either_way() {
    let server = Server::start();
    server.create("shop");
    let many: String =
        (0..40).map(|n| format!("CREATE TABLE t{n} (x INT); INSERT INTO t{n} VALUES (1);")).collect();
    server.sql("shop", &many);
    server.sql("shop", "CREATE VIEW v AS SELECT * FROM t0; CREATE TABLE only_old (x INT);");
    let (databases, tenant) = (server.databases(), server.tenant("shop"));
    let bytes = read(databases.dump(&tenant).await.unwrap()).await.unwrap();
    let then = databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap();
    databases.restore_beside(&tenant, "r1", stored(bytes)).await.unwrap();
    server
        .sql("shop", "UPDATE t0 SET x = 2; DROP TABLE only_old; CREATE TABLE only_new (x INT); DROP VIEW v;");
    let now = databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap();
    let (mut moment, mut seen, mut whole) = (10, std::collections::BTreeSet::new(), false);
    while !whole {
        let kill = moment % 3 == 0;
        let limit = Duration::from_millis(moment);
        let attempt = async {
            let outcome = databases.swap_in(&tenant, "r1").await;
            whole = outcome.is_ok();
        };
        let _ = tokio::time::timeout(limit, attempt).await;
        if kill {
            server.kill();
            server.up();
        }
        let state = databases.swap_state(&tenant, "r1").await.unwrap();
        seen.insert(format!("{state:?}"));
        if moment % 2 == 0 {
            databases.swap_in(&tenant, "r1").await.unwrap();
            let found = databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap();
            assert_eq!(then.differences(&found), Vec::<String>::new(), "in, after {moment} ms: {state:?}");
            let found = databases.summarise(&tenant, &kept(), Checksums::Dump).await.unwrap();
            assert_eq!(now.differences(&found), Vec::<String>::new(), "kept, after {moment} ms: {state:?}");
        }
        databases.swap_back(&tenant, "r1").await.unwrap();
        let found = databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap();
        assert_eq!(now.differences(&found), Vec::<String>::new(), "back, after {moment} ms: {state:?}");
        let found = databases.summarise(&tenant, &beside(), Checksums::Dump).await.unwrap();
        assert_eq!(then.differences(&found), Vec::<String>::new(), "beside, after {moment} ms: {state:?}");
        moment += 37;
    }
    assert!(seen.contains("Halfway"), "{seen:?}");
}

/// What a swap no longer needs goes step by step, and each of them may be the last that was taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_swap_that_was_cut_off_while_it_cleared_up_goes_on_or_back() {
    let server = Server::start();
    server.create("shop");
    server.sql("shop", "CREATE TABLE t (x INT); INSERT INTO t VALUES (1); CREATE VIEW v AS SELECT * FROM t;");
    let (databases, tenant) = (server.databases(), server.tenant("shop"));
    let bytes = read(databases.dump(&tenant).await.unwrap()).await.unwrap();
    let then = databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap();
    databases.restore_beside(&tenant, "r1", stored(bytes)).await.unwrap();
    server.sql("shop", "UPDATE t SET x = 2;");
    let now = databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap();
    databases.swap_in(&tenant, "r1").await.unwrap();
    let clearing =
        |way: &str| format!("ALTER DATABASE shop_eclusa_r1_old COMMENT 'eclusa: swapping {way}, clearing';");
    // All that is missing is the word that it is done.
    for back in [false, true] {
        server.sql("mysql", &clearing("in"));
        assert_eq!(databases.swap_state(&tenant, "r1").await.unwrap(), SwapState::Halfway);
        let (wanted, result) = match back {
            false => (&then, databases.swap_in(&tenant, "r1").await),
            true => (&now, databases.swap_back(&tenant, "r1").await),
        };
        result.unwrap();
        let found = databases.summarise(&tenant, &DatabaseCopy::Live, Checksums::Dump).await.unwrap();
        assert_eq!(wanted.differences(&found), Vec::<String>::new());
    }
    // On the way back, some of what is dropped is left.
    server.sql("mysql", "CREATE DATABASE shop_eclusa_r1_old; ALTER DATABASE shop_eclusa_r1_new COMMENT '';");
    server.sql("mysql", &clearing("back"));
    databases.swap_back(&tenant, "r1").await.unwrap();
    let found = databases.summarise(&tenant, &beside(), Checksums::Dump).await.unwrap();
    assert_eq!(then.differences(&found), Vec::<String>::new());
    assert_eq!(databases.swap_state(&tenant, "r1").await.unwrap(), SwapState::Beside);
}

/// Fifty kills of the server during a dump, every other one of several streams: its reader gets an error or all of it,
/// never half as if it were whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_dump_whose_server_is_killed_is_an_error_to_its_reader() {
    let server = Server::start();
    server.create("big");
    server.sql(
        "big",
        "CREATE TABLE t AS SELECT seq AS id, REPEAT(MD5(seq), 60) AS x FROM seq_1_to_4000; CREATE TABLE u LIKE t; \
         INSERT INTO u SELECT * FROM t;",
    );
    let tenant = server.tenant("big");
    let shaped =
        |several: bool| server.databases().several_from(if several { 0 } else { u64::MAX }).connections(2);
    let mut whole = Vec::new();
    for several in [false, true] {
        whole.push(taken(shaped(several).dump(&tenant).await.unwrap()).await.unwrap());
    }
    let mut failed = 0;
    for kill in 0..50_usize {
        let several = kill % 2 == 1;
        let whole = &whole[usize::from(several)];
        let rows = whole.streams.iter().position(|(_, bytes)| bytes.len() > 100_000).unwrap();
        let after = whole.streams[rows].1.len() * kill / 50;
        let mut dump = match shaped(several).dump(&tenant).await {
            Ok(dump) => dump,
            Err(fault) => panic!("the server is up: {fault}"),
        };
        let stream = dump.streams.remove(rows);
        let reading = tokio::task::spawn_blocking(move || {
            let mut reader = (stream.open)()?;
            let mut bytes = vec![0; after];
            reader.read_exact(&mut bytes)?;
            Ok::<_, std::io::Error>((reader, bytes, dump, stream.name))
        });
        let (mut reader, mut bytes, mut dump, name) = reading.await.unwrap().unwrap();
        server.kill();
        let outcome = tokio::task::spawn_blocking(move || {
            let read = reader.read_to_end(&mut bytes).and_then(|_| reader.read(&mut [0; 10]));
            assert!(read.as_ref().map_or(true, |again| *again == 0));
            read?;
            let rest = move || Ok(Box::new(std::io::Cursor::new(bytes)) as Box<dyn Read + Send>);
            dump.streams.push(eclusa_ports::DumpStream { name, open: Box::new(rest) });
            Dumped::read(dump)
        })
        .await
        .unwrap();
        match outcome {
            Ok(dumped) => assert_eq!(dumped.streams, whole.streams, "after {after} bytes"),
            Err(_) => failed += 1,
        }
        server.up();
    }
    assert!(failed >= 25, "{failed} of 50 dumps were cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn scratch_databases_are_made_emptied_and_dropped_but_no_other() {
    let server = Server::start();
    server.create("shop");
    server.create("precious");
    let (databases, tenant) = (server.databases(), server.tenant("shop"));
    databases.create_scratch(&tenant, "scratch_1").await.unwrap();
    server.sql("scratch_1", "CREATE TABLE t (x INT)");
    databases.create_scratch(&tenant, "scratch_1").await.unwrap();
    assert_eq!(server.sql("scratch_1", "SHOW TABLES"), "");
    server.create("test_scratch_1");
    databases.drop_scratch(&tenant, "scratch_1").await.unwrap();
    databases.drop_scratch(&tenant, "scratch_1").await.unwrap();
    for name in ["shop", "precious", "mysql"] {
        assert_eq!(databases.create_scratch(&tenant, name).await.unwrap_err().code, Code::DatabaseDenied);
        assert_eq!(databases.drop_scratch(&tenant, name).await.unwrap_err().code, Code::DatabaseDenied);
    }
    let left = "SELECT GROUP_CONCAT(SCHEMA_NAME ORDER BY SCHEMA_NAME) FROM information_schema.SCHEMATA \
         WHERE SCHEMA_NAME NOT IN ('mysql', 'sys', 'performance_schema', 'information_schema', 'test')";
    assert_eq!(server.sql("mysql", left), "precious,shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_transactions_are_named() {
    let server = Server::start();
    server.create("shop");
    server.sql("shop", "CREATE TABLE t (x INT)");
    let (databases, tenant) = (server.databases(), server.tenant("shop"));
    let mut open = server.client("shop");
    open.write("BEGIN; INSERT INTO t VALUES (1); SELECT 'open';");
    let facts = databases.facts(&tenant, 0).await.unwrap();
    assert!(facts.version.starts_with("1") && facts.bytes > 1000, "{facts:?}");
    assert_eq!(facts.long_transactions.len(), 1, "{facts:?}");
    assert!(facts.long_transactions[0].contains("of root@localhost, open for"), "{facts:?}");
    assert!(databases.facts(&tenant, 3600).await.unwrap().long_transactions.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_contract_of_all_databases() {
    let server = Server::start();
    server.create("shop");
    server.sql("shop", "CREATE TABLE sale (id INT AUTO_INCREMENT PRIMARY KEY, what VARCHAR(20))");
    let write = || {
        server.sql("shop", "INSERT INTO sale (what) VALUES ('tea')");
    };
    eclusa_testkit::contract::database(&server.databases(), &server.tenant("shop"), &write).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_another_database_that_refers_to_a_live_one_is_not_dragged_along() {
    let server = Server::start();
    server.create("shop");
    server.create("other");
    server.sql("shop", "CREATE TABLE client (id INT PRIMARY KEY); INSERT INTO client VALUES (1)");
    let (databases, tenant) = (server.databases(), server.tenant("shop"));
    let bytes = read(databases.dump(&tenant).await.unwrap()).await.unwrap();
    databases.restore_beside(&tenant, "r1", stored(bytes.clone())).await.unwrap();
    server.sql(
        "other",
        "CREATE TABLE visit (client INT, CONSTRAINT of_client FOREIGN KEY (client) REFERENCES shop.client (id))",
    );
    let swapped = databases.swap_in(&tenant, "r1").await.unwrap_err();
    assert!(swapped.causes.join(" ").contains("other.visit by its key of_client"), "{:?}", swapped.causes);
    assert_eq!(databases.swap_state(&tenant, "r1").await.unwrap(), SwapState::Beside, "nothing was begun");
    let restored = databases.restore_beside(&tenant, "r2", stored(bytes)).await.unwrap_err();
    assert!(restored.causes.join(" ").contains("other.visit"), "{:?}", restored.causes);
    server.sql("other", "INSERT INTO visit VALUES (1)");
    server.sql("other", "ALTER TABLE visit DROP FOREIGN KEY of_client");
    databases.swap_in(&tenant, "r1").await.unwrap();
}
