//! The boutique on a real engine, laid as its owner would lay it, and the real binary beside it.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{Read, Seek, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use eclusa_testkit::free_port;

/// How long a command of Eclusa's may take.
const LONGEST: Duration = Duration::from_secs(400);

/// A boutique that runs. Everything of it is removed when it is dropped.
pub struct Boutique {
    pub directory: PathBuf,
    pub project: String,
    pub port: u16,
    _root: tempfile::TempDir,
}

/// An answer over HTTP.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// One request on a connection of its own; status 0 when there is no answer.
pub fn get(port: u16, path: &str) -> Answer {
    let none = |body: String| Answer { status: 0, head: String::new(), body };
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return none("refused".to_owned()) };
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\nConnection: close\r\n\r\n");
    let mut bytes = Vec::new();
    if stream.write_all(request.as_bytes()).is_err() || stream.read_to_end(&mut bytes).is_err() {
        return none("reset".to_owned());
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}

/// Customers who ask for the products until they are stopped.
pub struct Customers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Answer>>>,
}

impl Customers {
    pub fn new(port: u16, count: usize, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..count)
            .map(|_| {
                let stop = stop.clone();
                std::thread::spawn(move || {
                    let mut answers = Vec::new();
                    while !stop.load(Ordering::Relaxed) {
                        answers.push(get(port, "/api/v1/products/"));
                        std::thread::sleep(pause);
                    }
                    answers
                })
            })
            .collect();
        Self { stop, threads }
    }

    pub fn stop(self) -> Vec<Answer> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    }
}

impl Boutique {
    /// Brings it up at v1, with demo data.
    pub fn lay(name: &str) -> Self {
        Self::lay_with(name, free_port(), None)
    }

    /// The same behind a port that is known before, with the files of a directory laid over the checkout.
    pub fn lay_with(name: &str, port: u16, overlay: Option<&Path>) -> Self {
        let docker = Command::new("docker").arg("info").output();
        assert!(
            docker.is_ok_and(|output| output.status.success()),
            "this test needs a Docker engine: tests/stack/docker.sh && tests/stack/images.sh"
        );
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("shop");
        let project = format!("eclusa-test-{name}-{}", std::process::id());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/stack/boutique.sh");
        let boutique = Self { directory, project, port, _root: root };
        let output = Command::new(script)
            .envs(overlay.map(|overlay| ("BOUTIQUE_OVERLAY", overlay)))
            .arg(&boutique.directory)
            .args([&boutique.project, &port.to_string(), &free_port().to_string()])
            .arg(boutique.state())
            .output()
            .unwrap();
        assert!(output.status.success(), "boutique.sh: {}", String::from_utf8_lossy(&output.stderr));
        boutique
    }

    pub fn state(&self) -> PathBuf {
        self.directory.with_file_name("state")
    }

    /// The real binary in the shop's directory.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_eclusa"));
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env("ECLUSA_PERSON", "tester")
            .env("NO_COLOR", "1");
        command
    }

    /// Runs it to its end; one that waits for an answer, which nobody gives here, fails with what it said.
    pub fn eclusa(&self, arguments: &[&str]) -> Output {
        let files = [tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap()];
        let [stdout, stderr] = &files;
        let mut child = self
            .command(arguments)
            .stdin(Stdio::null())
            .stdout(stdout.try_clone().unwrap())
            .stderr(stderr.try_clone().unwrap())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + LONGEST;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if Instant::now() > deadline {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let [stdout, stderr] = files.map(|mut file| {
            let mut bytes = Vec::new();
            file.rewind().unwrap();
            file.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let Some(status) = status else {
            let said = [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
            panic!("eclusa {arguments:?} did not end within {} s; it said:\n{said}", LONGEST.as_secs());
        };
        Output { status, stdout, stderr }
    }

    /// Runs it and wants this exit code. `ECLUSA_SHOW=1` shows what it says.
    pub fn must(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.eclusa(arguments);
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if std::env::var_os("ECLUSA_SHOW").is_some() {
            println!("$ eclusa {}\n{text}", arguments.join(" "));
        }
        assert_eq!(output.status.code(), Some(code), "eclusa {arguments:?} said:\n{text}");
        text
    }

    /// Compose as the owner would call it, with nothing of Eclusa's.
    pub fn compose(&self, arguments: &[&str]) -> Output {
        let output = Command::new("docker")
            .args(["compose", "--ansi", "never", "-p", &self.project, "-f", "docker-compose.prod.yml"])
            .args(["--env-file", ".env.production"])
            .args(arguments)
            .current_dir(&self.directory)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "docker compose {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    /// A query's answer from the live database.
    pub fn query(&self, sql: &str) -> String {
        let output =
            self.compose(&["exec", "-T", "db", "psql", "-U", "boutique", "-d", "boutique", "-At", "-c", sql]);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Every row that a customer would miss.
    pub fn books(&self) -> String {
        self.query(
            "select (select count(*) || ':' || coalesce(sum(hashtext(id::text || total::text)), 0) from sales_sale) || ' ' || \
             (select count(*) || ':' || coalesce(sum(hashtext(id::text || amount::text)), 0) from sales_payment)",
        )
    }

    /// The databases that are there besides PostgreSQL's own.
    pub fn databases(&self) -> String {
        self.query("select string_agg(datname, ' ' order by datname) from pg_database where datname not in ('postgres', 'template0', 'template1')")
    }

    /// The version that answers the public.
    pub fn version(&self) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let answer = get(self.port, "/api/v1/version/");
            if answer.status == 200 || Instant::now() > deadline {
                let found = answer
                    .head
                    .lines()
                    .find_map(|line| line.strip_prefix("x-boutique-version:").map(str::trim));
                return found.unwrap_or(&answer.body).to_owned();
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// The events of the newest run.
    pub fn newest_run(&self) -> String {
        let list = self.must(0, &["history", "--json"]);
        let value: serde_json::Value = serde_json::from_str(&list).unwrap();
        value["runs"][0]["run"].as_str().unwrap().to_owned()
    }

    /// Changes a text in eclusa.toml.
    pub fn configure(&self, from: &str, to: &str) {
        let path = self.directory.join("eclusa.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from:?} is not in eclusa.toml");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    }
}

impl Drop for Boutique {
    fn drop(&mut self) {
        // By label, so that what the override added goes too.
        let filter = format!("label=com.docker.compose.project={}", self.project);
        let ids = Command::new("docker").args(["ps", "-aq", "--filter", &filter]).output().unwrap();
        let ids = String::from_utf8_lossy(&ids.stdout).into_owned();
        let ids: Vec<&str> = ids.split_whitespace().collect();
        if !ids.is_empty() {
            let _ = Command::new("docker").args(["rm", "-fv"]).args(ids).output();
        }
        let _ = Command::new("docker").args(["rm", "-f", &format!("eclusa-lease-{}", self.project)]).output();
        for kind in ["volume", "network"] {
            let ids = Command::new("docker").args([kind, "ls", "-q", "--filter", &filter]).output().unwrap();
            for id in String::from_utf8_lossy(&ids.stdout).split_whitespace() {
                let _ = Command::new("docker").args([kind, "rm", id]).output();
            }
        }
    }
}
