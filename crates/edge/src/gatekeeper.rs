//! What the control calls do: change the ledger, make it durable, show it to the tenants, wait for the drain.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{EdgeConfig, Upstream};
use crate::error::EdgeError;
use crate::persistence::{Restored, Store};
use crate::protocol::{
    CloseRequest, Drained, EdgeStatus, HoldRequest, OpenRequest, Opened, SampleBatch, TenantStats,
    TenantStatus,
};
use crate::state::{CloseOrder, DEFAULT_RETRY_AFTER_SECONDS, Gate, Ledger};
use crate::tenant::Tenant;

/// After the cut, tunnels need a moment to notice.
const CUT_NOTICED: Duration = Duration::from_secs(1);

/// The running edge without its listeners.
pub(crate) struct Gatekeeper {
    pub config: EdgeConfig,
    /// No new requests are taken, and those that wait are sent away.
    pub stopping: CancellationToken,
    /// What is still open is cut.
    pub halted: CancellationToken,
    tenants: BTreeMap<String, Arc<Tenant>>,
    hosts: HashMap<String, Arc<Tenant>>,
    /// The truth on disk, and the order of changes: whoever changes a gate holds it from decision to visibility.
    ledger: Mutex<Ledger>,
    store: Arc<Store>,
    distrust: Option<String>,
    started_at: Timestamp,
    addresses: Addresses,
}

/// Where the edge really listens.
#[derive(Debug, Clone)]
pub(crate) struct Addresses {
    pub public: Vec<SocketAddr>,
    pub side_door: Option<SocketAddr>,
}

impl Gatekeeper {
    pub fn new(
        config: EdgeConfig,
        store: Store,
        restored: Restored,
        addresses: Addresses,
        now: Timestamp,
    ) -> Self {
        let Restored { ledger, distrust } = restored;
        let mut tenants = BTreeMap::new();
        let mut hosts = HashMap::new();
        for entry in &config.tenants {
            let record = ledger.tenants.get(&entry.name);
            let gate = record.map_or(Gate::Open, |record| record.gate.clone());
            let switched = record.and_then(|record| record.switched.as_ref());
            let upstream = switched.map_or(&entry.upstream, |switched| &switched.upstream).clone();
            let tenant = Arc::new(Tenant::new(
                entry.name.clone(),
                entry.upstream.clone(),
                upstream,
                gate,
                &config.limits,
            ));
            for host in &entry.hosts {
                hosts.insert(host.to_ascii_lowercase(), Arc::clone(&tenant));
            }
            tenants.insert(entry.name.clone(), tenant);
        }
        Self {
            config,
            stopping: CancellationToken::new(),
            halted: CancellationToken::new(),
            tenants,
            hosts,
            ledger: Mutex::new(ledger),
            store: Arc::new(store),
            distrust,
            started_at: now,
            addresses,
        }
    }

    /// The tenant of a host (as of [`crate::config::bare_host`]), or the default tenant.
    pub fn tenant_of_host(&self, host: &str) -> Option<Arc<Tenant>> {
        let default = || self.config.default_tenant.as_ref().and_then(|name| self.tenants.get(name));
        self.hosts.get(host).or_else(default).cloned()
    }

    pub async fn close(&self, request: CloseRequest) -> Result<Drained, EdgeError> {
        let began = Instant::now();
        let tenant = self.tenant(&request.tenant)?;
        let cut_before = tenant.meter.totals().websockets_cut;
        let order = CloseOrder {
            message: request.message.unwrap_or_default(),
            retry_after_seconds: request.retry_after_seconds.unwrap_or(DEFAULT_RETRY_AFTER_SECONDS),
            run: request.run,
            force: request.force,
        };
        self.tighten(&tenant, |ledger, now| ledger.close(&tenant.name, order, now)).await?;
        let grace = request.websocket_grace_seconds.unwrap_or(self.config.limits.websocket_grace_seconds);
        let grace = Duration::from_secs(grace);
        let cutting = Arc::clone(&tenant);
        // It goes on when the caller does not wait: a request in flight may still turn into a websocket.
        tokio::spawn(async move { cutting.cut_after(grace).await });
        let in_flight_remaining =
            tenant.in_flight.empty_by(began + Duration::from_secs(request.drain_seconds)).await;
        let websockets_remaining = tenant.upgraded.empty_by(began + grace + CUT_NOTICED).await;
        Ok(Drained {
            in_flight_remaining,
            websockets_cut: tenant.meter.totals().websockets_cut.saturating_sub(cut_before),
            websockets_remaining,
            waited_milliseconds: milliseconds(began.elapsed()),
        })
    }

    pub async fn hold(&self, request: HoldRequest) -> Result<Drained, EdgeError> {
        let began = Instant::now();
        let tenant = self.tenant(&request.tenant)?;
        self.tighten(&tenant, |ledger, now| ledger.hold(&tenant.name, request.run, request.force, now))
            .await?;
        let deadline = began + Duration::from_secs(request.drain_seconds);
        Ok(Drained {
            in_flight_remaining: tenant.in_flight.empty_by(deadline).await,
            websockets_cut: 0,
            websockets_remaining: tenant.upgraded.count(),
            waited_milliseconds: milliseconds(began.elapsed()),
        })
    }

    pub async fn open(&self, request: OpenRequest) -> Result<Opened, EdgeError> {
        let tenant = self.tenant(&request.tenant)?;
        let mut ledger = self.ledger.lock().await;
        let now = Timestamp::now();
        let mut next = ledger.clone();
        next.open(&tenant.name, request.run.as_deref(), request.force, now)?;
        // Durable first: a gate is never open while the disk says closed for a reason nobody was told.
        self.save(&next).await?;
        let closed_milliseconds = next.tenants.get(&tenant.name).map_or(0, |record| record.closed_until(now));
        *ledger = next;
        // Connections from before may lead to a release that is gone.
        tenant.set_route(tenant.route().upstream, &self.config.limits);
        let released = tenant.waiting.count();
        tenant.show(Gate::Open);
        Ok(Opened { released, closed_milliseconds })
    }

    pub async fn set_upstream(&self, tenant: &str, upstream: Upstream) -> Result<(), EdgeError> {
        let tenant = self.tenant(tenant)?;
        let mut ledger = self.ledger.lock().await;
        let mut next = ledger.clone();
        next.set_upstream(&tenant.name, &tenant.configured, upstream.clone())?;
        self.save(&next).await?;
        *ledger = next;
        tenant.set_route(upstream, &self.config.limits);
        Ok(())
    }

    pub async fn status(&self) -> EdgeStatus {
        let (ledger, now) = (self.ledger.lock().await, Timestamp::now());
        let closed = |name: &str| ledger.tenants.get(name).map_or(0, |record| record.closed_until(now));
        EdgeStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: self.started_at,
            public: self.addresses.public.clone(),
            side_door: self.addresses.side_door,
            distrust: self.distrust.clone(),
            tenants: self
                .tenants
                .values()
                .map(|tenant| TenantStatus {
                    tenant: tenant.name.clone(),
                    gate: tenant.gate.borrow().clone(),
                    upstream: tenant.route().upstream,
                    configured_upstream: tenant.configured.clone(),
                    in_flight: tenant.in_flight.count(),
                    websockets: tenant.upgraded.count(),
                    waiting: tenant.waiting.count(),
                    closed_milliseconds: closed(&tenant.name),
                })
                .collect(),
        }
    }

    pub async fn stats(&self, only: Option<&str>) -> Result<Vec<TenantStats>, EdgeError> {
        if let Some(name) = only {
            self.tenant(name)?;
        }
        let (ledger, now) = (self.ledger.lock().await, Timestamp::now());
        let wanted = self.tenants.values().filter(|tenant| only.is_none_or(|name| name == tenant.name));
        Ok(wanted
            .map(|tenant| TenantStats {
                tenant: tenant.name.clone(),
                since: self.started_at,
                closed_milliseconds: ledger
                    .tenants
                    .get(&tenant.name)
                    .map_or(0, |record| record.closed_until(now)),
                totals: tenant.meter.totals(),
            })
            .collect())
    }

    pub fn samples(&self, tenant: &str, since_ms: i64) -> Result<SampleBatch, EdgeError> {
        let tenant = self.tenant(tenant)?;
        let now_ms = Timestamp::now().as_millisecond();
        let (samples, forgotten) = tenant.meter.samples(since_ms);
        let incomplete = forgotten || since_ms < self.started_at.as_millisecond();
        Ok(SampleBatch { tenant: tenant.name.clone(), samples, incomplete, now_ms })
    }

    /// Waits until no websocket is open, or the deadline has come.
    pub async fn websockets_ended_by(&self, deadline: Instant) {
        for tenant in self.tenants.values() {
            tenant.upgraded.empty_by(deadline).await;
        }
    }

    /// Closes or holds a gate: it is shown at once, and stays so even when the disk fails; the caller learns of that.
    async fn tighten(
        &self,
        tenant: &Tenant,
        change: impl FnOnce(&mut Ledger, Timestamp) -> Result<(), EdgeError>,
    ) -> Result<(), EdgeError> {
        let mut ledger = self.ledger.lock().await;
        let mut next = ledger.clone();
        change(&mut next, Timestamp::now())?;
        if let Some(record) = next.tenants.get(&tenant.name) {
            tenant.show(record.gate.clone());
        }
        *ledger = next;
        self.save(&ledger).await
    }

    /// Makes the ledger durable.
    async fn save(&self, ledger: &Ledger) -> Result<(), EdgeError> {
        let (store, ledger) = (Arc::clone(&self.store), ledger.clone());
        tokio::task::spawn_blocking(move || store.save(&ledger)).await.map_err(|error| {
            EdgeError::StateUnwritable {
                path: self.config.state_directory.clone(),
                source: std::io::Error::other(error),
            }
        })?
    }

    fn tenant(&self, name: &str) -> Result<Arc<Tenant>, EdgeError> {
        self.tenants.get(name).cloned().ok_or_else(|| EdgeError::UnknownTenant { tenant: name.to_owned() })
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
