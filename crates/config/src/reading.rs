//! From the text of `eclusa.toml` to its types, and from the deserialiser's errors to faults that say what to write.

use std::path::Path;

use eclusa_fault::Fault;
use toml::de::DeTable;

use crate::check;
use crate::model::ConfigurationFile;
use crate::nearest::nearest;
use crate::source::{Mistake, Source, secret_lines, secret_spans, span_of};

/// Reads and checks a text.
pub(crate) fn read_text(text: &str, path: &Path) -> Result<ConfigurationFile, Fault> {
    let source = Source { path, text };
    let tree = DeTable::parse(text).map_err(|error| {
        let mistake = syntax(error.message());
        source.fault(&mistake, error.span().unwrap_or(0..0), &secret_lines(text))
    })?;
    let mut hidden = secret_spans(&tree);
    let file: ConfigurationFile = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        let secret =
            hidden.iter().any(|range| range.start <= span.start && span.end <= range.end && !span.is_empty());
        let mistake = translate(error.message(), text.get(span.clone()).unwrap_or(""), secret);
        source.fault(&mistake, span, &hidden)
    })?;
    match check::check(&file).into_iter().next() {
        None => Ok(file),
        Some(finding) => {
            let span = span_of(&tree, &finding.path, finding.on_key);
            if finding.secret {
                hidden.push(span.clone());
            }
            Err(source.fault(&finding.mistake, span, &hidden))
        }
    }
}

fn syntax(message: &str) -> Mistake {
    match message {
        "duplicate key" => Mistake::new("config-duplicate-key"),
        other => Mistake::new("config-syntax").with("reason", other),
    }
}

/// Serde has no structured errors; its sentences are stable, and one that is not known is shown as it is.
fn translate(message: &str, written: &str, secret: bool) -> Mistake {
    match message {
        "secret-literal" => return Mistake::new("config-secret-literal"),
        "empty-command" => return Mistake::new("config-empty-command"),
        "duplicate key" => return Mistake::new("config-duplicate-key"),
        _ => {}
    }
    if let Some((key, known)) = unknown(message, "unknown field `") {
        return match nearest(key, known.iter().copied()) {
            Some(meant) => Mistake::new("config-unknown-key-near").with("key", key).with("meant", meant),
            None => Mistake::new("config-unknown-key").with("key", key).with("known", listed(&known)),
        };
    }
    if let Some((word, known)) = unknown(message, "unknown variant `") {
        let known_text = listed(&known);
        return match nearest(word, known.iter().copied()) {
            Some(meant) => Mistake::new("config-unknown-word-near")
                .with("word", word)
                .with("meant", meant)
                .with("known", known_text),
            None => Mistake::new("config-unknown-word").with("word", word).with("known", known_text),
        };
    }
    if let Some(key) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        return Mistake::new("config-missing-key").with("key", key).with("example", example(key));
    }
    if let Some((found, expected)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        // A secret without quotes, say a number, would stand in the sentence.
        if secret && !found.starts_with("map") {
            return Mistake::new("config-secret-type").with("expected", plain(expected));
        }
        return Mistake::new("config-type")
            .with("found", found_plain(found, written))
            .with("expected", plain(expected));
    }
    if let Some((found, expected)) =
        message.strip_prefix("invalid value: ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        if secret {
            return Mistake::new("config-secret-type").with("expected", plain(expected));
        }
        return Mistake::new("config-value")
            .with("found", found_plain(found, written))
            .with("expected", plain(expected));
    }
    if message.contains(" names are 1 to ") {
        return Mistake::new("config-name").with("reason", message);
    }
    Mistake::new("config-other").with("reason", if secret { "" } else { message })
}

/// The word and the known ones of `unknown field `x`, expected one of `a`, `b``.
fn unknown<'a>(message: &'a str, prefix: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let rest = message.strip_prefix(prefix)?;
    // From the right: the word itself is anything that someone may have written.
    let (word, known) = match rest.rsplit_once("`, expected ") {
        Some((word, known)) => (word, known),
        None => (rest.split("`, there are no").next().unwrap_or(rest), ""),
    };
    Some((word, known.split('`').skip(1).step_by(2).collect()))
}

fn listed(words: &[&str]) -> String {
    words.join(", ")
}

/// Serde's name of what was expected, in words.
fn plain(expected: &str) -> String {
    match expected {
        "a string" | "path string" => String::from("a text in quotes"),
        "a sequence" => String::from("a list in brackets"),
        "a map" => String::from("a table"),
        "a boolean" => String::from("true or false"),
        "u8" => String::from("a whole number from 0 to 255"),
        "u16" => String::from("a whole number from 0 to 65535"),
        "u32" | "u64" => String::from("a whole number that is not negative"),
        "f64" => String::from("a number"),
        other if other.starts_with("struct ") || other.starts_with("internally tagged") => {
            String::from("a table")
        }
        other if other.starts_with("enum ") || other.starts_with("string or table") => {
            String::from("a text in quotes")
        }
        other => other.to_owned(),
    }
}

fn found_plain(found: &str, written: &str) -> String {
    match found {
        // toml hands dates and times on as a map of its own.
        "map" if !written.starts_with(['[', '{']) => String::from("a time or date without quotes"),
        "map" => String::from("a table"),
        "sequence" => String::from("a list"),
        other => {
            let (kind, value) = other.split_once(' ').unwrap_or((other, ""));
            let value = value.trim_matches('`');
            match kind {
                "string" => format!("the text {value}"),
                "integer" | "floating" => format!("the number {}", value.trim_start_matches("point `")),
                "boolean" => format!("the word {value}"),
                _ => other.to_owned(),
            }
        }
    }
}

/// What a missing key could look like.
fn example(key: &str) -> String {
    let value = match key {
        "version" => "1",
        "app" => "\"django\"",
        "runtime" => "\"compose\"",
        "source" => "\"git\"",
        "engine" => "\"postgresql\"",
        "files" => "[\"docker-compose.prod.yml\"]",
        "command" => "[\"python\", \"manage.py\", \"check\"]",
        "path" => "\"/healthz\"",
        "at" => "\"before.change\"",
        "from" => "\"22:00\"",
        "to" => "\"05:00\"",
        "time_zone" => "\"America/Sao_Paulo\"",
        "url" => "\"https://example.org/hook\"",
        "stacks" => return String::from("a table [stacks.NAME]"),
        "services" | "release" => return format!("a table [stacks.NAME.{key}]"),
        _ => "\"…\"",
    };
    format!("{key} = {value}")
}
