//! What can go wrong with the edge, as one typed error with a stable code per case.

use std::net::SocketAddr;
use std::path::PathBuf;

/// An error of the edge or of its client. [`EdgeError::code`] is stable and also travels over the control socket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EdgeError {
    /// The configuration file cannot be read.
    #[error("cannot read the edge configuration {path}: {source}")]
    ConfigUnreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The configuration is not valid: `what` names the place and what was expected.
    #[error("the edge configuration is not valid: {what}")]
    ConfigInvalid {
        /// Where it is wrong, and what was expected.
        what: String,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address from the configuration.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The control socket cannot be created.
    #[error("cannot create the control socket {path}: {source}")]
    ControlSocket {
        /// The path from the configuration.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another edge owns the state directory or answers on the control socket.
    #[error("already running: another edge holds {path}")]
    AlreadyRunning {
        /// The lock or socket that is held.
        path: PathBuf,
    },
    /// The state could not be written durably.
    #[error("cannot write the state in {path}: {source}")]
    StateUnwritable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The state was written by a newer edge.
    #[error("{path} has state format {found}; this edge reads up to {known}: run the newer edge")]
    StateNewer {
        /// The state file.
        path: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format that this binary reads.
        known: u32,
    },
    /// No tenant has this name.
    #[error("the edge has no tenant named {tenant:?}")]
    UnknownTenant {
        /// The name that was asked for.
        tenant: String,
    },
    /// The gate belongs to another run.
    #[error("the gate of {tenant:?} belongs to run {owner}: only that run moves it, or `force`")]
    OwnedByAnother {
        /// The tenant.
        tenant: String,
        /// The run that closed or held the gate.
        owner: String,
    },
    /// An argument of a control call is not valid.
    #[error("not a valid call: {what}")]
    InvalidCall {
        /// What is wrong with it.
        what: String,
    },
    /// The control socket cannot be reached: the edge is not running, or the path is another.
    #[error("cannot reach the edge at {path}: {source}")]
    Unreachable {
        /// The control socket.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The other side speaks another protocol, or broke off.
    #[error("the edge at {path} did not answer as expected: {what}")]
    Protocol {
        /// The control socket.
        path: PathBuf,
        /// What came instead.
        what: String,
    },
    /// The edge did not answer in time. Whether the call took effect is unknown: ask for the status.
    #[error("the edge at {path} did not answer within {seconds} s")]
    TimedOut {
        /// The control socket.
        path: PathBuf,
        /// How long the client waited, in seconds.
        seconds: u64,
    },
    /// The edge refused the call, with one of the codes of this type.
    #[error("{message}")]
    Refused {
        /// The code of the edge's error.
        code: String,
        /// The edge's words.
        message: String,
    },
}

impl EdgeError {
    /// A stable word for this error, for programs.
    pub fn code(&self) -> &str {
        match self {
            Self::ConfigUnreadable { .. } => "config-unreadable",
            Self::ConfigInvalid { .. } => "config-invalid",
            Self::Listen { .. } => "listen",
            Self::ControlSocket { .. } => "control-socket",
            Self::AlreadyRunning { .. } => "already-running",
            Self::StateUnwritable { .. } => "state-unwritable",
            Self::StateNewer { .. } => "state-newer",
            Self::UnknownTenant { .. } => "unknown-tenant",
            Self::OwnedByAnother { .. } => "owned-by-another",
            Self::InvalidCall { .. } => "invalid-call",
            Self::Unreachable { .. } => "unreachable",
            Self::Protocol { .. } => "protocol",
            Self::TimedOut { .. } => "timed-out",
            Self::Refused { code, .. } => code,
        }
    }
}
