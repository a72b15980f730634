//! What is done at which times: `[stacks.NAME.schedule]`.

use std::str::FromStr as _;

use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use super::{ClockTime, Period, Window, Zone};

/// A time of the clock on the wall that comes again and again, as cron writes it: minute, hour, day, month, day of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronExpression {
    text: String,
    cron: Cron,
}

impl CronExpression {
    /// Reads one; `None` when it is none, or one that no day fulfils.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let cron = Cron::from_str(text).ok()?;
        let expression = Self { text: text.to_owned(), cron };
        expression.next_after(Timestamp::UNIX_EPOCH, &TimeZone::UTC)?;
        Some(expression)
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first time after an instant.
    #[must_use]
    pub fn next_after(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        self.cron.find_next_occurrence(&at.to_zoned(zone.clone()), false).ok().map(|time| time.timestamp())
    }

    /// The last time up to an instant.
    #[must_use]
    pub fn last_until(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        self.cron.find_previous_occurrence(&at.to_zoned(zone.clone()), true).ok().map(|time| time.timestamp())
    }
}

impl<'de> Deserialize<'de> for CronExpression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = CronExpression;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a cron expression such as \"15 2 * * *\" or \"@daily\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<CronExpression, E> {
                CronExpression::parse(text)
                    .ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// Hours of the clock on the wall in which something may begin. `to` before `from` means the next morning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// The first.
    pub from: ClockTime,
    /// The end, which does not belong to them.
    pub to: ClockTime,
}

impl Hours {
    /// When they are in a time zone.
    #[must_use]
    pub fn in_zone(self, zone: &Zone) -> Window {
        Window::every_day(self.from, self.to, zone.clone())
    }
}

/// `[stacks.NAME.schedule.backup]`, `.mirror`, `.drill`, `.base`: when that is done.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduledJob {
    /// At which times.
    pub cron: CronExpression,
    /// Up to so much later, always the same for the same tenant, so that not all of them begin at once.
    #[serde(default)]
    pub jitter: Period,
    /// For so long a time that was missed is made good. Longer ago, `status` says that it was missed.
    #[serde(default = "half_a_day")]
    pub catch_up: Period,
    /// How long after one that failed it is tried again.
    #[serde(default = "half_an_hour")]
    pub again_after: Period,
    /// A backup: also restore it somewhere harmless and compare.
    #[serde(default)]
    pub prove: bool,
    /// A drill: only so many tenants, those first whose last proof is oldest.
    pub sample: Option<u32>,
    /// A drill: the application is also started on each copy.
    #[serde(default)]
    pub application: bool,
}

fn half_a_day() -> Period {
    Period::minutes(12 * 60)
}

fn half_an_hour() -> Period {
    Period::minutes(30)
}

impl ScheduledJob {
    /// The last time up to an instant, and the next after it, for what is this much later than the others.
    #[must_use]
    pub fn around(
        &self,
        at: Timestamp,
        zone: &Zone,
        later: SignedDuration,
    ) -> (Option<Timestamp>, Option<Timestamp>) {
        let zone = zone.time_zone();
        let Ok(earlier) = at.checked_sub(later) else { return (None, None) };
        let shifted = |time: Option<Timestamp>| time.and_then(|time| time.checked_add(later).ok());
        (shifted(self.cron.last_until(earlier, zone)), shifted(self.cron.next_after(earlier, zone)))
    }
}

/// `[stacks.NAME.schedule]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Schedule {
    /// Where the clock hangs.
    pub time_zone: Zone,
    /// Nothing begins outside of these hours.
    pub hours: Option<Hours>,
    /// Backups of every tenant.
    pub backup: Option<ScheduledJob>,
    /// Copies to every mirror.
    pub mirror: Option<ScheduledJob>,
    /// Drills.
    pub drill: Option<ScheduledJob>,
    /// Base backups of servers of PostgreSQL.
    pub base: Option<ScheduledJob>,
}

/// `[stacks.NAME.tenants.TENANT.schedule]`: what is otherwise for one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TenantSchedule {
    /// Where its clock hangs.
    pub time_zone: Option<Zone>,
    /// Its backups begin only in these hours.
    pub hours: Option<Hours>,
    /// Its backups.
    pub backup: Option<ScheduledJob>,
}
