//! `eclusa backups export`: a restore point as the files that `bench restore` takes.

use std::path::PathBuf;

use clap::Args;
use eclusa_control::{Assembly, backup_files, points};
use eclusa_fault::{Message, Result};
use eclusa_report::bytes_text;
use serde_json::json;

use crate::commands::Session;
use crate::exit::Exit;
use crate::terminal::{YELLOW, say, tell};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// The restore point, or the beginning of its id.
    point: String,
    /// The directory that they are written into; no file that is there is overwritten.
    #[arg(long, value_name = "DIR", default_value = ".")]
    to: PathBuf,
    /// Compress the archives of files too (.tgz).
    #[arg(long)]
    compress: bool,
    /// The version of Frappe that the dump says it is of, where another release runs now than when it was taken.
    #[arg(long, value_name = "VERSION")]
    frappe_version: Option<String>,
}

impl Export {
    pub(super) async fn run(self, session: &Session, assembly: &Assembly) -> Result<Exit> {
        let (tenant, point) = points::one(assembly, &self.point).await?;
        let exported =
            backup_files::export(assembly, &tenant, &point, &self.to, self.compress, self.frappe_version)
                .await?;
        if session.json() {
            let files: Vec<_> =
                exported.files.iter().map(|(path, bytes)| json!({"file": path, "bytes": bytes})).collect();
            say(
                json!({"format": 1, "tenant": tenant, "point": point, "version": exported.version, "files": files}),
            );
            return Ok(Exit::Ok);
        }
        for (path, bytes) in &exported.files {
            say(format!("{}  {}", path.display(), bytes_text(*bytes)));
        }
        let warn = |message: Message| {
            tell(format!("{YELLOW}{}{YELLOW:#}", message.render(&session.language)));
        };
        if exported.version.is_none() {
            warn(Message::new("backups-export-version"));
        }
        warn(Message::new("backups-export-secrets"));
        Ok(Exit::Ok)
    }
}
