//! The statistics of gates: pure functions of samples (DESIGN section 6).

use std::collections::{BTreeMap, BTreeSet};

use eclusa_fault::Message;
use eclusa_model::TenantName;
use jiff::Timestamp;
use statrs::distribution::{ContinuousCDF, Normal};

use crate::{Fact, Sample, Verdict, VerdictKind, WatchRule};

/// The standard normal quantile of 97.5 %, for two-sided bounds at 95 %.
const Z_95: f64 = 1.959_963_984_540_054;
/// Below this many samples an error rate above the ceiling is no no-go yet.
const MINIMUM_FOR_NO_GO: usize = 20;
/// A median that rose by less than this is no slowdown, whatever its ratio: on answers of a millisecond, the
/// scheduler and the network make such differences by themselves.
const SLOWDOWN_FLOOR_MICROSECONDS: f64 = 10_000.0;
/// The confidence of the one-sided Mann-Whitney test.
const LATENCY_CONFIDENCE: f64 = 0.98;

/// The Wilson score interval of a share at 95 % (Wilson 1927). With no samples it is 0 to 1.
#[must_use]
pub fn wilson(successes: usize, total: usize) -> (f64, f64) {
    if total == 0 {
        return (0.0, 1.0);
    }
    let (k, n) = (successes as f64, total as f64);
    let share = k / n;
    let squared = Z_95 * Z_95;
    let middle = (share + squared / (2.0 * n)) / (1.0 + squared / n);
    let half = Z_95 / (1.0 + squared / n) * (share * (1.0 - share) / n + squared / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

/// The median; none of an empty set.
#[must_use]
pub fn median(values: &[u64]) -> Option<u64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => sorted.get(middle).copied(),
        _ => Some(sorted.get(middle - 1)?.midpoint(*sorted.get(middle)?)),
    }
}

/// How later latencies compare with earlier ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LatencyComparison {
    /// The median of the later ones over that of the earlier ones.
    pub ratio: f64,
    /// The difference of the medians.
    pub difference: f64,
    /// How sure it is that the later ones are higher: one minus the p-value of the one-sided Mann-Whitney test.
    pub confidence: f64,
}

/// Compares latencies by the one-sided Mann-Whitney U test, with the normal approximation and the correction for
/// ties (Mann and Whitney 1947). None where either side has fewer than eight values, for which the approximation is poor.
#[must_use]
pub fn compare_latency(earlier: &[u64], later: &[u64]) -> Option<LatencyComparison> {
    if earlier.len() < 8 || later.len() < 8 {
        return None;
    }
    let (before, after) = (median(earlier)? as f64, median(later)? as f64);
    let ratio = after / before.max(1.0);
    let mut all: Vec<(u64, bool)> =
        earlier.iter().map(|value| (*value, false)).chain(later.iter().map(|value| (*value, true))).collect();
    all.sort_unstable();
    let (n1, n2) = (later.len() as f64, earlier.len() as f64);
    let n = n1 + n2;
    let mut rank_sum = 0.0;
    let mut ties = 0.0;
    let mut start = 0;
    for group in all.chunk_by(|left, right| left.0 == right.0) {
        let length = group.len() as f64;
        let rank = start as f64 + (length + 1.0) / 2.0;
        rank_sum += rank * group.iter().filter(|(_, is_later)| *is_later).count() as f64;
        ties += length * length * length - length;
        start += group.len();
    }
    let u = rank_sum - n1 * (n1 + 1.0) / 2.0;
    let variance = n1 * n2 / 12.0 * ((n + 1.0) - ties / (n * (n - 1.0)));
    let confidence = if variance <= 0.0 {
        0.5
    } else {
        // The continuity correction makes the test a little more careful.
        let z = (u - n1 * n2 / 2.0 - 0.5) / variance.sqrt();
        Normal::standard().cdf(z)
    };
    Some(LatencyComparison { ratio, difference: after - before, confidence })
}

fn percent(share: f64) -> String {
    format!("{:.1}", share * 100.0)
}

/// Judges a watch: error rate, latency ceiling and slowdown per tenant, new error lines for all. `began` is when
/// the watch began; samples of its warm-up are dropped.
#[must_use]
pub fn judge_watch(
    rule: &WatchRule,
    began: Timestamp,
    baseline: &[Sample],
    samples: &[Sample],
    tenants: &[TenantName],
    new_error_lines: u64,
) -> (Verdict, Vec<Fact>) {
    let mut facts = Vec::new();
    let warm = began.checked_add(jiff::SignedDuration::from_secs(rule.warm_up as i64)).unwrap_or(began);
    let counted: Vec<&Sample> = samples.iter().filter(|sample| sample.at >= warm).collect();
    for tenant in tenants {
        let own: Vec<&Sample> = counted.iter().copied().filter(|sample| sample.tenant == *tenant).collect();
        facts.push(judge_errors(rule, tenant, &own));
        facts.push(judge_ceiling(rule, tenant, &own));
        facts.extend(judge_slowdown(rule, tenant, baseline, &own));
    }
    let verdict = if new_error_lines > rule.log_errors { VerdictKind::NoGo } else { VerdictKind::Go };
    facts.push(Fact {
        text: Message::new("fact-log-errors").with("found", new_error_lines).with("most", rule.log_errors),
        verdict,
    });
    (Verdict::of_facts(&facts), facts)
}

fn judge_errors(rule: &WatchRule, tenant: &TenantName, own: &[&Sample]) -> Fact {
    let bad = own.iter().filter(|sample| !sample.good).count();
    let (low, high) = wilson(bad, own.len());
    let verdict = if own.len() >= MINIMUM_FOR_NO_GO && low > rule.error_rate {
        VerdictKind::NoGo
    } else if own.len() >= rule.minimum_samples && high < rule.error_rate {
        VerdictKind::Go
    } else {
        VerdictKind::Hold
    };
    let text = Message::new("fact-error-rate")
        .with("tenant", tenant)
        .with("bad", bad)
        .with("all", own.len())
        .with("low", percent(low))
        .with("high", percent(high))
        .with("most", percent(rule.error_rate));
    Fact { text, verdict }
}

fn judge_ceiling(rule: &WatchRule, tenant: &TenantName, own: &[&Sample]) -> Fact {
    let ceiling = rule.latency_milliseconds.saturating_mul(1000);
    let times: Vec<u64> = own.iter().map(|sample| sample.microseconds).collect();
    let over = times.iter().filter(|time| **time > ceiling).count();
    // The median is above the ceiling when more than half of the answers are.
    let (low, high) = wilson(over, times.len());
    let verdict = if times.len() >= MINIMUM_FOR_NO_GO && low > 0.5 {
        VerdictKind::NoGo
    } else if times.len() >= rule.minimum_samples && high < 0.5 {
        VerdictKind::Go
    } else {
        VerdictKind::Hold
    };
    let text = Message::new("fact-latency")
        .with("tenant", tenant)
        .with("median", median(&times).map_or("–".to_owned(), |time| format!("{:.1}", time as f64 / 1000.0)))
        .with("most", rule.latency_milliseconds);
    Fact { text, verdict }
}

/// Slowdown is judged per probe, so that like is compared with like; requests of the public have no baseline. Only
/// good answers are compared: a refused connection takes no time, and makes everything after it look slow. A probe that
/// was never answered well before has nothing to be compared with (the first release of a stack).
fn judge_slowdown(rule: &WatchRule, tenant: &TenantName, baseline: &[Sample], own: &[&Sample]) -> Vec<Fact> {
    let sources: BTreeSet<&str> = baseline
        .iter()
        .filter(|sample| sample.good && sample.tenant == *tenant)
        .map(|sample| sample.source.as_str())
        .collect();
    let mut times: BTreeMap<&str, (Vec<u64>, Vec<u64>)> = BTreeMap::new();
    for source in sources {
        let before = baseline
            .iter()
            .filter(|s| s.good && s.tenant == *tenant && s.source == source)
            .map(|s| s.microseconds)
            .collect();
        let after = own.iter().filter(|s| s.good && s.source == source).map(|s| s.microseconds).collect();
        times.insert(source, (before, after));
    }
    times
        .into_iter()
        .map(|(source, (before, after))| {
            let text = Message::new("fact-slowdown").with("tenant", tenant).with("probe", source);
            match compare_latency(&before, &after) {
                None => Fact {
                    text: text.with("ratio", "–").with("most", rule.slowdown),
                    verdict: VerdictKind::Hold,
                },
                Some(found) => Fact {
                    text: text.with("ratio", format!("{:.2}", found.ratio)).with("most", rule.slowdown),
                    verdict: if found.ratio > rule.slowdown
                        && found.difference > SLOWDOWN_FLOOR_MICROSECONDS
                        && found.confidence > LATENCY_CONFIDENCE
                    {
                        VerdictKind::NoGo
                    } else {
                        VerdictKind::Go
                    },
                },
            }
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn rule() -> WatchRule {
        WatchRule {
            seconds: 60,
            warm_up: 2,
            interval: 5,
            error_rate: 0.05,
            slowdown: 1.5,
            latency_milliseconds: 500,
            minimum_samples: 20,
            synthetic_per_second: 1.0,
            log_errors: 0,
        }
    }

    fn tenant() -> TenantName {
        TenantName::new("alpha").unwrap()
    }

    fn samples(count: usize, bad: usize, microseconds: u64) -> Vec<Sample> {
        (0..count)
            .map(|number| Sample {
                at: Timestamp::from_second(100 + number as i64 / 10).unwrap(),
                tenant: tenant(),
                source: "p".to_owned(),
                good: number >= bad,
                status: if number >= bad { 200 } else { 500 },
                microseconds: microseconds + number as u64 % 7,
                problem: None,
            })
            .collect()
    }

    fn judged(baseline: &[Sample], found: &[Sample], lines: u64) -> VerdictKind {
        judge_watch(&rule(), Timestamp::from_second(98).unwrap(), baseline, found, &[tenant()], lines).0.kind
    }

    #[test]
    fn seventy_three_samples_without_an_error_are_go_for_five_percent_and_one_less_is_not() {
        let baseline = samples(30, 0, 1000);
        assert_eq!(judged(&baseline, &samples(73, 0, 1000), 0), VerdictKind::Go);
        assert_eq!(judged(&baseline, &samples(72, 0, 1000), 0), VerdictKind::Hold);
    }

    #[test]
    fn errors_need_twenty_samples_and_a_lower_bound_above_the_ceiling() {
        let baseline = samples(30, 0, 1000);
        assert_eq!(judged(&baseline, &samples(19, 19, 1000), 0), VerdictKind::Hold);
        assert_eq!(judged(&baseline, &samples(20, 20, 1000), 0), VerdictKind::NoGo);
        // One bad answer of twenty may be an accident.
        assert_eq!(judged(&baseline, &samples(20, 1, 1000), 0), VerdictKind::Hold);
    }

    #[test]
    fn a_slowdown_is_no_go_only_when_it_is_large_sure_and_noticeable() {
        let baseline = samples(30, 0, 40_000);
        assert_eq!(judged(&baseline, &samples(100, 0, 90_000), 0), VerdictKind::NoGo);
        assert_eq!(judged(&baseline, &samples(100, 0, 50_000), 0), VerdictKind::Go);
        // Nothing was answered before: there is no speed to compare with, however fast the refusals were.
        assert_eq!(judged(&samples(30, 30, 100), &samples(100, 0, 90_000), 0), VerdictKind::Go);
        // Three times a millisecond is nothing that anyone notices.
        assert_eq!(judged(&samples(30, 0, 1000), &samples(100, 0, 3000), 0), VerdictKind::Go);
    }

    #[test]
    fn the_ceiling_and_new_error_lines_are_judged_by_themselves() {
        assert_eq!(judged(&samples(30, 0, 600_000), &samples(100, 0, 600_000), 0), VerdictKind::NoGo);
        assert_eq!(judged(&samples(30, 0, 1000), &samples(100, 0, 1000), 1), VerdictKind::NoGo);
    }

    #[test]
    fn the_warm_up_does_not_count() {
        let mut found = samples(100, 0, 1000);
        for sample in found.iter_mut().take(30) {
            sample.good = false;
            sample.at = Timestamp::from_second(99).unwrap();
        }
        // 70 are left, which is too few for a go, and none of the bad ones speaks against it.
        assert_eq!(judged(&samples(30, 0, 1000), &found, 0), VerdictKind::Hold);
    }

    #[test]
    fn wilson_is_as_published() {
        // Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611.
        let (low, high) = wilson(81, 263);
        assert!((low - 0.2553).abs() < 1e-4 && (high - 0.3662).abs() < 1e-4);
        let (low, high) = wilson(0, 20);
        assert!(low.abs() < 1e-9 && (high - 0.1611).abs() < 1e-4);
    }
}
