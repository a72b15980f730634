//! `eclusa doctor`: what is wrong, from the configuration to the data, and what to type.

use clap::Args;
use eclusa_control::status::{self, Severity};
use eclusa_fault::{Message, Result};
use eclusa_ports::JournalStore;

use super::Session;
use crate::exit::Exit;
use crate::terminal::{GREEN, say};

/// The arguments.
#[derive(Debug, Args)]
pub struct Doctor {}

impl Doctor {
    /// Looks at everything in turn; the first thing that cannot be looked at is the error.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let good = |id: &str, detail: String| {
            if !session.json() {
                let text = Message::new(id).with("detail", detail).render(&session.language);
                say(format!("{GREEN}✓{GREEN:#} {text}"));
            }
        };
        let workspace = session.workspace()?;
        good("doctor-configuration", workspace.configuration.path.display().to_string());
        let journal = workspace.journal()?;
        let entries = journal.verify()?;
        good("doctor-journal", entries.to_string());
        let assembly = session.assembly().await?;
        let status = status::of(&assembly).await?;
        good("doctor-runtime", status.observation.services.len().to_string());
        let answering =
            status.observation.tenants.iter().filter(|tenant| tenant.database_version.is_some()).count();
        good("doctor-databases", format!("{answering}/{}", status.observation.tenants.len()));
        if session.json() {
            say(serde_json::to_string(&status).unwrap_or_default());
        } else {
            super::status::troubles(session, &status);
        }
        let wrong = status.troubles.iter().any(|trouble| trouble.severity == Severity::Problem);
        Ok(if wrong { Exit::Failure } else { Exit::Ok })
    }
}
