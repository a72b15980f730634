//! The edge of a stack behind the port: one control connection, made when it is first needed.

use std::path::PathBuf;

use async_trait::async_trait;
use eclusa_edge::{CloseRequest, EdgeClient, EdgeError, Gate, HoldRequest, Notice, OpenRequest};
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{RunId, TenantName};
use eclusa_ports::{Edge, GateState, GateStatus};
use eclusa_runbook::Sample;
use jiff::Timestamp;
use tokio::sync::OnceCell;

/// The edge that answers on a control socket.
pub(crate) struct EdgeControl {
    socket: PathBuf,
    client: OnceCell<EdgeClient>,
}

impl EdgeControl {
    pub(crate) fn new(socket: PathBuf) -> Self {
        Self { socket, client: OnceCell::new() }
    }

    async fn client(&self) -> Result<&EdgeClient> {
        self.client.get_or_try_init(|| EdgeClient::connect(&self.socket)).await.map_err(|error| {
            Fault::new(Code::EdgeUnreachable).with("socket", self.socket.display()).because(error)
        })
    }

    fn failed(&self, operation: &str, error: &EdgeError) -> Fault {
        match error.code() {
            "unreachable" | "timed-out" | "protocol" => {
                Fault::new(Code::EdgeUnreachable).with("socket", self.socket.display()).because(error)
            }
            _ => Fault::new(Code::EdgeFailed).with("operation", operation).because(error),
        }
    }
}

#[async_trait]
impl Edge for EdgeControl {
    async fn status(&self) -> Result<Vec<GateStatus>> {
        let client = self.client().await?;
        let status = client.status().await.map_err(|error| self.failed("say how it stands", &error))?;
        let stats = client.stats(None).await.map_err(|error| self.failed("say how it stands", &error))?;
        let mut gates = Vec::new();
        for tenant in status.tenants {
            let Ok(name) = TenantName::new(&tenant.tenant) else { continue };
            let totals = stats.iter().find(|stats| stats.tenant == tenant.tenant).map(|stats| &stats.totals);
            gates.push(GateStatus {
                tenant: name,
                state: match &tenant.gate {
                    Gate::Open => GateState::Open,
                    Gate::Held(_) => GateState::Held,
                    Gate::Closed(_) => GateState::Closed,
                },
                run: tenant.gate.owner().map(ToString::to_string),
                closed_seconds: tenant.closed_milliseconds as f64 / 1000.0,
                requests: totals.map_or(0, |totals| totals.requests),
                errors: totals.map_or(0, |totals| totals.errors),
                refused: totals.map_or(0, |totals| totals.refused_closed),
            });
        }
        Ok(gates)
    }

    async fn close(
        &self,
        tenant: &TenantName,
        run: &RunId,
        message: &str,
        retry_after: u64,
        drain: u64,
    ) -> Result<u64> {
        let request = CloseRequest {
            tenant: tenant.to_string(),
            message: Some(Notice { sentence: message.to_owned(), ..Notice::default() }),
            retry_after_seconds: Some(retry_after),
            run: Some(run.to_string()),
            drain_seconds: drain,
            // The lease says who may move the gates; a gate that an earlier, ended run left shut is taken over.
            force: true,
            ..CloseRequest::default()
        };
        eclusa_crash::point("edge.closing");
        let drained = self
            .client()
            .await?
            .close(request)
            .await
            .map_err(|error| self.failed("close the gate", &error))?;
        eclusa_crash::point("edge.closed");
        Ok(drained.in_flight_remaining as u64 + drained.websockets_remaining as u64)
    }

    async fn hold(&self, tenant: &TenantName, run: &RunId) -> Result<()> {
        let request = HoldRequest {
            tenant: tenant.to_string(),
            run: Some(run.to_string()),
            force: true,
            ..HoldRequest::default()
        };
        eclusa_crash::point("edge.holding");
        self.client().await?.hold(request).await.map_err(|error| self.failed("hold requests", &error))?;
        eclusa_crash::point("edge.held");
        Ok(())
    }

    async fn open(&self, tenant: &TenantName) -> Result<f64> {
        let request = OpenRequest { tenant: tenant.to_string(), force: true, ..OpenRequest::default() };
        let client = self.client().await?;
        let before = client.status().await.map_err(|error| self.failed("say how it stands", &error))?;
        let since =
            before.tenants.iter().find(|found| found.tenant == tenant.as_str()).and_then(
                |found| match &found.gate {
                    Gate::Open => None,
                    Gate::Closed(closure) => Some(closure.since),
                    Gate::Held(holding) => Some(holding.since),
                },
            );
        eclusa_crash::point("edge.opening");
        client.open(request).await.map_err(|error| self.failed("open the gate", &error))?;
        eclusa_crash::point("edge.opened");
        Ok(since.map_or(0.0, |since| Timestamp::now().duration_since(since).as_secs_f64().max(0.0)))
    }

    async fn samples(&self, tenant: &TenantName, since: Timestamp) -> Result<Vec<Sample>> {
        let batch = self
            .client()
            .await?
            .samples(tenant.as_str(), since.as_millisecond())
            .await
            .map_err(|error| self.failed("give its samples", &error))?;
        Ok(batch
            .samples
            .iter()
            .filter_map(|sample| {
                Some(Sample {
                    at: Timestamp::from_millisecond(sample.at_ms).ok()?,
                    tenant: tenant.clone(),
                    source: "traffic".to_owned(),
                    good: sample.status < 500,
                    status: sample.status,
                    microseconds: sample.duration_us,
                    problem: None,
                })
            })
            .collect())
    }
}
