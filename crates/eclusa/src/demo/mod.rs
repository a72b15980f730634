//! `eclusa demo`: the whole thing on a small shop that is in this binary, for real: processes, databases, traffic,
//! a bad release, a kill in the middle of a migration, a restore.

mod layout;
mod parts;
mod summary;
mod traffic;

use std::path::PathBuf;

use clap::Args;
use eclusa_control::Assembly;
use eclusa_fault::{Message, Result};

use crate::commands::Session;
use crate::exit::Exit;
use crate::terminal::{BOLD, say, tell};

/// The arguments.
#[derive(Debug, Args)]
pub struct Demo {
    /// The directory that everything is left in. It is made; one of an earlier demo is replaced.
    #[arg(long, default_value = "eclusa-demo", value_name = "DIR")]
    pub directory: PathBuf,
    /// Release a healthy v3, which must end in go.
    #[arg(long)]
    pub healthy: bool,
    /// Only release v3 and go back, so many times.
    #[arg(long, value_name = "N")]
    pub rounds: Option<u32>,
    /// What the bad release and the traffic are drawn from; drawn itself when absent.
    #[arg(long)]
    pub seed: Option<u64>,
}

/// What all parts of the demo share.
pub struct Stage {
    /// Where everything is.
    pub directory: PathBuf,
    /// As if the commands were typed there.
    pub session: Session,
    /// The stack.
    pub assembly: Assembly,
    /// What is drawn from.
    pub seed: u64,
    /// Whether v3 is healthy.
    pub healthy: bool,
}

/// Runs the demo; whatever happens, nothing of it runs afterwards.
pub async fn run(demo: Demo, session: &Session) -> Result<Exit> {
    let directory = std::path::absolute(&demo.directory).unwrap_or(demo.directory.clone());
    layout::clear(&directory, session).await?;
    let stage = layout::lay(&directory, &demo, session).await?;
    let mut customers = None;
    let result = tokio::select! {
        result = play(&demo, &stage, &mut customers) => result,
        _ = tokio::signal::ctrl_c() => {
            tell(Message::new("demo-interrupted").render(&session.language));
            Ok(Exit::Interrupted)
        }
    };
    if let Some(customers) = &mut customers {
        traffic::stop(customers).await;
    }
    parts::end_runners(&stage).await;
    layout::shut_down(&stage.assembly).await?;
    result
}

async fn play(demo: &Demo, stage: &Stage, customers: &mut Option<tokio::process::Child>) -> Result<Exit> {
    parts::open_the_shop(stage).await?;
    *customers = Some(traffic::start(stage)?);
    let before = summary::census(stage)?;
    if let Some(rounds) = demo.rounds {
        return parts::rounds(stage, rounds).await;
    }
    let mut good = true;
    good &= parts::schema_release(stage).await?;
    good &= parts::watched_release(stage).await?;
    good &= parts::killed_release(stage).await?;
    good &= parts::restored_beside(stage).await?;
    if let Some(customers) = customers {
        traffic::stop(customers).await;
    }
    let kept = summary::print(stage, &before).await?;
    let verdict = if good && kept { "demo-good" } else { "demo-bad" };
    say(format!("{BOLD}{}{BOLD:#}", Message::new(verdict).render(&stage.session.language)));
    Ok(if good && kept { Exit::Ok } else { Exit::Failure })
}
