//! What is there now: containers by Compose's labels, what is pinned by the generated override, the user's files.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, HealthStatusEnum};
use bollard::query_parameters::ListContainersOptionsBuilder;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{
    Health, ImagePin, Release, ReleaseSource, ServiceName, ServiceObservation, ServiceRole, ServiceState,
};
use eclusa_ports::RuntimeObservation;
use futures_util::future::try_join_all;
use jiff::Timestamp;

use crate::compose::{Invocation, LONGEST_FILE, exists};
use crate::engine::is_missing;
use crate::inspect::Project;
use crate::overlay::Pinned;
use crate::runtime::ComposeRuntime;
use crate::stack::StackSource;
use crate::{EDGE_SERVICE, RELEASE_LABEL};

/// The containers of a project by service, each in the order of its number.
pub(crate) type Containers = BTreeMap<String, Vec<ContainerInspectResponse>>;

/// The services that run without Eclusa's override although it pins them: someone typed `docker compose up -d` with
/// the user's own files alone. Also those that run another image than the pinned one.
#[must_use]
pub fn unpinned_services(observation: &RuntimeObservation) -> Vec<ServiceName> {
    let Some(release) = observation.release.as_ref().filter(|release| release.source != ReleaseSource::Found)
    else {
        return Vec::new();
    };
    let unpinned = |service: &&ServiceObservation| {
        let Some(pin) = release.images.get(&service.name) else { return false };
        service.state != ServiceState::Absent
            && (service.release.is_none() || service.image_id.as_ref().is_some_and(|id| *id != pin.id))
    };
    observation.services.iter().filter(unpinned).map(|service| service.name.clone()).collect()
}

impl ComposeRuntime {
    pub(crate) async fn look(&self) -> Result<RuntimeObservation> {
        let model = self.base_model().await?;
        let pinned = self.pinned().await?;
        let containers = self.containers().await?;
        let mut names: Vec<String> = model.services.keys().chain(containers.keys()).cloned().collect();
        if pinned.as_ref().is_some_and(|pinned| pinned.edge.is_some()) {
            names.push(EDGE_SERVICE.to_owned());
        }
        names.sort();
        names.dedup();
        let mut services = Vec::with_capacity(names.len());
        for name in names {
            let service = service_name(&name)?;
            let role = self.stack.role(&service);
            let found = containers.get(&name).map_or(&[][..], Vec::as_slice);
            services.push(observed(service, role, model.image(&name), found));
        }
        let release = match pinned.and_then(|pinned| pinned.release) {
            Some(release) => Some(release),
            None => self.found_release(&model, &containers).await?,
        };
        Ok(RuntimeObservation { services, release, files: self.user_files().await? })
    }

    /// The user's own files, merged by Compose.
    pub(crate) async fn base_model(&self) -> Result<Project> {
        self.compose.model(&Invocation::of(&self.stack)).await
    }

    /// The project's name. It does not change while this process lives.
    pub(crate) async fn project(&self) -> Result<&str> {
        let name =
            self.project.get_or_try_init(|| async { Ok::<_, Fault>(self.base_model().await?.name) }).await?;
        Ok(name)
    }

    /// What the generated override pins, if it is there.
    pub(crate) async fn pinned(&self) -> Result<Option<Pinned>> {
        let path = self.stack.override_file();
        if !self.exists(&path).await? {
            return Ok(None);
        }
        let content = self.host.read(&path, LONGEST_FILE).await?;
        let shown = path.display().to_string();
        let text = String::from_utf8(content)
            .map_err(|error| Fault::new(Code::ComposeInvalid).with("path", &shown).because(error))?;
        Pinned::read(&shown, &text).map(Some)
    }

    /// The user's files, and the generated override where it is there.
    pub(crate) async fn current(&self) -> Result<Invocation> {
        let path = self.stack.override_file();
        let invocation = Invocation::of(&self.stack);
        Ok(if self.exists(&path).await? { invocation.and(path) } else { invocation })
    }

    /// Writes what is pinned, or removes the override when nothing is.
    pub(crate) async fn write_pinned(&self, pinned: &Pinned) -> Result<()> {
        let path = self.stack.override_file();
        if pinned.is_empty() {
            return self.host.remove(&path).await;
        }
        let mut by_hand = Invocation::of(&self.stack).and(&path).argv(&["up", "-d"]);
        by_hand.drain(2..4);
        let by_hand: Vec<String> = by_hand.iter().map(|word| for_a_shell(word)).collect();
        let text = pinned.render(&by_hand.join(" "))?;
        eclusa_crash::point("override.begins");
        self.host.write_durably(&path, text.as_bytes(), 0o644).await?;
        eclusa_crash::point("override.written");
        Ok(())
    }

    pub(crate) async fn exists(&self, path: &Path) -> Result<bool> {
        exists(&*self.host, path).await
    }

    /// The containers of the stack's services, without those of `docker compose run`.
    pub(crate) async fn containers(&self) -> Result<Containers> {
        let project = self.project().await?;
        let filters = HashMap::from([("label", vec![format!("com.docker.compose.project={project}")])]);
        let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
        let docker = self.engine.docker().await?;
        let fault = |error| self.engine.fault("looking at containers", &error);
        let listed = docker.list_containers(Some(options)).await.map_err(fault)?;
        let wanted = listed.into_iter().filter_map(|container| {
            let labels = container.labels.unwrap_or_default();
            let number: u32 =
                labels.get("com.docker.compose.container-number").and_then(|n| n.parse().ok()).unwrap_or(0);
            let one_off = labels.get("com.docker.compose.oneoff").is_some_and(|value| value == "True");
            let service = labels.get("com.docker.compose.service")?.clone();
            (!one_off).then_some((service, number, container.id?))
        });
        let mut wanted: Vec<_> = wanted.collect();
        wanted.sort();
        let looked = try_join_all(wanted.into_iter().map(|(service, _, id)| async move {
            match docker.inspect_container(&id, None).await {
                Ok(found) => Ok(Some((service, found))),
                // It went away in between.
                Err(error) if is_missing(&error) => Ok(None),
                Err(error) => Err(fault(error)),
            }
        }))
        .await?;
        let mut containers = Containers::new();
        for (service, container) in looked.into_iter().flatten() {
            containers.entry(service).or_default().push(container);
        }
        Ok(containers)
    }

    /// The release of a stack that was never pinned: the tag of what runs, with the images that run.
    async fn found_release(&self, model: &Project, containers: &Containers) -> Result<Option<Release>> {
        let services = self.released_services(model).await?;
        let main = services
            .iter()
            .find(|service| self.stack.role(service) == ServiceRole::Web)
            .or_else(|| services.iter().find(|service| self.stack.role(service) == ServiceRole::Frontend))
            .or_else(|| services.first());
        let Some(main) = main else { return Ok(None) };
        let running = containers.get(main.as_str()).and_then(|found| found.first());
        let reference = running.and_then(image_reference).or_else(|| model.image(main.as_str()));
        let Some(reference) = reference else { return Ok(None) };
        let mut images = BTreeMap::new();
        for service in &services {
            let Some(container) = containers.get(service.as_str()).and_then(|found| found.first()) else {
                continue;
            };
            let Some(id) = container.image.clone() else { continue };
            let reference = image_reference(container).unwrap_or_default();
            let pin = if reference.contains("@sha256:") {
                ImagePin { reference, id, built: false }
            } else {
                ImagePin { reference: self.keep_reference(service, &id).await?, id, built: true }
            };
            images.insert(service.clone(), pin);
        }
        Ok(Some(Release { name: tag_of(&reference), source: ReleaseSource::Found, images }))
    }

    /// The services whose image a release changes.
    pub(crate) async fn released_services(&self, model: &Project) -> Result<Vec<ServiceName>> {
        let mut names: Vec<String> = match &self.stack.source {
            StackSource::Git { .. } => {
                let built: Vec<String> = model
                    .services
                    .iter()
                    .filter(|(_, service)| service.build.is_some())
                    .filter_map(|(name, _)| model.image(name))
                    .collect();
                let shares = |name: &String| model.image(name).is_some_and(|image| built.contains(&image));
                model.services.keys().filter(|name| shares(name)).cloned().collect()
            }
            StackSource::Image { variable } => {
                let probe = self.model_with(variable, "eclusa-probe").await?;
                model.services.keys().filter(|name| probe.image(name) != model.image(name)).cloned().collect()
            }
        };
        names.sort();
        names.iter().map(|name| service_name(name)).collect()
    }

    /// The user's model as it would be with another value of one variable.
    pub(crate) async fn model_with(&self, variable: &str, value: &str) -> Result<Project> {
        let mut invocation = Invocation::of(&self.stack);
        invocation.variables.insert(variable.to_owned(), value.into());
        self.compose.model(&invocation).await
    }

    async fn user_files(&self) -> Result<BTreeMap<String, Vec<u8>>> {
        let contents = Invocation::of(&self.stack).contents(&*self.host).await?;
        Ok(contents.into_iter().map(|(path, content)| (path.display().to_string(), content)).collect())
    }
}

/// A name of Compose's as one of ours.
pub(crate) fn service_name(name: &str) -> Result<ServiceName> {
    ServiceName::new(name).map_err(|error| Fault::new(Code::ComposeInvalid).with("path", name).because(error))
}

/// The reference that a container was made from.
fn image_reference(container: &ContainerInspectResponse) -> Option<String> {
    container.config.as_ref()?.image.clone()
}

/// The tag of `registry:5000/shop:v1`, or of a digest the first digits.
fn tag_of(reference: &str) -> String {
    if let Some((_, digest)) = reference.split_once("@sha256:") {
        return digest.chars().take(12).collect();
    }
    let last = reference.rsplit('/').next().unwrap_or(reference);
    last.split_once(':').map_or("latest", |(_, tag)| tag).to_owned()
}

fn observed(
    name: ServiceName,
    role: ServiceRole,
    defined: Option<String>,
    containers: &[ContainerInspectResponse],
) -> ServiceObservation {
    // Of a scaled service, the instance that is worst off speaks for it.
    let worst = containers.iter().min_by_key(|container| match (state_of(container), health_of(container)) {
        (ServiceState::Restarting, _) => 0,
        (ServiceState::Exited, _) => 1,
        (ServiceState::Absent, _) => 2,
        (ServiceState::Running, Health::Unhealthy) => 3,
        (ServiceState::Running, Health::Starting) => 4,
        (ServiceState::Running, _) => 5,
    });
    let Some(container) = worst else {
        return ServiceObservation {
            name,
            role,
            state: ServiceState::Absent,
            health: Health::None,
            image: defined,
            image_id: None,
            release: None,
            started_at: None,
            restarts: 0,
            instance: None,
        };
    };
    let labels = container.config.as_ref().and_then(|config| config.labels.as_ref());
    ServiceObservation {
        name,
        role,
        state: state_of(container),
        health: health_of(container),
        image: image_reference(container),
        image_id: container.image.clone(),
        release: labels.and_then(|labels| labels.get(RELEASE_LABEL)).cloned(),
        started_at: started_at(container),
        restarts: restarts(container),
        instance: container.id.clone(),
    }
}

/// Whether a container runs.
pub(crate) fn state_of(container: &ContainerInspectResponse) -> ServiceState {
    match container.state.as_ref().and_then(|state| state.status) {
        Some(ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::PAUSED) => ServiceState::Running,
        Some(ContainerStateStatusEnum::RESTARTING) => ServiceState::Restarting,
        Some(ContainerStateStatusEnum::CREATED) => ServiceState::Absent,
        _ => ServiceState::Exited,
    }
}

/// What a container's health check says.
pub(crate) fn health_of(container: &ContainerInspectResponse) -> Health {
    let health =
        container.state.as_ref().and_then(|state| state.health.as_ref()).and_then(|health| health.status);
    match health {
        Some(HealthStatusEnum::HEALTHY) => Health::Healthy,
        Some(HealthStatusEnum::UNHEALTHY) => Health::Unhealthy,
        Some(HealthStatusEnum::STARTING) => Health::Starting,
        _ => Health::None,
    }
}

/// When a container was started last.
pub(crate) fn started_at(container: &ContainerInspectResponse) -> Option<Timestamp> {
    let text = container.state.as_ref()?.started_at.as_ref()?;
    // The engine says year 1 for what was never started.
    text.parse().ok().filter(|at: &Timestamp| at.as_second() > 0)
}

/// How often the engine restarted it.
pub(crate) fn restarts(container: &ContainerInspectResponse) -> u32 {
    container.restart_count.and_then(|count| u32::try_from(count).ok()).unwrap_or(0)
}

/// A word as a person may paste it.
fn for_a_shell(word: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@+".contains(c);
    if !word.is_empty() && word.chars().all(safe) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_is_told_from_the_port_of_a_registry() {
        assert_eq!(tag_of("registry.example:5000/shop"), "latest");
        assert_eq!(tag_of("registry.example:5000/shop:v1"), "v1");
        assert_eq!(tag_of("shop:2024.1"), "2024.1");
        assert_eq!(tag_of("shop@sha256:0123456789abcdef"), "0123456789ab");
    }

    #[test]
    fn a_path_can_be_pasted() {
        assert_eq!(for_a_shell("/srv/shop/a.yml"), "/srv/shop/a.yml");
        assert_eq!(for_a_shell("/srv/it's here"), r"'/srv/it'\''s here'");
    }
}
