//! Checks of where data is: databases, files, tenants, domains.

use std::collections::BTreeMap;

use eclusa_model::{AppKind, DatabaseEngine, ServiceName};

use super::Findings;
use super::services::known_service;
use crate::frappe::SiteServer;
use crate::model::{Database, FileSet, Stack, Value};
use crate::source::{KeyPath, Mistake};

pub(super) fn check(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    base_backups(findings, &path.key("base_backups"), stack);
    let mut domains = BTreeMap::new();
    if stack.app == AppKind::Frappe {
        return sites(findings, path, stack, &mut domains);
    }
    if stack.tenants.is_empty() {
        match &stack.database {
            Some(database) => check_database(findings, &path.key("database"), database, stack),
            None => findings.add_on_key(path.clone(), Mistake::new("config-no-database")),
        }
        check_files(findings, &path.key("files"), &stack.files, stack);
        check_domains(findings, &path.key("domains"), &stack.domains, "", &mut domains);
        return;
    }
    let of_one = [
        ("database", stack.database.is_some()),
        ("files", !stack.files.is_empty()),
        ("domains", !stack.domains.is_empty()),
    ];
    for (key, _) in of_one.into_iter().filter(|(_, there)| *there) {
        findings.add_on_key(path.key(key), Mistake::new("config-belongs-to-tenant").with("key", key));
    }
    let mut places = BTreeMap::new();
    for (name, tenant) in &stack.tenants {
        let here = path.key("tenants").key(name);
        check_files(findings, &here.key("files"), &tenant.files, stack);
        check_domains(findings, &here.key("domains"), &tenant.domains, name.as_str(), &mut domains);
        let Some(database) = &tenant.database else {
            findings.add_on_key(here, Mistake::new("config-tenant-database").with("tenant", name));
            continue;
        };
        check_database(findings, &here.key("database"), database, stack);
        let service = database.service.as_ref().or(stack.services.database.as_ref());
        let place = (service, database.name.as_ref().map(Value::as_str), database.path.as_ref());
        if let Some(other) = places.insert(place, name) {
            let mistake = Mistake::new("config-database-shared").with("tenant", name).with("other", other);
            findings.add_on_key(here.key("database"), mistake);
        }
    }
}

/// Base backups are those of servers of PostgreSQL. Their paths become part of settings and commands of the server.
fn base_backups(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    let databases =
        stack.database.iter().chain(stack.tenants.values().filter_map(|one| one.database.as_ref()));
    let servers: Vec<ServiceName> = databases
        .filter(|database| database.engine == DatabaseEngine::Postgresql)
        .filter_map(|database| stack.database_service(database))
        .collect();
    for (service, bases) in &stack.base_backups {
        let here = path.key(service);
        if !servers.contains(service) {
            let mistake = Mistake::new("config-base-server").with("service", service);
            findings.add_on_key(here.clone(), mistake);
        }
        for (key, directory) in [("directory", &bases.directory), ("wal", &bases.wal)] {
            let plain = |sign: char| sign.is_ascii_alphanumeric() || "/._-".contains(sign);
            let below = directory.strip_prefix('/').filter(|below| !below.is_empty());
            if !directory.chars().all(plain)
                || below.is_none_or(|below| below.split('/').any(|part| part == ".."))
            {
                findings.add(here.key(key), Mistake::new("config-base-directory"));
            }
        }
        if bases.directory == bases.wal {
            findings.add(here.key("wal"), Mistake::new("config-base-same"));
        }
    }
}

/// A Frappe stack says how the server of all its sites is reached; the sites name their databases themselves.
fn sites<'a>(
    findings: &mut Findings,
    path: &KeyPath,
    stack: &'a Stack,
    domains: &mut BTreeMap<String, &'a str>,
) {
    match &stack.database {
        Some(database) => {
            let here = path.key("database");
            if database.engine != DatabaseEngine::Mariadb {
                findings.add(here.key("engine"), Mistake::new("config-frappe-engine"));
            }
            if database.name.is_some() {
                findings.add_on_key(here.key("name"), Mistake::new("config-frappe-site").with("key", "name"));
            }
            needs_service(findings, &here, database, stack);
            if let Some(user) = &database.user {
                findings.reference(here.key("user"), user);
            }
            servers(findings, &here.key("servers"), database, stack);
        }
        None => findings.add_on_key(path.clone(), Mistake::new("config-no-database")),
    }
    for (key, there) in [("files", !stack.files.is_empty()), ("domains", !stack.domains.is_empty())] {
        if there {
            findings.add_on_key(path.key(key), Mistake::new("config-frappe-site").with("key", key));
        }
    }
    for (name, tenant) in &stack.tenants {
        let here = path.key("tenants").key(name);
        check_domains(findings, &here.key("domains"), &tenant.domains, name.as_str(), domains);
        for (key, there) in [("database", tenant.database.is_some()), ("files", !tenant.files.is_empty())] {
            if there {
                findings.add_on_key(here.key(key), Mistake::new("config-frappe-site").with("key", key));
            }
        }
    }
}

/// Servers that sites name: each once, and each with a way to it.
fn servers(findings: &mut Findings, path: &KeyPath, database: &Database, stack: &Stack) {
    let mut seen = std::collections::BTreeSet::new();
    for (index, server) in database.servers.iter().enumerate() {
        let here = path.index(index);
        if server.db_host.trim().is_empty() {
            findings.add(here.key("db_host"), Mistake::new("config-empty-text"));
        }
        let named = SiteServer::new(&server.db_host, server.db_port);
        if !seen.insert(named.clone()) {
            let mistake = Mistake::new("config-duplicate-name").with("name", named);
            findings.add(here.key("db_host"), mistake);
        }
        match (&server.service, &server.host) {
            // Then its programs would ask the server of all others for this site's data.
            (None, None) => findings.add(here.clone(), Mistake::new("config-database-server-nowhere")),
            (Some(service), _) => known_service(findings, here.key("service"), service, stack),
            (None, Some(_)) => {}
        }
        if let Some(user) = &server.user {
            findings.reference(here.key("user"), user);
        }
    }
}

/// A server's container must be known.
fn needs_service(findings: &mut Findings, path: &KeyPath, database: &Database, stack: &Stack) {
    if stack.database_service(database).is_none() {
        findings.add(path.key("engine"), Mistake::new("config-database-service"));
    }
}

fn check_database(findings: &mut Findings, path: &KeyPath, database: &Database, stack: &Stack) {
    if !database.servers.is_empty() {
        findings.add_on_key(path.key("servers"), Mistake::new("config-database-servers"));
    }
    if database.engine != DatabaseEngine::Mariadb {
        let word = if database.engine == DatabaseEngine::Sqlite { "sqlite" } else { "postgresql" };
        for (key, there) in [("host", database.host.is_some()), ("port", database.port.is_some())] {
            if there {
                let mistake = Mistake::new("config-database-host").with("engine", word);
                findings.add_on_key(path.key(key), mistake);
            }
        }
    }
    let of_servers = [
        ("service", database.service.is_some()),
        ("name", database.name.is_some()),
        ("user", database.user.is_some()),
        ("password", database.password.is_some()),
    ];
    let (word, foreign): (_, Vec<&str>) = match database.engine {
        DatabaseEngine::Postgresql => {
            let missing = [("name", database.name.is_none()), ("user", database.user.is_none())];
            for (key, _) in missing.into_iter().filter(|(_, missing)| *missing) {
                let mistake =
                    Mistake::new("config-database-needs").with("engine", "postgresql").with("key", key);
                findings.add(path.key("engine"), mistake);
            }
            needs_service(findings, path, database, stack);
            ("postgresql", database.path.iter().map(|_| "path").collect())
        }
        DatabaseEngine::Mariadb => {
            if database.name.is_none() {
                let mistake =
                    Mistake::new("config-database-needs").with("engine", "mariadb").with("key", "name");
                findings.add(path.key("engine"), mistake);
            }
            needs_service(findings, path, database, stack);
            ("mariadb", database.path.iter().map(|_| "path").collect())
        }
        DatabaseEngine::Sqlite => {
            if database.path.is_none() {
                let mistake =
                    Mistake::new("config-database-needs").with("engine", "sqlite").with("key", "path");
                findings.add(path.key("engine"), mistake);
            }
            ("sqlite", of_servers.iter().filter(|(_, there)| *there).map(|(key, _)| *key).collect())
        }
    };
    for key in foreign {
        findings.add_on_key(
            path.key(key),
            Mistake::new("config-database-foreign").with("engine", word).with("key", key),
        );
    }
    for (key, value) in [("name", &database.name), ("user", &database.user)] {
        let Some(value) = value else { continue };
        findings.reference(path.key(key), value);
        if value.as_str().is_empty() {
            findings.add(path.key(key), Mistake::new("config-empty-text"));
        }
    }
    if let Some(service) = &database.service {
        known_service(findings, path.key("service"), service, stack);
    }
}

fn check_files(findings: &mut Findings, path: &KeyPath, files: &[FileSet], stack: &Stack) {
    findings.unique(path, files.iter().map(|set| set.name.as_str()));
    for (index, set) in files.iter().enumerate() {
        let here = path.index(index);
        // The name is that of a directory in the restore point.
        let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !set.name.is_empty() && (!set.name.chars().all(good) || set.name.starts_with(['.', '-'])) {
            findings.add(here.key("name"), Mistake::new("config-file-set-name"));
        }
        match (&set.directory, &set.service, &set.path) {
            (Some(_), None, None) => {}
            (None, Some(service), Some(inside)) => {
                known_service(findings, here.key("service"), service, stack);
                if !inside.starts_with('/') || inside.split('/').any(|part| part == "..") || inside == "/" {
                    findings.add(here.key("path"), Mistake::new("config-path-inside"));
                }
            }
            _ => findings.add(here, Mistake::new("config-file-set")),
        }
    }
}

fn check_domains<'a>(
    findings: &mut Findings,
    path: &KeyPath,
    domains: &'a [String],
    tenant: &'a str,
    seen: &mut BTreeMap<String, &'a str>,
) {
    for (index, domain) in domains.iter().enumerate() {
        let here = path.index(index);
        let good = !domain.is_empty()
            && domain.len() <= 253
            && domain.split('.').all(|label| {
                !label.is_empty()
                    && !label.starts_with('-')
                    && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
            });
        if !good {
            findings.add(here, Mistake::new("config-domain"));
        } else if let Some(other) = seen.insert(domain.to_lowercase(), tenant) {
            let mistake = if other == tenant {
                Mistake::new("config-duplicate-name").with("name", domain)
            } else {
                Mistake::new("config-domain-shared").with("domain", domain).with("other", other)
            };
            findings.add(here, mistake);
        }
    }
}
