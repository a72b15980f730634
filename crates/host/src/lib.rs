//! L3: the local host: commands, files, disks.

mod files;
mod group;
mod marked;
mod run;
mod swap;

use std::path::Path;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::{CommandResult, CommandSpec, DiskRoom, Host, OutputSink};

pub use swap::LocalFilesSwap;

/// The machine that this process runs on.
///
/// Commands run in a process group of their own. When the future of a run is dropped, the group is killed; a
/// process that left the group (a daemon that called `setsid`) is out of reach and goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalHost;

impl LocalHost {
    /// The local machine.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

#[async_trait]
impl Host for LocalHost {
    async fn run(&self, command: CommandSpec, output: &dyn OutputSink) -> Result<CommandResult> {
        run::run(command, output).await
    }

    async fn end_marked(&self, mark: &str) -> Result<()> {
        marked::end(mark).await
    }

    async fn read(&self, path: &Path, most: u64) -> Result<Vec<u8>> {
        blocking(path, "read", move |path| files::read(path, most)).await
    }

    async fn write_durably(&self, path: &Path, content: &[u8], mode: u32) -> Result<()> {
        let content = content.to_vec();
        blocking(path, "written", move |path| files::write_durably(path, &content, mode)).await
    }

    async fn remove(&self, path: &Path) -> Result<()> {
        blocking(path, "removed", files::remove).await
    }

    async fn disk(&self, path: &Path) -> Result<DiskRoom> {
        blocking(path, "measured", files::disk).await
    }
}

/// Does blocking work on a path, and says what could not be done with it.
async fn blocking<T, F>(path: &Path, operation: &'static str, work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(&Path) -> std::io::Result<T> + Send + 'static,
{
    let owned = path.to_path_buf();
    let fault = || Fault::new(Code::FileAccess).with("path", path.display()).with("operation", operation);
    match tokio::task::spawn_blocking(move || work(&owned)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(fault().because(error)),
        Err(error) => Err(fault().because(error)),
    }
}
