//! The hidden command that owns a run until it ends: started detached, so that it outlives the terminal.

use clap::Args;
use eclusa_conductor::Ending;
use eclusa_control::running;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{PersonName, RunId};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Session;
use crate::exit::Exit;

/// The arguments.
#[derive(Debug, Args)]
pub struct OwnRun {
    /// The run.
    run: RunId,
    /// Who takes it up after a crash.
    #[arg(long)]
    resume: Option<PersonName>,
}

impl OwnRun {
    /// Owns the run. SIGTERM and SIGINT leave it where it can be resumed; a closed terminal is ignored.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        let assembly = session.assembly().await?;
        let (stop, stopped) = watch::channel(false);
        let fault = |error: std::io::Error| Fault::new(Code::Internal).with("what", error);
        let mut terminated = signal(SignalKind::terminate()).map_err(fault)?;
        let mut interrupted = signal(SignalKind::interrupt()).map_err(fault)?;
        let mut hung_up = signal(SignalKind::hangup()).map_err(fault)?;
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = terminated.recv() => break,
                    _ = interrupted.recv() => break,
                    _ = hung_up.recv() => {}
                }
            }
            let _ = stop.send(true);
        });
        match running::own(assembly, &self.run, self.resume, Vec::new(), stopped).await? {
            Ending::Ended(outcome) => Ok(Exit::of(outcome)),
            Ending::Interrupted => Ok(Exit::Interrupted),
        }
    }
}
