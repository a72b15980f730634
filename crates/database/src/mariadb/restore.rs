//! Restoring into a new database beside the live one. Its comment says that it is unfinished until everything is in it,
//! so a copy that is there as such is whole, whatever crashed.

use std::io::Read;

use super::catalogue::{self, UNFINISHED, WHOLE};
use super::dump::COMPLETED;
use super::looking::without_own_name;
use super::session::{Access, Failure, Names, Session, client_arguments};
use crate::names::{Part, part_name};
use crate::server::{Feeding, TRAILER, feed, holds};

/// How a dump is fed to the client.
const FEEDING: Feeding = Feeding {
    before: "SET SESSION foreign_key_checks = 0, SESSION unique_checks = 0;\n",
    tail: 512,
    is_whole,
    point: "mariadb.restore.piece",
};

/// A dump of ours ends with our own line; one that was made by hand with that of mariadb-dump.
fn is_whole(tail: &[u8]) -> bool {
    tail.ends_with(TRAILER) || (holds(tail, COMPLETED) && !holds(tail, b"-- Eclusa"))
}

type Outcome<T> = Result<T, Failure>;

pub(crate) async fn restore_beside(
    access: &Access,
    name: &str,
    suffix: &str,
    stream: Box<dyn Read + Send>,
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
    let filled = fill(access, session.names, &new, stream).await;
    eclusa_crash::point("mariadb.restore.filled");
    let finished = match filled {
        Ok(()) => catalogue::set_comment(&mut session, &new, WHOLE).await,
        Err(failure) => Err(failure),
    };
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

/// Feeds the dump to the client.
async fn fill(access: &Access, names: Names, database: &str, stream: Box<dyn Read + Send>) -> Outcome<()> {
    let mut arguments = client_arguments();
    arguments.push(format!("--database={database}"));
    let client = access.start_mariadb(names.client(), &arguments).await?;
    feed(client, Box::new(without_own_name(stream)), &FEEDING).await
}

/// Feeds statements of our own to the client.
pub(crate) async fn feed_text(
    access: &Access,
    names: Names,
    database: &str,
    mut text: Vec<u8>,
) -> Outcome<()> {
    text.extend_from_slice(TRAILER);
    fill(access, names, database, Box::new(std::io::Cursor::new(text))).await
}
