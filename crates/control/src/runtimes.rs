//! The registry of runtimes: from the configuration to what runs the services, one function each.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eclusa_config::{ReleaseKind, Stack};
use eclusa_edge::{CONFIG_FORMAT, EdgeConfig, HoldLimits, Limits, TenantConfig, Upstream};
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{RuntimeKind, ServiceRole, StackName, Tenant};
use eclusa_ports::{Lease, Runtime, SecretResolver};
use eclusa_runtime_docker::{
    ComposeRuntime, ComposeStack, DockerDoors, DockerLease, EdgeSettings, StackSource,
};
use eclusa_runtime_process::{FileLease, ProcessEdge, ProcessRuntime, ProcessService, ProcessStack};
use secrecy::SecretString;

/// The port on which the edge listens inside its container.
const EDGE_CONTAINER_PORT: u16 = 8080;

/// What runs a stack, and where its lease and its edge's control socket are.
pub(crate) struct Chosen {
    pub runtime: Arc<dyn Runtime>,
    pub lease: Arc<dyn Lease>,
    pub edge_socket: PathBuf,
    /// The processes themselves, where Eclusa supervises them.
    pub processes: Option<Arc<ProcessRuntime>>,
}

/// What a runtime is chosen for.
pub(crate) struct Wanted<'a> {
    pub name: &'a StackName,
    pub stack: &'a Stack,
    pub tenants: &'a [Tenant],
    pub state: &'a Path,
    pub binary: &'a Path,
    /// The doors to Docker, for a stack behind them.
    pub docker: &'a DockerDoors,
    pub secrets: &'a dyn SecretResolver,
    /// This machine, as leases name it.
    pub machine: String,
}

/// The table of runtimes: one line each.
pub(crate) async fn choose(wanted: &Wanted<'_>) -> Result<Chosen> {
    match wanted.stack.runtime {
        RuntimeKind::Compose => compose(wanted).await,
        RuntimeKind::Process => process(wanted),
        RuntimeKind::Supervisor => crate::supervised::choose(wanted),
    }
}

/// Where everything of one stack's edge lies. A socket's path has at most 107 bytes, so it is kept short.
pub(crate) fn edge_directory(wanted: &Wanted<'_>) -> PathBuf {
    wanted.state.join("edge").join(wanted.name.as_str())
}

fn edge_config(
    wanted: &Wanted<'_>,
    upstream: &str,
    public: std::net::SocketAddr,
    directory: &Path,
) -> Result<EdgeConfig> {
    let upstream = Upstream::parse(upstream)
        .map_err(|error| Fault::new(Code::EdgeFailed).with("operation", "be configured").because(error))?;
    let tenants: Vec<TenantConfig> = wanted
        .tenants
        .iter()
        .map(|tenant| TenantConfig {
            name: tenant.name.to_string(),
            hosts: tenant.domains.clone(),
            upstream: upstream.clone(),
        })
        .collect();
    let hold = &wanted.stack.edge.hold;
    Ok(EdgeConfig {
        format: CONFIG_FORMAT,
        public: vec![public],
        // The frontend itself stays reachable on a port of the loopback interface.
        side_door: None,
        control_socket: directory.join("edge.sock"),
        state_directory: directory.join("state"),
        default_tenant: match wanted.tenants {
            [only] => Some(only.name.to_string()),
            _ => None,
        },
        tenants,
        forwarded_headers: eclusa_edge::ForwardedHeaders::default(),
        initial_gate: eclusa_edge::InitialGate::default(),
        limits: Limits {
            hold: HoldLimits {
                max_requests: hold.requests.into(),
                max_wait_seconds: hold.length.as_seconds(),
            },
            ..Limits::default()
        },
    })
}

fn json(config: &EdgeConfig) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(config).map_err(|error| Fault::new(Code::Internal).with("what", error))
}

/// The absolute paths of a project's Compose files, of its env files, and its directory.
pub(crate) fn compose_places(
    stack: &Stack,
    compose: &eclusa_config::Compose,
) -> (Vec<PathBuf>, Vec<PathBuf>, PathBuf) {
    let files: Vec<PathBuf> = compose.files.iter().map(|file| stack.resolve(file)).collect();
    let env_files = compose.env_files.iter().map(|file| stack.resolve(file)).collect();
    let directory =
        files.first().and_then(|file| file.parent()).unwrap_or(&stack.origin.directory).to_owned();
    (files, env_files, directory)
}

async fn compose(wanted: &Wanted<'_>) -> Result<Chosen> {
    let stack = wanted.stack;
    let compose = stack.compose.as_ref().ok_or_else(|| internal("a Compose stack without its table"))?;
    let (files, env_files, directory) = compose_places(stack, compose);
    let frontend = stack
        .frontend_service()
        .cloned()
        .ok_or_else(|| Fault::new(Code::ServiceMissing).with("service", "frontend").with("known", "none"))?;
    let doors = wanted.docker.clone();
    let project = doors.resolve(&files, &env_files, &directory, compose.project.as_deref()).await?;
    let frontend_port = project
        .services
        .get(frontend.as_str())
        .and_then(|service| service.ports.first())
        .map_or(80, |port| port.target);
    let edge_directory = edge_directory(wanted);
    let edge = if stack.edge.enabled {
        let upstream = format!("{frontend}:{frontend_port}");
        let public = std::net::SocketAddr::from(([0, 0, 0, 0], EDGE_CONTAINER_PORT));
        let config = edge_config(wanted, &upstream, public, Path::new("/run/eclusa"))?;
        Some(EdgeSettings {
            control_directory: edge_directory.clone(),
            config_json: json(&config)?,
            listen_port: EDGE_CONTAINER_PORT,
        })
    } else {
        None
    };
    let roles = project
        .services
        .keys()
        .filter_map(|name| eclusa_model::ServiceName::new(name).ok())
        .map(|name| {
            let role = stack.role(&name);
            (name, role)
        })
        .collect();
    let settings = ComposeStack {
        name: wanted.name.clone(),
        directory,
        files,
        project: compose.project.clone(),
        env_files,
        state_directory: wanted.state.join("compose").join(wanted.name.as_str()),
        override_path: Some(stack.resolve(&compose.override_file)),
        roles,
        source: match stack.release.source {
            ReleaseKind::Image => {
                StackSource::Image { variable: stack.release.variable.clone().unwrap_or_default() }
            }
            _ => StackSource::Git {
                repository: stack.resolve(&stack.release.repository),
                build_variables: BTreeMap::new(),
            },
        },
        frontend,
        frontend_port,
        side_door_port: stack.edge.side_door,
        binary: wanted.binary.to_owned(),
        edge,
    };
    let lease = Arc::new(DockerLease::new(doors.engine().clone(), project.name, wanted.machine.clone()));
    let runtime = Arc::new(ComposeRuntime::new(settings, doors));
    Ok(Chosen { runtime, lease, edge_socket: edge_directory.join("edge.sock"), processes: None })
}

/// The edge as a process of this machine.
pub(crate) fn edge_process(
    wanted: &Wanted<'_>,
    upstream: &str,
    public: std::net::SocketAddr,
) -> Result<ProcessEdge> {
    let directory = edge_directory(wanted);
    let config = edge_config(wanted, upstream, public, &directory)?;
    let text = String::from_utf8(json(&config)?).map_err(|_| internal("a configuration that is no text"))?;
    Ok(ProcessEdge {
        argv: [&wanted.binary.display().to_string(), "edge", "serve", "--config", "{config}"]
            .map(String::from)
            .to_vec(),
        config_path: directory.join("edge.json"),
        config: Some(text),
        public_port: public.port(),
        control_socket: directory.join("edge.sock"),
    })
}

fn process(wanted: &Wanted<'_>) -> Result<Chosen> {
    let stack = wanted.stack;
    let table = stack.process.as_ref().ok_or_else(|| internal("a process stack without its table"))?;
    let directory = stack.origin.directory.clone();
    let own = wanted.state.join("process").join(wanted.name.as_str());
    let edge_directory = edge_directory(wanted);
    let mut services = Vec::new();
    for (name, service) in &table.services {
        let mut environment = BTreeMap::new();
        for (variable, value) in &service.environment {
            let value = if value.is_reference() {
                wanted.secrets.resolve(value.as_str())?
            } else {
                SecretString::from(value.as_str())
            };
            environment.insert(variable.clone(), value);
        }
        services.push(ProcessService {
            name: name.clone(),
            role: stack.role(name),
            command: service.command.argv().to_vec(),
            environment,
            port: service.port,
            public_port: service.public_port,
            health_path: service.health.clone(),
            stop_seconds: service.stop.as_seconds(),
        });
    }
    // What serves is started after what it may need.
    services.sort_by_key(|service| matches!(service.role, ServiceRole::Frontend | ServiceRole::Edge));
    let front = services.iter().find(|service| service.public_port.is_some());
    let edge = match (stack.edge.enabled, front.and_then(|front| Some((front.port?, front.public_port?)))) {
        (true, Some((port, public_port))) => {
            let public =
                std::net::SocketAddr::from(([127, 0, 0, 1], stack.edge.public_port.unwrap_or(public_port)));
            Some(edge_process(wanted, &format!("127.0.0.1:{port}"), public)?)
        }
        _ => None,
    };
    let runtime = Arc::new(ProcessRuntime::new(ProcessStack {
        name: wanted.name.clone(),
        directory: directory.clone(),
        state_path: own.join("stack.json"),
        logs_directory: own.join("logs"),
        releases_directory: stack.resolve(&table.releases),
        address: ProcessStack::loopback(),
        services,
        edge,
        supervisor_argv: vec![wanted.binary.display().to_string(), "supervise".to_owned()],
    }));
    let lease = Arc::new(FileLease::new(own.join("lease.json")));
    Ok(Chosen {
        runtime: runtime.clone(),
        lease,
        edge_socket: edge_directory.join("edge.sock"),
        processes: Some(runtime),
    })
}

pub(crate) fn internal(what: &str) -> Fault {
    Fault::new(Code::Internal).with("what", what)
}
