//! Swapping databases by renaming both in one transaction.

use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::catalogue;
use super::quote::{identifier, literal};
use super::session::{Access, Failure, Session};
use crate::names::{Part, part_name};
use crate::standing::{Rename, Standing};

/// How often it is tried while somebody stays connected. The server itself waits 5 s each time.
const ATTEMPTS: usize = 5;
/// How often, while the server waits, the connections that are left are ended.
const PAUSE: Duration = Duration::from_millis(100);

/// How long the renames of a killed predecessor are waited for; the server gives them up after 5 s itself.
const PREDECESSOR: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, Copy)]
pub(crate) enum Way {
    In,
    Back,
}

/// By what the session that renames a database is known, so that after a crash it can be found.
fn application(name: &str) -> String {
    let hash = hex::encode(Sha256::digest(name));
    format!("eclusa-swap-{}", hash.get(..16).unwrap_or(&hash))
}

/// Waits until no session renames this database any more. A process that was killed leaves its psql running where
/// the server is, and what it was told already may still be committed; only after that the state is the state.
pub(crate) async fn settled(session: &mut Session, name: &str) -> Result<(), Failure> {
    let start = Instant::now();
    loop {
        let row = session
            .row(&format!(
                "SELECT json_build_object('count', count(*)) FROM pg_stat_activity WHERE application_name = {};",
                literal(&application(name))
            ))
            .await?;
        if row.get("count").and_then(Value::as_u64) == Some(0) {
            return Ok(());
        }
        if start.elapsed() > PREDECESSOR {
            return Err(Failure::Said("another session is still renaming this database".to_owned()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

pub(crate) async fn look(session: &mut Session, name: &str, suffix: &str) -> Result<Standing, Failure> {
    Ok(Standing {
        live: catalogue::exists(session, name).await?,
        new: catalogue::exists(session, &part_name(name, suffix, Part::New)).await?,
        old: catalogue::exists(session, &part_name(name, suffix, Part::Old)).await?,
    })
}

pub(crate) async fn swap(access: &Access, name: &str, suffix: &str, way: Way) -> Result<(), Failure> {
    let mut watching = catalogue::maintenance(access, name).await?;
    settled(&mut watching, name).await?;
    let standing = look(&mut watching, name, suffix).await?;
    let renames = match way {
        Way::In => standing.way_in(),
        Way::Back => standing.way_back(),
    };
    let renames = renames.map_err(Failure::Said)?;
    if renames.is_empty() {
        return Ok(());
    }
    let (new, old) = (part_name(name, suffix, Part::New), part_name(name, suffix, Part::Old));
    let (mut sql, mut moved) = (String::from("BEGIN;"), Vec::new());
    for rename in renames {
        let (from, to) = match rename {
            Rename::LiveToOld => (name, old.as_str()),
            Rename::LiveToNew => (name, new.as_str()),
            Rename::NewToLive => (new.as_str(), name),
            Rename::OldToLive => (old.as_str(), name),
        };
        sql.push_str(&format!(" ALTER DATABASE {} RENAME TO {};", identifier(from), identifier(to)));
        moved.push(from);
    }
    sql.push_str(" COMMIT;");

    let mut last = None;
    for _ in 0..ATTEMPTS {
        let mut ending = catalogue::maintenance(access, name).await?;
        let mut renaming = catalogue::maintenance(access, name).await?;
        renaming.run(&format!("SET application_name = {};", literal(&application(name)))).await?;
        catalogue::terminate(&mut ending, &moved, true).await?;
        eclusa_crash::point("postgresql.swap.alone");
        let renamed = renaming.run(&sql);
        tokio::pin!(renamed);
        let outcome = loop {
            tokio::select! {
                outcome = &mut renamed => break outcome,
                () = async {
                    tokio::time::sleep(PAUSE).await;
                    // What stays connected shows in the outcome.
                    let _ = catalogue::terminate(&mut ending, &moved, true).await;
                } => {}
            }
        };
        eclusa_crash::point("postgresql.swap.renamed");
        match outcome {
            Err(failure) if failure.says("is being accessed by other users") => last = Some(failure),
            outcome => return outcome,
        }
    }
    let who = catalogue::connected(&mut watching, &moved).await.unwrap_or_default();
    Err(match last {
        Some(failure) if who.is_empty() => failure,
        _ => Failure::Said(who.join("; ")),
    })
}
