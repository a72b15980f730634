//! The directory of files with keys: read and written, plain or wrapped by the stack key, if one is configured.
//!
//! What a file is, it says itself, so that plain and wrapped ones lie side by side while a stack changes over. What is written
//! is read back and opened before it takes the place of anything: a key that is lost is every restore point lost.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use eclusa_fault::{Code, Fault, Language, Message, Result};
use eclusa_model::{StackName, TenantName};
use secrecy::{ExposeSecret as _, SecretString};

use crate::durable;
use crate::remote::SecretSource;
use crate::stack_key::{Closed, StackKey, is_wrapped};

/// A larger file holds no keys.
const LARGEST: u64 = 1 << 20;

/// What a file with keys holds.
pub(crate) enum Content {
    /// There is no file.
    Absent,
    /// Keys, one a line.
    Text(SecretString),
    /// Nothing that can be read as keys; why.
    Damaged(Fault),
}

/// Where the stack key stands, and what was read there.
#[derive(Debug, Clone)]
struct Configured {
    reference: String,
    secrets: SecretSource,
    known: Arc<Mutex<Option<Arc<StackKey>>>>,
}

impl Configured {
    /// Reads the stack key where the configuration says it is.
    fn read(&self) -> Result<Arc<StackKey>> {
        let text = match &self.secrets.0 {
            Some(secrets) => secrets.resolve(&self.reference).map_err(|fault| {
                let problem = fault.args.get("problem").cloned().unwrap_or_else(|| fault.to_string());
                let unusable = unusable(&self.reference, problem);
                fault.causes.iter().fold(unusable, |unusable, cause| unusable.because(cause))
            })?,
            None => {
                return Err(Fault::new(Code::Internal).with("what", "a stack key without its secrets"));
            }
        };
        let key = Arc::new(parsed(&self.reference, &text)?);
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(key.clone());
        Ok(key)
    }

    /// The same, once for all tenants.
    fn known(&self) -> Result<Arc<StackKey>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        known.map_or_else(|| self.read(), Ok)
    }
}

/// The stack key in a text that stands where `reference` says.
///
/// # Errors
/// `StackKey`.
pub fn parsed(reference: &str, text: &SecretString) -> Result<StackKey> {
    StackKey::parse(text).map_err(|why| unusable(reference, why.message().render(&Language::default())))
}

fn unusable(reference: &str, problem: String) -> Fault {
    Fault::new(Code::StackKey).with("reference", reference).with("problem", problem)
}

/// The directory of a stack's keys.
#[derive(Debug, Clone)]
pub(crate) struct KeyDirectory {
    pub(crate) path: PathBuf,
    stack: StackName,
    stack_key: Option<Configured>,
}

impl KeyDirectory {
    pub(crate) fn new(path: PathBuf, stack: StackName) -> Self {
        Self { path, stack, stack_key: None }
    }

    /// From now on what is written is wrapped by the stack key that stands there.
    pub(crate) fn wrapped_by(&mut self, reference: String, secrets: SecretSource) {
        self.stack_key = Some(Configured { reference, secrets, known: Arc::default() });
    }

    /// Whether a stack key is configured, whatever is wrong with it.
    pub(crate) fn is_wrapping(&self) -> bool {
        self.stack_key.is_some()
    }

    /// The stack key as it is now, not as it was when this process began: nothing is to be wrapped by one that is gone.
    pub(crate) fn stack_key_now(&self) -> Result<Option<Arc<StackKey>>> {
        self.stack_key.as_ref().map(Configured::read).transpose()
    }

    /// A wrapped file stays closed.
    pub(crate) fn closed(&self, path: &Path, tenant: &TenantName, why: Option<&Closed>) -> Fault {
        let reference = self.stack_key.as_ref().map_or("–", |configured| configured.reference.as_str());
        let message = |id: &str| {
            Message::new(id).with("tenant", tenant).with("stack", &self.stack).with("reference", reference)
        };
        let (problem, hint) = match why {
            None => ("key-closed-unconfigured", "hint-key-closed-unconfigured"),
            Some(Closed::Another) => ("key-closed-another", "hint-key-closed-another"),
            Some(Closed::Damaged(_)) => ("key-closed-damaged", "hint-key-closed-damaged"),
        };
        let fault = Fault::new(Code::KeyWrapped)
            .with("tenant", tenant)
            .with("path", path.display())
            .with("problem", message(problem).render(&Language::default()))
            .hint(message(hint));
        match why {
            Some(Closed::Damaged(cause)) => fault.because(cause),
            _ => fault,
        }
    }

    /// What a file with keys holds, wrapped or not.
    pub(crate) fn read(&self, path: &Path, tenant: &TenantName) -> Result<Content> {
        match self.read_once(path, tenant)? {
            // What is replaced is overwritten, perhaps between the opening and the reading; then another is there already.
            Content::Damaged(_) => self.read_once(path, tenant),
            found => Ok(found),
        }
    }

    fn read_once(&self, path: &Path, tenant: &TenantName) -> Result<Content> {
        let unreadable = |error: io::Error| {
            Fault::new(Code::VaultKey).with("tenant", tenant).with("path", path.display()).because(error)
        };
        let bytes = match bytes_of(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::Absent),
            Err(error) => return Err(unreadable(error)),
        };
        if !is_wrapped(&bytes) {
            return Ok(match String::from_utf8(bytes) {
                Ok(text) => Content::Text(SecretString::from(text)),
                Err(_) => Content::Damaged(unreadable(io::ErrorKind::InvalidData.into())),
            });
        }
        let Some(configured) = &self.stack_key else { return Err(self.closed(path, tenant, None)) };
        match configured.known()?.open(&bytes) {
            Ok(text) => Ok(Content::Text(text)),
            Err(Closed::Another) => Err(self.closed(path, tenant, Some(&Closed::Another))),
            Err(why) => Ok(Content::Damaged(self.closed(path, tenant, Some(&why)))),
        }
    }

    /// Writes keys into a file, wrapped if a stack key is configured. `unfinished` is where the file is until it is whole.
    pub(crate) fn write(
        &self,
        path: &Path,
        unfinished: &Path,
        tenant: &TenantName,
        text: &SecretString,
    ) -> Result<()> {
        let key = self.stack_key_now()?;
        durable::make_directory(&self.path)
            .and_then(|()| store(path, unfinished, text, key.as_deref()))
            .map_err(|error| {
                Fault::new(Code::VaultKey).with("tenant", tenant).with("path", path.display()).because(error)
            })
    }
}

/// The bytes of a file with keys.
fn bytes_of(path: &Path) -> io::Result<Vec<u8>> {
    whole(File::open(path)?)
}

/// The same of one that is open.
pub(crate) fn whole(mut file: File) -> io::Result<Vec<u8>> {
    if file.metadata()?.len() > LARGEST {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes keys into a file that only its owner may read, wrapped by a key or as they are. It takes its place when it was read
/// back from the disk, opened, and found to hold what it should; until then what was there stays.
pub(crate) fn store(
    path: &Path,
    unfinished: &Path,
    text: &SecretString,
    key: Option<&StackKey>,
) -> io::Result<()> {
    let bytes = match key {
        Some(key) => key.seal(text)?,
        None => text.expose_secret().as_bytes().to_vec(),
    };
    durable::write_file_checked(path, unfinished, 0o600, [bytes.as_slice()], |unfinished| {
        eclusa_crash::point("vault.key.written");
        if holds(unfinished, text, key)? {
            return Ok(());
        }
        Err(io::Error::new(io::ErrorKind::InvalidData, "what was written does not come back as it was"))
    })
}

/// Whether a file, read from the disk and not from memory, holds these keys.
fn holds(path: &Path, text: &SecretString, key: Option<&StackKey>) -> io::Result<bool> {
    let file = File::open(path)?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
    let bytes = whole(file)?;
    Ok(match key {
        Some(key) => {
            is_wrapped(&bytes)
                && key.open(&bytes).is_ok_and(|found| found.expose_secret() == text.expose_secret())
        }
        None => bytes == text.expose_secret().as_bytes(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn key() -> StackKey {
        let text = age::x25519::Identity::generate().to_string();
        StackKey::parse(&SecretString::from(age::secrecy::ExposeSecret::expose_secret(&text))).unwrap()
    }

    #[test]
    fn a_file_is_only_taken_for_the_keys_that_come_back_out_of_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("alpha.key");
        let (ours, other) = (key(), key());
        let text = SecretString::from("a key\n");
        for key in [Some(&ours), None] {
            store(&path, &directory.path().join("unfinished"), &text, key).unwrap();
            assert!(holds(&path, &text, key).unwrap());
            assert!(!holds(&path, &SecretString::from("another key\n"), key).unwrap());
            assert!(!holds(&path, &text, Some(&other)).unwrap());
        }
        store(&path, &directory.path().join("unfinished"), &text, Some(&ours)).unwrap();
        assert!(!holds(&path, &text, None).unwrap(), "a wrapped one is no plain one");
    }
}
