//! What containers of a trial see of the host, and what they may use of it.

use std::path::Path;

use bollard::models::{ContainerInspectResponse, HostConfig, Mount, MountPoint, MountType};
use eclusa_ports::{TrialMount, TrialSpec, TrialTarget};

/// What a container of a trial may use: as much as the one that it is made like. It is not started again by itself.
pub(super) fn limited(container: &ContainerInspectResponse, name: &str) -> HostConfig {
    let live = container.host_config.clone().unwrap_or_default();
    HostConfig {
        network_mode: Some(name.to_owned()),
        memory: live.memory,
        memory_swap: live.memory_swap,
        nano_cpus: live.nano_cpus,
        shm_size: live.shm_size,
        tmpfs: live.tmpfs,
        init: live.init,
        ..Default::default()
    }
}

/// The copy's files, and what of the host a service only reads: no volume of the stack, and nothing of the host that could be
/// written. In a trial with a server of its own, there is an empty volume for each other one.
pub(super) fn mounts(container: &ContainerInspectResponse, spec: &TrialSpec) -> Vec<Mount> {
    let live: Vec<&MountPoint> = container.mounts.iter().flatten().collect();
    let mut mounts: Vec<Mount> = spec.mounts.iter().flat_map(|own| targets(own, &live)).collect();
    for mount in live {
        let Some(target) = mount.destination.as_deref() else { continue };
        if mounts.iter().filter_map(|own| own.target.as_deref()).any(|own| is_below(target, own)) {
            continue;
        }
        match (mount.typ.as_deref(), &mount.source, &mount.name) {
            (Some("bind"), Some(source), _) if mount.rw == Some(false) => {
                mounts.push(bind(source, target, true))
            }
            (Some("volume"), _, Some(name)) if spec.server.is_some() => {
                mounts.push(volume(&spec.name, name, target, mount.rw == Some(false)));
            }
            _ => {}
        }
    }
    mounts
}

/// What a database server of a copy's own sees: what of the host the one that it is made like only reads.
pub(super) fn read_only(container: &ContainerInspectResponse) -> Vec<Mount> {
    let binds = container
        .mounts
        .iter()
        .flatten()
        .filter(|mount| mount.typ.as_deref() == Some("bind") && mount.rw == Some(false));
    binds
        .filter_map(|mount| Some(bind(mount.source.as_deref()?, mount.destination.as_deref()?, true)))
        .collect()
}

/// Where a service sees a directory of the trial's own.
fn targets(own: &TrialMount, live: &[&MountPoint]) -> Vec<Mount> {
    let source = own.source.display().to_string();
    match &own.target {
        TrialTarget::Path(path) => vec![bind(&source, path, own.read_only)],
        TrialTarget::InsteadOf(directory) => live
            .iter()
            .filter_map(|mount| {
                let inside = directory.strip_prefix(mount.source.as_deref()?).ok()?;
                let target = Path::new(mount.destination.as_deref()?).join(inside);
                let target = target.display().to_string();
                Some(bind(&source, target.trim_end_matches('/'), own.read_only || mount.rw == Some(false)))
            })
            .collect(),
    }
}

/// Whether a path is another one or lies below it.
fn is_below(path: &str, other: &str) -> bool {
    Path::new(path).starts_with(other)
}

fn bind(source: &str, target: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::BIND),
        source: Some(source.to_owned()),
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        ..Default::default()
    }
}

/// The volume of a trial that stands for one of the stack.
fn volume(trial: &str, live: &str, target: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(volume_name(trial, live)),
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        ..Default::default()
    }
}

/// What a volume of a trial is called.
fn volume_name(trial: &str, live: &str) -> String {
    format!("{trial}_{live}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mounted(typ: &str, name: Option<&str>, source: &str, destination: &str, rw: bool) -> MountPoint {
        MountPoint {
            typ: Some(typ.to_owned()),
            name: name.map(str::to_owned),
            source: Some(source.to_owned()),
            destination: Some(destination.to_owned()),
            rw: Some(rw),
            ..Default::default()
        }
    }

    fn seen(own: &[TrialMount], live: Vec<MountPoint>, server: bool) -> Vec<String> {
        let spec = TrialSpec {
            name: "trial".to_owned(),
            tenant: eclusa_model::TenantName::new("shop").unwrap(),
            release: None,
            images: Default::default(),
            web: Vec::new(),
            frontend: eclusa_model::ServiceName::new("frontend").unwrap(),
            caches: Vec::new(),
            server: server.then(|| eclusa_model::ServiceName::new("db").unwrap()),
            database: ("db".to_owned(), 5432),
            through: eclusa_model::ServiceName::new("db").unwrap(),
            mounts: own.to_vec(),
            healthy_within: std::time::Duration::from_secs(1),
        };
        let container = ContainerInspectResponse { mounts: Some(live), ..Default::default() };
        let told = |mount: Mount| {
            let read = if mount.read_only == Some(true) { " ro" } else { "" };
            format!("{} {}{read}", mount.source.unwrap(), mount.target.unwrap())
        };
        mounts(&container, &spec).into_iter().map(told).collect()
    }

    #[test]
    fn the_copy_stands_wherever_the_live_files_are_seen() {
        let own = TrialMount {
            source: "/copy/media".into(),
            target: TrialTarget::InsteadOf("/volumes/data/media".into()),
            read_only: false,
        };
        let live = vec![
            mounted("volume", Some("shop_data"), "/volumes/data", "/srv/data", true),
            mounted("volume", Some("shop_data"), "/volumes/data/media", "/usr/share/media", false),
            mounted("volume", Some("shop_static"), "/volumes/static", "/srv/static", true),
            mounted("bind", None, "/etc/shop.conf", "/etc/shop.conf", false),
            mounted("bind", None, "/srv/written", "/srv/written", true),
        ];
        assert_eq!(
            seen(&[own], live, true),
            [
                "/copy/media /srv/data/media",
                "/copy/media /usr/share/media ro",
                "trial_shop_data /srv/data",
                "trial_shop_static /srv/static",
                "/etc/shop.conf /etc/shop.conf ro",
            ]
        );
    }

    #[test]
    fn without_a_server_of_its_own_no_volume_is_seen() {
        let own = TrialMount {
            source: "/copy".into(),
            target: TrialTarget::Path("/bench/sites".to_owned()),
            read_only: false,
        };
        let live = vec![
            mounted("volume", Some("bench_sites"), "/volumes/sites", "/bench/sites", true),
            mounted("volume", Some("bench_logs"), "/volumes/logs", "/bench/logs", true),
            mounted("bind", None, "/etc/a", "/bench/sites-of-others", false),
        ];
        assert_eq!(seen(&[own], live, false), ["/copy /bench/sites", "/etc/a /bench/sites-of-others ro"]);
    }
}
