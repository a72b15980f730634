//! A real engine, a host, and a small Compose project of its own for each test.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{Release, ReleaseSource, RunId, ServiceName, ServiceRole, StackName, StepName};
use eclusa_ports::{
    ApplyContext, CommandResult, CommandSpec, DiskRoom, ExecSpec, Host, LineSplitter, NoOutput, OutputSink,
    OutputStream, Runtime, Tail,
};
use eclusa_runbook::{Outputs, Place, RuntimeOperation};
use eclusa_runtime_docker::{ComposeRuntime, ComposeStack, DockerDoors, StackSource};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// This machine, as far as these tests need it. It also remembers every argument vector.
#[derive(Default)]
pub struct TestHost {
    pub seen: std::sync::Mutex<Vec<Vec<String>>>,
}

#[async_trait]
impl Host for TestHost {
    async fn run(&self, command: CommandSpec, output: &dyn OutputSink) -> Result<CommandResult> {
        self.seen.lock().unwrap().push(command.argv.clone());
        let begun = Instant::now();
        let mut process = tokio::process::Command::new(&command.argv[0]);
        process.args(&command.argv[1..]).process_group(0);
        process.stdin(if command.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        process.stdout(Stdio::piped()).stderr(Stdio::piped());
        for (name, value) in &command.environment {
            process.env(name, value.expose_secret());
        }
        if let Some(directory) = &command.directory {
            process.current_dir(directory);
        }
        let mut child = process.spawn().map_err(|error| {
            Fault::new(Code::CommandMissing).with("program", &command.argv[0]).because(error)
        })?;
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap()).unwrap();
        let mut out = child.stdout.take().unwrap();
        let mut err = child.stderr.take().unwrap();
        let stdin = child.stdin.take();
        let tail = std::sync::Mutex::new(Tail::new());
        let mut stdout = Vec::new();
        let work = async {
            let feed = async {
                if let (Some(mut stdin), Some(bytes)) = (stdin, command.stdin.as_ref()) {
                    let _ = stdin.write_all(bytes).await;
                }
            };
            let lines = |stream| {
                let tail = &tail;
                move |line: &str| {
                    tail.lock().unwrap().push(line);
                    output.line(stream, line);
                }
            };
            let read_out = async {
                let mut splitter = LineSplitter::new();
                let mut buffer = vec![0; 65536];
                loop {
                    let read = out.read(&mut buffer).await.unwrap();
                    if read == 0 {
                        break splitter.finish(&mut lines(OutputStream::Out));
                    }
                    stdout.extend_from_slice(&buffer[..read]);
                    splitter.push(&buffer[..read], &mut lines(OutputStream::Out));
                }
            };
            let read_err = async {
                let mut splitter = LineSplitter::new();
                let mut buffer = vec![0; 65536];
                loop {
                    let read = err.read(&mut buffer).await.unwrap();
                    if read == 0 {
                        break splitter.finish(&mut lines(OutputStream::Err));
                    }
                    splitter.push(&buffer[..read], &mut lines(OutputStream::Err));
                }
            };
            tokio::join!(feed, read_out, read_err);
            child.wait().await.unwrap()
        };
        let Ok(status) = tokio::time::timeout(command.timeout, work).await else {
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
            return Err(Fault::new(Code::CommandTimeout)
                .with("command", command.argv.join(" "))
                .with("seconds", command.timeout.as_secs()));
        };
        Ok(CommandResult {
            code: status.code().unwrap_or(128),
            tail: tail.into_inner().unwrap().into_lines(),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            truncated: false,
            duration: begun.elapsed(),
        })
    }

    async fn read(&self, path: &Path, _most: u64) -> Result<Vec<u8>> {
        std::fs::read(path)
            .map_err(|error| Fault::new(Code::FileAccess).with("path", path.display()).because(error))
    }

    async fn write_durably(&self, path: &Path, content: &[u8], mode: u32) -> Result<()> {
        let fault = |error| Fault::new(Code::FileAccess).with("path", path.display()).because(error);
        std::fs::write(path, content).map_err(fault)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(fault)
    }

    async fn remove(&self, path: &Path) -> Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Fault::new(Code::FileAccess).with("path", path.display()).because(error))
            }
            _ => Ok(()),
        }
    }

    async fn disk(&self, _path: &Path) -> Result<DiskRoom> {
        unimplemented!("no test asks")
    }
}

/// A small Compose project in a directory and a git repository of its own, removed with everything it made.
pub struct TestProject {
    pub name: String,
    pub directory: tempfile::TempDir,
    pub port: u16,
    pub side_door: u16,
    pub host: Arc<TestHost>,
}

const APP: &str = r#"import http.server, os, sys, time
version = open("VERSION").read().strip()
print("starting", version, flush=True)
if version == "crash":
    print("fatal: no such column", flush=True)
    sys.exit(3)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if version == "sick" else 200)
        self.end_headers()
        self.wfile.write(version.encode())
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"#;

const DOCKERFILE: &str = "FROM python:3.11-slim-bookworm\nWORKDIR /srv\nARG BUILD=none\nRUN echo $BUILD > /build\nCOPY app.py VERSION ./\nENTRYPOINT [\"/bin/false\"]\n";

pub fn service(name: &str) -> ServiceName {
    ServiceName::new(name).unwrap()
}

pub fn run(argv: &[&str], directory: &Path) -> String {
    let output = Command::new(argv[0]).args(&argv[1..]).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{argv:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// These tests are about a real engine: without one they fail and say what to do.
pub fn needs_engine() {
    let answered = Command::new("docker").args(["version", "--format", "{{.Server.Version}}"]).output();
    assert!(
        answered.is_ok_and(|output| output.status.success()),
        "no Docker engine answers; start one: tests/stack/docker.sh && tests/stack/images.sh"
    );
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl TestProject {
    /// The versions `v1`, `v2`, `sick` (its health check fails) and `crash` (it ends at once), as git tags.
    pub fn new(word: &str) -> Self {
        needs_engine();
        let name = format!("eclusa-test-{word}-{}-{}", std::process::id(), free_port());
        let directory = tempfile::tempdir().unwrap();
        let project =
            Self { name, directory, port: free_port(), side_door: free_port(), host: Arc::default() };
        let top = project.directory.path().join("repository");
        let inside = project.shop();
        std::fs::create_dir_all(&inside).unwrap();
        std::fs::write(inside.join("compose.yml"), project.compose_file()).unwrap();
        std::fs::write(inside.join("app.py"), APP).unwrap();
        std::fs::write(inside.join("Dockerfile"), DOCKERFILE).unwrap();
        std::fs::write(top.join(".gitignore"), ".env*\n*.eclusa.yml\n").unwrap();
        // Left out of `git archive`, but not of a release.
        std::fs::write(top.join(".gitattributes"), "app.py export-ignore\n").unwrap();
        run(&["git", "init", "-q"], &top);
        for version in ["v1", "v2", "sick", "crash"] {
            std::fs::write(inside.join("VERSION"), version).unwrap();
            run(&["git", "add", "."], &top);
            run(
                &["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", version],
                &top,
            );
            run(&["git", "tag", version], &top);
        }
        std::fs::write(inside.join("VERSION"), "not committed").unwrap();
        std::fs::write(inside.join(".env.prod"), "WORD='hunter2$x'\n").unwrap();
        std::fs::write(inside.join(".env.shop"), "FROM_ENV_FILE=yes\n").unwrap();
        project
    }

    pub fn shop(&self) -> PathBuf {
        self.directory.path().join("repository/deploy/shop")
    }

    fn compose_file(&self) -> String {
        let Self { name, port, .. } = self;
        format!(
            r#"name: {name}
x-app: &app
  image: {name}-app:${{TAG:-v1}}
  env_file: .env.shop
  environment:
    WORD: ${{WORD}}
  volumes:
    - media:/srv/media
  stop_grace_period: 1s
services:
  web:
    <<: *app
    build:
      context: .
      args: {{BUILD: "${{BUILD:-none}}"}}
    entrypoint: ["python", "app.py"]
    ports: ["127.0.0.1:{port}:8000"]
    restart: unless-stopped
    healthcheck:
      test: ["CMD", "python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/', timeout=2)"]
      interval: 500ms
      timeout: 3s
      retries: 3
  worker:
    <<: *app
    init: true
    depends_on:
      web: {{condition: service_healthy}}
    entrypoint: ["python", "-c", "import time; print('working', flush=True); time.sleep(100000)"]
volumes:
  media:
"#
        )
    }

    pub fn stack(&self) -> ComposeStack {
        ComposeStack {
            name: StackName::new("shop").unwrap(),
            directory: self.shop(),
            files: vec![self.shop().join("compose.yml")],
            project: None,
            env_files: vec![self.shop().join(".env.prod")],
            state_directory: self.directory.path().join("state"),
            override_path: None,
            roles: BTreeMap::from([
                (service("web"), ServiceRole::Web),
                (service("worker"), ServiceRole::Worker),
            ]),
            source: StackSource::Git {
                repository: self.shop(),
                build_variables: BTreeMap::from([("BUILD".to_owned(), "{release} {commit}".to_owned())]),
            },
            frontend: service("web"),
            frontend_port: 8000,
            side_door_port: self.side_door,
            binary: "/bin/false".into(),
            edge: None,
        }
    }

    pub fn runtime(&self) -> ComposeRuntime {
        std::fs::create_dir_all(self.directory.path().join("state")).unwrap();
        ComposeRuntime::new(self.stack(), DockerDoors::new(self.host.clone()))
    }

    pub fn compose(&self, arguments: &[&str]) -> String {
        let start = ["docker", "compose", "-f", "compose.yml", "--env-file", ".env.prod"];
        run(&[&start[..], arguments].concat(), &self.shop())
    }

    pub fn commit(&self, tag: &str) -> String {
        run(&["git", "rev-parse", tag], &self.shop())
    }

    pub fn release(&self, tag: &str) -> Release {
        Release {
            name: tag.to_owned(),
            source: ReleaseSource::Git { commit: self.commit(tag) },
            images: BTreeMap::new(),
        }
    }

    /// Prepares a release and switches to it.
    pub async fn release_to(&self, runtime: &ComposeRuntime, tag: &str) -> Result<Outputs> {
        let release = self.release(tag);
        let prepared = runtime
            .apply(
                &RuntimeOperation::Prepare { release: release.clone() },
                &context(Outputs::new()),
                &NoOutput,
            )
            .await?;
        runtime.apply(&switch(release), &context(prepared.clone()), &NoOutput).await?;
        Ok(prepared)
    }

    /// What the shop answers at a base URL.
    pub fn answer(&self, address: &str) -> String {
        run(&["curl", "-sS", "--max-time", "5", address], self.directory.path())
    }
}

impl Drop for TestProject {
    fn drop(&mut self) {
        let quiet = |argv: &[&str]| {
            let _ =
                Command::new(argv[0]).args(&argv[1..]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        };
        quiet(&["docker", "compose", "-p", &self.name, "down", "-v", "--remove-orphans", "-t", "0"]);
        let list = |argv: &[&str]| {
            let output = Command::new(argv[0])
                .args(&argv[1..])
                .output()
                .map(|output| output.stdout)
                .unwrap_or_default();
            String::from_utf8(output).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        for id in list(&[
            "docker",
            "ps",
            "-aq",
            "--filter",
            &format!("label=com.docker.compose.project={}", self.name),
        ]) {
            quiet(&["docker", "rm", "-f", "-v", &id]);
        }
        quiet(&["docker", "rm", "-f", &format!("eclusa-lease-{}", self.name)]);
        for pattern in [format!("eclusa/{}-*", self.name), format!("{}-*", self.name)] {
            for image in list(&["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", &pattern]) {
                quiet(&["docker", "rmi", &image]);
            }
        }
    }
}

pub fn context(images: Outputs) -> ApplyContext {
    ApplyContext {
        run: RunId::new("r-test").unwrap(),
        step: StepName::new("step").unwrap(),
        images,
        timeout: Duration::from_secs(180),
    }
}

pub fn both() -> Vec<ServiceName> {
    vec![service("web"), service("worker")]
}

pub fn switch(to: Release) -> RuntimeOperation {
    RuntimeOperation::Switch { to, services: both(), start: true, healthy_within: 40 }
}

pub fn command(place: Place, argv: &[&str]) -> ExecSpec {
    ExecSpec {
        place,
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        environment: BTreeMap::new(),
        directory: None,
        stdin: None,
        timeout: Duration::from_secs(60),
        mark: None,
        images: Outputs::new(),
    }
}

pub fn inside(name: &str) -> Place {
    Place::Service { service: service(name) }
}
