//! A private MariaDB server in a temporary directory.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eclusa_database::Databases;
use eclusa_model::{DatabasePlace, ServiceName, Tenant};
use tempfile::TempDir;

use crate::support::{Echo, LocalRuntime, tenant};

const PASSWORD: &str = "hunter2";

/// A server that ends with the test. Its root has the password `hunter2`, by socket only.
pub struct Server {
    directory: TempDir,
    process: Mutex<Option<Child>>,
    /// More of the server's options.
    options: Vec<String>,
    pub runtime: Arc<LocalRuntime>,
}

fn program(names: [&str; 2]) -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    let everywhere = path.split(':').map(PathBuf::from).chain([PathBuf::from("/usr/sbin")]);
    let places: Vec<PathBuf> = everywhere.collect();
    names
        .iter()
        .flat_map(|name| places.iter().map(move |place| place.join(name)))
        .find(|path| path.is_file())
        .map(|path| path.display().to_string())
        .expect("MariaDB's server is not installed, and these tests need it: apt-get install mariadb-server")
}

impl Server {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With more options of the server.
    pub fn start_with(more: &[&str]) -> Self {
        let directory = tempfile::Builder::new().prefix("ecl").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        // The machine's own option files name another socket, and win over an environment variable.
        let bin = directory.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let options = directory.path().join("client.cnf");
        std::fs::write(&options, format!("[client]\nsocket={}\n", directory.path().join("s").display()))
            .unwrap();
        for names in [["mariadb", "mysql"], ["mariadb-dump", "mysqldump"], ["mariadb-binlog", "mysqlbinlog"]]
        {
            let script =
                format!("#!/bin/sh\nexec {} --defaults-file={} \"$@\"\n", program(names), options.display());
            let path = bin.join(names[0]);
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let environment = vec![
            ("PATH".to_owned(), path),
            ("MYSQL_UNIX_PORT".to_owned(), directory.path().join("s").display().to_string()),
        ];
        let server = Self {
            directory,
            process: Mutex::new(None),
            options: more.iter().map(|option| (*option).to_owned()).collect(),
            runtime: Arc::new(LocalRuntime {
                environment,
                commands: Mutex::default(),
                contained: Default::default(),
            }),
        };
        let mut install = Command::new(program(["mariadb-install-db", "mysql_install_db"]));
        install.args([
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-name-resolve",
        ]);
        install.arg(format!("--datadir={}", server.data().display())).arg(format!("--user={}", user()));
        let temporary = server.temporary();
        std::fs::create_dir(&temporary).unwrap();
        install.arg(format!("--tmpdir={}", temporary.display())).env("TMPDIR", &temporary);
        let output = install.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        server.up();
        let mut client = server.command("mysql");
        client.env_remove("MYSQL_PWD").args(["-e", &format!("SET PASSWORD = PASSWORD('{PASSWORD}')")]);
        assert!(client.status().unwrap().success());
        server
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Two servers that start at once must not find each other's temporary files.
    fn temporary(&self) -> PathBuf {
        self.directory.path().join("tmp")
    }

    /// Starts the server and waits until it answers.
    pub fn up(&self) {
        let mut command = Command::new(program(["mariadbd", "mysqld"]));
        command.args([
            "--no-defaults",
            "--skip-networking",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=64M",
        ]);
        // What is written is in the kernel, which a killed server does not take with it.
        command.args(["--innodb-flush-log-at-trx-commit=2", "--innodb-fast-shutdown=2"]);
        command.args(&self.options);
        command.arg(format!("--user={}", user()));
        command.arg(format!("--tmpdir={}", self.temporary().display()));
        command.arg(format!("--datadir={}", self.data().display()));
        command.arg(format!("--socket={}", self.directory.path().join("s").display()));
        command.arg(format!("--pid-file={}", self.directory.path().join("pid").display()));
        let log = std::fs::File::create(self.directory.path().join("log")).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        *self.process.lock().unwrap() = Some(child);
        for _ in 0..600 {
            let mut ping = Command::new(program(["mariadb-admin", "mysqladmin"]));
            ping.args(["--no-defaults", "--user=root", "ping"])
                .envs(self.runtime.environment.iter().cloned());
            ping.env("MYSQL_PWD", PASSWORD).stdout(Stdio::null()).stderr(Stdio::null());
            if ping.status().is_ok_and(|status| status.success()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!(
            "the server does not start: {}",
            std::fs::read_to_string(self.directory.path().join("log")).unwrap()
        );
    }

    /// Kills the server as a lost machine would.
    pub fn kill(&self) {
        if let Some(mut child) = self.process.lock().unwrap().take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    fn command(&self, database: &str) -> Command {
        let mut command = Command::new(program(["mariadb", "mysql"]));
        command.args([
            "--no-defaults",
            "--user=root",
            "--batch",
            "--skip-column-names",
            "--default-character-set=utf8mb4",
        ]);
        command.arg(format!("--database={database}"));
        command.envs(self.runtime.environment.iter().cloned()).env("MYSQL_PWD", PASSWORD);
        command
    }

    fn ran(&self, database: &str, sql: &str) -> (bool, String, String) {
        let mut command = self.command(database);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
        (output.status.success(), text(output.stdout), text(output.stderr))
    }

    pub fn sql(&self, database: &str, sql: &str) -> String {
        let (good, out, error) = self.ran(database, sql);
        assert!(good, "{sql}: {error}");
        out
    }

    /// The error of statements that must not succeed.
    pub fn fails(&self, database: &str, sql: &str) -> String {
        let (good, _, error) = self.ran(database, sql);
        assert!(!good, "{sql} succeeded");
        error
    }

    pub fn create(&self, name: &str) {
        self.sql(
            "mysql",
            &format!(
                "CREATE DATABASE `{}` CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
                name.replace('`', "``")
            ),
        );
    }

    /// An open client.
    pub fn client(&self, database: &str) -> Client {
        let mut command = self.command(database);
        command.args(["--unbuffered"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let mut client = Client { child, stdin: Some(stdin), stdout };
        client.write("SELECT 'in';");
        client
    }

    pub fn databases(&self) -> Databases {
        Databases::new(self.runtime.clone(), Arc::new(Echo), self.directory.path().join("scratch"))
    }

    pub fn tenant(&self, name: &str) -> Tenant {
        self.tenant_with(name, "root", PASSWORD)
    }

    pub fn tenant_with(&self, name: &str, user: &str, password: &str) -> Tenant {
        tenant(DatabasePlace::Mariadb {
            service: ServiceName::new("db").unwrap(),
            host: None,
            port: None,
            name: name.to_owned(),
            user: user.to_owned(),
            password: Some(format!("env:{}", password.to_uppercase())),
        })
    }
}

fn user() -> String {
    let id = Command::new("id").arg("-un").output().unwrap().stdout;
    String::from_utf8_lossy(&id).trim().to_owned()
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A client that stays connected until it is dropped.
pub struct Client {
    child: Child,
    stdin: Option<std::process::ChildStdin>,
    stdout: BufReader<std::process::ChildStdout>,
}

impl Client {
    /// Runs statements whose last one gives a row, and waits for it.
    pub fn write(&mut self, sql: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{sql}").unwrap();
        stdin.flush().unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "{sql}");
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}
