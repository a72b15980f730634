//! From the configuration to the runtime of a bench under supervisor.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use eclusa_config::{NginxTable, SupervisedService, Value};
use eclusa_fault::Result;
use eclusa_model::ServiceRole;
use eclusa_ports::SecretResolver;
use eclusa_runtime_process::{BenchNginx, BenchProgram, BenchStack, FileLease, SupervisorRuntime};
use secrecy::SecretString;

use crate::runtimes::{Chosen, Wanted, edge_directory, edge_process, internal};

fn resolved(
    variables: &BTreeMap<String, Value>,
    secrets: &dyn SecretResolver,
) -> Result<BTreeMap<String, SecretString>> {
    variables
        .iter()
        .map(|(name, value)| {
            let value = if value.is_reference() {
                secrets.resolve(value.as_str())?
            } else {
                SecretString::from(value.as_str())
            };
            Ok((name.clone(), value))
        })
        .collect()
}

/// The order in which services are started; they are stopped in the opposite one.
fn order(role: ServiceRole) -> u8 {
    match role {
        ServiceRole::Database | ServiceRole::Cache => 0,
        ServiceRole::Other => 1,
        ServiceRole::Worker => 2,
        ServiceRole::Web => 3,
        ServiceRole::Scheduler => 4,
        ServiceRole::Frontend | ServiceRole::Edge => 5,
    }
}

/// How the client programs of a database reach it.
fn client(service: &SupervisedService, is_database: bool) -> Vec<String> {
    match (&service.client, &service.address) {
        (Some(arguments), _) => arguments.clone(),
        (None, Some(address)) if is_database => {
            let (host, port) = address.rsplit_once(':').unwrap_or((address, "3306"));
            vec![format!("--host={host}"), format!("--port={port}")]
        }
        _ => Vec::new(),
    }
}

fn programs(wanted: &Wanted<'_>, bench: &std::path::Path) -> Result<Vec<BenchProgram>> {
    let table =
        wanted.stack.supervisor.as_ref().ok_or_else(|| internal("a supervisor stack without its table"))?;
    let servers = wanted.stack.database.iter().flat_map(|database| &database.servers);
    let servers: Vec<_> = servers.filter_map(|server| server.service.as_ref()).collect();
    let mut programs = Vec::new();
    for (name, service) in &table.services {
        let is_database = wanted.stack.role(name) == ServiceRole::Database || servers.contains(&name);
        programs.push(BenchProgram {
            name: name.clone(),
            role: wanted.stack.role(name),
            program: service.program.clone(),
            address: service.address.clone(),
            logs: service.logs.iter().map(|log| bench.join(log)).collect(),
            client: client(service, is_database),
            environment: resolved(&service.environment, wanted.secrets)?,
        });
    }
    // The web server before what only waits for news: it is the first of `services.web`.
    let first = wanted.stack.services.web.first();
    programs.sort_by_key(|program| (order(program.role), Some(&program.name) != first, program.name.clone()));
    Ok(programs)
}

fn nginx(wanted: &Wanted<'_>, table: &NginxTable) -> BenchNginx {
    let mut sites = BTreeMap::new();
    for tenant in wanted.tenants {
        for domain in tenant.domains.iter().filter(|domain| **domain != tenant.name.as_str()) {
            sites.insert(domain.clone(), tenant.name.to_string());
        }
    }
    BenchNginx {
        file: wanted.stack.resolve(&table.file),
        side_door_file: wanted.stack.resolve(&table.side_door_file),
        test: table.test.argv().to_vec(),
        reload: table.reload.argv().to_vec(),
        side_door: wanted.stack.edge.side_door,
        sites,
    }
}

/// The runtime of a bench under supervisor, with its lease and its edge.
pub(crate) fn choose(wanted: &Wanted<'_>) -> Result<Chosen> {
    let stack = wanted.stack;
    let table = stack.supervisor.as_ref().ok_or_else(|| internal("a supervisor stack without its table"))?;
    let bench = PathBuf::from(stack.bench().bench.trim_end_matches('/'));
    let programs = programs(wanted, &bench)?;
    let own = wanted.state.join("supervisor").join(wanted.name.as_str());
    let edge_directory = edge_directory(wanted);
    let web = stack.services.web.first().and_then(|name| stack.supervised_address(name));
    let edge = match (stack.edge.enabled, stack.edge.public_port, web) {
        (true, Some(port), Some(web)) => {
            let public = std::net::SocketAddr::from(([127, 0, 0, 1], port));
            Some(edge_process(wanted, web, public)?)
        }
        _ => None,
    };
    let lists =
        |lines: &[eclusa_config::CommandLine]| lines.iter().map(|line| line.argv().to_vec()).collect();
    let runtime = Arc::new(SupervisorRuntime::new(BenchStack {
        name: wanted.name.clone(),
        bench,
        directory: stack.origin.directory.clone(),
        state_path: own.join("stack.json"),
        control: table.control.argv().to_vec(),
        programs,
        requirements: lists(&table.requirements),
        build: lists(&table.build),
        environment: resolved(&table.environment, wanted.secrets)?,
        nginx: table.nginx.as_ref().filter(|_| edge.is_some()).map(|table| nginx(wanted, table)),
        edge,
        supervisor_argv: vec![wanted.binary.display().to_string(), "supervise".to_owned()],
        logs_directory: own.join("logs"),
    }));
    let lease = Arc::new(FileLease::new(own.join("lease.json")));
    Ok(Chosen { runtime, lease, edge_socket: edge_directory.join("edge.sock"), processes: None })
}
