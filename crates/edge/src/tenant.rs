//! One tenant while the edge runs: who is let in, who is inside, and where requests go.

use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{HoldLimits, Limits, Upstream};
use crate::proxy::{UpstreamClient, upstream_client};
use crate::samples::Meter;
use crate::state::{Closure, Gate};

/// One tenant's gate, counters and route.
pub(crate) struct Tenant {
    pub name: String,
    pub configured: Upstream,
    pub gate: watch::Sender<Gate>,
    pub in_flight: Gauge,
    pub upgraded: Gauge,
    pub waiting: Gauge,
    pub meter: Meter,
    route: RwLock<Route>,
    /// Cuts the upgraded connections of the present opening; replaced when the gate opens anew.
    cut: Mutex<CancellationToken>,
}

/// Where requests go, with the connections to there.
#[derive(Clone)]
pub(crate) struct Route {
    pub upstream: Upstream,
    pub client: UpstreamClient,
}

/// How many there are of something, to be waited on.
#[derive(Clone)]
pub(crate) struct Gauge(Arc<watch::Sender<u64>>);

/// One of the counted; it counts until it is dropped.
pub(crate) struct Counted(Gauge);

/// A request that was let in.
pub(crate) struct Admission {
    /// Keeps the request counted as in flight.
    pub _in_flight: Counted,
    /// Cuts the connection, should it be upgraded and outlive the gate's grace.
    pub cut: CancellationToken,
}

/// Why a request was not let in.
#[derive(Debug)]
pub(crate) enum Refusal {
    Closed(Closure),
    HoldFull,
    HoldTimeout,
    Stopping,
}

impl Tenant {
    pub fn new(name: String, configured: Upstream, upstream: Upstream, gate: Gate, limits: &Limits) -> Self {
        Self {
            name,
            configured,
            gate: watch::Sender::new(gate),
            in_flight: Gauge::new(),
            upgraded: Gauge::new(),
            waiting: Gauge::new(),
            meter: Meter::new(limits.samples_kept),
            route: RwLock::new(Route { upstream, client: upstream_client(limits) }),
            cut: Mutex::new(CancellationToken::new()),
        }
    }

    pub fn route(&self) -> Route {
        self.route.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends later requests elsewhere. Connections kept for the earlier ones are not used again, even when the
    /// upstream has the same name: behind it may stand another container by now.
    pub fn set_route(&self, upstream: Upstream, limits: &Limits) {
        let route = Route { upstream, client: upstream_client(limits) };
        *self.route.write().unwrap_or_else(PoisonError::into_inner) = route;
    }

    /// Makes the gate visible to requests; those that wait at a held gate go on or are refused.
    pub fn show(&self, gate: Gate) {
        // The lock is held until the gate is shown, so that a cut never falls between the new token and the opening.
        let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(gate, Gate::Closed(_)) && cut.is_cancelled() {
            *cut = CancellationToken::new();
        }
        self.gate.send_replace(gate);
    }

    /// Cuts the upgraded connections once the grace has passed, unless the gate is no longer closed by then.
    pub async fn cut_after(&self, grace: Duration) {
        let mut gate = self.gate.subscribe();
        let reopened = gate.wait_for(|gate| !matches!(gate, Gate::Closed(_)));
        if tokio::time::timeout(grace, reopened).await.is_ok() {
            return;
        }
        let cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*self.gate.borrow(), Gate::Closed(_)) {
            cut.cancel();
        }
    }

    fn cut_token(&self) -> CancellationToken {
        self.cut.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets a request in, makes it wait, or refuses it, as the gate says.
    pub async fn admit(
        &self,
        limits: &HoldLimits,
        stopping: &CancellationToken,
    ) -> Result<Admission, Refusal> {
        let mut gate = self.gate.subscribe();
        let arrived = Instant::now();
        let deadline = arrived + Duration::from_secs(limits.max_wait_seconds);
        let mut waiting: Option<Counted> = None;
        loop {
            // Counted before the gate is looked at: whoever closes the gate and then sees nobody in flight has
            // seen everybody who got in.
            let in_flight = self.in_flight.enter();
            let seen = gate.borrow_and_update().clone();
            match seen {
                Gate::Open => {
                    if waiting.is_some() {
                        self.waited(arrived.elapsed());
                    }
                    return Ok(Admission { _in_flight: in_flight, cut: self.cut_token() });
                }
                Gate::Closed(closure) => return Err(Refusal::Closed(closure)),
                Gate::Held(_) => drop(in_flight),
            }
            if waiting.is_none() {
                waiting = Some(self.waiting.enter_below(limits.max_requests).ok_or(Refusal::HoldFull)?);
                self.meter.count(|totals| totals.held += 1);
            }
            tokio::select! {
                _ = gate.changed() => {}
                () = tokio::time::sleep_until(deadline) => return Err(Refusal::HoldTimeout),
                () = stopping.cancelled() => return Err(Refusal::Stopping),
            }
        }
    }

    fn waited(&self, time: Duration) {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.meter.count(|totals| {
            totals.longest_hold_milliseconds = totals.longest_hold_milliseconds.max(milliseconds);
        });
    }
}

impl Gauge {
    fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    pub fn enter(&self) -> Counted {
        self.0.send_modify(|count| *count += 1);
        Counted(self.clone())
    }

    fn enter_below(&self, most: u64) -> Option<Counted> {
        let entered = self.0.send_if_modified(|count| {
            let fits = *count < most;
            *count += u64::from(fits);
            fits
        });
        entered.then(|| Counted(self.clone()))
    }

    pub fn count(&self) -> u64 {
        *self.0.borrow()
    }

    /// Waits until there is none, or the deadline has come; tells how many there are then.
    pub async fn empty_by(&self, deadline: Instant) -> u64 {
        let mut receiver = self.0.subscribe();
        let empty = receiver.wait_for(|count| *count == 0);
        match tokio::time::timeout_at(deadline, empty).await {
            Ok(_) => 0,
            Err(_) => self.count(),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.send_modify(|count| *count = count.saturating_sub(1));
    }
}
