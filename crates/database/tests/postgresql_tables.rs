//! Tables of a restore point of PostgreSQL in a database of their own, with the real server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeSet;

use eclusa_fault::Code;
use eclusa_ports::{Checksums, Database, DatabaseCopy};
use support::{Cluster, taken};

const SHOP: &str = r#"
CREATE ROLE reporting;
CREATE SCHEMA "Sales Q1";
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS $f$ SELECT n * 2 $f$;
CREATE TABLE client (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE, mood mood, n int);
CREATE INDEX client_twice ON client (twice(n));
CREATE TABLE "Sales Q1"."Order ""one""" (no serial PRIMARY KEY, client int REFERENCES client (id), of int CHECK (of > 0));
CREATE TABLE other (id int PRIMARY KEY);
CREATE TABLE log (at date NOT NULL, t text) PARTITION BY RANGE (at);
CREATE TABLE log_2024 PARTITION OF log FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE log_2025 PARTITION OF log FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE parent (a int); CREATE TABLE child (b int) INHERITS (parent); ALTER TABLE parent ADD COLUMN c int DEFAULT 7;
CREATE VIEW known AS SELECT name FROM client; CREATE VIEW both_of AS SELECT name, other.id FROM client, other;
INSERT INTO client (name, mood, n) SELECT 'client ' || i, 'good', i FROM generate_series(1, 30) i;
INSERT INTO "Sales Q1"."Order ""one""" (client, of) SELECT id, 1 FROM client;
INSERT INTO other SELECT generate_series(1, 1000);
INSERT INTO log VALUES ('2024-05-05', 'then'), ('2025-05-05', 'now');
INSERT INTO child VALUES (1, 2, 3), (4, 5, 6); INSERT INTO parent VALUES (9, 9);
GRANT SELECT ON client, other TO reporting;
"#;

#[tokio::test(flavor = "multi_thread")]
async fn tables_of_a_point_are_looked_at_in_a_database_of_their_own() {
    let cluster = Cluster::start();
    cluster.sql("postgres", "CREATE DATABASE shop;");
    cluster.sql("shop", SHOP);
    cluster
        .sql("postgres", "REVOKE CONNECT ON DATABASE shop FROM PUBLIC; COMMENT ON DATABASE shop IS 'live';");
    let tenant = cluster.tenant("shop", "postgres");
    let whole = cluster.databases();
    let several = cluster.databases().several_from(1).connections(3);
    let wanted: BTreeSet<String> =
        ["public.client", r#""Sales Q1"."Order ""one""""#, "public.log_2024", "public.child"]
            .map(str::to_owned)
            .into();
    for databases in [whole, several] {
        let dumped = taken(databases.dump(&tenant).await.unwrap()).await.unwrap();
        let before = cluster.sql("shop", "SELECT sum(id) FROM client");
        databases.restore_aside(&tenant, "a1", dumped.stored(), &wanted).await.unwrap();
        assert_eq!(databases.asides(&tenant).await.unwrap(), [], "not finished yet");
        let aside = DatabaseCopy::Aside("a1".into());
        let found = databases.summarise(&tenant, &aside, Checksums::Dump).await.unwrap();
        for table in &wanted {
            assert_eq!(found.tables.get(table), dumped.summary.tables.get(table), "{table}");
        }
        // What they are parts of or inherit from is there without its rows; nothing else is.
        let others: Vec<_> = found.tables.iter().filter(|(name, _)| !wanted.contains(*name)).collect();
        assert!(others.iter().all(|(name, table)| *name == "public.parent" && table.rows == 0), "{others:?}");
        let at = "2026-03-01T14:05:00Z".parse().unwrap();
        let made = databases.finish_aside(&tenant, "a1", "1608a65a", at).await.unwrap();
        assert_eq!(databases.asides(&tenant).await.unwrap(), std::slice::from_ref(&made));
        let there =
            "SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'client'";
        assert_eq!(cluster.sql(&made.database, there).trim(), "client_name_key client_pkey client_twice");
        assert_eq!(cluster.sql(&made.database, "SELECT count(*) FROM known").trim(), "30");
        let connect = format!("SELECT has_database_privilege('reporting', '{}', 'CONNECT')", made.database);
        assert_eq!(
            cluster.sql("postgres", &connect).trim(),
            "f",
            "who may not see the live one may not see this"
        );
        assert_eq!(cluster.sql("shop", "SELECT sum(id) FROM client"), before);

        for other in ["shop", "postgres"] {
            let fault = databases.drop_aside(&tenant, other).await.unwrap_err();
            assert_eq!(fault.code, Code::DatabaseDenied, "{fault}");
        }
        databases.drop_aside(&tenant, &made.database).await.unwrap();
        databases.drop_aside(&tenant, &made.database).await.unwrap();
        assert_eq!(databases.asides(&tenant).await.unwrap(), []);
    }
    // Half of a dump leaves nothing behind.
    let dumped = taken(cluster.databases().dump(&tenant).await.unwrap()).await.unwrap();
    let bytes = dumped.bytes();
    let half = support::stored(bytes.get(..bytes.len() / 2).unwrap());
    let fault = cluster.databases().restore_aside(&tenant, "a1", half, &wanted).await.unwrap_err();
    assert_eq!(fault.code, Code::RestoreFailed, "{fault}");
    let databases =
        "SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname LIKE 'shop%'";
    assert_eq!(cluster.sql("postgres", databases).trim(), "shop");
}
