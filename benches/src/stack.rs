//! A small stack on the embedded process runtime, for what needs no application.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Common, Outcome, measure};

/// A stack with tenants in SQLite. Its processes are stopped when it is dropped.
pub(crate) struct SmallStack {
    pub directory: PathBuf,
    eclusa: PathBuf,
    _root: tempfile::TempDir,
}

impl SmallStack {
    /// Lays a stack; `more` is further configuration.
    pub fn lay(common: &Common, tenants: usize, more: &str) -> Outcome<Self> {
        let root = tempfile::Builder::new().prefix("eclusa-benches-").tempdir_in(&common.scratch)?;
        let directory = root.path().to_path_buf();
        std::fs::create_dir_all(directory.join("releases/r1"))?;
        std::fs::write(directory.join("releases/r1/VERSION"), "r1\n")?;
        let mut text = configuration(free_port()?, "");
        for number in 0..tenants {
            let name = format!("t{number}");
            text.push_str(&format!(
                "\n[stacks.bench.tenants.{name}]\ndomains = [\"{name}.example.org\"]\n\
                 database = {{ engine = \"sqlite\", path = \"{name}.db\" }}\n"
            ));
            let connection = rusqlite::Connection::open(directory.join(format!("{name}.db")))?;
            connection.execute_batch(
                "CREATE TABLE sale (id INTEGER PRIMARY KEY, total INTEGER); INSERT INTO sale VALUES (1, 100)",
            )?;
        }
        text.push_str(more);
        std::fs::write(directory.join("eclusa.toml"), text)?;
        Ok(Self { directory, eclusa: common.eclusa.clone(), _root: root })
    }

    /// The binary in the stack's directory.
    pub fn command(&self, arguments: &[&str]) -> Command {
        command(&self.eclusa, &self.directory, arguments)
    }

    /// Runs it; an error when it fails.
    pub fn must(&self, arguments: &[&str]) -> Outcome<String> {
        measure::must(&mut self.command(arguments))
    }
}

impl Drop for SmallStack {
    fn drop(&mut self) {
        let _ = self.command(&["stop", "--yes"]).output();
    }
}

/// What a command of Docker says; nothing when it fails.
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

/// Removes everything of a Compose project, and Eclusa's lease on it.
pub(crate) fn remove_project(project: &str) {
    let filter = format!("label=com.docker.compose.project={project}");
    for id in docker(&["ps", "-aq", "--filter", &filter]).split_whitespace() {
        docker(&["rm", "-fv", id]);
    }
    docker(&["rm", "-f", &format!("eclusa-lease-{project}")]);
    for kind in ["volume", "network"] {
        for id in docker(&[kind, "ls", "-q", "--filter", &filter]).split_whitespace() {
            docker(&[kind, "rm", id]);
        }
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> Outcome<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The standard library's server, with room for the probes of all tenants at once: it lets five wait by default, and
/// the sixth waits a second.
const SERVER: &str = "import sys; from http.server import *; ThreadingHTTPServer.request_queue_size = 1024; \
     ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), SimpleHTTPRequestHandler).serve_forever()";

/// A stack without its tenants: one service that answers, and a watch that is over soon. `roles` is more of its table
/// `services`.
pub(crate) fn configuration(port: u16, roles: &str) -> String {
    format!(
        r#"version = 1
state = "state"

[stacks.bench]
app = "generic"
runtime = "process"
environment = "staging"

[stacks.bench.process.services.web]
command = ["python3", "-c", "{SERVER}", "{{port}}"]
port = {port}
health = "/"

[stacks.bench.services]
web = ["web"]
{roles}
[stacks.bench.release]
source = "directory"

[stacks.bench.preflight]
disk_free_percent = 1

[[stacks.bench.probes]]
name = "front"
path = "/"

[stacks.bench.watch]
for = "6s"
warm_up = "500ms"
interval = "1s"
synthetic_per_second = 2.0
minimum_samples = 1
error_rate = 0.9
slowdown = 100.0
latency = "30s"
"#
    )
}

/// The binary in a directory.
pub(crate) fn command(eclusa: &Path, directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(eclusa);
    command.args(arguments).current_dir(directory).env("ECLUSA_PERSON", "bench").env("NO_COLOR", "1");
    command
}
