//! Switching, starting and stopping services, and letting the images of old releases go.

use std::collections::BTreeSet;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{Health, Release, ReleaseSource, ServiceName, ServiceState};
use eclusa_ports::{ApplyContext, CommandResult, OutputSink};
use eclusa_runbook::Outputs;

use crate::compose::{Invocation, failed};
use crate::images::with_pins;
use crate::inspect::Project;
use crate::observe::{Containers, health_of, state_of};
use crate::overlay::Pinned;
use crate::runtime::ComposeRuntime;
use crate::wait::Watch;

/// What Compose itself may need beyond the time that a service is given to stop.
const MARGIN: Duration = Duration::from_secs(60);

impl ComposeRuntime {
    pub(crate) async fn switch(
        &self,
        to: &Release,
        services: &[ServiceName],
        healthy_within: Option<u64>,
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<Outputs> {
        let release = with_pins(to, &context.images)?;
        for pin in release.images.values() {
            self.ensure_pin(pin).await?;
        }
        let containers = self.containers().await?;
        // Before anything is recreated: what runs now is what one goes back to.
        let changed: Vec<ServiceName> = release.images.keys().cloned().collect();
        self.keep_running(&changed, &containers).await?;
        let edge = self.pinned().await?.and_then(|pinned| pinned.edge);
        let pinned =
            Pinned { release: Some(release.clone()), edge, ..Pinned::nothing(self.stack.name.clone()) };
        self.write_pinned(&pinned).await?;
        let invocation = self.current().await?;
        match healthy_within {
            Some(seconds) => {
                self.up(&invocation, services, &containers, seconds, context.timeout, output).await?;
                self.check_images(&release, services).await?;
            }
            None => self.remove(&invocation, services, context.timeout, output).await?,
        }
        Ok(Outputs::new())
    }

    pub(crate) async fn start(
        &self,
        services: &[ServiceName],
        healthy_within: u64,
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<Outputs> {
        let containers = self.containers().await?;
        let invocation = self.current().await?;
        self.up(&invocation, services, &containers, healthy_within, context.timeout, output).await?;
        if let Some(release) = self.pinned().await?.and_then(|pinned| pinned.release) {
            self.check_images(&release, services).await?;
        }
        Ok(Outputs::new())
    }

    pub(crate) async fn stop(
        &self,
        services: &[ServiceName],
        drain: u64,
        output: &dyn OutputSink,
    ) -> Result<Outputs> {
        if services.is_empty() {
            return Ok(Outputs::new());
        }
        let seconds = drain.to_string();
        let arguments = with_services(&["stop", "-t", &seconds], services);
        let invocation = self.current().await?;
        let limit = Duration::from_secs(drain) + MARGIN;
        let result = self.compose.run(&invocation, &arguments, limit, output).await?;
        self.controlled(&result, services, "stopped").await?;
        if self.has_stopped(services).await? { Ok(Outputs::new()) } else { Err(control(services, "stopped")) }
    }

    /// Removes the tags that keep a release's images, unless they run or are pinned.
    pub(crate) async fn let_go(&self, release: &Release) -> Result<Outputs> {
        let mut kept: BTreeSet<String> = self
            .containers()
            .await?
            .into_values()
            .flatten()
            .filter_map(|container| container.image)
            .collect();
        if let Some(pinned) = self.pinned().await?.and_then(|pinned| pinned.release) {
            kept.extend(pinned.images.into_values().map(|pin| pin.id));
        }
        for (service, pin) in &release.images {
            if kept.contains(&pin.id) {
                continue;
            }
            self.untag(&pin.reference).await?;
            // What was pinned by digest was kept by a tag of ours all the same.
            self.untag(&self.keep_reference(service, &pin.id).await?).await?;
            if let ReleaseSource::Git { commit } = &release.source {
                let built = self.build_reference(service.as_str(), commit).await?;
                self.untag(&built).await?;
            }
        }
        Ok(Outputs::new())
    }

    /// Brings services up under an invocation and waits until they are healthy.
    pub(crate) async fn up(
        &self,
        invocation: &Invocation,
        services: &[ServiceName],
        containers: &Containers,
        healthy_within: u64,
        timeout: Duration,
        output: &dyn OutputSink,
    ) -> Result<()> {
        if services.is_empty() {
            return Ok(());
        }
        let mut watch = Watch::new(containers, healthy_within);
        // Compose would itself wait for what a service depends on, without seeing that it restarts over and over.
        for wave in waves(&self.base_model().await?, services) {
            let arguments = with_services(&["up", "-d", "--no-deps", "--no-build", "--quiet-pull"], &wave);
            let result = self.compose.run(invocation, &arguments, timeout, output).await?;
            self.controlled(&result, &wave, "started").await?;
            self.until_healthy(&wave, &mut watch).await?;
        }
        // What was healthy in an early wave may have fallen in a later one.
        self.until_healthy(services, &mut watch).await
    }

    /// Stops and removes services, so that nothing runs.
    pub(crate) async fn remove(
        &self,
        invocation: &Invocation,
        services: &[ServiceName],
        timeout: Duration,
        output: &dyn OutputSink,
    ) -> Result<()> {
        if services.is_empty() {
            return Ok(());
        }
        let arguments = with_services(&["rm", "--stop", "--force"], services);
        let result = self.compose.run(invocation, &arguments, timeout, output).await?;
        self.controlled(&result, services, "removed").await
    }

    async fn controlled(
        &self,
        result: &CommandResult,
        services: &[ServiceName],
        operation: &str,
    ) -> Result<()> {
        if result.code == 0 {
            return Ok(());
        }
        let endpoint = self.engine.endpoint().await;
        Err(failed(control(services, operation), result, endpoint))
    }

    /// The id that runs is the id that was pinned, whatever a tag says.
    async fn check_images(&self, release: &Release, services: &[ServiceName]) -> Result<()> {
        let containers = self.containers().await?;
        for service in services {
            let Some(pin) = release.images.get(service) else { continue };
            for container in containers.get(service.as_str()).map_or(&[][..], Vec::as_slice) {
                if container.image.as_ref() != Some(&pin.id) {
                    let found = container.image.as_deref().unwrap_or("no image");
                    return Err(Fault::new(Code::RuntimeFailed)
                        .with("operation", format!("the switch of {service}"))
                        .because(format!("it runs {found}, pinned is {}", pin.id)));
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn has_switched(
        &self,
        to: &Release,
        services: &[ServiceName],
        start: bool,
        context: &ApplyContext,
    ) -> Result<bool> {
        let Ok(wanted) = with_pins(to, &context.images) else { return Ok(false) };
        if self.pinned().await?.and_then(|pinned| pinned.release) != Some(wanted) {
            return Ok(false);
        }
        if start {
            return self.has_started(services).await;
        }
        let containers = self.containers().await?;
        Ok(services.iter().all(|service| !containers.contains_key(service.as_str())))
    }

    /// Whether all services run, healthy where they can say so, under the pinned images.
    pub(crate) async fn has_started(&self, services: &[ServiceName]) -> Result<bool> {
        let release = self.pinned().await?.and_then(|pinned| pinned.release);
        let containers = self.containers().await?;
        Ok(services.iter().all(|service| {
            let pin = release.as_ref().and_then(|release| release.images.get(service));
            containers.get(service.as_str()).is_some_and(|found| {
                found.iter().all(|container| {
                    state_of(container) == ServiceState::Running
                        && matches!(health_of(container), Health::None | Health::Healthy)
                        && pin.is_none_or(|pin| container.image.as_ref() == Some(&pin.id))
                })
            })
        }))
    }

    pub(crate) async fn has_stopped(&self, services: &[ServiceName]) -> Result<bool> {
        let containers = self.containers().await?;
        let runs = |service: &ServiceName| {
            containers.get(service.as_str()).is_some_and(|found| {
                found
                    .iter()
                    .any(|found| matches!(state_of(found), ServiceState::Running | ServiceState::Restarting))
            })
        };
        Ok(!services.iter().any(runs))
    }
}

/// Services in the order in which they depend on each other: each wave on those before it.
fn waves(model: &Project, services: &[ServiceName]) -> Vec<Vec<ServiceName>> {
    let needs = |service: &ServiceName, left: &[ServiceName]| {
        let needed = model.services.get(service.as_str()).map_or(&[][..], |defined| &defined.depends_on);
        left.iter().any(|other| other != service && needed.iter().any(|name| name == other.as_str()))
    };
    let mut left = services.to_vec();
    let mut waves = Vec::new();
    while !left.is_empty() {
        let (mut wave, mut later): (Vec<_>, Vec<_>) =
            left.iter().cloned().partition(|service| !needs(service, &left));
        if wave.is_empty() {
            // A circle, which Compose does not let through.
            wave = std::mem::take(&mut later);
        }
        waves.push(wave);
        left = later;
    }
    waves
}

fn with_services<'a>(arguments: &[&'a str], services: &'a [ServiceName]) -> Vec<&'a str> {
    arguments.iter().copied().chain(services.iter().map(ServiceName::as_str)).collect()
}

fn control(services: &[ServiceName], operation: &str) -> Fault {
    let names: Vec<&str> = services.iter().map(ServiceName::as_str).collect();
    Fault::new(Code::ServiceControl).with("service", names.join(" ")).with("operation", operation)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_depended_on_comes_first() {
        let model = Project::parse(
            "name: shop\nservices:\n  beat: {image: a}\n  db: {image: p}\n  frontend: {image: n, depends_on: {web: {}}}\n  \
             web: {image: a, depends_on: {db: {}}}\n  worker: {image: a, depends_on: {db: {}}}\n",
        )
        .unwrap();
        let names =
            |names: &[&str]| names.iter().map(|name| ServiceName::new(*name).unwrap()).collect::<Vec<_>>();
        assert_eq!(
            waves(&model, &names(&["frontend", "worker", "web", "beat", "eclusa-edge"])),
            [names(&["worker", "web", "beat", "eclusa-edge"]), names(&["frontend"])],
            "the database is not among them, so nobody waits for it"
        );
        assert_eq!(waves(&model, &[]), Vec::<Vec<ServiceName>>::new());
    }
}
