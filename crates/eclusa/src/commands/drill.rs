//! `eclusa drill`: restores the newest restore points somewhere harmless and proves them, for many tenants at once.

use std::path::PathBuf;

use clap::Args;
use eclusa_control::drill;
use eclusa_control::planning::PlanOptions;
use eclusa_fault::{Message, Result};
use eclusa_model::TenantName;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};
use crate::terminal::{YELLOW, tell};

/// The arguments.
#[derive(Debug, Args)]
pub struct Drill {
    /// The tenants; all when none is named.
    tenants: Vec<TenantName>,
    /// Only so many of them: those first that were never proved, then those whose proof is oldest.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    sample: Option<u32>,
    /// From the copies at this mirror, instead of the vault.
    #[arg(long, value_name = "MIRROR")]
    from: Option<String>,
    /// Also start the application on each copy, where nothing leads out, and ask it what a release is asked.
    #[arg(long)]
    application: bool,
    /// Restore the files below this directory, on another disk say, instead of beside the live ones.
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "application")]
    on: Option<PathBuf>,
    #[command(flatten)]
    how: Performance,
}

impl Drill {
    /// Plans and carries it out. Nothing live is touched, so nobody is asked.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let chosen = drill::choose(&assembly, &self.tenants, self.sample, self.from).await?;
        let how = Performance { yes: true, ..self.how };
        // When no point can be tried, what is said about those that are there is the answer.
        let exit = if chosen.points.is_empty() && !chosen.unreadable.is_empty() {
            Exit::NoGo
        } else {
            let on = drill::directory(&assembly, self.on.as_deref()).await?;
            let intent = chosen.intent(self.application, on);
            perform(session, &assembly, &intent, PlanOptions::default(), None, &how).await?
        };
        let warn = |text: Message| tell(format!("{YELLOW}{}{YELLOW:#}", text.render(&session.language)));
        for (tenant, problem) in &chosen.unreadable {
            warn(Message::new("drill-unreadable").with("tenant", tenant).with("problem", problem));
        }
        for tenant in &chosen.without {
            warn(Message::new("drill-without").with("tenant", tenant));
        }
        // A tenant without a backup, or with a damaged one, is no success, however well the others were restored.
        let wanting = !chosen.without.is_empty() || !chosen.unreadable.is_empty();
        Ok(if exit == Exit::Ok && wanting { Exit::NoGo } else { exit })
    }
}
