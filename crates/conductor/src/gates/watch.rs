//! The watch: requests of the public and synthetic ones, judged at fixed times against the baseline.

use std::time::Duration;

use eclusa_fault::Result;
use eclusa_model::TenantName;
use eclusa_runbook::{
    Evidence, HttpProbe, LogRule, ProbeRoute, Sample, Verdict, VerdictKind, WatchRule, judge_watch,
};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::{Earlier, LINES_KEPT, Samples, error_lines, probes};
use crate::context::Context;

/// Of the public's requests, at most so many per tenant and interval go into the journal, evenly picked.
const TRAFFIC_KEPT: usize = 500;

pub(super) async fn watch(
    context: &Context,
    probes: &[HttpProbe],
    rule: &WatchRule,
    logs: &LogRule,
    earlier: Earlier,
    samples: Samples,
) -> Result<(Evidence, Verdict)> {
    let clock = &context.ports.clock;
    let began = earlier.began.unwrap_or_else(|| clock.now());
    let ends = began.checked_add(SignedDuration::from_secs(rule.seconds as i64)).unwrap_or(began);
    let tenants: Vec<TenantName> = context.plan.tenants.iter().map(|tenant| tenant.name.clone()).collect();
    let mut collected = earlier.samples;
    let mut seen_until = collected.iter().map(|sample| sample.at).max().unwrap_or(began);
    loop {
        let left = ends.duration_since(clock.now());
        let interval = SignedDuration::from_secs(rule.interval.max(1) as i64)
            .min(left)
            .max(SignedDuration::from_millis(200));
        let interval = Duration::try_from(interval).unwrap_or(Duration::from_secs(1));
        let mut new = synthetic(context, probes, rule, interval).await?;
        let asked_at = clock.now();
        new.extend(traffic(context, &tenants, seen_until).await?);
        seen_until = asked_at;
        collected.extend(new.iter().cloned());
        let mut lines = error_lines(context, logs, began, &earlier.known_lines).await?;
        let found = lines.len() as u64;
        let (verdict, facts) = judge_watch(rule, began, &earlier.baseline, &collected, &tenants, found);
        let over = clock.now() >= ends;
        if over || verdict.kind == VerdictKind::NoGo {
            lines.truncate(LINES_KEPT);
            return Ok((Evidence { samples: new, facts, lines }, verdict));
        }
        // A closed channel means that the run was stopped: so is the watch.
        if samples.send(Evidence { samples: new, ..Evidence::default() }).await.is_err() {
            return Ok((Evidence::default(), Verdict { kind: VerdictKind::Hold, reasons: Vec::new() }));
        }
    }
}

/// Sends the probes evenly over an interval, by the side door, as the baseline was taken.
async fn synthetic(
    context: &Context,
    probes: &[HttpProbe],
    rule: &WatchRule,
    interval: Duration,
) -> Result<Vec<Sample>> {
    let ends = tokio::time::Instant::now() + interval;
    let mut samples = Vec::new();
    if probes.is_empty() || rule.synthetic_per_second <= 0.0 {
        tokio::time::sleep_until(ends).await;
        return Ok(samples);
    }
    let base = probes::base(context, ProbeRoute::SideDoor).await?;
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rule.synthetic_per_second.min(50.0)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut turn = 0;
    while tokio::time::Instant::now() < ends {
        tokio::select! {
            _ = ticks.tick() => {}
            () = tokio::time::sleep_until(ends) => break,
        }
        // Each tenant's probes take turns.
        let mut per_tenant: std::collections::BTreeMap<&TenantName, Vec<&HttpProbe>> =
            std::collections::BTreeMap::new();
        for probe in probes {
            per_tenant.entry(&probe.tenant).or_default().push(probe);
        }
        let chosen = per_tenant.values().filter_map(|own| own.get(turn % own.len().max(1)).copied());
        samples.extend(join_all(chosen.map(|probe| context.ports.http.ask(probe, &base))).await);
        turn += 1;
    }
    Ok(samples)
}

/// What the public saw, where an edge counts it.
async fn traffic(context: &Context, tenants: &[TenantName], since: Timestamp) -> Result<Vec<Sample>> {
    let Some(edge) = &context.ports.edge else { return Ok(Vec::new()) };
    let mut samples = Vec::new();
    for tenant in tenants {
        let own = edge.samples(tenant, since).await?;
        let every = own.len().div_ceil(TRAFFIC_KEPT).max(1);
        samples.extend(own.into_iter().step_by(every));
    }
    Ok(samples)
}
