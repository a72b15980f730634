//! `eclusa man`: manual pages.

use std::path::PathBuf;

use clap::{Args, CommandFactory};
use eclusa_fault::{Code, Fault, Result};

use crate::arguments::Arguments;
use crate::exit::Exit;

/// The arguments.
#[derive(Debug, Args)]
pub struct Man {
    /// Write a page per command into this directory; without it the first page is printed.
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
}

impl Man {
    /// Writes or prints them.
    pub fn run(self) -> Result<Exit> {
        let command = Arguments::command();
        match self.directory {
            Some(directory) => {
                std::fs::create_dir_all(&directory)
                    .and_then(|()| clap_mangen::generate_to(command, &directory))
                    .map_err(|error| {
                        Fault::new(Code::FileAccess)
                            .with("path", directory.display())
                            .with("operation", "written")
                            .because(error)
                    })?;
            }
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(command)
                    .render(&mut page)
                    .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
                crate::terminal::say(String::from_utf8_lossy(&page));
            }
        }
        Ok(Exit::Ok)
    }
}
