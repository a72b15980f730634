//! What is measured per tenant: totals since the process began, and the latest samples.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One request that was passed on to the upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When its answer began, in milliseconds since the Unix epoch.
    pub at_ms: i64,
    /// The status that was answered; 502 and 504 also when the upstream gave no answer.
    pub status: u16,
    /// Microseconds from passing it on until its answer began. Waiting at a held gate is not part of it.
    pub duration_us: u64,
}

/// Counts since the edge process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Requests passed on to the upstream, by the public door.
    pub requests: u64,
    /// Answers with a status of 100 to 199 (switched protocols).
    pub informational: u64,
    /// Answers with a status of 200 to 299.
    pub success: u64,
    /// Answers with a status of 300 to 399.
    pub redirection: u64,
    /// Answers with a status of 400 to 499.
    pub client_error: u64,
    /// Answers with a status of 500 to 599, whoever made them.
    pub server_error: u64,
    /// Errors: answers of the upstream with 5xx, upstreams that gave none (502, 504), and broken-off answers.
    pub errors: u64,
    /// Of the errors: the upstream gave no answer.
    pub upstream_failures: u64,
    /// Of the errors: the upstream broke off in the middle of an answer's body.
    pub broken_answers: u64,
    /// Requests refused because the gate was closed.
    pub refused_closed: u64,
    /// Requests that waited at a held gate.
    pub held: u64,
    /// Requests refused because too many were waiting already.
    pub refused_hold_full: u64,
    /// Requests refused because they had waited too long.
    pub refused_hold_timeout: u64,
    /// The longest wait at a held gate that ended with the request going through, in milliseconds.
    pub longest_hold_milliseconds: u64,
    /// Uploads that the client broke off before the upstream answered: nobody's error, and no sample.
    pub abandoned: u64,
    /// Requests by the side door; they are in no other count and leave no samples.
    pub side_door: u64,
    /// Websockets (and other upgrades) that were cut when their grace had passed.
    pub websockets_cut: u64,
}

/// Counts and samples of one tenant.
pub(crate) struct Meter(Mutex<Measured>);

struct Measured {
    totals: Totals,
    ring: VecDeque<Sample>,
    kept: usize,
    forgotten_until_ms: i64,
}

impl Meter {
    pub fn new(kept: usize) -> Self {
        Self(Mutex::new(Measured {
            totals: Totals::default(),
            ring: VecDeque::new(),
            kept,
            forgotten_until_ms: i64::MIN,
        }))
    }

    /// Records a request that was passed on. `failed` says that the upstream gave no answer.
    pub fn passed(&self, at: Timestamp, status: u16, duration: Duration, failed: bool) {
        let mut measured = self.lock();
        let totals = &mut measured.totals;
        totals.requests += 1;
        match status {
            0..200 => totals.informational += 1,
            200..300 => totals.success += 1,
            300..400 => totals.redirection += 1,
            400..500 => totals.client_error += 1,
            _ => totals.server_error += 1,
        }
        totals.errors += u64::from(status >= 500);
        totals.upstream_failures += u64::from(failed);
        if measured.ring.len() >= measured.kept
            && let Some(oldest) = measured.ring.pop_front()
        {
            measured.forgotten_until_ms = measured.forgotten_until_ms.max(oldest.at_ms);
        }
        let duration_us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        measured.ring.push_back(Sample { at_ms: at.as_millisecond(), status, duration_us });
    }

    /// Changes the totals for what is not a passed request.
    pub fn count(&self, change: impl FnOnce(&mut Totals)) {
        change(&mut self.lock().totals);
    }

    pub fn totals(&self) -> Totals {
        self.lock().totals
    }

    /// The samples at or after `since_ms`, and whether some of that time has been forgotten already.
    pub fn samples(&self, since_ms: i64) -> (Vec<Sample>, bool) {
        let measured = self.lock();
        let samples = measured.ring.iter().filter(|sample| sample.at_ms >= since_ms).copied().collect();
        (samples, measured.forgotten_until_ms >= since_ms)
    }

    fn lock(&self) -> MutexGuard<'_, Measured> {
        // Counts stay usable whatever happened to another holder.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn the_ring_keeps_the_latest_and_says_what_it_forgot() {
        let meter = Meter::new(3);
        for second in 0..5 {
            let at = Timestamp::from_second(second).unwrap();
            meter.passed(at, 200, Duration::from_micros(7), false);
        }
        let (samples, forgotten) = meter.samples(1_000);
        assert_eq!(samples.iter().map(|sample| sample.at_ms).collect::<Vec<_>>(), [2_000, 3_000, 4_000]);
        assert!(forgotten, "second 1 was asked for and is gone");
        let (samples, forgotten) = meter.samples(3_000);
        assert_eq!((samples.len(), forgotten), (2, false));
        assert_eq!(samples[0].duration_us, 7);
    }

    #[test]
    fn totals_sort_by_class_and_count_errors_once() {
        let meter = Meter::new(10);
        let at = Timestamp::UNIX_EPOCH;
        for (status, failed) in
            [(101, false), (204, false), (302, false), (404, false), (500, false), (502, true)]
        {
            meter.passed(at, status, Duration::ZERO, failed);
        }
        let totals = meter.totals();
        assert_eq!(totals.requests, 6);
        assert_eq!(
            [
                totals.informational,
                totals.success,
                totals.redirection,
                totals.client_error,
                totals.server_error
            ],
            [1, 1, 1, 1, 2]
        );
        assert_eq!((totals.errors, totals.upstream_failures), (2, 1));
    }
}
