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

fn main() -> ExitCode {
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
