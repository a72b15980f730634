//! The journal's file: opening, transactions, and the port.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{MaintenanceOwner, RunId, StackName, TenantName};
use eclusa_ports::{JournalStore, Proof, Request, RequestKind, RunSummary};
use eclusa_runbook::{Entry, Event};
use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::reserve::Reserve;
use crate::trouble::{Trouble, damaged, unwritable};
use crate::writing::Addition;
use crate::{durations, owners, reading, schema, writing};

/// How long another process may hold the journal's lock. An append takes milliseconds; a disk that is overloaded by
/// a backup may make it seconds.
const BUSY: Duration = Duration::from_secs(15);

/// From how many of the newest runs durations are taken.
const DURATION_RUNS: usize = 20;

/// What a journal is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// Reading and appending; it is made where it is missing.
    ReadWrite,
    /// Reading only; nothing is made. A journal that is missing reads as an empty one.
    ReadOnly,
}

/// The journal of one state directory, in a SQLite file.
#[derive(Debug)]
pub struct SqliteJournal {
    path: PathBuf,
    /// None when it is only read: then each call opens it, see [`SqliteJournal::look`].
    connection: Option<Mutex<Connection>>,
    /// The file that was opened for writing: its device and number.
    opened: Option<(u64, u64)>,
    reserve: Reserve,
}

impl SqliteJournal {
    /// Opens the journal in this file. Beside it lie `-wal` and `-shm` while it is open, and `.reserve`.
    ///
    /// # Errors
    /// `JournalDamaged` when the file is there and is no whole journal; `JournalTooNew`; `JournalUnwritable`;
    /// `StateDirectory` when its directory can be neither found nor made.
    pub fn open(path: impl Into<PathBuf>, mode: OpenMode) -> Result<Self> {
        let path = path.into();
        let reserve = Reserve::at(path.with_extension("reserve"));
        let mut journal = Self { path, connection: None, opened: None, reserve };
        match mode {
            OpenMode::ReadOnly => journal.look(|_| Ok(()))?,
            OpenMode::ReadWrite => {
                let connection = journal.open_writable()?;
                journal.connection = Some(Mutex::new(connection));
                journal.opened = journal.identity();
                journal.reserve.keep();
            }
        }
        Ok(journal)
    }

    /// The milliseconds that each step took in the newest `most_runs` runs of a stack, newest run first.
    ///
    /// # Errors
    /// `JournalDamaged`.
    pub fn step_durations(&self, stack: &StackName, most_runs: usize) -> Result<BTreeMap<String, Vec<u64>>> {
        self.look(|connection| durations::of_steps(connection, stack, most_runs))
    }

    fn open_writable(&self) -> Result<Connection> {
        if !self.is_there()? {
            self.create()?;
        }
        let path = &self.path;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let prepare = || -> std::result::Result<Connection, Trouble> {
            let mut connection = Connection::open_with_flags(path, flags)?;
            configure(&connection)?;
            schema::check(&connection)?;
            refuse_newer(&connection, path)?;
            let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
            if mode != "wal" {
                return Err(unwritable(path)
                    .because("its file system does not allow a write-ahead log")
                    .into());
            }
            connection.execute_batch(synchronous())?;
            schema::migrate(&mut connection, schema::newest())?;
            Ok(connection)
        };
        let connection = prepare().map_err(|trouble| trouble.into_fault(path))?;
        // By path, never by an open file: closing one would drop SQLite's locks on it in this process.
        let permissions =
            std::fs::metadata(path).map_err(|error| unwritable(path).because(error))?.permissions();
        if permissions.mode() & 0o077 != 0 {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
                .map_err(|error| unwritable(path).because(error))?;
        }
        Ok(connection)
    }

    /// Whether the file is there. One that is empty, or whose log was left without it, is damaged: SQLite would
    /// silently make a new journal of it.
    fn is_there(&self) -> Result<bool> {
        match std::fs::metadata(&self.path) {
            Ok(found) if !found.is_file() => Err(damaged(&self.path, "it is no file")),
            // SQLite's smallest page has 512 bytes.
            Ok(found) if found.len() < 512 => {
                Err(damaged(&self.path, format!("it has only {} bytes", found.len())))
            }
            Ok(found) => self.check_length(found.len()).map(|()| true),
            Err(error) if error.kind() == ErrorKind::NotFound => match std::fs::metadata(self.log_path()) {
                Ok(log) if log.len() > 0 => {
                    Err(damaged(&self.path, "it is missing, but its write-ahead log is there"))
                }
                _ => Ok(false),
            },
            Err(error) => Err(unwritable(&self.path).because(error)),
        }
    }

    /// A file that was cut is damaged, also where nobody reads the page that is gone: SQLite takes it for shorter. While
    /// the log is there, the file's own length may still be to come.
    fn check_length(&self, length: u64) -> Result<()> {
        let outside = |error: std::io::Error| unwritable(&self.path).because(error);
        // It is also the sign that somebody has the journal open, whose locks closing the file here would drop.
        if self.log_path().exists() {
            return Ok(());
        }
        // The page size stands at 16 (1 means 65536), the number of pages at 28.
        let mut header = [0_u8; 32];
        let mut file = std::fs::File::open(&self.path).map_err(outside)?;
        std::io::Read::read_exact(&mut file, &mut header).map_err(outside)?;
        let [.., page_high, page_low, _, _, _, _, _, _, _, _, _, _, a, b, c, d] = header;
        let page = match u64::from(u16::from_be_bytes([page_high, page_low])) {
            1 => 65536,
            page => page,
        };
        let promised = page * u64::from(u32::from_be_bytes([a, b, c, d]));
        if header.starts_with(b"SQLite format 3\0") && length < promised {
            return Err(damaged(&self.path, format!("it is cut: {length} of {promised} bytes are there")));
        }
        Ok(())
    }

    /// Makes an empty journal: whole, under another name, and only then in its place. Where another process was
    /// faster, its journal stays.
    fn create(&self) -> Result<()> {
        let directory = eclusa_durable::parent_of(&self.path);
        eclusa_durable::make_directory(directory, 0o700).map_err(|error| {
            Fault::new(Code::StateDirectory).with("path", directory.display()).because(error)
        })?;
        let outside = |error: &dyn std::fmt::Display| unwritable(&self.path).because(error);
        let file = tempfile::Builder::new()
            .prefix(".journal-")
            .tempfile_in(directory)
            .map_err(|error| outside(&error))?;
        let build = || -> rusqlite::Result<()> {
            let mut connection = Connection::open(file.path())?;
            connection.execute_batch(synchronous())?;
            schema::migrate(&mut connection, schema::newest())?;
            connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))
        };
        build().map_err(|error| outside(&error))?;
        // SQLite synchronised it with its last commit; this is for the mode, and does not rely on that.
        file.as_file().sync_all().map_err(|error| outside(&error))?;
        match file.persist_noclobber(&self.path) {
            Ok(_) => {}
            Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(outside(&error.error)),
        }
        if eclusa_crash::left_out("journal.directory.sync") {
            return Ok(());
        }
        eclusa_durable::synchronise_directory(directory).map_err(|error| outside(&error))
    }

    fn log_path(&self) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push("-wal");
        PathBuf::from(name)
    }

    /// Does reading work in one snapshot.
    ///
    /// A journal that is only read is opened anew each time. While a process has it open, its log is there, and it is
    /// read as any other connection would. When nobody has, SQLite would make the log's files even to read; so
    /// then it is opened as a file that does not change, and read again should it have changed meanwhile.
    fn look<T>(&self, work: impl Fn(&Connection) -> std::result::Result<T, Trouble>) -> Result<T> {
        let in_snapshot = |connection: &Connection| {
            let transaction = connection.unchecked_transaction()?;
            work(&transaction)
        };
        if let Some(connection) = &self.connection {
            let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            return in_snapshot(&connection).map_err(|trouble| trouble.into_fault(&self.path));
        }
        const TRIES: u32 = 5;
        for attempt in 1..=TRIES {
            if !self.is_there()? {
                let nothing = schema::empty(schema::newest()).map_err(Trouble::from);
                return nothing
                    .and_then(|connection| in_snapshot(&connection))
                    .map_err(|trouble| trouble.into_fault(&self.path));
            }
            let before = self.stamp();
            let result = self.open_readable(before.log).and_then(|connection| in_snapshot(&connection));
            let steady = before.log || before == self.stamp();
            match result {
                Ok(value) if steady => return Ok(value),
                Err(trouble) if steady || attempt == TRIES => return Err(trouble.into_fault(&self.path)),
                _ => {}
            }
        }
        Err(unwritable(&self.path).because("it is being written and cannot be read now"))
    }

    fn open_readable(&self, live: bool) -> std::result::Result<Connection, Trouble> {
        let mut uri = String::from("file:");
        for byte in self.path.as_os_str().as_bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                    uri.push(char::from(*byte))
                }
                // Writing to a String cannot fail.
                _ => drop(write!(uri, "%{byte:02x}")),
            }
        }
        if !live {
            uri.push_str("?immutable=1");
        }
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(uri, flags)?;
        configure(&connection)?;
        schema::check(&connection)?;
        refuse_newer(&connection, &self.path)?;
        Ok(connection)
    }

    fn stamp(&self) -> Stamp {
        let found = std::fs::metadata(&self.path).ok();
        Stamp {
            log: self.log_path().exists(),
            file: found.map(|file| (file.ino(), file.len(), file.mtime(), file.mtime_nsec())),
        }
    }

    fn identity(&self) -> Option<(u64, u64)> {
        std::fs::metadata(&self.path).ok().map(|found| (found.dev(), found.ino()))
    }

    /// SQLite goes on writing to a file that was deleted or moved away, and all of it would be gone with this process.
    fn check_in_place(&self) -> Result<()> {
        if self.identity() == self.opened {
            return Ok(());
        }
        Err(unwritable(&self.path)
            .because("its file was deleted, moved or replaced while it was in use")
            .hint(Message::new("hint-journal-gone")))
    }

    /// Does writing work in one transaction that begins with the right to write; it is durable when this returns.
    /// When there is no room, the reserve is given up and the work done again.
    fn write<T>(&self, work: impl Fn(&Connection) -> std::result::Result<T, Trouble>) -> Result<T> {
        let Some(connection) = &self.connection else {
            return Err(unwritable(&self.path).because("it was opened for reading only"));
        };
        let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        self.check_in_place()?;
        let mut attempt = || -> std::result::Result<T, Trouble> {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        let result = match attempt() {
            Err(trouble) if trouble.wants_room() && self.reserve.give_up() => attempt(),
            Ok(value) => {
                self.reserve.keep();
                Ok(value)
            }
            other => other,
        };
        result.map_err(|trouble| trouble.into_fault(&self.path))
    }
}

/// What tells that a file was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    log: bool,
    file: Option<(u64, u64, i64, i64)>,
}

/// How a commit waits for the disk. FULL: it returns when the log is on the disk, not when it is in the page cache.
fn synchronous() -> &'static str {
    if eclusa_crash::left_out("journal.synchronous") {
        "PRAGMA synchronous = OFF"
    } else {
        "PRAGMA synchronous = FULL"
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    // Recursive triggers, so that a REPLACE too meets the triggers that forbid deletion.
    connection.execute_batch(
        "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;
         PRAGMA recursive_triggers = ON",
    )
}

fn refuse_newer(connection: &Connection, path: &Path) -> std::result::Result<(), Trouble> {
    let found = schema::version(connection)?;
    if found <= schema::newest() {
        return Ok(());
    }
    let fault = Fault::new(Code::JournalTooNew).with("path", path.display());
    Err(fault.with("format", found).with("known", schema::newest()).into())
}

impl JournalStore for SqliteJournal {
    fn append(
        &self,
        run: &RunId,
        stack: &StackName,
        sequence: u64,
        at: Timestamp,
        event: &Event,
    ) -> Result<Entry> {
        let addition = Addition { run, stack, sequence, at, event };
        self.write(|connection| writing::append(connection, &addition))
    }

    fn read(&self, run: &RunId) -> Result<Vec<Entry>> {
        self.look(|connection| reading::entries(connection, run))
    }

    fn read_after(&self, run: &RunId, last: &Entry) -> Result<Vec<Entry>> {
        self.look(|connection| reading::entries_after(connection, run, Some(last)))
    }

    fn runs(&self, stack: Option<&StackName>, most: usize) -> Result<Vec<RunSummary>> {
        self.look(|connection| reading::runs(connection, stack, most))
    }

    fn request(&self, run: &RunId, at: Timestamp, kind: &RequestKind) -> Result<()> {
        self.write(|connection| writing::request(connection, run, at, kind))
    }

    fn requests(&self, run: &RunId) -> Result<Vec<Request>> {
        self.look(|connection| reading::requests(connection, run.as_str()))
    }

    fn taken(&self, number: i64) -> Result<()> {
        self.write(|connection| writing::taken(connection, number))
    }

    fn verify(&self) -> Result<u64> {
        self.look(reading::verify)
    }

    fn record_proof(&self, stack: &StackName, proof: &Proof) -> Result<()> {
        self.write(|connection| writing::proof(connection, stack, proof))
    }

    fn newest_proof(&self, stack: &StackName, tenant: &TenantName) -> Result<Option<Proof>> {
        self.look(|connection| reading::newest_proof(connection, stack, tenant))
    }

    fn own(&self, stack: &StackName, tenant: &TenantName, owner: &MaintenanceOwner) -> Result<()> {
        self.write(|connection| owners::own(connection, stack, tenant, owner))
    }

    fn disown(&self, stack: &StackName, tenant: &TenantName) -> Result<()> {
        self.write(|connection| owners::disown(connection, stack, tenant))
    }

    fn owners(&self, stack: &StackName) -> Result<BTreeMap<TenantName, MaintenanceOwner>> {
        self.look(|connection| owners::of(connection, stack))
    }

    fn durations(&self, stack: &StackName) -> Result<BTreeMap<String, u64>> {
        Ok(durations::medians(self.step_durations(stack, DURATION_RUNS)?))
    }
}
