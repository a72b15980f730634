//! The gate of a world.

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{RunId, TenantName};
use eclusa_ports::{Edge, GateState, GateStatus};
use eclusa_runbook::Sample;
use jiff::Timestamp;

use crate::{State, World};

/// The gate of a world.
pub struct FakeEdge(pub World);

fn set(state: &mut State, tenant: &TenantName, to: GateState, run: Option<&RunId>) -> Result<GateState> {
    let gate = state
        .gates
        .get_mut(tenant)
        .ok_or_else(|| Fault::new(Code::EdgeFailed).because(format!("the edge knows no tenant {tenant}")))?;
    gate.run = run.map(ToString::to_string);
    Ok(std::mem::replace(&mut gate.state, to))
}

#[async_trait]
impl Edge for FakeEdge {
    async fn status(&self) -> Result<Vec<GateStatus>> {
        self.0
            .step("edge.status", |state| {
                Ok(state
                    .gates
                    .iter()
                    .map(|(tenant, gate)| GateStatus {
                        tenant: tenant.clone(),
                        state: gate.state,
                        run: gate.run.clone(),
                        closed_seconds: 0.0,
                        requests: 0,
                        errors: 0,
                        refused: 0,
                    })
                    .collect())
            })
            .await
    }

    async fn close(&self, tenant: &TenantName, run: &RunId, _: &str, _: u64, _: u64) -> Result<u64> {
        self.0
            .step(format!("edge.close.{tenant}"), |state| {
                set(state, tenant, GateState::Closed, Some(run)).map(|_| 0)
            })
            .await
    }

    async fn hold(&self, tenant: &TenantName, run: &RunId) -> Result<()> {
        self.0
            .step(format!("edge.hold.{tenant}"), |state| {
                set(state, tenant, GateState::Held, Some(run)).map(|_| ())
            })
            .await
    }

    async fn open(&self, tenant: &TenantName) -> Result<f64> {
        self.0
            .step(format!("edge.open.{tenant}"), |state| {
                let before = set(state, tenant, GateState::Open, None)?;
                Ok(if before == GateState::Open { 0.0 } else { 1.0 })
            })
            .await
    }

    async fn samples(&self, _tenant: &TenantName, _since: Timestamp) -> Result<Vec<Sample>> {
        Ok(Vec::new())
    }
}
