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
    for live in live {
        let Some(target) = live.destination.as_deref() else { continue };
        let own = mounts.iter().filter_map(|own| own.target.as_deref());
        if own.into_iter().any(|own| Path::new(target).starts_with(own)) {
            continue;
        }
        match (live.typ.as_deref(), &live.name) {
            (Some("volume"), Some(name)) if spec.server.is_some() => {
                let volume = format!("{}_{name}", spec.name);
                mounts.push(mounted(MountType::VOLUME, &volume, target, live.rw == Some(false)));
            }
            _ => mounts.extend(only_read(live)),
        }
    }
    mounts
}

/// What a database server of a copy's own sees: what of the host the one that it is made like only reads.
pub(super) fn read_only(container: &ContainerInspectResponse) -> Vec<Mount> {
    container.mounts.iter().flatten().filter_map(only_read).collect()
}

/// The same of a trial, where it is of the host and a service only reads it.
fn only_read(live: &MountPoint) -> Option<Mount> {
    if live.typ.as_deref() != Some("bind") || live.rw != Some(false) {
        return None;
    }
    Some(mounted(MountType::BIND, live.source.as_deref()?, live.destination.as_deref()?, true))
}

/// Where a service sees a directory of the trial's own.
fn targets(own: &TrialMount, live: &[&MountPoint]) -> Vec<Mount> {
    let source = own.source.display().to_string();
    match &own.target {
        TrialTarget::Path(path) => vec![mounted(MountType::BIND, &source, path, own.read_only)],
        TrialTarget::InsteadOf(directory) => live
            .iter()
            .filter_map(|mount| {
                let inside = directory.strip_prefix(mount.source.as_deref()?).ok()?;
                let target = Path::new(mount.destination.as_deref()?).join(inside);
                let target = target.display().to_string();
                let read_only = own.read_only || mount.rw == Some(false);
                Some(mounted(MountType::BIND, &source, target.trim_end_matches('/'), read_only))
            })
            .collect(),
    }
}

fn mounted(typ: MountType, source: &str, target: &str, read_only: bool) -> Mount {
    Mount {
        typ: Some(typ),
        source: Some(source.to_owned()),
        target: Some(target.to_owned()),
        read_only: Some(read_only),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn point(typ: &str, name: Option<&str>, source: &str, destination: &str, rw: bool) -> MountPoint {
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
            point("volume", Some("shop_data"), "/volumes/data", "/srv/data", true),
            point("volume", Some("shop_data"), "/volumes/data/media", "/usr/share/media", false),
            point("volume", Some("shop_static"), "/volumes/static", "/srv/static", true),
            point("bind", None, "/etc/shop.conf", "/etc/shop.conf", false),
            point("bind", None, "/srv/written", "/srv/written", true),
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
            point("volume", Some("bench_sites"), "/volumes/sites", "/bench/sites", true),
            point("volume", Some("bench_logs"), "/volumes/logs", "/bench/logs", true),
            point("bind", None, "/etc/a", "/bench/sites-of-others", false),
        ];
        assert_eq!(seen(&[own], live, false), ["/copy /bench/sites", "/etc/a /bench/sites-of-others ro"]);
    }
}
