//! Talking to the server through its own client, which runs where the server runs.

use eclusa_fault::Code;
use eclusa_ports::ExecStream;
use serde_json::Value;

use super::quote::unescaped;
pub(crate) use crate::server::{Access, Failure, end};
use crate::server::{Conversation, Kind, Programs};

/// Settings under which the text form of every value is the same on every server, under which nothing waits for hours
/// and no long text is cut.
const SETTINGS: &str = "SET SESSION sql_mode = 'NO_ENGINE_SUBSTITUTION', SESSION time_zone = '+00:00', \
    SESSION lock_wait_timeout = 60, SESSION wait_timeout = 86400, SESSION net_write_timeout = 86400, \
    SESSION group_concat_max_len = 1073741824, SESSION character_set_results = 'utf8mb4', \
    SESSION max_statement_time = 0;";

/// The names of the server's programs: since 10.4 their own, before that those of MySQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    Mariadb,
    Mysql,
}

impl Names {
    pub(crate) fn client(self) -> &'static str {
        match self {
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
        }
    }

    pub(crate) fn dump(self) -> &'static str {
        match self {
            Self::Mariadb => "mariadb-dump",
            Self::Mysql => "mysqldump",
        }
    }
}

/// The server's own programs.
pub(crate) static PROGRAMS: Programs =
    Programs { names: "mariadb and mariadb-dump", password: "MYSQL_PWD", kind_of };

impl Access {
    /// Starts one of the server's own programs.
    pub(crate) async fn start_mariadb(
        &self,
        program: &str,
        arguments: &[String],
    ) -> std::result::Result<ExecStream, Failure> {
        let mut argv = vec![program.to_owned(), format!("--user={}", self.user)];
        argv.extend(self.server.iter().cloned());
        argv.extend(["--default-character-set=utf8mb4", "--max-allowed-packet=1G"].map(String::from));
        argv.extend(arguments.iter().cloned());
        self.run(argv, &[]).await
    }
}

impl Failure {
    /// Whether the server gave one of these error numbers.
    pub(crate) fn is_error(&self, numbers: &[u32]) -> bool {
        let Self::Ended(result) = self else { return false };
        error_number(&result.tail.join("\n")).is_some_and(|number| numbers.contains(&number))
    }

    pub(crate) fn no_program(&self) -> bool {
        match self {
            Self::Ended(result) => kind_of(result.code, &result.tail.join("\n")) == Kind::NoProgram,
            Self::NotStarted(fault) => fault.code == Code::CommandMissing,
            _ => false,
        }
    }
}

/// The number in `ERROR 1045 (28000)` of the client and in `error: 1045:` of the dump.
fn error_number(text: &str) -> Option<u32> {
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest);
    let rest = after("ERROR ").or_else(|| after("Got error: ")).or_else(|| after("Error "))?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// Access denied: to the server, to a database, to a table, to an operation, without a password, to a view's definer.
const DENIED: &[u32] = &[1044, 1045, 1142, 1143, 1227, 1370, 1698];
/// Cannot connect, connection lost or killed, too many connections, the server is going down.
const UNREACHABLE: &[u32] =
    &[1040, 1053, 1077, 1158, 1159, 1160, 1161, 1203, 1927, 2002, 2003, 2005, 2006, 2013, 2026];

fn kind_of(code: i32, text: &str) -> Kind {
    let number = error_number(text);
    let missing = text.contains("not found") || text.contains("No such file");
    if matches!(code, 126 | 127) && missing {
        Kind::NoProgram
    } else if number.is_some_and(|number| DENIED.contains(&number)) {
        Kind::Denied
    } else if number.is_some_and(|number| UNREACHABLE.contains(&number)) || matches!(code, 137 | 143) {
        // A program that was killed where the server is was most often killed with the server.
        Kind::Unreachable
    } else {
        Kind::Other
    }
}

/// An open client.
pub(crate) struct Session {
    conversation: Conversation,
    pub(crate) names: Names,
}

/// The client without a person's prompts; its own commands are off.
pub(crate) fn client_arguments() -> Vec<String> {
    ["--batch", "--skip-column-names", "--unbuffered", "--binary-mode", "--quick"].map(String::from).to_vec()
}

impl Session {
    /// Connects to the server; the session ends at the first error.
    pub(crate) async fn open(access: &Access) -> std::result::Result<Self, Failure> {
        Self::open_with(access, false).await
    }

    /// Connects to the server; the session goes on after an error.
    pub(crate) async fn open_forcing(access: &Access) -> std::result::Result<Self, Failure> {
        Self::open_with(access, true).await
    }

    async fn open_with(access: &Access, force: bool) -> std::result::Result<Self, Failure> {
        match Self::open_by(access, Names::Mariadb, force).await {
            Err(failure) if failure.no_program() => Self::open_by(access, Names::Mysql, force).await,
            outcome => outcome,
        }
    }

    async fn open_by(access: &Access, names: Names, force: bool) -> std::result::Result<Self, Failure> {
        let mut arguments = client_arguments();
        if force {
            arguments.push("--force".to_owned());
        }
        let stream = access.start_mariadb(names.client(), &arguments).await?;
        let conversation = Conversation::with(stream, "the client", |text| format!("SELECT '{text}';"));
        let mut session = Self { conversation, names };
        session.run(SETTINGS).await?;
        Ok(session)
    }

    /// Begins a transaction that sees the data of this moment, whatever is written later.
    pub(crate) async fn begin_snapshot(&mut self) -> std::result::Result<(), Failure> {
        self.run(
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
             START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;",
        )
        .await
    }

    /// Runs statements, each with its semicolon; what they give is dropped.
    pub(crate) async fn run(&mut self, sql: &str) -> std::result::Result<(), Failure> {
        self.conversation.lines(sql).await.map(drop)
    }

    /// Runs a query that gives one column of text.
    pub(crate) async fn texts(&mut self, sql: &str) -> std::result::Result<Vec<String>, Failure> {
        Ok(self.conversation.lines(sql).await?.iter().map(|line| unescaped(line)).collect())
    }

    /// Runs a query that gives one row of one column of text.
    pub(crate) async fn text(&mut self, sql: &str) -> std::result::Result<String, Failure> {
        let found = self.texts(sql).await?;
        found.into_iter().next().ok_or_else(|| Failure::Said("the client answered nothing".to_owned()))
    }

    /// Runs a query that gives one column of JSON.
    pub(crate) async fn rows(&mut self, sql: &str) -> std::result::Result<Vec<Value>, Failure> {
        let texts = self.texts(sql).await?;
        texts
            .iter()
            .map(|text| {
                serde_json::from_str(text)
                    .map_err(|error| Failure::Said(format!("the client answered no JSON: {error}")))
            })
            .collect()
    }
}
