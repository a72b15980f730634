//! Services started beside those of the stack, on a copy of a tenant's data: containers of their own on a network that leads
//! nowhere, with empty caches, and a relay that reaches the server of the copy's database and nothing else. They carry
//! Compose's labels as a project of their own, so that `docker compose` shows them, and removes them where nobody else does.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, EndpointSettings, HostConfig, MountType,
    NetworkConnectRequest, NetworkCreateRequest, NetworkingConfig, VolumeCreateRequest,
};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListVolumesOptionsBuilder, RemoveVolumeOptions,
};
use eclusa_fault::{Code, Fault, Language, Result};
use eclusa_model::{Release, ServiceName, ServiceState, TenantName};
use eclusa_ports::{OutputSink, TrialSpec};
use eclusa_runbook::TRIAL_DATABASE;
use tokio::sync::OnceCell;

use crate::engine::is_missing;
use crate::images::with_pins;
use crate::observe::{Containers, service_name, state_of};
use crate::runtime::ComposeRuntime;
use crate::wait::Watch;

mod inside;
mod mounts;
mod server;

pub(crate) use inside::TrialRuntime;
use mounts::{limited, mounts};

/// The label that says of which trial a container or a network is.
const TRIAL_LABEL: &str = "eclusa.trial";

/// How long the image of the relay may take to be made.
const IMAGE_WITHIN: Duration = Duration::from_secs(300);

/// A service of a trial in the making.
struct Wanted {
    service: ServiceName,
    body: ContainerCreateBody,
    /// Networks beside that of the trial.
    networks: Vec<String>,
}

impl ComposeRuntime {
    pub(crate) async fn start_trial(&self, spec: &TrialSpec, output: &dyn OutputSink) -> Result<()> {
        match &spec.server {
            None => self.end_trial(&spec.name).await?,
            Some(server) => self.end_services(&spec.name, Some(server)).await?,
        }
        let live = self.containers().await?;
        let pins = match &spec.release {
            Some(release) if !release.images.is_empty() || !spec.images.is_empty() => {
                Some(with_pins(release, &spec.images)?)
            }
            _ => None,
        };
        let mut below = Vec::new();
        if spec.server.is_none() {
            below.push(self.relay(spec, &live, output).await?);
        }
        for cache in &spec.caches {
            below.push(match spec.server {
                None => self.empty_cache(spec, &live, cache)?,
                Some(_) => self.application(spec, &live, None, cache).await?,
            });
        }
        let mut web = Vec::new();
        for service in &spec.web {
            web.push(self.application(spec, &live, pins.as_ref(), service).await?);
        }
        let front = vec![self.application(spec, &live, pins.as_ref(), &spec.frontend).await?];
        if spec.server.is_none() {
            self.make_network(&spec.name).await?;
            eclusa_crash::point("trial.network-made");
        }
        self.make_volumes(&spec.name, [&below, &web, &front].into_iter().flatten()).await?;
        let inside = self.inside(&spec.name);
        let mut watch = Watch::new(&Containers::new(), spec.healthy_within.as_secs().max(1));
        for wave in [below, web, front] {
            let services: Vec<ServiceName> = wave.iter().map(|wanted| wanted.service.clone()).collect();
            for wanted in wave {
                self.create(&spec.name, &spec.tenant, wanted).await?;
            }
            inside.until_healthy(&services, &mut watch).await.map_err(|fault| failed(&spec.tenant, fault))?;
        }
        Ok(())
    }

    /// The runtime of what was started under a name.
    fn inside(&self, name: &str) -> Self {
        Self { project: OnceCell::new_with(Some(name.to_owned())), ..self.clone() }
    }

    pub(crate) async fn end_trial(&self, name: &str) -> Result<()> {
        self.end_services(name, None).await?;
        let docker = self.engine.docker().await?;
        let filters = HashMap::from([("label", vec![format!("{TRIAL_LABEL}={name}")])]);
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let listed = docker.list_volumes(Some(options)).await;
        let listed = listed.map_err(|error| self.engine.fault("looking at volumes", &error))?;
        for volume in listed.volumes.unwrap_or_default() {
            gone(docker.remove_volume(&volume.name, None::<RemoveVolumeOptions>).await)
                .map_err(|error| self.engine.fault("removing a volume", &error))?;
        }
        gone(docker.remove_network(name).await)
            .map_err(|error| self.engine.fault("removing a network", &error))
    }

    /// Ends and removes containers, but for one service's.
    async fn end_services(&self, name: &str, but: Option<&ServiceName>) -> Result<()> {
        for (service, containers) in self.inside(name).containers().await? {
            if but.is_some_and(|but| but.as_str() == service) {
                continue;
            }
            for id in containers.into_iter().filter_map(|container| container.id) {
                self.remove_container(&id).await?;
            }
        }
        Ok(())
    }

    /// Makes the volumes that containers in the making want: those that the engine would make have no label.
    async fn make_volumes<'a>(&self, name: &str, wanted: impl Iterator<Item = &'a Wanted>) -> Result<()> {
        let docker = self.engine.docker().await?;
        let mounts = wanted.filter_map(|wanted| wanted.body.host_config.as_ref()?.mounts.as_ref()).flatten();
        let volumes = mounts.filter(|mount| mount.typ == Some(MountType::VOLUME));
        let names: BTreeSet<String> = volumes.filter_map(|mount| mount.source.clone()).collect();
        for volume in names {
            let labels = HashMap::from([(TRIAL_LABEL.to_owned(), name.to_owned())]);
            let request =
                VolumeCreateRequest { name: Some(volume), labels: Some(labels), ..Default::default() };
            let made = docker.create_volume(request).await;
            made.map_err(|error| self.engine.fault("making a volume", &error))?;
        }
        Ok(())
    }

    /// The address of a service of a trial, which this host reaches.
    async fn address_in_trial(&self, name: &str, service: &ServiceName) -> Result<String> {
        let containers = self.inside(name).containers().await?;
        let container = containers.get(service.as_str()).and_then(|found| found.first());
        container
            .and_then(|container| container.network_settings.as_ref()?.networks.as_ref()?.get(name))
            .and_then(|endpoint| endpoint.ip_address.clone())
            .filter(|address| !address.is_empty())
            .ok_or_else(|| {
                Fault::new(Code::RuntimeFailed)
                    .with("operation", "asking what was started on a copy")
                    .because(format!("{service} has no address in {name}"))
            })
    }

    async fn make_network(&self, name: &str) -> Result<()> {
        let labels = HashMap::from([
            (TRIAL_LABEL.to_owned(), name.to_owned()),
            ("com.docker.compose.project".to_owned(), name.to_owned()),
            ("com.docker.compose.network".to_owned(), "default".to_owned()),
        ]);
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            // Nothing leads out of it: no mail, no webhook, no other service.
            internal: Some(true),
            labels: Some(labels),
            ..Default::default()
        };
        let made = self.engine.docker().await?.create_network(request).await;
        made.map(|_| ()).map_err(|error| self.engine.fault("making a network", &error))
    }

    async fn create(&self, trial: &str, tenant: &TenantName, wanted: Wanted) -> Result<()> {
        let Wanted { service, mut body, networks } = wanted;
        let mut labels = body.labels.take().unwrap_or_default();
        for (name, value) in [
            (TRIAL_LABEL, trial),
            ("com.docker.compose.project", trial),
            ("com.docker.compose.service", service.as_str()),
            ("com.docker.compose.container-number", "1"),
            ("com.docker.compose.oneoff", "False"),
        ] {
            labels.insert(name.to_owned(), value.to_owned());
        }
        body.labels = Some(labels);
        let aliases = EndpointSettings { aliases: Some(vec![service.to_string()]), ..Default::default() };
        body.networking_config =
            Some(NetworkingConfig { endpoints_config: Some(HashMap::from([(trial.to_owned(), aliases)])) });
        let name = format!("{}-{service}-1", trial);
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let docker = self.engine.docker().await?;
        let fault = |error| failed(tenant, self.engine.fault(&format!("making {service}"), &error));
        let made = docker.create_container(Some(options), body).await.map_err(fault)?;
        for network in networks {
            let request = NetworkConnectRequest { container: made.id.clone(), endpoint_config: None };
            docker.connect_network(&network, request).await.map_err(fault)?;
        }
        eclusa_crash::point("trial.container-made");
        docker.start_container(&made.id, None).await.map_err(fault)
    }

    /// What leads to the server of the copy's database. It stands in the networks of a service that reaches it.
    async fn relay(&self, spec: &TrialSpec, live: &Containers, output: &dyn OutputSink) -> Result<Wanted> {
        let image = self.own_image(&self.stack.binary, IMAGE_WITHIN, output).await?;
        let networks = networks_of(model_of(&spec.tenant, live, &spec.through)?);
        let (host, port) = &spec.database;
        let argv =
            ["edge", "relay", "--listen", &format!("0.0.0.0:{port}"), "--to", &format!("{host}:{port}")];
        let body = ContainerCreateBody {
            image: Some(image),
            cmd: Some(argv.map(str::to_owned).to_vec()),
            host_config: Some(HostConfig {
                network_mode: Some(spec.name.clone()),
                readonly_rootfs: Some(true),
                cap_drop: Some(vec!["ALL".to_owned()]),
                ..Default::default()
            }),
            ..Default::default()
        };
        Ok(Wanted { service: service_name(TRIAL_DATABASE)?, body, networks })
    }

    fn empty_cache(&self, spec: &TrialSpec, live: &Containers, service: &ServiceName) -> Result<Wanted> {
        let container = model_of(&spec.tenant, live, service)?;
        let body = ContainerCreateBody {
            image: container.image.clone(),
            host_config: Some(limited(container, &spec.name)),
            ..Default::default()
        };
        Ok(Wanted { service: service.clone(), body, networks: Vec::new() })
    }

    /// A service as it runs now, but for its image, its files and its network.
    async fn application(
        &self,
        spec: &TrialSpec,
        live: &Containers,
        release: Option<&Release>,
        service: &ServiceName,
    ) -> Result<Wanted> {
        let container = model_of(&spec.tenant, live, service)?;
        let pin = release.and_then(|release| release.images.get(service));
        if let Some(pin) = pin {
            self.ensure_pin(pin).await?;
        }
        let mut body = self.as_it_runs(container, &spec.name).await?;
        if let Some(pin) = pin {
            body.image = Some(pin.id.clone());
        }
        if let Some(host) = &mut body.host_config {
            host.mounts = Some(mounts(container, spec));
        }
        Ok(Wanted { service: service.clone(), body, networks: Vec::new() })
    }

    /// A container like one that runs, in the network of a trial, and without what it sees of the host.
    async fn as_it_runs(
        &self,
        container: &ContainerInspectResponse,
        trial: &str,
    ) -> Result<ContainerCreateBody> {
        let config = container.config.clone().unwrap_or_default();
        // What its image gives is not what its owner wants: another image gives other things.
        let of_image = match &container.image {
            Some(id) => self.image(id).await?.and_then(|image| image.config),
            None => None,
        };
        let given = of_image.unwrap_or_default();
        let own = |value: &Option<Vec<String>>, image: &Option<Vec<String>>| {
            if value == image { None } else { value.clone() }
        };
        let environment = config.env.clone().unwrap_or_default().into_iter();
        let from_image = given.env.clone().unwrap_or_default();
        Ok(ContainerCreateBody {
            image: container.image.clone(),
            env: Some(environment.filter(|pair| !from_image.contains(pair)).collect()),
            cmd: own(&config.cmd, &given.cmd),
            entrypoint: own(&config.entrypoint, &given.entrypoint),
            working_dir: config.working_dir.clone().filter(|path| Some(path) != given.working_dir.as_ref()),
            user: config.user.clone().filter(|user| Some(user) != given.user.as_ref()),
            healthcheck: config.healthcheck.clone(),
            host_config: Some(limited(container, trial)),
            ..Default::default()
        })
    }
}

/// What a service of a trial is made like.
fn model_of<'a>(
    tenant: &TenantName,
    live: &'a Containers,
    service: &ServiceName,
) -> Result<&'a ContainerInspectResponse> {
    let mut found = live.get(service.as_str()).into_iter().flatten();
    found.find(|container| state_of(container) == ServiceState::Running).ok_or_else(|| {
        Fault::new(Code::TrialFailed)
            .with("tenant", tenant)
            .with("problem", format!("{service}, which it is started like, does not run"))
    })
}

fn networks_of(container: &ContainerInspectResponse) -> Vec<String> {
    let settings = container.network_settings.as_ref();
    let networks = settings.and_then(|settings| settings.networks.as_ref());
    networks.map(|networks| networks.keys().cloned().collect()).unwrap_or_default()
}

/// What is already gone needs no removing.
fn gone(
    outcome: std::result::Result<(), bollard::errors::Error>,
) -> std::result::Result<(), bollard::errors::Error> {
    match outcome {
        Err(error) if !is_missing(&error) => Err(error),
        _ => Ok(()),
    }
}

fn failed(tenant: &TenantName, fault: Fault) -> Fault {
    let bare = Fault { causes: Vec::new(), ..fault.clone() };
    let problem = bare.headline(&Language::default());
    let outer = Fault::new(Code::TrialFailed).with("tenant", tenant).with("problem", problem);
    fault.causes.into_iter().fold(outer, Fault::because)
}
