//! Databases with some tables of a restore point, which people look at. The server itself says which there are.
//!
//! Everything that must be there before rows is restored, since types, functions and views stand there too; then the other
//! tables are dropped with all that hangs on them, and only rows, keys and indexes of those that are wanted follow.

use std::collections::BTreeSet;

use eclusa_model::TenantName;
use eclusa_ports::{Aside, StoredDump};
use jiff::Timestamp;
use serde_json::Value;

use super::catalogue::{self, Live};
use super::chosen::Chosen;
use super::quote::{identifier, literal};
use super::restore;
use super::session::{Access, Failure, Session};
use super::summary::text;
use crate::asides::{ASIDE, comment, not_one, read};
use crate::streams;

/// The comment of one that has not everything yet.
const UNFINISHED: &str = "eclusa: unfinished aside";

type Outcome<T> = Result<T, Failure>;

/// Restores tables into a database of their own. When it fails, the database is gone.
pub(super) async fn make(
    access: &Access,
    name: &str,
    aside: &str,
    dump: StoredDump,
    tables: &BTreeSet<String>,
) -> Outcome<()> {
    let mut maintenance = catalogue::maintenance(access, name).await?;
    let live = Live::look(&mut maintenance, name).await?;
    catalogue::drop_by_force(&mut maintenance, aside).await?;
    maintenance.run(&live.create(aside)).await?;
    let target = identifier(aside);
    maintenance.run(&format!("COMMENT ON DATABASE {target} IS {};", literal(UNFINISHED))).await?;
    eclusa_crash::point("postgresql.aside.created");
    let made = async {
        // Whoever may not connect to the live one may not look at its rows here.
        let granted = restore::granted(&mut maintenance, &literal(&live.name)).await?;
        maintenance.run(&restore::grants(granted, &live.owner, &target)?).await?;
        fill(access, aside, dump, tables).await
    };
    let made = made.await;
    eclusa_crash::point("postgresql.aside.filled");
    if made.is_err() {
        restore::drop_half(access, name, aside).await;
    }
    made
}

async fn fill(access: &Access, aside: &str, dump: StoredDump, tables: &BTreeSet<String>) -> Outcome<()> {
    let mut dropping = dropping(tables);
    for stream in dump.streams {
        if streams::is_structure(&stream.name) {
            restore::feed_one(access, aside, stream.reader).await?;
            Session::open(access, aside).await?.run(&std::mem::take(&mut dropping)).await?;
        } else {
            let chosen = Chosen::new(stream.reader, tables, std::mem::take(&mut dropping));
            restore::feed_one(access, aside, Box::new(chosen)).await?;
        }
    }
    Session::open(access, aside).await?.run("ANALYZE;").await
}

/// Drops every table but these, and but those that they are parts of or inherit from: without them, a table has its columns
/// in another order.
fn dropping(tables: &BTreeSet<String>) -> String {
    let wanted: Vec<String> = tables.iter().map(|table| literal(table)).collect();
    let wanted = format!("ARRAY[{}]::text[]", wanted.join(", "));
    DROPPING.replace("@WANTED@", &wanted)
}

const DROPPING: &str = r"DO $eclusa$
DECLARE
    one record;
    kept oid[];
BEGIN
    WITH RECURSIVE wanted (id) AS (
        SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE format('%I.%I', n.nspname, c.relname) = ANY (@WANTED@)
        UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN wanted ON i.inhrelid = wanted.id
    )
    SELECT array_agg(id) INTO kept FROM wanted;
    FOR one IN
        SELECT format('%I.%I', n.nspname, c.relname) AS name,
            CASE c.relkind WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS kind
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
            AND NOT c.oid = ANY (kept)
            AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
    LOOP
        EXECUTE format('DROP %s IF EXISTS %s CASCADE', one.kind, one.name);
    END LOOP;
END $eclusa$;
";

pub(super) async fn finish(
    access: &Access,
    name: &str,
    database: &str,
    tenant: &TenantName,
    point: &str,
    at: Timestamp,
) -> Outcome<Aside> {
    let mut maintenance = catalogue::maintenance(access, name).await?;
    let text = literal(&comment(tenant, point, at));
    maintenance.run(&format!("COMMENT ON DATABASE {} IS {text};", identifier(database))).await?;
    let (database, point) = (database.to_owned(), point.to_owned());
    Ok(Aside { tenant: tenant.clone(), database, point, made_at: at })
}

pub(super) async fn list(access: &Access, name: &str) -> Outcome<Vec<Aside>> {
    let mut maintenance = catalogue::maintenance(access, name).await?;
    let rows = maintenance
        .rows(&format!(
            "SELECT json_build_object('name', datname, 'comment', shobj_description(oid, 'pg_database')) \
             FROM pg_database WHERE starts_with(shobj_description(oid, 'pg_database'), {}) ORDER BY datname;",
            literal(ASIDE)
        ))
        .await?;
    let named = |row: &Value| Ok((text(row, "name")?, text(row, "comment")?));
    let found: Vec<(String, String)> = rows.iter().map(named).collect::<Outcome<_>>()?;
    Ok(found.iter().filter_map(|(name, comment)| read(name, comment)).collect())
}

/// Drops one, or what a restore of one has left.
pub(super) async fn drop(access: &Access, name: &str, database: &str) -> Outcome<()> {
    let mut maintenance = catalogue::maintenance(access, name).await?;
    let rows = maintenance
        .rows(&format!(
            "SELECT json_build_object('comment', coalesce(shobj_description(oid, 'pg_database'), '')) \
             FROM pg_database WHERE datname = {};",
            literal(database)
        ))
        .await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let comment = text(row, "comment")?;
    if comment.starts_with(ASIDE) || comment == UNFINISHED {
        return catalogue::drop_by_force(&mut maintenance, database).await;
    }
    Err(Failure::Fault(not_one(&access.tenant, database)))
}
