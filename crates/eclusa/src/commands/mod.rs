//! One module per command: it owns its arguments and its handler.

pub mod abort;
pub mod adopt;
pub mod answer;
pub mod apps;
pub mod aside;
pub mod attach;
pub mod audit;
pub mod backup;
pub mod backups;
pub mod base;
pub mod bundle;
pub mod clone;
pub mod completions;
pub mod customizations;
pub mod doctor;
pub mod drill;
pub mod edge;
pub mod erase;
pub mod exec;
pub mod history;
pub mod keys;
pub mod logs;
pub mod maintenance;
pub mod man;
pub mod migrate;
pub mod mirror;
pub mod note;
pub mod own_run;
pub mod person;
pub mod plan;
pub mod prune;
pub mod rehearse;
pub mod release;
pub mod report;
pub mod restore;
pub mod resume;
pub mod rollback;
pub mod schedule;
pub mod seed;
pub mod shop;
pub mod start;
pub mod status;
pub mod stop;
pub mod supervise;
pub mod tenants;

use std::sync::Arc;

use eclusa_control::{Assembly, Workspace};
use eclusa_fault::{Code, Fault, Language, Result};
use eclusa_model::PersonName;

use crate::arguments::{Arguments, Command};
use crate::demo;
use crate::exit::Exit;
use crate::render::Failure;

/// What a handler gets: the arguments of every command, read.
pub struct Session {
    /// As they were given.
    pub arguments: Arguments,
    /// The language of the person.
    pub language: Language,
}

impl Session {
    /// The configuration and the state directory.
    pub fn workspace(&self) -> Result<Workspace> {
        Workspace::open(&self.arguments.config, self.arguments.state.as_deref(), self.language.clone())
    }

    /// The stack that is meant, put together.
    pub async fn assembly(&self) -> Result<Assembly> {
        Assembly::of(&self.workspace()?, self.arguments.stack.as_deref()).await
    }

    /// Who gives the command.
    pub fn person(&self) -> Result<PersonName> {
        self.arguments.person()
    }

    /// Whether a program reads.
    pub fn json(&self) -> bool {
        self.arguments.json
    }
}

/// Runs the command.
pub fn run(mut arguments: Arguments) -> std::result::Result<Exit, Failure> {
    let language = arguments.language();
    let json = arguments.json;
    let failure = |fault| Failure { fault, language: language.clone(), json };
    // The command is taken out, so that its handler owns its arguments and the session the others.
    let command = std::mem::replace(&mut arguments.command, Command::Stop(stop::Stop::default()));
    let session = Arc::new(Session { arguments, language: language.clone() });
    match command {
        // These need no runtime, or bring their own threads.
        Command::Supervise(command) => return Ok(command.run()),
        Command::Completions(command) => return command.run().map_err(failure),
        Command::Man(command) => return command.run().map_err(failure),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| failure(Fault::new(Code::Internal).with("what", error)))?;
    let result = runtime.block_on(dispatch(command, session));
    // Blocking work that was cut off (a dump whose run was stopped) must not hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    result.map_err(failure)
}

async fn dispatch(command: Command, session: Arc<Session>) -> Result<Exit> {
    let session = session.as_ref();
    match command {
        Command::Adopt(command) => command.run(session).await,
        Command::Audit(command) => command.run(session).await,
        Command::Start(command) => command.run(session).await,
        Command::Stop(command) => command.run(session).await,
        Command::Status(command) => command.run(session).await,
        Command::Tenants(command) => command.run(session).await,
        Command::Doctor(command) => command.run(session).await,
        Command::Plan(command) => command.run(session).await,
        Command::Release(command) => command.run(session).await,
        Command::Rollback(command) => command.run(session).await,
        Command::Maintenance(command) => command.run(session).await,
        Command::Migrate(command) => command.run(session).await,
        Command::Apps(command) => command.run(session).await,
        Command::Backup(command) => command.run(session).await,
        Command::Backups(command) => command.run(session).await,
        Command::Mirror(command) => command.run(session).await,
        Command::Prune(command) => command.run(session).await,
        Command::Schedule(command) => command.run(session).await,
        Command::Keys(command) => command.run(session).await,
        Command::Erase(command) => command.run(session).await,
        Command::Drill(command) => command.run(session).await,
        Command::Rehearse(command) => command.run(session).await,
        Command::Customizations(command) => command.run(session).await,
        Command::Exec(command) => command.run(session).await,
        Command::Logs(command) => command.run(session).await,
        Command::Restore(command) => command.run(session).await,
        Command::Aside(command) => command.run(session).await,
        Command::Base(command) => command.run(session).await,
        Command::Clone(command) => command.run(session).await,
        Command::Person(command) => command.run(session).await,
        Command::Resume(command) => command.run(session).await,
        Command::Abort(command) => command.run(session).await,
        Command::Attach(command) => command.run(session).await,
        Command::Answer(command) => command.run(session).await,
        Command::History(command) => command.run(session).await,
        Command::Report(command) => command.run(session).await,
        Command::Bundle(command) => command.run(session).await,
        Command::Note(command) => command.run(session).await,
        Command::Edge(command) => command.run(session).await,
        Command::Seed(command) => command.run(session).await,
        Command::Demo(command) => demo::run(command, session).await,
        Command::OwnRun(command) => command.run(session).await,
        Command::Shop(command) => command.run().await,
        Command::Supervise(_) | Command::Completions(_) | Command::Man(_) => {
            Err(Fault::new(Code::Internal).with("what", "a command that was handled before"))
        }
    }
}
