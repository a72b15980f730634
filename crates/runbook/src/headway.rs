//! How far a step that reads many bytes has come. It is told while the step runs and kept nowhere: what came of it in the
//! end is in the journal.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// The format of [`Headway`] as a file.
pub const HEADWAY_FORMAT: u32 = 1;

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Database and files are read into the vault.
    Reading,
    /// What is in the vault is read back and compared.
    ReadingBack,
    /// A restore point is read out of the vault, beside the live data.
    Restoring,
    /// Files are copied to a mirror, or back.
    Copying,
}

/// How far a step has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Headway {
    /// [`HEADWAY_FORMAT`].
    pub format: u32,
    /// What is being done.
    pub stage: Stage,
    /// When this was so.
    pub at: Timestamp,
    /// How many bytes have gone by since this stage began.
    pub bytes: u64,
    /// About how many there will be, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
    /// How many went by in a second lately; absent in the first moments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u64>,
    /// When this stage is expected to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<Timestamp>,
}

/// Lately: so much of the time past counts for the rate.
const LATELY: SignedDuration = SignedDuration::from_secs(20);
/// Before so much time has passed, no rate is told.
const TOO_EARLY: SignedDuration = SignedDuration::from_millis(900);

/// Makes headways from counts, as time goes by. Pure.
#[derive(Debug, Default)]
pub struct Course {
    stage: Option<Stage>,
    counts: Vec<(Timestamp, u64)>,
}

impl Course {
    /// What a count at an instant means.
    pub fn headway(&mut self, at: Timestamp, stage: Stage, bytes: u64, expected: Option<u64>) -> Headway {
        if self.stage != Some(stage) {
            *self = Self { stage: Some(stage), counts: Vec::new() };
        }
        // A clock that was put back makes the earlier counts worthless.
        self.counts.retain(|(then, _)| *then <= at && at.duration_since(*then) <= LATELY);
        self.counts.push((at, bytes));
        let per_second = self.counts.first().and_then(|(then, before)| {
            let passed = at.duration_since(*then);
            let milliseconds = u128::try_from(passed.as_millis()).ok()?;
            let counted = u128::from(bytes.saturating_sub(*before));
            (passed >= TOO_EARLY).then(|| u64::try_from(counted * 1000 / milliseconds).ok())?
        });
        // More went by than was expected: nobody knows how much there is, or when it ends.
        let expected = expected.filter(|expected| bytes <= *expected);
        let ends = per_second.zip(expected).and_then(|(rate, expected)| {
            let left = expected.checked_sub(bytes)?;
            let seconds = i64::try_from(left.checked_div(rate)?).ok()?;
            at.checked_add(SignedDuration::from_secs(seconds)).ok()
        });
        Headway { format: HEADWAY_FORMAT, stage, at, bytes, expected, per_second, ends }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds_and_the_end_follows_from_it() {
        let mut course = Course::default();
        let mut headway = |seconds, bytes| course.headway(at(seconds), Stage::Reading, bytes, Some(10_000));
        assert_eq!((headway(0, 0).per_second, headway(0, 0).ends), (None, None));
        let after = headway(10, 1000);
        assert_eq!((after.per_second, after.ends), (Some(100), Some(at(100))));
        // What was slow an hour ago is forgotten.
        headway(3600, 5000);
        let after = headway(3610, 9000);
        assert_eq!((after.per_second, after.ends), (Some(400), Some(at(3612))));
        // Nothing goes by: it does not end.
        headway(3700, 9000);
        let after = headway(3702, 9000);
        assert_eq!((after.per_second, after.ends), (Some(0), None));
        // More than was expected: neither that nor an end is told any more.
        let after = headway(3704, 20_000);
        assert_eq!((after.expected, after.ends), (None, None));
    }

    #[test]
    fn a_new_stage_and_a_clock_that_is_put_back_begin_anew() {
        let mut course = Course::default();
        course.headway(at(0), Stage::Reading, 0, None);
        assert_eq!(course.headway(at(10), Stage::Reading, 500, None).per_second, Some(50));
        assert_eq!(course.headway(at(11), Stage::ReadingBack, 10, None).per_second, None);
        assert_eq!(course.headway(at(5), Stage::ReadingBack, 30, None).per_second, None);
        assert_eq!(course.headway(at(7), Stage::ReadingBack, 40, None).per_second, Some(5));
    }
}
