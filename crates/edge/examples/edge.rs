//! The edge alone, as a program: `edge CONFIG.json`. It serves until SIGTERM.

use std::path::Path;
use std::process::ExitCode;

use eclusa_edge::EdgeConfig;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let Some(path) = std::env::args_os().nth(1) else {
        tracing::error!("usage: edge CONFIG.json");
        return ExitCode::from(2);
    };
    let outcome = match EdgeConfig::load(Path::new(&path)) {
        Ok(config) => eclusa_edge::serve(config).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(code = error.code(), "{error}");
            ExitCode::FAILURE
        }
    }
}
