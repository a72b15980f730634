//! `eclusa customizations report`: what there is and who changed it last, as Markdown.

use std::path::PathBuf;

use clap::Args;
use eclusa_apps::customizations::markdown;
use eclusa_control::{Assembly, Redaction, customizations};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::TenantName;
use eclusa_report::bytes_text;

use super::tenants;
use crate::commands::Session;
use crate::exit::Exit;
use crate::terminal::{say, tell};

/// The arguments.
#[derive(Debug, Args)]
pub(super) struct Report {
    /// The tenants; all when none is named.
    tenants: Vec<TenantName>,
    /// As they were kept then or before: newest, 2026-11-25 or 2026-11-25T20:00:00Z; without it, as they are now.
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Write it into this file instead.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Report {
    pub(super) async fn run(self, session: &Session, assembly: &Assembly) -> Result<Exit> {
        // A report is sent around: what is known of secrets goes out of the scripts' first lines too.
        let redaction = Redaction::of_stacks([assembly.stack.as_ref()], Some(&assembly.state));
        let mut text = String::new();
        for name in tenants(assembly, &self.tenants)? {
            let found = match &self.at {
                Some(when) => customizations::store(assembly).at(&name, when).await?,
                None => customizations::read(assembly, &name).await?,
            };
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&markdown(&found, &session.language));
        }
        let text = redaction.text(&text);
        let Some(path) = self.output else {
            say(text.trim_end());
            return Ok(Exit::Ok);
        };
        std::fs::write(&path, &text).map_err(|error| {
            Fault::new(Code::FileAccess)
                .with("path", path.display())
                .with("operation", "written")
                .because(error)
        })?;
        let told = Message::new("customizations-written")
            .with("file", path.display())
            .with("bytes", bytes_text(text.len() as u64));
        tell(told.render(&session.language));
        Ok(Exit::Ok)
    }
}
