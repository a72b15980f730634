//! What steps gave, in words.

use eclusa_fault::{Language, Message};
use eclusa_runbook::Outputs;

use crate::words::{bytes_text, count_text, duration_text, short};

/// Outputs that are said together or stand elsewhere in the report: the reference of an image repeats its id.
fn is_left_out(name: &str) -> bool {
    name.starts_with("reference.")
        || matches!(name, "stored" | "record" | "difference" | "copied-seconds" | "file-bytes")
}

/// The order in which outputs are said: what matters most comes first.
const ORDER: [&str; 10] =
    ["there", "copied", "rows", "tables", "files", "bytes", "point", "verified", "proved", "seconds"];

/// Outputs as short phrases.
pub(crate) fn phrases(outputs: &Outputs, language: &Language) -> Vec<String> {
    let mut names: Vec<&String> = outputs.keys().filter(|name| !is_left_out(name)).collect();
    names.sort_by_key(|name| {
        (ORDER.iter().position(|known| known == name).unwrap_or(ORDER.len()), name.as_str())
    });
    names
        .into_iter()
        .filter_map(|name| outputs.get(name).map(|value| (name, value)))
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| phrase(name, value).render(language))
        .collect()
}

fn phrase(name: &str, value: &str) -> Message {
    let number: Option<u64> = value.parse().ok();
    let milliseconds = value.parse::<f64>().ok().filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    let milliseconds = milliseconds.map(|seconds| (seconds * 1000.0).round() as u64);
    let counted = |id: &str, count: u64| Message::new(id).with("count", count_text(count));
    match (name, number, milliseconds) {
        ("rows", Some(count), _) => counted("output-rows", count),
        ("files", Some(count), _) => counted("output-files", count),
        ("tables", Some(count), _) => counted("output-tables", count),
        ("tables-back", Some(count), _) => Message::new("output-tables-back").with("count", count),
        ("database", ..) => Message::new("output-database").with("database", value),
        ("changes", Some(count), _) => counted("output-changes", count),
        ("last", ..) => Message::new("output-last-change").with("at", value),
        ("verified", Some(count), _) => counted("output-verified", count),
        ("there", Some(count), _) => counted("output-there", count),
        ("copied", Some(count), _) => counted("output-copied", count),
        ("reread", Some(count), _) => counted("output-reread", count),
        ("mended", Some(count), _) => counted("output-mended", count),
        ("points", Some(count), _) => counted("output-points", count),
        ("documents", Some(count), _) => counted("output-documents", count),
        ("added", Some(count), _) => counted("output-added", count),
        ("changed", Some(count), _) => counted("output-changed", count),
        ("removed", Some(count), _) => counted("output-removed", count),
        ("freed", Some(bytes), _) => Message::new("output-freed").with("bytes", bytes_text(bytes)),
        ("remaining", Some(count), _) => counted("output-remaining", count),
        ("bytes", Some(bytes), _) => Message::verbatim(bytes_text(bytes)),
        ("closed-seconds", _, Some(time)) => {
            Message::new("output-closed").with("duration", duration_text(time))
        }
        ("seconds", _, Some(time)) => Message::new("output-proof-took").with("duration", duration_text(time)),
        ("works", ..) => Message::new(if value == "yes" { "output-works" } else { "output-works-not" }),
        ("problem", ..) => {
            Message::new("output-problem").with("problem", value.chars().take(240).collect::<String>())
        }
        ("point", ..) => Message::new("output-point").with("point", short(value, 8)),
        ("proved", ..) => Message::new("output-proved"),
        ("kept", ..) => Message::new("output-kept").with("suffix", value),
        ("generation", ..) => Message::new("output-generation").with("generation", value),
        ("left-out", ..) => Message::new("output-left-out").with("names", value),
        ("statements", Some(count), _) => counted("output-statements", count),
        ("replayed", Some(count), _) => counted("output-replayed", count),
        ("erasures", ..) => Message::new("output-erasures").with("ids", value),
        ("settings", ..) => Message::new("output-settings").with("names", value),
        ("ended-connections", ..) => Message::new("output-ended-connections").with("connections", value),
        ("last-line", ..) => {
            Message::new("output-last-line").with("line", value.chars().take(120).collect::<String>())
        }
        _ => match name.strip_prefix("image.") {
            Some(service) => {
                let id = value.strip_prefix("sha256:").unwrap_or(value);
                Message::new("output-image").with("service", service).with("image", short(id, 12))
            }
            None => Message::new("output-other").with("name", name).with("value", value),
        },
    }
}
