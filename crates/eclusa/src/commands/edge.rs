//! `eclusa edge`: the gate in front of the stack: put there, taken away, asked, or served.

use clap::{Args, Subcommand};
use eclusa_control::planning::PlanOptions;
use eclusa_edge::EdgeConfig;
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_ports::{GateState, JournalStore};
use eclusa_runbook::Intent;
use serde_json::json;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};
use crate::terminal::say;

/// The arguments.
#[derive(Debug, Args)]
pub struct EdgeCommand {
    #[command(subcommand)]
    wanted: Wanted,
}

/// What is wanted of the edge.
#[derive(Debug, Subcommand)]
enum Wanted {
    /// Put it in front of the stack.
    Install(Performance),
    /// Take it away.
    Remove(Performance),
    /// How each tenant's gate stands.
    Status,
    /// Open a tenant's gate that no run owns.
    Open {
        /// The tenant.
        tenant: eclusa_model::TenantName,
    },
    /// Be the edge; `--config` names its own configuration.
    #[command(hide = true)]
    Serve,
    /// Pass connections on to a server, and do nothing else.
    #[command(hide = true)]
    Relay {
        /// Where it listens.
        #[arg(long)]
        listen: std::net::SocketAddr,
        /// Where connections lead to, as `HOST:PORT`.
        #[arg(long)]
        to: String,
    },
}

impl EdgeCommand {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        match self.wanted {
            Wanted::Serve => serve(session).await,
            Wanted::Relay { listen, to } => {
                eclusa_edge::relay(listen, &to).await.map_err(failed("relay"))?;
                Ok(Exit::Ok)
            }
            Wanted::Install(how) => {
                let assembly = session.assembly().await?;
                perform(session, &assembly, &Intent::EdgeInstall, PlanOptions::default(), None, &how).await
            }
            Wanted::Remove(how) => {
                let assembly = session.assembly().await?;
                perform(session, &assembly, &Intent::EdgeRemove, PlanOptions::default(), None, &how).await
            }
            Wanted::Status => status(session).await,
            Wanted::Open { tenant } => open(session, &tenant).await,
        }
    }
}

async fn serve(session: &Session) -> Result<Exit> {
    let config = EdgeConfig::load(&session.arguments.config).map_err(failed("serve"))?;
    eclusa_edge::serve(config).await.map_err(failed("serve"))?;
    Ok(Exit::Ok)
}

fn failed(operation: &'static str) -> impl Fn(eclusa_edge::EdgeError) -> Fault {
    move |error| {
        let fault = Fault::new(Code::EdgeFailed).with("operation", operation);
        fault.because(format!("{}: {error}", error.code()))
    }
}

async fn status(session: &Session) -> Result<Exit> {
    let assembly = session.assembly().await?;
    let Some(edge) = assembly.edge().await? else {
        say(Message::new("edge-none").render(&session.language));
        return Ok(Exit::Ok);
    };
    let gates = edge.status().await?;
    for gate in &gates {
        let word = match gate.state {
            GateState::Open => "open",
            GateState::Held => "held",
            GateState::Closed => "closed",
        };
        if session.json() {
            say(
                json!({"format": 1, "tenant": gate.tenant, "gate": word, "run": gate.run, "closed_seconds": gate.closed_seconds,
                       "requests": gate.requests, "errors": gate.errors, "refused": gate.refused}),
            );
            continue;
        }
        let text = Message::new("edge-gate")
            .with("tenant", &gate.tenant)
            .with("gate", word)
            .with("requests", gate.requests)
            .with("errors", gate.errors)
            .with("refused", gate.refused)
            .with("seconds", format!("{:.1}", gate.closed_seconds));
        say(text.render(&session.language));
    }
    Ok(Exit::Ok)
}

/// Opens a gate by hand: only one that no run owns, since the run would be deceived.
async fn open(session: &Session, tenant: &eclusa_model::TenantName) -> Result<Exit> {
    let assembly = session.assembly().await?;
    if let Some(run) = eclusa_control::history::unfinished(assembly.journal.as_ref(), &assembly.name)? {
        return Err(Fault::new(Code::LeaseHeld).with("run", &run.id).with("holder", "its runner"));
    }
    let edge = assembly.edge().await?.ok_or_else(|| {
        Fault::new(Code::EdgeState).with("problem", "No edge is installed in front of this stack")
    })?;
    if let Some(owner) = assembly.journal.owners(&assembly.name)?.get(tenant) {
        let problem = format!("{tenant} is kept closed by {}", eclusa_control::maintenance::told(owner));
        let hint = Message::new("hint-maintenance-off").with("tenant", tenant);
        return Err(Fault::new(Code::EdgeState).with("problem", problem).hint(hint));
    }
    edge.open(tenant).await.map(|_| ())?;
    say(Message::new("edge-opened").with("tenant", tenant).render(&session.language));
    Ok(Exit::Ok)
}
