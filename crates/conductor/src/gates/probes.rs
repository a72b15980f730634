//! HTTP probes: answers that must be right, and answers that are kept as a baseline.

use std::collections::BTreeSet;
use std::time::Duration;

use eclusa_fault::{Message, Result};
use eclusa_runbook::{Evidence, HttpProbe, LogRule, ProbeRoute, Sample, look_of, median};
use futures_util::future::join_all;
use jiff::SignedDuration;

use super::{error_lines, fact};
use crate::context::Context;

pub(super) async fn base(context: &Context, route: ProbeRoute) -> Result<String> {
    match route {
        ProbeRoute::Public => context.ports.runtime.public_address().await,
        ProbeRoute::SideDoor => context.ports.runtime.side_door().await,
    }
}

pub(super) async fn ask_all(
    context: &Context,
    probes: &[HttpProbe],
    route: ProbeRoute,
    attempts: u32,
) -> Result<Evidence> {
    let base = base(context, route).await?;
    let mut evidence = Evidence::default();
    for probe in probes {
        let mut sample = context.ports.http.ask(probe, &base).await;
        for _ in 1..attempts.max(1) {
            if sample.good {
                break;
            }
            evidence.samples.push(sample);
            tokio::time::sleep(Duration::from_secs(1)).await;
            sample = context.ports.http.ask(probe, &base).await;
        }
        evidence.facts.push(fact(sample.good, describe(probe, &sample)));
        evidence.samples.push(sample);
    }
    if probes.is_empty() {
        evidence.facts.push(fact(true, Message::new("fact-no-probes")));
    }
    Ok(evidence)
}

fn describe(probe: &HttpProbe, sample: &Sample) -> Message {
    Message::new(if sample.good { "fact-probe" } else { "fact-probe-failed" })
        .with("tenant", &probe.tenant)
        .with("probe", &probe.name)
        .with("path", &probe.path)
        .with("status", sample.status)
        .with("milliseconds", format!("{:.1}", sample.microseconds as f64 / 1000.0))
        .with("problem", sample.problem.as_deref().unwrap_or(""))
}

/// How far back error lines count as known.
const LOOK_BACK: SignedDuration = SignedDuration::from_hours(24);
/// How many different error lines are kept.
const LOOKS_KEPT: usize = 200;

/// The pause between two samples of a baseline: answers that follow at once on one another come from warm caches and
/// a busy processor, and would make every later, spaced answer look slow.
const PAUSE: Duration = Duration::from_millis(50);

/// Samples for a later comparison, of all tenants side by side, as a watch takes them. It never stops a run by
/// itself: what is slow or broken before the release is no fault of the release, but it is said.
pub(super) async fn baseline(
    context: &Context,
    probes: &[HttpProbe],
    samples: usize,
    logs: &LogRule,
) -> Result<Evidence> {
    let base = base(context, ProbeRoute::SideDoor).await?;
    let mut evidence = Evidence::default();
    let since = context.began_at.checked_sub(LOOK_BACK).unwrap_or(context.began_at);
    let lines = error_lines(context, logs, since, &BTreeSet::new()).await.unwrap_or_default();
    // One line of each look is enough to know it again.
    let mut looks = BTreeSet::new();
    evidence.lines =
        lines.into_iter().filter(|line| looks.insert(look_of(text_of(line)))).take(LOOKS_KEPT).collect();
    let each = join_all(probes.iter().map(|probe| sampled(context, probe, &base, samples))).await;
    for (probe, own) in probes.iter().zip(each) {
        let times: Vec<u64> =
            own.iter().filter(|sample| sample.good).map(|sample| sample.microseconds).collect();
        let text = Message::new("fact-baseline")
            .with("tenant", &probe.tenant)
            .with("probe", &probe.name)
            .with(
                "median",
                median(&times).map_or("–".to_owned(), |time| format!("{:.1}", time as f64 / 1000.0)),
            )
            .with("bad", own.iter().filter(|sample| !sample.good).count())
            .with("all", own.len());
        evidence.facts.push(fact(own.iter().any(|sample| sample.good), text));
        evidence.samples.extend(own);
    }
    if probes.is_empty() {
        evidence.facts.push(fact(true, Message::new("fact-no-probes")));
    }
    Ok(evidence)
}

/// The text of a kept log line, behind its time and service.
pub(crate) fn text_of(line: &str) -> &str {
    line.splitn(3, ' ').nth(2).unwrap_or(line)
}

async fn sampled(context: &Context, probe: &HttpProbe, base: &str, samples: usize) -> Vec<Sample> {
    // The first answers warm caches and are dropped.
    for _ in 0..2 {
        context.ports.http.ask(probe, base).await;
    }
    let mut own = Vec::with_capacity(samples);
    for _ in 0..samples {
        tokio::time::sleep(PAUSE).await;
        own.push(context.ports.http.ask(probe, base).await);
    }
    own
}
