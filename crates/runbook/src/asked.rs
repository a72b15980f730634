//! What the larger gates ask: queries, sessions, where the names of files come from, rows beside a restore point.

use std::collections::BTreeMap;

use eclusa_model::TenantName;
use serde::{Deserialize, Serialize};

use crate::{EnvironmentValue, Exec};

/// A query of a tenant's database that changes nothing and gives one column of text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Query {
    /// Whose database.
    pub tenant: TenantName,
    /// One statement, without its semicolon.
    pub sql: String,
}

/// A place that knows which files there are. It is asked only when a page names one that is not answered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AssetSource {
    /// What people call it.
    pub name: String,
    /// The command; `{path}` in an argument is the path that was asked for.
    pub exec: Exec,
    /// Whether its output must name the path; otherwise ending with the code that is expected says that it is known.
    pub listed: bool,
}

/// How somebody signs in and out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignIn {
    /// Where the form is sent to (`POST`).
    pub path: String,
    /// The form.
    pub form: BTreeMap<String, EnvironmentValue>,
    /// What is asked for at the end (`GET`), whatever was found.
    pub out: String,
}

/// A list that is asked for, and the first of its entries, which is opened.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Visit {
    /// What people call it.
    pub name: String,
    /// The path of the list; its answer is JSON.
    pub list: String,
    /// The JSON pointer to the name of an entry.
    pub pointer: String,
    /// The path of an entry, without the name that is appended to it.
    pub open: String,
}

/// Which differences between a restore point's rows and those that are there now are borne.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Default)]
pub struct RowRule {
    /// Tables that nothing is said of: names, with `*` for any text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignore: Vec<String>,
    /// A table that lost more than this share of its rows, in percent, is a no-go; absent: it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fewer_percent: Option<u8>,
}

/// What became of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowChange {
    /// It is gone, and had rows.
    Gone {
        /// Its name.
        table: String,
        /// How many rows it had.
        had: u64,
    },
    /// It is gone, and another one that is new has at least as many rows.
    Renamed {
        /// Its name.
        table: String,
        /// What it may be called now.
        now: String,
        /// How many rows it had.
        had: u64,
    },
    /// It has lost all its rows.
    Emptied {
        /// Its name.
        table: String,
        /// How many rows it had.
        had: u64,
    },
    /// It has fewer rows.
    Fewer {
        /// Its name.
        table: String,
        /// How many rows it had.
        had: u64,
        /// How many it has.
        has: u64,
    },
}

impl RowChange {
    /// Whether it speaks against going on.
    #[must_use]
    pub fn is_loss(&self, rule: &RowRule) -> bool {
        match self {
            Self::Gone { .. } | Self::Emptied { .. } => true,
            Self::Renamed { .. } => false,
            Self::Fewer { had, has, .. } => rule.fewer_percent.is_some_and(|percent| {
                u128::from(had.saturating_sub(*has)) * 100 > u128::from(*had) * u128::from(percent)
            }),
        }
    }
}

/// What rows were lost, the worst first.
#[must_use]
pub fn row_changes(
    before: &BTreeMap<String, u64>,
    now: &BTreeMap<String, u64>,
    rule: &RowRule,
) -> Vec<RowChange> {
    let mut found = Vec::new();
    let mut new: Vec<(&String, u64)> = now
        .iter()
        .filter(|(name, _)| !before.contains_key(*name))
        .map(|(name, rows)| (name, *rows))
        .collect();
    for (table, had) in before.iter().filter(|(table, had)| **had > 0 && !rule.ignores(table)) {
        let (table, had) = (table.clone(), *had);
        match now.get(&table).copied() {
            None => match new.iter().position(|(_, rows)| *rows >= had) {
                Some(place) => {
                    let now = new.remove(place).0.clone();
                    found.push(RowChange::Renamed { table, now, had });
                }
                None => found.push(RowChange::Gone { table, had }),
            },
            Some(0) => found.push(RowChange::Emptied { table, had }),
            Some(has) if has < had => found.push(RowChange::Fewer { table, had, has }),
            Some(_) => {}
        }
    }
    found.sort_by_key(|change| !change.is_loss(rule));
    found
}

impl RowRule {
    /// Whether nothing is said of a table.
    #[must_use]
    pub fn ignores(&self, table: &str) -> bool {
        self.ignore.iter().any(|pattern| is_like(table, pattern))
    }
}

/// Whether a text is as a pattern says, in which `*` stands for any text, also none.
#[must_use]
pub fn is_like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, behind)) = rest.split_once(part) else { return false };
        rest = behind;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(of: &[(&str, u64)]) -> BTreeMap<String, u64> {
        of.iter().map(|(name, rows)| ((*name).to_owned(), *rows)).collect()
    }

    #[test]
    fn tables_that_lost_rows_are_found() {
        let rule =
            RowRule { ignore: vec!["tabSessions".to_owned(), "tab*Log".to_owned()], fewer_percent: None };
        let before = rows(&[
            ("tabA", 5),
            ("tabB", 7),
            ("tabC", 3),
            ("tabD", 9),
            ("tabE", 0),
            ("tabSessions", 4),
            ("tabError Log", 9),
        ]);
        let now = rows(&[("tabA", 5), ("tabB", 0), ("tabD", 8), ("tabF", 2)]);
        let found = row_changes(&before, &now, &rule);
        assert_eq!(
            found,
            [
                RowChange::Emptied { table: "tabB".to_owned(), had: 7 },
                RowChange::Gone { table: "tabC".to_owned(), had: 3 },
                RowChange::Fewer { table: "tabD".to_owned(), had: 9, has: 8 },
            ]
        );
        assert_eq!(found.iter().map(|change| change.is_loss(&rule)).collect::<Vec<_>>(), [true, true, false]);
        let strict = |percent| RowRule { fewer_percent: Some(percent), ..RowRule::default() };
        assert!(found[2].is_loss(&strict(11)) && !found[2].is_loss(&strict(12)));
        // One that has another name now is not lost.
        let renamed = rows(&[("tabA", 5), ("tabB", 7), ("tabC2", 3), ("tabD", 9), ("tabE", 0)]);
        let found = row_changes(&before, &renamed, &rule);
        let expected = RowChange::Renamed { table: "tabC".to_owned(), now: "tabC2".to_owned(), had: 3 };
        assert_eq!(found, [expected]);
        assert!(!found[0].is_loss(&rule));
    }

    #[test]
    fn patterns_hold_any_text() {
        for (text, pattern) in
            [("tabError Log", "tab* Log"), ("a", "*"), ("", "*"), ("abc", "abc"), ("aXbXc", "a*b*c")]
        {
            assert!(is_like(text, pattern), "{text} {pattern}");
        }
        for (text, pattern) in
            [("tabError Logs", "tab* Log"), ("abc", "ab"), ("abc", "bc"), ("ab", "a*c"), ("a", "a*a")]
        {
            assert!(!is_like(text, pattern), "{text} {pattern}");
        }
    }
}
