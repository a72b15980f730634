//! `eclusa aside`: tables of a restore point in a database of their own, to be looked at.

use clap::{Args, Subcommand};
use comfy_table::{Table, presets::NOTHING};
use eclusa_control::planning::PlanOptions;
use eclusa_control::{Assembly, asides, moments};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::TenantName;
use eclusa_runbook::Intent;

use super::Session;
use super::restore::point_of;
use crate::exit::Exit;
use crate::perform::{Performance, perform};
use crate::terminal::say;

/// The arguments.
#[derive(Debug, Args)]
pub struct AsideCommand {
    #[command(subcommand)]
    command: Wanted,
}

#[derive(Debug, Subcommand)]
enum Wanted {
    /// Restore tables of a restore point into a database of their own; nobody who works notices.
    Take(Take),
    /// The databases there are.
    Ls,
    /// Drop one.
    Drop(DropOne),
}

#[derive(Debug, Args)]
struct Take {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    how: Performance,
}

/// Which tables of whom.
#[derive(Debug, Args)]
pub struct What {
    /// The tenant.
    tenant: TenantName,
    /// The tables, or the DocTypes whose tables they are.
    #[arg(required = true)]
    tables: Vec<String>,
    /// The restore point, or the beginning of its id; the newest when none is named.
    #[arg(long, value_name = "POINT")]
    point: Option<String>,
}

impl What {
    /// The intent. A table that the point has not is refused here.
    pub async fn intent(self, assembly: &Assembly) -> Result<Intent> {
        let point = point_of(assembly, &self.tenant, self.point.as_deref()).await?;
        let manifest = assembly.ports.vault.find(&self.tenant, &point).await?;
        let tables = asides::tables(&manifest, &self.tables)?;
        Ok(Intent::Aside { tenant: self.tenant, point, tables })
    }
}

#[derive(Debug, Args)]
struct DropOne {
    /// The database, as `eclusa aside ls` names it.
    database: String,
    #[command(flatten)]
    how: Performance,
}

impl AsideCommand {
    /// Carries it out.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let (intent, how) = match self.command {
            Wanted::Ls => return list(session, &assembly).await,
            Wanted::Take(take) => (take.what.intent(&assembly).await?, take.how),
            Wanted::Drop(one) => (dropped(&assembly, one.database).await?, one.how),
        };
        perform(session, &assembly, &intent, PlanOptions::default(), None, &how).await
    }
}

async fn dropped(assembly: &Assembly, database: String) -> Result<Intent> {
    let found = asides::list(assembly).await?.into_iter().find(|(_, aside)| aside.database == database);
    let Some((beside, aside)) = found else {
        let what = format!("there is no such database: {database}");
        return Err(Fault::new(Code::NothingToDo).with("what", what).hint(Message::new("hint-asides")));
    };
    Ok(Intent::DropAside { tenant: aside.tenant, beside, database })
}

async fn list(session: &Session, assembly: &Assembly) -> Result<Exit> {
    let found = asides::list(assembly).await?;
    if session.json() {
        let asides: Vec<_> = found.into_iter().map(|(_, aside)| aside).collect();
        say(serde_json::json!({ "format": 1, "asides": asides }).to_string());
        return Ok(Exit::Ok);
    }
    if found.is_empty() {
        say(Message::new("asides-none").render(&session.language));
        return Ok(Exit::Ok);
    }
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(["tenant", "database", "point", "made"]);
    for (_, aside) in found {
        let made = moments::moment_text(aside.made_at);
        table.add_row([aside.tenant.to_string(), aside.database, aside.point, made]);
    }
    say(table);
    Ok(Exit::Ok)
}
