//! `eclusa person`: single persons erased from a tenant's data, now and in whatever is restored later.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use eclusa_control::persons;
use eclusa_control::planning::PlanOptions;
use eclusa_fault::{Message, Result};
use eclusa_model::TenantName;
use serde_json::json;

use super::Session;
use crate::exit::Exit;
use crate::perform::{Performance, perform};
use crate::terminal::say;

/// The arguments.
#[derive(Debug, Args)]
pub struct Person {
    #[command(subcommand)]
    wanted: Wanted,
}

/// What is wanted.
#[derive(Debug, Subcommand)]
enum Wanted {
    /// Run statements on the live database, after a restore point, and again after every later restore of an older one.
    Erase {
        /// The tenant.
        tenant: TenantName,
        /// SQL that erases the person; running it twice must be the same as running it once.
        #[arg(long, value_name = "FILE.sql")]
        statement: PathBuf,
        /// Why, such as the number of the request. It is kept for good: name nobody.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        how: Performance,
    },
    /// List the erasures that a restore replays.
    Ls {
        /// The tenants; all when none is named.
        tenants: Vec<TenantName>,
    },
}

impl Person {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        match self.wanted {
            Wanted::Erase { tenant, statement, reason, how } => {
                let intent = persons::intent(&assembly, &tenant, &statement, &reason).await?;
                perform(session, &assembly, &intent, PlanOptions::default(), None, &how).await
            }
            Wanted::Ls { tenants } => {
                for name in &tenants {
                    assembly.tenant(name)?;
                }
                let wanted = |name: &TenantName| tenants.is_empty() || tenants.contains(name);
                let mut count = 0;
                for tenant in assembly.tenants.iter().filter(|tenant| wanted(&tenant.name)) {
                    for entry in persons::ledger(&assembly, &tenant.name)? {
                        count += 1;
                        say(line(session, &tenant.name, &entry));
                    }
                }
                if count == 0 && !session.json() {
                    say(Message::new("person-none").render(&session.language));
                }
                Ok(Exit::Ok)
            }
        }
    }
}

fn line(session: &Session, tenant: &TenantName, entry: &eclusa_runbook::PersonErasure) -> String {
    if session.json() {
        return json!({
            "tenant": tenant, "id": entry.id, "by": entry.by, "reason": entry.reason, "at": entry.at,
            "statements": entry.statements,
        })
        .to_string();
    }
    let at = entry.at.map_or_else(|| "–".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string());
    Message::new("person-line")
        .with("tenant", tenant)
        .with("id", &entry.id)
        .with("at", at)
        .with("by", &entry.by)
        .with("reason", &entry.reason)
        .render(&session.language)
}
