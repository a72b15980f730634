//! Words that must not stand in the repository: paths of the machine on which it was written, and settings that make
//! a build depend on one network's mirrors.

use std::path::Path;

use crate::files;
use crate::tidy::Finding;

/// Folders in which home folders stand as examples or inside images of applications.
const HOMES_ALLOWED: &[&str] = &[
    "crates/config/src/model/frappe.rs",
    "docs",
    "examples",
    "crates/control/tests",
    "testbench",
    "tests/audit",
    "tests/stack",
];

/// Put together here, so that this file does not find itself.
const FORBIDDEN: &[(&str, &str)] = &[
    (concat!("/wo", "rk/"), "a folder of the machine it was written on"),
    (concat!("/ro", "ot/"), "a home folder"),
    (concat!("replace", "-with"), "a mirror of a package registry"),
    (concat!("PIP_INDEX", "_URL"), "a mirror of a package registry"),
    (concat!("--index", "-url"), "a mirror of a package registry"),
    (concat!("registry", "-mirror"), "a mirror of an image registry"),
    (concat!("Acquire", "::http"), "a proxy of one network"),
];

/// What stands before a user's name.
const HOME: &str = concat!("/ho", "me/");

/// Checks every text file.
#[must_use]
pub fn check(root: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files::text_files(root, "") {
        // A listing of what was locked; its sources are checked by cargo-deny.
        if file.path == Path::new("Cargo.lock") {
            continue;
        }
        let homes_allowed = HOMES_ALLOWED.iter().any(|folder| file.path.starts_with(folder));
        for (index, line) in file.text.lines().enumerate() {
            for (word, what) in FORBIDDEN {
                if line.match_indices(word).any(|(at, _)| begins_path(line, at, word)) {
                    found.push(Finding::of_line(&file.path, index + 1, format!("{word:?} is {what}")));
                }
            }
            if !homes_allowed && let Some(user) = home(line) {
                found.push(Finding::of_line(&file.path, index + 1, format!("the home folder of {user:?}")));
            }
        }
    }
    found
}

/// Whether a path begins here: `/a/b` inside `x/a/b` is part of another path.
fn begins_path(line: &str, at: usize, word: &str) -> bool {
    if !word.starts_with('/') {
        return true;
    }
    let before = line.get(..at).and_then(|text| text.chars().next_back());
    !before.is_some_and(|character| character.is_alphanumeric() || "._-}*".contains(character))
}

fn home(line: &str) -> Option<&str> {
    line.match_indices(HOME).find_map(|(at, _)| {
        let rest = line.get(at + HOME.len()..)?;
        let end = rest.find(|character: char| !(character.is_alphanumeric() || "._-".contains(character)));
        let user = &rest[..end.unwrap_or(rest.len())];
        (!user.is_empty() && begins_path(line, at, HOME)).then_some(user)
    })
}
