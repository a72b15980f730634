//! All rules together.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::{layers, matrix, pages, rules, sources, words};

/// A place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, relative to the repository.
    pub path: PathBuf,
    /// The line, from 1, where there is one.
    pub line: Option<usize>,
    /// What is wrong and what to do about it.
    pub problem: String,
}

impl Finding {
    /// A finding in a file as a whole.
    pub fn of_file(path: impl Into<PathBuf>, problem: impl fmt::Display) -> Self {
        Self { path: path.into(), line: None, problem: problem.to_string() }
    }

    /// A finding in a line.
    pub fn of_line(path: impl Into<PathBuf>, line: usize, problem: impl fmt::Display) -> Self {
        Self { path: path.into(), line: Some(line), problem: problem.to_string() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}: {}", self.path.display(), self.problem),
            None => write!(formatter, "{}: {}", self.path.display(), self.problem),
        }
    }
}

/// Everything that breaks a rule in the repository at `root`, sorted.
#[must_use]
pub fn findings(root: &Path) -> Vec<Finding> {
    let mut found = layers::check(root);
    found.extend(sources::check(root));
    found.extend(pages::check(root));
    found.extend(matrix::check(root));
    found.extend(rules::check(root));
    found.extend(words::check(root));
    found.sort();
    found
}
