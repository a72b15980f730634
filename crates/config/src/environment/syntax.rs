//! The grammar of Compose's env files: `NAME=value`, `export`, comments, quotes (also over several lines), and
//! `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME:?message}`, `${NAME:+other}`.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::source::Mistake;

/// A variable as read.
pub(super) struct Entry {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) value: Option<String>,
    pub(super) written: String,
}

/// A line that cannot be read.
pub(super) struct Malformed {
    pub(super) mistake: Mistake,
    pub(super) span: Range<usize>,
}

/// How deep `${A:-${B:-…}}` may be nested; more is a mistake, and unbounded depth would exhaust the stack.
const DEEPEST: usize = 16;

/// A longer word on a line without `=` is taken for a part of a secret (a line of a key in PEM has 64 characters).
const LONGEST_SHOWN: usize = 40;

/// Reads a text.
pub(super) fn read(text: &str, outside: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Entry>, Malformed> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut offset = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    while let Some(rest) = text.get(offset..).filter(|rest| !rest.is_empty()) {
        let line_end = offset.saturating_add(rest.find('\n').unwrap_or(rest.len()));
        let line = text.get(offset..line_end).unwrap_or("").trim_end_matches('\r');
        let next = line_end.saturating_add(1);
        let content = line.trim_start();
        if content.is_empty() || content.starts_with('#') {
            offset = next;
            continue;
        }
        let number = text.get(..offset).unwrap_or("").matches('\n').count().saturating_add(1);
        let start = offset.saturating_add(line.len().saturating_sub(content.len()));
        let whole = start..offset.saturating_add(line.trim_end().len()).max(start);
        let (name, value_start) = name_of(content, start, &whole)?;
        let Some(value_start) = value_start else {
            let value = outside(&name);
            entries.push(Entry { line: number, name, value, written: String::new() });
            offset = next;
            continue;
        };
        let (written, expands, end) = value_of(text, value_start, line_end, &whole)?;
        let lookup = |key: &str| outside(key).or_else(|| known.get(key).cloned());
        let value = if expands {
            expand(&written, &lookup, 0).map_err(|mistake| Malformed { mistake, span: whole.clone() })?
        } else {
            written.clone()
        };
        known.insert(name.clone(), value.clone());
        entries.push(Entry { line: number, name, value: Some(value), written });
        offset = end;
    }
    Ok(entries)
}

/// The name, and where the value begins; none for a name alone.
fn name_of(content: &str, start: usize, whole: &Range<usize>) -> Result<(String, Option<usize>), Malformed> {
    let exported = content.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let body = exported.map_or(content, str::trim_start);
    let skipped = content.len().saturating_sub(body.len());
    let length = body.find(['=', ':']).unwrap_or(body.len());
    let (name, rest) = body.split_at(length);
    let bare = name.split('#').next().unwrap_or(name);
    let name = if rest.is_empty() { bare } else { name }.trim();
    let good = |c: char| c.is_alphanumeric() || "_.-[]".contains(c);
    let malformed = |id| {
        let end =
            if rest.is_empty() { whole.end } else { start.saturating_add(skipped).saturating_add(length) };
        Err(Malformed { mistake: Mistake::new(id), span: start..end.max(start) })
    };
    if name.is_empty() {
        return malformed("config-env-no-name");
    }
    if !name.chars().all(good) {
        return malformed(if rest.is_empty() { "config-env-no-value" } else { "config-env-name" });
    }
    let value = start.saturating_add(skipped).saturating_add(length).saturating_add(1);
    Ok((name.to_owned(), (!rest.is_empty()).then_some(value)))
}

/// The value without its quotes, whether `${…}` in it is filled in, and where the next line begins.
fn value_of(
    text: &str,
    start: usize,
    line_end: usize,
    whole: &Range<usize>,
) -> Result<(String, bool, usize), Malformed> {
    let line = text.get(start..line_end).unwrap_or("");
    let trimmed = line.trim_start();
    let quote = match trimmed.chars().next() {
        Some(quote @ ('"' | '\'')) => quote,
        _ => return Ok((unquoted(line).to_owned(), true, line_end.saturating_add(1))),
    };
    let open = start.saturating_add(line.len().saturating_sub(trimmed.len())).saturating_add(1);
    let malformed = |id| Malformed { mistake: Mistake::new(id), span: whole.clone() };
    let body = text.get(open..).unwrap_or("");
    let mut escaped = false;
    let close = body
        .char_indices()
        .find(|&(_, c)| {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })
        .map(|(at, _)| at)
        .ok_or_else(|| malformed("config-env-quote"))?;
    let value = body.get(..close).unwrap_or("");
    let after = open.saturating_add(close).saturating_add(1);
    let rest = text.get(after..).unwrap_or("");
    let end = after.saturating_add(rest.find('\n').unwrap_or(rest.len()));
    let tail = text.get(after..end).unwrap_or("").trim();
    if !tail.is_empty() && !tail.starts_with('#') {
        return Err(malformed("config-env-after-quote"));
    }
    let value = if quote == '"' { unescaped(value) } else { value.replace("\\'", "'") };
    Ok((value, quote == '"', end.saturating_add(1)))
}

/// An unquoted value: to the end of the line or to a `#` after a space. One that begins with `#` is a value, not a
/// comment: Compose reads it so.
fn unquoted(line: &str) -> &str {
    let value = line.trim();
    value.split_once(" #").map_or(value, |(value, _)| value.trim_end())
}

/// The escapes that Compose knows in double quotes; a backslash before anything else stays. `\$` becomes `$$`, which
/// stays a dollar when `${…}` is filled in.
fn unescaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let mut characters = after.chars();
        let plain = match characters.next() {
            Some('a') => Some('\u{7}'),
            Some('b') => Some('\u{8}'),
            Some('f') => Some('\u{c}'),
            Some('n') => Some('\n'),
            Some('r') => Some('\r'),
            Some('t') => Some('\t'),
            Some('v') => Some('\u{b}'),
            Some(same @ ('"' | '\\')) => Some(same),
            _ => None,
        };
        if let Some(plain) = plain {
            text.push(plain);
            rest = characters.as_str();
        } else if let Some(tail) = after.strip_prefix('$') {
            text.push_str("$$");
            rest = tail;
        } else if let Some((octal, tail)) = octal(after) {
            text.push(octal);
            rest = tail;
        } else {
            text.push('\\');
            // Compose drops the 0 of an octal number that is none.
            rest = after.strip_prefix('0').unwrap_or(after);
        }
    }
    text.push_str(rest);
    text
}

/// `\0` and three octal digits, without the backslash.
fn octal(after: &str) -> Option<(char, &str)> {
    let digits = after.strip_prefix('0')?;
    let (three, tail) = digits.split_at_checked(3)?;
    let good = three.chars().all(|c| c.is_digit(8));
    let number = u8::from_str_radix(three, 8).ok().filter(|_| good)?;
    Some((char::from(number), tail))
}

/// Fills in `$NAME` and `${…}`; `$$` is a dollar, and a dollar before anything else stays.
fn expand(text: &str, lookup: &dyn Fn(&str) -> Option<String>, depth: usize) -> Result<String, Mistake> {
    if depth > DEEPEST {
        return Err(Mistake::new("config-env-nesting"));
    }
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        filled.push_str(before);
        if let Some(tail) = after.strip_prefix('$') {
            filled.push('$');
            rest = tail;
        } else if let Some(inner) = after.strip_prefix('{') {
            let close = closing(inner).ok_or_else(|| Mistake::new("config-env-brace"))?;
            filled.push_str(&substitute(inner.get(..close).unwrap_or(""), lookup, depth)?);
            rest = inner.get(close.saturating_add(1)..).unwrap_or("");
        } else {
            let length = name_length(after);
            if length == 0 {
                filled.push('$');
            } else {
                filled.push_str(&after.get(..length).and_then(lookup).unwrap_or_default());
            }
            rest = after.get(length..).unwrap_or("");
        }
    }
    filled.push_str(rest);
    Ok(filled)
}

/// How long the name of a variable is that a text begins with, in bytes.
#[must_use]
pub fn name_length(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// Where the brace closes that was opened just before.
#[must_use]
pub fn closing(text: &str) -> Option<usize> {
    let mut depth: usize = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth = depth.saturating_add(1),
            '}' if depth == 0 => return Some(at),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

fn substitute(inner: &str, lookup: &dyn Fn(&str) -> Option<String>, depth: usize) -> Result<String, Mistake> {
    let length = name_length(inner);
    let (name, operation) = inner.split_at(length);
    if name.is_empty() {
        return Err(Mistake::new("config-env-brace"));
    }
    let (with_colon, operation) = match operation.strip_prefix(':') {
        Some(rest) => (true, rest),
        None => (false, operation),
    };
    // With the colon an empty value counts as none.
    let found = lookup(name).filter(|value| !(with_colon && value.is_empty()));
    let mut characters = operation.chars();
    let operator = characters.next();
    let word = characters.as_str();
    let deeper = depth.saturating_add(1);
    match (operator, found) {
        (None, found) if !with_colon => Ok(found.unwrap_or_default()),
        (Some('-' | '?'), Some(value)) => Ok(value),
        (Some('-'), None) => expand(word, lookup, deeper),
        (Some('+'), Some(_)) => expand(word, lookup, deeper),
        (Some('+'), None) => Ok(String::new()),
        (Some('?'), None) => Err(Mistake::new("config-env-required").with("name", name)),
        _ => Err(Mistake::new("config-env-brace")),
    }
}

/// Where values stand, so that no excerpt shows one: from the first `=` or `:` of each line to its end. A line that
/// has neither may be the rest of a value; of it only a first word that looks like a variable's name is shown.
pub(super) fn values(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut offset: usize = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end_matches(['\n', '\r']);
        let start = match content.find(['=', ':']) {
            _ if content.trim_start().starts_with('#') => content.len(),
            Some(at) => at.saturating_add(1),
            None => {
                let length = content.find(char::is_whitespace).unwrap_or(content.len());
                let word = content.get(..length).unwrap_or("");
                let name = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
                if word.len() <= LONGEST_SHOWN && word.chars().all(name) { length } else { 0 }
            }
        };
        spans.push(offset.saturating_add(start)..offset.saturating_add(content.len()));
        offset = offset.saturating_add(line.len());
    }
    spans
}
