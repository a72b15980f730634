//! Source files: each says what it is for, and none is too long to be read at one sitting.

use std::path::Path;

use crate::files;
use crate::tidy::Finding;

/// The most lines of a source file.
const MOST_LINES: usize = 500;

/// Files that may be longer, each with its reason and its own limit.
const LONGER: &[Longer] = &[Longer {
    path: "crates/runbook/src/run.rs",
    most: 800,
    reason: "the state machine of a run; its transitions are understood only side by side",
}];

struct Longer {
    path: &'static str,
    most: usize,
    reason: &'static str,
}

/// Checks the source files in `crates/*/src`.
#[must_use]
pub fn check(root: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files::text_files(root, "crates") {
        let is_source = file.path.extension().is_some_and(|extension| extension == "rs")
            && file.path.components().nth(2).is_some_and(|folder| folder.as_os_str() == "src");
        if !is_source {
            continue;
        }
        if !file.text.starts_with("//! ") {
            found.push(Finding::of_line(&file.path, 1, "it does not begin with `//!` and what it is for"));
        }
        let lines = file.text.lines().count();
        let longer = LONGER.iter().find(|longer| file.path == Path::new(longer.path));
        match longer {
            Some(longer) if lines > longer.most => found.push(Finding::of_file(
                &file.path,
                format!(
                    "it has {lines} lines, more than the {} allowed because: {}",
                    longer.most, longer.reason
                ),
            )),
            Some(_) if lines <= MOST_LINES => found.push(Finding::of_file(
                &file.path,
                format!("it has only {lines} lines: take it from the list of longer files"),
            )),
            None if lines > MOST_LINES => found.push(Finding::of_file(
                &file.path,
                format!("it has {lines} lines, more than {MOST_LINES}: split it by what its parts are for"),
            )),
            _ => {}
        }
    }
    found
}
