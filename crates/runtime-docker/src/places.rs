//! Where things are: the directory behind a set of files, the addresses of the frontend.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use bollard::models::ContainerInspectResponse;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{FilesPlace, ServiceName};
use eclusa_ports::{CommandSpec, NoOutput};

use crate::EDGE_SERVICE;
use crate::engine::is_missing;
use crate::exec::service_missing;
use crate::inspect::{PortModel, Project};
use crate::runtime::ComposeRuntime;

/// Something of the host that is mounted in a service.
struct Mounted {
    source: PathBuf,
    target: PathBuf,
}

impl ComposeRuntime {
    pub(crate) async fn directory_behind(&self, place: &FilesPlace) -> Result<PathBuf> {
        let (service, path) = match place {
            FilesPlace::Directory { path, .. } => {
                return self.readable(Path::new(path), Path::new(path)).await;
            }
            FilesPlace::Service { service, path, .. } => (service, Path::new(path)),
        };
        if path.components().any(|part| part == Component::ParentDir) || !path.is_absolute() {
            return Err(Fault::new(Code::PathEscapes).with("path", path.display()).with("root", service));
        }
        let mut containers = self.containers().await?;
        let mounts = match containers.remove(service.as_str()).and_then(|found| found.into_iter().next()) {
            Some(container) => mounts_of(&container),
            None => self.defined_mounts(service).await?,
        };
        let fitting = mounts.into_iter().filter(|mount| path.starts_with(&mount.target));
        let Some(mount) = fitting.max_by_key(|mount| mount.target.components().count()) else {
            return Err(Fault::new(Code::FileAccess)
                .with("path", path.display())
                .with("operation", "found on the host")
                .because(format!("no volume and no directory is mounted there in {service}")));
        };
        let rest = path.strip_prefix(&mount.target).unwrap_or(Path::new(""));
        self.readable(&mount.source.join(rest), &mount.source).await
    }

    /// A directory that this user can read, with its links resolved, and still below `root`.
    async fn readable(&self, path: &Path, root: &Path) -> Result<PathBuf> {
        let real = self.real_path(path).await?;
        let root = self.real_path(root).await?;
        if !real.starts_with(&root) {
            return Err(Fault::new(Code::PathEscapes)
                .with("path", path.display())
                .with("root", root.display()));
        }
        let text = real.display().to_string();
        let argv = ["test", "-d", &text, "-a", "-r", &text, "-a", "-x", &text];
        let result = self.host.run(CommandSpec::new(argv, Duration::from_secs(20)), &NoOutput).await?;
        if result.code == 0 {
            return Ok(real);
        }
        Err(Fault::new(Code::FileAccess).with("path", text).with("operation", "read as a directory"))
    }

    /// The mounts of a service that has no container: from the files, and the engine's word on its volumes.
    async fn defined_mounts(&self, service: &ServiceName) -> Result<Vec<Mounted>> {
        let model = self.base_model().await?;
        let Some(defined) = model.services.get(service.as_str()) else {
            return Err(service_missing(service, model.services.keys()));
        };
        let mut mounts = Vec::new();
        for mount in &defined.mounts {
            let source = match mount.kind.as_str() {
                "bind" => Some(PathBuf::from(&mount.source)),
                "volume" => self.volume_directory(&model, &mount.source).await?,
                _ => None,
            };
            if let Some(source) = source {
                mounts.push(Mounted { source, target: PathBuf::from(&mount.target) });
            }
        }
        Ok(mounts)
    }

    async fn volume_directory(&self, model: &Project, key: &str) -> Result<Option<PathBuf>> {
        let Some(name) = model.volumes.get(key) else { return Ok(None) };
        match self.engine.docker().await?.inspect_volume(name).await {
            Ok(volume) => Ok(Some(PathBuf::from(volume.mountpoint))),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(self.engine.fault("looking at a volume", &error)),
        }
    }

    pub(crate) async fn side_door_address(&self) -> Result<String> {
        if self.pinned().await?.is_some_and(|pinned| pinned.edge.is_some()) {
            return Ok(format!("http://127.0.0.1:{}", self.stack.side_door_port));
        }
        self.published_address().await
    }

    pub(crate) async fn published_address(&self) -> Result<String> {
        let model = self.base_model().await?;
        let frontend = &self.stack.frontend;
        if !model.services.contains_key(frontend.as_str()) {
            return Err(service_missing(frontend, model.services.keys()));
        }
        let ports = frontend_ports(&model, frontend, self.stack.frontend_port);
        if let Some((ip, port)) = ports.iter().find_map(fixed) {
            return Ok(address(&ip, port));
        }
        let edge = self.pinned().await?.is_some_and(|pinned| pinned.edge.is_some());
        let service = if edge { EDGE_SERVICE } else { frontend.as_str() };
        let containers = self.containers().await?;
        let running = containers.get(service).and_then(|found| found.first());
        match running.and_then(chosen_by_the_engine) {
            Some((ip, port)) => Ok(address(&ip, port)),
            None => Err(service_missing(frontend, model.services.keys())
                .because(format!("{frontend} publishes no port for {}", self.stack.frontend_port))),
        }
    }
}

/// The ports by which the frontend's own port is published.
pub(crate) fn frontend_ports(model: &Project, frontend: &ServiceName, port: u16) -> Vec<PortModel> {
    let published = model.ports(frontend.as_str()).iter();
    published.filter(|found| found.target == port && found.protocol == "tcp").cloned().collect()
}

fn fixed(port: &PortModel) -> Option<(String, u16)> {
    // Of a range, the engine takes the first that is free; a single instance has the first.
    let first = port.published.split('-').next()?;
    Some((port.host_ip.clone(), first.parse().ok()?))
}

/// How this host reaches an address that the engine listens on.
fn address(ip: &str, port: u16) -> String {
    match ip {
        "" | "0.0.0.0" | "::" | "[::]" => format!("http://127.0.0.1:{port}"),
        ip if ip.contains(':') => format!("http://[{ip}]:{port}"),
        ip => format!("http://{ip}:{port}"),
    }
}

fn chosen_by_the_engine(container: &ContainerInspectResponse) -> Option<(String, u16)> {
    let ports = container.network_settings.as_ref()?.ports.as_ref()?;
    let bindings =
        ports.iter().filter(|(name, _)| name.ends_with("/tcp")).filter_map(|(_, bindings)| bindings.as_ref());
    let first = bindings.flatten().next()?;
    Some((first.host_ip.clone().unwrap_or_default(), first.host_port.as_ref()?.parse().ok()?))
}

fn mounts_of(container: &ContainerInspectResponse) -> Vec<Mounted> {
    let mounts = container.mounts.iter().flatten();
    mounts
        .filter(|mount| matches!(mount.typ.as_deref(), Some("volume" | "bind")))
        .filter_map(|mount| {
            Some(Mounted {
                source: mount.source.as_ref()?.into(),
                target: mount.destination.as_ref()?.into(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_that_this_host_reaches() {
        assert_eq!(address("", 80), "http://127.0.0.1:80");
        assert_eq!(address("0.0.0.0", 8080), "http://127.0.0.1:8080");
        assert_eq!(address("::1", 8080), "http://[::1]:8080");
        assert_eq!(address("10.0.0.7", 8080), "http://10.0.0.7:8080");
    }

    #[test]
    fn a_port_that_the_engine_chooses_is_not_fixed() {
        let port = |published: &str| PortModel {
            host_ip: String::new(),
            published: published.to_owned(),
            target: 80,
            protocol: "tcp".to_owned(),
        };
        assert_eq!(fixed(&port("")), None);
        assert_eq!(fixed(&port("8080-8089")), Some((String::new(), 8080)));
    }
}
