//! The maintenance window: hours of the clock on the wall in a time zone, on some days of the week.

use std::fmt;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Weekday {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Weekday {
    const ALL: [Self; 7] = [Self::Mon, Self::Tue, Self::Wed, Self::Thu, Self::Fri, Self::Sat, Self::Sun];

    fn is(self, date: Date) -> bool {
        let day = match self {
            Self::Mon => jiff::civil::Weekday::Monday,
            Self::Tue => jiff::civil::Weekday::Tuesday,
            Self::Wed => jiff::civil::Weekday::Wednesday,
            Self::Thu => jiff::civil::Weekday::Thursday,
            Self::Fri => jiff::civil::Weekday::Friday,
            Self::Sat => jiff::civil::Weekday::Saturday,
            Self::Sun => jiff::civil::Weekday::Sunday,
        };
        date.weekday() == day
    }
}

impl fmt::Display for Weekday {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Mon => "mon",
            Self::Tue => "tue",
            Self::Wed => "wed",
            Self::Thu => "thu",
            Self::Fri => "fri",
            Self::Sat => "sat",
            Self::Sun => "sun",
        })
    }
}

/// A time of the clock on the wall, such as `22:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClockTime(pub Time);

impl fmt::Display for ClockTime {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:02}:{:02}", self.0.hour(), self.0.minute())
    }
}

impl<'de> Deserialize<'de> for ClockTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = ClockTime;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a time of day such as \"22:00\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<ClockTime, E> {
                Time::strptime("%H:%M", text)
                    .map(ClockTime)
                    .map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// A time zone of the IANA database, such as `America/Sao_Paulo`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Zone {
    /// The zone of a name; `None` when nobody knows it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        TimeZone::get(name).ok().map(Self)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The zone itself.
    #[must_use]
    pub fn time_zone(&self) -> &TimeZone {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Zone;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a time zone such as \"America/Sao_Paulo\" or \"UTC\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Zone, E> {
                Zone::named(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// `[stacks.NAME.window]`: when releases may start. `to` before `from` means the next morning.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The days on which it begins; absent: every day.
    #[serde(default = "every_day")]
    pub days: Vec<Weekday>,
    /// When it begins.
    pub from: ClockTime,
    /// When it ends.
    pub to: ClockTime,
    /// Where the clock hangs.
    pub time_zone: Zone,
}

fn every_day() -> Vec<Weekday> {
    Weekday::ALL.to_vec()
}

impl Window {
    /// These hours of every day.
    #[must_use]
    pub fn every_day(from: ClockTime, to: ClockTime, time_zone: Zone) -> Self {
        Self { days: every_day(), from, to, time_zone }
    }

    /// Whether a release may start at this instant. The beginning belongs to the window, the end does not.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.end_of(at).is_some()
    }

    /// When the window that holds this instant ends; `None` outside.
    #[must_use]
    pub fn end_of(&self, at: Timestamp) -> Option<Timestamp> {
        let today = self.local_date(at);
        // A window that passes midnight began yesterday.
        [today.yesterday().ok(), Some(today)].into_iter().flatten().find_map(|date| {
            let (start, end) = self.beginning_on(date)?;
            (start <= at && at < end).then_some(end)
        })
    }

    /// The first instant after this one at which a window begins. Days on which the clock leaps over the whole
    /// window have none.
    #[must_use]
    pub fn next_start(&self, after: Timestamp) -> Option<Timestamp> {
        // Two weeks: the only day of the week may be the one without a window.
        let mut date = self.local_date(after);
        for _ in 0..=15 {
            if let Some((start, _)) = self.beginning_on(date).filter(|(start, _)| *start > after) {
                return Some(start);
            }
            date = date.tomorrow().ok()?;
        }
        None
    }

    fn local_date(&self, at: Timestamp) -> Date {
        at.to_zoned(self.time_zone.0.clone()).date()
    }

    /// The window that begins on a date as instants; `None` on other days and where nothing is left of it.
    fn beginning_on(&self, date: Date) -> Option<(Timestamp, Timestamp)> {
        if !self.days.iter().any(|day| day.is(date)) {
            return None;
        }
        let last = if self.to <= self.from { date.checked_add(1.day()).ok()? } else { date };
        let start = self.instant(date, self.from)?;
        let end = self.instant(last, self.to)?;
        (start < end).then_some((start, end))
    }

    /// The instant at which the clock first shows a time; one that it leaps over is moved on by the leap.
    fn instant(&self, date: Date, time: ClockTime) -> Option<Timestamp> {
        let zoned = self.time_zone.0.to_ambiguous_zoned(date.to_datetime(time.0)).compatible().ok()?;
        Some(zoned.timestamp())
    }
}

impl fmt::Display for Window {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days.len() < Weekday::ALL.len() {
            let days: Vec<String> = self.days.iter().map(ToString::to_string).collect();
            write!(formatter, "{} ", days.join(", "))?;
        }
        write!(formatter, "{}–{} {}", self.from, self.to, self.time_zone.name())
    }
}
