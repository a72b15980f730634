//! Operations on services and releases, and whether they took effect.

use std::time::Duration;

use eclusa_fault::Result;
use eclusa_model::{ImagePin, Release, ServiceName};
use eclusa_ports::{ApplyContext, OutputSink};
use eclusa_runbook::{Outputs, RuntimeOperation};
use tokio::time::Instant;

use crate::release::{changed, digest, directory_of};
use crate::runtime::{ProcessRuntime, edge_name, say};
use crate::state::StackState;

impl ProcessRuntime {
    pub(crate) async fn start(
        &self,
        names: &[ServiceName],
        within: u64,
        output: &dyn OutputSink,
    ) -> Result<()> {
        let mut state = self.state()?;
        let release = self.pinned(&state)?;
        let units = self.units(names, &release, state.edge_installed).await?;
        state.wanted.extend(units.iter().map(|unit| unit.name.clone()));
        self.write_state(&state)?;
        let began = Instant::now();
        self.services.start(&units, Duration::from_secs(within)).await?;
        for unit in &units {
            say(
                output,
                &format!(
                    "{} is healthy under {} after {} ms",
                    unit.name,
                    release.name,
                    began.elapsed().as_millis()
                ),
            );
        }
        // After a restart of the machine the edge is down like everything else.
        if state.edge_installed {
            self.start_edge().await?;
        }
        Ok(())
    }

    pub(crate) async fn stop(
        &self,
        names: &[ServiceName],
        drain: Option<u64>,
        output: &dyn OutputSink,
    ) -> Result<()> {
        names.iter().try_for_each(|name| self.stack().service(name).map(drop))?;
        let mut state = self.state()?;
        state.wanted.retain(|name| !names.contains(name));
        self.write_state(&state)?;
        for service in self.stack().services.iter().rev().filter(|service| names.contains(&service.name)) {
            let drain = Duration::from_secs(drain.unwrap_or(service.stop_seconds));
            let was = self.services.look(&service.name).supervised;
            self.services.stop(&service.name, drain).await?;
            if was {
                say(output, &format!("{} is stopped", service.name));
            }
        }
        Ok(())
    }

    pub(crate) async fn prepare(&self, release: &Release, output: &dyn OutputSink) -> Result<Outputs> {
        let directory = directory_of(self.stack(), release)?;
        let id = digest(directory.clone()).await?;
        say(output, &format!("{} is {} ({id})", release.name, directory.display()));
        let mut outputs = Outputs::new();
        for service in &self.stack().services {
            outputs.insert(format!("image.{}", service.name), id.clone());
            outputs.insert(format!("reference.{}", service.name), release.name.clone());
        }
        Ok(outputs)
    }

    /// The release with its images, as they were prepared or as they are now.
    pub(crate) async fn with_images(
        &self,
        to: &Release,
        names: &[ServiceName],
        context: &ApplyContext,
    ) -> Result<Release> {
        let directory = directory_of(self.stack(), to)?;
        let id = digest(directory.clone()).await?;
        let mut release = to.clone();
        for name in names {
            let prepared = release.images.get(name).map(|pin| pin.id.clone()).or_else(|| {
                // The outputs may be those of another release: going back, they are the new one's.
                let of_this = context.images.get(&format!("reference.{name}")) == Some(&to.name);
                of_this.then(|| context.images.get(&format!("image.{name}")).cloned()).flatten()
            });
            if prepared.is_some_and(|prepared| prepared != id) {
                return Err(changed(&to.name, &directory));
            }
            release
                .images
                .insert(name.clone(), ImagePin { reference: to.name.clone(), id: id.clone(), built: true });
        }
        Ok(release)
    }

    pub(crate) async fn switch(
        &self,
        to: &Release,
        names: &[ServiceName],
        start: Option<u64>,
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<()> {
        names.iter().try_for_each(|name| self.stack().service(name).map(drop))?;
        let release = self.with_images(to, names, context).await?;
        let mut state = self.state()?;
        let units = self.units(names, &release, state.edge_installed).await?;
        for unit in units.iter().rev() {
            if start.is_none() || !self.services.runs_as(unit) {
                self.services.stop(&unit.name, unit.stop_within).await?;
                self.services.forget(&unit.name);
            }
        }
        eclusa_crash::point("switch.down");
        state.pinned = Some(release);
        if start.is_none() {
            state.wanted.retain(|name| !names.contains(name));
        }
        self.write_state(&state)?;
        eclusa_crash::point("switch.pinned");
        say(output, &format!("{} is pinned", to.name));
        match start {
            Some(within) => self.start(names, within, output).await,
            None => Ok(()),
        }
    }

    pub(crate) async fn all_healthy(&self, names: &[ServiceName], state: &StackState) -> Result<bool> {
        let Some(release) = &state.pinned else { return Ok(false) };
        for unit in self.units(names, release, state.edge_installed).await? {
            if !self.services.healthy(&unit).await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub(crate) async fn took(&self, operation: &RuntimeOperation) -> Result<bool> {
        let state = self.state()?;
        let down = |names: &[ServiceName]| !names.iter().any(|name| self.services.look(name).supervised);
        Ok(match operation {
            // Its outputs are wanted, and doing it again changes nothing.
            RuntimeOperation::Prepare { .. } => false,
            RuntimeOperation::Switch { to, services, start, .. } => {
                let pinned = state.pinned.as_ref().is_some_and(|release| release.name == to.name);
                pinned && if *start { self.all_healthy(services, &state).await? } else { down(services) }
            }
            RuntimeOperation::Start { services, .. } => self.all_healthy(services, &state).await?,
            RuntimeOperation::Stop { services, .. } => down(services),
            RuntimeOperation::LetGo { .. } => true,
            RuntimeOperation::EdgeInstall => {
                let (unit, edge) = self.edge_unit()?;
                let front = self.front_unit(edge, &state).await?;
                state.edge_installed
                    && self.services.healthy(&unit).await
                    && match front {
                        Some(front) => self.services.healthy(&front).await,
                        None => true,
                    }
            }
            RuntimeOperation::EdgeRemove => {
                let front = match &self.stack().edge {
                    Some(edge) => self.front_unit(edge, &state).await?,
                    None => None,
                };
                !state.edge_installed
                    && !self.services.look(&edge_name()?).supervised
                    && match front {
                        Some(front) => self.services.healthy(&front).await,
                        None => true,
                    }
            }
        })
    }
}
