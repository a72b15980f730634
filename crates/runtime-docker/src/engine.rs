//! The connection to the Docker engine, with its errors as faults.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::errors::Error;
use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::{CommandSpec, Host, NoOutput};
use tokio::sync::OnceCell;

/// The engine that the `docker` command of this host talks to. It is connected to when it is first needed.
#[derive(Clone)]
pub struct Engine {
    host: Arc<dyn Host>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    endpoint: OnceCell<String>,
    docker: OnceCell<Docker>,
}

impl Engine {
    /// The engine of a host. Nothing is connected yet.
    #[must_use]
    pub fn new(host: Arc<dyn Host>) -> Self {
        Self { host, shared: Arc::new(Shared::default()) }
    }

    /// The engine at an address (`unix:///run/docker.sock`, `tcp://10.0.0.7:2375`).
    #[must_use]
    pub fn at(host: Arc<dyn Host>, endpoint: impl Into<String>) -> Self {
        let shared = Shared { endpoint: OnceCell::new_with(Some(endpoint.into())), docker: OnceCell::new() };
        Self { host, shared: Arc::new(shared) }
    }

    /// The engine's address: `DOCKER_HOST`, or that of the `docker` command's current context, so that both doors
    /// lead to the same engine.
    pub async fn endpoint(&self) -> &str {
        self.shared.endpoint.get_or_init(|| async { self.find_endpoint().await }).await
    }

    async fn find_endpoint(&self) -> String {
        const DEFAULT: &str = "unix:///var/run/docker.sock";
        if let Ok(endpoint) = std::env::var("DOCKER_HOST")
            && !endpoint.is_empty()
        {
            return endpoint;
        }
        let argv = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"];
        let asked = self.host.run(CommandSpec::new(argv, Duration::from_secs(20)), &NoOutput).await;
        match asked {
            Ok(result) if result.code == 0 && result.stdout.contains("://") => {
                result.stdout.trim().to_owned()
            }
            _ => DEFAULT.to_owned(),
        }
    }

    /// The client, with the API version that both sides know.
    ///
    /// # Errors
    /// `DockerUnreachable`, `DockerDenied`.
    pub async fn docker(&self) -> Result<&Docker> {
        let endpoint = self.endpoint().await;
        self.shared
            .docker
            .get_or_try_init(|| async {
                let docker = Docker::connect_with_host(endpoint)
                    .map_err(|error| unreachable_engine(endpoint, &error))?;
                docker.negotiate_version().await.map_err(|error| unreachable_engine(endpoint, &error))
            })
            .await
    }

    /// A fault for an error of the engine.
    pub(crate) fn fault(&self, operation: &str, error: &Error) -> Fault {
        let endpoint = self.shared.endpoint.get().map_or("", String::as_str);
        match error {
            Error::DockerResponseServerError { message, .. } => {
                Fault::new(Code::RuntimeFailed).with("operation", operation).because(message)
            }
            error if is_connection(error) => unreachable_engine(endpoint, error),
            error => Fault::new(Code::RuntimeFailed).with("operation", operation).because(story(error)),
        }
    }
}

/// Whether the engine answered that there is no such thing.
pub(crate) fn is_missing(error: &Error) -> bool {
    status(error) == Some(404)
}

/// The status that the engine answered with.
pub(crate) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

fn is_connection(error: &Error) -> bool {
    matches!(error, Error::SocketNotFoundError(_) | Error::RequestTimeoutError) || io_kind(error).is_some()
}

fn io_kind(error: &Error) -> Option<std::io::ErrorKind> {
    if let Error::IOError { err } = error {
        return Some(err.kind());
    }
    let mut next = error.source();
    while let Some(source) = next {
        if let Some(found) = source.downcast_ref::<std::io::Error>() {
            return Some(found.kind());
        }
        next = source.source();
    }
    None
}

fn story(error: &Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let more = source.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = source.source();
    }
    text
}

fn unreachable_engine(endpoint: &str, error: &Error) -> Fault {
    let code = match io_kind(error) {
        Some(std::io::ErrorKind::PermissionDenied) => Code::DockerDenied,
        _ => Code::DockerUnreachable,
    };
    Fault::new(code).with("endpoint", endpoint).because(story(error))
}
