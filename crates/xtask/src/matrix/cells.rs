//! The cells, as the test files declare them.

use std::path::PathBuf;

use super::{RUNBOOKS, STACKS, Stack};
use crate::files::{self, TextFile};
use crate::tidy::Finding;

/// What opens a fault's file.
const OPENING: &str = "//! Fault: ";

/// A fault in a runbook.
#[derive(Debug)]
pub struct Cell {
    /// What it runs on.
    pub stack: &'static Stack,
    /// The name of the file, without its ending.
    pub file: String,
    /// The name of the function.
    pub function: String,
    /// The fault in words.
    pub fault: String,
    /// The runbook in words.
    pub runbook: String,
    /// What must come of it.
    pub expected: String,
}

/// Every cell of the repository, sorted by fault, then stack, then runbook, and what is wrong with the files.
#[must_use]
pub fn cells(root: &std::path::Path) -> (Vec<Cell>, Vec<Finding>) {
    let (mut cells, mut wrong) = (Vec::new(), Vec::new());
    for stack in STACKS {
        for file in files::text_files(root, stack.folder) {
            let direct = file.path.parent() == Some(&PathBuf::from(stack.folder));
            let name = file.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
            let source = file.path.extension().is_some_and(|extension| extension == "rs");
            if direct && source && name != "main" {
                read(stack, &name, &file, &mut cells, &mut wrong);
            }
        }
    }
    cells.sort_by(|left, right| order(left).cmp(&order(right)));
    (cells, wrong)
}

fn order(cell: &Cell) -> (String, usize, usize, &str) {
    let stack = STACKS.iter().position(|stack| stack == cell.stack).unwrap_or_default();
    let runbook = runbook_of(&cell.function).map_or(0, |(index, _)| index);
    (cell.fault.to_lowercase(), stack, runbook, &cell.function)
}

/// The runbook that a function is named after: where one begins like another, the longer one.
fn runbook_of(function: &str) -> Option<(usize, (&'static str, &'static str))> {
    let is_of =
        |name: &str| function.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
    let all = RUNBOOKS.iter().copied().enumerate();
    all.filter(|(_, (name, _))| is_of(name)).max_by_key(|(_, (name, _))| name.len())
}

fn read(stack: &'static Stack, name: &str, file: &TextFile, cells: &mut Vec<Cell>, wrong: &mut Vec<Finding>) {
    let first = file.text.lines().next().unwrap_or_default();
    let Some(fault) = first.strip_prefix(OPENING) else {
        let problem = format!("it does not open with {OPENING:?} and the fault in words, on one line");
        wrong.push(Finding::of_line(&file.path, 1, problem));
        return;
    };
    let (mut document, mut is_test, mut any) = (Vec::new(), false, false);
    for (index, line) in file.text.lines().enumerate() {
        if let Some(text) = line.strip_prefix("///") {
            document.push(text.trim());
        } else if line.starts_with("#[") {
            is_test |= line.contains("test]");
        } else {
            let function = function_in(line).filter(|(_, public)| is_test || *public);
            if let Some((function, _)) = function {
                any = true;
                match cell(stack, name, fault, function, &document) {
                    Ok(cell) => cells.push(cell),
                    Err(problem) => wrong.push(Finding::of_line(&file.path, index + 1, problem)),
                }
            }
            document.clear();
            is_test = false;
        }
    }
    if !any {
        wrong.push(Finding::of_file(
            &file.path,
            "it has no cell: a #[test] or `pub` function named after a runbook",
        ));
    }
}

/// The function that begins in a line that is not indented, and whether others see it.
fn function_in(line: &str) -> Option<(&str, bool)> {
    let (before, after) = line.split_once("fn ")?;
    let before = before.trim();
    let known =
        ["", "pub", "pub(crate)", "pub(super)", "async", "pub async", "pub(crate) async", "pub(super) async"];
    if line.starts_with(' ') || !known.contains(&before) {
        return None;
    }
    let end = after.find(|character: char| !(character.is_alphanumeric() || character == '_'))?;
    Some((&after[..end], before.starts_with("pub")))
}

fn cell(
    stack: &'static Stack,
    file: &str,
    fault: &str,
    function: &str,
    document: &[&str],
) -> Result<Cell, String> {
    let Some((_, (name, words))) = runbook_of(function) else {
        let known: Vec<&str> = RUNBOOKS.iter().map(|(name, _)| *name).collect();
        return Err(format!("{function} is not named after a runbook ({})", known.join(", ")));
    };
    let special = function[name.len()..].trim_start_matches('_').replace('_', " ");
    let runbook = if special.is_empty() { words.to_owned() } else { format!("{words}: {special}") };
    let paragraph: Vec<&str> = document.iter().copied().take_while(|line| !line.is_empty()).collect();
    let expected = paragraph.join(" ");
    if expected.is_empty() {
        return Err(format!("{function} does not say in its documentation what must come of it"));
    }
    Ok(Cell {
        stack,
        file: file.to_owned(),
        function: function.to_owned(),
        fault: fault.trim().trim_end_matches('.').to_owned(),
        runbook,
        expected,
    })
}
