//! Some tables of a restore point of MariaDB, with the real server: which differ from what is live, and what happens to
//! them alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/mariadb.rs"]
mod server;
mod support;

use std::collections::BTreeSet;
use std::time::Duration;

use eclusa_database::Databases;
use eclusa_fault::Code;
use eclusa_model::Tenant;
use eclusa_ports::{Checksums, Database, DatabaseCopy, DatabaseSummary, SwapState};
use eclusa_testkit::Dumped;
use server::Server;
use support::taken;

const ODD: &str = "tab `odd` -- x";

/// A database as a bench has them: tables without foreign keys, a sequence, one without transactions.
fn shop(server: &Server) {
    server.create("shop");
    let many: String = (0..12)
        .map(|n| format!("CREATE TABLE t{n} (x INT, y VARCHAR(200), KEY (x)); INSERT INTO t{n} SELECT seq, 'a\\nb' FROM seq_1_to_50;"))
        .collect();
    server.sql("shop", &many);
    server.sql(
        "shop",
        "CREATE TABLE `tab ``odd`` -- x` (x INT); INSERT INTO `tab ``odd`` -- x` VALUES (1); \
         CREATE TABLE search (words TEXT) ENGINE = MyISAM; INSERT INTO search VALUES ('words'); \
         CREATE SEQUENCE t1_id_seq START WITH 7; CREATE TABLE only_old (x INT); INSERT INTO only_old VALUES (1);",
    );
}

/// What a migration does: rows, columns, a key, a table more and one less, and one without a transaction.
fn migrate(server: &Server) {
    server.sql(
        "shop",
        "ALTER TABLE t1 ADD COLUMN z INT DEFAULT 5; UPDATE t2 SET x = 1000 WHERE x = 3; ALTER TABLE t3 ADD KEY (y); \
         ALTER TABLE t4 MODIFY y VARCHAR(300); DROP TABLE only_old; CREATE TABLE only_new (x INT); \
         INSERT INTO `tab ``odd`` -- x` VALUES (2); INSERT INTO search VALUES ('more'); DO NEXT VALUE FOR t1_id_seq;",
    );
}

const TOUCHED: [&str; 9] = [ODD, "only_new", "only_old", "search", "t1", "t1_id_seq", "t2", "t3", "t4"];

fn touched() -> BTreeSet<String> {
    TOUCHED.map(str::to_owned).into()
}

fn beside() -> DatabaseCopy {
    DatabaseCopy::Beside("r1".into())
}

async fn summary(databases: &Databases, tenant: &Tenant, copy: &DatabaseCopy) -> DatabaseSummary {
    databases.summarise(tenant, copy, Checksums::Dump).await.unwrap()
}

async fn is(databases: &Databases, tenant: &Tenant, expected: &DatabaseSummary, when: &str) {
    let found = summary(databases, tenant, &DatabaseCopy::Live).await;
    assert_eq!(expected.differences(&found), Vec::<String>::new(), "{when}");
}

/// The server's own numbers of the tables, which a table that stays keeps.
fn numbers(server: &Server) -> BTreeSet<String> {
    let numbers = server.sql(
        "mysql",
        "SELECT CONCAT(NAME, ' ', TABLE_ID) FROM information_schema.INNODB_SYS_TABLES WHERE NAME LIKE 'shop/%' AND NAME NOT LIKE '%@%'",
    );
    numbers.lines().map(str::to_owned).collect()
}

async fn there_and_back(streams: usize) {
    let server = Server::start();
    shop(&server);
    let databases = if streams == 1 { server.databases() } else { databases_of_several(&server) };
    let tenant = server.tenant("shop");
    let dumped: Dumped = taken(databases.dump(&tenant).await.unwrap()).await.unwrap();
    assert_eq!(dumped.streams.len() > 1, streams > 1, "{:?}", dumped.streams.len());
    let then = dumped.summary.clone();
    let differing = async |copy: &DatabaseCopy| {
        databases.differing(&tenant, copy, &then, dumped.stored()).await.unwrap().unwrap()
    };
    let only_the_sequence = BTreeSet::from(["t1_id_seq".to_owned()]);
    assert_eq!(differing(&DatabaseCopy::Live).await, only_the_sequence);

    migrate(&server);
    let now = summary(&databases, &tenant, &DatabaseCopy::Live).await;
    assert_eq!(differing(&DatabaseCopy::Live).await, touched());
    let stay: BTreeSet<String> = numbers(&server)
        .into_iter()
        .filter(|one| !TOUCHED.iter().any(|name| one.starts_with(&format!("shop/{name} "))))
        .collect();

    databases.restore_tables_beside(&tenant, "r1", dumped.stored(), &touched()).await.unwrap();
    assert_eq!(databases.swap_state(&tenant, "r1").await.unwrap(), SwapState::Beside);
    let wrong: Vec<String> = differing(&beside()).await.intersection(&touched()).cloned().collect();
    assert_eq!(wrong, ["t1_id_seq"], "what was restored is as it was");
    is(&databases, &tenant, &now, "nothing is touched yet").await;

    for round in 0..2 {
        databases.swap_in(&tenant, "r1").await.unwrap();
        assert_eq!(databases.swap_state(&tenant, "r1").await.unwrap(), SwapState::SwappedIn);
        is(&databases, &tenant, &then, "in").await;
        assert!(numbers(&server).is_superset(&stay), "{round}: {stay:?}, {:?}", numbers(&server));
        databases.swap_back(&tenant, "r1").await.unwrap();
        assert_eq!(databases.swap_state(&tenant, "r1").await.unwrap(), SwapState::Beside);
        is(&databases, &tenant, &now, "back").await;
    }
    databases.swap_in(&tenant, "r1").await.unwrap();
    databases.drop_copy(&tenant, &DatabaseCopy::Kept("r1".into())).await.unwrap();
    is(&databases, &tenant, &then, "for good").await;
    assert_eq!(server.sql("mysql", "SHOW DATABASES LIKE 'shop%'"), "shop");
}

fn databases_of_several(server: &Server) -> Databases {
    server.databases().several_from(0).connections(2)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_migration_touched_goes_back_alone() {
    there_and_back(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_migration_touched_goes_back_alone_out_of_several_streams() {
    there_and_back(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_tables_share_something_it_is_not_told() {
    let server = Server::start();
    shop(&server);
    let (databases, tenant) = (server.databases(), server.tenant("shop"));
    let dumped = taken(databases.dump(&tenant).await.unwrap()).await.unwrap();
    server.sql("shop", "CREATE VIEW v AS SELECT x FROM t1;");
    let told = databases.differing(&tenant, &DatabaseCopy::Live, &dumped.summary, dumped.stored()).await;
    assert_eq!(told.unwrap(), None);
}

/// The swap is dropped and the server killed at ever later moments; whatever is left is finished either way.
#[tokio::test(flavor = "multi_thread")]
async fn a_swap_of_some_tables_that_was_cut_off_is_finished_either_way() {
    let server = Server::start();
    shop(&server);
    let (databases, tenant) = (server.databases(), server.tenant("shop"));
    let dumped = taken(databases.dump(&tenant).await.unwrap()).await.unwrap();
    let then = dumped.summary.clone();
    migrate(&server);
    let now = summary(&databases, &tenant, &DatabaseCopy::Live).await;
    databases.restore_tables_beside(&tenant, "r1", dumped.stored(), &touched()).await.unwrap();
    let (mut moment, mut seen, mut whole) = (10, BTreeSet::new(), false);
    while !whole {
        let attempt = async { whole = databases.swap_in(&tenant, "r1").await.is_ok() };
        let _ = tokio::time::timeout(Duration::from_millis(moment), attempt).await;
        if moment % 3 == 0 {
            server.kill();
            server.up();
        }
        let state = databases.swap_state(&tenant, "r1").await.unwrap();
        seen.insert(format!("{state:?}"));
        if moment % 2 == 0 {
            databases.swap_in(&tenant, "r1").await.unwrap();
            is(&databases, &tenant, &then, &format!("in, after {moment} ms: {state:?}")).await;
        }
        databases.swap_back(&tenant, "r1").await.unwrap();
        is(&databases, &tenant, &now, &format!("back, after {moment} ms: {state:?}")).await;
        moment += 37;
    }
    assert!(seen.contains("Halfway"), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_a_point_are_looked_at_in_a_database_of_their_own() {
    let server = Server::start();
    shop(&server);
    let tenant = server.tenant("shop");
    for databases in [server.databases(), databases_of_several(&server)] {
        let dumped = taken(databases.dump(&tenant).await.unwrap()).await.unwrap();
        let live = summary(&databases, &tenant, &DatabaseCopy::Live).await;
        let wanted: BTreeSet<String> = ["t3", ODD].map(str::to_owned).into();
        databases.restore_aside(&tenant, "a1", dumped.stored(), &wanted).await.unwrap();
        assert_eq!(databases.asides(&tenant).await.unwrap(), [], "not finished yet");
        let aside = DatabaseCopy::Aside("a1".into());
        let found = summary(&databases, &tenant, &aside).await;
        assert_eq!(found.tables.keys().cloned().collect::<BTreeSet<_>>(), wanted);
        assert!(wanted.iter().all(|table| found.tables[table] == dumped.summary.tables[table]));
        let at = "2026-03-01T14:05:00Z".parse().unwrap();
        let made = databases.finish_aside(&tenant, "a1", "1608a65a", at).await.unwrap();
        assert_eq!(databases.asides(&tenant).await.unwrap(), std::slice::from_ref(&made));
        is(&databases, &tenant, &live, "nothing live is touched").await;

        for other in ["shop", "mysql"] {
            let fault = databases.drop_aside(&tenant, other).await.unwrap_err();
            assert_eq!(fault.code, Code::DatabaseDenied, "{fault}");
        }
        databases.drop_aside(&tenant, &made.database).await.unwrap();
        databases.drop_aside(&tenant, &made.database).await.unwrap();
        assert_eq!(databases.asides(&tenant).await.unwrap(), []);
    }
}
