//! What the generated traffic saw, counted from outside.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};

use crate::{Trouble, database_path, store, tenant_directory};

/// A sale that the shop said it has: from then on it must not be lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcknowledgedSale {
    /// Whose.
    pub tenant: String,
    /// By what it is known.
    pub reference: String,
    /// When the answer came.
    pub at: Timestamp,
}

/// What one tenant's customers saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TenantResults {
    /// The requests that were sent.
    pub sent: u64,
    /// Of those, answered as they should be.
    pub ok: u64,
    /// Of those, failed: an answer of 500 and above, one that should not be, or none.
    pub failed: u64,
    /// Of the failed ones, those without an answer.
    pub unanswered: u64,
    /// Of those, turned away in maintenance: 503 with `Retry-After`.
    pub turned_away: u64,
    /// The sales that the shop said it has.
    pub acknowledged_sales: u64,
    /// How often there was maintenance.
    pub maintenance_windows: u64,
    /// From the first to the last request turned away, over all windows, in seconds. What lies between two requests at the
    /// edges of a window is not in it.
    pub maintenance_seconds: f64,
    /// Latencies of the answers that were as they should be, in milliseconds.
    pub latency_milliseconds: Latencies,
    /// The answers by status; 0 is none.
    pub statuses: BTreeMap<u16, u64>,
}

/// Percentiles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    /// The median.
    pub p50: f64,
    /// Of a hundred, 95 are not above it.
    pub p95: f64,
    /// Of a hundred, 99 are not above it.
    pub p99: f64,
    /// The largest.
    pub most: f64,
}

/// What all tenants' customers saw.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TrafficResults {
    /// When it began; none before the first request.
    pub began: Option<Timestamp>,
    /// When it was written.
    pub until: Option<Timestamp>,
    /// By tenant.
    pub tenants: BTreeMap<String, TenantResults>,
}

impl TrafficResults {
    /// Reads what traffic wrote.
    ///
    /// # Errors
    /// When it is not there or not whole.
    pub fn read(path: &Path) -> Result<Self, Trouble> {
        let bytes = std::fs::read(path).map_err(|error| Trouble::at(path, error))?;
        serde_json::from_slice(&bytes).map_err(|error| Trouble::at(path, error))
    }

    /// Writes it so that a reader sees the old or the new one.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Trouble> {
        let temporary = path.with_extension("new");
        std::fs::write(&temporary, serde_json::to_vec_pretty(self)?)
            .map_err(|error| Trouble::at(&temporary, error))?;
        std::fs::rename(&temporary, path).map_err(|error| Trouble::at(path, error))
    }
}

/// How a request came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// As it should.
    Well,
    /// Turned away in maintenance.
    Away,
    /// With an answer that should not be.
    Badly,
    /// Not at all.
    Never,
}

/// Counts one tenant's requests.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    results: TenantResults,
    latencies: Vec<f64>,
    window: Option<(Timestamp, Timestamp)>,
    closed: f64,
}

impl Tally {
    /// Counts a request that was sent at a time.
    pub(crate) fn add(&mut self, sent_at: Timestamp, came: Came, status: u16, took: Duration) {
        self.results.sent += 1;
        *self.results.statuses.entry(status).or_default() += 1;
        match came {
            Came::Well => {
                self.results.ok += 1;
                self.latencies.push(took.as_secs_f64() * 1000.0);
                // One that was sent before the window's end and is answered late does not end it.
                if self.window.is_some_and(|(_, last)| sent_at > last) {
                    self.end_window();
                }
            }
            Came::Away => {
                self.results.turned_away += 1;
                self.window = Some(match self.window {
                    Some((first, last)) => (first.min(sent_at), last.max(sent_at)),
                    None => {
                        self.results.maintenance_windows += 1;
                        (sent_at, sent_at)
                    }
                });
            }
            Came::Badly => self.results.failed += 1,
            Came::Never => {
                self.results.failed += 1;
                self.results.unanswered += 1;
            }
        }
    }

    pub(crate) fn acknowledged(&mut self) {
        self.results.acknowledged_sales += 1;
    }

    fn window_seconds(&self) -> f64 {
        self.window.map_or(0.0, |(first, last)| last.duration_since(first).as_secs_f64())
    }

    fn end_window(&mut self) {
        self.closed += self.window_seconds();
        self.window = None;
    }

    pub(crate) fn results(&self) -> TenantResults {
        let mut results = self.results.clone();
        results.maintenance_seconds = self.closed + self.window_seconds();
        let mut sorted = self.latencies.clone();
        sorted.sort_by(f64::total_cmp);
        let at = |share: f64| {
            #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let rank = (sorted.len() as f64 * share).ceil() as usize;
            sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        results.latency_milliseconds =
            Latencies { p50: at(0.5), p95: at(0.95), p99: at(0.99), most: at(1.0) };
        results
    }
}

/// The acknowledged sales that a tenant's live database lacks, from the file that traffic wrote.
///
/// # Errors
/// When file or database cannot be read.
pub fn missing_sales(
    acknowledged: &Path,
    data: &Path,
    tenant: &str,
) -> Result<Vec<AcknowledgedSale>, Trouble> {
    let text = std::fs::read_to_string(acknowledged).map_err(|error| Trouble::at(acknowledged, error))?;
    let connection = store::open(&database_path(&tenant_directory(data, tenant)?))?;
    let mut statement = connection.prepare("SELECT 1 FROM sales WHERE reference = ?1")?;
    let mut missing = Vec::new();
    for line in text.lines() {
        let sale: AcknowledgedSale = serde_json::from_str(line)?;
        if sale.tenant != tenant {
            continue;
        }
        if statement.query_row([&sale.reference], |_| Ok(())).optional()?.is_none() {
            missing.push(sale);
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_lasts_from_the_first_to_the_last_that_was_turned_away() {
        let at = |seconds: i64| Timestamp::from_second(1_000_000 + seconds).unwrap_or_default();
        let mut tally = Tally::default();
        let millisecond = Duration::from_millis(1);
        tally.add(at(0), Came::Well, 200, millisecond);
        tally.add(at(1), Came::Away, 503, millisecond);
        tally.add(at(4), Came::Away, 503, millisecond);
        // Sent before, answered late.
        tally.add(at(3), Came::Well, 200, millisecond * 9);
        tally.add(at(6), Came::Away, 503, millisecond);
        tally.add(at(7), Came::Well, 200, millisecond);
        tally.add(at(20), Came::Away, 503, millisecond);
        tally.add(at(22), Came::Away, 503, millisecond);
        tally.add(at(23), Came::Never, 0, millisecond);
        tally.add(at(24), Came::Badly, 500, millisecond);
        let results = tally.results();
        assert_eq!(
            (results.sent, results.ok, results.turned_away, results.failed, results.unanswered),
            (10, 3, 5, 2, 1)
        );
        assert_eq!(results.maintenance_windows, 2);
        assert!((results.maintenance_seconds - 7.0).abs() < 1e-9, "{}", results.maintenance_seconds);
        assert!((results.latency_milliseconds.p50 - 1.0).abs() < 1e-9);
        assert!((results.latency_milliseconds.most - 9.0).abs() < 1e-9);
    }
}
