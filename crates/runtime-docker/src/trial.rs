//! Services started beside those of the stack, on a copy of a tenant's data: containers of their own on a network that leads
//! nowhere, with empty caches, and a relay that reaches the server of the copy's database and nothing else. They carry
//! Compose's labels as a project of their own, so that `docker compose` shows them, and removes them where nobody else does.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, EndpointSettings, HostConfig, Mount, MountType,
    NetworkConnectRequest, NetworkCreateRequest, NetworkingConfig,
};
use bollard::query_parameters::CreateContainerOptionsBuilder;
use eclusa_fault::{Code, Fault, Language, Result};
use eclusa_model::{FilesPlace, Release, RuntimeKind, ServiceName, ServiceState};
use eclusa_ports::{
    ApplyContext, CommandResult, ExecSpec, ExecStream, LogLine, OutputSink, Runtime, RuntimeObservation,
    ServiceStats, Took, TrialSpec,
};
use eclusa_runbook::{Outputs, Place, RuntimeOperation, TRIAL_DATABASE};
use jiff::Timestamp;
use tokio::sync::OnceCell;

use crate::engine::is_missing;
use crate::images::with_pins;
use crate::observe::{Containers, service_name, state_of};
use crate::runtime::ComposeRuntime;
use crate::wait::Watch;

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
        self.end_trial(&spec.name).await?;
        let live = self.containers().await?;
        let pins = match &spec.release {
            Some(release) if !release.images.is_empty() || !spec.images.is_empty() => {
                Some(with_pins(release, &spec.images)?)
            }
            _ => None,
        };
        let mut below = vec![self.relay(spec, &live, output).await?];
        for cache in &spec.caches {
            below.push(self.empty_cache(spec, &live, cache)?);
        }
        let mut web = Vec::new();
        for service in &spec.web {
            web.push(self.application(spec, &live, pins.as_ref(), service).await?);
        }
        let front = vec![self.application(spec, &live, pins.as_ref(), &spec.frontend).await?];
        self.make_network(&spec.name).await?;
        eclusa_crash::point("trial.network-made");
        let inside = self.inside(&spec.name);
        let mut watch = Watch::new(&Containers::new(), spec.healthy_within.as_secs().max(1));
        for wave in [below, web, front] {
            let services: Vec<ServiceName> = wave.iter().map(|wanted| wanted.service.clone()).collect();
            for wanted in wave {
                self.create(spec, wanted).await?;
            }
            inside.until_healthy(&services, &mut watch).await.map_err(|fault| failed(spec, fault))?;
        }
        Ok(())
    }

    /// The runtime of what was started under a name.
    fn inside(&self, name: &str) -> Self {
        Self { project: OnceCell::new_with(Some(name.to_owned())), ..self.clone() }
    }

    pub(crate) async fn end_trial(&self, name: &str) -> Result<()> {
        let inside = self.inside(name);
        for container in inside.containers().await?.into_values().flatten() {
            if let Some(id) = container.id {
                self.remove_container(&id).await?;
            }
        }
        match self.engine.docker().await?.remove_network(name).await {
            Ok(()) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(self.engine.fault("removing a network", &error)),
        }
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

    async fn create(&self, spec: &TrialSpec, wanted: Wanted) -> Result<()> {
        let Wanted { service, mut body, networks } = wanted;
        let mut labels = body.labels.take().unwrap_or_default();
        for (name, value) in [
            (TRIAL_LABEL, spec.name.as_str()),
            ("com.docker.compose.project", &spec.name),
            ("com.docker.compose.service", service.as_str()),
            ("com.docker.compose.container-number", "1"),
            ("com.docker.compose.oneoff", "False"),
        ] {
            labels.insert(name.to_owned(), value.to_owned());
        }
        body.labels = Some(labels);
        let aliases = EndpointSettings { aliases: Some(vec![service.to_string()]), ..Default::default() };
        body.networking_config =
            Some(NetworkingConfig { endpoints_config: Some(HashMap::from([(spec.name.clone(), aliases)])) });
        let name = format!("{}-{service}-1", spec.name);
        let options = CreateContainerOptionsBuilder::new().name(&name).build();
        let docker = self.engine.docker().await?;
        let fault = |error| failed(spec, self.engine.fault(&format!("making {service}"), &error));
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
        let networks = networks_of(self.model_of(spec, live, &spec.through)?);
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
        let container = self.model_of(spec, live, service)?;
        let body = ContainerCreateBody {
            image: container.image.clone(),
            host_config: Some(limited(container, spec)),
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
        let container = self.model_of(spec, live, service)?;
        let pin = release.and_then(|release| release.images.get(service));
        if let Some(pin) = pin {
            self.ensure_pin(pin).await?;
        }
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
        let mut host = limited(container, spec);
        host.mounts = Some(mounts(container, spec));
        let body = ContainerCreateBody {
            image: pin.map(|pin| pin.id.clone()).or_else(|| container.image.clone()),
            env: Some(environment.filter(|pair| !from_image.contains(pair)).collect()),
            cmd: own(&config.cmd, &given.cmd),
            entrypoint: own(&config.entrypoint, &given.entrypoint),
            working_dir: config.working_dir.clone().filter(|path| Some(path) != given.working_dir.as_ref()),
            user: config.user.clone().filter(|user| Some(user) != given.user.as_ref()),
            healthcheck: config.healthcheck.clone(),
            host_config: Some(host),
            ..Default::default()
        };
        Ok(Wanted { service: service.clone(), body, networks: Vec::new() })
    }

    /// What a service of the trial is made like.
    fn model_of<'a>(
        &self,
        spec: &TrialSpec,
        live: &'a Containers,
        service: &ServiceName,
    ) -> Result<&'a ContainerInspectResponse> {
        let mut found = live.get(service.as_str()).into_iter().flatten();
        found.find(|container| state_of(container) == ServiceState::Running).ok_or_else(|| {
            Fault::new(Code::TrialFailed)
                .with("tenant", &spec.tenant)
                .with("problem", format!("{service}, which it is started like, does not run"))
        })
    }
}

/// What a container of a trial may use: as much as the one that it is made like. It is not started again by itself.
fn limited(container: &ContainerInspectResponse, spec: &TrialSpec) -> HostConfig {
    let live = container.host_config.clone().unwrap_or_default();
    HostConfig {
        network_mode: Some(spec.name.clone()),
        memory: live.memory,
        memory_swap: live.memory_swap,
        nano_cpus: live.nano_cpus,
        shm_size: live.shm_size,
        tmpfs: live.tmpfs,
        init: live.init,
        ..Default::default()
    }
}

/// The copy's files, and what of the host a service only reads: no volume, and nothing that could be written.
fn mounts(container: &ContainerInspectResponse, spec: &TrialSpec) -> Vec<Mount> {
    let bind = |source: String, target: String, read_only: bool| Mount {
        typ: Some(MountType::BIND),
        source: Some(source),
        target: Some(target),
        read_only: Some(read_only),
        ..Default::default()
    };
    let below_own = |target: &str| {
        spec.mounts.iter().any(|own| {
            target
                .strip_prefix(own.target.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let read = container.mounts.iter().flatten().filter_map(|mount| {
        let is_bind = mount.typ.as_deref() == Some("bind") && mount.rw == Some(false);
        let (source, target) = (mount.source.clone()?, mount.destination.clone()?);
        (is_bind && !below_own(&target)).then(|| bind(source, target, true))
    });
    let own = spec.mounts.iter();
    let own =
        own.map(|mount| bind(mount.source.display().to_string(), mount.target.clone(), mount.read_only));
    own.chain(read).collect()
}

fn networks_of(container: &ContainerInspectResponse) -> Vec<String> {
    let settings = container.network_settings.as_ref();
    let networks = settings.and_then(|settings| settings.networks.as_ref());
    networks.map(|networks| networks.keys().cloned().collect()).unwrap_or_default()
}

fn failed(spec: &TrialSpec, fault: Fault) -> Fault {
    let bare = Fault { causes: Vec::new(), ..fault.clone() };
    let problem = bare.headline(&Language::default());
    let outer = Fault::new(Code::TrialFailed).with("tenant", &spec.tenant).with("problem", problem);
    fault.causes.into_iter().fold(outer, Fault::because)
}

/// What was started under a name, as a runtime.
pub(crate) struct TrialRuntime {
    inside: ComposeRuntime,
    name: String,
}

impl TrialRuntime {
    pub(crate) fn of(runtime: &ComposeRuntime, name: &str) -> Self {
        Self { inside: runtime.inside(name), name: name.to_owned() }
    }

    async fn address(&self) -> Result<String> {
        let frontend = &self.inside.stack.frontend;
        let containers = self.inside.containers().await?;
        let container = containers.get(frontend.as_str()).and_then(|found| found.first());
        let address = container
            .and_then(|container| container.network_settings.as_ref()?.networks.as_ref()?.get(&self.name))
            .and_then(|endpoint| endpoint.ip_address.clone())
            .filter(|address| !address.is_empty());
        address.map(|address| format!("http://{address}:{}", self.inside.stack.frontend_port)).ok_or_else(
            || {
                Fault::new(Code::RuntimeFailed)
                    .with("operation", "asking what was started on a copy")
                    .because(format!("{frontend} has no address in {}", self.name))
            },
        )
    }
}

/// What belongs to the stack alone.
fn not_of_a_trial(what: &str) -> Fault {
    Fault::new(Code::Internal).with("what", format!("{what} was asked of what is started on a copy"))
}

#[async_trait]
impl Runtime for TrialRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Compose
    }

    async fn observe(&self) -> Result<RuntimeObservation> {
        Err(not_of_a_trial("an observation"))
    }

    async fn apply(
        &self,
        _operation: &RuntimeOperation,
        _context: &ApplyContext,
        _output: &dyn OutputSink,
    ) -> Result<Outputs> {
        Err(not_of_a_trial("an operation"))
    }

    async fn took_effect(&self, _operation: &RuntimeOperation, _context: &ApplyContext) -> Result<Took> {
        Err(not_of_a_trial("an operation"))
    }

    async fn exec(&self, spec: ExecSpec, output: &dyn OutputSink) -> Result<CommandResult> {
        match spec.place.clone() {
            Place::Service { service } => self.inside.exec_in_service(&service, spec, output).await,
            Place::Candidate { .. } | Place::Host => Err(not_of_a_trial("a command elsewhere")),
        }
    }

    async fn exec_running(&self, place: &Place, mark: &str) -> Result<bool> {
        match place {
            Place::Service { service } => self.inside.marked_in_service(service, mark).await,
            Place::Candidate { .. } | Place::Host => Err(not_of_a_trial("a command elsewhere")),
        }
    }

    async fn exec_end(&self, place: &Place, mark: &str) -> Result<()> {
        match place {
            Place::Service { service } => self.inside.end_in_service(service, mark).await,
            Place::Candidate { .. } | Place::Host => Err(not_of_a_trial("a command elsewhere")),
        }
    }

    async fn exec_stream(&self, _spec: ExecSpec) -> Result<ExecStream> {
        Err(not_of_a_trial("a stream"))
    }

    async fn logs(&self, services: &[ServiceName], since: Timestamp, most: usize) -> Result<Vec<LogLine>> {
        self.inside.read_logs(services, since, most).await
    }

    async fn stats(&self, services: &[ServiceName]) -> Result<Vec<ServiceStats>> {
        self.inside.read_stats(services).await
    }

    async fn files_directory(&self, _place: &FilesPlace) -> Result<PathBuf> {
        Err(not_of_a_trial("a directory"))
    }

    async fn side_door(&self) -> Result<String> {
        self.address().await
    }

    async fn public_address(&self) -> Result<String> {
        self.address().await
    }
}
