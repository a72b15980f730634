//! The forms in which programs print a value: as it is, in a URL, in JSON, in base64, in HTML, in a shell's quotes.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Shorter ones are left to the patterns, which see in which place they stand.
const SHORTEST: usize = 4;
/// What is at least this long and no plain word is found wherever it stands.
const DISTINCT: usize = 8;
/// The same for a plain word or a number.
const DISTINCT_WORD: usize = 12;

/// Values that say nothing by themselves: to strike them out would strike out ordinary words.
const COMMON: &[&str] = &[
    "admin",
    "changeme",
    "change_me",
    "database",
    "debug",
    "default",
    "development",
    "django",
    "eclusa",
    "error",
    "example",
    "false",
    "info",
    "localhost",
    "memory",
    "mysql",
    "none",
    "null",
    "password",
    "postgres",
    "postgresql",
    "production",
    "public",
    "redis",
    "root",
    "secret",
    "sqlite",
    "staging",
    "test",
    "testing",
    "token",
    "true",
    "user",
    "warn",
    "warning",
];

/// How a value is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strength {
    /// Wherever it stands, also inside of other text, and in all its forms.
    Anywhere,
    /// Only where it is a word of its own.
    Word,
}

/// How a value is searched for; not at all when it is too short or too common.
pub(super) fn strength(value: &str, public: &BTreeSet<String>) -> Option<Strength> {
    let length = value.chars().count();
    let lower = value.to_lowercase();
    if length < SHORTEST || COMMON.contains(&lower.as_str()) || public.contains(&lower) {
        return None;
    }
    let plain = value.chars().all(|c| c.is_ascii_lowercase()) || value.chars().all(|c| c.is_ascii_digit());
    let enough = if plain { DISTINCT_WORD } else { DISTINCT };
    Some(if length >= enough { Strength::Anywhere } else { Strength::Word })
}

/// Every form of a value that is searched for wherever it stands.
pub(super) fn of(value: &str, public: &BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    written(value, &mut found);
    base64_of(value.as_bytes(), &mut found);
    if value.contains('\n') {
        // Output comes line by line: each line of a key is a secret of its own, and all of them together are.
        written(&joined(value), &mut found);
        for line in value.lines().map(str::trim).filter(|line| !line.starts_with("-----")) {
            if strength(line, public) == Some(Strength::Anywhere) {
                written(line, &mut found);
                base64_of(line.as_bytes(), &mut found);
            }
        }
    }
    found.retain(|form| form.len() >= DISTINCT);
    found
}

/// Lines put together as they stand, without what is at their ends.
pub(super) fn joined(value: &str) -> String {
    value.lines().map(str::trim).collect()
}

/// As it is, and as text formats and shells write it.
fn written(value: &str, found: &mut BTreeSet<String>) {
    found.insert(value.to_owned());
    found.insert(value.trim().to_owned());
    let upper = percent(value, true);
    found.insert(percent(value, false));
    found.insert(upper.replace("%20", "+"));
    found.insert(upper);
    let json = json(value);
    found.insert(json.replace('/', "\\/"));
    // JSON that stands in a text of JSON.
    found.insert(self::json(&json));
    found.insert(ascii_json(value));
    found.insert(json);
    // Compose's way to write a dollar; a shell's and Python's to write a quote.
    found.insert(value.replace('$', "$$"));
    found.insert(value.replace('\'', "'\\''"));
    found.insert(value.replace('\'', "\\'"));
    let html = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    found.insert(html.replace('"', "&quot;").replace('\'', "&#39;"));
    found.insert(html.replace('"', "&#34;").replace('\'', "&#x27;"));
    found.insert(html);
}

fn json(value: &str) -> String {
    let quoted = serde_json::to_string(value).unwrap_or_default();
    quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default().to_owned()
}

/// JSON as programs write it that keep to ASCII.
fn ascii_json(value: &str) -> String {
    let mut text = String::new();
    for character in json(value).chars() {
        if character.is_ascii() {
            text.push(character);
        } else {
            for unit in character.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    text
}

fn percent(value: &str, upper: bool) -> String {
    let mut text = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else if upper {
            text.push_str(&format!("%{byte:02X}"));
        } else {
            text.push_str(&format!("%{byte:02x}"));
        }
    }
    text
}

/// The value in base64, also where other bytes stand before it (`user:password`): with one and two bytes in front
/// the digits are others. Digits that depend on neighbours are left off.
fn base64_of(value: &[u8], found: &mut BTreeSet<String>) {
    for before in 0..3_usize {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(value);
        let first = (before * 8).div_ceil(6);
        let last = bytes.len() * 8 / 6;
        for text in [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)] {
            found.extend(text.get(first..last).map(str::to_owned));
        }
    }
}
