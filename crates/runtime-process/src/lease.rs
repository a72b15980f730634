//! The lease of a stack of this machine: a file in the stack's directory, never half there.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{LeaseObservation, RunId};
use eclusa_ports::{Lease, LeaseHolder};
use serde::{Deserialize, Serialize};

use crate::process::{ProcessIdentity, boot, machine};
use crate::release::file_fault;
use crate::state::{write_durably, write_temporary};

/// The format of the file.
const LEASE_FORMAT: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    format: u32,
    run: RunId,
    machine: String,
    boot: String,
    holder: ProcessIdentity,
    generation: u64,
}

impl Held {
    /// Whether the holder lives; `None` when it is on another machine.
    fn alive(&self) -> Option<bool> {
        if self.machine != machine() {
            return None;
        }
        Some(self.boot == boot() && self.holder.alive())
    }

    fn shown(&self) -> String {
        let place = if self.machine == machine() { "this machine" } else { self.machine.as_str() };
        format!("process {} on {place}", self.holder.pid)
    }

    fn is_elsewhere(&self) -> bool {
        self.machine != machine()
    }
}

/// The lease of one stack, as a file.
#[derive(Debug, Clone)]
pub struct FileLease {
    path: PathBuf,
}

impl FileLease {
    /// The lease at this path, in the stack's directory.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// This process as the holder for a run.
    ///
    /// # Errors
    /// `Internal` where `/proc` does not show this process.
    pub fn this_process(run: RunId) -> Result<LeaseHolder> {
        let own = ProcessIdentity::own()
            .ok_or_else(|| Fault::new(Code::Internal).with("what", "/proc does not show this process"))?;
        Ok(LeaseHolder { run, machine: machine(), boot: boot(), pid: own.pid, started: own.started })
    }

    fn read(&self) -> Result<Option<Held>> {
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(file_fault(&self.path, "read").because(error)),
        };
        // It is written whole or not at all; one that cannot be understood is nobody's to take over.
        let held: Held = serde_json::from_slice(&bytes)
            .map_err(|error| file_fault(&self.path, "understood").because(error))?;
        if held.format == LEASE_FORMAT {
            Ok(Some(held))
        } else {
            Err(file_fault(&self.path, "understood").because(format!("format {}", held.format)))
        }
    }

    /// Only one process at a time looks and then writes.
    fn alone(&self) -> Result<std::fs::File> {
        let path = self.path.with_extension("lock");
        let failed = |error: std::io::Error| file_fault(&path, "locked").because(error);
        eclusa_durable::make_directory(eclusa_durable::parent_of(&path), 0o777).map_err(failed)?;
        let file = std::fs::File::options().create(true).append(true).open(&path).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(file)
    }

    fn take_blocking(&self, holder: &LeaseHolder) -> Result<u64> {
        let _alone = self.alone()?;
        let mut held = Held {
            format: LEASE_FORMAT,
            run: holder.run.clone(),
            machine: holder.machine.clone(),
            boot: holder.boot.clone(),
            holder: ProcessIdentity { pid: holder.pid, started: holder.started },
            generation: 1,
        };
        let failed = |error: std::io::Error| file_fault(&self.path, "written").because(error);
        let Some(before) = self.read()? else {
            let temporary = write_temporary(&self.path, &text(&held)?, 0o600).map_err(failed)?;
            // A link is made only where nothing is: who does not keep to the lock (a shared disk that knows none)
            // still cannot take what another has just taken.
            eclusa_crash::point("lease.written");
            let linked = std::fs::hard_link(&temporary, &self.path);
            eclusa_crash::point("lease.linked");
            let _ = std::fs::remove_file(&temporary);
            return match linked {
                Ok(()) => sync_directory(&self.path).map(|()| 1).map_err(failed),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    Err(self.held_by_another(&self.read()?))
                }
                Err(error) => Err(failed(error)),
            };
        };
        let same_holder =
            before.machine == held.machine && before.boot == held.boot && before.holder == held.holder;
        // The same run again, after a crash; but not beside a runner of it that lives.
        if before.run != held.run || (!same_holder && before.alive() != Some(false)) {
            return Err(self.held_by_another(&Some(before)));
        }
        held.generation = before.generation + 1;
        write_durably(&self.path, &text(&held)?, 0o600).map_err(failed)?;
        Ok(held.generation)
    }

    fn held_by_another(&self, held: &Option<Held>) -> Fault {
        let (run, holder) = match held {
            Some(held) => {
                let life = match held.alive() {
                    Some(true) => "",
                    Some(false) => ", which has ended",
                    None => ", of which nothing is known here",
                };
                (held.run.to_string(), format!("{}{life}", held.shown()))
            }
            None => ("unknown".to_owned(), "another process".to_owned()),
        };
        let fault = Fault::new(Code::LeaseHeld).with("run", run).with("holder", holder);
        if held.as_ref().is_some_and(Held::is_elsewhere) {
            return fault.hint(Message::new("hint-lease-elsewhere").with("path", self.path.display()));
        }
        fault
    }

    fn release_blocking(&self, run: &RunId) -> Result<()> {
        let _alone = self.alone()?;
        if self.read()?.is_none_or(|held| held.run != *run) {
            return Ok(());
        }
        let failed = |error: std::io::Error| file_fault(&self.path, "removed").because(error);
        eclusa_crash::point("lease.leaving");
        std::fs::remove_file(&self.path).map_err(failed)?;
        eclusa_crash::point("lease.left");
        sync_directory(&self.path).map_err(failed)
    }
}

fn text(held: &Held) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(held).map_err(|error| Fault::new(Code::Internal).with("what", error))
}

fn sync_directory(path: &Path) -> std::io::Result<()> {
    if eclusa_crash::left_out("lease.directory.sync") {
        return Ok(());
    }
    eclusa_durable::synchronise_directory(eclusa_durable::parent_of(path))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Fault::new(Code::Internal).with("what", error))?
}

#[async_trait]
impl Lease for FileLease {
    async fn take(&self, holder: &LeaseHolder) -> Result<u64> {
        let (lease, holder) = (self.clone(), holder.clone());
        blocking(move || lease.take_blocking(&holder)).await
    }

    async fn release(&self, run: &RunId) -> Result<()> {
        let (lease, run) = (self.clone(), run.clone());
        blocking(move || lease.release_blocking(&run)).await
    }

    async fn look(&self) -> Result<Option<LeaseObservation>> {
        let lease = self.clone();
        let held = blocking(move || lease.read()).await?;
        Ok(held.map(|held| LeaseObservation {
            alive: held.alive(),
            holder: held.shown(),
            generation: held.generation,
            run: held.run,
        }))
    }
}
