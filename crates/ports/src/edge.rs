//! The gate in front of a stack.

use async_trait::async_trait;
use eclusa_fault::Result;
use eclusa_model::{RunId, TenantName};
use eclusa_runbook::Sample;
use jiff::Timestamp;

/// How a tenant's gate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GateState {
    /// Requests pass.
    Open,
    /// Requests wait.
    Held,
    /// Requests get the maintenance page.
    Closed,
}

/// A tenant's gate.
#[derive(Debug, Clone, PartialEq)]
pub struct GateStatus {
    /// The tenant.
    pub tenant: TenantName,
    /// How it stands.
    pub state: GateState,
    /// For which run it is held or closed.
    pub run: Option<String>,
    /// The seconds it has been closed in all, the current closure included.
    pub closed_seconds: f64,
    /// The requests it has seen in all.
    pub requests: u64,
    /// Of those, answers with status 500 and above other than its own maintenance page.
    pub errors: u64,
    /// Of those, refused with the maintenance page.
    pub refused: u64,
}

/// The gate of one stack.
#[async_trait]
pub trait Edge: Send + Sync {
    /// How each tenant's gate stands.
    ///
    /// # Errors
    /// `EdgeUnreachable`.
    async fn status(&self) -> Result<Vec<GateStatus>>;

    /// Closes a gate and waits up to `drain` seconds for the requests in flight; says how many remained. Idempotent.
    ///
    /// # Errors
    /// `EdgeUnreachable`, `EdgeFailed`.
    async fn close(
        &self,
        tenant: &TenantName,
        run: &RunId,
        message: &str,
        retry_after: u64,
        drain: u64,
    ) -> Result<u64>;

    /// Lets new requests wait. Idempotent.
    ///
    /// # Errors
    /// `EdgeUnreachable`, `EdgeFailed`.
    async fn hold(&self, tenant: &TenantName, run: &RunId) -> Result<()>;

    /// Opens a gate; says for how many seconds it had been closed or held. Idempotent.
    ///
    /// # Errors
    /// `EdgeUnreachable`, `EdgeFailed`.
    async fn open(&self, tenant: &TenantName) -> Result<f64>;

    /// The requests of the public that began after a time, as samples of source `traffic`; refused ones are left out.
    ///
    /// # Errors
    /// `EdgeUnreachable`.
    async fn samples(&self, tenant: &TenantName, since: Timestamp) -> Result<Vec<Sample>>;
}
