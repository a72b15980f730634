//! Numbers, times and durations as people read them.

use eclusa_fault::{Language, Message};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A duration: `320 ms`, `1.2 s`, `42 s`, `1 min 20 s`, `2 h 5 min`, `3 d 4 h`.
#[must_use]
pub fn duration_text(milliseconds: u64) -> String {
    let pair = |large: u64, large_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{large} {large_unit}"),
        _ => format!("{large} {large_unit} {small} {small_unit}"),
    };
    // Rounded first, so that 59.7 s is a minute and never "60 s".
    let seconds = (milliseconds + 500) / 1000;
    match milliseconds {
        0..1000 => format!("{milliseconds} ms"),
        1000..9950 => format!("{:.1} s", milliseconds as f64 / 1000.0),
        _ if seconds < 60 => format!("{seconds} s"),
        _ if seconds < 3600 => pair(seconds / 60, "min", seconds % 60, "s"),
        _ if seconds < 24 * 3600 => pair(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// A size in decimal units, as disks are sold and the gates say it: `812 B`, `1.2 MB`.
#[must_use]
pub fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = UNITS[0];
    for next in UNITS.iter().skip(1) {
        if value < 999.95 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// A count with its thousands apart: `8,214`.
#[must_use]
pub fn count_text(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds with as many digits as they deserve: `0.84`, `8.4`, `312`.
pub(crate) fn milliseconds_text(milliseconds: f64) -> String {
    if milliseconds < 1.0 {
        format!("{milliseconds:.2}")
    } else if milliseconds < 100.0 {
        format!("{milliseconds:.1}")
    } else {
        format!("{milliseconds:.0}")
    }
}

/// How long it was from one time to another; nothing when a clock was set back.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

/// `15:04:05`.
pub(crate) fn clock_text(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// `2026-11-21 15:04:05`.
pub(crate) fn moment_text(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// What a time zone is called at a time: `UTC`, `Europe/Lisbon`.
pub(crate) fn zone_text(at: Timestamp, zone: &TimeZone) -> String {
    match zone.iana_name() {
        Some(name) => name.to_owned(),
        None => at.to_zoned(zone.clone()).strftime("%Z").to_string(),
    }
}

/// The first digits of an id or digest, enough for a person to compare.
pub(crate) fn short(text: &str, digits: usize) -> &str {
    text.get(..digits).unwrap_or(text)
}

/// A text of the catalogue without arguments.
pub(crate) fn word(id: &str, language: &Language) -> String {
    Message::new(id).render(language)
}

/// `alpha`, `alpha, bravo`.
pub(crate) fn listed<T: std::fmt::Display>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

/// The same text with a capital at its beginning, where a sentence begins with it.
pub(crate) fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_people_say_them() {
        let cases = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1000, "1.0 s"),
            (9949, "9.9 s"),
            (9950, "10 s"),
            (59_499, "59 s"),
            (59_700, "1 min"),
            (80_000, "1 min 20 s"),
            (3_599_600, "1 h"),
            (7_500_000, "2 h 5 min"),
            (90_000_000, "1 d 1 h"),
        ];
        for (milliseconds, text) in cases {
            assert_eq!(duration_text(milliseconds), text, "{milliseconds}");
        }
    }

    #[test]
    fn counts_and_sizes_are_grouped_and_scaled() {
        assert_eq!(count_text(7), "7");
        assert_eq!(count_text(1000), "1,000");
        assert_eq!(count_text(12_345_678), "12,345,678");
        assert_eq!(bytes_text(999), "999 B");
        assert_eq!(bytes_text(999_999), "1.0 MB");
        assert_eq!(bytes_text(1_234_567_890), "1.2 GB");
    }
}
