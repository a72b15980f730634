//! `eclusa backups`: lists restore points.

use clap::Args;
use comfy_table::{Table, presets::NOTHING};
use eclusa_control::points;
use eclusa_fault::{Message, Result};
use eclusa_model::TenantName;
use eclusa_report::{bytes_text, count_text};
use serde_json::json;

use super::Session;
use crate::exit::Exit;
use crate::terminal::{BOLD, YELLOW, say};

/// The arguments.
#[derive(Debug, Args)]
pub struct Backups {
    /// The tenants; all when none is named.
    tenants: Vec<TenantName>,
}

impl Backups {
    /// Lists them, newest first.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let all = points::list(&assembly, &self.tenants).await?;
        if session.json() {
            let value: Vec<_> = all
                .iter()
                .map(|tenant| {
                    json!({"tenant": tenant.tenant, "points": tenant.points, "unreadable": tenant.unreadable, "proof": tenant.proof})
                })
                .collect();
            say(json!({"format": 1, "tenants": value}));
            return Ok(Exit::Ok);
        }
        for tenant in &all {
            say(format!("{BOLD}{}{BOLD:#}", tenant.tenant));
            let mut table = Table::new();
            table.load_preset(NOTHING);
            table.set_header(["point", "taken", "why", "release", "rows", "files", "bytes", "proved"]);
            for point in &tenant.points {
                let id = point.id.as_ref().map(ToString::to_string).unwrap_or_default();
                let files: usize = point.files.values().map(|set| set.files.len()).sum();
                let bytes: u64 = point.files.values().map(eclusa_ports::FilesManifest::bytes).sum::<u64>()
                    + point.database.as_ref().map_or(0, |stream| stream.bytes);
                let proved = tenant.proof.as_ref().filter(|proof| proof.point == id);
                table.add_row([
                    id.chars().take(8).collect(),
                    point.taken_at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
                    format!("{:?}", point.kind).to_lowercase(),
                    point.release.as_ref().map_or_else(|| "–".to_owned(), |release| release.name.clone()),
                    count_text(point.summary.rows()),
                    count_text(files as u64),
                    bytes_text(bytes),
                    proved.map_or_else(
                        || "–".to_owned(),
                        |proof| proof.at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
                    ),
                ]);
            }
            if tenant.points.is_empty() {
                say(Message::new("backups-none").with("tenant", &tenant.tenant).render(&session.language));
            } else {
                say(table);
            }
            for problem in &tenant.unreadable {
                say(format!("{YELLOW}{problem}{YELLOW:#}"));
            }
        }
        Ok(Exit::Ok)
    }
}
