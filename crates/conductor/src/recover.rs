//! After a crash: what was begun and not ended is found out about before anything else is done with it.

use std::time::Duration;

use eclusa_fault::{Message, Result};
use eclusa_ports::Took;
use eclusa_runbook::{Action, Effect, Recovery};

use crate::context::Context;
use crate::effects::{end_leftover, took_effect};

/// What was found.
pub(crate) enum Found {
    /// It took effect.
    Done,
    /// It did not, or doing it again is right.
    Again,
    /// It cannot be known; the run goes back.
    Back(Message),
}

pub(crate) async fn find_out(context: &Context, action: &Action, recovery: &Recovery) -> Result<Found> {
    let Action::Perform(effect) = action else { return Ok(Found::Again) };
    let unknown = || Message::new("why-unknown-outcome").with("step", &context.step);
    match recovery {
        Recovery::Probe if eclusa_crash::left_out("probe") => Ok(Found::Done),
        Recovery::GoBack if eclusa_crash::left_out("go-back") => Ok(Found::Again),
        Recovery::Repeat => {
            if let Effect::Exec(exec) = effect {
                // Two of the same command at once would be worse than either.
                end_leftover(context, exec).await?;
            }
            Ok(Found::Again)
        }
        Recovery::GoBack => {
            if let Effect::Exec(exec) = effect {
                end_leftover(context, exec).await?;
            }
            Ok(Found::Back(unknown()))
        }
        Recovery::Probe => loop {
            match took_effect(context, effect).await? {
                Took::Yes => return Ok(Found::Done),
                Took::No => return Ok(Found::Again),
                Took::Unknown => return Ok(Found::Back(unknown())),
                Took::StillRunning => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        },
    }
}
