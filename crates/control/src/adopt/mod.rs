//! `adopt`: looks at a Compose project, running or not, and writes a commented `eclusa.toml` for it. It changes
//! nothing else. Every value says why it stands there; guesses say so, and what was not found is commented out.

mod bench;
mod commands;
mod data;
mod database;
mod dockerfile;
mod document;
mod environment;
mod facts;
mod host_bench;
mod image;
mod probes;
mod python;
mod release;
mod roles;
mod running;
mod writing;
mod written;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eclusa_config::Configuration;
use eclusa_fault::{Code, Fault, Language, Message, Result};
use eclusa_host::LocalHost;
use eclusa_model::{AppKind, StackName};
use eclusa_ports::Host;

pub use document::{Certainty, Note};
use facts::Facts;

/// The mode of the file that is written: it holds no secret.
const MODE: u32 = 0o644;

/// What is adopted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The Compose files, in the order of `-f`.
    pub files: Vec<PathBuf>,
    /// The application, where the operator names it.
    pub app: Option<AppKind>,
    /// The env files that Compose is started with, where the operator names them.
    pub env_files: Vec<PathBuf>,
    /// The project's name, where the operator names it.
    pub project: Option<String>,
    /// The stack's name, where the operator names it.
    pub stack: Option<String>,
    /// Where the file is to stand; its paths are relative to this directory.
    pub output: PathBuf,
    /// The language of the comments.
    pub language: Language,
}

/// What is looked at besides files.
pub struct Surroundings {
    /// Runs `docker compose` and `git`.
    pub host: Arc<dyn Host>,
    /// Whether the engine and a running application are asked.
    pub ask: bool,
    /// Whether a port of 127.0.0.1 is free.
    pub port_is_free: fn(u16) -> bool,
}

impl Surroundings {
    /// This machine.
    #[must_use]
    pub fn real() -> Self {
        Self { host: Arc::new(LocalHost::new()), ask: true, port_is_free }
    }
}

fn port_is_free(port: u16) -> bool {
    std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Adopted {
    /// The text of the file; it was read by the same rules as any other.
    pub text: String,
    /// Where it is to stand.
    pub output: PathBuf,
    /// The stack's name.
    pub stack: String,
    /// The application.
    pub app: AppKind,
    /// Every value and its reason, in the order of the file.
    pub notes: Vec<Note>,
    /// The command to use instead of a plain `docker compose`, up to where `up -d` follows.
    pub compose: Vec<String>,
    /// The project's services that run now; none when it is stopped or the engine does not answer.
    pub running: Vec<String>,
    /// Whether the engine was asked and answered.
    pub engine: bool,
    /// Variables of the env files that still hold a placeholder.
    pub placeholders: Vec<String>,
}

/// Looks at a project. Nothing is changed.
///
/// # Errors
/// `ConfigUnreadable`, `ComposeMissing`, `ComposeInvalid`, `AdoptUnknown`, `DatabaseUnsupported`, `ConfigInvalid` for an
/// env file or a name of a stack that is none, `Internal` when what would be written is not valid.
pub async fn look(wanted: &Wanted, surroundings: &Surroundings) -> Result<Adopted> {
    if let [bench] = wanted.files.as_slice()
        && host_bench::is_bench(bench)
    {
        return look_at_bench(wanted, bench, surroundings);
    }
    let facts = Facts::gather(wanted, surroundings).await?;
    let stack = stack_name(wanted, &facts)?;
    let (text, notes) = writing::write(&stack, wanted, &facts, surroundings).await?;
    let output = std::path::absolute(&wanted.output).unwrap_or_else(|_| wanted.output.clone());
    check(&text, &output)?;
    let running = facts.containers.services.iter().filter(|(_, status)| status.starts_with("Up"));
    let words =
        environment::placeholder_words(&facts.directory).unwrap_or_else(|| vec!["CHANGE_ME".to_owned()]);
    Ok(Adopted {
        text,
        output,
        stack,
        app: facts.app.value,
        notes,
        compose: compose_command(&facts),
        running: running.map(|(name, _)| name.clone()).collect(),
        engine: facts.containers.engine,
        placeholders: environment::placeholders(&facts.environment, &words),
    })
}

/// The same for a bench on the host.
fn look_at_bench(wanted: &Wanted, bench: &Path, surroundings: &Surroundings) -> Result<Adopted> {
    let (text, notes, stack) = host_bench::write(wanted, bench, surroundings)?;
    let output = std::path::absolute(&wanted.output).unwrap_or_else(|_| wanted.output.clone());
    check(&text, &output)?;
    Ok(Adopted {
        text,
        output,
        stack,
        app: AppKind::Frappe,
        notes,
        compose: Vec::new(),
        running: Vec::new(),
        engine: false,
        placeholders: Vec::new(),
    })
}

/// What is written must be valid.
fn check(text: &str, output: &Path) -> Result<()> {
    Configuration::parse(text, output).map(|_| ()).map_err(|fault| {
        Fault::new(Code::Internal)
            .with("what", "adopt wrote a file that is not valid")
            .because(&fault)
            .excerpt(fault.excerpt.clone().unwrap_or_default())
    })
}

/// Refuses a place where a file is already.
///
/// # Errors
/// `ConfigExists`.
pub fn refuse_existing(output: &Path) -> Result<()> {
    // A link that leads nowhere is something too.
    if std::fs::symlink_metadata(output).is_ok() {
        let hint = Message::new("adopt-exists-hint");
        return Err(Fault::new(Code::ConfigExists).with("path", output.display()).hint(hint));
    }
    Ok(())
}

/// Writes the file so that a crash leaves it whole or not at all.
///
/// # Errors
/// `ConfigExists` unless forced, `FileAccess`.
pub async fn save(adopted: &Adopted, force: bool, host: &dyn Host) -> Result<()> {
    if !force {
        refuse_existing(&adopted.output)?;
    }
    host.write_durably(&adopted.output, adopted.text.as_bytes(), MODE).await
}

fn stack_name(wanted: &Wanted, facts: &Facts) -> Result<String> {
    if let Some(name) = &wanted.stack {
        return StackName::new(name.as_str()).map(|name| name.to_string()).map_err(|error| {
            Fault::new(Code::ConfigInvalid)
                .with("path", "--stack")
                .with("problem", error)
                .hint(Message::new("adopt-stack-hint"))
        });
    }
    let name: String = facts.project.name.chars().take(40).collect();
    Ok(StackName::new(name.as_str()).map_or_else(|_| "main".to_owned(), |name| name.to_string()))
}

/// The name of the override that Eclusa writes.
const OVERRIDE: &str = "docker-compose.eclusa.yml";

fn override_path(facts: &Facts) -> String {
    // What lies in Portainer's volume is Portainer's, and goes with the next version of the stack.
    let directory = if facts.containers.portainer { &facts.base } else { &facts.directory };
    facts.shown(&directory.join(OVERRIDE))
}

fn compose_command(facts: &Facts) -> Vec<String> {
    let mut argv: Vec<String> =
        vec!["docker".into(), "compose".into(), "-p".into(), facts.project.name.clone()];
    for file in &facts.files {
        argv.extend(["-f".to_owned(), facts.shown(file)]);
    }
    argv.extend(["-f".to_owned(), override_path(facts)]);
    for file in &facts.env_files.value {
        argv.extend(["--env-file".to_owned(), facts.shown(file)]);
    }
    argv
}
