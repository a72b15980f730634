//! The services of a world, and the commands of an application in them: `app migrate TENANT` brings a tenant's data to
//! the release it runs under, `app pending TENANT` says what that would do, `app seed` adds rows.

use std::path::PathBuf;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{FilesPlace, Release, RuntimeKind, ServiceName, ServiceRole};
use eclusa_ports::{
    ApplyContext, CommandResult, ExecSpec, ExecStream, GateState, LogLine, OutputSink, OutputStream, Runtime,
    RuntimeObservation, ServiceStats, Took,
};
use eclusa_runbook::{Outputs, Place, RuntimeOperation};
use jiff::Timestamp;

use crate::host::result;
use crate::world::{Leftover, image_id, migration, observed};
use crate::{State, World};

/// The services of a world.
pub struct FakeRuntime(pub World);

fn word(operation: &RuntimeOperation) -> &'static str {
    match operation {
        RuntimeOperation::Prepare { .. } => "prepare",
        RuntimeOperation::Switch { .. } => "switch",
        RuntimeOperation::Start { .. } => "start",
        RuntimeOperation::Stop { .. } => "stop",
        RuntimeOperation::LetGo { .. } => "let-go",
        RuntimeOperation::EdgeInstall => "edge-install",
        RuntimeOperation::EdgeRemove => "edge-remove",
    }
}

fn failed(why: impl std::fmt::Display) -> Fault {
    Fault::new(Code::CommandFailed).with("command", "the fake runtime").with("status", why)
}

fn application(role: ServiceRole) -> bool {
    matches!(role, ServiceRole::Web | ServiceRole::Worker | ServiceRole::Scheduler)
}

fn set(state: &mut State, services: &[ServiceName], running: bool) -> Result<()> {
    let pinned =
        state.pinned.as_ref().map(|release| release.name.clone()).unwrap_or_else(|| "none".to_owned());
    for name in services {
        let role = state.services.get(name).ok_or_else(|| failed(format!("no service {name}")))?.role;
        if running && application(role) {
            for tenant in state.databases.keys().cloned().collect::<Vec<_>>() {
                let open = state.gates.get(&tenant).is_none_or(|gate| gate.state == GateState::Open);
                if !state.fits(&pinned, &tenant) && (open || !state.behind.contains(&tenant)) {
                    state.violated(format!(
                        "{name} is started under {pinned} on data of {tenant} of another release"
                    ));
                }
            }
        }
        if let Some(service) = state.services.get_mut(name) {
            service.running = running.then(|| pinned.clone());
        }
    }
    Ok(())
}

/// The first part of an operation: half of the services.
fn begin(state: &mut State, operation: &RuntimeOperation) -> Result<()> {
    match operation {
        RuntimeOperation::Start { services, .. } => set(state, &services[..services.len() / 2], true),
        RuntimeOperation::Stop { services, .. } => set(state, &services[..services.len() / 2], false),
        RuntimeOperation::Switch { services, .. } => set(state, &services[..services.len() / 2], false),
        _ => Ok(()),
    }
}

fn finish(state: &mut State, operation: &RuntimeOperation, images: &Outputs) -> Result<Outputs> {
    let mut outputs = Outputs::new();
    match operation {
        RuntimeOperation::Prepare { release } => {
            state.prepared.insert(release.name.clone());
            for service in state.release(&release.name, true).images.keys() {
                outputs.insert(format!("image.{service}"), image_id(&release.name));
                outputs.insert(format!("reference.{service}"), format!("shop:{}", release.name));
            }
        }
        RuntimeOperation::Switch { to, services, start, .. } => {
            has_images(state, to, images)?;
            set(state, services, false)?;
            state.pinned = Some(state.release(&to.name, true));
            if *start {
                set(state, services, true)?;
            }
        }
        RuntimeOperation::Start { services, .. } => set(state, services, true)?,
        RuntimeOperation::Stop { services, .. } => set(state, services, false)?,
        RuntimeOperation::LetGo { release } => {
            if state.pinned.as_ref().is_some_and(|pinned| pinned.name == release.name) {
                state.violated(format!("{} is let go while it is pinned", release.name));
            }
            state.prepared.remove(&release.name);
        }
        RuntimeOperation::EdgeInstall => state.edge = true,
        RuntimeOperation::EdgeRemove => state.edge = false,
    }
    Ok(outputs)
}

/// A release that is pinned or run from must have its images, of its own or of an earlier step.
fn has_images(state: &State, release: &Release, images: &Outputs) -> Result<()> {
    let own =
        release.images.values().all(|pin| pin.id == image_id(&release.name)) && !release.images.is_empty();
    let given = images.iter().any(|(name, id)| name.starts_with("image.") && *id == image_id(&release.name));
    if state.prepared.contains(&release.name) && (own || given) {
        Ok(())
    } else {
        Err(failed(format!("no image of {}", release.name)))
    }
}

impl FakeRuntime {
    /// The release that a command runs under.
    fn under(&self, place: &Place, images: &Outputs) -> Result<String> {
        self.0.with(|state| match place {
            Place::Candidate { release, .. } => {
                has_images(state, release, images).map(|()| release.name.clone())
            }
            Place::Service { service } => state
                .services
                .get(service)
                .and_then(|service| service.running.clone())
                .ok_or_else(|| failed(format!("{service} does not run"))),
            Place::Host => Err(failed("a runtime was given a command of the host")),
        })
    }
}

fn pending(state: &State, release: &str, tenant: &eclusa_model::TenantName) -> String {
    let held = state.releases.get(release).cloned().unwrap_or_default();
    let applied =
        state.databases.get(tenant).map(|databases| databases.live.migrations.clone()).unwrap_or_default();
    let line = |name: &String| format!("{} {name}\n", if applied.contains(name) { "[X]" } else { "[ ]" });
    held.iter().map(line).collect()
}

/// Half a migration: a column is there, and the migration is not.
fn migrate_half(state: &mut State, argv: &[String], release: &str) {
    let Some(("migrate", tenant)) = migration(argv) else { return };
    if state.writers() {
        state.violated(format!("{tenant} is migrated while services run"));
    }
    let held = state.releases.get(release).cloned().unwrap_or_default();
    let Some(databases) = state.databases.get_mut(&tenant) else { return };
    if databases.live.migrations.is_superset(&held)
        || databases.live.migrations.iter().any(|name| name.ends_with("half"))
    {
        state.violated(format!("{tenant} is migrated to {release} a second time"));
        return;
    }
    let first = held.difference(&databases.live.migrations).next().cloned();
    databases.live.migrations.extend(first.map(|name| format!("{name}.half")));
}

#[async_trait]
impl Runtime for FakeRuntime {
    fn kind(&self) -> RuntimeKind {
        RuntimeKind::Compose
    }

    async fn observe(&self) -> Result<RuntimeObservation> {
        self.0
            .step("runtime.observe", |state| {
                Ok(RuntimeObservation {
                    services: state.services.iter().map(|(name, service)| observed(name, service)).collect(),
                    release: state.pinned.clone(),
                    files: std::collections::BTreeMap::new(),
                })
            })
            .await
    }

    async fn apply(
        &self,
        operation: &RuntimeOperation,
        context: &ApplyContext,
        output: &dyn OutputSink,
    ) -> Result<Outputs> {
        output.line(OutputStream::Out, word(operation));
        let name = format!("runtime.{}", word(operation));
        self.0
            .parts(name, |state| begin(state, operation), |state| finish(state, operation, &context.images))
            .await
    }

    async fn took_effect(&self, operation: &RuntimeOperation, _context: &ApplyContext) -> Result<Took> {
        self.0
            .step("runtime.took-effect", |state| {
                let pinned = state.pinned.as_ref().map(|release| release.name.clone());
                let running =
                    |name: &ServiceName| state.services.get(name).and_then(|service| service.running.clone());
                let yes = match operation {
                    RuntimeOperation::Start { services, .. } => {
                        services.iter().all(|name| running(name) == pinned)
                    }
                    RuntimeOperation::Stop { services, .. } => {
                        services.iter().all(|name| running(name).is_none())
                    }
                    RuntimeOperation::EdgeInstall => state.edge,
                    RuntimeOperation::EdgeRemove => !state.edge,
                    _ => false,
                };
                Ok(if yes { Took::Yes } else { Took::No })
            })
            .await
    }

    async fn exec(&self, spec: ExecSpec, output: &dyn OutputSink) -> Result<CommandResult> {
        let release = self.under(&spec.place, &spec.images)?;
        let (argv, mark) = (spec.argv, spec.mark.unwrap_or_default());
        let name = format!("exec.{}", argv.join("-"));
        output.line(OutputStream::Out, "begins");
        let (code, text) = self
            .0
            .parts(
                name,
                |state| {
                    if state.running.values().any(|other| other.argv == argv) {
                        state.violated(format!("{} runs twice at the same time", argv.join(" ")));
                    }
                    migrate_half(state, &argv, &release);
                    // Until it has ended it goes on, even when nobody waits for it any more.
                    let leftover = Leftover { argv: argv.clone(), release: release.clone(), ticks: 40 };
                    state.running.insert(mark.clone(), leftover);
                    Ok(())
                },
                |state| {
                    state.running.remove(&mark);
                    let bad = state.failing.contains(&argv.join(" "));
                    if bad {
                        return Ok((1, "it failed\n".to_owned()));
                    }
                    let text = match migration(&argv) {
                        Some(("pending", tenant)) => pending(state, &release, &tenant),
                        Some(("migrate", tenant)) => {
                            let held = state.releases.get(&release).cloned().unwrap_or_default();
                            if let Some(databases) = state.databases.get_mut(&tenant) {
                                databases.live.migrations = held;
                            }
                            "migrated\n".to_owned()
                        }
                        _ => "done\n".to_owned(),
                    };
                    Ok((0, text))
                },
            )
            .await
            .inspect_err(|_| drop(self.0.with(|state| state.running.remove(&mark))))?;
        Ok(result(code, text))
    }

    async fn exec_running(&self, _place: &Place, mark: &str) -> Result<bool> {
        self.0.step("runtime.exec-running", |state| Ok(state.running.contains_key(mark))).await
    }

    async fn exec_end(&self, _place: &Place, mark: &str) -> Result<()> {
        self.0
            .step("runtime.exec-end", |state| {
                state.running.remove(mark);
                Ok(())
            })
            .await
    }

    async fn exec_stream(&self, _spec: ExecSpec) -> Result<ExecStream> {
        Err(failed("the fake runtime has no streams"))
    }

    async fn logs(&self, services: &[ServiceName], since: Timestamp, most: usize) -> Result<Vec<LogLine>> {
        self.0
            .step("runtime.logs", |state| {
                let own =
                    state.log.iter().filter(|(at, service, _)| *at >= since && services.contains(service));
                let lines: Vec<LogLine> = own
                    .map(|(at, service, text)| LogLine {
                        at: *at,
                        service: service.clone(),
                        text: text.clone(),
                    })
                    .collect();
                let skip = lines.len().saturating_sub(most);
                Ok(lines.into_iter().skip(skip).collect())
            })
            .await
    }

    async fn stats(&self, services: &[ServiceName]) -> Result<Vec<ServiceStats>> {
        Ok(services
            .iter()
            .map(|service| ServiceStats { service: service.clone(), cpu: 0.1, memory_bytes: 1 })
            .collect())
    }

    async fn files_directory(&self, place: &FilesPlace) -> Result<PathBuf> {
        match place {
            FilesPlace::Directory { path, .. } => Ok(PathBuf::from(path)),
            FilesPlace::Service { path, .. } => {
                Err(Fault::new(Code::FileAccess).with("path", path).with("operation", "found"))
            }
        }
    }

    async fn side_door(&self) -> Result<String> {
        Ok("http://side-door".to_owned())
    }

    async fn public_address(&self) -> Result<String> {
        Ok("http://public".to_owned())
    }
}
