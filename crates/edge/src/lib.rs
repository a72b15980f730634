//! L3: the gate in front of a stack: host routing, closed page, held requests, side door, samples.
//!
//! The edge is a small process of its own, so that a crash of the command line or of the daemon never drops
//! traffic. It routes each request to its tenant by host and passes it on to the tenant's upstream while the
//! tenant's gate is open; while the gate is closed it answers with a maintenance page, and while it is held it lets
//! requests wait. The side door passes everything at any time, for validation probes.
//!
//! Run it with [`serve`] (until SIGTERM) or [`EdgeServer::start`]; steer it through [`EdgeClient`], which speaks
//! newline-delimited JSON over a unix socket. What it must remember (gates, switched upstreams, seconds closed) is
//! written durably before a control call answers.

mod client;
mod config;
mod control;
mod error;
mod gatekeeper;
mod headers;
mod page;
mod persistence;
mod protocol;
mod proxy;
mod relay;
mod samples;
mod server;
mod state;
mod tenant;
mod tunnel;

pub use client::EdgeClient;
pub use config::{
    CONFIG_FORMAT, EdgeConfig, ForwardedHeaders, HoldLimits, InitialGate, Limits, TenantConfig, Upstream,
};
pub use error::EdgeError;
pub use protocol::{
    CloseRequest, Drained, EdgeStatus, HoldRequest, OpenRequest, Opened, PROTOCOL, SampleBatch, TenantStats,
    TenantStatus,
};
pub use relay::relay;
pub use samples::{Sample, Totals};
pub use server::{EdgeServer, serve};
pub use state::{Closure, Gate, Holding, Notice};
