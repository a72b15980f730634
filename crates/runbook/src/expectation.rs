//! Whether a command did what it must, from its code and from what it printed.

use crate::{Expect, is_like};

/// Why a command did not do what it must; none when it did. `lines` are its last lines, as they came.
#[must_use]
pub fn unmet(expect: &Expect, code: i32, lines: &[String]) -> Option<String> {
    if code != expect.code {
        return Some(format!("code {code}"));
    }
    if let Some(text) = &expect.last_line_contains {
        let last = lines.iter().rev().map(|line| line.trim()).find(|line| !line.is_empty());
        if !last.is_some_and(|line| line.contains(text)) {
            return Some(format!("a last line without {text:?}"));
        }
    }
    let says = |text: &String| lines.iter().any(|line| line.contains(text));
    if let Some(text) = expect.contains.iter().find(|text| !says(text)) {
        return Some(format!("no line with {text:?}"));
    }
    let is = |pattern: &String| lines.iter().any(|line| is_like(line.trim(), pattern));
    if let Some(pattern) = expect.like.iter().find(|pattern| !is(pattern)) {
        return Some(format!("no line that is {pattern:?}"));
    }
    if let Some(text) = expect.lacks.iter().find(|text| says(text)) {
        return Some(format!("a line with {text:?}"));
    }
    if expect.tests_ran { no_test_ran(lines) } else { None }
}

/// unittest counts a test that it skips among those that ran, and calls it all `OK` when there was no other.
fn no_test_ran(lines: &[String]) -> Option<String> {
    let number = |line: &str, before: &str| {
        let digits = line.split_once(before)?.1.split(|c: char| !c.is_ascii_digit()).next()?;
        digits.parse::<u64>().ok()
    };
    let last = |start: &str, before: &str| {
        let line = lines.iter().rev().map(|line| line.trim()).find(|line| line.starts_with(start))?;
        number(line, before)
    };
    let ran = last("Ran ", "Ran ").unwrap_or_default();
    match last("OK", "skipped=").unwrap_or_default() {
        _ if ran == 0 => Some("no test that ran".to_owned()),
        skipped if skipped >= ran => Some(format!("no test that ran: {skipped} of {ran} were skipped")),
        _ => None,
    }
}
