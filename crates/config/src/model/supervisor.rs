//! What is particular to services that supervisor runs on the host.

use std::collections::BTreeMap;
use std::path::PathBuf;

use eclusa_model::ServiceName;
use serde::Deserialize;

use super::{CommandLine, Value};

/// `[stacks.NAME.supervisor]`: a bench on the host, whose processes supervisor runs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Supervisor {
    /// The command that tells supervisor what to do.
    #[serde(default = "default_control")]
    pub control: CommandLine,
    /// The services by name.
    pub services: BTreeMap<ServiceName, SupervisedService>,
    /// The proxy that takes requests from outside; needed for an edge.
    pub nginx: Option<NginxTable>,
    /// What installs the requirements of a release, in a bench of its own beside the one that runs.
    #[serde(default = "default_requirements")]
    pub requirements: Vec<CommandLine>,
    /// What builds its assets there.
    #[serde(default = "default_build")]
    pub build: Vec<CommandLine>,
    /// Environment variables of every command of the bench; references are resolved when it runs.
    #[serde(default)]
    pub environment: BTreeMap<String, Value>,
}

fn default_control() -> CommandLine {
    CommandLine::fixed(&["supervisorctl"])
}

fn default_requirements() -> Vec<CommandLine> {
    vec![CommandLine::fixed(&["bench", "setup", "requirements"])]
}

fn default_build() -> Vec<CommandLine> {
    vec![CommandLine::fixed(&["bench", "build"])]
}

/// `[stacks.NAME.supervisor.services.SERVICE]`: a program of supervisor's, or something else that the bench uses.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SupervisedService {
    /// The program, as `supervisorctl status` names it: `GROUP:NAME`; with `*` at its end, all that begin so. Absent:
    /// Eclusa neither starts nor stops it.
    pub program: Option<String>,
    /// Where it listens, as `HOST:PORT`; it is up when that answers.
    pub address: Option<String>,
    /// Its logs; relative to the bench.
    #[serde(default)]
    pub logs: Vec<PathBuf>,
    /// A database: the arguments by which its client programs reach it; absent: `--host` and `--port` of the address.
    pub client: Option<Vec<String>>,
    /// Environment variables of commands that run for it.
    #[serde(default)]
    pub environment: BTreeMap<String, Value>,
}

/// `[stacks.NAME.supervisor.nginx]`: the edge stands between nginx and the bench's web server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NginxTable {
    /// The file whose `upstream` names the web server's address.
    pub file: PathBuf,
    /// The file that Eclusa writes for the side door; nginx must include it.
    pub side_door_file: PathBuf,
    /// What checks nginx's configuration.
    #[serde(default = "default_test")]
    pub test: CommandLine,
    /// What makes nginx read it.
    #[serde(default = "default_reload")]
    pub reload: CommandLine,
}

fn default_test() -> CommandLine {
    CommandLine::fixed(&["nginx", "-t"])
}

fn default_reload() -> CommandLine {
    CommandLine::fixed(&["nginx", "-s", "reload"])
}

/// `[stacks.NAME.release.apps]`: where one app of a bench comes from. In each text `{release}` is the release's name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AppSource {
    /// The git ref; absent: the release's name, where the app's repository has it.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// The repository of an app that is not on the bench yet.
    pub url: Option<String>,
    /// The directory whose files are the app, where there is no git.
    pub directory: Option<PathBuf>,
}
