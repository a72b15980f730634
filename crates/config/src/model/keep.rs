//! Which restore points are kept.

use serde::Deserialize;

use super::Period;

/// `[stacks.NAME.keep]`: of each tenant, how many of the newest points are kept, and how many hours, days, weeks, months
/// and years one point of each. A point that any rule wants stays. Without the table every point stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// So many of the newest.
    pub last: u32,
    /// The newest of so many hours.
    pub hourly: u32,
    /// The newest of so many days.
    pub daily: u32,
    /// The newest of so many weeks; a week begins on Monday.
    pub weekly: u32,
    /// The newest of so many months.
    pub monthly: u32,
    /// The newest of so many years.
    pub yearly: u32,
    /// All that are no older.
    pub within: Option<Period>,
    /// Salvage points that are no older. Without it all of them stay: what is in one is nowhere else.
    pub salvages: Option<Period>,
}

impl Keep {
    /// Whether any rule wants a backup at all.
    #[must_use]
    pub fn keeps_something(&self) -> bool {
        [self.last, self.hourly, self.daily, self.weekly, self.monthly, self.yearly]
            .iter()
            .any(|count| *count > 0)
            || self.within.is_some_and(|period| !period.is_zero())
    }
}
