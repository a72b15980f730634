//! Comments that allow a finding: `# eclusa: allow A301 only the office network reaches this host`. One beside a value
//! is about its line; one on a line of its own is about the next line that is no comment.

use crate::finding::{Findings, Place};
use crate::library::{Library, Span};

/// A comment.
#[derive(Debug, Clone)]
pub struct Suppression {
    /// The codes.
    pub codes: Vec<String>,
    /// The reason; empty when none was given.
    pub reason: String,
    /// Where it stands.
    pub place: Place,
    /// The line that it is about.
    pub covers: usize,
    /// Whether it allowed anything.
    pub used: bool,
    span: Span,
}

const MARK: &str = "eclusa: allow";

/// Every comment in the files that were opened.
#[must_use]
pub fn all(library: &Library<'_>) -> Vec<Suppression> {
    let mut found = Vec::new();
    for id in library.opened_ids() {
        let file = library.file(id);
        if !file.text.contains(MARK) {
            continue;
        }
        for number in 1..=file.line_count() {
            let line = file.line(number);
            let Some(at) = line.find(MARK) else { continue };
            let (before, after) = (line.get(..at).unwrap_or(""), line.get(at + MARK.len()..).unwrap_or(""));
            let Some(hash) = before
                .rfind('#')
                .filter(|hash| before.get(hash + 1..).is_some_and(|gap| gap.trim().is_empty()))
            else {
                continue;
            };
            let mut words = after.split_whitespace().peekable();
            let mut codes = Vec::new();
            while let Some(word) = words.next_if(|word| is_codes(word)) {
                codes.extend(word.split(',').filter(|code| !code.is_empty()).map(str::to_owned));
            }
            let reason = words.collect::<Vec<_>>().join(" ");
            let own_line = before.get(..hash).is_some_and(|text| text.trim().is_empty());
            let covers = if own_line { next_line(&file, number) } else { number };
            let start = file.line_start(number) + hash;
            let span = Span { file: id, start, end: file.line_start(number) + line.len() };
            found.push(Suppression {
                codes,
                reason,
                place: Place::of(library, span),
                covers,
                used: false,
                span,
            });
        }
    }
    found
}

fn is_codes(word: &str) -> bool {
    word.split(',').all(|code| {
        code.is_empty()
            || (code.len() == 4 && code.starts_with('A') && code.chars().skip(1).all(|c| c.is_ascii_digit()))
    })
}

fn next_line(file: &crate::library::Opened, number: usize) -> usize {
    let plain = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    (number + 1..=file.line_count()).find(|&next| plain(file.line(next))).unwrap_or(number)
}

/// Comments that do nothing.
pub fn check(comments: &[Suppression], out: &mut Findings) {
    for comment in comments {
        let codes = comment.codes.join(", ");
        if comment.reason.is_empty() || comment.codes.is_empty() {
            out.add("A002", comment.span, codes);
        } else if !comment.used {
            out.add("A003", comment.span, codes);
        }
    }
}
