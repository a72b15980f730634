//! What was observed of a machine and of what runs on it, as values. Who looks is elsewhere; here is what follows.

use serde::{Deserialize, Serialize};

use crate::finding::Findings;

/// Days before the end of a certificate from which it is a finding.
const CERTIFICATE_DAYS: i64 = 21;
/// A disk with less free space than this, in percent, is nearly full.
const FREE_PERCENT: u64 = 10;
/// More restarts than this since it was created is over and over.
const RESTARTS: u64 = 5;

/// What was observed. `None` is what could not be looked at, and no finding.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Live {
    /// Whether a firewall filters what comes in.
    pub firewall: Option<bool>,
    /// Whether security updates are installed by themselves.
    pub unattended_upgrades: Option<bool>,
    /// The settings of the Docker daemon.
    pub docker: Option<DockerDaemon>,
    /// The disks that matter.
    pub disks: Vec<Disk>,
    /// Whether the clock is kept right.
    pub clock_synchronised: Option<bool>,
    /// Certificates: what TLS shows, and files.
    pub certificates: Vec<Certificate>,
    /// Containers.
    pub containers: Vec<Container>,
}

/// Settings of the Docker daemon.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct DockerDaemon {
    /// Addresses other than loopback on which its API listens without TLS.
    pub open_addresses: Vec<String>,
    /// Whether containers live on while the daemon is restarted.
    pub live_restore: bool,
    /// Whether logs are rotated when a service says nothing.
    pub log_rotation: bool,
}

/// A disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Disk {
    /// A path on it.
    pub path: String,
    /// Its size in bytes.
    pub total_bytes: u64,
    /// What is free, in bytes.
    pub free_bytes: u64,
}

/// A certificate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Certificate {
    /// Where it was seen: `host:port` or a path.
    pub place: String,
    /// Days until it ends; negative when it has ended.
    pub days_left: i64,
}

/// A container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// How often it was restarted.
    pub restarts: u64,
}

/// Applies the rules about machines.
pub fn check(live: &Live, out: &mut Findings) {
    if live.firewall == Some(false) {
        out.add("A901", None, "this host");
    }
    if live.unattended_upgrades == Some(false) {
        out.add("A902", None, "this host");
    }
    if let Some(docker) = &live.docker {
        for address in &docker.open_addresses {
            out.add("A903", None, "Docker").with("address", address);
        }
        for (set, what) in [(docker.live_restore, "live-restore"), (docker.log_rotation, "log-opts max-size")]
        {
            if !set {
                out.add("A904", None, "Docker").with("what", what);
            }
        }
    }
    for disk in &live.disks {
        let percent = disk.free_bytes.saturating_mul(100).checked_div(disk.total_bytes).unwrap_or(100);
        if percent < FREE_PERCENT {
            out.add("A905", None, disk.path.clone()).with("percent", percent);
        }
    }
    if live.clock_synchronised == Some(false) {
        out.add("A906", None, "this host");
    }
    for certificate in &live.certificates {
        if certificate.days_left < CERTIFICATE_DAYS {
            out.add("A907", None, certificate.place.clone()).with("days", certificate.days_left);
        }
    }
    for container in live.containers.iter().filter(|container| container.restarts > RESTARTS) {
        out.add("A908", None, container.name.clone()).with("count", container.restarts);
    }
}
