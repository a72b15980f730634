//! `eclusa drill`: restores the newest restore points somewhere harmless and proves them, for many tenants at once.

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
    #[command(flatten)]
    how: Performance,
}

impl Drill {
    /// Plans and carries it out. Nothing live is touched, so nobody is asked.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let chosen = drill::choose(&assembly, &self.tenants, self.sample).await?;
        let how = Performance { yes: true, ..self.how };
        let exit = perform(session, &assembly, &chosen.intent, PlanOptions::default(), None, &how).await?;
        for tenant in &chosen.without {
            let text = Message::new("drill-without").with("tenant", tenant).render(&session.language);
            tell(format!("{YELLOW}{text}{YELLOW:#}"));
        }
        // A tenant without a backup is no success, however well the others were restored.
        Ok(if exit == Exit::Ok && !chosen.without.is_empty() { Exit::NoGo } else { exit })
    }
}
