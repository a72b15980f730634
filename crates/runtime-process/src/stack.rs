//! What a stack of processes is made of. A higher layer builds it from the configuration.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{ServiceName, ServiceRole, StackName};
use secrecy::SecretString;

/// What the edge is called among the services.
pub const EDGE_SERVICE: &str = "edge";

/// A service: a command that runs for as long as it is wanted.
#[derive(Debug, Clone)]
pub struct ProcessService {
    /// Its name.
    pub name: ServiceName,
    /// What it does.
    pub role: ServiceRole,
    /// The program and its arguments. In each argument `{release}`, `{release_directory}` and `{port}` are
    /// replaced; other text in braces stays.
    pub command: Vec<String>,
    /// Environment variables on top of a small set that is passed on (`PATH`, `HOME`, the locale and the like); the
    /// rest of Eclusa's own environment is not. The same three words are replaced in plain text.
    pub environment: BTreeMap<String, SecretString>,
    /// The port it listens on: its own, where the side door leads.
    pub port: Option<u16>,
    /// The port it listens on instead while there is no edge: where the public comes in. Only what the public reaches has one.
    pub public_port: Option<u16>,
    /// A path that must answer `GET` with 200. Without one it is healthy while it runs.
    pub health_path: Option<String>,
    /// How long it may take to end before it is killed, in seconds, where an operation does not say.
    pub stop_seconds: u64,
}

/// The gate in front of the stack.
#[derive(Debug, Clone)]
pub struct ProcessEdge {
    /// The program and its arguments; `{config}` is replaced by the path of its configuration.
    pub argv: Vec<String>,
    /// Where its configuration is.
    pub config_path: PathBuf,
    /// Its configuration, written there when the edge is installed; `None` when someone else writes it.
    pub config: Option<String>,
    /// The port where the public comes in.
    pub public_port: u16,
    /// The socket by which it is told what to do. It must answer before the edge counts as installed.
    pub control_socket: PathBuf,
}

/// One stack of processes.
#[derive(Debug, Clone)]
pub struct ProcessStack {
    /// Its name.
    pub name: StackName,
    /// Its directory: where services and commands run.
    pub directory: PathBuf,
    /// Where pinned release and edge are noted. Its directory also gets `run/`.
    pub state_path: PathBuf,
    /// Where the logs go.
    pub logs_directory: PathBuf,
    /// A release NAME is the directory NAME in here.
    pub releases_directory: PathBuf,
    /// The address that services listen on and are asked at.
    pub address: IpAddr,
    /// The services, in the order in which they are started; they are stopped in the opposite one.
    pub services: Vec<ProcessService>,
    /// The gate, where there is one to be installed.
    pub edge: Option<ProcessEdge>,
    /// The program that becomes a supervisor, and its first arguments: `["/usr/bin/eclusa", "supervise"]`.
    pub supervisor_argv: Vec<String>,
}

impl ProcessStack {
    /// The address for a stack that is reached from this machine only.
    #[must_use]
    pub fn loopback() -> IpAddr {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    }

    /// The service of a name.
    ///
    /// # Errors
    /// `ServiceMissing`.
    pub fn service(&self, name: &ServiceName) -> Result<&ProcessService> {
        self.services.iter().find(|service| service.name == *name).ok_or_else(|| {
            let known: Vec<&str> = self.services.iter().map(|service| service.name.as_str()).collect();
            Fault::new(Code::ServiceMissing).with("service", name).with("known", known.join(", "))
        })
    }

    /// The service that the public reaches.
    pub(crate) fn front(&self) -> Option<&ProcessService> {
        self.services
            .iter()
            .find(|service| service.public_port.is_some())
            .or_else(|| {
                self.services
                    .iter()
                    .find(|service| service.role == ServiceRole::Frontend && service.port.is_some())
            })
            .or_else(|| {
                self.services
                    .iter()
                    .find(|service| service.role == ServiceRole::Web && service.port.is_some())
            })
    }

    /// The directory of what supervisors write.
    pub(crate) fn run_directory(&self) -> PathBuf {
        self.state_path.parent().unwrap_or(Path::new(".")).join("run")
    }

    /// The mark of a service. The path of the state file is in it, since two stacks may have one name.
    pub(crate) fn service_mark(&self, service: &str) -> String {
        let path = std::path::absolute(&self.state_path).unwrap_or_else(|_| self.state_path.clone());
        format!("{}#{service}", path.display())
    }
}

impl ProcessService {
    /// The port it listens on, depending on whether an edge stands before it.
    pub(crate) fn listens_on(&self, edge_installed: bool) -> Option<u16> {
        if edge_installed { self.port.or(self.public_port) } else { self.public_port.or(self.port) }
    }
}

/// The three words that are replaced in commands.
#[derive(Debug, Clone)]
pub(crate) struct Placeholders {
    pub release: String,
    pub release_directory: PathBuf,
    pub port: Option<u16>,
}

impl Placeholders {
    /// One argument with the words replaced. What is put in is not looked at again.
    pub(crate) fn fill(&self, argument: &str) -> String {
        let mut filled = String::with_capacity(argument.len());
        let mut rest = argument;
        while let Some(start) = rest.find('{') {
            let (before, from) = rest.split_at(start);
            filled.push_str(before);
            let word = [
                ("{release}", Some(self.release.clone())),
                ("{release_directory}", Some(self.release_directory.display().to_string())),
                ("{port}", self.port.map(|port| port.to_string())),
            ]
            .into_iter()
            .find_map(|(word, value)| Some((word, value?)).filter(|(word, _)| from.starts_with(word)));
            match word {
                Some((word, value)) => {
                    filled.push_str(&value);
                    rest = from.get(word.len()..).unwrap_or_default();
                }
                None => {
                    filled.push('{');
                    rest = from.get(1..).unwrap_or_default();
                }
            }
        }
        filled.push_str(rest);
        filled
    }

    /// Every argument with the words replaced.
    pub(crate) fn fill_all(&self, arguments: &[String]) -> Vec<String> {
        arguments.iter().map(|argument| self.fill(argument)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_replaced_once_and_other_braces_stay() {
        let words = Placeholders {
            release: "{port}".to_owned(),
            release_directory: PathBuf::from("/r/v1"),
            port: Some(8080),
        };
        assert_eq!(words.fill("--at={release_directory}/x:{port}"), "--at=/r/v1/x:8080");
        assert_eq!(words.fill("{release}"), "{port}");
        assert_eq!(words.fill("{\"json\":{port}}"), "{\"json\":8080}");
        assert_eq!(words.fill("{{port}"), "{8080");
        assert_eq!(Placeholders { port: None, ..words }.fill("{port}"), "{port}");
    }
}
