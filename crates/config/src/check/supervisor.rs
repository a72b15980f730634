//! Checks of a bench whose processes supervisor runs.

use eclusa_model::AppKind;

use super::Findings;
use crate::model::{Stack, Supervisor};
use crate::source::{KeyPath, Mistake};

pub(super) fn check(findings: &mut Findings, path: &KeyPath, table: &Supervisor, stack: &Stack) {
    if stack.app != AppKind::Frappe {
        findings.add_on_key(path.clone(), Mistake::new("config-supervisor-app"));
    }
    let services = path.key("services");
    if table.services.is_empty() {
        findings.add_on_key(services.clone(), Mistake::new("config-no-services"));
    }
    for (name, service) in &table.services {
        let here = services.key(name);
        if service.program.is_none() && service.address.is_none() {
            findings.add_on_key(here.clone(), Mistake::new("config-supervised-nothing"));
        }
        if service.program.as_deref().is_some_and(|program| program.trim_end_matches('*').is_empty()) {
            findings.add(here.key("program"), Mistake::new("config-empty-text"));
        }
        if service.address.as_deref().is_some_and(|address| port_of(address).is_none()) {
            findings.add(here.key("address"), Mistake::new("config-address"));
        }
        findings.variables(&here.key("environment"), &service.environment);
    }
    findings.variables(&path.key("environment"), &table.environment);
    let addressed = |name: &eclusa_model::ServiceName| {
        table.services.get(name).is_some_and(|service| service.address.is_some())
    };
    // Each is reached over its address: the cache is emptied there, the web server answers probes there.
    let cache = stack.frappe.as_ref().and_then(|bench| bench.cache.as_ref());
    for name in cache.into_iter().chain(stack.services.web.first()).chain(&stack.services.frontend) {
        if table.services.contains_key(name) && !addressed(name) {
            let mistake = Mistake::new("config-supervised-address").with("service", name);
            findings.add_on_key(services.key(name), mistake);
        }
    }
    if stack.edge.enabled {
        if table.nginx.is_none() {
            findings.add_on_key(path.clone(), Mistake::new("config-supervisor-nginx"));
        }
        if stack.edge.public_port.is_none() {
            findings.add_on_key(path.clone(), Mistake::new("config-supervisor-edge-port"));
        }
    }
}

/// The port of an address such as `127.0.0.1:8000`.
fn port_of(address: &str) -> Option<u16> {
    let (host, port) = address.rsplit_once(':')?;
    (!host.is_empty()).then(|| port.parse().ok().filter(|port| *port > 0)).flatten()
}
