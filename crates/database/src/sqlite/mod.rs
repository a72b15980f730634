//! SQLite: a file on the host.
//!
//! A dump is the file itself, copied by SQLite's online backup while the tenant is served, into a temporary file
//! as big as the database; it is streamed from there and needs no tool to be used again. Its summary is computed
//! on the same copy ([`summary`](self::summarise_file)). A restore writes `PATH.SUFFIX.new` beside the live file;
//! a swap renames (`PATH.SUFFIX.old` is the kept one), with the services stopped by the caller.

mod dump;
mod restore;
mod summary;
mod swap;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::{DatabaseCopy, DatabaseFacts, DatabaseSummary, Dump, Meter, SwapState};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::fault;
use crate::names::Part;

pub use summary::summarise_file;

/// How long a lock of another process is waited for.
const LOCK_WAIT: Duration = Duration::from_secs(5);

/// A tenant's database that is a SQLite file.
pub(crate) struct Sqlite {
    tenant: String,
    files: Files,
    scratch: PathBuf,
    meter: Arc<Meter>,
}

/// The live file, and where its copies are.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    pub(crate) live: PathBuf,
}

impl Files {
    pub(crate) fn part(&self, suffix: &str, part: Part) -> PathBuf {
        with_ending(&self.live, &format!(".{suffix}.{}", part.word()))
    }

    pub(crate) fn copy(&self, copy: &DatabaseCopy) -> PathBuf {
        match copy {
            DatabaseCopy::Live => self.live.clone(),
            DatabaseCopy::Beside(suffix) => self.part(suffix, Part::New),
            DatabaseCopy::Kept(suffix) => self.part(suffix, Part::Old),
            DatabaseCopy::Aside(suffix) => self.part(suffix, Part::Aside),
        }
    }
}

/// Where a scratch database of this name lies: `PATH.NAME.scratch`.
#[must_use]
pub fn scratch_path(live: &Path, name: &str) -> PathBuf {
    with_ending(live, &format!(".{name}.scratch"))
}

/// A file's path with something put at its end.
pub(crate) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut text = path.as_os_str().to_owned();
    text.push(ending);
    text.into()
}

/// What SQLite keeps beside a file.
pub(crate) const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

impl Sqlite {
    pub(crate) fn new(tenant: &str, live: PathBuf, scratch: PathBuf, meter: Arc<Meter>) -> Self {
        Self { tenant: tenant.to_owned(), files: Files { live }, scratch, meter }
    }

    pub(crate) async fn facts(&self, _long_transaction: u64) -> Result<DatabaseFacts> {
        let live = self.files.live.clone();
        self.blocking(Code::DatabaseUnreachable, move || {
            open(&live)?.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
            let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
            Ok(DatabaseFacts {
                version: rusqlite::version().to_owned(),
                bytes: size(&live) + size(&with_ending(&live, "-wal")),
                // SQLite cannot be asked who holds a transaction open, or since when.
                long_transactions: Vec::new(),
                without_snapshot: Vec::new(),
                keeps_log: false,
            })
        })
        .await
    }

    pub(crate) async fn dump(&self) -> Result<Dump> {
        let (files, scratch, meter) = (self.files.clone(), self.scratch.clone(), self.meter.clone());
        let work = move || dump::dump(&files.live, &scratch, &meter).map_err(|problem| problem.at(&scratch));
        self.blocking(Code::DumpFailed, work).await
    }

    pub(crate) async fn restore_beside(
        &self,
        suffix: &str,
        stream: Box<dyn std::io::Read + Send>,
    ) -> Result<()> {
        let (files, suffix) = (self.files.clone(), suffix.to_owned());
        let work = move || {
            restore::restore_beside(&files, &suffix, stream).map_err(|problem| problem.at(&files.live))
        };
        self.blocking(Code::RestoreFailed, work).await
    }

    pub(crate) async fn summarise(&self, copy: &DatabaseCopy) -> Result<DatabaseSummary> {
        let missing =
            if *copy == DatabaseCopy::Live { Code::DatabaseUnreachable } else { Code::RestoreFailed };
        let path = self.files.copy(copy);
        self.blocking(missing, move || {
            let mut connection = open(&path)?;
            let snapshot = connection.transaction()?;
            summary::summarise(&snapshot)
        })
        .await
    }

    /// Statements that people give, in one transaction.
    pub(crate) async fn execute(&self, copy: &DatabaseCopy, statements: &str) -> Result<()> {
        use rusqlite::fallible_iterator::FallibleIterator;
        let (path, statements) = (self.files.copy(copy), statements.to_owned());
        self.blocking(Code::StatementsFailed, move || {
            let mut connection = open(&path)?;
            let transaction =
                connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let mut number = 0;
            // What SQLite says of a failure quotes the statement, so only its number is told.
            let told = |number: usize, error: &rusqlite::Error| {
                let code = error
                    .sqlite_error_code()
                    .map_or_else(|| "an error".to_owned(), |code| format!("{code:?}"));
                Problem::Said(format!("statement {number}: {code}"))
            };
            let mut batch = rusqlite::Batch::new(&transaction, &statements);
            loop {
                number += 1;
                let Some(mut statement) = batch.next().map_err(|error| told(number, &error))? else { break };
                let mut rows = statement.query([]).map_err(|error| told(number, &error))?;
                while rows.next().map_err(|error| told(number, &error))?.is_some() {}
            }
            transaction.commit()?;
            eclusa_crash::point("sqlite.statements.done");
            Ok(())
        })
        .await
    }

    pub(crate) async fn swap_state(&self, suffix: &str) -> Result<SwapState> {
        let (files, suffix) = (self.files.clone(), suffix.to_owned());
        self.blocking(Code::DatabaseUnreachable, move || Ok(swap::look(&files, &suffix)?.state())).await
    }

    pub(crate) async fn swap_in(&self, suffix: &str) -> Result<()> {
        let (files, suffix) = (self.files.clone(), suffix.to_owned());
        self.blocking(Code::SwapFailed, move || swap::swap_in(&files, &suffix)).await
    }

    pub(crate) async fn swap_back(&self, suffix: &str) -> Result<()> {
        let (files, suffix) = (self.files.clone(), suffix.to_owned());
        self.blocking(Code::SwapFailed, move || swap::swap_back(&files, &suffix)).await
    }

    pub(crate) async fn drop_copy(&self, copy: &DatabaseCopy) -> Result<()> {
        let (files, copy) = (self.files.clone(), copy.clone());
        self.blocking(Code::SwapFailed, move || {
            if let DatabaseCopy::Beside(suffix) = &copy {
                remove_database(&files.part(suffix, Part::Unfinished))?;
            }
            remove_database(&files.copy(&copy))
        })
        .await
    }

    pub(crate) async fn create_scratch(&self, name: &str) -> Result<()> {
        let path = scratch_path(&self.files.live, name);
        self.blocking(Code::DatabaseUnreachable, move || {
            remove_database(&path)?;
            // An empty file is an empty database.
            std::fs::File::create_new(&path).map(drop).map_err(Problem::from)
        })
        .await
    }

    pub(crate) async fn drop_scratch(&self, name: &str) -> Result<()> {
        let paths =
            [name.to_owned(), format!("test_{name}")].map(|name| scratch_path(&self.files.live, &name));
        self.blocking(Code::DatabaseUnreachable, move || {
            paths.iter().try_for_each(|path| remove_database(path))
        })
        .await
    }

    /// Runs blocking work on a thread for it, and makes a fault of what goes wrong there.
    async fn blocking<T, F>(&self, code: Code, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> std::result::Result<T, Problem> + Send + 'static,
    {
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(problem)) => Err(self.fault(code, problem)),
            Err(error) => Err(fault(code, &self.tenant).because(error)),
        }
    }

    fn fault(&self, code: Code, problem: Problem) -> Fault {
        let code = match &problem {
            Problem::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => match failure.code {
                ErrorCode::PermissionDenied | ErrorCode::AuthorizationForStatementDenied => {
                    Code::DatabaseDenied
                }
                _ => code,
            },
            Problem::Io(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                Code::DatabaseDenied
            }
            _ => code,
        };
        fault(code, &self.tenant).because(problem)
    }
}

/// What goes wrong with a file.
#[derive(Debug)]
pub enum Problem {
    /// SQLite says so.
    Sqlite(rusqlite::Error),
    /// The system says so.
    Io(std::io::Error),
    /// It is so, as a person reads it.
    Said(String),
}

impl Problem {
    /// The same, with the place that has no room, where that is what is wrong: neither SQLite nor the system names it.
    pub(crate) fn at(self, place: &Path) -> Self {
        let full = match &self {
            Self::Sqlite(rusqlite::Error::SqliteFailure(failure, _)) => failure.code == ErrorCode::DiskFull,
            Self::Io(error) => error.kind() == std::io::ErrorKind::StorageFull,
            _ => false,
        };
        if full { Self::Said(format!("the disk of {} is full", place.display())) } else { self }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(error) => error.fmt(formatter),
            Self::Io(error) => error.fmt(formatter),
            Self::Said(text) => text.fmt(formatter),
        }
    }
}

impl std::error::Error for Problem {}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Opens a database that is there. Writing is allowed, because reading one after a crash begins with writing:
/// its journal is played back.
pub(crate) fn open(path: &Path) -> std::result::Result<Connection, Problem> {
    // SQLite says "unable to open" to everything; the system says why.
    std::fs::File::open(path)
        .map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", path.display())))?;
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(LOCK_WAIT)?;
    Ok(connection)
}

/// Opens a complete copy that nobody else uses, without writing anything beside it.
pub(crate) fn open_untouched(path: &Path) -> std::result::Result<Connection, Problem> {
    use std::os::unix::ffi::OsStrExt;
    let mut address = String::from("file:");
    for byte in std::path::absolute(path)?.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => address.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => address.push(char::from(*byte)),
            byte => address.push_str(&format!("%{byte:02X}")),
        }
    }
    address.push_str("?immutable=1");
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Ok(Connection::open_with_flags(address, flags)?)
}

/// Removes a file that is no live database, with what SQLite keeps beside it.
pub(crate) fn remove_database(path: &Path) -> std::result::Result<(), Problem> {
    // The companions first: a file without them is whole or nothing, companions without their file are a trap.
    for companion in COMPANIONS {
        remove(&with_ending(path, companion))?;
    }
    eclusa_crash::point("sqlite.remove.companions");
    remove(path)?;
    eclusa_crash::point("sqlite.remove.file");
    sync_parent(path)
}

pub(crate) fn remove(path: &Path) -> std::result::Result<(), Problem> {
    // A read-only file system refuses to remove even what is not there.
    if std::fs::symlink_metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
        return Ok(());
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Makes what was done to names in a file's directory survive a crash.
pub(crate) fn sync_parent(path: &Path) -> std::result::Result<(), Problem> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if eclusa_crash::left_out("sqlite.names.sync") {
        return Ok(());
    }
    std::fs::File::open(parent)?.sync_all().map_err(Problem::from)
}
