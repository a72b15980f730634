//! What is read: every row is checked against its hash before it is believed.

use eclusa_fault::{Code, Fault};
use eclusa_model::{RunId, StackName, TenantName};
use eclusa_ports::{Proof, Request, RunSummary};
use eclusa_runbook::{EVENT_FORMAT, Entry, Event};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Deserialize;

use crate::chain;
use crate::trouble::Trouble;

/// The head of a run as it is stored.
pub(crate) struct Head {
    pub run: String,
    pub stack: String,
    pub began: String,
    pub newest: String,
    pub events: i64,
    pub hash: String,
}

impl Head {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<(Self, String)> {
        let head = Self {
            run: row.get(0)?,
            stack: row.get(1)?,
            began: row.get(2)?,
            newest: row.get(3)?,
            events: row.get(4)?,
            hash: row.get(5)?,
        };
        Ok((head, row.get(6)?))
    }

    pub(crate) fn digest(&self) -> String {
        chain::run_digest(&self.run, &self.stack, &self.began, &self.newest, self.events, &self.hash)
    }

    fn checked((head, digest): (Self, String)) -> Result<Self, Trouble> {
        if head.digest() == digest {
            Ok(head)
        } else {
            Err(Trouble::Damaged(format!("run {}: the hash of its head does not match", head.run)))
        }
    }

    /// How many events the run has.
    pub(crate) fn length(&self) -> Result<u64, Trouble> {
        u64::try_from(self.events)
            .map_err(|_| Trouble::Damaged(format!("run {}: it has {} events", self.run, self.events)))
    }

    fn summary(&self) -> Result<RunSummary, Trouble> {
        let place = |what: &str, error: &dyn std::fmt::Display| {
            Trouble::Damaged(format!("run {}: its {what} cannot be read: {error}", self.run))
        };
        Ok(RunSummary {
            run: RunId::new(self.run.clone()).map_err(|error| place("name", &error))?,
            stack: StackName::new(self.stack.clone()).map_err(|error| place("stack", &error))?,
            began: self.began.parse().map_err(|error: jiff::Error| place("beginning", &error))?,
            newest: self.newest.parse().map_err(|error: jiff::Error| place("newest time", &error))?,
            events: self.length()?,
        })
    }
}

const HEAD_COLUMNS: &str = "run, stack, began, newest, events, head, digest";

/// The head of a run, if there is such a run.
pub(crate) fn head(connection: &Connection, run: &str) -> Result<Option<Head>, Trouble> {
    connection
        .prepare_cached(&format!("SELECT {HEAD_COLUMNS} FROM runs WHERE run = ?1"))?
        .query_row([run], Head::from_row)
        .optional()?
        .map(Head::checked)
        .transpose()
}

/// The events of a run.
pub(crate) fn entries(connection: &Connection, run: &RunId) -> Result<Vec<Entry>, Trouble> {
    entries_after(connection, run, None)
}

/// The events of a run after one that is known; all of them where none is.
pub(crate) fn entries_after(
    connection: &Connection,
    run: &RunId,
    known: Option<&Entry>,
) -> Result<Vec<Entry>, Trouble> {
    let head =
        head(connection, run.as_str())?.ok_or_else(|| Fault::new(Code::RunUnknown).with("run", run))?;
    let begin = known.map_or(0, |entry| entry.sequence);
    let known_hash = known.map_or(chain::FIRST_PREVIOUS, |entry| entry.hash.as_str());
    let mut statement = connection.prepare_cached(
        "SELECT sequence, at, previous, hash, event FROM entries WHERE run = ?1 AND sequence > ?2 ORDER BY sequence",
    )?;
    let mut rows = statement.query(params![run.as_str(), i64::try_from(begin).unwrap_or(i64::MAX)])?;
    let mut found: Vec<Entry> = Vec::new();
    while let Some(row) = rows.next()? {
        let expected = begin + found.len() as u64 + 1;
        let previous = found.last().map_or(known_hash, |entry| entry.hash.as_str()).to_owned();
        let writer = known.or(found.first()).map(|entry| &entry.event);
        let entry = entry(run, row, expected, &previous, writer)?;
        found.push(entry);
    }
    let last = found.last().map_or(known_hash, |entry| entry.hash.as_str());
    if begin + found.len() as u64 != head.length()? || last != head.hash {
        return Err(Trouble::entry(
            run.as_str(),
            begin + found.len() as u64 + 1,
            format!("the chain ends before it, and should have {} entries", head.events),
        ));
    }
    match found.first().map(|entry| &entry.event) {
        Some(Event::Started { plan, .. }) if plan.stack.as_str() != head.stack => Err(Trouble::entry(
            run.as_str(),
            1,
            format!("it is of stack {}, the run of {}", plan.stack, head.stack),
        )),
        _ => Ok(found),
    }
}

fn entry(
    run: &RunId,
    row: &Row<'_>,
    expected: u64,
    previous: &str,
    first: Option<&Event>,
) -> Result<Entry, Trouble> {
    let trouble = |problem: &dyn std::fmt::Display| Trouble::entry(run.as_str(), expected, problem);
    let sequence: i64 = row.get(0)?;
    if u64::try_from(sequence) != Ok(expected) {
        return Err(trouble(&format!("it is missing; the next one is {sequence}")));
    }
    let text = |index: usize| row.get::<_, String>(index).map_err(|error| trouble(&error));
    let (at, stored_previous, hash, event) = (text(1)?, text(2)?, text(3)?, text(4)?);
    if stored_previous != previous {
        return Err(trouble(&"it does not follow the entry before it"));
    }
    if chain::entry_hash(run.as_str(), expected, &at, previous, &event) != hash {
        return Err(trouble(&"its hash does not match"));
    }
    // From here on the bytes are those that were written: what cannot be read is newer, or was never good.
    let at: Timestamp = at.parse().map_err(|error: jiff::Error| trouble(&error))?;
    if first.is_none() {
        refuse_newer(run, &event)?;
    }
    let event = serde_json::from_str(&event).map_err(|error| match first {
        Some(Event::Started { version, .. }) if is_newer(version, env!("CARGO_PKG_VERSION")) => {
            Trouble::Fault(too_new(run, version))
        }
        _ => trouble(&format!("its event cannot be read: {error}")),
    })?;
    Ok(Entry { run: run.clone(), sequence: expected, at, previous: stored_previous, hash, event })
}

/// The part of a first event that every format has.
#[derive(Deserialize)]
struct Beginning {
    format: u32,
    version: String,
}

fn refuse_newer(run: &RunId, event: &str) -> Result<(), Trouble> {
    let Ok(beginning) = serde_json::from_str::<Beginning>(event) else { return Ok(()) };
    let unreadable = || serde_json::from_str::<Event>(event).is_err();
    if beginning.format > EVENT_FORMAT
        || (is_newer(&beginning.version, env!("CARGO_PKG_VERSION")) && unreadable())
    {
        return Err(too_new(run, &beginning.version).into());
    }
    Ok(())
}

fn too_new(run: &RunId, version: &str) -> Fault {
    Fault::new(Code::RunTooNew).with("run", run).with("version", version)
}

/// Whether a version such as `0.2.0` is newer than another. A version that does not look like one is not.
fn is_newer(left: &str, right: &str) -> bool {
    let parts = |text: &str| {
        let mut numbers = text.split(['-', '+']).next().unwrap_or_default().split('.').map(str::parse::<u64>);
        match (numbers.next(), numbers.next(), numbers.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch))) => Some((major, minor, patch)),
            _ => None,
        }
    };
    matches!((parts(left), parts(right)), (Some(left), Some(right)) if left > right)
}

/// The runs, newest first.
pub(crate) fn runs(
    connection: &Connection,
    stack: Option<&StackName>,
    most: usize,
) -> Result<Vec<RunSummary>, Trouble> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {HEAD_COLUMNS} FROM runs WHERE ?1 IS NULL OR stack = ?1 ORDER BY began DESC, run DESC LIMIT ?2"
    ))?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![stack.map(StackName::as_str), most], Head::from_row)?;
    rows.map(|row| Head::checked(row?)?.summary()).collect()
}

/// The requests of a run that were not taken.
pub(crate) fn requests(connection: &Connection, run: &str) -> Result<Vec<Request>, Trouble> {
    let mut statement = connection.prepare_cached(
        "SELECT number, run, at, request, digest FROM requests WHERE run = ?1
         AND number NOT IN (SELECT number FROM takings) ORDER BY number",
    )?;
    let mut rows = statement.query([run])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(request(row)?);
    }
    Ok(found)
}

fn request(row: &Row<'_>) -> Result<Request, Trouble> {
    let (number, run, at): (i64, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (text, digest): (String, String) = (row.get(3)?, row.get(4)?);
    if chain::request_digest(&run, &at, &text) != digest {
        return Err(Trouble::Damaged(format!("run {run}, request {number}: its hash does not match")));
    }
    let unreadable = |error: &dyn std::fmt::Display| {
        Trouble::Damaged(format!("run {run}, request {number}: it cannot be read: {error}"))
    };
    Ok(Request {
        number,
        kind: serde_json::from_str(&text).map_err(|error| unreadable(&error))?,
        at: at.parse().map_err(|error: jiff::Error| unreadable(&error))?,
    })
}

const PROOF_COLUMNS: &str = "stack, tenant, at, point, milliseconds, compared, digest";

/// The newest proof of a tenant.
pub(crate) fn newest_proof(
    connection: &Connection,
    stack: &StackName,
    tenant: &TenantName,
) -> Result<Option<Proof>, Trouble> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {PROOF_COLUMNS} FROM proofs WHERE stack = ?1 AND tenant = ?2 ORDER BY at DESC, point DESC LIMIT 1"
    ))?;
    let mut rows = statement.query([stack.as_str(), tenant.as_str()])?;
    rows.next()?.map(proof).transpose()
}

fn proof(row: &Row<'_>) -> Result<Proof, Trouble> {
    let (stack, tenant, at): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let (point, milliseconds, compared): (String, i64, i64) = (row.get(3)?, row.get(4)?, row.get(5)?);
    let digest: String = row.get(6)?;
    if chain::proof_digest(&stack, &tenant, &at, &point, milliseconds, compared) != digest {
        return Err(Trouble::Damaged(format!("the proof of {tenant} at {at}: its hash does not match")));
    }
    let unreadable =
        |error: &dyn std::fmt::Display| Trouble::Damaged(format!("the proof of {tenant} at {at}: {error}"));
    Ok(Proof {
        tenant: TenantName::new(tenant.clone()).map_err(|error| unreadable(&error))?,
        point,
        at: at.parse().map_err(|error: jiff::Error| unreadable(&error))?,
        milliseconds: u64::try_from(milliseconds).map_err(|error| unreadable(&error))?,
        rows: u64::try_from(compared).map_err(|error| unreadable(&error))?,
    })
}

/// Checks everything; gives the number of events.
pub(crate) fn verify(connection: &Connection) -> Result<u64, Trouble> {
    let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if said != "ok" {
        return Err(Trouble::Damaged(said));
    }
    let strays: i64 =
        connection.query_row("SELECT count(*) FROM pragma_foreign_key_check", [], |row| row.get(0))?;
    if strays != 0 {
        return Err(Trouble::Damaged(format!("{strays} rows belong to no run")));
    }
    let mut events = 0;
    for run in runs(connection, None, usize::MAX)? {
        // A run of a newer version is whole when its chain is; what it says is not this version's to judge.
        match entries(connection, &run.run) {
            Err(Trouble::Fault(fault)) if fault.code == Code::RunTooNew => events += run.events,
            other => events += other?.len() as u64,
        }
    }
    let mut statement = connection.prepare("SELECT number, run, at, request, digest FROM requests")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        request(row)?;
    }
    let mut statement = connection.prepare("SELECT number, digest FROM takings")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (number, digest): (i64, String) = (row.get(0)?, row.get(1)?);
        if chain::taking_digest(number) != digest {
            return Err(Trouble::Damaged(format!("the taking of request {number}: its hash does not match")));
        }
    }
    let mut statement = connection.prepare(&format!("SELECT {PROOF_COLUMNS} FROM proofs"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        proof(row)?;
    }
    Ok(events)
}

#[cfg(test)]
mod tests {
    use super::is_newer;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_newer("0.10.0", "0.9.9"));
        assert!(is_newer("1.0.0-rc1", "0.9.0"));
        assert!(!is_newer("0.1.0", "0.1.0"));
        assert!(!is_newer("0.1.0", "0.2.0"));
        assert!(!is_newer("new", "0.1.0"));
    }
}
