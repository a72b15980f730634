//! What goes in: nothing gets here without passing the redaction.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use eclusa_fault::{Code, Fault, Language, Message};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::{BUNDLE_FORMAT, index};
use crate::{Redaction, VERSION};

/// So much of the end of a file is taken, in bytes and in lines.
const TAIL_BYTES: u64 = 64 * 1024;
const TAIL_LINES: usize = 300;
/// A file that is larger is not taken as a whole.
const LARGEST: u64 = 256 * 1024;

/// A file of the bundle.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its path in the archive.
    pub path: String,
    /// What it is.
    pub what: Message,
    /// Its text, redacted.
    pub text: String,
}

/// What could not be had.
#[derive(Debug, Clone, Serialize)]
pub struct Missing {
    /// The path that it would have had.
    pub path: String,
    /// The fault's text, redacted.
    pub why: String,
}

/// What is gathered so far.
pub(super) struct Contents {
    redaction: Redaction,
    parts: Vec<Part>,
    missing: Vec<Missing>,
}

impl Contents {
    pub(super) fn new(redaction: Redaction) -> Self {
        Self { redaction, parts: Vec::new(), missing: Vec::new() }
    }

    fn put(&mut self, path: &str, what: &str, text: String) {
        self.parts.push(Part { path: path.to_owned(), what: Message::new(what), text });
    }

    /// Lines that belong together, in place.
    pub(super) fn redact(&self, lines: &mut [String]) {
        self.redaction.lines(lines);
    }

    /// A text.
    pub(super) fn text(&mut self, path: &str, what: &str, text: &str) {
        let text = self.redaction.text(text);
        self.put(path, what, text);
    }

    /// A value as JSON.
    pub(super) fn json(&mut self, path: &str, what: &str, mut value: Value) {
        self.redaction.json(&mut value);
        let mut text = serde_json::to_string_pretty(&value).unwrap_or_default();
        text.push('\n');
        self.put(path, what, text);
    }

    /// Values as JSON, one a line.
    pub(super) fn json_lines(&mut self, path: &str, what: &str, values: Vec<Value>) {
        let mut text = String::new();
        for mut value in values {
            self.redaction.json(&mut value);
            text.push_str(&value.to_string());
            text.push('\n');
        }
        self.put(path, what, text);
    }

    /// The end of a file.
    pub(super) fn tail(&mut self, path: &str, what: &str, file: &Path) {
        match end_of(file) {
            Ok(text) => self.text(path, what, &text),
            Err(error) => self.lack(path, &unreadable(file, &error)),
        }
    }

    /// A whole file, as JSON where it is.
    pub(super) fn file(&mut self, path: &str, what: &str, file: &Path) {
        let small = std::fs::metadata(file).is_ok_and(|found| found.len() <= LARGEST);
        if !small {
            return self.tail(path, what, file);
        }
        match std::fs::read(file) {
            Ok(bytes) => match serde_json::from_slice(&bytes) {
                Ok(value) => self.json(path, what, value),
                Err(_) => self.text(path, what, &String::from_utf8_lossy(&bytes)),
            },
            Err(error) => self.lack(path, &unreadable(file, &error)),
        }
    }

    /// Notes what could not be had.
    pub(super) fn lack(&mut self, path: &str, fault: &Fault) {
        let why = match &fault.excerpt {
            Some(excerpt) => format!("{fault}\n{excerpt}"),
            None => fault.to_string(),
        };
        let why = self.redaction.text(&why);
        self.missing.push(Missing { path: path.to_owned(), why });
    }

    /// All of it, with the two files that say what there is.
    pub(super) fn finish(mut self, at: Timestamp, language: &Language) -> (Vec<Part>, Vec<Missing>) {
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        let parts: Vec<Value> =
            self.parts.iter().map(|part| json!({"path": part.path, "bytes": part.text.len()})).collect();
        let head = json!({
            "format": BUNDLE_FORMAT,
            "eclusa": VERSION,
            "build": {"profile": build, "target": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS)},
            "at": at.to_string(),
            "parts": parts,
            "missing": self.missing,
        });
        self.json("bundle.json", "bundle-what-head", head);
        self.parts.sort_by(|a, b| a.path.cmp(&b.path));
        let text = index::of(&self.parts, &self.missing, at, language);
        self.parts
            .insert(0, Part { path: "INDEX.md".to_owned(), what: Message::new("bundle-what-index"), text });
        (self.parts, self.missing)
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Code::FileAccess).with("path", path.display()).with("operation", "read").because(error)
}

/// The names in a directory, sorted; none where there is no such directory.
pub(super) fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// The end of a file from the beginning of a line.
fn end_of(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let length = file.metadata()?.len();
    let from = length.saturating_sub(TAIL_BYTES);
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().skip(usize::from(from > 0)).collect();
    let mut kept = lines.get(lines.len().saturating_sub(TAIL_LINES)..).unwrap_or_default().join("\n");
    kept.push('\n');
    Ok(kept)
}
