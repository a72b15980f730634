//! How long steps took: the times from a step's intent to its outcome, in the newest runs of a stack. They are an
//! estimate for people and for nothing that is decided, so only the times and names are read, not whole events.

use std::collections::BTreeMap;

use eclusa_model::StackName;
use jiff::Timestamp;
use rusqlite::Connection;

use crate::reading;
use crate::trouble::Trouble;

/// The milliseconds of each step in the newest runs of a stack, newest run first.
pub(crate) fn of_steps(
    connection: &Connection,
    stack: &StackName,
    most_runs: usize,
) -> Result<BTreeMap<String, Vec<u64>>, Trouble> {
    let mut statement = connection.prepare_cached(
        "SELECT at, event ->> '$.event', event ->> '$.step' FROM entries WHERE run = ?1 ORDER BY sequence",
    )?;
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for run in reading::runs(connection, Some(stack), most_runs)? {
        let mut intended: BTreeMap<String, Timestamp> = BTreeMap::new();
        let mut rows = statement.query([run.run.as_str()])?;
        while let Some(row) = rows.next()? {
            let (at, kind, step): (String, Option<String>, Option<String>) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            let at: Timestamp =
                at.parse().map_err(|error| Trouble::Damaged(format!("run {}: {error}", run.run)))?;
            match (kind.as_deref(), step) {
                (Some("intended"), Some(step)) => {
                    intended.insert(step, at);
                }
                (Some("performed" | "judged"), Some(step)) => {
                    let took = intended.remove(&step).map(|began| at.duration_since(began).as_millis());
                    // A clock that was set back gives no duration.
                    if let Some(took) = took.and_then(|took| u64::try_from(took).ok()) {
                        found.entry(step).or_default().push(took);
                    }
                }
                (Some("failed" | "found-undone"), Some(step)) => {
                    intended.remove(&step);
                }
                // The time in which nobody worked is no time that a step took.
                (Some("resumed"), _) => intended.clear(),
                _ => {}
            }
        }
    }
    Ok(found)
}

/// The median of each step; of an even number, the lower middle.
pub(crate) fn medians(durations: BTreeMap<String, Vec<u64>>) -> BTreeMap<String, u64> {
    durations
        .into_iter()
        .filter_map(|(step, mut times)| {
            times.sort_unstable();
            let middle = times.len().checked_sub(1)? / 2;
            times.get(middle).map(|median| (step, *median))
        })
        .collect()
}
