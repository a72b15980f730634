//! What is there of applications that are started on copies, and what these reach.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Containers, networks and volumes by their names, a kind after the other.
pub fn everything() -> String {
    let label = ["--filter", "label=eclusa.trial", "--format"];
    let containers = docker(&[&["ps", "--all"][..], &label, &["{{.Names}}"]].concat());
    let networks = docker(&[&["network", "ls"][..], &label, &["{{.Name}}"]].concat());
    let volumes = docker(&[&["volume", "ls"][..], &label, &["{{.Name}}"]].concat());
    format!("{containers}\n{networks}\n{volumes}")
}

/// The container of a service that runs on a copy.
pub fn container(service: &str) -> String {
    let names = everything();
    let found = names.lines().find(|name| name.ends_with(&format!("-{service}-1")));
    found.unwrap_or_else(|| panic!("no {service} in {names}")).to_owned()
}

/// Whether a container with Python reaches a port.
pub fn reaches(container: &str, host: &str, port: u16) -> bool {
    let code = format!("import socket; socket.create_connection(({host:?}, {port}), 3)");
    let output = Command::new("docker").args(["exec", container, "python", "-c", &code]).output().unwrap();
    output.status.success()
}

/// The address of a live service.
pub fn address(project: &str, service: &str) -> String {
    let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}";
    let found = docker(&["inspect", &format!("{project}-{service}-1"), "--format", format]);
    found.split_whitespace().next().unwrap().to_owned()
}
