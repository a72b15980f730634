//! `eclusa backups`: lists restore points, and says which must not go.

use clap::{Args, Subcommand};
use comfy_table::{Table, presets::NOTHING};
use eclusa_control::{Assembly, points};
use eclusa_fault::{Message, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_ports::{Hold, HoldEnd};
use eclusa_report::{bytes_text, count_text};
use serde_json::json;

use super::Session;
use crate::exit::Exit;
use crate::terminal::{BOLD, YELLOW, say, tell};

/// The arguments.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Backups {
    #[command(subcommand)]
    wanted: Option<Wanted>,
    /// The tenants; all when none is named.
    tenants: Vec<TenantName>,
}

/// What is wanted besides a list.
#[derive(Debug, Subcommand)]
enum Wanted {
    /// Say that a restore point must not be thrown away.
    Hold {
        /// The restore point, or the beginning of its id.
        point: String,
        /// Why, for whoever wonders later.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// End a hold. That it was there stays written.
    EndHold {
        /// The restore point, or the beginning of its id.
        point: String,
        /// Why, for whoever wonders later.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

impl Backups {
    /// Lists them, newest first, or holds one.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        match self.wanted {
            Some(Wanted::Hold { point, reason }) => return hold(session, &assembly, &point, &reason).await,
            Some(Wanted::EndHold { point, reason }) => {
                return end_hold(session, &assembly, &point, &reason).await;
            }
            None => {}
        }
        let all = points::list(&assembly, &self.tenants).await?;
        if session.json() {
            let value: Vec<_> = all
                .iter()
                .map(|tenant| {
                    json!({"tenant": tenant.tenant, "points": tenant.points, "unreadable": tenant.unreadable, "proof": tenant.proof, "holds": tenant.holds})
                })
                .collect();
            say(json!({"format": 1, "tenants": value}));
            return Ok(Exit::Ok);
        }
        for tenant in &all {
            say(format!("{BOLD}{}{BOLD:#}", tenant.tenant));
            let mut table = Table::new();
            table.load_preset(NOTHING);
            table
                .set_header(["point", "taken", "why", "release", "rows", "files", "bytes", "proved", "held"]);
            for point in &tenant.points {
                let id = point.id.as_ref().map(ToString::to_string).unwrap_or_default();
                let files: usize = point.files.values().map(|set| set.files.len()).sum();
                let bytes: u64 = point.files.values().map(eclusa_ports::FilesManifest::bytes).sum::<u64>()
                    + point.database.as_ref().map_or(0, |stream| stream.bytes);
                let held = point.id.as_ref().and_then(|id| tenant.holds.get(id));
                let proved = tenant.proof.as_ref().filter(|proof| proof.point == id);
                table.add_row([
                    point.id.as_ref().map(PointId::short).unwrap_or_default().to_owned(),
                    point.taken_at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
                    point.kind.word().to_owned(),
                    point.release.as_ref().map_or_else(|| "–".to_owned(), |release| release.name.clone()),
                    count_text(point.summary.rows()),
                    count_text(files as u64),
                    bytes_text(bytes),
                    proved.map_or_else(
                        || "–".to_owned(),
                        |proof| proof.at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
                    ),
                    held.map_or_else(|| "–".to_owned(), |hold| hold.reason.clone()),
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

async fn hold(session: &Session, assembly: &Assembly, point: &str, reason: &str) -> Result<Exit> {
    let (tenant, id) = points::one(assembly, point).await?;
    let by = session.person()?.to_string();
    let hold = Hold { reason: reason.to_owned(), by, at: assembly.ports.clock.now(), ended: None };
    assembly.ports.vault.hold(&tenant, &id, hold).await?;
    tell_done("backups-held", session, &tenant, &id);
    Ok(Exit::Ok)
}

async fn end_hold(session: &Session, assembly: &Assembly, point: &str, reason: &str) -> Result<Exit> {
    let (tenant, id) = points::one(assembly, point).await?;
    let by = session.person()?.to_string();
    let end = HoldEnd { reason: reason.to_owned(), by, at: assembly.ports.clock.now() };
    assembly.ports.vault.end_hold(&tenant, &id, end).await?;
    tell_done("backups-hold-ended", session, &tenant, &id);
    Ok(Exit::Ok)
}

fn tell_done(id: &str, session: &Session, tenant: &TenantName, point: &PointId) {
    tell(Message::new(id).with("tenant", tenant).with("point", point.short()).render(&session.language));
}
