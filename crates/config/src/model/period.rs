//! Lengths of time as people write them: `30m`, `500ms`, `7d`, `1h 30m`.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time that is not negative. A day is 24 hours; months and years have no fixed length and are refused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Period(Duration);

impl Period {
    /// So many milliseconds.
    #[must_use]
    pub const fn milliseconds(count: u64) -> Self {
        Self(Duration::from_millis(count))
    }

    /// So many seconds.
    #[must_use]
    pub const fn seconds(count: u64) -> Self {
        Self(Duration::from_secs(count))
    }

    /// So many minutes.
    #[must_use]
    pub const fn minutes(count: u64) -> Self {
        Self::seconds(count.saturating_mul(60))
    }

    /// The standard library's form.
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        self.0
    }

    /// In whole seconds, rounded up, so that a limit of `500ms` does not become none.
    #[must_use]
    pub fn as_seconds(self) -> u64 {
        self.0.as_secs().saturating_add(u64::from(self.0.subsec_nanos() > 0))
    }

    /// In whole milliseconds.
    #[must_use]
    pub fn as_milliseconds(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether no time passes in it.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Reads a text such as `30m`.
    ///
    /// # Errors
    /// The reason, as a sentence without a full stop.
    pub fn parse(text: &str) -> Result<Self, String> {
        let span: Span = text.parse().map_err(|_| String::from("it is no length of time"))?;
        let signed: SignedDuration = span
            .to_duration(SpanRelativeTo::days_are_24_hours())
            .map_err(|_| String::from("months and years have no fixed length"))?;
        if signed.is_negative() {
            return Err(String::from("a length of time cannot be negative"));
        }
        Ok(Self(signed.unsigned_abs()))
    }
}

impl fmt::Display for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let signed = SignedDuration::try_from(self.0).unwrap_or(SignedDuration::MAX);
        write!(formatter, "{signed:#}")
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Period;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a length of time such as \"30s\", \"10m\" or \"7d\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Period, E> {
                Period::parse(text).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}
