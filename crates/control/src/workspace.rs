//! What every command begins with: the configuration, the state directory, the journal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eclusa_config::Configuration;
use eclusa_fault::{Code, Fault, Language, Result};
use eclusa_journal::{OpenMode, SqliteJournal};
use eclusa_model::FingerprintKey;
use etcetera::BaseStrategy;
use rand::Rng;

/// The configuration and the state directory of one installation.
pub struct Workspace {
    /// What was read.
    pub configuration: Configuration,
    /// Where journal, keys, vault and outputs are.
    pub state: PathBuf,
    /// The language of messages.
    pub language: Language,
}

impl Workspace {
    /// Reads the configuration. The state directory is `--state`, then `state` of the file, then `/var/lib/eclusa` for
    /// root and `$XDG_STATE_HOME/eclusa` for others. It is made when something is first written.
    ///
    /// # Errors
    /// `ConfigUnreadable`, `ConfigInvalid`, `StateDirectory`.
    pub fn open(path: &Path, state: Option<&Path>, language: Language) -> Result<Self> {
        let configuration = Configuration::load(path)?;
        let state = match state.map(Path::to_owned).or_else(|| configuration.state_directory()) {
            Some(state) => std::path::absolute(&state).unwrap_or(state),
            None => default_state()?,
        };
        Ok(Self { configuration, state, language })
    }

    /// The journal, for reading and appending.
    ///
    /// # Errors
    /// `JournalDamaged`, `JournalUnwritable`, `StateDirectory`.
    pub fn journal(&self) -> Result<Arc<SqliteJournal>> {
        private_directory(&self.state)?;
        Ok(Arc::new(SqliteJournal::open(self.state.join("journal.db"), OpenMode::ReadWrite)?))
    }

    /// The journal, for reading only; nothing is made.
    ///
    /// # Errors
    /// `JournalDamaged`.
    pub fn journal_read_only(&self) -> Result<Arc<SqliteJournal>> {
        Ok(Arc::new(SqliteJournal::open(self.state.join("journal.db"), OpenMode::ReadOnly)?))
    }

    /// The key of this installation's fingerprints; made on first use.
    ///
    /// # Errors
    /// `StateDirectory`.
    pub fn fingerprint_key(&self) -> Result<FingerprintKey> {
        private_directory(&self.state)?;
        let path = self.state.join("fingerprint.key");
        let fault = |error: io::Error| state_fault(&path).because(error);
        match std::fs::read(&path) {
            Ok(bytes) => {
                let bytes: [u8; 32] = bytes
                    .try_into()
                    .map_err(|_| state_fault(&path).because("fingerprint.key has not 32 bytes"))?;
                Ok(FingerprintKey::new(bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut bytes = [0; 32];
                rand::rng().fill(&mut bytes);
                write_new_private(&path, &bytes).map_err(fault)?;
                // Another process may have been faster: what stands there counts.
                let bytes: [u8; 32] = std::fs::read(&path)
                    .map_err(fault)?
                    .try_into()
                    .map_err(|_| state_fault(&path).because("fingerprint.key has not 32 bytes"))?;
                Ok(FingerprintKey::new(bytes))
            }
            Err(error) => Err(fault(error)),
        }
    }

    /// Where the whole output of each step is kept, one directory a run.
    #[must_use]
    pub fn outputs(&self) -> PathBuf {
        self.state.join("runs")
    }
}

/// The state directory as far as it can be known from a configuration that is not valid: where one was named, or the
/// file can at least be parsed, that one.
///
/// # Errors
/// `StateDirectory`.
pub fn state_without_configuration(path: &Path, state: Option<&Path>) -> Result<PathBuf> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let parsed = text.parse::<toml_edit::DocumentMut>().ok();
    let written = parsed.as_ref().and_then(|file| file.get("state")).and_then(|state| state.as_str());
    let directory = path.parent().unwrap_or(Path::new(""));
    match state.map(Path::to_owned).or_else(|| written.map(|written| directory.join(written))) {
        Some(state) => Ok(std::path::absolute(&state).unwrap_or(state)),
        None => default_state(),
    }
}

fn state_fault(path: &Path) -> Fault {
    Fault::new(Code::StateDirectory).with("path", path.display())
}

fn default_state() -> Result<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/eclusa"));
    }
    let strategy =
        etcetera::choose_base_strategy().map_err(|error| state_fault(Path::new("$HOME")).because(error))?;
    Ok(strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join("eclusa"))
}

/// Makes a directory that only its owner may enter.
///
/// # Errors
/// `StateDirectory`.
pub fn private_directory(path: &Path) -> Result<()> {
    eclusa_durable::make_directory(path, 0o700).map_err(|error| state_fault(path).because(error))
}

/// Writes a file that did not exist, whole or not at all.
fn write_new_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let directory = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".fingerprint").tempfile_in(directory)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    match file.persist_noclobber(path) {
        Ok(_) => eclusa_durable::synchronise_directory(directory),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
    }
}
