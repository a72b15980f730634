//! What a bench under supervisor is made of. A higher layer builds it from the configuration.

use std::collections::BTreeMap;
use std::path::PathBuf;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{ServiceName, ServiceRole, StackName};
use secrecy::SecretString;

use crate::stack::ProcessEdge;

/// Where Eclusa keeps its own things on a bench.
const OWN: &str = ".eclusa";

/// A program of supervisor's, or something else that the bench uses.
#[derive(Debug, Clone)]
pub struct BenchProgram {
    /// What the service is called.
    pub name: ServiceName,
    /// What it does.
    pub role: ServiceRole,
    /// The program as `supervisorctl status` names it; with `*` at its end, all that begin so. Without one, Eclusa
    /// neither starts nor stops it.
    pub program: Option<String>,
    /// Where it listens.
    pub address: Option<String>,
    /// Its logs, absolute.
    pub logs: Vec<PathBuf>,
    /// What the server's own client programs are told before everything else, such as where the server is.
    pub client: Vec<String>,
    /// Environment variables of commands that run for it.
    pub environment: BTreeMap<String, SecretString>,
}

/// The proxy in front of the bench, between which and the web server the edge stands.
#[derive(Debug, Clone)]
pub struct BenchNginx {
    /// The file whose `upstream` names the web server's address.
    pub file: PathBuf,
    /// The file that is written for the side door.
    pub side_door_file: PathBuf,
    /// What checks the configuration.
    pub test: Vec<String>,
    /// What makes nginx read it.
    pub reload: Vec<String>,
    /// The port of the side door.
    pub side_door: u16,
    /// The site of each host name.
    pub sites: BTreeMap<String, String>,
}

/// One bench.
#[derive(Debug, Clone)]
pub struct BenchStack {
    /// Its name.
    pub name: StackName,
    /// Its directory.
    pub bench: PathBuf,
    /// Where commands of the host run.
    pub directory: PathBuf,
    /// Where pinned release and edge are noted.
    pub state_path: PathBuf,
    /// The command that tells supervisor what to do.
    pub control: Vec<String>,
    /// The services, in the order in which they are started.
    pub programs: Vec<BenchProgram>,
    /// What installs the requirements of a release.
    pub requirements: Vec<Vec<String>>,
    /// What builds its assets.
    pub build: Vec<Vec<String>>,
    /// Environment variables of every command of the bench.
    pub environment: BTreeMap<String, SecretString>,
    /// The gate, where there is one to be installed.
    pub edge: Option<ProcessEdge>,
    /// The proxy; there where there is a gate.
    pub nginx: Option<BenchNginx>,
    /// The program that becomes a supervisor (of the edge), and its first arguments.
    pub supervisor_argv: Vec<String>,
    /// Where the logs of the edge go.
    pub logs_directory: PathBuf,
}

impl BenchStack {
    /// The service of a name.
    ///
    /// # Errors
    /// `ServiceMissing`.
    pub fn program(&self, name: &ServiceName) -> Result<&BenchProgram> {
        self.programs.iter().find(|program| program.name == *name).ok_or_else(|| {
            let known: Vec<&str> = self.programs.iter().map(|program| program.name.as_str()).collect();
            Fault::new(Code::ServiceMissing).with("service", name).with("known", known.join(", "))
        })
    }

    /// Where the benches of releases that do not run are.
    pub(crate) fn releases(&self) -> PathBuf {
        self.bench.join(OWN).join("releases")
    }

    /// The bench of a release that does not run.
    ///
    /// # Errors
    /// `ReleaseUnknown` when its name is none for a directory.
    pub(crate) fn stage(&self, release: &str) -> Result<PathBuf> {
        // A git ref may have slashes; a directory's name may not.
        let name = release.replace('/', "_");
        let plain = !name.is_empty()
            && !name.starts_with(['.', '-'])
            && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c));
        if plain {
            return Ok(self.releases().join(name));
        }
        Err(Fault::new(Code::ReleaseUnknown)
            .with("release", release)
            .with("problem", "its name has characters that a directory's name should not have")
            .with("where", "Give the commit a tag with a plain name."))
    }

    /// The address of the web server that runs the application's code.
    ///
    /// # Errors
    /// `ServiceMissing`.
    pub(crate) fn web_address(&self) -> Result<&str> {
        let web = |program: &&BenchProgram| program.role == ServiceRole::Web && program.address.is_some();
        let found = self.programs.iter().find(web).and_then(|program| program.address.as_deref());
        found.ok_or_else(|| {
            Fault::new(Code::ServiceMissing)
                .with("service", "of services.web with an address")
                .with("known", "none")
        })
    }

    /// The address that the public reaches.
    pub(crate) fn front_address(&self) -> Result<&str> {
        let front = self.programs.iter().find(|program| program.role == ServiceRole::Frontend);
        front.and_then(|program| program.address.as_deref()).map_or_else(|| self.web_address(), Ok)
    }
}
