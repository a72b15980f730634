//! `eclusa backups`: lists restore points, says which must not go, compares them and looks into them.

mod contents;
mod difference;
mod export;
mod holds;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use comfy_table::{Table, presets::NOTHING};
use eclusa_control::points;
use eclusa_fault::{Message, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_ports::MirrorCopies;
use eclusa_report::{bytes_text, count_text};
use serde_json::json;

use super::Session;
use crate::exit::Exit;
use crate::terminal::{BOLD, YELLOW, say};

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
    /// Show what changed from one restore point of a tenant to another.
    Diff {
        /// The earlier restore point, or the beginning of its id.
        from: String,
        /// The later one.
        to: String,
    },
    /// List what is in a restore point.
    Browse {
        /// The restore point, or the beginning of its id.
        point: String,
    },
    /// Write a restore point as the files that bench restore takes.
    Export(export::Export),
    /// Take one file out of a restore point.
    Get {
        /// The restore point, or the beginning of its id.
        point: String,
        /// The file, as `browse` names it.
        path: String,
        /// Where to write it; a file that is there is not overwritten.
        #[arg(long, short, value_name = "FILE")]
        output: PathBuf,
    },
}

impl Backups {
    /// Lists them, newest first, or holds one.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        match self.wanted {
            Some(Wanted::Hold { point, reason }) => {
                return holds::hold(session, &assembly, &point, &reason).await;
            }
            Some(Wanted::EndHold { point, reason }) => {
                return holds::end_hold(session, &assembly, &point, &reason).await;
            }
            Some(Wanted::Diff { from, to }) => {
                return difference::show(session, &assembly, &from, &to).await;
            }
            Some(Wanted::Export(command)) => return command.run(session, &assembly).await,
            Some(Wanted::Browse { point }) => return contents::browse(session, &assembly, &point).await,
            Some(Wanted::Get { point, path, output }) => {
                return contents::get(session, &assembly, &point, &path, &output).await;
            }
            None => {}
        }
        let all = points::list(&assembly, &self.tenants).await?;
        if session.json() {
            let value: Vec<_> = all
                .iter()
                .map(|tenant| {
                    json!({"tenant": tenant.tenant, "points": tenant.points, "unreadable": tenant.unreadable, "proof": tenant.proof, "copies": tenant.copies, "holds": tenant.holds})
                })
                .collect();
            say(json!({"format": 1, "tenants": value}));
            return Ok(Exit::Ok);
        }
        for tenant in &all {
            say(format!("{BOLD}{}{BOLD:#}", tenant.tenant));
            let mut table = Table::new();
            table.load_preset(NOTHING);
            table.set_header([
                "point", "taken", "why", "release", "rows", "files", "bytes", "proved", "copies", "held",
            ]);
            for point in &tenant.points {
                let id = point.id.as_ref().map(ToString::to_string).unwrap_or_default();
                let files: usize = point.files.values().map(|set| set.files.len()).sum();
                let bytes: u64 = point.files.values().map(eclusa_ports::FilesManifest::bytes).sum::<u64>()
                    + point.database_bytes();
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
                    copies_of(tenant, point.id.as_ref()),
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

/// The mirrors where a point was read back.
fn copies_of(tenant: &points::TenantPoints, point: Option<&PointId>) -> String {
    let has = |copies: &&MirrorCopies| point.is_some_and(|point| copies.points.contains(point));
    let names: Vec<&str> = tenant.copies.iter().filter(has).map(|copies| copies.mirror.as_str()).collect();
    if names.is_empty() { "–".to_owned() } else { names.join(", ") }
}
