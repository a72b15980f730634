//! When a job is due, from its times and from what was done. Nothing here looks at anything.

use eclusa_config::model::{Hours, ScheduledJob, Zone};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// It was done for its last time, or had none yet.
    Done,
    /// It is to be done now.
    Due,
    /// Its hours have not come.
    Waiting {
        /// When they begin.
        until: Timestamp,
    },
    /// It failed, and is tried again.
    Again {
        /// When.
        at: Timestamp,
    },
    /// It was not done, and it is too late for that.
    Missed,
}

/// What is known of a job's past.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Past {
    /// When it was last done.
    pub done: Option<Timestamp>,
    /// When the newest try that was no success ended.
    pub failed: Option<Timestamp>,
}

/// A job's times, by which clock, and in which hours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times<'a> {
    pub job: &'a ScheduledJob,
    pub zone: &'a Zone,
    pub hours: Option<Hours>,
    pub later: SignedDuration,
}

/// How much later than its time a job begins: always the same for the same stack, job and tenant, so that it can be
/// foreseen.
pub(super) fn later(job: &ScheduledJob, words: &[&str]) -> SignedDuration {
    let jitter = job.jitter.as_seconds();
    let mut hasher = Sha256::new();
    for word in words {
        hasher.update(word.as_bytes());
        hasher.update([0]);
    }
    let digest = hasher.finalize();
    let number = digest.iter().take(8).fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
    SignedDuration::from_secs(i64::try_from(number % jitter.saturating_add(1)).unwrap_or(0))
}

impl Times<'_> {
    /// The last time up to now, the next one, and where the job stands.
    pub(super) fn at(&self, now: Timestamp, past: Past) -> (Option<Timestamp>, Option<Timestamp>, State) {
        let (last, next) = self.job.around(now, self.zone, self.later);
        let state = match last {
            Some(last) if past.done.is_none_or(|done| done < last) => self.wanting(last, now, past.failed),
            _ => State::Done,
        };
        (last, next, state)
    }

    fn wanting(&self, since: Timestamp, now: Timestamp, failed: Option<Timestamp>) -> State {
        let after = |at: Timestamp, period: eclusa_config::model::Period| {
            at.checked_add(period.as_duration()).unwrap_or(Timestamp::MAX)
        };
        if now > after(since, self.job.catch_up) {
            return State::Missed;
        }
        if let Some(again) =
            failed.filter(|failed| *failed >= since).map(|failed| after(failed, self.job.again_after))
            && again > now
        {
            return State::Again { at: again };
        }
        let hours = self.hours.map(|hours| hours.in_zone(self.zone));
        match hours.filter(|hours| !hours.contains(now)).and_then(|hours| hours.next_start(now)) {
            Some(until) => State::Waiting { until },
            None => State::Due,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use eclusa_config::model::{ClockTime, CronExpression, Period};

    fn job(cron: &str, catch_up: u64, again_after: u64) -> ScheduledJob {
        ScheduledJob {
            cron: CronExpression::parse(cron).unwrap(),
            jitter: Period::seconds(0),
            catch_up: Period::minutes(catch_up),
            again_after: Period::minutes(again_after),
            prove: false,
            sample: None,
            application: false,
        }
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn state(job: &ScheduledJob, hours: Option<Hours>, now: &str, past: Past) -> State {
        let zone = Zone::named("Europe/Paris").unwrap();
        Times { job, zone: &zone, hours, later: SignedDuration::ZERO }.at(at(now), past).2
    }

    #[test]
    fn it_is_due_until_it_was_done_or_it_is_too_late() {
        let job = job("15 2 * * *", 240, 30);
        let past = |done: &str| Past { done: Some(at(done)), failed: None };
        // 02:15 in Paris is 00:15 UTC in summer.
        assert_eq!(state(&job, None, "2026-07-02T00:14:59Z", past("2026-07-01T00:16:00Z")), State::Done);
        assert_eq!(state(&job, None, "2026-07-02T00:15:00Z", past("2026-07-01T00:16:00Z")), State::Due);
        assert_eq!(state(&job, None, "2026-07-02T04:15:00Z", past("2026-07-01T00:16:00Z")), State::Due);
        assert_eq!(state(&job, None, "2026-07-02T04:15:01Z", past("2026-07-01T00:16:00Z")), State::Missed);
        assert_eq!(state(&job, None, "2026-07-02T04:15:01Z", past("2026-07-02T00:15:00Z")), State::Done);
        assert_eq!(state(&job, None, "2026-07-02T04:15:01Z", Past::default()), State::Missed);
    }

    #[test]
    fn one_that_failed_is_tried_again_later_and_not_at_once() {
        let job = job("0 2 * * *", 720, 30);
        let past = Past { done: None, failed: Some(at("2026-07-02T00:10:00Z")) };
        assert_eq!(
            state(&job, None, "2026-07-02T00:20:00Z", past),
            State::Again { at: at("2026-07-02T00:40:00Z") }
        );
        assert_eq!(state(&job, None, "2026-07-02T00:40:00Z", past), State::Due);
        // A failure of the day before is over.
        let past = Past { done: None, failed: Some(at("2026-07-01T23:59:00Z")) };
        assert_eq!(state(&job, None, "2026-07-02T00:00:00Z", past), State::Due);
    }

    #[test]
    fn outside_of_its_hours_it_waits_for_them() {
        let job = job("0 20 * * *", 720, 30);
        let clock = |hour| ClockTime(jiff::civil::time(hour, 0, 0, 0));
        let hours = Hours { from: clock(22), to: clock(5) };
        assert_eq!(
            state(&job, Some(hours), "2026-07-02T18:00:00Z", Past::default()),
            State::Waiting { until: at("2026-07-02T20:00:00Z") }
        );
        assert_eq!(state(&job, Some(hours), "2026-07-02T20:00:00Z", Past::default()), State::Due);
        assert_eq!(state(&job, Some(hours), "2026-07-03T02:59:00Z", Past::default()), State::Due);
    }

    #[test]
    fn a_clock_that_leaps_or_turns_back_neither_skips_a_day_nor_doubles_it() {
        // On 29 March 2026 02:15 does not come in Paris; on 25 October it comes twice.
        let job = job("15 2 * * *", 720, 30);
        let zone = Zone::named("Europe/Paris").unwrap();
        let times = Times { job: &job, zone: &zone, hours: None, later: SignedDuration::ZERO };
        let mut seen = Vec::new();
        let mut now = at("2026-03-28T12:00:00Z");
        while seen.len() < 220 {
            let next = times.at(now, Past::default()).1.unwrap();
            seen.push(next.to_zoned(zone.time_zone().clone()).date());
            now = next;
        }
        let days: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!(days.len(), seen.len());
        let (first, last) = (seen.first().unwrap(), seen.last().unwrap());
        assert_eq!(first.until(*last).unwrap().get_days(), 219);
    }

    #[test]
    fn a_delay_is_always_the_same_and_never_longer_than_its_jitter() {
        let mut job = job("0 2 * * *", 720, 30);
        job.jitter = Period::minutes(20);
        let delays: std::collections::BTreeSet<_> =
            (0..50).map(|number| later(&job, &["shop", "backup", &format!("t{number}")])).collect();
        assert!(delays.len() > 40, "{delays:?}");
        assert!(delays.iter().all(|delay| *delay <= SignedDuration::from_mins(20)));
        assert_eq!(later(&job, &["shop", "backup", "a"]), later(&job, &["shop", "backup", "a"]));
        job.jitter = Period::seconds(0);
        assert_eq!(later(&job, &["shop", "backup", "a"]), SignedDuration::ZERO);
    }
}
