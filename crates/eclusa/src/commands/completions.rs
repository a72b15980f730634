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
        // The generators offer hidden commands too.
        let whole = Arguments::command();
        let visible = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
        let mut command =
            clap::Command::new("eclusa").args(whole.get_arguments().cloned()).subcommands(visible);
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut command, "eclusa", &mut text);
        crate::terminal::say(String::from_utf8_lossy(&text));
        Ok(Exit::Ok)
    }
}
