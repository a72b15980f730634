//! The gates of a run with their evidence, kept to a size that a browser shows.

use std::collections::BTreeMap;

use eclusa_fault::Language;
use eclusa_runbook::{Action, Evidence, Gate, GateKind, Run, Sample, Step, median};
use jiff::{SignedDuration, Timestamp};

use crate::describe::gate_question;
use crate::model::{FactReport, GateReport, SampleReport, SeriesReport};

/// Of one gate, no more samples than this are kept in a report, unless more of them failed.
const MOST_SAMPLES: usize = 2000;

/// The gates that were begun, in the order of the plan.
pub(crate) fn of(run: &Run, language: &Language) -> Vec<GateReport> {
    run.plan
        .steps
        .iter()
        .filter(|step| run.is_touched(&step.name))
        .filter_map(|step| match &step.action {
            Action::Judge(gate) => Some(tell(run, step, gate, language)),
            _ => None,
        })
        .collect()
}

fn tell(run: &Run, step: &Step, gate: &Gate, language: &Language) -> GateReport {
    let none = Evidence::default();
    let evidence = run.evidence.get(&step.name).unwrap_or(&none);
    let began = run.timings.get(&step.name).and_then(|timing| timing.began);
    let (limit_milliseconds, warm_up_until, baseline) = match &gate.kind {
        GateKind::Watch { rule, baseline, .. } => {
            let warm_up = SignedDuration::from_secs(i64::try_from(rule.warm_up).unwrap_or(0));
            let until = began.and_then(|began| began.checked_add(warm_up).ok());
            let baseline = run.evidence.get(&baseline.step).map(|evidence| evidence.samples.as_slice());
            (Some(rule.latency_milliseconds), until, baseline.unwrap_or_default())
        }
        _ => (None, None, [].as_slice()),
    };
    GateReport {
        step: step.name.to_string(),
        title: step.title.render(language),
        phase: step.phase.word().to_owned(),
        asks: gate_question(&gate.kind, language),
        verdict: run.verdicts.get(&step.name).map(|verdict| verdict.kind),
        facts: evidence
            .facts
            .iter()
            .map(|fact| FactReport { verdict: fact.verdict, text: fact.text.render(language) })
            .collect(),
        lines: evidence.lines.clone(),
        sample_count: evidence.samples.len(),
        bad_count: evidence.samples.iter().filter(|sample| !sample.good).count(),
        samples: chosen(&evidence.samples).into_iter().map(told).collect(),
        series: series(&evidence.samples, baseline, warm_up_until),
        limit_milliseconds,
        warm_up_until,
    }
}

fn told(sample: &Sample) -> SampleReport {
    SampleReport {
        at: sample.at,
        tenant: sample.tenant.to_string(),
        source: sample.source.clone(),
        good: sample.good,
        status: sample.status,
        milliseconds: sample.microseconds as f64 / 1000.0,
        problem: sample.problem.clone(),
    }
}

/// All samples, or every failed one and an even choice of the others.
fn chosen(samples: &[Sample]) -> Vec<&Sample> {
    if samples.len() <= MOST_SAMPLES {
        return samples.iter().collect();
    }
    let good = samples.iter().filter(|sample| sample.good).count();
    let room = MOST_SAMPLES.saturating_sub(samples.len() - good);
    let mut seen = 0;
    samples
        .iter()
        .filter(|sample| {
            if !sample.good {
                return true;
            }
            // Of `good` samples `room` are kept: those at which the share that is due grows by one.
            let due = |count: usize| count * room / good.max(1);
            seen += 1;
            due(seen) > due(seen - 1)
        })
        .collect()
}

/// What was measured per tenant and source. The warm-up is not counted, as the gate does not count it either.
fn series(samples: &[Sample], baseline: &[Sample], warm_up_until: Option<Timestamp>) -> Vec<SeriesReport> {
    let mut groups: BTreeMap<(&str, &str), (usize, Vec<u64>)> = BTreeMap::new();
    for sample in samples.iter().filter(|sample| warm_up_until.is_none_or(|until| sample.at >= until)) {
        let (bad, times) = groups.entry((sample.tenant.as_str(), sample.source.as_str())).or_default();
        *bad += usize::from(!sample.good);
        times.push(sample.microseconds);
    }
    groups
        .into_iter()
        .map(|((tenant, source), (bad, times))| {
            let own = |sample: &&Sample| sample.tenant.as_str() == tenant && sample.source == source;
            let before: Vec<u64> = baseline.iter().filter(own).map(|sample| sample.microseconds).collect();
            SeriesReport {
                tenant: tenant.to_owned(),
                source: source.to_owned(),
                count: times.len(),
                bad,
                median_milliseconds: median(&times).map_or(0.0, |time| time as f64 / 1000.0),
                baseline_milliseconds: median(&before).map(|time| time as f64 / 1000.0),
            }
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn samples(count: usize, bad: impl Fn(usize) -> bool) -> Vec<Sample> {
        (0..count)
            .map(|number| Sample {
                at: Timestamp::from_millisecond(number as i64).unwrap(),
                tenant: "alpha".parse().unwrap(),
                source: "traffic".to_owned(),
                good: !bad(number),
                status: 200,
                microseconds: number as u64,
                problem: None,
            })
            .collect()
    }

    #[test]
    fn few_samples_are_all_kept() {
        assert_eq!(chosen(&samples(MOST_SAMPLES, |_| false)).len(), MOST_SAMPLES);
    }

    #[test]
    fn of_many_samples_every_failed_one_is_kept_and_the_rest_evenly() {
        let all = samples(10_000, |number| number % 100 == 7);
        let kept = chosen(&all);
        assert_eq!(kept.len(), MOST_SAMPLES);
        assert_eq!(kept.iter().filter(|sample| !sample.good).count(), 100);
        // Every tenth of the time has about a tenth of what was kept.
        for part in 0..10_u64 {
            let own = kept.iter().filter(|sample| sample.microseconds / 1000 == part).count();
            assert!((190..=210).contains(&own), "part {part} has {own}");
        }
    }

    #[test]
    fn more_failed_samples_than_fit_are_all_kept() {
        let all = samples(5000, |number| number % 2 == 0);
        assert_eq!(chosen(&all).iter().filter(|sample| !sample.good).count(), 2500);
        assert_eq!(chosen(&all).len(), 2500);
    }
}
