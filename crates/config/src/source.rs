//! A text file under reading: where a key stands in it, and the excerpt that shows a mistake. Values that may be
//! secrets are never shown.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use eclusa_fault::{Code, Fault, Language, Message};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::model::ValueKind;
use crate::nearest::looks_secret;

/// One part of the path to a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Key(String),
    Index(usize),
}

/// The path to a key, such as `stacks.boutique.watch.error_rate`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct KeyPath(pub(crate) Vec<Part>);

impl KeyPath {
    pub(crate) fn key(&self, key: impl AsRef<str>) -> Self {
        let mut parts = self.0.clone();
        parts.push(Part::Key(key.as_ref().to_owned()));
        Self(parts)
    }

    pub(crate) fn index(&self, index: usize) -> Self {
        let mut parts = self.0.clone();
        parts.push(Part::Index(index));
        Self(parts)
    }
}

/// A mistake: the id of its texts in the catalogue (`ID` what is wrong, `ID-label` beside the caret, `ID-hint` what
/// to write) and their arguments.
#[derive(Debug, Clone)]
pub(crate) struct Mistake {
    pub(crate) id: &'static str,
    pub(crate) args: Vec<(&'static str, String)>,
}

impl Mistake {
    pub(crate) fn new(id: &'static str) -> Self {
        Self { id, args: Vec::new() }
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.args.push((name, value.to_string()));
        self
    }

    fn message(&self, suffix: &str) -> Message {
        let id = format!("{}{suffix}", self.id);
        self.args.iter().fold(Message::new(id), |message, (name, value)| message.with(*name, value))
    }
}

/// A file's text with its path.
#[derive(Clone)]
pub(crate) struct Source<'a> {
    pub(crate) path: &'a Path,
    pub(crate) text: &'a str,
}

impl Source<'_> {
    /// The fault for a mistake at a place of the text. `hidden` are the values that must not be shown.
    pub(crate) fn fault(&self, mistake: &Mistake, span: Range<usize>, hidden: &[Range<usize>]) -> Fault {
        let english = Language::default();
        let span = one_line(self.text, span);
        let (line, column) = position(self.text, span.start);
        let label = mistake.message("-label");
        let label = if label.is_known() { label.render(&english) } else { String::new() };
        let (shown, shown_span) = without(self.text, span, hidden);
        let mut annotation = AnnotationKind::Primary.span(shown_span);
        if !label.is_empty() {
            annotation = annotation.label(label);
        }
        let path = self.path.display().to_string();
        let snippet = Snippet::source(shown.as_str()).path(path.as_str()).annotation(annotation);
        let excerpt = Renderer::plain().render(&[Group::with_level(Level::ERROR).element(snippet)]);
        let fault = Fault::new(Code::ConfigInvalid)
            .with("path", self.path.display())
            .with("line", line)
            .with("column", column)
            .with("problem", mistake.message("").render(&english))
            .excerpt(excerpt);
        let hint = mistake.message("-hint");
        if hint.is_known() { fault.hint(hint) } else { fault }
    }
}

/// The fault for a file that cannot be read.
pub(crate) fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::new(Code::ConfigUnreadable).with("path", path.display()).because(error)
}

/// Reads a file as UTF-8.
pub(crate) fn read(path: &Path) -> Result<String, Fault> {
    let bytes = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    String::from_utf8(bytes).map_err(|error| {
        let line =
            error.as_bytes().iter().take(error.utf8_error().valid_up_to()).filter(|&&b| b == b'\n').count();
        let mistake = Mistake::new("config-not-utf8").with("line", line.saturating_add(1));
        Fault::new(Code::ConfigInvalid)
            .with("path", path.display())
            .with("line", line.saturating_add(1))
            .with("problem", mistake.message("").render(&Language::default()))
            .hint(mistake.message("-hint"))
    })
}

/// A path made absolute from a directory, without `.` parts.
pub(crate) fn resolved(directory: &Path, path: &Path) -> PathBuf {
    directory.join(path).components().collect()
}

/// Line and column, both from 1; a column is a character.
pub(crate) fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count().saturating_add(1);
    let column = before.rsplit('\n').next().unwrap_or("").chars().count().saturating_add(1);
    (line, column)
}

/// The part of a span on its first line: an excerpt of a whole table would show what has nothing to do with it.
fn one_line(text: &str, span: Range<usize>) -> Range<usize> {
    let floor = |mut offset: usize| {
        offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset = offset.saturating_sub(1);
        }
        offset
    };
    let (mut start, end) = (floor(span.start), floor(span.end.max(span.start)));
    // An error at the end of a line or file is shown on the line that it ends, not on an empty one after it.
    if text.get(start..).is_some_and(str::is_empty) {
        start = text.trim_end_matches(['\n', '\r']).len().min(start);
    }
    let line = text.get(start..end.max(start)).unwrap_or("");
    let length = line.find(['\n', '\r']).unwrap_or(line.len());
    start..start.saturating_add(length)
}

/// The text with each hidden range as `…`, and where the span has gone.
fn without(text: &str, span: Range<usize>, hidden: &[Range<usize>]) -> (String, Range<usize>) {
    let mut hidden = hidden.to_vec();
    hidden.sort_by_key(|range| range.start);
    let mut shown = String::with_capacity(text.len());
    let (mut start, mut end) = (None, None);
    let mut offset = 0;
    for range in hidden.iter().filter(|range| !range.is_empty()) {
        let Some(before) = text.get(offset..range.start) else { continue };
        let at = shown.len();
        shown.push_str(before);
        let place = |target: usize| {
            if target < offset || target >= range.end {
                None
            } else if target < range.start {
                Some(at.saturating_add(target.saturating_sub(offset)))
            } else {
                Some(shown.len())
            }
        };
        start = start.or_else(|| place(span.start));
        end = end.or_else(|| {
            let inside = span.end > range.start && span.end <= range.end;
            if inside { Some(shown.len().saturating_add('…'.len_utf8())) } else { place(span.end) }
        });
        shown.push('…');
        // The line breaks stay, so that the lines keep their numbers.
        shown.extend(text.get(range.clone()).unwrap_or("").chars().filter(|&c| c == '\n'));
        offset = range.end;
    }
    let at = shown.len();
    shown.push_str(text.get(offset..).unwrap_or(""));
    let place = |target: usize| at.saturating_add(target.saturating_sub(offset));
    let start = start.unwrap_or_else(|| place(span.start));
    let end = end.unwrap_or_else(|| place(span.end)).max(start);
    (shown, start..end)
}

/// A text of `eclusa.toml` as others may see it, also one that is no TOML: `…` stands for each value that may be a
/// secret. References stay.
#[must_use]
pub fn without_secrets(text: &str) -> String {
    let hidden = match DeTable::parse(text) {
        Ok(tree) => secret_spans(&tree),
        Err(_) => secret_lines(text),
    };
    without(text, 0..0, &hidden).0
}

/// Where the value (or, for `on_key`, the key) of a path stands; for a path that is not in the file, the nearest
/// thing above it that is.
pub(crate) fn span_of(root: &Spanned<DeTable<'_>>, path: &KeyPath, on_key: bool) -> Range<usize> {
    let mut best = 0..0;
    let mut table = Some(root.get_ref());
    let mut value: Option<&Spanned<DeValue<'_>>> = None;
    for part in &path.0 {
        match part {
            Part::Key(key) => {
                let Some((name, found)) = table.and_then(|table| table.get_key_value(key.as_str())) else {
                    break;
                };
                best = if on_key { name.span() } else { found.span() };
                value = Some(found);
            }
            Part::Index(index) => {
                let Some(found) =
                    value.and_then(|v| v.get_ref().as_array()).and_then(|array| array.get(*index))
                else {
                    break;
                };
                best = found.span();
                value = Some(found);
            }
        }
        table = value.and_then(|value| value.get_ref().as_table());
    }
    best
}

/// The values that an excerpt must not show: literals where a secret belongs, and everything in tables of
/// environment variables.
pub(crate) fn secret_spans(root: &Spanned<DeTable<'_>>) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    collect_table(root.get_ref(), false, &mut spans);
    spans
}

fn collect_table(table: &DeTable<'_>, secret: bool, spans: &mut Vec<Range<usize>>) {
    for (key, value) in table.iter() {
        let key = key.get_ref().as_ref();
        collect_value(value, secret || looks_secret(key) || key == "url", spans, key == "environment");
    }
}

fn collect_value(
    value: &Spanned<DeValue<'_>>,
    secret: bool,
    spans: &mut Vec<Range<usize>>,
    environment: bool,
) {
    match value.get_ref() {
        // `environment = "production"` of a stack is no table, so its value is shown.
        DeValue::Table(table) => collect_table(table, secret || environment, spans),
        DeValue::Array(array) => array.iter().for_each(|item| collect_value(item, secret, spans, false)),
        DeValue::String(text) if secret && matches!(ValueKind::of(text), ValueKind::Literal(_)) => {
            spans.push(value.span());
        }
        DeValue::String(_) => {}
        _ if secret => spans.push(value.span()),
        _ => {}
    }
}

/// The same for a text that is no TOML: everything after `=` on lines whose key looks like a secret's, or that
/// stand in a table of environment variables.
pub(crate) fn secret_lines(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut offset: usize = 0;
    let mut environment = false;
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if trimmed.starts_with('[') {
            environment = trimmed.contains("environment");
        }
        if let Some(equals) = line.find('=') {
            let secret = line.split(['=', ' ', '\t', '.', '{', '"', ',', '[', ']']).any(looks_secret);
            if environment || secret || line.contains("environment") {
                let start = offset.saturating_add(equals).saturating_add(1);
                let end = offset.saturating_add(line.trim_end_matches(['\n', '\r']).len());
                spans.push(start..end.max(start));
            }
        }
        offset = offset.saturating_add(line.len());
    }
    spans
}
