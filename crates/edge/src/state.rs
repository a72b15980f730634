//! The gates as a pure state machine: what is remembered per tenant, and how a call changes it.
//!
//! Nothing here reads a clock or a file: the time comes in as an argument, and the caller decides when a new ledger
//! is written and when it becomes visible.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{EdgeConfig, InitialGate, Upstream};
use crate::error::EdgeError;

/// Seconds that `Retry-After` names when nothing else was said.
pub(crate) const DEFAULT_RETRY_AFTER_SECONDS: u64 = 60;

/// The words of the maintenance page, in the language of the people who read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notice {
    /// The language of the texts as a BCP 47 tag, for example `en` or `pt-BR`.
    pub language: String,
    /// The heading.
    pub title: String,
    /// One or two sentences: what happens, and what to expect.
    pub sentence: String,
    /// The small line that says that the page reloads by itself.
    pub reload: String,
}

impl Default for Notice {
    fn default() -> Self {
        Self {
            language: "en".into(),
            title: "We will be right back".into(),
            sentence: "This site is being updated and opens again shortly.".into(),
            reload: "This page reloads by itself.".into(),
        }
    }
}

impl Notice {
    /// For a gate that is closed because nobody knows whether it may be open.
    fn of_distrust() -> Self {
        Self {
            title: "Closed for a moment".into(),
            sentence: "This site is closed while it is being checked.".into(),
            ..Self::default()
        }
    }
}

/// Why and since when a gate is closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closure {
    /// What people read.
    pub message: Notice,
    /// Seconds for the `Retry-After` header.
    pub retry_after_seconds: u64,
    /// When the gate closed.
    pub since: Timestamp,
    /// The run that owns the closed gate, where one does.
    pub run: Option<String>,
}

/// Since when a gate is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holding {
    /// When the gate was held.
    pub since: Timestamp,
    /// The run that owns the held gate, where one does.
    pub run: Option<String>,
}

/// The state of one tenant's gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Gate {
    /// Requests pass.
    Open,
    /// Requests are refused with 503 and a page.
    Closed(Closure),
    /// Requests wait, bounded in number and time.
    Held(Holding),
}

impl Gate {
    /// The run that owns the gate, if it is closed or held by one.
    pub fn owner(&self) -> Option<&str> {
        match self {
            Self::Open => None,
            Self::Closed(closure) => closure.run.as_deref(),
            Self::Held(holding) => holding.run.as_deref(),
        }
    }

    /// Whether requests pass.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }
}

/// An upstream that a control call put in the place of the configured one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Switched {
    /// What the configuration named at that time. When the configuration names another one later, someone decided
    /// anew, and the switch is void.
    pub instead_of: Upstream,
    /// Where requests go.
    pub upstream: Upstream,
}

/// What is remembered of one tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub gate: Gate,
    /// Milliseconds of all closures that have ended.
    pub closed_milliseconds: u64,
    pub switched: Option<Switched>,
}

impl Record {
    /// Milliseconds closed up to `now`, the present closure included. A clock that went backwards adds nothing.
    pub fn closed_until(&self, now: Timestamp) -> u64 {
        let running = match &self.gate {
            Gate::Closed(closure) => {
                u64::try_from(now.as_millisecond() - closure.since.as_millisecond()).unwrap_or(0)
            }
            _ => 0,
        };
        self.closed_milliseconds.saturating_add(running)
    }
}

/// What is remembered of all tenants, also of those that the configuration no longer names: a tenant that comes back
/// finds its gate as it was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    pub tenants: BTreeMap<String, Record>,
}

/// What a close call asks for.
pub(crate) struct CloseOrder {
    pub message: Notice,
    pub retry_after_seconds: u64,
    pub run: Option<String>,
    pub force: bool,
}

impl Ledger {
    /// Adds the tenants that are not known yet, and drops switches that the configuration has overtaken.
    pub fn adopt(&mut self, config: &EdgeConfig, now: Timestamp) {
        for tenant in &config.tenants {
            let record = self.tenants.entry(tenant.name.clone()).or_insert_with(|| Record {
                gate: match config.initial_gate {
                    InitialGate::Open => Gate::Open,
                    InitialGate::Closed => Gate::Closed(closure_of_nobody(Notice::default(), now)),
                },
                closed_milliseconds: 0,
                switched: None,
            });
            if record.switched.as_ref().is_some_and(|switched| switched.instead_of != tenant.upstream) {
                record.switched = None;
            }
        }
    }

    /// A ledger with every configured tenant closed: for a state that was lost or cannot be trusted.
    pub fn all_closed(config: &EdgeConfig, now: Timestamp) -> Self {
        let record = || Record {
            gate: Gate::Closed(closure_of_nobody(Notice::of_distrust(), now)),
            closed_milliseconds: 0,
            switched: None,
        };
        Self { tenants: config.tenants.iter().map(|tenant| (tenant.name.clone(), record())).collect() }
    }

    /// Closes the gate. Closing a closed gate again renews message and retry time, and keeps since when.
    pub fn close(&mut self, tenant: &str, order: CloseOrder, now: Timestamp) -> Result<(), EdgeError> {
        let record = self.owned_record(tenant, order.run.as_deref(), order.force)?;
        let since = match &record.gate {
            Gate::Closed(closure) => closure.since,
            _ => now,
        };
        record.gate = Gate::Closed(Closure {
            message: order.message,
            retry_after_seconds: order.retry_after_seconds,
            since,
            run: order.run,
        });
        Ok(())
    }

    /// Holds the gate. Holding a held gate again keeps since when; a closed gate's time ends.
    pub fn hold(
        &mut self,
        tenant: &str,
        run: Option<String>,
        force: bool,
        now: Timestamp,
    ) -> Result<(), EdgeError> {
        let record = self.owned_record(tenant, run.as_deref(), force)?;
        let since = match &record.gate {
            Gate::Held(holding) => holding.since,
            _ => now,
        };
        record.closed_milliseconds = record.closed_until(now);
        record.gate = Gate::Held(Holding { since, run });
        Ok(())
    }

    /// Opens the gate. Opening an open gate changes nothing.
    pub fn open(
        &mut self,
        tenant: &str,
        run: Option<&str>,
        force: bool,
        now: Timestamp,
    ) -> Result<(), EdgeError> {
        let record = self.owned_record(tenant, run, force)?;
        record.closed_milliseconds = record.closed_until(now);
        record.gate = Gate::Open;
        Ok(())
    }

    /// Sends the tenant's requests to another upstream; back to the configured one ends the switch.
    pub fn set_upstream(
        &mut self,
        tenant: &str,
        configured: &Upstream,
        upstream: Upstream,
    ) -> Result<(), EdgeError> {
        let record = self.record(tenant)?;
        record.switched =
            (upstream != *configured).then(|| Switched { instead_of: configured.clone(), upstream });
        Ok(())
    }

    fn record(&mut self, tenant: &str) -> Result<&mut Record, EdgeError> {
        self.tenants.get_mut(tenant).ok_or_else(|| EdgeError::UnknownTenant { tenant: tenant.to_owned() })
    }

    /// The record, if `run` may move its gate: nobody owns it, `run` does, or the caller insists.
    fn owned_record(
        &mut self,
        tenant: &str,
        run: Option<&str>,
        force: bool,
    ) -> Result<&mut Record, EdgeError> {
        let record = self.record(tenant)?;
        match record.gate.owner() {
            Some(owner) if !force && run != Some(owner) => {
                Err(EdgeError::OwnedByAnother { tenant: tenant.to_owned(), owner: owner.to_owned() })
            }
            _ => Ok(record),
        }
    }
}

fn closure_of_nobody(message: Notice, since: Timestamp) -> Closure {
    Closure { message, retry_after_seconds: DEFAULT_RETRY_AFTER_SECONDS, since, run: None }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
