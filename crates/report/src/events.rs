//! Events for programs: one line of JSON each. The format is described in `docs/formats/events.md`.

use eclusa_runbook::Entry;
use serde_json::{Map, Value};

/// The format of the lines.
pub const EVENTS_FORMAT: u32 = 1;

/// One line of JSON without its newline: format, run, sequence, time and hash, then the event's kind and its own
/// members. Newer versions add members and kinds; they do not change what stands here under the same number.
#[must_use]
pub fn events_json(entry: &Entry) -> String {
    let mut line = Map::new();
    line.insert("format".to_owned(), EVENTS_FORMAT.into());
    line.insert("run".to_owned(), entry.run.as_str().into());
    line.insert("sequence".to_owned(), entry.sequence.into());
    line.insert("at".to_owned(), entry.at.to_string().into());
    line.insert("hash".to_owned(), entry.hash.as_str().into());
    // An event is a map with a tag, whose keys are texts, so it can be written.
    if let Ok(Value::Object(event)) = serde_json::to_value(&entry.event) {
        // The journal's own format says nothing about this line's.
        line.extend(event.into_iter().filter(|(name, _)| name != "format"));
    }
    Value::Object(line).to_string()
}
