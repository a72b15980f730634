//! The host of a stack: commands, files, disks. Local now; over SSH later.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use eclusa_fault::Result;
use secrecy::SecretString;

use crate::OutputSink;

/// A command of the host.
#[derive(Debug)]
pub struct CommandSpec {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Environment variables on top of this process's own.
    pub environment: BTreeMap<String, SecretString>,
    /// The working directory.
    pub directory: Option<PathBuf>,
    /// What it reads on standard input; nothing when absent.
    pub stdin: Option<Vec<u8>>,
    /// After this time its whole process group gets SIGTERM, and SIGKILL five seconds later.
    pub timeout: Duration,
}

impl CommandSpec {
    /// A command with a limit and nothing else.
    #[must_use]
    pub fn new<I, S>(argv: I, timeout: Duration) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            environment: BTreeMap::new(),
            directory: None,
            stdin: None,
            timeout,
        }
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandResult {
    /// Its exit code; a signal is 128 plus its number, as a shell says it.
    pub code: i32,
    /// The last 200 lines of both outputs, as they came.
    pub tail: Vec<String>,
    /// Its standard output up to 4 MiB, as text.
    pub stdout: String,
    /// Whether its standard output was longer than that.
    pub truncated: bool,
    /// How long it took.
    pub duration: Duration,
}

impl CommandResult {
    /// The last line that is not empty, of both outputs.
    #[must_use]
    pub fn last_line(&self) -> Option<&str> {
        self.tail.iter().rev().map(|line| line.trim()).find(|line| !line.is_empty())
    }
}

/// The room on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskRoom {
    /// Its size in bytes.
    pub total_bytes: u64,
    /// What this user may still write, in bytes.
    pub free_bytes: u64,
}

/// Commands, files and disks of one machine.
#[async_trait]
pub trait Host: Send + Sync {
    /// Runs a command to its end. A code other than 0 is no error here.
    ///
    /// # Errors
    /// `CommandMissing` when it cannot be started, `CommandTimeout` when it was ended.
    async fn run(&self, command: CommandSpec, output: &dyn OutputSink) -> Result<CommandResult>;

    /// Ends every process of this user that was started with `ECLUSA_MARK` of this value, and waits until they are gone:
    /// commands that a killed runner left behind.
    ///
    /// # Errors
    /// `CommandStillRunning` when one cannot be ended.
    async fn end_marked(&self, mark: &str) -> Result<()> {
        let _ = mark;
        Ok(())
    }

    /// Reads a file of at most `most` bytes.
    ///
    /// # Errors
    /// `FileAccess` when it cannot be read or is longer.
    async fn read(&self, path: &Path, most: u64) -> Result<Vec<u8>>;

    /// Writes a file so that after a crash it has either its old or its new content: a temporary file beside it,
    /// fsync, rename, fsync of the directory. The mode is that of the file, such as 0o600.
    ///
    /// # Errors
    /// `FileAccess`.
    async fn write_durably(&self, path: &Path, content: &[u8], mode: u32) -> Result<()>;

    /// Removes a file if it is there.
    ///
    /// # Errors
    /// `FileAccess`.
    async fn remove(&self, path: &Path) -> Result<()>;

    /// The room on the disk of a path, or of its nearest parent that exists.
    ///
    /// # Errors
    /// `FileAccess`.
    async fn disk(&self, path: &Path) -> Result<DiskRoom>;
}
