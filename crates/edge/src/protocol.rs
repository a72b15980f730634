//! The control protocol: what is said over the unix socket, one JSON value a line.
//!
//! The edge says [`Hello`] first. Then each request `{"id": 1, "call": "close", "args": {…}}` gets one response,
//! `{"id": 1, "ok": …}` or `{"id": 1, "error": {"code": "…", "message": "…"}}`, in the order of the requests.

use std::net::SocketAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Upstream;
use crate::samples::{Sample, Totals};
use crate::state::{Gate, Notice};

/// The version of the control protocol.
pub const PROTOCOL: u32 = 1;
/// The name in the edge's hello.
pub(crate) const HELLO: &str = "eclusa-edge";
/// A longer request is none, in bytes.
pub(crate) const LONGEST_REQUEST: u64 = 256 * 1024;
/// A longer response is none, in bytes: 20,000 samples take about 1.5 MB.
pub(crate) const LONGEST_RESPONSE: u64 = 256 * 1024 * 1024;

/// The edge's first line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub hello: String,
    pub protocol: u32,
    pub version: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub id: u64,
    #[serde(flatten)]
    pub call: Call,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "call", content = "args", rename_all = "snake_case")]
pub(crate) enum Call {
    Status,
    Close(CloseRequest),
    Hold(HoldRequest),
    Open(OpenRequest),
    SetUpstream { tenant: String, upstream: Upstream },
    Stats { tenant: Option<String> },
    Samples { tenant: String, since_ms: i64 },
    Shutdown,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Response {
    /// None when the request's id could not be read.
    pub id: Option<u64>,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Ok(Value),
    Error(ErrorReply),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ErrorReply {
    pub code: String,
    pub message: String,
}

/// Close a gate and drain what is inside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CloseRequest {
    /// Whose gate.
    pub tenant: String,
    /// What people read; English words of the edge's own without it.
    pub message: Option<Notice>,
    /// Seconds for the `Retry-After` header; 60 without it.
    pub retry_after_seconds: Option<u64>,
    /// The run that closes and will own the gate: only the same run moves it then.
    pub run: Option<String>,
    /// Seconds to wait for the requests in flight.
    pub drain_seconds: u64,
    /// Seconds that websockets may go on; the configured grace without it.
    pub websocket_grace_seconds: Option<u64>,
    /// Close even if another run owns the gate.
    pub force: bool,
}

impl Default for CloseRequest {
    fn default() -> Self {
        Self {
            tenant: String::new(),
            message: None,
            retry_after_seconds: None,
            run: None,
            drain_seconds: 30,
            websocket_grace_seconds: None,
            force: false,
        }
    }
}

/// Hold a gate: let requests wait, and wait for those in flight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HoldRequest {
    /// Whose gate.
    pub tenant: String,
    /// The run that will own the held gate.
    pub run: Option<String>,
    /// Seconds to wait for the requests in flight. Keep it well below the configured longest wait: requests that
    /// wait at the gate meanwhile must still be waiting when it opens.
    pub drain_seconds: u64,
    /// Hold even if another run owns the gate.
    pub force: bool,
}

impl Default for HoldRequest {
    fn default() -> Self {
        Self { tenant: String::new(), run: None, drain_seconds: 10, force: false }
    }
}

/// Open a gate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpenRequest {
    /// Whose gate.
    pub tenant: String,
    /// The run that opens; must own the gate if a run does.
    pub run: Option<String>,
    /// Open even if another run owns the gate.
    pub force: bool,
}

/// What closing or holding left behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drained {
    /// Requests still in flight at the deadline; they go on.
    pub in_flight_remaining: u64,
    /// Websockets that were cut when their grace had passed.
    pub websockets_cut: u64,
    /// Websockets still open: none after closing, any number after holding.
    pub websockets_remaining: u64,
    /// How long the draining took, in milliseconds.
    pub waited_milliseconds: u64,
}

impl Drained {
    /// Whether nobody who came in by the public door is inside any more.
    pub fn is_complete(&self) -> bool {
        self.in_flight_remaining == 0 && self.websockets_remaining == 0
    }
}

/// The answer to opening a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Requests that were waiting and go through now.
    pub released: u64,
    /// Milliseconds that the tenant's gate has been closed in all, over restarts.
    pub closed_milliseconds: u64,
}

/// The edge as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EdgeStatus {
    /// The edge's version.
    pub version: String,
    /// Its process id, in its own namespace.
    pub pid: u32,
    /// When the process began; totals count from then.
    pub started_at: Timestamp,
    /// Where users come in, with the ports really taken.
    pub public: Vec<SocketAddr>,
    /// Where probes come in.
    pub side_door: Option<SocketAddr>,
    /// Why the state found at start could not be trusted, if so; all gates were closed then.
    pub distrust: Option<String>,
    /// Every configured tenant, by name.
    pub tenants: Vec<TenantStatus>,
}

/// One tenant as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantStatus {
    /// The tenant.
    pub tenant: String,
    /// The state of its gate.
    pub gate: Gate,
    /// Where its requests go.
    pub upstream: Upstream,
    /// Where the configuration sends them.
    pub configured_upstream: Upstream,
    /// Requests in flight by the public door.
    pub in_flight: u64,
    /// Websockets open by the public door.
    pub websockets: u64,
    /// Requests waiting at the held gate.
    pub waiting: u64,
    /// Milliseconds that the gate has been closed in all, over restarts.
    pub closed_milliseconds: u64,
}

/// One tenant's totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantStats {
    /// The tenant.
    pub tenant: String,
    /// When the counting began: with the edge process.
    pub since: Timestamp,
    /// Milliseconds that the gate has been closed in all, over restarts.
    pub closed_milliseconds: u64,
    /// The counts.
    pub totals: Totals,
}

/// Samples of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SampleBatch {
    /// The tenant.
    pub tenant: String,
    /// In the order in which the answers began.
    pub samples: Vec<Sample>,
    /// Some samples of the asked time are gone: pushed out by later ones, or older than the edge process.
    pub incomplete: bool,
    /// The edge's clock, in milliseconds since the Unix epoch: `since_ms` for the next call.
    pub now_ms: i64,
}
