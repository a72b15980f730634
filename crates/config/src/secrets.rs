//! From a reference (`env:NAME`, `file:PATH`) to the secret, at the moment it is used.

use std::path::{Path, PathBuf};

use eclusa_fault::{Code, Fault, Language, Message, Result};
use secrecy::SecretString;

use crate::environment::EnvironmentFiles;
use crate::model::{Stack, Value, ValueKind, is_variable_name};
use crate::source::resolved;

/// Resolves the references of one stack.
#[derive(Debug, Clone)]
pub struct Secrets {
    environment: EnvironmentFiles,
    directory: PathBuf,
}

impl Secrets {
    /// From env files (and the process behind them) and the directory to which `file:` paths are relative.
    #[must_use]
    pub fn new(environment: EnvironmentFiles, directory: impl Into<PathBuf>) -> Self {
        Self { environment, directory: directory.into() }
    }

    /// Those of a stack.
    ///
    /// # Errors
    /// `ConfigUnreadable` or `ConfigInvalid` when an env file cannot be read.
    pub fn of_stack(stack: &Stack) -> Result<Self> {
        Ok(Self::new(stack.environment_files()?, &stack.origin.directory))
    }

    /// The secret that a reference names: `env:NAME` in the env files, then in the process; `file:PATH` without its
    /// last line break. A text that is no reference is refused, and not repeated.
    ///
    /// # Errors
    /// `SecretMissing` for anything that is absent, empty, unreadable or no reference.
    pub fn resolve(&self, reference: &str) -> Result<SecretString> {
        let missing = |problem: Message| {
            Fault::new(Code::SecretMissing)
                .with("reference", reference)
                .with("problem", problem.render(&Language::default()))
        };
        match ValueKind::of(reference) {
            ValueKind::Environment(name) if is_variable_name(name) => match self.environment.get(name) {
                Some(value) if !value.is_empty() => Ok(SecretString::from(value)),
                Some(_) => Err(missing(Message::new("config-reference-empty"))),
                None => Err(missing(self.environment.absence(name))),
            },
            ValueKind::File(path) if !path.is_empty() => {
                let text = std::fs::read_to_string(resolved(&self.directory, Path::new(path)))
                    .map_err(|error| missing(Message::new("config-reference-file")).because(error))?;
                let text = text
                    .strip_suffix('\n')
                    .map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
                if text.is_empty() {
                    return Err(missing(Message::new("config-reference-empty")));
                }
                Ok(SecretString::from(text))
            }
            _ => Err(Fault::new(Code::SecretMissing)
                .with("reference", "…")
                .with("problem", Message::new("config-reference-none").render(&Language::default()))),
        }
    }

    /// A value that may stand in the file itself, or where it refers to.
    ///
    /// # Errors
    /// As for [`Secrets::resolve`].
    pub fn value(&self, value: &Value) -> Result<SecretString> {
        match value.kind() {
            ValueKind::Literal(text) => Ok(SecretString::from(text)),
            ValueKind::Environment(_) | ValueKind::File(_) => self.resolve(value.as_str()),
        }
    }

    /// What is unsafe about a reference without being wrong: a file that every user of the host may read.
    #[must_use]
    pub fn warning(&self, reference: &str) -> Option<Message> {
        use std::os::unix::fs::PermissionsExt;
        let ValueKind::File(path) = ValueKind::of(reference) else { return None };
        let path = resolved(&self.directory, Path::new(path));
        let mode = std::fs::metadata(&path).ok()?.permissions().mode();
        (mode & 0o004 != 0).then(|| Message::new("config-secret-readable").with("path", path.display()))
    }

    /// The env files that are looked into first.
    #[must_use]
    pub fn environment(&self) -> &EnvironmentFiles {
        &self.environment
    }
}
