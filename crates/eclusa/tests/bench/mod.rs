//! A bench on Compose as its owner would bring it up, and Eclusa's command line in its directory: what the tests of
//! benches share. Each uses a part of it.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::time::Duration;

use eclusa_testkit::free_port;

/// What a command said.
pub fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Eclusa's command line in the directory of a stack.
pub fn eclusa(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eclusa"));
    command.args(arguments).current_dir(directory).env("NO_COLOR", "1").env("ECLUSA_PERSON", "tester");
    command
}

/// The status by which a site answers on a port; 0: not at all.
pub fn status(port: u16, site: &str, path: &str) -> u16 {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return 0 };
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {site}\r\nConnection: close\r\n\r\n");
    let mut bytes = Vec::new();
    if stream.write_all(request.as_bytes()).is_err() || stream.read_to_end(&mut bytes).is_err() {
        return 0;
    }
    let head = String::from_utf8_lossy(&bytes).into_owned();
    head.split_whitespace().nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// Where the scripts and configurations of stacks are.
pub fn stacks() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/stack")
}

/// A bench on Compose. It goes when it is dropped.
pub struct ComposeBench {
    pub directory: PathBuf,
    pub project: String,
    pub port: u16,
    pub root: tempfile::TempDir,
    /// The database of each site, which stays the same.
    databases: Mutex<BTreeMap<String, String>>,
}

impl ComposeBench {
    /// Brings it up under a project of this name and process, and writes its `eclusa.toml`.
    pub fn start(name: &str, sites: usize) -> Self {
        let root = tempfile::Builder::new().prefix("ecl").tempdir_in("/tmp").unwrap();
        let project = format!("{name}{}", std::process::id());
        let bench = Self {
            directory: root.path().join("stack"),
            project,
            port: free_port(),
            root,
            databases: Mutex::default(),
        };
        let mut up = Command::new(stacks().join("bench.sh"));
        up.arg(&bench.directory).arg(&bench.project).arg(bench.port.to_string()).arg(sites.to_string());
        let output = up.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        let configuration = std::fs::read_to_string(stacks().join("bench.toml")).unwrap();
        let configuration = configuration
            .replace("@PROJECT@", &bench.project)
            .replace("@SIDE_DOOR@", &free_port().to_string())
            .replace("@STATE@", &bench.state().display().to_string());
        bench.configure(&configuration);
        bench
    }

    pub fn state(&self) -> PathBuf {
        self.root.path().join("state")
    }

    pub fn configuration(&self) -> String {
        std::fs::read_to_string(self.directory.join("eclusa.toml")).unwrap()
    }

    pub fn configure(&self, configuration: &str) {
        std::fs::write(self.directory.join("eclusa.toml"), configuration).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        eclusa(&self.directory, arguments)
    }

    pub fn eclusa(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs it and demands how it ends; gives what it said.
    #[track_caller]
    pub fn ends(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.eclusa(arguments);
        let said = text(&output);
        assert_eq!(output.status.code(), Some(code), "eclusa {}: {said}", arguments.join(" "));
        said
    }

    #[track_caller]
    pub fn must(&self, arguments: &[&str]) -> String {
        self.ends(0, arguments)
    }

    /// `docker compose` with the files that are in use.
    pub fn docker(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["compose", "--ansi", "never", "-p", &self.project, "--env-file", ".env"]);
        command.args(["-f", "compose.yml"]);
        if self.directory.join("docker-compose.eclusa.yml").exists() {
            command.args(["-f", "docker-compose.eclusa.yml"]);
        }
        command.args(arguments).current_dir(&self.directory);
        command
    }

    #[track_caller]
    pub fn compose(&self, arguments: &[&str]) -> String {
        let output = self.docker(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A command in the only container of a service, past Compose, which would read its files each time.
    #[track_caller]
    pub fn inside(&self, service: &str, argv: &[&str]) -> String {
        let container = format!("{}-{service}-1", self.project);
        let output = Command::new("docker").args(["exec", &container]).args(argv).output().unwrap();
        assert!(output.status.success(), "{argv:?} in {service}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    #[track_caller]
    pub fn bench(&self, site: &str, arguments: &[&str]) -> String {
        self.inside("backend", &[&["bench", "--site", site], arguments].concat())
    }

    /// A JSON file of the sites' directory.
    #[track_caller]
    pub fn file(&self, name: &str) -> serde_json::Value {
        serde_json::from_str(&self.inside("backend", &["cat", &format!("sites/{name}")])).unwrap()
    }

    #[track_caller]
    pub fn config(&self, site: &str) -> serde_json::Value {
        self.file(&format!("{site}/site_config.json"))
    }

    /// Statements of the administrator, in no database.
    #[track_caller]
    pub fn administer(&self, sql: &str) -> String {
        let client = "MYSQL_PWD=$MARIADB_ROOT_PASSWORD mariadb --user=root -N -B -e \"$0\"";
        self.inside("db", &["sh", "-c", client, sql]).trim().to_owned()
    }

    /// Statements in a site's database.
    #[track_caller]
    pub fn sql(&self, site: &str, sql: &str) -> String {
        let client = "MYSQL_PWD=$MARIADB_ROOT_PASSWORD mariadb --user=root --default-character-set=utf8mb4 -N -B \
             -D \"$0\" -e \"$1\"";
        let mut databases = self.databases.lock().unwrap();
        let name = databases
            .entry(site.to_owned())
            .or_insert_with(|| self.config(site)["db_name"].as_str().unwrap().to_owned());
        self.inside("db", &["sh", "-c", client, name, sql]).trim().to_owned()
    }

    /// The settings of every site, by its name.
    #[track_caller]
    pub fn configs(&self) -> BTreeMap<String, serde_json::Value> {
        let all = "cd sites && for file in */site_config.json; do echo \"${file%/*}\"; tr -d '\\n' <\"$file\"; echo; done";
        let listed = self.inside("backend", &["sh", "-c", all]);
        let lines: Vec<&str> = listed.lines().collect();
        let one = |pair: &[&str]| (pair[0].to_owned(), serde_json::from_str(pair[1]).unwrap());
        lines.chunks(2).map(one).collect()
    }

    pub fn status(&self, site: &str, path: &str) -> u16 {
        status(self.port, site, path)
    }

    /// How many databases lie beside the live ones that a restore has not swapped in.
    pub fn half_restored(&self) -> String {
        self.administer(
            "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE '%eclusa%new'",
        )
    }
}

impl Drop for ComposeBench {
    fn drop(&mut self) {
        let _ = self.docker(&["down", "--volumes", "--remove-orphans", "--timeout", "1"]).output();
    }
}
