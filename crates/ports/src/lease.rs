//! The lease of a stack. It lives on the target, so that two machines cannot change the same stack at once.

use async_trait::async_trait;
use eclusa_fault::Result;
use eclusa_model::{LeaseObservation, RunId};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseHolder {
    /// For which run.
    pub run: RunId,
    /// The machine: its `/etc/machine-id`, or its host name.
    pub machine: String,
    /// The boot: `/proc/sys/kernel/random/boot_id`.
    pub boot: String,
    /// The process id of the runner.
    pub pid: u32,
    /// The start time of that process in clock ticks since boot (`/proc/PID/stat` field 22).
    pub started: u64,
}

/// The lease of one stack.
#[async_trait]
pub trait Lease: Send + Sync {
    /// Takes the lease. The same run takes it again with a new generation; a holder that is dead is taken over
    /// only for the same run or when its run has ended.
    ///
    /// # Errors
    /// `LeaseHeld` when another run holds it.
    async fn take(&self, holder: &LeaseHolder) -> Result<u64>;

    /// Gives it up, if this run has it. Idempotent.
    ///
    /// # Errors
    /// When the target does not answer.
    async fn release(&self, run: &RunId) -> Result<()>;

    /// Who has it.
    ///
    /// # Errors
    /// When the target does not answer.
    async fn look(&self) -> Result<Option<LeaseObservation>>;
}
