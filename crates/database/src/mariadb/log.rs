//! The binary log of a server: at which place of it a dump was taken, and what was written to a database from there on,
//! replayed on a copy.
//!
//! **Place.** It is read while the tenant's tables are locked for the snapshots of a dump: whoever had written to them is
//! done, and nobody else begins. So the dump has all that stands before the place, and nothing of what stands behind it. With
//! it goes the server's number of the last transaction there (GTID), by which a log that was begun anew is told apart.
//!
//! **Replay.** `mariadb-binlog` reads the log from the server, writes what belongs to the one database under the name of the
//! copy, and stops before the moment that is wanted. It is fed to a client whose account may use the copy and nothing
//! else: a statement that names another database fails, and the copy goes. Lines that would give the replayed
//! transactions their old numbers are left out, since the server writes them into its own log.
//!
//! **What a filter by database cannot see** are statements of a session that was in no database or in another one, and named
//! this one. So the statements of the log are read first, and where one of them changes something in this database
//! by its name (a swap of Eclusa's does), nothing is replayed.

use std::io::{BufRead, BufReader};
use std::sync::{Arc, Mutex, PoisonError};

use eclusa_ports::{LogPosition, Replayed};
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use secrecy::{ExposeSecret, SecretString};
use tokio::runtime::Handle;

use super::catalogue::{self, UNFINISHED, WHOLE};
use super::looking::Looking;
use super::quote::{granted, identifier, literal};
use super::restore::FEEDING;
use super::session::{Access, Failure, Session, client_arguments};
use crate::server::{Begun, DumpReader, Ending, PIECE, TRAILER, feed};

type Outcome<T> = Result<T, Failure>;

/// What `mariadb-binlog` writes when it is done.
const COMPLETED: &[u8] = b"# End of log file";
/// The end of each statement in what it writes.
const DELIMITER: &[u8] = b"/*!*/;";
/// The words with which statements begin that change something.
const CHANGING: [&str; 11] = [
    "ALTER", "CREATE", "DROP", "RENAME", "TRUNCATE", "INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH",
];
/// Of a statement, so much is kept for people.
const SHOWN: usize = 120;

/// A place in the log, before it is known which transaction is the last one there.
pub(super) struct Place {
    file: String,
    position: u64,
    at: Timestamp,
}

/// Where the log stands now; `None` where the server keeps none. Writers may wait for the answer, so it is one question.
pub(super) async fn place(session: &mut Session) -> Outcome<Option<Place>> {
    let found = session
        .texts(
            "SELECT CONCAT_WS(' ', MAX(IF(VARIABLE_NAME = 'BINLOG_SNAPSHOT_POSITION', VARIABLE_VALUE, NULL)), \
             DATE_FORMAT(UTC_TIMESTAMP(), '%Y-%m-%dT%H:%i:%sZ'), \
             MAX(IF(VARIABLE_NAME = 'BINLOG_SNAPSHOT_FILE', VARIABLE_VALUE, NULL))) \
             FROM information_schema.SESSION_STATUS \
             WHERE @@log_bin = 1 AND VARIABLE_NAME IN ('BINLOG_SNAPSHOT_FILE', 'BINLOG_SNAPSHOT_POSITION');",
        )
        .await?;
    let read = |line: &String| {
        let mut words = line.splitn(3, ' ');
        let (position, at, file) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
        (!file.is_empty()).then(|| Place { file: file.to_owned(), position, at })
    };
    Ok(found.first().and_then(read))
}

/// A place with the server's number of the last transaction there. To find it, a server may read the file from its
/// beginning: nobody must be waiting meanwhile.
pub(super) async fn position(session: &mut Session, place: Place) -> Outcome<LogPosition> {
    let Place { file, position, at } = place;
    let gtid = gtid_at(session, &file, position).await?;
    Ok(LogPosition { file, position, gtid, at })
}

async fn gtid_at(session: &mut Session, file: &str, position: u64) -> Outcome<String> {
    session.text(&format!("SELECT IFNULL(BINLOG_GTID_POS({}, {position}), '');", literal(file))).await
}

/// Whether what was written to databases is in the log, and can be replayed.
pub(super) async fn is_kept(session: &mut Session) -> Outcome<bool> {
    let kept = session.text("SELECT @@GLOBAL.log_bin = 1 AND @@GLOBAL.binlog_format <> 'STATEMENT';").await?;
    Ok(kept == "1")
}

/// Replays on a copy what was written to a database from a place of the log on until a moment.
pub(super) async fn replay(
    access: &Access,
    live: &str,
    copy: &str,
    log: &LogPosition,
    until: Timestamp,
) -> Outcome<Replayed> {
    let mut session = Session::open(access).await?;
    if catalogue::comment(&mut session, copy).await?.as_deref() != Some(WHOLE) {
        return Err(Failure::Said(format!("the database {copy:?} is no whole copy")));
    }
    refuse_another(&mut session, log).await?;
    let reading = Reading { access, live, log, until };
    reading.refuse_strangers().await?;
    // From here on it is neither what the point has nor what is wanted.
    catalogue::set_comment(&mut session, copy, UNFINISHED).await?;
    eclusa_crash::point("mariadb.replay.begun");
    let account = Account::make(&mut session, copy).await?;
    let replayed = reading.feed_to(copy, &account).await;
    let mut session = Session::open(access).await?;
    account.drop(&mut session).await?;
    match replayed {
        Ok(replayed) => {
            eclusa_crash::point("mariadb.replay.fed");
            catalogue::set_comment(&mut session, copy, WHOLE).await?;
            Ok(replayed)
        }
        Err(failure) => {
            catalogue::drop_database(&mut session, copy).await?;
            Err(failure)
        }
    }
}

/// Refuses when the log does not reach back to the place, or was begun anew since.
async fn refuse_another(session: &mut Session, log: &LogPosition) -> Outcome<()> {
    if !is_kept(session).await? {
        return Err(Failure::Said(
            "the server keeps no binary log now, or one of statements only".to_owned(),
        ));
    }
    let standing = session.texts("SHOW MASTER STATUS;").await?;
    let left_out = standing.iter().flat_map(|line| line.split('\t').skip(2)).any(|filter| !filter.is_empty());
    if left_out {
        return Err(Failure::Said(
            "the server leaves databases out of its binary log (binlog_do_db, binlog_ignore_db)".to_owned(),
        ));
    }
    let files = session.texts("SHOW BINARY LOGS;").await?;
    let is_it = |line: &String| line.split('\t').next() == Some(log.file.as_str());
    if !files.iter().any(is_it) {
        let oldest = files.first().and_then(|line| line.split('\t').next()).unwrap_or("–");
        return Err(Failure::Said(format!(
            "the server has thrown away the file {} of its binary log, in which the restore point was taken (the oldest \
             that it has is {oldest})",
            log.file
        )));
    }
    if gtid_at(session, &log.file, log.position).await? != log.gtid {
        return Err(Failure::Said(format!(
            "the server's binary log is not the one in which the restore point was taken: {} has other transactions",
            log.file
        )));
    }
    Ok(())
}

/// The log from a place on.
struct Reading<'a> {
    access: &'a Access,
    live: &'a str,
    log: &'a LogPosition,
    until: Timestamp,
}

impl Reading<'_> {
    /// Starts `mariadb-binlog` where the server's client programs are.
    async fn start(&self, more: &[String]) -> Outcome<DumpReader> {
        let until = self.until.strftime("%Y-%m-%d %H:%M:%S");
        let mut argv = vec!["mariadb-binlog".to_owned(), format!("--user={}", self.access.user)];
        argv.extend(self.access.server.iter().cloned());
        argv.extend(["--read-from-remote-server", "--to-last-log"].map(String::from));
        argv.push(format!("--start-position={}", self.log.position));
        argv.push(format!("--stop-datetime={until}"));
        argv.extend(more.iter().cloned());
        argv.extend(["--".to_owned(), self.log.file.clone()]);
        // It takes moments for those of its own time zone.
        let stream = self.access.run(argv, &[("TZ", "UTC")]).await?;
        let ending = Ending { program: "mariadb-binlog", words: COMPLETED };
        let begun = Begun { stream, read: Vec::new() };
        Ok(DumpReader::new(self.access.clone(), Handle::current(), ending, begun, TRAILER.to_vec()))
    }

    /// Refuses when a statement changed something in the database that its filter would not show.
    async fn refuse_strangers(&self) -> Outcome<()> {
        let reader = self.start(&["--short-form".to_owned()]).await?;
        let live = self.live.to_owned();
        let read = tokio::task::spawn_blocking(move || {
            let mut reader = BufReader::with_capacity(PIECE, reader);
            let (mut line, mut statement, mut found) = (Vec::new(), Vec::new(), None);
            loop {
                line.clear();
                if reader.read_until(b'\n', &mut line)? == 0 {
                    return Ok::<_, std::io::Error>(found);
                }
                // Read to its end all the same: only then it is known that nothing is missing.
                if found.is_some() || line.starts_with(b"#") {
                    continue;
                }
                statement.extend_from_slice(&line);
                if line.trim_ascii_end().ends_with(DELIMITER) {
                    found = stranger(&statement, &live);
                    statement.clear();
                }
            }
        });
        let read = read.await.map_err(|error| Failure::Said(error.to_string()))?;
        match read.map_err(|error| Failure::Said(error.to_string()))? {
            None => Ok(()),
            Some(statement) => Err(Failure::Said(format!(
                "since the restore point the database was changed by a statement that names it, which cannot be \
                 replayed on a copy (a restore, a rollback and a release that goes back swap tables by such ones): \
                 {statement}"
            ))),
        }
    }

    /// Feeds what was written to the database to a client of the copy.
    async fn feed_to(&self, copy: &str, account: &Account) -> Outcome<Replayed> {
        let live = self.live;
        let filter = [format!("--database={live}"), format!("--rewrite-db={live}->{copy}")];
        let reader = self.start(&filter).await?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let own = seen.clone();
        let look = move |line: Option<&mut Vec<u8>>| {
            if let Some(line) = line {
                own.lock().unwrap_or_else(PoisonError::into_inner).look(line);
            }
            Ok(())
        };
        let reader = Looking::new(BufReader::with_capacity(PIECE, reader), Box::new(look));
        let names = Session::open(self.access).await?.names;
        let client = account.of(self.access);
        let mut arguments = client_arguments();
        arguments.push(format!("--database={copy}"));
        let client = client.start_mariadb(names.client(), &arguments).await?;
        feed(client, Box::new(reader), &FEEDING).await.map_err(not_replayed)?;
        let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Replayed { changes: seen.changes, last: seen.last })
    }
}

/// That a statement was refused on the copy says nothing of the account of the stack.
fn not_replayed(failure: Failure) -> Failure {
    match failure {
        Failure::Ended(result) => {
            let said: Vec<&str> = result.tail.iter().map(|line| line.trim_matches('-')).collect();
            let said: Vec<&str> = said.into_iter().filter(|line| !line.is_empty()).collect();
            Failure::Said(format!("what the log has cannot be replayed on a copy alone: {}", said.join(" ")))
        }
        other => other,
    }
}

/// What went by of the log.
#[derive(Default)]
struct Seen {
    changes: u64,
    /// The time of the event that the last line belongs to.
    at: Option<Timestamp>,
    last: Option<Timestamp>,
}

impl Seen {
    /// Looks at a line, and empties one that would give a transaction its old number.
    fn look(&mut self, line: &mut Vec<u8>) {
        const NUMBERS: [&[u8]; 2] = [b"SET @@session.gtid_", b"SET @@session.server_id="];
        let begin = line.get(..line.len().min(64)).unwrap_or_default();
        let has = |word: &&[u8]| begin.windows(word.len()).any(|window| window == *word);
        if line.starts_with(b"/*") && NUMBERS.iter().any(has) {
            line.clear();
        } else if line.starts_with(b"#") {
            self.at = time_of(line).or(self.at);
        } else if line.starts_with(b"BINLOG '") || changes_something(line) {
            self.changes += 1;
            self.last = self.at;
        }
    }
}

/// The time in the head of an event, as `#260301 14:04:58 server id …`.
fn time_of(line: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(line.get(1..)?).ok()?;
    let mut words = text.split_whitespace();
    let (day, time) = (words.next()?, words.next()?);
    if words.next() != Some("server") {
        return None;
    }
    let at = DateTime::strptime("%y%m%d %H:%M:%S", format!("{day} {time:0>8}")).ok()?;
    at.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// Whether a statement begins with a word of one that changes something.
fn changes_something(statement: &[u8]) -> bool {
    let begin = statement.trim_ascii_start();
    CHANGING.iter().any(|word| {
        begin.get(..word.len()).is_some_and(|first| first.eq_ignore_ascii_case(word.as_bytes()))
            && begin.get(word.len()).is_none_or(|next| !next.is_ascii_alphanumeric())
    })
}

/// A statement that changes something and names the database, shortened for people.
fn stranger(statement: &[u8], live: &str) -> Option<String> {
    if !changes_something(statement) {
        return None;
    }
    let text = String::from_utf8_lossy(statement);
    names_database(&text, live).then(|| {
        let words: Vec<&str> = text.trim_end().trim_end_matches("/*!*/;").split_whitespace().collect();
        words.join(" ").chars().take(SHOWN).collect()
    })
}

/// Whether a text has the name of a database before a dot, or behind `DATABASE` or `SCHEMA`.
fn names_database(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$' || c == '`';
    let quoted = identifier(name);
    [quoted.as_str(), name].into_iter().any(|written| {
        text.match_indices(written).any(|(at, _)| {
            let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + written.len()..));
            let after = after.unwrap_or_default();
            let apart = !before.ends_with(is_part) && !after.starts_with(is_part);
            let of_database = || {
                let last = before.split_whitespace().next_back().unwrap_or_default().to_uppercase();
                ["DATABASE", "SCHEMA", "EXISTS"].contains(&last.as_str())
            };
            apart && (after.trim_start().starts_with('.') || of_database())
        })
    })
}

/// An account that may use one database and nothing else, for as long as something is replayed.
struct Account {
    name: String,
    password: SecretString,
}

/// From where it connects: through the server's socket, or over the network.
const HOSTS: [&str; 2] = ["localhost", "%"];

impl Account {
    /// Makes it anew, whatever a try that was cut off has left.
    async fn make(session: &mut Session, database: &str) -> Outcome<Self> {
        let name =
            format!("eclusa_{}", hex::encode(crate::names::hash(database).get(..8).unwrap_or_default()));
        let password = session.text("SELECT HEX(RANDOM_BYTES(24));").await?;
        let account = Self { name, password: SecretString::from(password) };
        let own = granted(database);
        let mut sql = String::new();
        for host in HOSTS {
            let who = format!("{}@{}", literal(&account.name), literal(host));
            let password = literal(account.password.expose_secret());
            sql.push_str(&format!(
                "CREATE OR REPLACE USER {who} IDENTIFIED BY {password}; GRANT ALL PRIVILEGES ON {own}.* TO {who}; \
                 GRANT BINLOG REPLAY, SET USER ON *.* TO {who}; "
            ));
        }
        session.run(&sql).await?;
        Ok(account)
    }

    fn of(&self, access: &Access) -> Access {
        let mut own = access.clone();
        own.user.clone_from(&self.name);
        own.password = None;
        own.own_password = Some(self.password.clone());
        own
    }

    async fn drop(&self, session: &mut Session) -> Outcome<()> {
        let drop = |host| format!("DROP USER IF EXISTS {}@{};", literal(&self.name), literal(host));
        session.run(&HOSTS.map(drop).join(" ")).await
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
