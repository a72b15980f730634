//! `eclusa adopt`: looks at a Compose project and writes a commented `eclusa.toml` for it.
use super::Session;
use crate::exit::Exit;

/// The arguments.
#[derive(Debug, clap::Args)]
pub struct Adopt {}

impl Adopt {
    /// Being written.
    pub async fn run(self, _session: &Session) -> eclusa_fault::Result<Exit> {
        Err(eclusa_fault::Fault::new(eclusa_fault::Code::Internal))
    }
}
