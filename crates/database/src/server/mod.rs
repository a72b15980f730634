//! A database server that is a service of the stack, worked with by its own programs, which run where it runs: what every
//! kind of server has in common. What differs (arguments, words, error messages) stands with each engine.

mod conversation;
mod feed;
mod reader;
mod summarised;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::ServiceName;
use eclusa_ports::{CommandResult, ExecSpec, ExecStream, Runtime, SecretResolver};
use eclusa_runbook::Place;
use secrecy::SecretString;
use tokio::sync::oneshot;

pub(crate) use self::conversation::Conversation;
pub(crate) use self::feed::{Feeding, feed, feed_statements};
pub(crate) use self::reader::{Begun, DumpReader, Ending, holds, keep_end};
pub(crate) use self::summarised::summarised;
use crate::fault;

/// How long a session may live at most. It holds the snapshot of a dump, and databases can be big.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a program may take to end after its output has ended.
const END_LIMIT: Duration = Duration::from_secs(60);
/// The last bytes of every dump.
pub(crate) const TRAILER: &[u8] = b"\n-- Eclusa dump complete\n";
/// How many bytes of a dump are asked for at a time.
pub(crate) const PIECE: usize = 256 * 1024;

/// A server's own programs.
pub(crate) struct Programs {
    /// What they are called, for a person who has none of them.
    pub(crate) names: &'static str,
    /// The variable by which they take a password.
    pub(crate) password: &'static str,
    /// What it means that one of them ended with this code after it had said this.
    pub(crate) kind_of: fn(i32, &str) -> Kind,
}

/// How the server of a tenant is reached.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) runtime: Arc<dyn Runtime>,
    pub(crate) secrets: Arc<dyn SecretResolver>,
    pub(crate) programs: &'static Programs,
    pub(crate) tenant: String,
    pub(crate) service: ServiceName,
    pub(crate) user: String,
    pub(crate) password: Option<String>,
    /// The password of an account that Eclusa made for the moment.
    pub(crate) own_password: Option<SecretString>,
    /// Arguments that say where the server is; none where it is in the service itself.
    pub(crate) server: Vec<String>,
    /// What stands before every command, so that it steps back from others.
    pub(crate) before: Vec<String>,
}

impl Access {
    /// Starts one of the server's own programs. The password goes by environment: on the command line it would be seen.
    pub(crate) async fn run(
        &self,
        argv: Vec<String>,
        variables: &[(&str, &str)],
    ) -> std::result::Result<ExecStream, Failure> {
        let plain = |(name, text): &(&str, &str)| ((*name).to_owned(), SecretString::from(*text));
        let mut environment: BTreeMap<String, SecretString> = variables.iter().map(plain).collect();
        // The messages that are told apart are the English ones.
        environment.insert("LC_ALL".to_owned(), SecretString::from("C"));
        if let Some(password) = &self.own_password {
            environment.insert(self.programs.password.to_owned(), password.clone());
        } else if let Some(reference) = &self.password {
            let password = self.secrets.resolve(reference).map_err(Failure::Fault)?;
            environment.insert(self.programs.password.to_owned(), password);
        }
        let spec = ExecSpec {
            place: Place::Service { service: self.service.clone() },
            argv: self.before.iter().cloned().chain(argv).collect(),
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
            Failure::NotStarted(cause) if cause.code == Code::CommandMissing => {
                self.lacks_program().because(cause)
            }
            Failure::NotStarted(cause) => of(Code::DatabaseUnreachable).because(cause),
            Failure::Said(text) => of(code).because(text),
            Failure::Ended(result) => {
                let text = result.tail.join("\n");
                let mut fault = match (self.programs.kind_of)(result.code, &text) {
                    Kind::Denied => of(Code::DatabaseDenied),
                    Kind::Unreachable => of(Code::DatabaseUnreachable),
                    Kind::NoProgram => self.lacks_program(),
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

    fn lacks_program(&self) -> Fault {
        let problem = format!("the service {} has no {}", self.service, self.programs.names);
        Fault::new(Code::DatabaseUnsupported).with("problem", problem)
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

/// The kinds of failure that a user acts on differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Denied,
    Unreachable,
    NoProgram,
    Other,
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
