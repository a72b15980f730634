//! A restic repository at a place on another machine, in the layout that restic uses everywhere: `config`, `data/xx/`,
//! `index/`, `keys/`, `snapshots/`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use rustic_core::{BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend};

use super::{Existing, Kind, Store, Trouble};
use crate::files::{RepositoryFiles, is_named_by, misnamed};

/// Files that are on their way at once: enough to fill a line whose answers take a while.
const AT_ONCE: usize = 4;

/// One repository.
#[derive(Debug)]
pub(crate) struct RemoteRepository {
    store: Arc<dyn Store>,
    /// Where it lies, without a `/` at its end.
    root: String,
    /// Whether files may be removed.
    may_remove: bool,
}

impl RemoteRepository {
    pub(crate) fn new(store: Arc<dyn Store>, root: String) -> Self {
        Self { store, root, may_remove: false }
    }

    /// One from which points are thrown away.
    pub(crate) fn that_may_remove(self) -> Self {
        Self { may_remove: true, ..self }
    }

    fn path(&self, kind: FileType, id: &Id) -> String {
        self.file(kind, id.to_hex().as_str())
    }

    /// Where a file of a kind lies that has this name.
    fn file(&self, kind: FileType, name: &str) -> String {
        let directory = self.directory(kind);
        match kind {
            FileType::Config => format!("{directory}/config"),
            FileType::Pack => format!("{directory}/{}/{name}", name.get(..2).unwrap_or_default()),
            _ => format!("{directory}/{name}"),
        }
    }

    /// Where the files of a kind lie.
    fn directory(&self, kind: FileType) -> String {
        match kind {
            FileType::Config => self.root.clone(),
            kind => format!("{}/{}", self.root, kind.dirname()),
        }
    }

    /// The names of the files of a kind, with their bytes.
    fn names(&self, kind: FileType) -> io::Result<Vec<(String, u64)>> {
        if kind != FileType::Config {
            return self.store.list(&self.directory(kind), kind == FileType::Pack);
        }
        match self.store.read(&self.file(kind, "config"), None) {
            Ok(content) => Ok(vec![("config".to_owned(), content.len() as u64)]),
            Err(error) if Trouble::kind_of(&error) == Kind::Missing => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn failed(&self, operation: &'static str, path: &str, error: io::Error) -> Box<RusticError> {
        RusticError::with_source(ErrorKind::Backend, format!("{operation} `{{path}}` failed"), error)
            .attach_context("path", format!("{}/{path}", self.store.location()))
    }

    fn whole(&self, kind: FileType, id: &Id) -> io::Result<(Bytes, bool)> {
        let content = self.store.read(&self.path(kind, id), None)?;
        let sound = is_named_by(&content, kind, id);
        Ok((content, sound))
    }
}

/// Destroying all of it.
impl RemoteRepository {
    /// How many files there are, and their bytes; `None` when there is none.
    pub(crate) fn count(&self) -> io::Result<Option<(u64, u64)>> {
        let (mut files, mut bytes) = (0, 0);
        for kind in [FileType::Config, FileType::Key, FileType::Snapshot, FileType::Index, FileType::Pack] {
            for (_, size) in self.names(kind)? {
                files += 1;
                bytes += size;
            }
        }
        Ok((files > 0).then_some((files, bytes)))
    }

    /// Destroys the files of a kind, several at once, since each is an answer to wait for; and what the place keeps of them
    /// when they are gone.
    pub(crate) fn destroy_kind(&self, kind: FileType) -> io::Result<()> {
        let names = self.names(kind)?;
        let next = AtomicUsize::new(0);
        let destroy = || {
            while let Some((name, _)) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.store.remove(&self.file(kind, name))?;
                eclusa_crash::point("vault.mirror.removing");
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(destroy)).collect();
            let ended = |worker: std::thread::ScopedJoinHandle<'_, io::Result<()>>| {
                worker.join().unwrap_or_else(|_| Err(io::Error::other("a thread that removed files died")))
            };
            workers.into_iter().try_for_each(ended)
        })?;
        self.store.destroy_versions(&self.directory(kind))
    }

    /// Destroys what is left once the files of the other kinds are gone. By the file that goes last it is seen that this was
    /// not done to its end.
    pub(crate) fn destroy_rest(&self) -> io::Result<()> {
        self.store.remove_unfinished(&self.root)?;
        self.destroy_kind(FileType::Config)
    }
}

impl ReadBackend for RemoteRepository {
    fn location(&self) -> String {
        format!("{}/{}", self.store.location(), self.root)
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let length = |bytes: u64| u32::try_from(bytes).unwrap_or(u32::MAX);
        let listed = self.names(kind).map_err(|error| match kind {
            FileType::Config => self.failed("reading", &self.file(kind, "config"), error),
            kind => self.failed("listing", &self.directory(kind), error),
        })?;
        if kind == FileType::Config {
            return Ok(listed.into_iter().map(|(_, bytes)| (Id::default(), length(bytes))).collect());
        }
        // Other names are not of the format; restic passes over them too.
        let known = |(name, bytes): (String, u64)| {
            let id = Some(name).filter(|name| name.len() == 64)?.parse().ok()?;
            Some((id, length(bytes)))
        };
        let mut found: Vec<(Id, u32)> = listed.into_iter().filter_map(known).collect();
        found.sort_unstable_by_key(|(id, _)| *id);
        Ok(found)
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        let path = self.path(kind, id);
        match self.whole(kind, id) {
            Ok((content, true)) => Ok(content),
            Ok((_, false)) => Err(self.failed("checking", &path, misnamed())),
            Err(error) => Err(self.failed("reading", &path, error)),
        }
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        _: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        let path = self.path(kind, id);
        let part = u64::from(offset)..u64::from(offset) + u64::from(length);
        let read = self.store.read(&path, Some(part)).and_then(|content| {
            // A shorter answer must not become a shorter file.
            if content.len() as u64 == u64::from(length) {
                Ok(content)
            } else {
                Err(io::Error::from(io::ErrorKind::UnexpectedEof))
            }
        });
        read.map_err(|error| self.failed("reading", &path, error))
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        self.path(kind, id)
    }
}

impl WriteBackend for RemoteRepository {
    /// Directories come with the first file in them.
    fn create(&self) -> RusticResult<()> {
        Ok(())
    }

    /// Writes a file that is not there, or puts a sound one in the place of one that is damaged. What is there and sound
    /// stays as it is: another process may have written it meanwhile.
    fn write_bytes(&self, kind: FileType, id: &Id, _: bool, content: BytesList) -> RusticResult<()> {
        let path = self.path(kind, id);
        let content = match content.slice() {
            [whole] => whole.clone(),
            pieces => Bytes::from(pieces.concat()),
        };
        let write = || match self.store.write(&path, content.clone(), Existing::Stays) {
            Err(error) if Trouble::kind_of(&error) == Kind::Exists => {
                if kind == FileType::Config || self.is_sound(kind, id)? {
                    return Ok(());
                }
                self.store.write(&path, content.clone(), Existing::Goes)
            }
            written => written,
        };
        write().map_err(|error| self.failed("writing", &path, error))
    }

    /// Nothing is removed from a mirror but by who throws points away there.
    fn remove(&self, kind: FileType, id: &Id, _: bool) -> RusticResult<()> {
        if self.may_remove {
            let path = self.path(kind, id);
            eclusa_crash::point("vault.mirror.removing");
            return self.store.remove(&path).map_err(|error| self.failed("removing", &path, error));
        }
        let error = io::Error::new(io::ErrorKind::Unsupported, "nothing is removed from a mirror");
        Err(self.failed("removing", &self.path(kind, id), error))
    }
}

impl RepositoryFiles for RemoteRepository {
    fn publish_snapshots(&self) {}

    fn published(&self) -> Option<Id> {
        None
    }

    fn remove_unfinished(&self) -> io::Result<()> {
        self.store.remove_unfinished(&self.root)
    }

    fn is_sound(&self, kind: FileType, id: &Id) -> io::Result<bool> {
        self.whole(kind, id).map(|(_, sound)| sound)
    }

    fn is_sound_there(&self, kind: FileType, id: &Id) -> io::Result<bool> {
        self.is_sound(kind, id)
    }

    fn at_once(&self) -> usize {
        AT_ONCE
    }
}
