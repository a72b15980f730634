//! The matrix with what a test run said of each cell.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Cell, STACKS, cells};

/// What became of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Passed,
    /// Or its test did not come so far.
    Failed,
    /// Its test binary did not run, or left it out.
    NotRun,
}

/// How many cells are how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// As they must be.
    pub passed: usize,
    /// Not as they must be.
    pub failed: usize,
    /// Left out.
    pub not_run: usize,
}

/// Prints the matrix with the results of a run of nextest, whose output (both streams, without colours, with the
/// output of tests that passed) is given; gives how many are how.
///
/// # Errors
/// When a test file breaks the convention.
pub fn print(root: &Path, output: &str) -> Result<Counts, String> {
    let (cells, wrong) = cells(root);
    if !wrong.is_empty() {
        return Err(wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }
    let results = Results::read(output);
    let widest = cells.iter().map(|cell| cell.runbook.chars().count()).max().unwrap_or_default();
    let mut counts = Counts::default();
    let mut fault = "";
    for cell in &cells {
        if cell.fault != fault {
            println!("\n{}", cell.fault);
            fault = &cell.fault;
        }
        let (count, word) = match results.of(cell) {
            Standing::Passed => (&mut counts.passed, "passed "),
            Standing::Failed => (&mut counts.failed, "FAILED "),
            Standing::NotRun => (&mut counts.not_run, "not run"),
        };
        *count += 1;
        println!("  {word}  {:<8}  {:<widest$}  {}", cell.stack.name, cell.runbook, cell.expected);
    }
    let Counts { passed, failed, not_run } = counts;
    println!("\n{} cells: {passed} passed, {failed} failed, {not_run} not run", cells.len());
    Ok(counts)
}

/// What a test run said.
#[derive(Debug, Default)]
struct Results {
    /// By test binary and test: whether it passed in the end.
    tests: BTreeMap<(String, String), bool>,
    /// The cells of tests that walk over many, which said so themselves.
    told: Vec<(String, String)>,
}

impl Results {
    fn read(output: &str) -> Self {
        let mut results = Self::default();
        for line in output.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let ["cell:", file, function, "ok", ..] = words.as_slice() {
                results.told.push(((*file).to_owned(), (*function).to_owned()));
                continue;
            }
            // `PASS [   1.2s] (3/9) eclusa::faults plan_edited::release`, `TRY 2 PASS [ …`, `TIMEOUT [ …`.
            let Some(at) = words.iter().position(|word| STACKS.iter().any(|stack| stack.binary == *word))
            else {
                continue;
            };
            let (Some(test), Some(bracket)) =
                (words.get(at + 1), words.iter().position(|word| word.starts_with('[')))
            else {
                continue;
            };
            let verdict =
                bracket.checked_sub(1).and_then(|before| words.get(before)).copied().unwrap_or_default();
            let passed = verdict == "PASS" || verdict == "LEAK" || words.first() == Some(&"FLAKY");
            if verdict != "SLOW" && bracket < at {
                results.tests.insert((words[at].to_owned(), (*test).to_owned()), passed);
            }
        }
        results
    }

    fn of(&self, cell: &Cell) -> Standing {
        if self.told.iter().any(|(file, function)| *file == cell.file && *function == cell.function) {
            return Standing::Passed;
        }
        let own = (cell.stack.binary.to_owned(), format!("{}::{}", cell.file, cell.function));
        match self.tests.get(&own) {
            Some(true) => Standing::Passed,
            Some(false) => Standing::Failed,
            // One test walks over the cells of this stack, and did not say that this one is well.
            None if cell.stack.name == "Docker"
                && self.tests.keys().any(|(binary, _)| binary == cell.stack.binary) =>
            {
                Standing::Failed
            }
            None => Standing::NotRun,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Results;

    #[test]
    fn the_last_word_of_a_test_counts() {
        let output = "\
    Starting 4 tests across 1 binary
        PASS [   0.012s] (1/4) eclusa::faults plan_edited::release
        SLOW [> 60.000s] (───) eclusa::faults clock_stepped::release
  TRY 1 FAIL [   0.013s] (2/4) eclusa::faults plan_stale::release
  TRY 2 PASS [   0.011s] (2/4) eclusa::faults plan_stale::release
        FAIL [   1.013s] (3/4) eclusa::faults plan_stale::rollback
     TIMEOUT [ 600.013s] (4/4) eclusa::faults clock_stepped::release
    cell: database_killed release ok (5.9 s, try 2)
";
        let results = Results::read(output);
        let of = |test: &str| results.tests.get(&("eclusa::faults".to_owned(), test.to_owned())).copied();
        assert_eq!(of("plan_edited::release"), Some(true));
        assert_eq!(of("plan_stale::release"), Some(true));
        assert_eq!(of("plan_stale::rollback"), Some(false));
        assert_eq!(of("clock_stepped::release"), Some(false));
        assert_eq!(results.told, [("database_killed".to_owned(), "release".to_owned())]);
    }
}
