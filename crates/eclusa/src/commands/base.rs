//! `eclusa base`: base backups of servers of PostgreSQL, from which any moment is brought back.

use clap::{Args, Subcommand};
use comfy_table::{Table, presets::NOTHING};
use eclusa_control::{Assembly, bases, moments};
use eclusa_fault::{Message, Result};
use eclusa_model::ServiceName;
use eclusa_report::bytes_text;

use super::Session;
use crate::exit::Exit;
use crate::terminal::{say, tell};

/// The arguments.
#[derive(Debug, Args)]
pub struct BaseCommand {
    #[command(subcommand)]
    command: Wanted,
}

#[derive(Debug, Subcommand)]
enum Wanted {
    /// Take a base backup of a server, or of each; nobody who works notices. Those beyond the number that is kept go.
    Take {
        /// The service of the server; each of which base backups are kept when none is named.
        service: Option<ServiceName>,
    },
    /// Which there are.
    Ls,
}

impl BaseCommand {
    /// Carries it out.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        match self.command {
            Wanted::Take { service } => take(session, &assembly, service).await,
            Wanted::Ls => list(session, &assembly).await,
        }
    }
}

async fn take(session: &Session, assembly: &Assembly, service: Option<ServiceName>) -> Result<Exit> {
    let taking = |service: &ServiceName| {
        if !session.json() {
            tell(Message::new("base-taking").with("service", service).render(&session.language));
        }
    };
    let taken = bases::take(assembly, service.as_ref(), taking).await?;
    if session.json() {
        let taken: Vec<_> = taken
            .iter()
            .map(|(service, base)| serde_json::json!({ "service": service, "base": base }))
            .collect();
        say(serde_json::json!({ "format": 1, "taken": taken }).to_string());
        return Ok(Exit::Ok);
    }
    for (service, base) in taken {
        let text = Message::new("base-taken")
            .with("service", service)
            .with("base", &base.name)
            .with("bytes", bytes_text(base.bytes));
        say(text.render(&session.language));
    }
    Ok(Exit::Ok)
}

async fn list(session: &Session, assembly: &Assembly) -> Result<Exit> {
    let found = bases::list(assembly).await?;
    if session.json() {
        say(serde_json::json!({ "format": 1, "servers": found }).to_string());
        return Ok(Exit::Ok);
    }
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(["service", "base backup", "any moment since", "size", "directory"]);
    for server in found {
        if server.bases.is_empty() {
            let none = Message::new("base-none").render(&session.language);
            table.add_row([
                server.service.to_string(),
                none,
                "–".into(),
                "–".into(),
                server.directory.clone(),
            ]);
        }
        for base in &server.bases {
            let (service, name) = (server.service.to_string(), base.name.clone());
            let ended = moments::moment_text(base.ended_at);
            table.add_row([service, name, ended, bytes_text(base.bytes), server.directory.clone()]);
        }
    }
    say(table);
    Ok(Exit::Ok)
}
