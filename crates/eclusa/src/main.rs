//! L6: the command line; the only place where the parts are put together.

mod arguments;
mod commands;
mod demo;
mod exit;
mod follow;
mod perform;
mod redaction;
mod render;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Arguments;

/// How many files may be open at once, at least, where the system allows it: shells of old set 256 or fewer.
const OPEN_FILES: u64 = 1024;

/// Raises the soft limit of open files. No further: programs that are started inherit it, and some of them go through
/// all of the numbers when they start.
fn allow_open_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < OPEN_FILES) {
        limit.current = Some(limit.maximum.map_or(OPEN_FILES, |most| most.min(OPEN_FILES)));
        // Where it stays as it is, whatever needs more says so itself.
        let _ = setrlimit(Resource::Nofile, limit);
    }
}

fn main() -> ExitCode {
    allow_open_files();
    let arguments = Arguments::parse();
    redaction::prepare(&arguments);
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("ECLUSA_LOG").unwrap_or_else(|_| "warn".into()),
        )
        .with_writer(|| redaction::RedactedStderr)
        .without_time()
        .init();
    match commands::run(arguments) {
        Ok(exit) => exit.into(),
        Err(failure) => failure.show(),
    }
}
