//! Restoring into a new database beside the live one.
//!
//! It is filled under a name of its own and gets the copy's name when everything is in it, so a copy that is
//! there is whole, whatever crashed. Rows of a dump that has several streams of them are fed side by side.

use std::io::Read;

use eclusa_ports::{StoredDump, StoredStream};
use serde_json::Value;

use super::catalogue::{self, Live};
use super::quote::{identifier, literal, setting};
use super::session::{Access, Failure, Session, psql};
use super::summary::text;
use crate::names::{Part, part_name};
use crate::server::{Feeding, TRAILER, feed};
use crate::streams;

/// How a dump is fed to psql.
const FEEDING: Feeding = Feeding {
    // What a crash could lose is dropped and restored again. With the usual 64 MB an index of some millions of rows is sorted
    // on disk.
    before: "SET synchronous_commit = off; SET maintenance_work_mem = '128MB';\n",
    tail: TRAILER.len(),
    is_whole: |tail| tail == TRAILER,
    point: "postgresql.restore.piece",
};

type Outcome<T> = Result<T, Failure>;

pub(crate) async fn restore_beside(
    access: &Access,
    name: &str,
    suffix: &str,
    dump: StoredDump,
) -> Outcome<()> {
    let (unfinished, new) = (part_name(name, suffix, Part::Unfinished), part_name(name, suffix, Part::New));
    let mut maintenance = catalogue::maintenance(access, name).await?;
    if catalogue::exists(&mut maintenance, &part_name(name, suffix, Part::Old)).await? {
        return Err(Failure::Said("an old database of the same suffix is still kept".to_owned()));
    }
    let live = Live::look(&mut maintenance, name).await?;
    catalogue::drop_by_force(&mut maintenance, &unfinished).await?;
    catalogue::drop_by_force(&mut maintenance, &new).await?;
    maintenance.run(&live.create(&unfinished)).await?;
    eclusa_crash::point("postgresql.restore.created");
    let filled = fill(access, &unfinished, dump).await;
    eclusa_crash::point("postgresql.restore.filled");
    let finished = match filled {
        Ok(()) => finish(&mut maintenance, &live, &unfinished, &new).await,
        Err(failure) => Err(failure),
    };
    if finished.is_err() {
        drop_half(access, name, &unfinished).await;
    }
    finished
}

/// Drops a database that was not restored to its end.
pub(super) async fn drop_half(access: &Access, live: &str, database: &str) {
    // In a new session: the failure may have been the end of the one that was open.
    if let Ok(mut maintenance) = catalogue::maintenance(access, live).await
        && let Err(failure) = catalogue::drop_by_force(&mut maintenance, database).await
    {
        tracing::warn!(database, ?failure, "a half restored database was left");
    }
}

/// Feeds the dump to psql and lets the server count what it got.
async fn fill(access: &Access, database: &str, dump: StoredDump) -> Outcome<()> {
    let (rows, others): (Vec<_>, Vec<_>) =
        dump.streams.into_iter().partition(|stream| streams::is_part_with_rows(&stream.name));
    let mut rows = Some(rows);
    for stream in others {
        let is_structure = streams::is_structure(&stream.name);
        feed_one(access, database, stream.reader).await?;
        if is_structure {
            side_by_side(access, database, rows.take().unwrap_or_default()).await?;
            eclusa_crash::point("postgresql.restore.rows");
        }
    }
    // Rows of which no stream says the tables.
    if rows.is_some_and(|rows| !rows.is_empty()) {
        return Err(Failure::Said("the structure of its tables is missing".to_owned()));
    }
    Session::open(access, database).await?.run("ANALYZE;").await
}

pub(super) async fn feed_one(access: &Access, database: &str, stream: Box<dyn Read + Send>) -> Outcome<()> {
    feed(access.start_postgresql(psql(), database).await?, stream, &FEEDING).await
}

/// Feeds streams of rows, each to a client of its own; when one fails, all end.
async fn side_by_side(access: &Access, database: &str, streams: Vec<StoredStream>) -> Outcome<()> {
    let feeding = streams.into_iter().map(|stream| feed_one(access, database, stream.reader));
    futures_util::future::try_join_all(feeding).await.map(drop)
}

/// Gives the new database what belongs to the live one but stands in no dump of it, then its name.
async fn finish(maintenance: &mut Session, live: &Live, unfinished: &str, new: &str) -> Outcome<()> {
    let target = identifier(unfinished);
    let of = literal(&live.name);
    let settings = maintenance
        .rows(&format!(
            "SELECT json_build_object('role', r.rolname, 'settings', to_json(s.setconfig)) FROM pg_db_role_setting s \
             JOIN pg_database d ON d.oid = s.setdatabase LEFT JOIN pg_roles r ON r.oid = s.setrole WHERE d.datname = {of};"
        ))
        .await?;
    for row in &settings {
        let whose = match row.get("role").and_then(Value::as_str) {
            Some(role) => format!("ALTER ROLE {} IN DATABASE {target}", identifier(role)),
            None => format!("ALTER DATABASE {target}"),
        };
        for pair in
            row.get("settings").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
        {
            let Some((name, value)) = pair.split_once('=') else { continue };
            // By way of the session's own value: settings that are lists need no parsing then.
            maintenance
                .run(&format!(
                    "BEGIN; SELECT set_config({}, {}, true); {whose} SET {} FROM CURRENT; COMMIT;",
                    literal(name),
                    literal(value),
                    setting(name)
                ))
                .await?;
        }
    }
    let granted = granted(maintenance, &of).await?;
    maintenance.run(&grants(granted, &live.owner, &target)?).await?;
    if let Some(comment) = &live.comment {
        maintenance.run(&format!("COMMENT ON DATABASE {target} IS {};", literal(comment))).await?;
    }
    // The restoring session may need a moment to be gone.
    catalogue::terminate(maintenance, &[unfinished], false).await?;
    eclusa_crash::point("postgresql.restore.finished");
    maintenance.run(&format!("ALTER DATABASE {target} RENAME TO {};", identifier(new))).await
}

pub(super) async fn granted(maintenance: &mut Session, of: &str) -> Outcome<Option<Vec<Value>>> {
    let row = maintenance
        .row(&format!(
            "SELECT json_build_object('set', datacl IS NOT NULL, 'grants', (SELECT json_agg(json_build_object( \
             'to', CASE WHEN grantee <> 0 THEN pg_get_userbyid(grantee) END, 'what', privilege_type, \
             'on', is_grantable)) FROM aclexplode(datacl))) FROM pg_database WHERE datname = {of};"
        ))
        .await?;
    if row.get("set").and_then(Value::as_bool) != Some(true) {
        return Ok(None);
    }
    Ok(Some(row.get("grants").and_then(Value::as_array).cloned().unwrap_or_default()))
}

/// The statements that give a database these grants and no others.
pub(super) fn grants(grants: Option<Vec<Value>>, owner: &str, target: &str) -> Outcome<String> {
    let Some(grants) = grants else { return Ok(String::new()) };
    let mut sql = format!(
        "REVOKE ALL ON DATABASE {target} FROM PUBLIC; REVOKE ALL ON DATABASE {target} FROM {};",
        identifier(owner)
    );
    for grant in &grants {
        let what = match text(grant, "what")?.as_str() {
            "CREATE" => "CREATE",
            "CONNECT" => "CONNECT",
            "TEMPORARY" => "TEMPORARY",
            // A privilege of a newer server.
            other => return Err(Failure::Said(format!("the privilege {other} is not known"))),
        };
        let to = grant.get("to").and_then(Value::as_str).map_or_else(|| "PUBLIC".to_owned(), identifier);
        let on =
            if grant.get("on").and_then(Value::as_bool) == Some(true) { " WITH GRANT OPTION" } else { "" };
        sql.push_str(&format!(" GRANT {what} ON DATABASE {target} TO {to}{on};"));
    }
    Ok(sql)
}
