//! Talking to the server through its own `psql`, which runs where the server runs.

use eclusa_ports::ExecStream;
use serde_json::Value;

use super::quote::literal;
pub(crate) use crate::server::{Access, Failure};
use crate::server::{Conversation, Kind, Programs};

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

/// The server's own programs.
pub(crate) static PROGRAMS: Programs =
    Programs { names: "psql and pg_dump", password: "PGPASSWORD", kind_of };

impl Access {
    /// Starts one of the server's own programs, connected to a database. Names go by environment: on the command line
    /// one could be taken for a connection string. Where the server is goes there, since it is one of our own.
    pub(crate) async fn start_postgresql(
        &self,
        argv: Vec<String>,
        database: &str,
    ) -> std::result::Result<ExecStream, Failure> {
        let variables = [
            ("PGUSER", self.user.as_str()),
            ("PGDATABASE", database),
            ("PGAPPNAME", APPLICATION),
            ("PGCLIENTENCODING", "UTF8"),
            ("PGCONNECT_TIMEOUT", "15"),
        ];
        let argv = argv.into_iter().chain(self.server.iter().cloned()).collect();
        self.run(argv, &variables).await
    }
}

impl Failure {
    /// Whether the server said this.
    pub(crate) fn says(&self, text: &str) -> bool {
        matches!(self, Self::Ended(result) if result.tail.iter().any(|line| line.contains(text)))
    }
}

fn kind_of(code: i32, text: &str) -> Kind {
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
    if matches!(code, 126 | 127) && says(&["not found", "No such file"]) {
        Kind::NoProgram
    } else if says(DENIED) || (text.contains("role \"") && text.contains("does not exist")) {
        Kind::Denied
    } else if text.contains("database \"") && text.contains("does not exist") {
        Kind::Other
    } else if code == 2 || says(UNREACHABLE) || matches!(code, 137 | 143) {
        // A program that was killed where the server is was most often killed with the server.
        Kind::Unreachable
    } else {
        Kind::Other
    }
}

/// An open `psql`.
pub(crate) struct Session(Conversation);

/// `psql` without a person's settings, that stops at the first error and asks for nothing.
pub(crate) fn psql() -> Vec<String> {
    ["psql", "-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1"].map(String::from).to_vec()
}

impl Session {
    /// Connects to a database.
    pub(crate) async fn open(access: &Access, database: &str) -> std::result::Result<Self, Failure> {
        let stream = access.start_postgresql(psql(), database).await?;
        let mut session = Self(Conversation::with(stream, "psql", |text| format!("\\echo {text}")));
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
        let mut lines = self.0.lines(sql).await?;
        lines.retain(|line| !line.is_empty());
        Ok(lines)
    }
}
