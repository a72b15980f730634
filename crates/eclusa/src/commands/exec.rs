//! `eclusa exec`: a command of one's own for one tenant, where the release runs.

use std::io::{Read, Write};
use std::time::Duration;

use clap::Args;
use eclusa_config::Period;
use eclusa_control::{execute, history};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::TenantName;
use eclusa_ports::{OutputSink, OutputStream};

use super::Session;
use crate::exit::Exit;
use crate::terminal::{YELLOW, tell};

/// The arguments.
#[derive(Debug, Args)]
pub struct Exec {
    /// The tenant.
    tenant: TenantName,
    /// What is run: of a bench what follows `bench --site TENANT`, of Django what follows `manage.py`, else a program.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Give it what comes on standard input.
    #[arg(long)]
    stdin: bool,
    /// After this time it is ended.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = Period::parse)]
    within: Period,
}

/// Passes on what a command says, as it says it.
struct PassedOn;

impl OutputSink for PassedOn {
    fn line(&self, stream: OutputStream, line: &str) {
        // Whoever reads may be gone; the command goes on.
        let _ = match stream {
            OutputStream::Out => writeln!(std::io::stdout(), "{line}"),
            OutputStream::Err => writeln!(std::io::stderr(), "{line}"),
        };
    }
}

impl Exec {
    /// Runs it, and ends as it ends.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let prepared = execute::prepare(&assembly, &self.tenant, &self.command)?;
        if let Some(run) = history::unfinished(assembly.journal.as_ref(), &assembly.name)? {
            let text = Message::new("exec-beside-a-run").with("run", &run.id).render(&session.language);
            tell(format!("{YELLOW}{text}{YELLOW:#}"));
        }
        let stdin = if self.stdin { Some(read_all().await?) } else { None };
        let within: Duration = self.within.as_duration();
        let asked = async {
            let _ = tokio::signal::ctrl_c().await;
        };
        let result = execute::run(&assembly, prepared, stdin, within, &PassedOn, asked).await?;
        let Some(result) = result else {
            tell(Message::new("exec-ended").render(&session.language));
            return Ok(Exit::Interrupted);
        };
        Ok(u8::try_from(result.code).map_or(Exit::Failure, Exit::Command))
    }
}

/// Everything on standard input.
async fn read_all() -> Result<Vec<u8>> {
    let read = tokio::task::spawn_blocking(|| {
        let mut all = Vec::new();
        std::io::stdin().read_to_end(&mut all).map(|_| all)
    });
    let fault = |cause: String| {
        Fault::new(Code::FileAccess).with("path", "-").with("operation", "read").because(cause)
    };
    read.await.map_err(|error| fault(error.to_string()))?.map_err(|error| fault(error.to_string()))
}
