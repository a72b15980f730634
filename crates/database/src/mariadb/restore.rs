//! Restoring into a new database beside the live one. Its comment says that it is unfinished until everything is in it,
//! so a copy that is there as such is whole, whatever crashed.
//!
//! The streams of a dump that has several are fed in their order, those of rows side by side; keys of tables with many
//! rows are added when the rows are there (see [`keys`](super::keys)).

use std::collections::BTreeSet;
use std::io::{Cursor, Read};

use eclusa_ports::{StoredDump, StoredStream};

use super::catalogue::{self, UNFINISHED, WHOLE};
use super::dump::COMPLETED;
use super::keys::PutOff;
use super::looking::without_own_name;
use super::quote::identifier;
use super::session::{Access, Failure, Names, Session, client_arguments};
use super::{chosen, swap_part};
use crate::names::{Part, part_name};
use crate::server::{Feeding, TRAILER, feed, holds};
use crate::streams;

/// How a dump is fed to the client.
pub(super) const FEEDING: Feeding = Feeding {
    before: "SET SESSION foreign_key_checks = 0, SESSION unique_checks = 0;\n",
    tail: 512,
    is_whole,
    point: "mariadb.restore.piece",
};

/// A dump of ours ends with our own line; one that was made by hand with that of mariadb-dump.
fn is_whole(tail: &[u8]) -> bool {
    tail.ends_with(TRAILER) || (holds(tail, COMPLETED) && !holds(tail, b"-- Eclusa"))
}

/// To how many tables keys are added at the same time.
const KEYS_AT_ONCE: usize = 2;

type Outcome<T> = Result<T, Failure>;

/// Restores a dump, or of it only some tables, which alone take part in a swap then.
pub(crate) async fn restore_beside(
    access: &Access,
    name: &str,
    suffix: &str,
    dump: StoredDump,
    some: Option<&BTreeSet<String>>,
) -> Outcome<()> {
    let new = part_name(name, suffix, Part::New);
    let mut session = Session::open(access).await?;
    if catalogue::comment(&mut session, &part_name(name, suffix, Part::Old)).await?.is_some() {
        return Err(Failure::Said("an old database of the same suffix is still kept".to_owned()));
    }
    super::swap::alone(&mut session, name).await?;
    catalogue::drop_database(&mut session, &new).await?;
    catalogue::create_like(&mut session, &new, name, UNFINISHED).await?;
    eclusa_crash::point("mariadb.restore.created");
    let dump = match some {
        Some(tables) => chosen::only(dump, tables),
        None => dump,
    };
    let filled = async {
        fill(access, session.names, &new, dump).await?;
        eclusa_crash::point("mariadb.restore.filled");
        if let Some(tables) = some {
            swap_part::write(&mut session, &new, tables).await?;
        }
        catalogue::set_comment(&mut session, &new, WHOLE).await
    };
    let finished = filled.await;
    if finished.is_err() {
        // In a new session: the failure may have been the end of the one that was open.
        if let Ok(mut session) = Session::open(access).await
            && let Err(failure) = catalogue::drop_database(&mut session, &new).await
        {
            tracing::warn!(database = new, ?failure, "a half restored database was left");
        }
    }
    finished
}

/// Restores some tables of a dump into a database of this name, whose comment says that it is not finished.
pub(crate) async fn restore_aside(
    access: &Access,
    live: &str,
    aside: &str,
    dump: StoredDump,
    tables: &BTreeSet<String>,
) -> Outcome<()> {
    let mut session = Session::open(access).await?;
    catalogue::drop_database(&mut session, aside).await?;
    catalogue::create_like(&mut session, aside, live, UNFINISHED).await?;
    let filled = fill(access, session.names, aside, chosen::only(dump, tables)).await;
    if filled.is_err() {
        // In a new session: the failure may have been the end of the one that was open.
        catalogue::drop_database(&mut Session::open(access).await?, aside).await?;
    }
    filled
}

/// Feeds the dump to clients: one that is several streams in its order, the rows side by side.
async fn fill(access: &Access, names: Names, database: &str, dump: StoredDump) -> Outcome<()> {
    let filling = Filling { access, names, database };
    let (rows, others): (Vec<_>, Vec<_>) =
        dump.streams.into_iter().partition(|stream| streams::is_part_with_rows(&stream.name));
    let mut rows = Some(rows);
    for stream in others {
        if !streams::is_structure(&stream.name) {
            filling.feed(stream.reader).await?;
            continue;
        }
        let put_off = PutOff::read(stream.reader, &dump.rows).await?;
        filling.feed(Box::new(Cursor::new(put_off.structure))).await?;
        filling.side_by_side(rows.take().unwrap_or_default()).await?;
        filling.add(put_off.keys).await?;
    }
    // Rows of which no stream says the tables.
    match rows {
        Some(rows) if !rows.is_empty() => {
            Err(Failure::Said("the structure of its tables is missing".to_owned()))
        }
        _ => Ok(()),
    }
}

/// A database that is being filled.
struct Filling<'a> {
    access: &'a Access,
    names: Names,
    database: &'a str,
}

impl Filling<'_> {
    async fn client(&self) -> Outcome<eclusa_ports::ExecStream> {
        let mut arguments = client_arguments();
        arguments.push(format!("--database={}", self.database));
        self.access.start_mariadb(self.names.client(), &arguments).await
    }

    async fn feed(&self, stream: Box<dyn Read + Send>) -> Outcome<()> {
        feed(self.client().await?, Box::new(without_own_name(stream)), &FEEDING).await
    }

    /// Feeds streams of rows, each to a client of its own; when one fails, all end.
    async fn side_by_side(&self, streams: Vec<StoredStream>) -> Outcome<()> {
        let feeding = streams.into_iter().map(|stream| async {
            // There is no view in them, whose text would have to be looked at.
            feed(self.client().await?, stream.reader, &FEEDING).await
        });
        futures_util::future::try_join_all(feeding).await.map(drop)
    }

    /// Adds the keys that were put off, two tables at a time.
    async fn add(&self, keys: Vec<(String, Vec<String>)>) -> Outcome<()> {
        eclusa_crash::point("mariadb.restore.rows");
        let statements: Vec<String> = keys
            .into_iter()
            .map(|(table, keys)| {
                let keys: Vec<String> = keys.into_iter().map(|key| format!("ADD {key}")).collect();
                format!("ALTER TABLE {}.{table} {};", identifier(self.database), keys.join(", "))
            })
            .collect();
        let next = std::sync::atomic::AtomicUsize::new(0);
        let adding = (0..KEYS_AT_ONCE.min(statements.len())).map(|_| async {
            let mut session = Session::open(self.access).await?;
            session.run("SET SESSION foreign_key_checks = 0, SESSION unique_checks = 0;").await?;
            while let Some(statement) =
                statements.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
            {
                session.run(statement).await?;
            }
            Ok(())
        });
        futures_util::future::try_join_all(adding).await.map(drop)
    }
}

/// Feeds statements of our own to the client.
pub(crate) async fn feed_text(
    access: &Access,
    names: Names,
    database: &str,
    mut text: Vec<u8>,
) -> Outcome<()> {
    text.extend_from_slice(TRAILER);
    Filling { access, names, database }.feed(Box::new(Cursor::new(text))).await
}
