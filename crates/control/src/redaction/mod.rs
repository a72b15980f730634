//! Strikes secrets out of texts: the values that this installation knows of, in every form in which programs print
//! them, and whatever has the shape of a secret.
//!
//! Values that are too short or too common to be searched for (`redis`, a stack's own name) are not: they would
//! strike out ordinary words, and they are still struck out where their place says what they are (`password=redis`).

mod compose_files;
mod forms;
mod patterns;
mod sources;

use std::collections::BTreeSet;

use aho_corasick::{AhoCorasick, MatchKind};
use secrecy::{ExposeSecret, SecretString};

pub(crate) use sources::looks_random;
pub use sources::{looks_secret, process_names};

use forms::{Strength, strength};

/// What stands where a secret stood.
pub(crate) const DOTS: &str = "••••••";

/// A beginning of a secret that is shorter than this, at the end of a line, may be anything.
const SHORTEST_BEGINNING: usize = 4;

/// Less than this of a secret that was cut off is left.
const SHORTEST_LEFT: usize = 8;

/// The secrets that are struck out. No `Debug`: it would print them.
#[derive(Default)]
pub struct Redaction {
    /// Words that everyone may know: names of stacks, tenants, services, databases.
    public: BTreeSet<String>,
    values: Vec<SecretString>,
    /// In all their forms; those that are struck out wherever they stand, and those only as whole words.
    anywhere: Matcher,
    words: Matcher,
}

#[derive(Default)]
struct Matcher {
    /// In order, once they are built.
    forms: Vec<SecretString>,
    /// The length of the longest, in bytes.
    longest: usize,
    /// Each from its end to its beginning, in order.
    backwards: Vec<SecretString>,
    automaton: Option<AhoCorasick>,
}

impl Matcher {
    fn build(&mut self) {
        self.forms.sort_by(|a, b| a.expose_secret().cmp(b.expose_secret()));
        let backwards = |form: &SecretString| form.expose_secret().chars().rev().collect::<String>();
        self.backwards = self.forms.iter().map(backwards).map(SecretString::from).collect();
        self.backwards.sort_by(|a, b| a.expose_secret().cmp(b.expose_secret()));
        self.longest = self.forms.iter().map(|form| form.expose_secret().len()).max().unwrap_or_default();
        self.automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(self.forms.iter().map(ExposeSecret::expose_secret))
            .ok()
            .filter(|_| !self.forms.is_empty());
    }

    /// How long the end of a text is with which one of these forms begins, and goes on; at least `shortest` bytes.
    fn begun(forms: &[SecretString], longest: usize, text: &str, shortest: usize) -> Option<usize> {
        let farthest = text.len().saturating_sub(longest);
        let nearest = text.len().checked_sub(shortest)?;
        let begins = |beginning: &str| {
            let at = forms.partition_point(|form| form.expose_secret() <= beginning);
            forms.get(at).is_some_and(|form| form.expose_secret().starts_with(beginning))
        };
        (farthest..=nearest).find(|at| text.get(*at..).is_some_and(begins)).map(|at| text.len() - at)
    }

    /// How long the beginning of a form is with which a text ends.
    fn at_end(&self, text: &str, shortest: usize) -> Option<usize> {
        Self::begun(&self.forms, self.longest, text, shortest)
    }

    /// How long the end of a form is with which a text begins.
    fn at_front(&self, text: &str, shortest: usize) -> Option<usize> {
        let front: String = text.chars().take(self.longest).collect();
        let backwards: String = front.chars().rev().collect();
        Self::begun(&self.backwards, self.longest, &backwards, shortest)
    }

    /// Where its forms stand in a text, as byte ranges.
    fn find(&self, text: &str) -> Vec<(usize, usize)> {
        let Some(automaton) = &self.automaton else { return Vec::new() };
        automaton.find_iter(text).map(|found| (found.start(), found.end())).collect()
    }
}

/// Whether what stands at these places of a text is a word of its own.
fn is_word(text: &str, start: usize, end: usize) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    let before = text.get(..start).and_then(|before| before.chars().next_back());
    let after = text.get(end..).and_then(|after| after.chars().next());
    !before.is_some_and(part) && !after.is_some_and(part)
}

impl Redaction {
    /// Nothing is known: only what has the shape of a secret is struck out.
    #[must_use]
    pub fn of_shapes() -> Self {
        Self::default()
    }

    /// Takes a value for a secret from now on.
    pub(crate) fn learn(&mut self, value: &SecretString) {
        if !self.knows(value) {
            self.add(value.expose_secret());
            self.build();
        }
    }

    pub(crate) fn knows(&self, value: &SecretString) -> bool {
        self.values.iter().any(|known| known.expose_secret() == value.expose_secret())
    }

    /// Adds a value without making it ready to be searched for.
    fn add(&mut self, value: &str) {
        if value.is_empty() || self.values.iter().any(|known| known.expose_secret() == value) {
            return;
        }
        self.values.push(SecretString::from(value));
        match strength(value, &self.public) {
            Some(Strength::Anywhere) => {
                self.anywhere
                    .forms
                    .extend(forms::of(value, &self.public).into_iter().map(SecretString::from));
            }
            Some(Strength::Word) => self.words.forms.push(SecretString::from(value)),
            None => {}
        }
    }

    fn build(&mut self) {
        self.anywhere.build();
        self.words.build();
    }

    /// A text of any number of lines without the secrets in it.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
        self.lines(&mut lines);
        lines.join("\n")
    }

    /// Lines that belong together without the secrets in them, also those that go on from one line to the next.
    pub fn lines(&self, lines: &mut [String]) {
        if eclusa_crash::left_out("secrets.redaction") {
            return;
        }
        patterns::strike_keys(lines);
        self.strike_across(lines);
        self.strike_cut(lines);
        for line in lines {
            *line = self.line(line);
        }
    }

    /// Whether a text ends with the beginning of a secret (or inside of a private key), so that what comes after it
    /// has to be seen together with it.
    #[must_use]
    pub fn is_open(&self, lines: &[String]) -> bool {
        if patterns::inside_key(lines) {
            return true;
        }
        let mut end = String::new();
        for line in lines.iter().rev() {
            end.insert_str(0, line.trim());
            if end.len() >= self.anywhere.longest {
                break;
            }
        }
        self.anywhere.at_end(&end, SHORTEST_BEGINNING).is_some()
    }

    fn line(&self, line: &str) -> String {
        let line = replaced(line, &self.anywhere.find(line));
        let words: Vec<_> =
            self.words.find(&line).into_iter().filter(|(s, e)| is_word(&line, *s, *e)).collect();
        patterns::strike(&replaced(&line, &words))
    }

    /// Strikes out what a cut has left of a secret: its end at the beginning of a line, its beginning at the end of one.
    /// Any line may be where it was cut: tails are taken of tails, and two streams come between each other.
    fn strike_cut(&self, lines: &mut [String]) {
        for line in lines {
            let front = line.len() - line.trim_start().len();
            if let Some(length) = self.anywhere.at_front(line.trim_start(), SHORTEST_LEFT) {
                *line = blanked(line, front, front + length);
            }
            let end = line.trim_end().len();
            if let Some(length) = self.anywhere.at_end(line.trim_end(), SHORTEST_LEFT) {
                *line = blanked(line, end - length, end);
            }
        }
    }

    /// Strikes out what is only whole when lines are put together.
    fn strike_across(&self, lines: &mut [String]) {
        if lines.len() < 2 {
            return;
        }
        // Where each line begins in all of them together, and what of it was left off at its front.
        let mut whole = String::new();
        let mut places = Vec::new();
        for line in lines.iter() {
            let kept = line.trim();
            places.push((whole.len(), line.len().saturating_sub(line.trim_start().len()), kept.len()));
            whole.push_str(kept);
        }
        for (start, end) in self.anywhere.find(&whole) {
            let touched = |&(at, _, length): &(usize, usize, usize)| at < end && at + length > start;
            if places.iter().filter(|place| touched(place)).count() < 2 {
                continue;
            }
            for (line, (at, front, length)) in lines.iter_mut().zip(&places) {
                let from = start.max(*at);
                let to = end.min(at + length);
                if from < to {
                    // Only the first and the last are cut, each at one end, so that places inside them stay right.
                    *line = blanked(line, from - at + front, to - at + front);
                }
            }
        }
    }

    /// JSON without secrets: every text in it, and whatever stands under a name that says secret.
    pub fn json(&self, value: &mut serde_json::Value) {
        use serde_json::Value;
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => {
                // Lines that belong together are kept as lists of texts.
                let texts: Option<Vec<String>> =
                    items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
                match texts {
                    Some(mut texts) => {
                        self.lines(&mut texts);
                        *items = texts.into_iter().map(Value::String).collect();
                    }
                    None => items.iter_mut().for_each(|item| self.json(item)),
                }
            }
            Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        Value::String(text) if looks_secret(name) && !is_harmless(text) => {
                            *text = DOTS.to_owned();
                        }
                        other => self.json(other),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// Whether a value under a name that says secret tells nothing: a reference, or nothing at all.
fn is_harmless(text: &str) -> bool {
    text.is_empty() || text.starts_with("env:") || text.starts_with("file:") || text == DOTS
}

fn replaced(text: &str, ranges: &[(usize, usize)]) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    for (start, end) in ranges {
        shown.push_str(text.get(at..*start).unwrap_or_default());
        shown.push_str(DOTS);
        at = *end;
    }
    shown.push_str(text.get(at..).unwrap_or_default());
    shown
}

/// A line in which a range is struck out without moving what stands behind it.
fn blanked(line: &str, start: usize, end: usize) -> String {
    let stars = "*".repeat(end.saturating_sub(start));
    format!("{}{stars}{}", line.get(..start).unwrap_or_default(), line.get(end..).unwrap_or_default())
}

#[cfg(test)]
mod tests;
