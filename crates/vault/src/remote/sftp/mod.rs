//! A directory behind SFTP, over the `ssh` of this machine.
//!
//! A file is written beside, synchronised where the server can, and renamed: it is there whole or not at all. What a killed
//! process left beside is removed the next time, or stays where the credentials may not remove: it is in nobody's way.
//!
//! opendal's own service for SFTP is not used: it makes the directory when it is not there (an unmounted disk, then), writes
//! without synchronising, takes every refusal of the server for something that passes, and knows no file of known hosts.

mod connection;

use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _};
use openssh_sftp_client::Error;
use openssh_sftp_client::error::SftpErrorKind;
use openssh_sftp_client::metadata::Permissions;
use tokio::io::AsyncSeekExt as _;
use tokio::sync::Mutex;

use self::connection::Connection;
use super::{Existing, Kind, Store, Trouble, wait};

/// After the first try.
const MORE_TRIES: usize = 2;
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// Directories that are listed at once.
const LISTED_AT_ONCE: usize = 8;
/// Only their owner may enter the directories that are made.
const DIRECTORY_MODE: u16 = 0o700;

/// Where files lie, and with which key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SftpPlace {
    /// The host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The user.
    pub user: String,
    /// The directory there, which must be there.
    pub directory: String,
    /// The file of the private key.
    pub key: PathBuf,
    /// The file with the host's public key.
    pub known_hosts: PathBuf,
    /// How long one file may take.
    pub timeout: Duration,
}

/// A directory on another machine.
pub(super) struct SftpStore(Arc<Shared>);

struct Shared {
    place: SftpPlace,
    connection: Mutex<Option<Arc<Connection>>>,
}

impl std::fmt::Debug for SftpStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("SftpStore").field(&self.0.place).finish()
    }
}

/// What a single operation comes to: an error of ours, or one of the protocol that is not understood yet.
enum Failed {
    Ours(io::Error),
    Theirs(Error),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Theirs(error)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Ours(error)
    }
}

type Done<T> = std::result::Result<T, Failed>;

fn is(error: &Error, kind: SftpErrorKind) -> bool {
    matches!(error, Error::SftpError(found, _) if std::mem::discriminant(found) == std::mem::discriminant(&kind))
}

/// What an answer of the server, or a connection that ended, means.
fn meaning(error: &Error, said: &str) -> io::Error {
    match error {
        Error::SftpError(SftpErrorKind::NoSuchFile, _) => {
            Trouble::error(Kind::Missing, "there is no such file")
        }
        Error::SftpError(SftpErrorKind::PermDenied, _) => {
            Trouble::error(Kind::Denied, "the server answered: permission denied")
        }
        Error::SftpError(SftpErrorKind::OpUnsupported, _) => {
            Trouble::error(Kind::Denied, "the server answered that it does not do this")
        }
        Error::SftpError(..) => {
            Trouble::error(Kind::Other, "the server could not do it, and did not say why")
        }
        other if said.is_empty() => {
            Trouble::error(Kind::Unreachable, format!("the connection ended: {other}"))
        }
        _ => Trouble::error(Kind::Unreachable, format!("the connection ended: {said}")),
    }
}

impl Shared {
    async fn connected(&self) -> io::Result<Arc<Connection>> {
        let mut known = self.connection.lock().await;
        if let Some(connection) = &*known {
            return Ok(connection.clone());
        }
        let connection = Arc::new(Connection::open(&self.place).await?);
        *known = Some(connection.clone());
        Ok(connection)
    }

    async fn disconnect(&self, broken: &Arc<Connection>) {
        let mut known = self.connection.lock().await;
        if known.as_ref().is_some_and(|connection| Arc::ptr_eq(connection, broken)) {
            *known = None;
        }
    }

    /// Does something on a connection; when that ends meanwhile, on another one.
    async fn on<T, F: Future<Output = Done<T>>>(&self, work: impl Fn(Arc<Connection>) -> F) -> io::Result<T> {
        let once = || async {
            let connection = self.connected().await?;
            let failed = match tokio::time::timeout(self.place.timeout, work(connection.clone())).await {
                Ok(Ok(done)) => return Ok(done),
                Ok(Err(Failed::Ours(error))) => return Err(error),
                Ok(Err(Failed::Theirs(error))) => meaning(&error, &connection.said()),
                Err(_) => Trouble::error(
                    Kind::Unreachable,
                    format!("no answer within {} s", self.place.timeout.as_secs()),
                ),
            };
            if Trouble::kind_of(&failed) == Kind::Unreachable {
                self.disconnect(&connection).await;
            }
            Err(failed)
        };
        once.retry(ExponentialBuilder::default().with_min_delay(FIRST_PAUSE).with_max_times(MORE_TRIES))
            .when(|error| Trouble::kind_of(error) == Kind::Unreachable)
            .await
    }

    fn absolute(&self, path: &str) -> String {
        format!("{}/{path}", self.place.directory.trim_end_matches('/'))
    }
}

impl SftpStore {
    pub(super) fn new(place: SftpPlace) -> Self {
        Self(Arc::new(Shared { place, connection: Mutex::new(None) }))
    }
}

/// Where files lie that are being written: in the repository, or beside the repositories.
fn unfinished(path: &str) -> String {
    let mut parts = path.split('/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(stack), Some(tenant), Some(_)) => format!("{stack}/{tenant}/tmp"),
        (Some(stack), ..) => format!("{stack}/.unfinished"),
        _ => ".unfinished".to_owned(),
    }
}

/// Makes a directory and those above it, below the one that must be there.
async fn make_directory(connection: &Connection, base: &str, directory: &str) -> Done<()> {
    let mut current = base.trim_end_matches('/').to_owned();
    for part in directory.split('/') {
        current = format!("{current}/{part}");
        let mut fs = connection.sftp.fs();
        let mut builder = fs.dir_builder();
        let made = builder.permissions(Permissions::from(DIRECTORY_MODE)).create(&current).await;
        // The protocol has no word for a directory that is there already.
        if let Err(error) = made
            && connection.sftp.fs().metadata(&current).await.is_err()
        {
            return Err(error.into());
        }
    }
    Ok(())
}

async fn write_beside(connection: &Connection, path: &str, content: &Bytes) -> Done<()> {
    let mut file = connection.sftp.options().write(true).create_new(true).open(path).await?;
    let written = async {
        file.write_all(content).await?;
        if connection.sftp.support_fsync() {
            file.sync_all().await?;
        }
        Ok::<(), Error>(())
    }
    .await;
    let closed = file.close().await;
    Ok(written.and(closed)?)
}

/// A refusal without a reason may be a full disk; the server knows how much room there is.
async fn or_full(connection: &Connection, directory: &str, error: Failed) -> Failed {
    match &error {
        Failed::Theirs(theirs) if is(theirs, SftpErrorKind::Failure) => {
            let mut fs = connection.sftp.fs();
            match fs.statvfs(directory).await {
                Ok(room) if room.bavail < 16 || room.favail == 0 && room.files > 0 => {
                    Trouble::error(Kind::Full, "the disk is full").into()
                }
                _ => error,
            }
        }
        _ => error,
    }
}

async fn put_in_place(connection: &Connection, beside: &str, path: &str, existing: Existing) -> Done<()> {
    let mut fs = connection.sftp.fs();
    // A server without the extension replaces nothing by renaming.
    if existing == Existing::Goes && !connection.sftp.support_posix_rename() {
        fs.remove_file(path).await?;
    }
    fs.rename(beside, path).await?;
    Ok(())
}

impl Shared {
    async fn write(
        &self,
        connection: &Connection,
        path: &str,
        content: &Bytes,
        existing: Existing,
    ) -> Done<()> {
        let base = &self.place.directory;
        let target = self.absolute(path);
        if existing == Existing::Stays {
            match connection.sftp.fs().metadata(&target).await {
                Ok(_) => return Err(Trouble::error(Kind::Exists, "it is there already").into()),
                Err(error) if is(&error, SftpErrorKind::NoSuchFile) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let directory = unfinished(path);
        let beside = format!("{}/unfinished-{}", self.absolute(&directory), crate::key::random_name());
        let mut written = write_beside(connection, &beside, content).await;
        if matches!(&written, Err(Failed::Theirs(error)) if is(error, SftpErrorKind::NoSuchFile)) {
            make_directory(connection, base, &directory).await?;
            written = write_beside(connection, &beside, content).await;
        }
        if let Err(error) = written {
            let error = or_full(connection, base, error).await;
            let _ = connection.sftp.fs().remove_file(&beside).await;
            return Err(error);
        }
        eclusa_crash::point("vault.mirror.beside");
        let mut placed = put_in_place(connection, &beside, &target, existing).await;
        if matches!(&placed, Err(Failed::Theirs(error)) if is(error, SftpErrorKind::NoSuchFile)) {
            if let Some((parent, _)) = path.rsplit_once('/') {
                make_directory(connection, base, parent).await?;
            }
            placed = put_in_place(connection, &beside, &target, existing).await;
        }
        if let Err(Failed::Theirs(error)) = &placed
            && matches!(error, Error::SftpError(..))
        {
            let _ = connection.sftp.fs().remove_file(&beside).await;
            let refused = meaning(error, "");
            let what = if existing == Existing::Goes {
                "it is damaged there, and cannot be replaced"
            } else {
                "it was written beside, and cannot be renamed"
            };
            return Err(Trouble::error(Trouble::kind_of(&refused), format!("{what}: {refused}")).into());
        }
        placed
    }
}

impl Store for SftpStore {
    fn location(&self) -> String {
        let place = &self.0.place;
        format!("sftp://{}@{}:{}{}", place.user, place.host, place.port, place.directory)
    }

    fn check(&self) -> io::Result<()> {
        let shared = self.0.clone();
        wait(async move {
            let directory = shared.place.directory.clone();
            let found = shared
                .on(|connection| {
                    let directory = directory.clone();
                    async move { Ok(connection.sftp.fs().metadata(&directory).await?) }
                })
                .await;
            match found {
                Ok(found) if found.file_type().is_none_or(|kind| kind.is_dir()) => Ok(()),
                Ok(_) => Err(Trouble::error(Kind::NoPlace, format!("{directory} is no directory there"))),
                Err(error) if Trouble::kind_of(&error) == Kind::Missing => {
                    Err(Trouble::error(Kind::NoPlace, format!("there is no directory {directory}")))
                }
                Err(error) => Err(error),
            }
        })
    }

    fn list(&self, directory: &str, nested: bool) -> io::Result<Vec<(String, u64)>> {
        let (shared, directory) = (self.0.clone(), self.0.absolute(directory));
        wait(async move {
            let (files, directories) = entries(&shared, directory.clone()).await?;
            if !nested {
                return Ok(files);
            }
            let below = directories.into_iter().map(|name| {
                let (shared, directory) = (shared.clone(), format!("{directory}/{name}"));
                async move { entries(&shared, directory).await }
            });
            let below: Vec<Entries> =
                futures_util::stream::iter(below).buffer_unordered(LISTED_AT_ONCE).try_collect().await?;
            Ok(files.into_iter().chain(below.into_iter().flat_map(|(files, _)| files)).collect())
        })
    }

    fn read(&self, path: &str, part: Option<Range<u64>>) -> io::Result<Bytes> {
        let (shared, path) = (self.0.clone(), self.0.absolute(path));
        wait(async move {
            shared
                .on(|connection| {
                    let (path, part) = (path.clone(), part.clone());
                    async move { read(&connection, &path, part).await }
                })
                .await
        })
    }

    fn write(&self, path: &str, content: Bytes, existing: Existing) -> io::Result<()> {
        let (shared, path) = (self.0.clone(), path.to_owned());
        wait(async move {
            shared
                .on(|connection| {
                    let (shared, path, content) = (shared.clone(), path.clone(), content.clone());
                    async move { shared.write(&connection, &path, &content, existing).await }
                })
                .await
        })
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let (shared, path) = (self.0.clone(), self.0.absolute(path));
        wait(async move {
            match remove(&shared, path).await {
                Err(error) if Trouble::kind_of(&error) == Kind::Missing => Ok(()),
                removed => removed,
            }
        })
    }

    fn remove_unfinished(&self, directory: &str) -> io::Result<()> {
        let (shared, directory) = (self.0.clone(), self.0.absolute(&format!("{directory}/tmp")));
        wait(async move {
            let (files, _) = entries(&shared, directory.clone()).await?;
            for (name, _) in files {
                let path = format!("{directory}/{name}");
                match remove(&shared, path.clone()).await {
                    // Credentials that only add may not, and whoever may can do it.
                    Err(error) if Trouble::kind_of(&error) == Kind::Unreachable => return Err(error),
                    Err(error) => {
                        tracing::warn!("{path} was left by a copy that was killed and stays there: {error}");
                    }
                    Ok(()) => {}
                }
            }
            Ok(())
        })
    }
}

/// Files with their sizes, and directories.
type Entries = (Vec<(String, u64)>, Vec<String>);

async fn entries(shared: &Shared, directory: String) -> io::Result<Entries> {
    let listed = shared
        .on(|connection| {
            let directory = directory.clone();
            async move {
                let opened = match connection.sftp.fs().open_dir(&directory).await {
                    Err(error) if is(&error, SftpErrorKind::NoSuchFile) => return Ok(Vec::new()),
                    opened => opened?,
                };
                Ok(Box::pin(opened.read_dir()).try_collect::<Vec<_>>().await?)
            }
        })
        .await?;
    let (mut files, mut directories) = (Vec::new(), Vec::new());
    for entry in listed {
        let Some(name) = entry.filename().to_str().filter(|name| !name.starts_with('.')) else { continue };
        match entry.file_type() {
            Some(kind) if kind.is_dir() => directories.push(name.to_owned()),
            Some(kind) if kind.is_file() => {
                files.push((name.to_owned(), entry.metadata().len().unwrap_or(u64::MAX)));
            }
            _ => {}
        }
    }
    Ok((files, directories))
}

async fn remove(shared: &Shared, path: String) -> io::Result<()> {
    shared
        .on(|connection| {
            let path = path.clone();
            async move { Ok(connection.sftp.fs().remove_file(&path).await?) }
        })
        .await
}

async fn read(connection: &Connection, path: &str, part: Option<Range<u64>>) -> Done<Bytes> {
    let mut file = connection.sftp.open(path).await?;
    let length = file.metadata().await?.len().unwrap_or_default();
    let part = part.unwrap_or(0..length);
    // A damaged length must not become an allocation.
    if part.end > length {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    if part.start > 0 {
        file.seek(io::SeekFrom::Start(part.start)).await?;
    }
    let wanted = usize::try_from(part.end - part.start).map_err(io::Error::other)?;
    let content = file.read_all(wanted, BytesMut::new()).await?;
    Ok(content.freeze())
}
