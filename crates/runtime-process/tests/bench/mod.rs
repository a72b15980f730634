//! A stack of real processes in a temporary directory, stopped when the test is over.

// Each test file is a program of its own and uses a part of this.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use eclusa_model::{Release, ReleaseSource, RunId, ServiceName, ServiceRole, StackName, StepName};
use eclusa_ports::{ApplyContext, OutputLines, Runtime};
use eclusa_runbook::{Outputs, RuntimeOperation};
use eclusa_runtime_process::{ProcessEdge, ProcessRuntime, ProcessService, ProcessStack};

pub const FIXTURE: &str = env!("CARGO_BIN_EXE_runtime-process-fixture");

pub struct Bench {
    pub directory: tempfile::TempDir,
    pub stack: ProcessStack,
    pub runtime: ProcessRuntime,
}

pub fn name(text: &str) -> ServiceName {
    ServiceName::new(text).unwrap()
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn service(text: &str, role: ServiceRole, command: &[&str]) -> ProcessService {
    ProcessService {
        name: name(text),
        role,
        command: std::iter::once(FIXTURE).chain(command.iter().copied()).map(str::to_owned).collect(),
        environment: BTreeMap::new(),
        port: None,
        public_port: None,
        health_path: None,
        stop_seconds: 5,
    }
}

/// A web service with a public port and one of its own, that serves the name of its release.
pub fn web() -> ProcessService {
    ProcessService {
        port: Some(free_port()),
        public_port: Some(free_port()),
        health_path: Some("/healthz".to_owned()),
        ..service("web", ServiceRole::Web, &["serve", "{port}", "{release}"])
    }
}

impl Bench {
    pub fn new(services: Vec<ProcessService>, with_edge: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_owned();
        for release in ["v1", "v2"] {
            std::fs::create_dir_all(root.join("releases").join(release)).unwrap();
            std::fs::write(root.join("releases").join(release).join("VERSION"), release).unwrap();
        }
        let edge = with_edge.then(|| {
            let public_port = services.iter().find_map(|service| service.public_port).unwrap();
            let control_socket = root.join("edge.sock");
            ProcessEdge {
                argv: [FIXTURE, "edge", &public_port.to_string(), &control_socket.display().to_string()]
                    .map(str::to_owned)
                    .to_vec(),
                config_path: root.join("edge.json"),
                config: Some("{}".to_owned()),
                public_port,
                control_socket,
            }
        });
        let stack = ProcessStack {
            name: StackName::new("bench").unwrap(),
            directory: root.clone(),
            state_path: root.join("state/stack.json"),
            logs_directory: root.join("logs"),
            releases_directory: root.join("releases"),
            address: ProcessStack::loopback(),
            services,
            edge,
            supervisor_argv: vec![FIXTURE.to_owned(), "supervise".to_owned()],
        };
        Self { directory, runtime: ProcessRuntime::new(stack.clone()), stack }
    }

    /// The same stack, as another process would see it.
    pub fn another(&self) -> ProcessRuntime {
        ProcessRuntime::new(self.stack.clone())
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.directory.path().join(below)
    }

    pub fn release(&self, text: &str) -> Release {
        let path = self.path("releases").join(text).display().to_string();
        Release { name: text.to_owned(), source: ReleaseSource::Directory { path }, images: BTreeMap::new() }
    }

    pub async fn apply(&self, operation: &RuntimeOperation) -> eclusa_fault::Result<Outputs> {
        self.runtime.apply(operation, &context(), &OutputLines::default()).await
    }

    pub async fn switch(
        &self,
        release: &str,
        services: &[&str],
        start: bool,
    ) -> eclusa_fault::Result<Outputs> {
        self.apply(&switch(self.release(release), services, start)).await
    }

    pub async fn instance(&self, service: &str) -> Option<u32> {
        let observation = self.runtime.observe().await.unwrap();
        let found = observation.services.into_iter().find(|found| found.name.as_str() == service)?;
        found.instance?.parse().ok()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // A failing test must leave no process either; it may be inside a runtime, so this needs a thread of its own.
        let runtime = self.another();
        let thread = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(runtime.shut_down(Duration::from_secs(2)))
        });
        let _ = thread.join();
    }
}

pub fn switch(to: Release, services: &[&str], start: bool) -> RuntimeOperation {
    let services = services.iter().map(|text| name(text)).collect();
    RuntimeOperation::Switch { to, services, start, healthy_within: 20 }
}

pub fn context() -> ApplyContext {
    ApplyContext {
        run: RunId::new("run1").unwrap(),
        step: StepName::new("step").unwrap(),
        images: Outputs::new(),
        timeout: Duration::from_secs(60),
    }
}

pub async fn get(url: &str) -> Option<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
    stream
        .write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
        .await
        .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.ok()?;
    text.split_once("\r\n\r\n").map(|(_, body)| body.trim().to_owned())
}

pub fn lives(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|text| text.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z')))
}

/// Waits until something is so; a test that waits for longer than 10 s has failed.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while !so().await {
        assert!(tokio::time::Instant::now() < deadline, "not within 10 s: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
