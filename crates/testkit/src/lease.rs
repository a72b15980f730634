//! The lease of a world.

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{LeaseObservation, RunId};
use eclusa_ports::{Lease, LeaseHolder};

use crate::World;

/// The lease of a world. Processes with an even id are dead.
pub struct FakeLease(pub World);

#[async_trait]
impl Lease for FakeLease {
    async fn take(&self, holder: &LeaseHolder) -> Result<u64> {
        self.0
            .step("lease.take", |state| {
                let generation = match &state.lease {
                    None => 1,
                    Some((before, generation)) => {
                        let same = before == holder;
                        if before.run != holder.run || (!same && before.pid % 2 == 1) {
                            return Err(Fault::new(Code::LeaseHeld)
                                .with("run", &before.run)
                                .with("holder", format!("process {}", before.pid)));
                        }
                        generation + 1
                    }
                };
                state.lease = Some((holder.clone(), generation));
                Ok(generation)
            })
            .await
    }

    async fn release(&self, run: &RunId) -> Result<()> {
        self.0
            .step("lease.release", |state| {
                if state.lease.as_ref().is_some_and(|(holder, _)| holder.run == *run) {
                    state.lease = None;
                }
                Ok(())
            })
            .await
    }

    async fn look(&self) -> Result<Option<LeaseObservation>> {
        self.0
            .step("lease.look", |state| {
                Ok(state.lease.as_ref().map(|(holder, generation)| LeaseObservation {
                    run: holder.run.clone(),
                    holder: format!("process {} on {}", holder.pid, holder.machine),
                    alive: Some(holder.pid % 2 == 1),
                    generation: *generation,
                }))
            })
            .await
    }
}
