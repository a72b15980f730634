//! The error codes and their texts, read from the sources: `crates/fault/src/code.rs` and the English catalogue.

use std::collections::BTreeMap;
use std::path::Path;

/// Where the codes stand.
pub const CODES: &str = "crates/fault/src/code.rs";
/// Where their texts stand.
pub const TEXTS: &str = "crates/fault/locales/en/faults.ftl";

/// An error code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCode {
    /// `E0101`.
    pub id: String,
    /// What its documentation says.
    pub meaning: String,
    /// The line where it stands, from 1.
    pub line: usize,
}

/// The codes, in their order.
///
/// # Errors
/// When the file cannot be read or names none.
pub fn codes(root: &Path) -> Result<Vec<ErrorCode>, String> {
    let text = std::fs::read_to_string(root.join(CODES)).map_err(|error| format!("{CODES}: {error}"))?;
    let mut found: Vec<ErrorCode> = Vec::new();
    let mut meaning: Vec<&str> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(documentation) = line.strip_prefix("///") {
            meaning.push(documentation.trim());
            continue;
        }
        if let Some(number) = number_of(line) {
            let id = format!("E{number:04}");
            found.push(ErrorCode { id, meaning: meaning.join(" "), line: index + 1 });
        }
        meaning.clear();
    }
    if found.is_empty() { Err(format!("{CODES}: no codes are there")) } else { Ok(found) }
}

/// The number in `Name = 101,`.
fn number_of(line: &str) -> Option<u16> {
    let (name, number) = line.split_once('=')?;
    let name = name.trim();
    let is_name = name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.chars().all(|character| character.is_ascii_alphanumeric());
    if is_name { number.trim().strip_suffix(',')?.parse().ok() } else { None }
}

/// The texts of the error codes by id, each with the line where it begins.
///
/// # Errors
/// When the file cannot be read.
pub fn texts(root: &Path) -> Result<BTreeMap<String, (String, usize)>, String> {
    texts_of(root, TEXTS)
}

/// The texts of a file of the catalogue by id, each with the line where it begins. A text that goes on in indented
/// lines is joined.
///
/// # Errors
/// When the file cannot be read.
pub fn texts_of(root: &Path, file: &str) -> Result<BTreeMap<String, (String, usize)>, String> {
    let text = std::fs::read_to_string(root.join(file)).map_err(|error| format!("{file}: {error}"))?;
    let mut found: BTreeMap<String, (String, usize)> = BTreeMap::new();
    let mut current: Option<String> = None;
    for (index, line) in text.lines().enumerate() {
        if line.starts_with([' ', '\t']) {
            if let Some((value, _)) = current.as_ref().and_then(|id| found.get_mut(id)) {
                value.push(' ');
                value.push_str(line.trim());
            }
            continue;
        }
        current = None;
        if let Some((id, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            let id = id.trim().to_owned();
            found.insert(id.clone(), (value.trim().to_owned(), index + 1));
            current = Some(id);
        }
    }
    Ok(found)
}

/// A text with its arguments as words that stand out: `{ $path }` becomes `PATH`.
#[must_use]
pub fn readable(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        // A literal such as { "}" }, which may itself be a brace.
        if let Some((literal, later)) =
            after.trim_start().strip_prefix('"').and_then(|rest| rest.split_once('"'))
        {
            out.push_str(literal);
            rest = later.trim_start().strip_prefix('}').unwrap_or(later);
            continue;
        }
        let Some((inside, later)) = after.split_once('}') else {
            out.push('{');
            rest = after;
            break;
        };
        let inside = inside.trim();
        match inside.strip_prefix('$') {
            Some(name) => out.push_str(&name.to_uppercase()),
            None => out.push_str(inside),
        }
        rest = later;
    }
    out.push_str(rest);
    out
}
