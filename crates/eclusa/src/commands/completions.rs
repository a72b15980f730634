//! `eclusa completions`: completions for a shell.

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use eclusa_fault::Result;

use crate::arguments::Arguments;
use crate::exit::Exit;

/// The arguments.
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell.
    shell: Shell,
}

impl Completions {
    /// Prints them.
    pub fn run(self) -> Result<Exit> {
        let mut command = Arguments::command();
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut command, "eclusa", &mut text);
        crate::terminal::say(String::from_utf8_lossy(&text));
        Ok(Exit::Ok)
    }
}
