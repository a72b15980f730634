//! The watch: requests of the public and synthetic ones, judged at fixed times against the baseline.

use std::time::Duration;

use eclusa_fault::Result;
use eclusa_model::TenantName;
use eclusa_ports::Clock;
use eclusa_runbook::{
    Evidence, HttpProbe, LogRule, ProbeRoute, Sample, Verdict, VerdictKind, WatchRule, judge_watch,
};
use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::{Earlier, LINES_KEPT, Samples, error_lines, probes};
use crate::context::Context;

/// Of the public's requests, at most so many per tenant and interval go into the journal, evenly picked.
const TRAFFIC_KEPT: usize = 500;
/// The shortest interval, at the end of a watch.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(200);
/// A clock that goes wrong by less is not taken to be stepped: it drifts, or the machine is busy.
const STEP: SignedDuration = SignedDuration::from_secs(2);

pub(super) async fn watch(
    context: &Context,
    probes: &[HttpProbe],
    rule: &WatchRule,
    logs: &LogRule,
    earlier: Earlier,
    samples: Samples,
) -> Result<(Evidence, Verdict)> {
    let clock = &context.ports.clock;
    let steady = Steady::since(clock.as_ref(), earlier.began, rule.seconds);
    let began = steady.began;
    let served = context.plan.tenants.iter().map(|tenant| tenant.name.clone());
    let tenants: Vec<TenantName> = served.filter(|tenant| !context.back.contains(tenant)).collect();
    let mut collected = earlier.samples;
    let mut seen_until = collected.iter().map(|sample| sample.at).max().unwrap_or(began);
    loop {
        let interval = Duration::from_secs(rule.interval.max(1)).min(steady.left()).max(SHORTEST_INTERVAL);
        let mut new = synthetic(context, probes, rule, interval).await?;
        let asked_at = clock.now();
        new.extend(traffic(context, &tenants, seen_until, asked_at).await?);
        seen_until = asked_at;
        steady.set_right(&mut new, asked_at);
        collected.extend(new.iter().cloned());
        let mut lines = error_lines(context, logs, began, &earlier.known_lines).await?;
        let found = lines.len() as u64;
        let (verdict, facts) = judge_watch(rule, began, &earlier.baseline, &collected, &tenants, found);
        if steady.left().is_zero() || verdict.kind == VerdictKind::NoGo {
            lines.truncate(LINES_KEPT);
            return Ok((Evidence { samples: new, facts, lines }, verdict));
        }
        // A closed channel means that the run was stopped: so is the watch.
        if samples.send(Evidence { samples: new, ..Evidence::default() }).await.is_err() {
            return Ok((Evidence::default(), Verdict { kind: VerdictKind::Hold, reasons: Vec::new() }));
        }
    }
}

/// The time of a watch, which takes as long as it should whatever becomes of the machine's clock meanwhile: that may be
/// stepped, back or forward, in the middle of it.
struct Steady {
    /// When the watch began, by the clock.
    began: Timestamp,
    /// How long it had gone on when this process took it up.
    before: Duration,
    taken_up: Instant,
    length: Duration,
}

impl Steady {
    fn since(clock: &dyn Clock, began: Option<Timestamp>, seconds: u64) -> Self {
        let (now, length) = (clock.now(), Duration::from_secs(seconds));
        let began = began.unwrap_or(now);
        // A clock that was stepped back before an interrupted watch was taken up: it begins anew.
        let before = Duration::try_from(now.duration_since(began)).unwrap_or_default();
        Self { began, before, taken_up: Instant::now(), length }
    }

    fn passed(&self) -> Duration {
        self.before + self.taken_up.elapsed()
    }

    fn left(&self) -> Duration {
        self.length.saturating_sub(self.passed())
    }

    /// Gives samples of a clock that was stepped (it says `now`) the time that it would be without.
    fn set_right(&self, samples: &mut [Sample], now: Timestamp) {
        let Ok(passed) = SignedDuration::try_from(self.passed()) else { return };
        let Ok(right) = self.began.checked_add(passed) else { return };
        let stepped = right.duration_since(now);
        if stepped.abs() < STEP {
            return;
        }
        for sample in samples {
            sample.at = sample.at.checked_add(stepped).unwrap_or(right);
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
    let ends = Instant::now() + interval;
    let mut samples = Vec::new();
    if probes.is_empty() || rule.synthetic_per_second <= 0.0 {
        tokio::time::sleep_until(ends).await;
        return Ok(samples);
    }
    let base = probes::base(context, ProbeRoute::SideDoor).await?;
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(1.0 / rule.synthetic_per_second.min(50.0)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut turn = 0;
    while Instant::now() < ends {
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
async fn traffic(
    context: &Context,
    tenants: &[TenantName],
    since: Timestamp,
    until: Timestamp,
) -> Result<Vec<Sample>> {
    let Some(edge) = &context.ports.edge else { return Ok(Vec::new()) };
    let mut samples = Vec::new();
    for tenant in tenants {
        let mut own = edge.samples(tenant, since).await?;
        // From before the clock was stepped back: they were taken already, and would be again each time.
        own.retain(|sample| sample.at.duration_since(until) < STEP);
        let every = own.len().div_ceil(TRAFFIC_KEPT).max(1);
        samples.extend(own.into_iter().step_by(every));
    }
    Ok(samples)
}
