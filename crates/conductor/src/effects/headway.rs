//! Steps that read many bytes: how far they have come is told while they run, in a file beside their output. It is for who
//! watches, so the journal has none of it, and no step fails for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use eclusa_fault::Result;
use eclusa_ports::Meter;
use eclusa_runbook::Course;

use crate::context::Context;

/// How often it is told.
const EVERY: Duration = Duration::from_secs(1);

/// The meter of a step. When nobody waits for the step any more, what still reads for it ends.
struct Measuring(Arc<Meter>);

impl Drop for Measuring {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The file, which is gone when the step is.
struct Told(PathBuf);

impl Drop for Told {
    fn drop(&mut self) {
        // It may never have been written; and a file that stays is too old to be believed.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Does something with a meter past which everything goes that it reads, within the load of the plan.
pub(super) async fn measured<T>(
    context: &Context,
    work: impl AsyncFnOnce(&Context) -> Result<T>,
) -> Result<T> {
    let measuring = Measuring(Arc::new(Meter::with_pace(context.pace.clone())));
    let mut own = context.clone();
    own.meter = measuring.0.clone();
    if let Some(vault) = own.ports.vault.measured(&own.meter) {
        own.ports.vault = vault;
    }
    if let Some(database) = own.ports.database.bounded(&own.plan.load, &own.meter) {
        own.ports.database = database;
    }
    let told = Told(own.ports.outputs.join(own.run.as_str()).join(format!("{}.headway", own.step)));
    tokio::select! {
        done = work(&own) => done,
        never = tell(&own, &told.0) => match never {},
    }
}

async fn tell(context: &Context, path: &Path) -> std::convert::Infallible {
    let mut course = Course::default();
    loop {
        if let Some(passed) = context.meter.passed() {
            let now = context.ports.clock.now();
            let headway = course.headway(now, passed.stage, passed.bytes, passed.expected);
            let unfinished = path.with_extension("headway-new");
            let written = serde_json::to_vec(&headway)
                .map_err(std::io::Error::other)
                .and_then(|text| std::fs::write(&unfinished, text))
                .and_then(|()| std::fs::rename(&unfinished, path));
            if let Err(error) = written {
                tracing::debug!(step = %context.step, %error, "how far the step has come cannot be told");
            }
        }
        tokio::time::sleep(EVERY).await;
    }
}
