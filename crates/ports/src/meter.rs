//! What goes through a reader is counted, and held back where no more than so many bytes a second may be read.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use eclusa_runbook::Stage;

/// Nobody sleeps longer before it is looked whether it is in vain.
const NAP: Duration = Duration::from_millis(100);
/// Stands for a number of bytes that nobody knows.
const ANYTHING: u64 = u64::MAX;
/// What was not read in time past is made good for so long.
const CREDIT: Duration = Duration::from_millis(250);

/// So many bytes a second, shared by everybody who reads.
#[derive(Debug)]
pub struct Pace {
    per_second: u64,
    began: Instant,
    turns: Mutex<Turns>,
}

/// When the next byte may be read, in time since the beginning. Pure.
#[derive(Debug, Default)]
struct Turns {
    next: Duration,
}

impl Turns {
    /// How long whoever has read so many bytes waits now. Those who come later wait for those before them.
    fn reserve(&mut self, now: Duration, bytes: u64, per_second: u64) -> Duration {
        let from = self.next.max(now.saturating_sub(CREDIT));
        let nanoseconds = u128::from(bytes) * 1_000_000_000 / u128::from(per_second.max(1));
        let takes = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX));
        self.next = from.saturating_add(takes);
        self.next.saturating_sub(now)
    }
}

impl Pace {
    /// No more than so many bytes a second.
    #[must_use]
    pub fn new(per_second: u64) -> Self {
        Self { per_second, began: Instant::now(), turns: Mutex::default() }
    }

    fn reserve(&self, bytes: u64) -> Duration {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.reserve(self.began.elapsed(), bytes, self.per_second)
    }
}

/// How far a piece of work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// What is being done.
    pub stage: Stage,
    /// How many bytes went by since that began.
    pub bytes: u64,
    /// How many will, as far as it is known.
    pub expected: Option<u64>,
}

/// Counts what goes by, on any thread, and waits where it must.
#[derive(Debug, Default)]
pub struct Meter {
    bytes: AtomicU64,
    expected: AtomicU64,
    stage: Mutex<Option<Stage>>,
    stopped: AtomicBool,
    pace: Option<Arc<Pace>>,
}

impl Meter {
    /// One that holds nobody back.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One that keeps to a pace, if there is one.
    #[must_use]
    pub fn with_pace(pace: Option<Arc<Pace>>) -> Self {
        Self { pace, ..Self::default() }
    }

    fn stage(&self) -> MutexGuard<'_, Option<Stage>> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something else is done from now on, and counted from zero.
    pub fn begin(&self, stage: Stage) {
        let mut now = self.stage();
        self.bytes.store(0, Ordering::Relaxed);
        self.expected.store(0, Ordering::Relaxed);
        *now = Some(stage);
    }

    /// So many more bytes will go by.
    pub fn expect(&self, bytes: u64) {
        let more = |known: u64| (known != ANYTHING).then(|| known.saturating_add(bytes));
        // An error is that nobody knows, and nobody will.
        let _ = self.expected.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Nobody knows how many bytes will go by.
    pub fn expect_anything(&self) {
        self.expected.store(ANYTHING, Ordering::Relaxed);
    }

    /// How far it has come; `None` before anything was begun.
    #[must_use]
    pub fn passed(&self) -> Option<Passed> {
        let stage = (*self.stage())?;
        let expected =
            Some(self.expected.load(Ordering::Relaxed)).filter(|bytes| ![0, ANYTHING].contains(bytes));
        Some(Passed { stage, bytes: self.bytes.load(Ordering::Relaxed), expected })
    }

    /// Nobody waits for what is read any more.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// So many bytes went by. Waits as long as the pace wants; to be called where blocking is no harm.
    ///
    /// # Errors
    /// When nobody waits for it any more.
    pub fn pass(&self, bytes: u64) -> io::Result<()> {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.hold(bytes)
    }

    /// The same of bytes that are read and counted nowhere.
    ///
    /// # Errors
    /// When nobody waits for it any more.
    pub fn hold(&self, bytes: u64) -> io::Result<()> {
        let until = self.pace.as_ref().map(|pace| Instant::now() + pace.reserve(bytes));
        loop {
            if self.stopped.load(Ordering::Relaxed) {
                return Err(io::Error::other("given up: nobody waits for it any more"));
            }
            let left = until.map(|until| until.saturating_duration_since(Instant::now())).unwrap_or_default();
            if left.is_zero() {
                return Ok(());
            }
            std::thread::sleep(left.min(NAP));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn no_more_than_so_many_bytes_a_second_whoever_reads_them() {
        let mut turns = Turns::default();
        // Nothing was read before, so the first credit is none.
        assert_eq!(turns.reserve(Duration::ZERO, 1_000_000, 1_000_000), SECOND);
        // Another reader at the same moment waits for the first one.
        assert_eq!(turns.reserve(Duration::ZERO, 500_000, 1_000_000), SECOND + SECOND / 2);
        // Whoever comes later waits for what is left.
        assert_eq!(turns.reserve(SECOND, 500_000, 1_000_000), SECOND);
        // Who pauses for an hour does not then read an hour's worth at once.
        let later = SECOND * 3600;
        assert_eq!(turns.reserve(later, 1_000_000, 1_000_000), SECOND - CREDIT);
    }

    #[test]
    fn a_meter_counts_each_stage_by_itself_and_ends_when_it_is_stopped() {
        let meter = Meter::new();
        assert_eq!(meter.passed(), None);
        meter.begin(Stage::Reading);
        meter.expect(40);
        meter.expect(2);
        meter.pass(7).unwrap();
        assert_eq!(meter.passed(), Some(Passed { stage: Stage::Reading, bytes: 7, expected: Some(42) }));
        meter.begin(Stage::ReadingBack);
        assert_eq!(meter.passed(), Some(Passed { stage: Stage::ReadingBack, bytes: 0, expected: None }));
        meter.expect_anything();
        meter.expect(5);
        assert_eq!(meter.passed().unwrap().expected, None);
        meter.stop();
        assert!(meter.pass(1).is_err());
    }

    #[test]
    fn who_waits_for_his_turn_is_let_go_when_it_is_in_vain() {
        let meter = Arc::new(Meter::with_pace(Some(Arc::new(Pace::new(1)))));
        let waiting = meter.clone();
        // At one byte a second this would be a day.
        let reader = std::thread::spawn(move || waiting.pass(86_400));
        meter.stop();
        assert!(reader.join().unwrap().is_err());
    }
}
