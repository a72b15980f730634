//! Repositories that lie on other machines: what is asked of a place for files there, and a repository on top of it.
//!
//! A place ([`Store`]) knows only names and bytes. What is written there is there whole or not at all, and nothing that is
//! there is replaced unless that was asked for. What goes wrong is an [`io::Error`] that holds a [`Trouble`], so that whoever
//! tells people of it knows what to advise.
//!
//! rustic_core blocks, and what talks to other machines does not. So each call is sent to threads that are kept for this
//! ([`wait`]), and whoever calls waits; no async worker ever does.

mod repository;
mod s3;
mod sftp;

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use eclusa_fault::Result;
use eclusa_ports::SecretResolver;

pub(crate) use repository::RemoteRepository;
pub use s3::S3Place;
pub use sftp::SftpPlace;

/// What kind of thing is wrong, as far as it decides what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nobody answers, or stopped answering.
    Unreachable,
    /// These credentials may not.
    Denied,
    /// The other machine is not the one that is known, or is none that is known.
    Stranger,
    /// There is no room.
    Full,
    /// The bucket or the directory is not there.
    NoPlace,
    /// The file is not there.
    Missing,
    /// The file is there already.
    Exists,
    /// Anything else.
    Other,
}

/// What went wrong at another machine.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) kind: Kind,
    text: String,
}

impl Trouble {
    /// As an error of reading or writing.
    pub(crate) fn error(kind: Kind, text: impl Into<String>) -> io::Error {
        let for_others = match kind {
            Kind::Unreachable => io::ErrorKind::NotConnected,
            Kind::Denied => io::ErrorKind::PermissionDenied,
            Kind::Full => io::ErrorKind::StorageFull,
            Kind::NoPlace | Kind::Missing => io::ErrorKind::NotFound,
            Kind::Exists => io::ErrorKind::AlreadyExists,
            Kind::Stranger | Kind::Other => io::ErrorKind::Other,
        };
        io::Error::new(for_others, Self { kind, text: text.into() })
    }

    /// The kind of an error, wherever it came from.
    pub(crate) fn kind_of(error: &io::Error) -> Kind {
        let ours = error.get_ref().and_then(|inner| inner.downcast_ref::<Self>());
        ours.map_or_else(
            || match error.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Kind::Denied,
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Kind::Full,
                _ => Kind::Other,
            },
            |trouble| trouble.kind,
        )
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for Trouble {}

/// What becomes of a file that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// It stays, and that is an error of kind [`Kind::Exists`]; where the place can say so at once.
    Stays,
    /// It is replaced: it is damaged.
    Goes,
}

/// A place for files on another machine. Paths are relative, with `/` between their parts.
pub(crate) trait Store: fmt::Debug + Send + Sync {
    /// Where it is, for people.
    fn location(&self) -> String;

    /// Whether it is there and lets itself be used.
    fn check(&self) -> io::Result<()>;

    /// The names and sizes of the files in a directory; with `nested`, of those in the directories in it. A directory that
    /// is not there has none.
    fn list(&self, directory: &str, nested: bool) -> io::Result<Vec<(String, u64)>>;

    /// A file, or a part of it.
    fn read(&self, path: &str, part: Option<Range<u64>>) -> io::Result<Bytes>;

    /// Writes a file, whole or not at all.
    fn write(&self, path: &str, content: Bytes, existing: Existing) -> io::Result<()>;

    /// Removes a file; one that is not there is passed over.
    fn remove(&self, path: &str) -> io::Result<()>;

    /// Removes what a killed process left unfinished below a directory, as far as the credentials allow.
    fn remove_unfinished(&self, directory: &str) -> io::Result<()>;

    /// Destroys what the place itself keeps of files below a directory that were removed or replaced. An error when some of
    /// it stays, or when nobody can tell.
    fn destroy_versions(&self, directory: &str) -> io::Result<()> {
        let _ = directory;
        Ok(())
    }
}

/// A place on another machine, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RemotePlace {
    /// S3-compatible storage.
    S3(S3Place),
    /// A directory behind SFTP.
    Sftp(SftpPlace),
}

/// Where references to secrets are resolved, at the moment they are needed.
#[derive(Clone, Default)]
pub(crate) struct SecretSource(pub(crate) Option<Arc<dyn SecretResolver>>);

impl fmt::Debug for SecretSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SecretSource")
    }
}

/// A place on another machine that is connected to when it is first used.
#[derive(Debug)]
pub(crate) struct Remote {
    place: RemotePlace,
    secrets: SecretSource,
    store: Mutex<Option<Arc<dyn Store>>>,
}

impl Remote {
    pub(crate) fn new(place: RemotePlace, secrets: SecretSource) -> Self {
        Self { place, secrets, store: Mutex::new(None) }
    }

    /// The place. Nothing has been sent there yet.
    ///
    /// # Errors
    /// `SecretMissing`.
    pub(crate) fn store(&self) -> Result<Arc<dyn Store>> {
        let mut known = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(store) = &*known {
            return Ok(store.clone());
        }
        let store: Arc<dyn Store> = match &self.place {
            RemotePlace::S3(place) => Arc::new(s3::S3Store::new(place, &self.secrets)?),
            RemotePlace::Sftp(place) => Arc::new(sftp::SftpStore::new(place.clone())),
        };
        *known = Some(store.clone());
        Ok(store)
    }
}

/// How many threads talk to other machines.
const THREADS: usize = 2;

/// Has something done on the threads that talk to other machines, and waits for it.
fn wait<T: Send + 'static>(work: impl Future<Output = io::Result<T>> + Send + 'static) -> io::Result<T> {
    static RUNTIME: OnceLock<io::Result<tokio::runtime::Runtime>> = OnceLock::new();
    let runtime = RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("mirror")
            .enable_all()
            .build()
    });
    let runtime = runtime.as_ref().map_err(|error| Trouble::error(Kind::Other, error.to_string()))?;
    let (answer, answered) = std::sync::mpsc::sync_channel(1);
    runtime.spawn(async move {
        let _ = answer.send(work.await);
    });
    // The sender is dropped without an answer only when the task panicked.
    answered.recv().unwrap_or_else(|_| Err(Trouble::error(Kind::Other, "its task ended unexpectedly")))
}
