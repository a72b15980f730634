//! Talking to the server through its own client, which runs where the server runs.

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

use super::quote::unescaped;
use crate::fault;

/// How long a session may live at most. It holds the snapshot of a dump, and databases can be big.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a program may take to end after its output has ended.
const END_LIMIT: Duration = Duration::from_secs(60);

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
    /// Starts one of the server's own programs. The password goes by environment: on the command line it would be seen.
    pub(crate) async fn start(
        &self,
        program: &str,
        arguments: &[String],
    ) -> std::result::Result<ExecStream, Failure> {
        let mut argv = vec![program.to_owned(), format!("--user={}", self.user)];
        argv.extend(["--default-character-set=utf8mb4", "--max-allowed-packet=1G"].map(String::from));
        argv.extend(arguments.iter().cloned());
        let mut environment = BTreeMap::from([("LC_ALL".to_owned(), SecretString::from("C"))]);
        if let Some(reference) = &self.password {
            environment
                .insert("MYSQL_PWD".to_owned(), self.secrets.resolve(reference).map_err(Failure::Fault)?);
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
                    Kind::NoProgram => Fault::new(Code::DatabaseUnsupported).with(
                        "problem",
                        format!("the service {} has no mariadb and mariadb-dump", self.service),
                    ),
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
    /// Whether the server gave one of these error numbers.
    pub(crate) fn is_error(&self, numbers: &[u32]) -> bool {
        let Self::Ended(result) = self else { return false };
        error_number(&result.tail.join("\n")).is_some_and(|number| numbers.contains(&number))
    }

    pub(crate) fn no_program(&self) -> bool {
        match self {
            Self::Ended(result) => matches!(Kind::of(result.code, &result.tail.join("\n")), Kind::NoProgram),
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

/// The kinds of failure that a user acts on differently.
enum Kind {
    Denied,
    Unreachable,
    NoProgram,
    Other,
}

/// Access denied: to the server, to a database, to a table, to an operation, without a password, to a view's definer.
const DENIED: &[u32] = &[1044, 1045, 1142, 1143, 1227, 1370, 1698];
/// Cannot connect, connection lost or killed, too many connections, the server is going down.
const UNREACHABLE: &[u32] =
    &[1040, 1053, 1077, 1158, 1159, 1160, 1161, 1203, 1927, 2002, 2003, 2005, 2006, 2013, 2026];

impl Kind {
    fn of(code: i32, text: &str) -> Self {
        let number = error_number(text);
        let missing = text.is_empty() || text.contains("not found") || text.contains("No such file");
        if matches!(code, 126 | 127) && missing {
            Self::NoProgram
        } else if number.is_some_and(|number| DENIED.contains(&number)) {
            Self::Denied
        } else if number.is_some_and(|number| UNREACHABLE.contains(&number)) || matches!(code, 137 | 143) {
            // A program that was killed where the server is was most often killed with the server.
            Self::Unreachable
        } else {
            Self::Other
        }
    }
}

/// An open client. Everything it is told goes through its standard input. Dropping it ends it and takes back what was
/// not committed.
pub(crate) struct Session {
    stdin: Box<dyn AsyncWrite + Send + Unpin>,
    stdout: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    ended: Option<oneshot::Receiver<Result<CommandResult>>>,
    asked: u64,
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
        let stream = access.start(names.client(), &arguments).await?;
        let mut session = Self {
            stdin: stream.stdin,
            stdout: BufReader::new(stream.stdout),
            ended: Some(stream.ended),
            asked: 0,
            names,
        };
        session.run(SETTINGS).await?;
        Ok(session)
    }

    /// Runs statements, each with its semicolon; what they give is dropped.
    pub(crate) async fn run(&mut self, sql: &str) -> std::result::Result<(), Failure> {
        self.lines(sql).await.map(drop)
    }

    /// Runs a query that gives one column of text.
    pub(crate) async fn texts(&mut self, sql: &str) -> std::result::Result<Vec<String>, Failure> {
        Ok(self.lines(sql).await?.iter().map(|line| unescaped(line)).collect())
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

    async fn lines(&mut self, sql: &str) -> std::result::Result<Vec<String>, Failure> {
        self.asked += 1;
        let end = format!("eclusa-end-{}", self.asked);
        let text = format!("{sql}\nSELECT '{end}';\n");
        // When the client has ended already, its own words are better than "broken pipe".
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
            lines.push(text.to_owned());
        }
        match self.ended.take() {
            Some(ended) => Err(failure(ended).await),
            None => Err(Failure::Said(format!("the client has ended: {told:?}"))),
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
