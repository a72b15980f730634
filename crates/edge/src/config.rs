//! The edge's configuration: a JSON file with a format number, checked as a whole before anything is bound.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use http::uri::Authority;
use serde::{Deserialize, Serialize};

use crate::error::EdgeError;

/// The configuration format that this edge reads.
pub const CONFIG_FORMAT: u32 = 1;

/// The longest path that fits a unix socket address on Linux (`sun_path` is 108 bytes with its end mark), less the
/// suffix that the socket bears until it is renamed into place.
const LONGEST_SOCKET_PATH: usize = 107 - ".new".len();

/// Everything that the edge is told at its start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeConfig {
    /// Must be [`CONFIG_FORMAT`].
    pub format: u32,
    /// Where users come in. Port 0 takes a free port; [`crate::EdgeStatus`] tells which.
    pub public: Vec<SocketAddr>,
    /// Where validation probes come in: passed on whatever the gate's state. Bind it where users cannot reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side_door: Option<SocketAddr>,
    /// The control socket; created with mode 0600. May lie in a directory that is mounted into a container.
    pub control_socket: PathBuf,
    /// Where the state is kept; created when missing. One running edge owns it.
    pub state_directory: PathBuf,
    /// Who is served.
    pub tenants: Vec<TenantConfig>,
    /// The tenant that gets requests for hosts that no tenant names; without it they get a 404 page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_tenant: Option<String>,
    /// What to do with `X-Forwarded-*` headers that a request brings along.
    #[serde(default)]
    pub forwarded_headers: ForwardedHeaders,
    /// The gate of a tenant that the state does not know yet.
    #[serde(default)]
    pub initial_gate: InitialGate,
    /// Bounds on waiting and holding.
    #[serde(default)]
    pub limits: Limits,
}

/// One tenant: its hosts and where its requests go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantConfig {
    /// The name used in control calls.
    pub name: String,
    /// Host names without port; compared without regard to case.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Where requests go until a control call switches it.
    pub upstream: Upstream,
}

/// What to do with `X-Forwarded-*` headers that a request brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForwardedHeaders {
    /// Keep `-Proto` and `-Host` as they came, or did not come, and append to `-For`: what stands behind sees the
    /// same as without the edge.
    #[default]
    Extend,
    /// Drop what came and set them anew: right where users connect directly and could claim anything.
    Replace,
}

/// The gate of a tenant that the state does not know yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InitialGate {
    /// Requests pass.
    #[default]
    Open,
    /// Requests are refused until a control call opens the gate.
    Closed,
}

/// Bounds on waiting and holding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// How many requests may wait, and how long, while a gate is held.
    pub hold: HoldLimits,
    /// Seconds that websockets may go on after their gate closed, before they are cut.
    pub websocket_grace_seconds: u64,
    /// Milliseconds that connecting to an upstream may take.
    pub upstream_connect_milliseconds: u64,
    /// Seconds that an upstream may take until its response begins; then the answer is 504. 0 waits for ever.
    pub upstream_response_seconds: u64,
    /// Milliseconds during which a bodyless GET, HEAD or OPTIONS whose connection was refused is tried again.
    /// 0, the default, answers 502 at once.
    pub upstream_retry_milliseconds: u64,
    /// Milliseconds that an idle connection to an upstream is kept. Below the 2 s after which gunicorn closes idle
    /// connections by default, so that requests do not run into connections that are just being closed.
    pub upstream_idle_milliseconds: u64,
    /// Seconds that requests in flight may take to finish after SIGTERM. Below the 10 s after which `docker stop`
    /// kills by default.
    pub shutdown_seconds: u64,
    /// How many samples are kept per tenant.
    pub samples_kept: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            hold: HoldLimits::default(),
            websocket_grace_seconds: 10,
            upstream_connect_milliseconds: 5_000,
            upstream_response_seconds: 600,
            upstream_retry_milliseconds: 0,
            upstream_idle_milliseconds: 1_500,
            shutdown_seconds: 8,
            samples_kept: 20_000,
        }
    }
}

/// How many requests may wait, and how long, while a gate is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HoldLimits {
    /// Requests of one tenant that may wait at the same time; further ones are refused.
    pub max_requests: u64,
    /// Seconds that one request may wait before it is refused.
    pub max_wait_seconds: u64,
}

impl Default for HoldLimits {
    fn default() -> Self {
        Self { max_requests: 256, max_wait_seconds: 30 }
    }
}

/// Where a tenant's requests go: `host:port`, where the host is an address or a name resolved anew for each
/// connection.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Upstream(Authority);

impl Upstream {
    /// Reads `host:port`.
    pub fn parse(text: &str) -> Result<Self, EdgeError> {
        let invalid = || EdgeError::ConfigInvalid {
            what: format!("upstream {text:?} is not host:port, e.g. frontend:8000"),
        };
        let authority: Authority = text.parse().map_err(|_| invalid())?;
        let usable = !authority.host().is_empty()
            && !text.contains('@')
            && authority.port_u16().is_some_and(|port| port != 0);
        if usable { Ok(Self(authority)) } else { Err(invalid()) }
    }

    /// The authority part for a request's URI.
    pub(crate) fn authority(&self) -> &Authority {
        &self.0
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.0.as_str())
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Upstream({})", self.0)
    }
}

impl TryFrom<String> for Upstream {
    type Error = EdgeError;

    fn try_from(text: String) -> Result<Self, EdgeError> {
        Self::parse(&text)
    }
}

impl From<Upstream> for String {
    fn from(upstream: Upstream) -> Self {
        upstream.to_string()
    }
}

impl EdgeConfig {
    /// Reads and checks a configuration file.
    pub fn load(path: &Path) -> Result<Self, EdgeError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| EdgeError::ConfigUnreadable { path: path.to_owned(), source })?;
        let config: Self = serde_json::from_str(&text)
            .map_err(|error| EdgeError::ConfigInvalid { what: format!("{}: {error}", path.display()) })?;
        config.check()?;
        Ok(config)
    }

    /// Checks what the types cannot say: the format, unique names and hosts, a default tenant that exists.
    pub fn check(&self) -> Result<(), EdgeError> {
        let invalid = |what: String| Err(EdgeError::ConfigInvalid { what });
        if self.format != CONFIG_FORMAT {
            return invalid(format!("format is {}, this edge reads format {CONFIG_FORMAT}", self.format));
        }
        if self.public.is_empty() {
            return invalid("public names no address to listen on, e.g. [\"0.0.0.0:80\"]".into());
        }
        if self.tenants.is_empty() {
            return invalid("tenants is empty: there is nobody to serve".into());
        }
        if self.limits.samples_kept == 0 {
            return invalid("limits.samples_kept is 0: gates could not be judged".into());
        }
        let length = self.control_socket.as_os_str().len();
        if length > LONGEST_SOCKET_PATH {
            return invalid(format!(
                "control_socket is {length} bytes long; the system allows {LONGEST_SOCKET_PATH}"
            ));
        }
        self.check_tenants()
    }

    fn check_tenants(&self) -> Result<(), EdgeError> {
        let invalid = |what: String| Err(EdgeError::ConfigInvalid { what });
        let mut owners: BTreeMap<String, &str> = BTreeMap::new();
        let mut names: Vec<&str> = Vec::new();
        for tenant in &self.tenants {
            if tenant.name.is_empty() {
                return invalid("a tenant has an empty name".into());
            }
            if names.contains(&tenant.name.as_str()) {
                return invalid(format!("two tenants are named {:?}", tenant.name));
            }
            names.push(&tenant.name);
            let is_default = self.default_tenant.as_deref() == Some(tenant.name.as_str());
            if tenant.hosts.is_empty() && !is_default {
                return invalid(format!("tenant {:?} has no hosts and is not the default", tenant.name));
            }
            for host in &tenant.hosts {
                let bare = bare_host(host);
                if bare.is_empty() || bare != host.to_ascii_lowercase() {
                    return invalid(format!(
                        "host {host:?} of tenant {:?} is not a host without port",
                        tenant.name
                    ));
                }
                if let Some(other) = owners.insert(bare, &tenant.name) {
                    return invalid(format!("host {host:?} belongs to {other:?} and to {:?}", tenant.name));
                }
            }
        }
        match &self.default_tenant {
            Some(name) if !names.contains(&name.as_str()) => {
                invalid(format!("default_tenant {name:?} is not among the tenants"))
            }
            _ => Ok(()),
        }
    }
}

/// The host of a `Host` header: without port, without the root dot, in lower case.
pub(crate) fn bare_host(text: &str) -> String {
    let text = text.trim();
    let without_port = match text.rsplit_once(':') {
        // A bare IPv6 address has colons too; in a header it stands in brackets.
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !host.ends_with(':') => {
            if host.contains(':') && !host.ends_with(']') {
                text
            } else {
                host
            }
        }
        _ => text,
    };
    without_port.strip_suffix('.').unwrap_or(without_port).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn config(change: impl FnOnce(&mut serde_json::Value)) -> Result<EdgeConfig, EdgeError> {
        let mut value = serde_json::json!({
            "format": 1,
            "public": ["127.0.0.1:0"],
            "control_socket": "/run/edge.sock",
            "state_directory": "/var/lib/edge",
            "tenants": [
                {"name": "alpha", "hosts": ["alpha.localhost"], "upstream": "127.0.0.1:8001"},
                {"name": "beta", "hosts": ["beta.localhost"], "upstream": "frontend:80"},
            ],
        });
        change(&mut value);
        let config: EdgeConfig = serde_json::from_value(value)
            .map_err(|error| EdgeError::ConfigInvalid { what: error.to_string() })?;
        config.check()?;
        Ok(config)
    }

    #[test]
    fn a_small_configuration_gets_the_defaults() {
        let config = config(|_| ()).unwrap();
        assert_eq!(config.limits.samples_kept, 20_000);
        assert_eq!(config.limits.upstream_retry_milliseconds, 0);
        assert_eq!(config.forwarded_headers, ForwardedHeaders::Extend);
        let again: EdgeConfig = serde_json::from_str(&serde_json::to_string(&config).unwrap()).unwrap();
        assert_eq!(again, config);
    }

    #[test]
    fn what_is_wrong_is_named() {
        type Change = fn(&mut serde_json::Value);
        let cases: [(Change, &str); 9] = [
            (|value| value["format"] = 2.into(), "format is 2"),
            (|value| value["public"] = serde_json::json!([]), "public names no address"),
            (|value| value["tenants"] = serde_json::json!([]), "tenants is empty"),
            (|value| value["tenants"][1]["name"] = "alpha".into(), "two tenants are named \"alpha\""),
            (
                |value| value["tenants"][1]["hosts"] = serde_json::json!(["ALPHA.localhost"]),
                "belongs to \"alpha\"",
            ),
            (
                |value| value["tenants"][1]["hosts"] = serde_json::json!(["b.example:80"]),
                "not a host without port",
            ),
            (|value| value["tenants"][1]["upstream"] = "frontend".into(), "not host:port"),
            (|value| value["default_tenant"] = "gamma".into(), "default_tenant \"gamma\""),
            (|value| value["tenant"] = 1.into(), "unknown field `tenant`"),
        ];
        for (change, expected) in cases {
            let error = config(change).unwrap_err().to_string();
            assert!(error.contains(expected), "{error:?} should contain {expected:?}");
        }
    }

    #[test]
    fn hosts_are_compared_without_port_case_and_root_dot() {
        for (given, expected) in [
            ("Alpha.Localhost:8080", "alpha.localhost"),
            ("alpha.localhost.", "alpha.localhost"),
            ("[::1]:80", "[::1]"),
            ("[::1]", "[::1]"),
            ("127.0.0.1:1", "127.0.0.1"),
            ("alpha", "alpha"),
        ] {
            assert_eq!(bare_host(given), expected);
        }
    }

    #[test]
    fn an_upstream_is_a_host_and_a_port() {
        for good in ["127.0.0.1:8001", "frontend:80", "[::1]:8000"] {
            assert_eq!(Upstream::parse(good).unwrap().to_string(), good);
        }
        for bad in
            ["", "frontend", ":80", "user@frontend:80", "frontend:0", "frontend:x", "http://a:1", "a:99999"]
        {
            assert!(Upstream::parse(bad).is_err(), "{bad:?} should be refused");
        }
    }
}
