//! A clock that starts at the same instant in every test and goes with tokio's, which a test may hold still.

use std::sync::atomic::{AtomicU64, Ordering};

use eclusa_ports::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// 2026-01-01T00:00:00Z, in seconds.
const START: i64 = 1_767_225_600;

/// Deterministic under a paused tokio clock: each look is one microsecond later than the one before.
pub struct FixedClock {
    begun: Instant,
    looks: AtomicU64,
    texts: AtomicU64,
}

impl Default for FixedClock {
    fn default() -> Self {
        Self { begun: Instant::now(), looks: AtomicU64::new(0), texts: AtomicU64::new(0) }
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        let start = Timestamp::from_second(START).unwrap();
        let looks = self.looks.fetch_add(1, Ordering::Relaxed);
        let passed = SignedDuration::try_from(self.begun.elapsed()).unwrap();
        start + passed + SignedDuration::from_micros(looks as i64)
    }

    fn random_text(&self, length: usize) -> String {
        let number = self.texts.fetch_add(1, Ordering::Relaxed);
        let text = format!("{number:0length$}");
        text[text.len() - length..].to_owned()
    }
}
