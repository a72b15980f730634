//! Talking to the server through its own `psql`, which runs where the server runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::ServiceName;
use eclusa_ports::{CommandResult, ExecSpec, ExecStream, Runtime, SecretResolver};
use eclusa_runbook::Place;
use secrecy::SecretString;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::oneshot;

use super::quote::literal;
use crate::fault;

/// How long a session may live at most. It holds the snapshot of a dump, and databases can be big.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a program may take to end after its output has ended.
const END_LIMIT: Duration = Duration::from_secs(60);
/// By what our own connections are known on the server.
pub(crate) const APPLICATION: &str = "eclusa";

/// Settings under which the text form of every value is the same on every server and in every session, and
/// under which nothing of the database's own settings gets in the way.
const SETTINGS: &[(&str, &str)] = &[
    ("standard_conforming_strings", "on"),
    ("search_path", ""),
    ("DateStyle", "ISO, YMD"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("xmloption", "content"),
    ("lc_monetary", "C"),
    // Where policies would hide rows from this user, an error is better than a dump without them.
    ("row_security", "off"),
    ("client_min_messages", "warning"),
    ("default_transaction_read_only", "off"),
    ("statement_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
    ("transaction_timeout", "0"),
    ("lock_timeout", "60000"),
];

/// How the server of a tenant is reached.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) secrets: Arc<dyn SecretResolver>,
    pub(crate) tenant: String,
    pub(crate) service: ServiceName,
    pub(crate) user: String,
    pub(crate) password: Option<String>,
}

impl Access {
    /// Starts one of the server's own programs, connected to a database. Names and the password go by environment:
    /// a name on the command line could be taken for a connection string, and a password would be seen.
    pub(crate) async fn start(
        &self,
        argv: Vec<String>,
        database: &str,
    ) -> std::result::Result<ExecStream, Failure> {
        let plain = |text: &str| SecretString::from(text.to_owned());
        let mut environment = BTreeMap::from([
            ("PGUSER".to_owned(), plain(&self.user)),
            ("PGDATABASE".to_owned(), plain(database)),
            ("PGAPPNAME".to_owned(), plain(APPLICATION)),
            ("PGCLIENTENCODING".to_owned(), plain("UTF8")),
            ("PGCONNECT_TIMEOUT".to_owned(), plain("15")),
            // The messages that are told apart below are the English ones.
            ("LC_ALL".to_owned(), plain("C")),
        ]);
        if let Some(reference) = &self.password {
            environment
                .insert("PGPASSWORD".to_owned(), self.secrets.resolve(reference).map_err(Failure::Fault)?);
        }
        let spec = ExecSpec {
            place: Place::Service { service: self.service.clone() },
            argv,
            environment,
            directory: None,
            stdin: None,
            timeout: LIMIT,
            mark: None,
            images: Default::default(),
        };
        self.runtime.exec_stream(spec).await.map_err(Failure::NotStarted)
    }

    /// What a failure means to a person; `code` when it is none of the connection.
    pub(crate) fn fault(&self, code: Code, failure: Failure) -> Fault {
        let of = |code| fault(code, &self.tenant);
        match failure {
            Failure::Fault(fault) => fault,
            Failure::NotStarted(cause) => of(Code::DatabaseUnreachable).because(cause),
            Failure::Said(text) => of(code).because(text),
            Failure::Ended(result) => {
                let text = result.tail.join("\n");
                let mut fault = match Kind::of(result.code, &text) {
                    Kind::Denied => of(Code::DatabaseDenied),
                    Kind::Unreachable => of(Code::DatabaseUnreachable),
                    Kind::NoProgram => Fault::new(Code::DatabaseUnsupported)
                        .with("problem", format!("the service {} has no psql and pg_dump", self.service)),
                    Kind::Other => of(code),
                };
                let skipped = result.tail.len().saturating_sub(10);
                fault.causes.extend(result.tail.into_iter().skip(skipped).filter(|line| !line.is_empty()));
                if fault.causes.is_empty() {
                    // It was killed, with its container or by somebody.
                    fault = fault
                        .because(format!("its program ended with code {} and said nothing", result.code));
                }
                fault
            }
        }
    }
}

/// Why something did not work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A fault that says all.
    Fault(Fault),
    /// The program could not be started where the server is.
    NotStarted(Fault),
    /// The program ended when it should not have.
    Ended(CommandResult),
    /// It is so, as a person reads it.
    Said(String),
}

impl Failure {
    /// Whether the server said this.
    pub(crate) fn says(&self, text: &str) -> bool {
        matches!(self, Self::Ended(result) if result.tail.iter().any(|line| line.contains(text)))
    }
}

/// The kinds of failure that a user acts on differently.
enum Kind {
    Denied,
    Unreachable,
    NoProgram,
    Other,
}

impl Kind {
    fn of(code: i32, text: &str) -> Self {
        const DENIED: &[&str] = &[
            "password authentication failed",
            "authentication failed",
            "no password supplied",
            "no pg_hba.conf entry",
            "pg_hba.conf rejects connection",
            "permission denied",
            "must be owner of",
            "must be superuser",
            "must be able to SET ROLE",
            "must be member of role",
            "is not permitted to log in",
        ];
        const UNREACHABLE: &[&str] = &[
            "could not connect to server",
            "connection to server",
            "Connection refused",
            "the database system is",
            "server closed the connection unexpectedly",
            "connection to server was lost",
            "terminating connection due to administrator command",
            "could not translate host name",
        ];
        let says = |texts: &[&str]| texts.iter().any(|one| text.contains(one));
        if matches!(code, 126 | 127) && (text.is_empty() || says(&["not found", "No such file"])) {
            Self::NoProgram
        } else if says(DENIED) || (text.contains("role \"") && text.contains("does not exist")) {
            Self::Denied
        } else if text.contains("database \"") && text.contains("does not exist") {
            Self::Other
        } else if code == 2 || says(UNREACHABLE) || matches!(code, 137 | 143) {
            // A program that was killed where the server is was most often killed with the server.
            Self::Unreachable
        } else {
            Self::Other
        }
    }
}

/// An open `psql`. Everything it is told goes through its standard input. Dropping it ends it and takes back
/// what was not committed.
pub(crate) struct Session {
    stdin: Box<dyn AsyncWrite + Send + Unpin>,
    stdout: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    ended: Option<oneshot::Receiver<Result<CommandResult>>>,
    asked: u64,
}

/// `psql` without a person's settings, that stops at the first error and asks for nothing.
pub(crate) fn psql() -> Vec<String> {
    ["psql", "-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1"].map(String::from).to_vec()
}

impl Session {
    /// Connects to a database.
    pub(crate) async fn open(access: &Access, database: &str) -> std::result::Result<Self, Failure> {
        let stream = access.start(psql(), database).await?;
        let mut session = Self {
            stdin: stream.stdin,
            stdout: BufReader::new(stream.stdout),
            ended: Some(stream.ended),
            asked: 0,
        };
        let values: Vec<_> =
            SETTINGS.iter().map(|(name, value)| format!("({}, {})", literal(name), literal(value))).collect();
        session
            .run(&format!(
                "SELECT pg_catalog.set_config(wanted.name, wanted.value, false) FROM (VALUES {}) AS wanted(name, value) \
                 JOIN pg_catalog.pg_settings AS known ON known.name OPERATOR(pg_catalog.=) wanted.name;",
                values.join(", ")
            ))
            .await?;
        Ok(session)
    }

    /// Runs statements, each with its semicolon; what they give is dropped.
    pub(crate) async fn run(&mut self, sql: &str) -> std::result::Result<(), Failure> {
        self.lines(sql).await.map(drop)
    }

    /// Runs a query that gives one column of JSON.
    pub(crate) async fn rows(&mut self, sql: &str) -> std::result::Result<Vec<Value>, Failure> {
        let lines = self.lines(sql).await?;
        lines
            .iter()
            .map(|line| {
                serde_json::from_str(line).map_err(|error| Failure::Said(format!("psql answered {error}")))
            })
            .collect()
    }

    /// Runs a query that gives one row of one column of JSON.
    pub(crate) async fn row(&mut self, sql: &str) -> std::result::Result<Value, Failure> {
        let rows = self.rows(sql).await?;
        rows.into_iter().next().ok_or_else(|| Failure::Said("psql answered nothing".to_owned()))
    }

    async fn lines(&mut self, sql: &str) -> std::result::Result<Vec<String>, Failure> {
        self.asked += 1;
        let end = format!("eclusa-end-{}", self.asked);
        let text = format!("{sql}\n\\echo {end}\n");
        // When psql has ended already, its own words are better than "broken pipe".
        let told = async {
            self.stdin.write_all(text.as_bytes()).await?;
            self.stdin.flush().await
        };
        let told = told.await;
        let mut lines = Vec::new();
        let mut line = Vec::new();
        loop {
            line.clear();
            match self.stdout.read_until(b'\n', &mut line).await {
                Ok(0) => break,
                Ok(_) => {}
                Err(error) => return Err(Failure::Said(error.to_string())),
            }
            let text = String::from_utf8_lossy(&line);
            let text = text.trim_end_matches('\n');
            if text == end {
                return Ok(lines);
            }
            if !text.is_empty() {
                lines.push(text.to_owned());
            }
        }
        match self.ended.take() {
            Some(ended) => Err(failure(ended).await),
            None => Err(Failure::Said(format!("psql has ended: {told:?}"))),
        }
    }
}

/// How a program ended that should not have.
async fn failure(ended: oneshot::Receiver<Result<CommandResult>>) -> Failure {
    match end(ended).await {
        Ok(result) => Failure::Ended(result),
        Err(failure) => failure,
    }
}

/// How a program ended whose output has ended.
pub(crate) async fn end(
    ended: oneshot::Receiver<Result<CommandResult>>,
) -> std::result::Result<CommandResult, Failure> {
    match tokio::time::timeout(END_LIMIT, ended).await {
        Ok(Ok(Ok(result))) => Ok(result),
        Ok(Ok(Err(fault))) => Err(Failure::NotStarted(fault)),
        Ok(Err(_)) => Err(Failure::Said("the connection to the running program broke".to_owned())),
        Err(_) => Err(Failure::Said("the program closed its output and did not end".to_owned())),
    }
}
