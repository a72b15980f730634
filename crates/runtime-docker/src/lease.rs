//! The lease of a stack: a container that is created and never started, whose name the engine gives only once. It
//! lives on the engine, so that two machines cannot change the same stack at once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, RemoveContainerOptionsBuilder,
};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{LeaseObservation, RunId};
use eclusa_ports::{Lease, LeaseHolder};
use futures_util::StreamExt;

use crate::engine::{Engine, is_missing, status};

/// The image of the lease: empty, so that it holds no image of the stack and no registry is needed.
const IMAGE: &str = "eclusa/lease:1";

/// How long it may take until it is known who has the lease.
const DECIDED_WITHIN: Duration = Duration::from_secs(10);

const RUN: &str = "eclusa.lease.run";
const MACHINE: &str = "eclusa.lease.machine";
const BOOT: &str = "eclusa.lease.boot";
const PID: &str = "eclusa.lease.pid";
const STARTED: &str = "eclusa.lease.started";
const GENERATION: &str = "eclusa.lease.generation";

/// The lease of one Compose project.
pub struct DockerLease {
    engine: Engine,
    project: String,
    machine: String,
}

/// The lease as its labels say it.
struct Held {
    id: String,
    run: RunId,
    machine: String,
    boot: String,
    pid: u32,
    started: u64,
    generation: u64,
}

/// What has the lease's name.
enum Found {
    Nothing,
    Lease(Held),
    /// Something else; why it is none.
    Other(Fault),
}

/// The lease that labels say; `None` when they are of something else.
fn read(id: String, labels: &HashMap<String, String>) -> Option<Held> {
    let text = |key: &str| labels.get(key).cloned();
    Some(Held {
        id,
        run: RunId::new(text(RUN)?).ok()?,
        machine: text(MACHINE)?,
        boot: text(BOOT)?,
        pid: text(PID)?.parse().ok()?,
        started: text(STARTED)?.parse().ok()?,
        generation: text(GENERATION)?.parse().ok()?,
    })
}

impl DockerLease {
    /// The lease of a project. `machine` is what this machine says in [`LeaseHolder::machine`]: a holder on another one
    /// cannot be seen from here.
    #[must_use]
    pub fn new(engine: Engine, project: impl Into<String>, machine: impl Into<String>) -> Self {
        Self { engine, project: project.into(), machine: machine.into() }
    }

    /// The container's name.
    fn name(&self) -> String {
        format!("eclusa-lease-{}", self.project)
    }

    async fn held(&self) -> Result<Option<Held>> {
        match self.find().await? {
            Found::Nothing => Ok(None),
            Found::Lease(held) => Ok(Some(held)),
            Found::Other(fault) => Err(fault),
        }
    }

    async fn find(&self) -> Result<Found> {
        let name = self.name();
        let found = match self.engine.docker().await?.inspect_container(&name, None).await {
            Ok(found) => found,
            Err(error) if is_missing(&error) => return Ok(Found::Nothing),
            Err(error) => return Err(self.engine.fault("looking at the lease", &error)),
        };
        let labels = found.config.and_then(|config| config.labels).unwrap_or_default();
        Ok(found.id.and_then(|id| read(id, &labels)).map_or_else(
            || {
                let fault = Fault::new(Code::RuntimeFailed)
                    .with("operation", "looking at the lease")
                    .hint(Message::new("hint-lease-name").with("container", &name))
                    .because(format!(
                        "the container {name} is there, but is no lease that this version reads"
                    ));
                Found::Other(fault)
            },
            Found::Lease,
        ))
    }

    /// Whether the holder lives; `None` when it is on another machine.
    fn alive(&self, held: &Held) -> Option<bool> {
        (held.machine == self.machine).then(|| {
            let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
            boot.trim() == held.boot.trim() && start_of(held.pid) == Some(held.started)
        })
    }

    /// Creates the container; `false` when the name is taken.
    async fn create(&self, holder: &LeaseHolder, generation: u64) -> Result<bool> {
        self.ensure_image().await?;
        let labels = HashMap::from(
            [
                (RUN, holder.run.to_string()),
                (MACHINE, holder.machine.clone()),
                (BOOT, holder.boot.clone()),
                (PID, holder.pid.to_string()),
                (STARTED, holder.started.to_string()),
                (GENERATION, generation.to_string()),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        let body = ContainerCreateBody {
            image: Some(IMAGE.to_owned()),
            // Never run; the engine asks for one.
            cmd: Some(vec!["/lease".to_owned()]),
            labels: Some(labels),
            ..Default::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(&self.name()).build();
        match self.engine.docker().await?.create_container(Some(options), body).await {
            Ok(_) => Ok(true),
            Err(error) if status(&error) == Some(409) => Ok(false),
            Err(error) => Err(self.engine.fault("taking the lease", &error)),
        }
    }

    async fn ensure_image(&self) -> Result<()> {
        let docker = self.engine.docker().await?;
        match docker.inspect_image(IMAGE).await {
            Ok(_) => return Ok(()),
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(self.engine.fault("taking the lease", &error)),
        }
        let (repository, tag) = IMAGE.split_once(':').unwrap_or((IMAGE, "1"));
        let options = CreateImageOptionsBuilder::new().from_src("-").repo(repository).tag(tag).build();
        // A tar archive without entries is two blocks of zeros.
        let empty = bollard::body_full(vec![0_u8; 1024].into());
        let mut made = docker.create_image(Some(options), Some(empty), None);
        while let Some(step) = made.next().await {
            step.map_err(|error| self.engine.fault("making the lease's empty image", &error))?;
        }
        Ok(())
    }

    /// Removes one container, known by its id, so that a lease that was taken in the meantime stays.
    async fn remove(&self, id: &str) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::new().force(true).build();
        match self.engine.docker().await?.remove_container(id, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) if is_missing(&error) => Ok(()),
            Err(error) => Err(self.engine.fault("giving up the lease", &error)),
        }
    }

    fn refused(held: &Held) -> Fault {
        Fault::new(Code::LeaseHeld).with("run", &held.run).with("holder", holder_text(held))
    }
}

#[async_trait::async_trait]
impl Lease for DockerLease {
    async fn take(&self, holder: &LeaseHolder) -> Result<u64> {
        // Each turn loses only to someone who took or gave up the lease in between. The engine reserves a name before
        // it shows its container, so a lease that was just taken may not be seen yet.
        let since = Instant::now();
        while since.elapsed() < DECIDED_WITHIN {
            let Some(held) = self.held().await? else {
                if self.create(holder, 1).await? {
                    return Ok(1);
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            if held.run != holder.run {
                return Err(Self::refused(&held));
            }
            let same_process = held.machine == holder.machine
                && held.boot == holder.boot
                && held.pid == holder.pid
                && held.started == holder.started;
            if !same_process && self.alive(&held) == Some(true) {
                // Another live runner of the same run.
                return Err(Self::refused(&held));
            }
            self.remove(&held.id).await?;
            let generation = held.generation + 1;
            if self.create(holder, generation).await? {
                return Ok(generation);
            }
        }
        match self.held().await? {
            Some(held) => Err(Self::refused(&held)),
            None => {
                Err(Fault::new(Code::RuntimeFailed).with("operation", "taking the lease").because(format!(
                    "the engine says that the name {} is taken, and shows no such container",
                    self.name()
                )))
            }
        }
    }

    async fn release(&self, run: &RunId) -> Result<()> {
        match self.find().await? {
            Found::Lease(held) if held.run == *run => self.remove(&held.id).await,
            // What this version cannot read it has not taken, so it has nothing to give up.
            Found::Nothing | Found::Lease(_) | Found::Other(_) => Ok(()),
        }
    }

    async fn look(&self) -> Result<Option<LeaseObservation>> {
        let Some(held) = self.held().await? else { return Ok(None) };
        let holder = holder_text(&held);
        let alive = self.alive(&held);
        Ok(Some(LeaseObservation { run: held.run, holder, alive, generation: held.generation }))
    }
}

fn holder_text(held: &Held) -> String {
    format!("{} (process {})", held.machine, held.pid)
}

/// When a process of this machine started, in clock ticks since boot.
fn start_of(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Field 22; the name in parentheses, field 2, may hold spaces.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}
