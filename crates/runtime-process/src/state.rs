//! What is written down: the stack's state by the runtime, each service's status by its supervisor.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{Release, ServiceName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::process::{ProcessIdentity, boot};
use crate::release::file_fault;

/// The format of the state file.
pub const STATE_FORMAT: u32 = 1;

/// The state of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackState {
    /// [`STATE_FORMAT`].
    pub format: u32,
    /// The pinned release.
    pub pinned: Option<Release>,
    /// Whether the edge has, or is getting, the public port.
    pub edge_installed: bool,
    /// The services that are wanted running: after a crash in the middle of an operation that moves a service,
    /// nothing else would tell that it was up before.
    pub wanted: BTreeSet<ServiceName>,
}

impl Default for StackState {
    fn default() -> Self {
        Self { format: STATE_FORMAT, pinned: None, edge_installed: false, wanted: BTreeSet::new() }
    }
}

impl StackState {
    /// Reads it; a stack that was never touched has none.
    ///
    /// # Errors
    /// `StateDirectory` when it cannot be read or is of another format.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => {
                return Err(Fault::new(Code::StateDirectory).with("path", path.display()).because(error));
            }
        };
        let broken =
            |cause: String| Fault::new(Code::StateDirectory).with("path", path.display()).because(cause);
        let state: Self = serde_json::from_slice(&bytes).map_err(|error| broken(error.to_string()))?;
        if state.format == STATE_FORMAT {
            Ok(state)
        } else {
            Err(broken(format!("format {}, and {STATE_FORMAT} is known", state.format)))
        }
    }

    /// Writes it durably.
    ///
    /// # Errors
    /// `FileAccess`.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text =
            serde_json::to_vec_pretty(self).map_err(|error| file_fault(path, "written").because(error))?;
        text.push(b'\n');
        write_durably(path, &text, 0o600).map_err(|error| file_fault(path, "written").because(error))
    }
}

/// What a supervisor says of its service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceStatus {
    /// The boot of the machine: after another one, the processes named here are gone.
    pub boot: String,
    /// The supervisor.
    pub supervisor: ProcessIdentity,
    /// The service's process, while there is one.
    pub child: Option<ProcessIdentity>,
    /// The release it runs under.
    pub release: String,
    /// The digest of that release's directory when it was started.
    pub image_id: String,
    /// The port it was given.
    pub port: Option<u16>,
    /// The command line.
    pub command: Vec<String>,
    /// When this supervisor started.
    pub supervised_since: Timestamp,
    /// When the service's process was started last.
    pub started_at: Option<Timestamp>,
    /// How often it was started again because it had ended by itself.
    pub restarts: u32,
    /// How it ended last, as a person reads it.
    pub last_exit: Option<String>,
    /// Whether it was stopped because that was wanted.
    pub stopped: bool,
}

impl ServiceStatus {
    /// Reads a status; `None` when there is none or it cannot be read, which is the same to whoever looks: a
    /// supervisor that lives writes it again.
    pub fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }

    /// Whether the supervisor lives.
    pub fn supervised(&self) -> bool {
        self.boot == boot() && self.supervisor.alive()
    }

    /// Writes it so that a reader sees the old one or the new one. It is not forced to disk: after a loss of power
    /// the processes that it names are gone as well.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let temporary = path.with_extension("json.new");
        std::fs::write(&temporary, serde_json::to_vec_pretty(self)?)?;
        std::fs::rename(&temporary, path)
    }
}

/// Writes a file so that after a crash it has its old or its new content.
pub fn write_durably(path: &Path, content: &[u8], mode: u32) -> std::io::Result<()> {
    let directory = eclusa_durable::parent_of(path);
    eclusa_durable::make_directory(directory, 0o777)?;
    let temporary = write_temporary(path, content, mode)?;
    eclusa_crash::point("state.file.written");
    std::fs::rename(&temporary, path)?;
    eclusa_crash::point("state.file.renamed");
    if eclusa_crash::left_out("state.directory.sync") {
        return Ok(());
    }
    eclusa_durable::synchronise_directory(directory)
}

/// Writes the content to a file beside `path`, forced to disk, and says where.
pub fn write_temporary(path: &Path, content: &[u8], mode: u32) -> std::io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // The same name for every process: what one that was killed left is replaced by the next and not left for ever. Who
    // writes holds the stack's lease, or the lock of the lease itself.
    let temporary = path.with_file_name(format!(".{name}.new"));
    // One that a crash left would keep its old mode.
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(mode).open(&temporary)?;
    file.write_all(content)?;
    eclusa_crash::point("state.file.unsynchronised");
    if !eclusa_crash::left_out("state.file.sync") {
        file.sync_all()?;
    }
    Ok(temporary)
}
