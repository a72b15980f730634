//! What can be observed of this machine: firewall, updates, Docker, disks, clock, certificates, containers. What does
//! not answer is left open and becomes no finding.

use std::path::{Path, PathBuf};
use std::time::Duration;

use eclusa_audit::Live;
use eclusa_audit::live::{Certificate, Container, Disk, DockerDaemon};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_host::LocalHost;
use eclusa_ports::{CommandSpec, Host, NoOutput};
use jiff::civil::DateTime;
use jiff::{Timestamp, tz::TimeZone};
use secrecy::SecretString;
use serde_json::Value;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// The variable that holds the password of certificate files in PKCS #12 (`.pfx`, `.p12`).
const PASSWORD: &str = "ECLUSA_CERTIFICATE_PASSWORD";

/// Looks at everything.
pub(super) async fn observe(root: &Path, certificates: &[PathBuf], endpoints: &[String]) -> Result<Live> {
    let mut live = Live {
        firewall: firewall().await,
        unattended_upgrades: unattended_upgrades(),
        docker: docker().await,
        disks: disks(root).await,
        clock_synchronised: clock().await,
        certificates: Vec::new(),
        containers: containers().await,
    };
    for path in certificates {
        live.certificates.push(certificate(path).await?);
    }
    for endpoint in endpoints {
        live.certificates.push(shown_by(endpoint).await?);
    }
    Ok(live)
}

/// The output of a command that ended well.
async fn said(argv: &[&str]) -> Option<String> {
    run(argv, None).await.filter(|(code, _)| *code == 0).map(|(_, text)| text)
}

async fn run(argv: &[&str], stdin: Option<Vec<u8>>) -> Option<(i32, String)> {
    let mut command = CommandSpec::new(argv.iter().copied(), PATIENCE);
    command.stdin = stdin;
    command.environment.insert("LC_ALL".to_owned(), SecretString::from("C"));
    let result = LocalHost::new().run(command, &NoOutput).await.ok()?;
    Some((result.code, result.stdout))
}

async fn firewall() -> Option<bool> {
    if let Some(text) = said(&["ufw", "status"]).await
        && text.contains("Status: active")
    {
        return Some(true);
    }
    let rules = said(&["nft", "list", "ruleset"]).await;
    let tables = said(&["iptables", "-S", "INPUT"]).await;
    filters(rules.as_deref(), tables.as_deref())
}

/// Whether the rules for what comes in turn anything away.
fn filters(nft: Option<&str>, iptables: Option<&str>) -> Option<bool> {
    let by_nft = nft.map(|text| {
        let mut incoming = false;
        text.lines().map(str::trim).any(|line| {
            if line.starts_with("chain ") {
                incoming = false;
            }
            if line.contains("hook input") {
                incoming = true;
            }
            incoming && (line.contains("policy drop") || line.ends_with("drop") || line.contains(" reject"))
        })
    });
    let by_tables = iptables.map(|text| {
        text.lines().any(|line| {
            line.starts_with("-P INPUT DROP") || line.contains("-j DROP") || line.contains("-j REJECT")
        })
    });
    match (by_nft, by_tables) {
        (None, None) => None,
        (one, other) => Some(one.unwrap_or(false) || other.unwrap_or(false)),
    }
}

fn unattended_upgrades() -> Option<bool> {
    let directory = Path::new("/etc/apt/apt.conf.d");
    let entries = std::fs::read_dir(directory).ok()?;
    let on = entries.flatten().filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).any(|text| {
        text.lines().any(|line| {
            let line = line.trim();
            line.starts_with("APT::Periodic::Unattended-Upgrade") && line.contains("\"1\"")
        })
    });
    Some(on && Path::new("/usr/bin/unattended-upgrade").exists())
}

async fn docker() -> Option<DockerDaemon> {
    let info: Value =
        serde_json::from_str(&said(&["docker", "info", "--format", "{{json .}}"]).await?).ok()?;
    let file = std::fs::read_to_string("/etc/docker/daemon.json").unwrap_or_else(|_| "{}".to_owned());
    let settings: Value = serde_json::from_str(&file).unwrap_or_default();
    Some(daemon(&info, &settings))
}

fn daemon(info: &Value, settings: &Value) -> DockerDaemon {
    let hosts = settings.get("hosts").and_then(Value::as_array).cloned().unwrap_or_default();
    let tls = settings.get("tlsverify").and_then(Value::as_bool).unwrap_or(false);
    let open_addresses = hosts
        .iter()
        .filter_map(Value::as_str)
        .filter(|host| host.starts_with("tcp://") && !tls)
        .filter(|host| {
            !host.starts_with("tcp://127.")
                && !host.starts_with("tcp://localhost")
                && !host.starts_with("tcp://[::1]")
        })
        .map(str::to_owned)
        .collect();
    let driver = info.get("LoggingDriver").and_then(Value::as_str).unwrap_or("json-file");
    let limited = settings.pointer("/log-opts/max-size").is_some();
    DockerDaemon {
        open_addresses,
        live_restore: info.get("LiveRestoreEnabled").and_then(Value::as_bool).unwrap_or(false),
        log_rotation: driver != "json-file" || limited,
    }
}

async fn disks(root: &Path) -> Vec<Disk> {
    let mut found: Vec<Disk> = Vec::new();
    for path in [root, Path::new("/"), Path::new("/var/lib/docker")] {
        let Ok(room) = LocalHost::new().disk(path).await else { continue };
        let disk = Disk {
            path: path.display().to_string(),
            total_bytes: room.total_bytes,
            free_bytes: room.free_bytes,
        };
        // Paths on one disk have the same room.
        let known = found.iter().any(|one| {
            one.total_bytes == disk.total_bytes && one.free_bytes.abs_diff(disk.free_bytes) < 1 << 20
        });
        if !known {
            found.push(disk);
        }
    }
    found
}

async fn clock() -> Option<bool> {
    let text = said(&["timedatectl", "show", "--property=NTPSynchronized", "--value"]).await?;
    match text.trim() {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

async fn containers() -> Vec<Container> {
    let Some(ids) = said(&["docker", "ps", "--all", "--quiet"]).await else { return Vec::new() };
    let ids: Vec<&str> = ids.split_whitespace().collect();
    if ids.is_empty() {
        return Vec::new();
    }
    let mut argv = vec!["docker", "inspect", "--format", "{{.Name}} {{.RestartCount}}"];
    argv.extend(ids);
    let text = said(&argv).await.unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let (name, restarts) = line.trim_start_matches('/').rsplit_once(' ')?;
            Some(Container { name: name.to_owned(), restarts: restarts.parse().ok()? })
        })
        .collect()
}

fn no_certificate(place: &str, cause: &str) -> Fault {
    Fault::new(Code::ConfigUnreadable)
        .with("path", place)
        .because(cause)
        .hint(Message::new("audit-certificate-hint").with("variable", PASSWORD))
}

/// When a certificate file ends: PEM, DER, or PKCS #12 with its password in the environment, never in an argument.
async fn certificate(path: &Path) -> Result<Certificate> {
    let place = path.display().to_string();
    let file = path.as_os_str().to_string_lossy().into_owned();
    let lower = file.to_ascii_lowercase();
    let bundled = lower.ends_with(".pfx") || lower.ends_with(".p12");
    let pem = if bundled {
        let from = format!("env:{PASSWORD}");
        let argv = ["openssl", "pkcs12", "-in", &file, "-nokeys", "-clcerts", "-passin", &from];
        let legacy = ["openssl", "pkcs12", "-legacy", "-in", &file, "-nokeys", "-clcerts", "-passin", &from];
        let said_plain = said(&argv).await;
        let text = match said_plain {
            Some(text) => Some(text),
            None => said(&legacy).await,
        };
        text.ok_or_else(|| no_certificate(&place, "openssl pkcs12 cannot open it"))?
    } else {
        let bytes = std::fs::read(path).map_err(|error| no_certificate(&place, &error.to_string()))?;
        String::from_utf8(bytes).unwrap_or_default()
    };
    ends(&place, (!pem.is_empty()).then_some(pem), &file).await
}

/// When the certificate ends that a TLS server shows.
async fn shown_by(endpoint: &str) -> Result<Certificate> {
    let host = endpoint.rsplit_once(':').map_or(endpoint, |(host, _)| host);
    let address = if endpoint.contains(':') { endpoint.to_owned() } else { format!("{endpoint}:443") };
    let argv = ["openssl", "s_client", "-connect", &address, "-servername", host];
    let shown = run(&argv, Some(Vec::new()))
        .await
        .map(|(_, text)| text)
        .filter(|text| text.contains("BEGIN CERTIFICATE"));
    let pem = shown.ok_or_else(|| no_certificate(endpoint, "no certificate was shown"))?;
    ends(endpoint, Some(pem), "").await
}

async fn ends(place: &str, pem: Option<String>, file: &str) -> Result<Certificate> {
    let said = match pem {
        Some(pem) => run(&["openssl", "x509", "-noout", "-enddate"], Some(pem.into_bytes())).await,
        None => run(&["openssl", "x509", "-noout", "-enddate", "-inform", "DER", "-in", file], None).await,
    };
    let text = said.filter(|(code, _)| *code == 0).map(|(_, text)| text);
    let end = text.as_deref().and_then(end_date);
    let end = end.ok_or_else(|| no_certificate(place, "openssl x509 finds no certificate in it"))?;
    let days_left = end.duration_since(Timestamp::now()).as_hours().div_euclid(24);
    Ok(Certificate { place: place.to_owned(), days_left })
}

/// `notAfter=Nov 25 02:00:00 2027 GMT`.
fn end_date(text: &str) -> Option<Timestamp> {
    let text = text.trim().strip_prefix("notAfter=")?.trim_end_matches("GMT").trim();
    let compact = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let time = DateTime::strptime("%b %d %H:%M:%S %Y", compact).ok()?;
    time.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_firewall_turns_something_away() {
        let docker_only = "table ip filter {\n chain DOCKER {\n drop\n }\n chain INPUT {\n type filter hook input priority 0; policy accept;\n }\n}";
        assert_eq!(filters(Some(docker_only), None), Some(false));
        let drops =
            "chain input {\n type filter hook input priority 0; policy drop;\n tcp dport 22 accept\n }";
        assert_eq!(filters(Some(drops), None), Some(true));
        assert_eq!(filters(None, Some("-P INPUT ACCEPT\n")), Some(false));
        assert_eq!(filters(None, Some("-P INPUT DROP\n-A INPUT -p tcp --dport 22 -j ACCEPT\n")), Some(true));
        assert_eq!(filters(None, None), None);
    }

    #[test]
    fn the_end_of_a_certificate_is_read() {
        let end = end_date("notAfter=Nov  5 02:03:04 2027 GMT\n").unwrap();
        assert_eq!(end.to_string(), "2027-11-05T02:03:04Z");
        assert_eq!(end_date("unable to load certificate"), None);
    }

    #[test]
    fn the_settings_of_docker_are_judged() {
        let info = serde_json::json!({ "LiveRestoreEnabled": false, "LoggingDriver": "json-file" });
        let settings = serde_json::json!({ "hosts": ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2375", "tcp://127.0.0.1:2375"] });
        let found = daemon(&info, &settings);
        assert_eq!(found.open_addresses, ["tcp://0.0.0.0:2375"]);
        assert!(!found.live_restore && !found.log_rotation);
        let settings = serde_json::json!({ "tlsverify": true, "hosts": ["tcp://0.0.0.0:2376"], "log-opts": { "max-size": "10m" } });
        let found = daemon(&serde_json::json!({ "LiveRestoreEnabled": true }), &settings);
        assert!(found.open_addresses.is_empty() && found.live_restore && found.log_rotation);
    }
}
