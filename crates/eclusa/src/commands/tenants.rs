//! `eclusa tenants`: who is on the stack, and what cannot be used of what lies there.

use clap::Args;
use comfy_table::{Table, presets::NOTHING};
use eclusa_control::{maintenance, tenants};
use eclusa_fault::{Message, Result};
use eclusa_report::bytes_text;

use super::Session;
use crate::exit::Exit;
use crate::terminal::{RED, say};

/// The arguments.
#[derive(Debug, Args)]
pub struct Tenants {}

impl Tenants {
    /// Shows them; ends with 1 when a site cannot be used.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let found = tenants::of(&assembly).await?;
        let exit = if found.unusable.is_empty() { Exit::Ok } else { Exit::Failure };
        if session.json() {
            say(serde_json::to_string(&found).unwrap_or_default());
            return Ok(exit);
        }
        let mut table = Table::new();
        table.load_preset(NOTHING);
        table.set_header(["tenant", "answers to", "database", "size", "apps", "maintenance", "scheduler"]);
        for row in &found.tenants {
            let on = |is: Option<bool>, yes: &str, no: &str| match is {
                Some(true) => yes.to_owned(),
                Some(false) => no.to_owned(),
                None => "–".to_owned(),
            };
            table.add_row([
                row.tenant.to_string(),
                row.domains.join(", "),
                row.database_version.clone().unwrap_or_else(|| "does not answer".to_owned()),
                row.database_bytes.map_or_else(|| "–".to_owned(), bytes_text),
                row.apps.as_ref().map_or_else(|| "–".to_owned(), |apps| apps.join(", ")),
                match &row.closed_by {
                    Some(owner) => format!("BY {}", maintenance::told(owner)),
                    None => on(row.site.as_ref().map(|site| site.maintenance), "ON", "off"),
                },
                on(row.site.as_ref().map(|site| site.scheduler_paused), "PAUSED", "not paused"),
            ]);
        }
        say(table);
        for (site, problem) in &found.unusable {
            let text = Message::new("trouble-site").with("site", site).with("problem", problem);
            say(format!("{RED}{}{RED:#}", text.render(&session.language)));
        }
        Ok(exit)
    }
}
