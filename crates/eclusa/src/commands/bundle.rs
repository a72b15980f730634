//! `eclusa bundle`: what whoever helps needs to know, in one file, without secrets.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use eclusa_control::bundle::{self, Wanted};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::RunId;
use eclusa_report::bytes_text;
use jiff::Timestamp;
use serde_json::json;

use super::Session;
use crate::exit::Exit;
use crate::terminal::{BOLD, YELLOW, say};

/// The arguments.
#[derive(Debug, Args)]
pub struct Bundle {
    /// The run; the newest ones when none is named.
    run: Option<RunId>,
    /// The file; one named after the time, here, when none is named.
    #[arg(long, short = 'o', value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Bundle {
    /// Makes it. What could not be had is no failure: that is when it is needed.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let path = self.output.unwrap_or_else(|| {
            PathBuf::from(Timestamp::now().strftime("eclusa-support-%Y%m%d-%H%M%S.tar.zst").to_string())
        });
        // Before anything is looked at: gathering takes a while.
        if path.symlink_metadata().is_ok() {
            return Err(there(&path));
        }
        let wanted = Wanted {
            configuration: &session.arguments.config,
            state: session.arguments.state.as_deref(),
            stack: session.arguments.stack.as_deref(),
            run: self.run,
            language: session.language.clone(),
        };
        let made = bundle::gather(&wanted).await?;
        write_new(&path, &made.archive)?;
        if session.json() {
            let parts: Vec<&str> = made.parts.iter().map(|part| part.path.as_str()).collect();
            let shown = path.display().to_string();
            say(
                json!({"format": 1, "file": shown, "bytes": made.archive.len(), "parts": parts, "missing": made.missing}),
            );
            return Ok(Exit::Ok);
        }
        let text = Message::new("bundle-made")
            .with("path", path.display())
            .with("size", bytes_text(made.archive.len() as u64))
            .with("files", made.parts.len());
        say(format!("{BOLD}{}{BOLD:#}", text.render(&session.language)));
        for missing in &made.missing {
            let why = missing.why.lines().next().unwrap_or_default();
            let text = Message::new("bundle-lacks").with("path", &missing.path).with("why", why);
            say(format!("{YELLOW}{}{YELLOW:#}", text.render(&session.language)));
        }
        say(Message::new("bundle-check").with("path", path.display()).render(&session.language));
        Ok(Exit::Ok)
    }
}

fn unwritten(path: &Path) -> Fault {
    Fault::new(Code::FileAccess).with("path", path.display()).with("operation", "written")
}

fn there(path: &Path) -> Fault {
    unwritten(path)
        .because("a file of this name is there already")
        .state(Message::new("bundle-there-state"))
        .hint(Message::new("bundle-there-hint"))
}

/// Writes a file that only its owner may read, and that was not there.
fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let opened = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => there(path),
        _ => unwritten(path).because(error),
    })?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| {
        let _ = std::fs::remove_file(path);
        unwritten(path).because(error)
    })
}
