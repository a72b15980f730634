//! The machine: kernel, memory, disks, versions of the engine and of Compose.

use std::path::Path;
use std::time::Duration;

use eclusa_host::LocalHost;
use eclusa_ports::{CommandSpec, Host, NoOutput};

use super::contents::Contents;

/// How long a program may take to say its version.
const QUESTION: Duration = Duration::from_secs(15);

pub(super) async fn gather(contents: &mut Contents, state: Option<&Path>, configuration: &Path) {
    let mut text = String::new();
    let mut add = |name: &str, value: &str| text.push_str(&format!("{name}: {}\n", value.trim()));
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    add("kernel", &read("/proc/version"));
    let release = read("/etc/os-release");
    let pretty = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    add("system", pretty.unwrap_or_default().trim_matches('"'));
    add("processors", &std::thread::available_parallelism().map_or(0, usize::from).to_string());
    add("load", &read("/proc/loadavg"));
    add("up", &format!("{} s", read("/proc/uptime").split('.').next().unwrap_or_default()));
    for line in read("/proc/meminfo")
        .lines()
        .filter(|line| line.starts_with("MemTotal") || line.starts_with("MemAvailable"))
    {
        add("memory", line);
    }
    add("user", &rustix::process::geteuid().as_raw().to_string());
    let host = LocalHost::new();
    let directory = std::path::absolute(configuration).unwrap_or_else(|_| configuration.to_owned());
    for path in state.into_iter().chain(directory.parent()) {
        let room = match host.disk(path).await {
            Ok(room) => format!("{}: {} of {} bytes free", path.display(), room.free_bytes, room.total_bytes),
            Err(fault) => fault.to_string(),
        };
        add("disk", &room);
    }
    for (name, argv) in [
        (
            "engine",
            &[
                "docker",
                "version",
                "--format",
                "{{.Server.Version}} (API {{.Server.APIVersion}}), client {{.Client.Version}}",
            ][..],
        ),
        ("compose", &["docker", "compose", "version", "--short"]),
        ("git", &["git", "--version"]),
    ] {
        let said = host.run(CommandSpec::new(argv.iter().copied(), QUESTION), &NoOutput).await;
        let said = match said {
            Ok(result) => result.tail.join(" "),
            Err(fault) => fault.to_string(),
        };
        add(name, &said);
    }
    contents.text("host.txt", "bundle-what-host", &text);
}
