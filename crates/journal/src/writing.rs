//! What is written, each inside a transaction that the store opens and commits.

use eclusa_fault::{Code, Fault};
use eclusa_model::{RunId, StackName};
use eclusa_ports::{Proof, RequestKind};
use eclusa_runbook::{Entry, Event};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use crate::chain;
use crate::reading::{self, Head};
use crate::trouble::Trouble;

/// A time as it is stored: of fixed length, so that texts sort as times do.
pub(crate) fn stored_time(at: Timestamp) -> String {
    format!("{at:.9}")
}

fn number(value: u64) -> Result<i64, Trouble> {
    i64::try_from(value).map_err(|_| {
        Fault::new(Code::Internal).with("what", format!("the number {value} is too large")).into()
    })
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, Trouble> {
    serde_json::to_string(value)
        .map_err(|error| Fault::new(Code::Internal).with("what", format!("no JSON: {error}")).into())
}

fn run_state(run: &RunId, problem: impl std::fmt::Display) -> Trouble {
    Fault::new(Code::RunState).with("run", run).with("problem", problem).into()
}

/// An event that is to be appended.
pub(crate) struct Addition<'a> {
    pub run: &'a RunId,
    pub stack: &'a StackName,
    pub sequence: u64,
    pub at: Timestamp,
    pub event: &'a Event,
}

/// Appends an event as the next of its run.
pub(crate) fn append(connection: &Connection, addition: &Addition<'_>) -> Result<Entry, Trouble> {
    let Addition { run, stack, sequence, at, event } = *addition;
    let found = reading::head(connection, run.as_str())?;
    let is_new = found.is_none();
    let at_text = stored_time(at);
    let mut head = found.unwrap_or_else(|| Head {
        run: run.to_string(),
        stack: stack.to_string(),
        began: at_text.clone(),
        newest: at_text.clone(),
        events: 0,
        hash: chain::FIRST_PREVIOUS.to_owned(),
    });
    if head.stack != stack.as_str() {
        return Err(run_state(run, format!("belongs to stack {}, not {stack}", head.stack)));
    }
    let last = head.length()?;
    if last.checked_add(1) != Some(sequence) {
        return Err(run_state(
            run,
            format!("has {last} events, so {sequence} is not the next: another process wrote it"),
        ));
    }
    check_end(connection, &head)?;
    let text = json(event)?;
    let previous = std::mem::take(&mut head.hash);
    let hash = chain::entry_hash(run.as_str(), sequence, &at_text, &previous, &text);
    head.events = number(sequence)?;
    head.newest.clone_from(&at_text);
    head.hash.clone_from(&hash);
    // The entry's run must be there before it, for the foreign key; one statement for each keeps the triggers strict.
    let statement = if is_new {
        "INSERT INTO runs (run, stack, began, newest, events, head, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    } else {
        "UPDATE runs SET stack = ?2, began = ?3, newest = ?4, events = ?5, head = ?6, digest = ?7 WHERE run = ?1"
    };
    connection.prepare_cached(statement)?.execute(params![
        head.run,
        head.stack,
        head.began,
        head.newest,
        head.events,
        head.hash,
        head.digest()
    ])?;
    connection
        .prepare_cached(
            "INSERT INTO entries (run, sequence, at, previous, hash, event) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![head.run, head.events, at_text, previous, hash, text])?;
    Ok(Entry { run: run.clone(), sequence, at, previous, hash, event: event.clone() })
}

/// The last entry must be the one that the head names; otherwise nothing may be built on it.
fn check_end(connection: &Connection, head: &Head) -> Result<(), Trouble> {
    let last: Option<(i64, String)> = connection
        .prepare_cached("SELECT sequence, hash FROM entries WHERE run = ?1 ORDER BY sequence DESC LIMIT 1")?
        .query_row([&head.run], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (sequence, hash) = last.unwrap_or_else(|| (0, chain::FIRST_PREVIOUS.to_owned()));
    if sequence == head.events && hash == head.hash {
        Ok(())
    } else {
        Err(Trouble::entry(&head.run, head.length()?, "it is not the one that the run's head names"))
    }
}

/// Puts a request into a run's inbox.
pub(crate) fn request(
    connection: &Connection,
    run: &RunId,
    at: Timestamp,
    kind: &RequestKind,
) -> Result<(), Trouble> {
    if reading::head(connection, run.as_str())?.is_none() {
        return Err(Fault::new(Code::RunUnknown).with("run", run).into());
    }
    let (at, text) = (stored_time(at), json(kind)?);
    connection.execute(
        "INSERT INTO requests (run, at, request, digest) VALUES (?1, ?2, ?3, ?4)",
        params![run.as_str(), at, text, chain::request_digest(run.as_str(), &at, &text)],
    )?;
    Ok(())
}

/// Marks a request as taken. Idempotent.
pub(crate) fn taken(connection: &Connection, request: i64) -> Result<(), Trouble> {
    let known: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM requests WHERE number = ?1)",
        [request],
        |row| row.get(0),
    )?;
    if !known {
        return Err(Fault::new(Code::Internal).with("what", format!("there is no request {request}")).into());
    }
    connection.execute(
        "INSERT INTO takings (number, digest) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
        params![request, chain::taking_digest(request)],
    )?;
    Ok(())
}

/// Records a proof. Idempotent.
pub(crate) fn proof(connection: &Connection, stack: &StackName, proof: &Proof) -> Result<(), Trouble> {
    let (at, milliseconds, compared) =
        (stored_time(proof.at), number(proof.milliseconds)?, number(proof.rows)?);
    let digest =
        chain::proof_digest(stack.as_str(), proof.tenant.as_str(), &at, &proof.point, milliseconds, compared);
    connection.execute(
        "INSERT INTO proofs (stack, tenant, at, point, milliseconds, compared, digest)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        params![stack.as_str(), proof.tenant.as_str(), at, proof.point, milliseconds, compared, digest],
    )?;
    Ok(())
}
