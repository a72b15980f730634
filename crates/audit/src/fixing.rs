//! `--fix`: the edits of findings put into the texts. Everything that no edit names stays byte by byte as it is.

use std::collections::BTreeMap;

use crate::finding::{Edit, Finding};
use crate::library::{FileId, Library};

/// A file with its edits put in.
#[derive(Debug, Clone)]
pub struct Fixed {
    /// Its path.
    pub path: String,
    /// Its text before.
    pub before: String,
    /// Its text after.
    pub after: String,
    /// The codes of the findings that were mended in it.
    pub codes: Vec<&'static str>,
}

/// Puts the edits of findings into the files. An edit that overlaps one that is there already is left out: the next
/// audit finds it again.
#[must_use]
pub fn fix(library: &Library<'_>, findings: &[Finding]) -> Vec<Fixed> {
    let mut by_file: BTreeMap<FileId, Vec<(&Edit, &'static str)>> = BTreeMap::new();
    for finding in findings {
        for edit in &finding.edits {
            by_file.entry(edit.span.file).or_default().push((edit, finding.code));
        }
    }
    by_file
        .into_iter()
        .map(|(file, mut edits)| {
            edits.sort_by_key(|(edit, code)| (edit.span.start, edit.span.end, *code));
            let opened = library.file(file);
            let mut after = String::with_capacity(opened.text.len() + 256);
            let mut codes = Vec::new();
            let mut at = 0;
            for (edit, code) in edits {
                let Some(between) = opened.text.get(at..edit.span.start) else { continue };
                after.push_str(between);
                after.push_str(&edit.text);
                at = edit.span.end;
                if !codes.contains(&code) {
                    codes.push(code);
                }
            }
            after.push_str(opened.text.get(at..).unwrap_or(""));
            Fixed { path: opened.path.clone(), before: opened.text.clone(), after, codes }
        })
        .filter(|fixed| fixed.before != fixed.after)
        .collect()
}

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// A unified patch for `patch -p1` and `git apply`. The edits keep the order of lines, so what is equal at both ends of
/// a changed region is found line by line.
#[must_use]
pub fn patch(fixed: &[Fixed]) -> String {
    let mut text = String::new();
    for one in fixed {
        text.push_str(&format!("--- a/{0}\n+++ b/{0}\n", one.path));
        let before: Vec<&str> = one.before.split_inclusive('\n').collect();
        let after: Vec<&str> = one.after.split_inclusive('\n').collect();
        for hunk in hunks(&changes(&before, &after)) {
            write_hunk(&mut text, &before, &after, &hunk);
        }
    }
    text
}

/// A change: lines `old` of the text before became lines `new` of the text after.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    old: std::ops::Range<usize>,
    new: std::ops::Range<usize>,
}

fn changes(before: &[&str], after: &[&str]) -> Vec<Change> {
    let (mut old, mut new) = (0, 0);
    let mut found = Vec::new();
    while old < before.len() || new < after.len() {
        if old < before.len() && before.get(old) == after.get(new) {
            old += 1;
            new += 1;
            continue;
        }
        let (skip_old, skip_new) =
            resynchronised(before.get(old..).unwrap_or_default(), after.get(new..).unwrap_or_default());
        found.push(Change { old: old..old + skip_old, new: new..new + skip_new });
        old += skip_old;
        new += skip_new;
    }
    found
}

/// How many lines to leave out on each side until both go on alike, as few as possible.
fn resynchronised(before: &[&str], after: &[&str]) -> (usize, usize) {
    const FURTHEST: usize = 400;
    let most = (before.len() + after.len()).min(FURTHEST);
    for total in 1..=most {
        for skip_old in 0..=total.min(before.len()) {
            let skip_new = total - skip_old;
            if skip_new > after.len() {
                continue;
            }
            let (left, right) =
                (before.get(skip_old..).unwrap_or_default(), after.get(skip_new..).unwrap_or_default());
            let alike = left.iter().zip(right).take(2).all(|(one, other)| one == other);
            if alike && left.is_empty() == right.is_empty() {
                return (skip_old, skip_new);
            }
        }
    }
    (before.len(), after.len())
}

fn hunks(changes: &[Change]) -> Vec<Vec<Change>> {
    let mut found: Vec<Vec<Change>> = Vec::new();
    for change in changes {
        match found.last_mut() {
            Some(hunk) if hunk.last().is_some_and(|last| change.old.start <= last.old.end + 2 * CONTEXT) => {
                hunk.push(change.clone());
            }
            _ => found.push(vec![change.clone()]),
        }
    }
    found
}

fn write_hunk(text: &mut String, before: &[&str], after: &[&str], hunk: &[Change]) {
    let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { return };
    let lead = first.old.start.min(CONTEXT);
    let (start_old, start_new) = (first.old.start - lead, first.new.start - lead);
    let tail = (before.len() - last.old.end).min(CONTEXT);
    let (count_old, count_new) = (last.old.end + tail - start_old, last.new.end + tail - start_new);
    let number = |start: usize, count: usize| if count == 0 { start } else { start + 1 };
    text.push_str(&format!(
        "@@ -{},{count_old} +{},{count_new} @@\n",
        number(start_old, count_old),
        number(start_new, count_new)
    ));
    let mut line = |mark: char, content: Option<&&str>| {
        let Some(content) = content else { return };
        text.push(mark);
        text.push_str(content);
        if !content.ends_with('\n') {
            text.push_str("\n\\ No newline at end of file\n");
        }
    };
    let mut at = start_old;
    for change in hunk {
        (at..change.old.start).for_each(|number| line(' ', before.get(number)));
        change.old.clone().for_each(|number| line('-', before.get(number)));
        change.new.clone().for_each(|number| line('+', after.get(number)));
        at = change.old.end;
    }
    (at..last.old.end + tail).for_each(|number| line(' ', before.get(number)));
}
