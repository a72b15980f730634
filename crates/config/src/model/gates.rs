//! What is asked of a release: probes, checks, logs, the watch, and what must hold beforehand.

use std::collections::BTreeMap;

use eclusa_model::{ServiceName, TenantName};
use serde::Deserialize;

use super::{CommandLine, Period};

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads.
    #[default]
    Get,
    /// Reads without the body.
    Head,
    /// Writes.
    Post,
}

impl Method {
    /// As HTTP writes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
        }
    }
}

/// `[[stacks.NAME.probes]]`: a request that must be answered as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// What it is called; no two have the same name.
    pub name: String,
    /// The path with its query.
    pub path: String,
    /// The method.
    #[serde(default)]
    pub method: Method,
    /// The status that is expected.
    #[serde(default = "default_status")]
    pub status: u16,
    /// Response headers that must be there and contain the text.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// JSON pointers into the body and the text that must stand there; an empty text: it must be there.
    #[serde(default)]
    pub json: BTreeMap<String, String>,
    /// A text that the body must contain.
    pub contains: Option<String>,
    /// The most time an answer may take.
    #[serde(default = "default_maximum")]
    pub maximum: Period,
    /// The tenant that is asked; absent: each.
    pub tenant: Option<TenantName>,
}

fn default_status() -> u16 {
    200
}

fn default_maximum() -> Period {
    Period::milliseconds(500)
}

/// Where a check runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckPlace {
    /// In the running service, under the new release, before the gate opens.
    #[default]
    Service,
    /// In a short-lived instance of the new release, before anything is changed.
    Candidate,
    /// On the host, in the directory of `eclusa.toml`, before the gate opens.
    Host,
}

/// `[[stacks.NAME.checks]]`: a command that must succeed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// What it is called; no two have the same name.
    pub name: String,
    /// The command. `{tenant}` and `{release}` stand for their names.
    pub command: CommandLine,
    /// Where it runs.
    #[serde(default)]
    pub place: CheckPlace,
    /// The service it runs in; absent: the first of `services.web`.
    pub service: Option<ServiceName>,
    /// How long it may take.
    #[serde(default = "default_timeout")]
    pub timeout: Period,
    /// A text that the last line of its output must contain.
    pub last_line: Option<String>,
    /// Texts each of which some line of its output must contain.
    #[serde(default)]
    pub contains: Vec<String>,
    /// Texts that no line of its output may contain.
    #[serde(default)]
    pub lacks: Vec<String>,
    /// The tenant it runs for; absent: each when a word holds `{tenant}`, once otherwise.
    pub tenant: Option<TenantName>,
}

pub(super) fn default_timeout() -> Period {
    Period::seconds(60)
}

/// `[stacks.NAME.logs]`: which log lines count as errors.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logs {
    /// The services whose output is read; empty: web, workers and schedulers.
    pub services: Vec<ServiceName>,
    /// A line counts when it contains one of these (exact case).
    pub patterns: Vec<String>,
    /// ... unless it contains one of these.
    pub ignore: Vec<String>,
    /// The most lines that may count before the gate opens.
    pub most: u64,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            services: Vec::new(),
            patterns: ["Traceback", "ERROR", "CRITICAL", " 500 "].map(String::from).to_vec(),
            ignore: Vec::new(),
            most: 0,
        }
    }
}

/// What a breached trigger leads to after the gate has opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterOpen {
    /// The code goes back alone where that is safe; otherwise a person is asked.
    #[default]
    Hold,
    /// Data goes back too, after what was written since is in a salvage point.
    Restore,
}

/// `[stacks.NAME.watch]`: the limits while the new release serves. The defaults are those of
/// the runbooks that Eclusa replaces: 500 ms, 5 % of errors, 50 % slower, 30 minutes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Watch {
    /// For how long.
    #[serde(rename = "for")]
    pub length: Period,
    /// Samples of this time at the start are dropped.
    pub warm_up: Period,
    /// Judged every so often.
    pub interval: Period,
    /// The highest share of failed requests (0.05 is 5 %).
    pub error_rate: f64,
    /// The highest ratio of the median latency to the baseline's (1.5 is 50 % slower).
    pub slowdown: f64,
    /// The highest median latency.
    pub latency: Period,
    /// Fewer samples per tenant are no answer.
    pub minimum_samples: u32,
    /// Requests a second that are sent per tenant where there is little traffic; 0: none.
    pub synthetic_per_second: f64,
    /// The most new error lines in the logs.
    pub log_errors: u64,
    /// What a breach leads to.
    pub after_open: AfterOpen,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            length: Period::minutes(30),
            warm_up: Period::seconds(10),
            interval: Period::seconds(30),
            error_rate: 0.05,
            slowdown: 1.5,
            latency: Period::milliseconds(500),
            minimum_samples: 20,
            synthetic_per_second: 1.0,
            log_errors: 0,
            after_open: AfterOpen::Hold,
        }
    }
}

/// How bad something is that the audit of a stack's files finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Risk {
    /// Should be changed when something else is.
    Low,
    /// Will cost time or sleep one day.
    Medium,
    /// Data, secrets or the service are at risk.
    High,
    /// Data will be lost, or anyone gets in.
    Critical,
}

/// `[stacks.NAME.preflight]`: what must hold before anything is changed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preflight {
    /// The least share of a disk that must be free.
    pub disk_free_percent: u8,
    /// A transaction older than this stops the release.
    pub long_transaction: Period,
    /// A value in an env file that begins with one of these was never filled in.
    pub placeholders: Vec<String>,
    /// A restore point of each tenant was proved not longer ago than this; absent: an older one is only warned of.
    pub proof_within: Option<Period>,
    /// A release is refused when the audit of the Compose files finds anything at least as bad as this; absent: what is
    /// high or critical is only told.
    pub audit: Option<Risk>,
}

impl Default for Preflight {
    fn default() -> Self {
        Self {
            disk_free_percent: 20,
            long_transaction: Period::seconds(60),
            placeholders: vec![String::from("CHANGE_ME")],
            proof_within: None,
            audit: None,
        }
    }
}

/// How a restore point taken inside the closed window is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Every stream is read back and its hash compared.
    #[default]
    ReadBack,
    /// It is also restored beside the live data and compared; this takes time while the stack is closed.
    Restored,
}

/// `[stacks.NAME.secure]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Secure {
    /// How restore points are proved.
    pub proof: Proof,
    /// From how many bytes on a tenant's files are read before it is closed.
    pub read_ahead_from: u64,
}

impl Default for Secure {
    fn default() -> Self {
        // About what is read, hashed, written and read back in a second.
        Self { proof: Proof::default(), read_ahead_from: 64 * 1024 * 1024 }
    }
}
