//! Directories of the host that are made, owned and removed by the host's own commands.

use std::path::Path;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::{CommandSpec, Host, NoOutput};

/// The directories of a host.
#[derive(Clone, Copy)]
pub(super) struct Directories<'a>(pub &'a dyn Host);

impl Directories<'_> {
    /// Whether something is there, a link that leads nowhere too.
    pub(super) async fn exists(self, path: &Path) -> Result<bool> {
        let text = shown(path);
        self.holds(&["test", "-e", &text, "-o", "-L", &text]).await
    }

    /// Whether it is a directory, and no link to one.
    pub(super) async fn is_directory(self, path: &Path) -> Result<bool> {
        let text = shown(path);
        self.holds(&["test", "-d", &text, "-a", "!", "-L", &text]).await
    }

    /// Whether a command says yes.
    async fn holds(self, argv: &[&str]) -> Result<bool> {
        let spec = CommandSpec::new(argv.iter().copied(), Duration::from_secs(30));
        Ok(self.0.run(spec, &NoOutput).await?.code == 0)
    }

    pub(super) async fn make(self, path: &Path, mode: &str) -> Result<()> {
        let mode = format!("--mode={mode}");
        self.command(&["mkdir", "--parents", &mode, "--", &shown(path)]).await
    }

    pub(super) async fn remove(self, path: &Path) -> Result<()> {
        self.command(&["rm", "--recursive", "--force", "--one-file-system", "--", &shown(path)]).await
    }

    /// Removes an empty directory; one that is not empty, or not there, stays as it is.
    pub(super) async fn remove_empty(self, path: &Path) -> Result<()> {
        let removed = self.command(&["rmdir", "--ignore-fail-on-non-empty", "--", &shown(path)]).await;
        removed.or_else(|fault| {
            if fault.causes.iter().any(|cause| cause.contains("No such file")) { Ok(()) } else { Err(fault) }
        })
    }

    /// Who owns `like` owns all of a directory.
    pub(super) async fn own(self, path: &Path, like: &Path) -> Result<()> {
        let like = format!("--reference={}", shown(like));
        self.command(&["chown", "--recursive", "--no-dereference", &like, "--", &shown(path)]).await
    }

    /// Gives a path the mode of another one.
    pub(super) async fn mode(self, path: &Path, like: &Path) -> Result<()> {
        let like = format!("--reference={}", shown(like));
        self.command(&["chmod", &like, "--", &shown(path)]).await
    }

    pub(super) async fn command(self, argv: &[&str]) -> Result<()> {
        let spec = CommandSpec::new(argv.iter().copied(), Duration::from_secs(300));
        let result = self.0.run(spec, &NoOutput).await?;
        if result.code == 0 {
            return Ok(());
        }
        Err(Fault::new(Code::FileAccess)
            .with("path", argv.last().copied().unwrap_or_default())
            .with("operation", format!("changed by {}", argv.first().copied().unwrap_or_default()))
            .because(result.last_line().unwrap_or_default()))
    }
}

pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}
