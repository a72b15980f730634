//! What has the shape of a secret, whoever's it is: passwords in URLs, headers that authorise, `password=…`, private
//! keys, tokens of well-known makers.

use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::DOTS;
use super::sources::looks_random;

/// A pattern that stands in this file; one that does not compile finds nothing, and the tests notice.
fn pattern(text: &str) -> Option<Regex> {
    Regex::new(text).ok()
}

/// `scheme://user:password@`, to the last `@` of the word: passwords hold `@` and `/` too.
static IN_URL: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"([A-Za-z][A-Za-z0-9+.-]*://[^\s:/@"'<>]*:)[^\s"'<>]+(@)"#));
/// `scheme://key@`, as error trackers have it.
static KEY_IN_URL: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r#"([A-Za-z][A-Za-z0-9+.-]*://)[^\s:/@"'<>]{16,}(@)"#));
/// A header to the end of its line or quoted text.
static HEADER: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r#"(?i)\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key|x-auth-token)(\\*["']?\s*[:=]\s*\\*["']?)[^"'\\\r\n]+"#,
    )
});
static SCHEME: LazyLock<Option<Regex>> =
    LazyLock::new(|| pattern(r"(?i)\b(bearer|basic)(\s+)([A-Za-z0-9+/=._~-]{8,})"));
/// The name of a secret and what stands between it and its value.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(concat!(
        r"(?i)\b[A-Z0-9_.-]*(?:password|passwd|passphrase|pwd|secret|token|credential|",
        r#"(?:api|private|access|signing|encryption)[_-]?key)[A-Z0-9_]*(?:\\*["'])?\s*[:=]\s*"#,
    ))
});
static MAKERS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(concat!(
        r"\b(?:gh[oprsu]_|github_pat_|glpat-|xox[abeprs]-|[rs]k_(?:live|test)_|whsec_|hvs\.|dckr_pat_|npm_|pypi-|SG\.|AIza)",
        r"[A-Za-z0-9_.-]{12,}|\bAGE-SECRET-KEY-1[A-Z0-9]{12,}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    ))
});

const KEY_BEGINS: &str = "-----BEGIN ";
const KEY_ENDS: &str = "-----END ";

/// Whether lines end inside of a private key.
pub(super) fn inside_key(lines: &[String]) -> bool {
    lines.iter().fold(false, |inside, line| match inside {
        true => !line.contains(KEY_ENDS),
        false => begins_key(line) && !line.contains(KEY_ENDS),
    })
}

fn begins_key(line: &str) -> bool {
    line.split_once(KEY_BEGINS).is_some_and(|(_, rest)| rest.contains("PRIVATE KEY"))
}

/// Strikes out what stands between the first and the last line of a private key.
pub(super) fn strike_keys(lines: &mut [String]) {
    let mut inside = false;
    for line in lines {
        if inside {
            match line.find(KEY_ENDS) {
                Some(at) => {
                    inside = false;
                    line.replace_range(..at, DOTS);
                }
                None => DOTS.clone_into(line),
            }
        } else if begins_key(line) {
            let begin = line.find(KEY_BEGINS).unwrap_or_default();
            match line.get(begin..).and_then(|rest| rest.find(KEY_ENDS)) {
                // All of it on one line, its breaks written as `\n`.
                Some(end) => {
                    line.replace_range(begin..begin + end, &format!("{KEY_BEGINS}PRIVATE KEY-----{DOTS}"))
                }
                None => inside = true,
            }
        }
    }
}

/// A line without what has the shape of a secret.
pub(super) fn strike(line: &str) -> String {
    let mut text = line.to_owned();
    let mut apply = |pattern: &LazyLock<Option<Regex>>, with: &dyn Fn(&Captures<'_>) -> String| {
        if let Some(pattern) = pattern.as_ref()
            && pattern.is_match(&text)
        {
            text = pattern.replace_all(&text, |found: &Captures<'_>| with(found)).into_owned();
        }
    };
    let group = |found: &Captures<'_>, number: usize| {
        found.get(number).map(|part| part.as_str().to_owned()).unwrap_or_default()
    };
    apply(&IN_URL, &|found| format!("{}{DOTS}{}", group(found, 1), group(found, 2)));
    apply(&KEY_IN_URL, &|found| format!("{}{DOTS}{}", group(found, 1), group(found, 2)));
    apply(&HEADER, &|found| format!("{}{}{DOTS}", group(found, 1), group(found, 2)));
    apply(&SCHEME, &|found| {
        let value = group(found, 3);
        // `basic configuration` is no header.
        let secret = value.chars().any(|c| !c.is_ascii_lowercase()) && value.len() >= 8;
        let shown = if secret { DOTS.to_owned() } else { value };
        format!("{}{}{shown}", group(found, 1), group(found, 2))
    });
    apply(&MAKERS, &|_| DOTS.to_owned());
    strike_named(&text)
}

/// Strikes out the values of `NAME=value`, `"name": "value"` and the like, where the name says secret.
fn strike_named(line: &str) -> String {
    let Some(pattern) = NAMED.as_ref() else { return line.to_owned() };
    let mut shown = String::new();
    let mut rest = line;
    while let Some(found) = pattern.find(rest) {
        let (before, after) = rest.split_at(found.end());
        shown.push_str(before);
        let length = value_length(after);
        let value = after.get(..length).unwrap_or_default();
        let (open, inner) = unquoted(value);
        let name = found.as_str().trim_end_matches(|c: char| !c.is_alphanumeric());
        // A shell's working directory.
        let directory = ["PWD", "OLDPWD"].contains(&name);
        let close = value.len().saturating_sub(open + inner.len());
        if !directory && tells(inner) {
            shown.push_str(value.get(..open).unwrap_or_default());
            shown.push_str(DOTS);
            shown.push_str(value.get(value.len() - close..).unwrap_or_default());
        } else {
            shown.push_str(value);
        }
        rest = after.get(length..).unwrap_or_default();
    }
    shown.push_str(rest);
    shown
}

/// The value inside of its quotes (which may have backslashes before them), and how long what opens it is.
fn unquoted(value: &str) -> (usize, &str) {
    let open = value.find(|c| c != '\\').unwrap_or_default();
    match value.get(open..).and_then(|rest| rest.chars().next()) {
        Some('"' | '\'') => {
            let mark = value.get(..=open).unwrap_or_default();
            let inner = value.get(open + 1..).unwrap_or_default();
            (open + 1, inner.strip_suffix(mark).unwrap_or(inner))
        }
        _ => (0, value),
    }
}

/// How long the value at the beginning of a text is: to the quote that ends it, or to the end of the word.
fn value_length(text: &str) -> usize {
    let backslashes = text.find(|c| c != '\\').unwrap_or_default();
    if let Some(quote @ ('"' | '\'')) = text.get(backslashes..).and_then(|rest| rest.chars().next()) {
        let mark = text.get(..=backslashes).unwrap_or_default();
        let inner = text.get(mark.len()..).unwrap_or_default();
        let mut at = 0;
        while let Some(found) = inner.get(at..).and_then(|rest| rest.find(quote)) {
            let end = at + found;
            let before = inner.get(..end).unwrap_or_default();
            let escapes = before.len() - before.trim_end_matches('\\').len();
            if escapes == backslashes {
                return mark.len() + end + 1;
            }
            at = end + 1;
        }
        return text.len();
    }
    text.find(|c: char| c.is_whitespace() || ",;&\"'\\)}]|".contains(c)).unwrap_or(text.len())
}

/// Whether a value under such a name tells anything: not a reference, a variable's name, or what opens a table.
fn tells(value: &str) -> bool {
    const HARMLESS: [&str; 8] = ["", "null", "none", "None", "true", "false", "…", DOTS];
    let opens = value.starts_with(['[', '{', '(', '<', '$']);
    let points =
        value.starts_with("env:") || value.starts_with("file:") || value.starts_with("/run/secrets/");
    !opens && !points && !HARMLESS.contains(&value) && !value.starts_with(DOTS) || looks_random(value)
}
