//! The hidden command that supervises one service of the process runtime.

use clap::Args;

use crate::exit::Exit;

/// The arguments: those of the supervisor itself.
#[derive(Debug, Args)]
pub struct Supervise {
    /// What the supervisor is told.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

impl Supervise {
    /// Supervises until the service is no longer wanted.
    pub fn run(self) -> Exit {
        // A supervisor's exit code belongs to its service and passes through.
        std::process::exit(i32::from(eclusa_runtime_process::supervise(&self.arguments)))
    }
}
