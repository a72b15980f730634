//! A private PostgreSQL cluster in a temporary directory, and a runtime whose one service it is: commands run as
//! local processes, so the real `psql` and `pg_dump` do the work.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use eclusa_database::Databases;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{DatabasePlace, FilesPlace, RuntimeKind, ServiceName, Tenant, TenantName};
use eclusa_ports::{
    ApplyContext, CommandResult, ExecSpec, ExecStream, LogLine, OutputSink, Runtime, RuntimeObservation,
    SecretResolver, ServiceStats, StoredDump, Took,
};
use eclusa_runbook::{Outputs, Place, RuntimeOperation};
use eclusa_testkit::Dumped;
use secrecy::{ExposeSecret, SecretString};
use tempfile::TempDir;
use tokio::io::AsyncReadExt;

/// Runs every command as a local process.
pub struct LocalRuntime {
    pub environment: Vec<(String, String)>,
    /// The argument lists that were run, to see that no secret is in them.
    pub commands: Mutex<Vec<Vec<String>>>,
    /// Whether it passes for one whose programs run in containers.
    pub contained: std::sync::atomic::AtomicBool,
}

fn not_here<T>() -> Result<T> {
    Err(Fault::new(Code::Internal).with("what", "not part of this test"))
}

#[async_trait]
impl Runtime for LocalRuntime {
    fn kind(&self) -> RuntimeKind {
        let contained = self.contained.load(std::sync::atomic::Ordering::Relaxed);
        if contained { RuntimeKind::Compose } else { RuntimeKind::Process }
    }
    async fn observe(&self) -> Result<RuntimeObservation> {
        not_here()
    }
    async fn apply(&self, _: &RuntimeOperation, _: &ApplyContext, _: &dyn OutputSink) -> Result<Outputs> {
        not_here()
    }
    async fn took_effect(&self, _: &RuntimeOperation, _: &ApplyContext) -> Result<Took> {
        not_here()
    }
    async fn exec(&self, spec: ExecSpec, _: &dyn OutputSink) -> Result<CommandResult> {
        let ended = Command::new(&spec.argv[0]).args(&spec.argv[1..]).status();
        let ended = ended.map_err(|error| Fault::new(Code::CommandMissing).because(error))?;
        Ok(CommandResult {
            code: ended.code().unwrap_or(-1),
            tail: Vec::new(),
            stdout: String::new(),
            truncated: false,
            duration: Duration::ZERO,
        })
    }
    async fn exec_running(&self, _: &Place, _: &str) -> Result<bool> {
        not_here()
    }
    async fn exec_end(&self, _: &Place, _: &str) -> Result<()> {
        not_here()
    }
    async fn exec_stream(&self, spec: ExecSpec) -> Result<ExecStream> {
        self.commands.lock().unwrap().push(spec.argv.clone());
        let mut command = tokio::process::Command::new(&spec.argv[0]);
        command.args(&spec.argv[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.envs(self.environment.iter().cloned());
        command.envs(spec.environment.iter().map(|(name, value)| (name, value.expose_secret().to_owned())));
        let mut child = command.spawn().map_err(|error| Fault::new(Code::CommandMissing).because(error))?;
        let (sender, ended) = tokio::sync::oneshot::channel();
        let (stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        tokio::spawn(async move {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text).await;
            let status = child.wait().await.unwrap();
            let _ = sender.send(Ok(CommandResult {
                code: status.code().unwrap_or(137),
                tail: text.lines().map(str::to_owned).collect(),
                stdout: String::new(),
                truncated: false,
                duration: Duration::ZERO,
            }));
        });
        Ok(ExecStream { stdin: Box::new(stdin), stdout: Box::new(stdout), ended })
    }
    async fn logs(&self, _: &[ServiceName], _: jiff::Timestamp, _: usize) -> Result<Vec<LogLine>> {
        not_here()
    }
    async fn stats(&self, _: &[ServiceName]) -> Result<Vec<ServiceStats>> {
        not_here()
    }
    async fn files_directory(&self, _: &FilesPlace) -> Result<PathBuf> {
        not_here()
    }
    async fn side_door(&self) -> Result<String> {
        not_here()
    }
    async fn public_address(&self) -> Result<String> {
        not_here()
    }
}

/// `env:NAME` is NAME itself, in small letters.
pub struct Echo;

impl SecretResolver for Echo {
    fn resolve(&self, reference: &str) -> Result<SecretString> {
        Ok(reference.trim_start_matches("env:").to_lowercase().into())
    }
}

/// A cluster that ends with the test.
pub struct Cluster {
    directory: TempDir,
    programs: PathBuf,
    pub runtime: Arc<LocalRuntime>,
}

impl Cluster {
    /// Starts a cluster whose superuser is `postgres`, with password `postgres`, by socket only.
    pub fn start() -> Self {
        let programs = programs();
        let directory = tempfile::Builder::new().prefix("ecl").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let home = directory.path().join("pg");
        std::fs::create_dir(&home).unwrap();
        let environment = vec![
            ("PGHOST".to_owned(), home.display().to_string()),
            ("PGPORT".to_owned(), "5432".to_owned()),
            ("PATH".to_owned(), format!("{}:{}", programs.display(), std::env::var("PATH").unwrap())),
        ];
        let cluster = Self {
            directory,
            programs,
            runtime: Arc::new(LocalRuntime {
                environment,
                commands: Mutex::default(),
                contained: Default::default(),
            }),
        };
        std::fs::write(home.join("password"), "postgres\n").unwrap();
        run(Command::new("chown").args(["-R", "postgres"]).arg(&home));
        cluster.server(&[
            "initdb",
            "-D",
            "data",
            "-U",
            "postgres",
            "-A",
            "scram-sha-256",
            "--pwfile=password",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        cluster.up();
        cluster
    }

    /// Starts one that archives its log, and has a directory for base backups.
    pub fn archiving() -> Self {
        use std::io::Write;
        let cluster = Self::start();
        cluster.down();
        for directory in ["base", "wal"] {
            let path = cluster.home().join(directory);
            std::fs::create_dir(&path).unwrap();
            run(Command::new("chown").arg("postgres").arg(&path));
        }
        let mut settings = std::fs::OpenOptions::new()
            .append(true)
            .open(cluster.home().join("data/postgresql.conf"))
            .unwrap();
        let wal = cluster.home().join("wal");
        writeln!(
            settings,
            "archive_mode = on\nmax_connections = 30\narchive_command = 'test ! -e \"{0}/%f\" && cp \"%p\" \"{0}/.%f\" && mv \"{0}/.%f\" \"{0}/%f\"'",
            wal.display()
        )
        .unwrap();
        run(Command::new("sh")
            .args(["-c", "echo 'local replication all scram-sha-256' >>\"$0\""])
            .arg(cluster.home().join("data/pg_hba.conf")));
        cluster.up();
        cluster
    }

    /// Databases whose server has base backups, of which so many are kept.
    pub fn databases_with_bases(&self, keep: Option<usize>) -> Databases {
        let of = |directory: &str| self.home().join(directory).display().to_string();
        let place = eclusa_database::BasePlace { base: of("base"), wal: of("wal"), keep };
        self.databases().base_backups([(ServiceName::new("db").unwrap(), place)].into())
    }

    pub fn up(&self) {
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c fsync=off",
            self.home().display()
        );
        self.server(&["pg_ctl", "-D", "data", "-w", "-s", "-l", "log", "-o", &options, "start"]);
    }

    pub fn down(&self) {
        self.server(&["pg_ctl", "-D", "data", "-w", "-s", "-m", "immediate", "stop"]);
    }

    pub fn home(&self) -> PathBuf {
        self.directory.path().join("pg")
    }

    /// PostgreSQL refuses to run as root.
    fn server(&self, argv: &[&str]) {
        let program = self.programs.join(argv[0]);
        let root =
            std::fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0).unwrap();
        let mut command = if root {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        run(command.args(&argv[1..]).current_dir(self.home()).stdout(Stdio::null()));
    }

    /// Runs SQL as the superuser and gives what it prints.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        use std::io::Write;
        let mut child = self.psql(database, "postgres");
        child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// A `psql` whose standard input is open.
    pub fn psql(&self, database: &str, user: &str) -> std::process::Child {
        Command::new(self.programs.join("psql"))
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"])
            .envs(self.runtime.environment.iter().cloned())
            .envs([("PGUSER", user), ("PGPASSWORD", user), ("PGDATABASE", database)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    pub fn databases(&self) -> Databases {
        Databases::new(self.runtime.clone(), Arc::new(Echo), self.directory.path().join("scratch"))
    }

    /// A tenant of this database whose user's password is the user's name.
    pub fn tenant(&self, name: &str, user: &str) -> Tenant {
        self.tenant_with(name, user, user)
    }

    pub fn tenant_with(&self, name: &str, user: &str, password: &str) -> Tenant {
        tenant(DatabasePlace::Postgresql {
            service: ServiceName::new("db").unwrap(),
            name: name.to_owned(),
            user: user.to_owned(),
            password: Some(format!("env:{}", password.to_uppercase())),
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.home().join("data/postmaster.pid").exists() {
            self.down();
        }
    }
}

pub fn tenant(database: DatabasePlace) -> Tenant {
    Tenant {
        name: TenantName::new("acme").unwrap(),
        domains: Vec::new(),
        database,
        files: Vec::new(),
        configuration: Vec::new(),
        service_configuration: Vec::new(),
    }
}

fn run(command: &mut Command) {
    let output = command.stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Where the server's programs are: the newest version that is installed.
fn programs() -> PathBuf {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some((entry.ok()?.file_name().to_str()?.parse().ok()?, Path::new("bin"))))
        .map(|(version, bin)| (version, PathBuf::from(format!("/usr/lib/postgresql/{version}")).join(bin)))
        .filter(|(_, bin)| bin.join("initdb").exists())
        .collect();
    found.sort();
    found
        .pop()
        .expect("PostgreSQL's server is not installed, and these tests need it: apt-get install postgresql")
        .1
}

/// Reads a dump to its end, as a vault does: on a blocking thread.
pub async fn read(dump: eclusa_ports::Dump) -> std::io::Result<Vec<u8>> {
    taken(dump).await.map(|dumped| dumped.bytes())
}

/// Reads a dump on a blocking thread.
pub async fn taken(dump: eclusa_ports::Dump) -> std::io::Result<Dumped> {
    tokio::task::spawn_blocking(move || Dumped::read(dump)).await.unwrap()
}

/// One that is a single stream.
pub fn stored(bytes: impl Into<Vec<u8>>) -> StoredDump {
    StoredDump::single(Box::new(std::io::Cursor::new(bytes.into())))
}
