//! Judging an answer. Pure.

use std::time::Duration;

use eclusa_runbook::HttpProbe;
use serde_json::Value;

/// How many characters of a value are quoted in a problem.
const QUOTED: usize = 60;

/// What came back.
pub(crate) struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Whether the body is all of it.
    pub complete: bool,
}

/// What is wrong with an answer; none when it is as the probe asks.
pub(crate) fn problem(probe: &HttpProbe, answer: &Answer, took: Duration) -> Option<String> {
    if answer.status != probe.status {
        return Some(format!("status {}, not {}", answer.status, probe.status));
    }
    headers(probe, answer).or_else(|| contains(probe, answer)).or_else(|| json(probe, answer)).or_else(|| {
        let maximum = Duration::from_millis(probe.maximum_milliseconds);
        (took > maximum).then(|| format!("{} ms, more than {}", took.as_millis(), maximum.as_millis()))
    })
}

fn headers(probe: &HttpProbe, answer: &Answer) -> Option<String> {
    probe.headers.iter().find_map(|(name, text)| {
        let mut found =
            answer.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).peekable();
        if found.peek().is_none() {
            return Some(format!("there is no header {name}"));
        }
        (!found.any(|(_, value)| value.contains(text.as_str())))
            .then(|| format!("header {name} does not contain {}", quoted(text)))
    })
}

fn contains(probe: &HttpProbe, answer: &Answer) -> Option<String> {
    let text = probe.contains.as_deref().filter(|text| !text.is_empty())?;
    let found = answer.body.windows(text.len()).any(|window| window == text.as_bytes());
    match (found, answer.complete) {
        (true, _) => None,
        (false, true) => Some(format!("the body does not contain {}", quoted(text))),
        (false, false) => {
            Some(format!("the first {} bytes do not contain {}", answer.body.len(), quoted(text)))
        }
    }
}

fn json(probe: &HttpProbe, answer: &Answer) -> Option<String> {
    if probe.json.is_empty() {
        return None;
    }
    if !answer.complete {
        return Some(format!(
            "the body is longer than {} bytes, too long to be read as JSON",
            answer.body.len()
        ));
    }
    let Ok(document) = serde_json::from_slice::<Value>(&answer.body) else {
        return Some("the body is no JSON".to_owned());
    };
    probe.json.iter().find_map(|(pointer, expected)| {
        let Some(found) = document.pointer(pointer) else {
            return Some(format!("there is nothing at {pointer}"));
        };
        let text = match found {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (!expected.is_empty() && text != *expected)
            .then(|| format!("{pointer} is {}, not {}", quoted(&text), quoted(expected)))
    })
}

fn quoted(text: &str) -> String {
    let short: String = text.chars().take(QUOTED).collect();
    if short.len() == text.len() { format!("{short:?}") } else { format!("{short:?}…") }
}
