//! The edge in front of a real stack. What stands in for its binary is a static program of this test's own making.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::path::{Path, PathBuf};

use eclusa_fault::Code;
use eclusa_model::{ServiceRole, ServiceState};
use eclusa_ports::{NoOutput, Runtime, Took};
use eclusa_runbook::{Outputs, RuntimeOperation};
use eclusa_runtime_docker::{ComposeRuntime, DockerDoors, EdgeSettings};
use support::{TestProject, context, run};

/// Answers every connection with the first line of its configuration file.
const STAND_IN: &str = r#"
use std::io::{Read, Write};
fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    assert_eq!(arguments[1..4], ["edge", "serve", "--config"]);
    let body = std::fs::read_to_string(&arguments[4]).unwrap();
    let listener = std::net::TcpListener::bind("0.0.0.0:9000").unwrap();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    }
}
"#;

fn stand_in(directory: &Path) -> PathBuf {
    std::fs::write(directory.join("edge.rs"), STAND_IN).unwrap();
    run(
        &[
            "rustc",
            "-O",
            "-C",
            "target-feature=+crt-static",
            "--target",
            "x86_64-unknown-linux-gnu",
            "-o",
            "edge",
            "edge.rs",
        ],
        directory,
    );
    directory.join("edge")
}

#[tokio::test]
async fn the_edge_takes_the_port_over_and_gives_it_back() {
    let project = TestProject::new("edge");
    let directory = project.directory.path();
    let mut stack = project.stack();
    std::fs::create_dir_all(&stack.state_directory).unwrap();
    let settings = EdgeSettings {
        control_directory: directory.join("control"),
        config_json: b"the edge".to_vec(),
        listen_port: 9000,
    };
    stack.binary = stand_in(directory);
    stack.edge = Some(settings);
    let runtime = ComposeRuntime::new(stack.clone(), DockerDoors::new(project.host.clone()));
    let compose_file = std::fs::read(project.shop().join("compose.yml")).unwrap();
    project.release_to(&runtime, "v1").await.unwrap();
    let public = runtime.public_address().await.unwrap();
    let (install, remove) = (RuntimeOperation::EdgeInstall, RuntimeOperation::EdgeRemove);

    assert_eq!(runtime.took_effect(&install, &context(Outputs::new())).await.unwrap(), Took::No);
    let outputs = runtime.apply(&install, &context(Outputs::new()), &NoOutput).await.unwrap();
    let gap: u64 = outputs["gap-milliseconds"].parse().unwrap();
    assert!((1..60_000).contains(&gap), "{gap}");
    assert_eq!(runtime.took_effect(&install, &context(Outputs::new())).await.unwrap(), Took::Yes);
    assert_eq!(runtime.public_address().await.unwrap(), public);
    let side_door = runtime.side_door().await.unwrap();
    assert_eq!(side_door, format!("http://127.0.0.1:{}", project.side_door));
    assert_eq!((project.answer(&public).as_str(), project.answer(&side_door).as_str()), ("the edge", "v1"));
    let seen = runtime.observe().await.unwrap();
    assert_eq!((seen.services[0].name.as_str(), seen.services[0].role), ("eclusa-edge", ServiceRole::Edge));
    assert_eq!(seen.services[0].state, ServiceState::Running);
    assert_eq!(seen.release.unwrap().name, "v1");

    // As Compose sees it: the frontend has only the side door, the edge has the frontend's port.
    let merged = project.compose(&["-f", "docker-compose.eclusa.yml", "config", "--format", "json"]);
    let merged: serde_json::Value = serde_json::from_str(&merged).unwrap();
    let ports = |service: &str| {
        let ports = merged["services"][service]["ports"].as_array().unwrap().iter();
        ports
            .map(|port| {
                format!(
                    "{}:{}:{}",
                    port["host_ip"].as_str().unwrap(),
                    port["published"].as_str().unwrap(),
                    port["target"]
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(ports("web"), [format!("127.0.0.1:{}:8000", project.side_door)]);
    assert_eq!(ports("eclusa-edge"), [format!("127.0.0.1:{}:9000", project.port)]);
    assert!(merged["services"]["web"].get("build").is_none());
    assert_eq!(merged["services"]["web"]["pull_policy"], "never");

    let edge_image = merged["services"]["eclusa-edge"]["image"].as_str().unwrap().to_owned();

    // A release leaves the edge alone.
    let edge = |seen: &eclusa_ports::RuntimeObservation| seen.services[0].instance.clone();
    let before = edge(&runtime.observe().await.unwrap());
    project.release_to(&runtime, "v2").await.unwrap();
    assert_eq!(edge(&runtime.observe().await.unwrap()), before);
    assert_eq!((project.answer(&public).as_str(), project.answer(&side_door).as_str()), ("the edge", "v2"));

    let outputs = runtime.apply(&remove, &context(Outputs::new()), &NoOutput).await.unwrap();
    assert!(outputs["gap-milliseconds"].parse::<u64>().unwrap() > 0);
    assert_eq!(runtime.took_effect(&remove, &context(Outputs::new())).await.unwrap(), Took::Yes);
    assert_eq!(project.answer(&public), "v2");
    assert_eq!(runtime.side_door().await.unwrap(), public);

    // An edge that does not stay up: the frontend gets its port back.
    stack.binary = PathBuf::from("/bin/false");
    let broken = ComposeRuntime::new(stack, DockerDoors::new(project.host.clone()));
    let fault = broken.apply(&install, &context(Outputs::new()), &NoOutput).await.unwrap_err();
    assert!(matches!(fault.code, Code::ServiceUnhealthy | Code::ServiceControl), "{fault:?}");
    assert_eq!(project.answer(&public), "v2");
    let seen = broken.observe().await.unwrap();
    assert!(seen.services.iter().all(|found| found.role != ServiceRole::Edge));
    assert_eq!(seen.release.unwrap().name, "v2", "the pins are as they were");
    assert_eq!(std::fs::read(project.shop().join("compose.yml")).unwrap(), compose_file);
    let images = run(&["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", "eclusa/edge"], directory);
    assert!(!images.contains(&edge_image), "{images}");
}
