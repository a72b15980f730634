//! Checks of what runs: the runtime's table, roles, ports, releases, the edge and limits.

use std::collections::{BTreeMap, BTreeSet};

use eclusa_model::{AppKind, RuntimeKind, ServiceName};

use super::Findings;
use crate::model::{FrappeGates, ProcessService, ReleaseKind, Stack};
use crate::nearest::nearest;
use crate::source::{KeyPath, Mistake};

pub(super) fn check(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    runtime_table(findings, path, stack);
    if let Some(table) = &stack.supervisor {
        super::supervisor::check(findings, &path.key("supervisor"), table, stack);
    }
    if let Some(process) = &stack.process {
        processes(findings, &path.key("process"), &process.services);
    }
    roles(findings, &path.key("services"), stack);
    release(findings, &path.key("release"), stack);
    edge(findings, &path.key("edge"), stack);
    limits(findings, &path.key("limits"), stack);
    commands(findings, &path.key("commands"), stack);
    bench(findings, path, stack);
}

/// Settings that are the site's identity, or that the runbook sets itself.
const OWN_SETTINGS: &[&str] = &[
    "maintenance_mode",
    "pause_scheduler",
    "db_name",
    "db_user",
    "db_password",
    "db_type",
    "db_host",
    "db_port",
    "encryption_key",
    "backup_encryption_key",
];

fn bench(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    let Some(table) = &stack.frappe else {
        if stack.app == AppKind::Frappe {
            findings.add_on_key(path.clone(), Mistake::new("config-frappe-table"));
        }
        return;
    };
    let here = path.key("frappe");
    if stack.app != AppKind::Frappe {
        findings.add_on_key(here, Mistake::new("config-frappe-other"));
        return;
    }
    if !table.bench.starts_with('/') || table.bench.split('/').any(|part| part == "..") {
        findings.add(here.key("bench"), Mistake::new("config-path-inside"));
    }
    if table.cache.is_none() {
        findings.add_on_key(here.clone(), Mistake::new("config-frappe-cache"));
    }
    let shared = table.gates.queue.is_some() && table.gates.queue == table.cache;
    let apart = table.cache_database.is_some()
        && table.cache_database.unwrap_or_default() != table.gates.queue_database.unwrap_or_default();
    if shared && !apart && !table.cache_keeps_queue {
        findings.add(here.key("cache"), Mistake::new("config-frappe-cache-queue"));
    }
    for (index, setting) in table.set_config.iter().enumerate() {
        let here = here.key("set_config").index(index);
        if setting.key.trim().is_empty() || OWN_SETTINGS.contains(&setting.key.as_str()) {
            findings.add(here.key("key"), Mistake::new("config-frappe-own-setting"));
        }
        if setting.common && setting.tenant.is_some() {
            findings.add(here.key("tenant"), Mistake::new("config-frappe-common-setting"));
        }
    }
    let gates = here.key("gates");
    let plain = FrappeGates::is_plain_name;
    for (index, queue) in table.gates.queues.iter().flatten().enumerate() {
        if !plain(queue) {
            findings.add(gates.key("queues").index(index), Mistake::new("config-frappe-name"));
        }
    }
    for (index, console) in table.gates.console.iter().enumerate() {
        if !plain(&console.name) {
            findings.add(gates.key("console").index(index).key("name"), Mistake::new("config-frappe-name"));
        }
    }
    for (index, tests) in table.gates.tests.iter().enumerate() {
        if !plain(&tests.module) {
            findings.add(gates.key("tests").index(index).key("module"), Mistake::new("config-frappe-name"));
        }
    }
    if table.gates.rows_fewer_percent.is_some_and(|percent| percent > 100) {
        findings.add(gates.key("rows_fewer_percent"), Mistake::new("config-frappe-share"));
    }
    for (index, page) in table.pages.iter().enumerate() {
        if !page.starts_with('/') {
            findings.add(here.key("pages").index(index), Mistake::new("config-path-slash"));
        }
    }
}

fn runtime_table(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    let tables = [
        (RuntimeKind::Compose, "compose", stack.compose.is_some()),
        (RuntimeKind::Process, "process", stack.process.is_some()),
        (RuntimeKind::Supervisor, "supervisor", stack.supervisor.is_some()),
    ];
    let own = tables.iter().find(|(kind, ..)| *kind == stack.runtime);
    let (word, wanted) = own.map_or(("", false), |(_, word, there)| (*word, *there));
    if !wanted {
        let mistake =
            Mistake::new("config-runtime-table").with("runtime", word).with("stack", stack_name(path));
        findings.add(path.key("runtime"), mistake);
    }
    for (_, other, _) in tables.iter().filter(|(kind, _, there)| *kind != stack.runtime && *there) {
        let mistake = Mistake::new("config-runtime-other").with("runtime", word).with("other", *other);
        findings.add_on_key(path.key(other), mistake);
    }
    if let Some(compose) = &stack.compose {
        if compose.files.is_empty() {
            findings.add(
                path.key("compose").key("files"),
                Mistake::new("config-empty-list").with("key", "files"),
            );
        }
        if compose.files.contains(&compose.override_file) {
            findings.add(path.key("compose").key("override"), Mistake::new("config-override-own"));
        }
    }
}

fn stack_name(path: &KeyPath) -> String {
    match path.0.last() {
        Some(crate::source::Part::Key(name)) => name.clone(),
        _ => String::from("NAME"),
    }
}

fn processes(findings: &mut Findings, path: &KeyPath, services: &BTreeMap<ServiceName, ProcessService>) {
    let path = path.key("services");
    if services.is_empty() {
        findings.add_on_key(path.clone(), Mistake::new("config-no-services"));
    }
    let mut taken = BTreeMap::new();
    for (name, service) in services {
        let here = path.key(name);
        for (key, port) in [("port", service.port), ("public_port", service.public_port)] {
            findings.port(here.key(key), port);
            let Some(port) = port else { continue };
            if let Some(other) = taken.insert(port, name) {
                let mistake = Mistake::new("config-port-taken").with("port", port).with("by", other);
                findings.add(here.key(key), mistake);
            }
        }
        if service.port.is_none() {
            for (key, there) in
                [("public_port", service.public_port.is_some()), ("health", service.health.is_some())]
            {
                if there {
                    findings.add_on_key(here.key(key), Mistake::new("config-needs-port").with("key", key));
                }
            }
        }
        if service.health.as_deref().is_some_and(|health| !health.starts_with('/')) {
            findings.add(here.key("health"), Mistake::new("config-path-slash"));
        }
        findings.variables(&here.key("environment"), &service.environment);
    }
}

fn roles(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    let roles = &stack.services;
    let mut named: Vec<(KeyPath, &ServiceName, &str)> = Vec::new();
    for (key, list) in [
        ("web", &roles.web),
        ("workers", &roles.workers),
        ("schedulers", &roles.schedulers),
        ("caches", &roles.caches),
        ("once", &roles.once),
    ] {
        named.extend(list.iter().enumerate().map(|(index, name)| (path.key(key).index(index), name, key)));
    }
    named.extend(roles.database.iter().map(|name| (path.key("database"), name, "database")));
    // The web server itself may be what the public reaches.
    let frontend = roles.frontend.iter().filter(|name| !roles.web.contains(name));
    named.extend(frontend.map(|name| (path.key("frontend"), name, "frontend")));
    let mut seen: BTreeMap<&ServiceName, &str> = BTreeMap::new();
    for (here, name, role) in &named {
        if let Some(other) = seen.insert(name, role) {
            let mistake = Mistake::new("config-service-twice").with("service", name).with("role", other);
            findings.add(here.clone(), mistake);
        }
        known_service(findings, here.clone(), name, stack);
    }
    if let Some(name) = &roles.migrate_in {
        known_service(findings, path.key("migrate_in"), name, stack);
    }
    if matches!(stack.app, AppKind::Django | AppKind::Frappe) && roles.web.is_empty() {
        findings.add_on_key(path.clone(), Mistake::new("config-no-web"));
    }
}

/// Says so when a process stack has no such service. What a Compose project has is known only to Compose.
pub(super) fn known_service(findings: &mut Findings, path: KeyPath, name: &ServiceName, stack: &Stack) {
    let process = stack.process.iter().flat_map(|process| process.services.keys());
    let supervised = stack.supervisor.iter().flat_map(|supervisor| supervisor.services.keys());
    let known: Vec<&str> = process.chain(supervised).map(ServiceName::as_str).collect();
    if stack.runtime == RuntimeKind::Compose || known.contains(&name.as_str()) {
        return;
    }
    let mistake = match nearest(name.as_str(), known.iter().copied()) {
        Some(meant) => Mistake::new("config-unknown-service-near").with("meant", meant),
        None => Mistake::new("config-unknown-service"),
    };
    findings.add(path, mistake.with("service", name).with("known", known.join(", ")));
}

fn release(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    let release = &stack.release;
    let fits = match release.source {
        ReleaseKind::Git => stack.runtime != RuntimeKind::Supervisor,
        ReleaseKind::Bench => stack.runtime == RuntimeKind::Supervisor,
        ReleaseKind::Image => stack.runtime == RuntimeKind::Compose,
        ReleaseKind::Directory => stack.runtime == RuntimeKind::Process,
    };
    if !fits {
        findings.add(path.key("source"), Mistake::new("config-source-runtime"));
    }
    if release.source == ReleaseKind::Image && release.variable.is_none() {
        findings.add(path.key("source"), Mistake::new("config-image-variable"));
    }
    findings.variable_name(path.key("variable"), release.variable.as_deref());
    let no_env_file = stack.compose.as_ref().is_some_and(|compose| compose.env_files.is_empty());
    if release.source == ReleaseKind::Image && release.env_file.is_none() && no_env_file {
        findings.add(path.key("source"), Mistake::new("config-image-env-file"));
    }
    if release.keep == 0 {
        findings.add(path.key("keep"), Mistake::new("config-keep-zero"));
    }
}

fn edge(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    let edge = &stack.edge;
    findings.port(path.key("side_door"), Some(edge.side_door));
    findings.port(path.key("public_port"), edge.public_port);
    findings.positive(path.key("retry_after"), edge.retry_after);
    if edge.hold.requests > 0 {
        findings.positive(path.key("hold").key("for"), edge.hold.length);
    }
    if edge.message.trim().is_empty() {
        findings.add(path.key("message"), Mistake::new("config-empty-text"));
    }
    if !edge.enabled {
        return;
    }
    let published: BTreeSet<u16> = stack
        .process
        .iter()
        .flat_map(|process| process.services.values())
        .flat_map(|service| [service.port, service.public_port])
        .chain([edge.public_port])
        .flatten()
        .collect();
    if published.contains(&edge.side_door) {
        findings
            .add(path.key("side_door"), Mistake::new("config-port-side-door").with("port", edge.side_door));
    }
    let services = stack.process.iter().flat_map(|process| &process.services);
    for (name, port) in services.filter_map(|(name, service)| service.port.map(|port| (name, port))) {
        if edge.public_port == Some(port) {
            let mistake = Mistake::new("config-port-taken").with("port", port).with("by", name);
            findings.add(path.key("public_port"), mistake);
        }
    }
}

fn limits(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    let limits = &stack.limits;
    for (key, period) in [
        ("migrate", limits.migrate),
        ("tests", limits.tests),
        ("build", limits.build),
        ("healthy", limits.healthy),
    ] {
        findings.positive(path.key(key), period);
    }
    if limits.parallel == 0 {
        findings.add(path.key("parallel"), Mistake::new("config-at-least-one"));
    }
}

fn commands(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    if let Some(tests) = &stack.commands.tests {
        let path = path.key("tests");
        findings.variable_name(path.key("database_variable"), tests.database_variable.as_deref());
        findings.variables(&path.key("environment"), &tests.environment);
        if let Some(timeout) = tests.timeout {
            findings.positive(path.key("timeout"), timeout);
        }
    }
}
