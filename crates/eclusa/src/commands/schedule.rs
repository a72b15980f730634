//! `eclusa schedule`: what is due when, and whether it was done. `eclusa schedule run` does it: it is for a service of
//! systemd, or with `--once` for cron.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use clap::{Args, Subcommand};
use comfy_table::{Table, presets::NOTHING};
use eclusa_control::schedule::{State, Task};
use eclusa_control::{Assembly, history, running, schedule};
use eclusa_fault::{Code, Fault, Message, Result};
use jiff::Timestamp;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::Session;
use crate::exit::Exit;
use crate::terminal::{say, tell};

/// How often it is looked whether something is due.
const GLANCE: Duration = Duration::from_secs(20);
/// What left no run in the journal, such as a command that found the stack gone, is tried again after this long.
const AGAIN: Duration = Duration::from_secs(15 * 60);

/// The arguments.
#[derive(Debug, Args)]
pub struct Schedule {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Do what is due, one after the other, until told to end.
    Run {
        /// Only what is due now.
        #[arg(long)]
        once: bool,
    },
}

impl Schedule {
    /// Shows the schedule, or carries it out.
    pub async fn run(self, session: &Session) -> Result<Exit> {
        match self.what {
            None => show(session).await,
            Some(What::Run { once }) => Keeper::new(session)?.keep(once).await,
        }
    }
}

fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

async fn show(session: &Session) -> Result<Exit> {
    let assembly = session.assembly().await?;
    let tasks = schedule::of(&assembly, assembly.ports.clock.now()).await?;
    if session.json() {
        say(json!({"format": 1, "stack": assembly.name, "tasks": tasks}));
        return Ok(Exit::Ok);
    }
    if tasks.is_empty() {
        say(Message::new("schedule-nothing").with("stack", &assembly.name).render(&session.language));
        return Ok(Exit::Ok);
    }
    let words = |id: &str| Message::new(id.to_owned()).render(&session.language);
    let mut table = Table::new();
    table.load_preset(NOTHING);
    table.set_header(
        ["job", "tenant", "last", "done", "state", "next"].map(|name| words(&format!("schedule-{name}"))),
    );
    let shown = |at: Option<Timestamp>| at.map_or_else(|| "–".to_owned(), time);
    for task in &tasks {
        let tenant = task.tenant.as_ref().map_or_else(|| words("schedule-all"), ToString::to_string);
        table.add_row([
            job(task),
            tenant,
            shown(task.last),
            shown(task.done),
            state(task.state).render(&session.language),
            shown(task.next),
        ]);
    }
    say(table);
    Ok(Exit::Ok)
}

/// The job, and where to, where that is not everywhere.
fn job(task: &Task) -> String {
    let to: Vec<&str> =
        task.command.iter().skip(1).map(String::as_str).filter(|word| *word != "--to").collect();
    if task.mirrors.is_empty() || to.is_empty() {
        return task.job.word().to_owned();
    }
    format!("{} {}", task.job.word(), to.join(", "))
}

fn state(state: State) -> Message {
    match state {
        State::Done => Message::new("schedule-state-done"),
        State::Due => Message::new("schedule-state-due"),
        State::Waiting { until } => Message::new("schedule-state-waiting").with("at", time(until)),
        State::Again { at } => Message::new("schedule-state-again").with("at", time(at)),
        State::Missed => Message::new("schedule-state-missed"),
    }
}

/// Whoever watches the clock.
struct Keeper<'a> {
    session: &'a Session,
    /// When the commands that failed have ended, by their words.
    failed: BTreeMap<Vec<String>, Timestamp>,
    /// What was said last, so that it is not said every twenty seconds.
    said: Option<String>,
}

impl<'a> Keeper<'a> {
    fn new(session: &'a Session) -> Result<Self> {
        // What is wrong with the configuration from the first moment on is not waited for.
        session.workspace()?;
        Ok(Self { session, failed: BTreeMap::new(), said: None })
    }

    async fn keep(mut self, once: bool) -> Result<Exit> {
        let outside = |error: std::io::Error| Fault::new(Code::Internal).with("what", error);
        let mut terminate = signal(SignalKind::terminate()).map_err(outside)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(outside)?;
        let mut worst = Exit::Ok;
        loop {
            let due = match self.due().await {
                Ok(due) => due,
                Err(fault) if once => return Err(fault),
                Err(fault) => {
                    self.once_said(Message::new("schedule-trouble").with("problem", fault));
                    None
                }
            };
            let Some(task) = due else {
                if once {
                    return Ok(worst);
                }
                tokio::select! {
                    () = tokio::time::sleep(GLANCE) => continue,
                    _ = terminate.recv() => return Ok(Exit::Ok),
                    _ = interrupt.recv() => return Ok(Exit::Ok),
                }
            };
            let mut child = match self.begin(&task) {
                Ok(child) => child,
                Err(fault) if once => return Err(fault),
                Err(_) => continue,
            };
            let mut stopping = false;
            let status = loop {
                tokio::select! {
                    status = child.wait() => break status,
                    _ = terminate.recv(), if !stopping => stopping = true,
                    _ = interrupt.recv(), if !stopping => stopping = true,
                }
                self.say(&Message::new("schedule-stopping"));
            };
            let code = status.ok().and_then(|status| status.code());
            self.ended(&task, code);
            if code != Some(0) {
                worst = Exit::Failure;
            }
            if stopping {
                return Ok(worst);
            }
        }
    }

    /// The first task that is due, unless a run is under way.
    async fn due(&mut self) -> Result<Option<Task>> {
        let assembly = self.session.assembly().await?;
        let now = assembly.ports.clock.now();
        let tasks = schedule::of(&assembly, now).await?;
        let again = |task: &Task| {
            let failed = self.failed.get(&task.command);
            failed.is_some_and(|failed| now.duration_since(*failed).unsigned_abs() < AGAIN)
        };
        let Some(task) = tasks.iter().find(|task| task.state == State::Due && !again(task)) else {
            let next = tasks.iter().filter_map(|task| Some((wakes(task)?, task))).min_by_key(|(at, _)| *at);
            if let Some((at, task)) = next {
                let text = Message::new("schedule-watching").with("command", task.command.join(" "));
                self.once_said(text.with("at", time(at)));
            }
            return Ok(None);
        };
        if let Some(run) = under_way(&assembly).await? {
            self.once_said(Message::new("schedule-run-under-way").with("run", run));
            return Ok(None);
        }
        Ok(Some(task.clone()))
    }

    /// Starts the command of a task: this program, with the same configuration.
    fn begin(&mut self, task: &Task) -> Result<tokio::process::Child> {
        let words = task.command.join(" ");
        let at = task.last.map(time).unwrap_or_default();
        self.say(&Message::new("schedule-begins").with("command", &words).with("at", at));
        let given = &self.session.arguments;
        let start = || {
            let mut command = tokio::process::Command::new(std::env::current_exe()?);
            command.arg("--config").arg(&given.config).stdin(Stdio::null());
            // A signal for this process is not for what it has begun, which ends first.
            command.process_group(0);
            if let Some(state) = &given.state {
                command.arg("--state").arg(state);
            }
            for (option, value) in [("--stack", &given.stack), ("--as", &given.person)] {
                if let Some(value) = value {
                    command.args([option, value]);
                }
            }
            if given.json {
                command.arg("--json");
            }
            command.args(&task.command).spawn()
        };
        start().map_err(|error| {
            self.failed.insert(task.command.clone(), Timestamp::now());
            self.say(
                &Message::new("schedule-could-not-begin").with("command", &words).with("problem", &error),
            );
            Fault::new(Code::Internal).with("what", error)
        })
    }

    fn ended(&mut self, task: &Task, code: Option<i32>) {
        if code == Some(0) {
            self.failed.remove(&task.command);
        } else {
            self.failed.insert(task.command.clone(), Timestamp::now());
        }
        let code = code.map_or_else(|| "–".to_owned(), |code| code.to_string());
        self.say(&Message::new("schedule-ended").with("command", task.command.join(" ")).with("code", code));
    }

    fn once_said(&mut self, message: Message) {
        let text = message.render(&self.session.language);
        if self.said.as_ref() != Some(&text) {
            tell(&text);
            self.said = Some(text);
        }
    }

    fn say(&mut self, message: &Message) {
        self.said = None;
        tell(message.render(&self.session.language));
    }
}

/// When there is something to do for a task again.
fn wakes(task: &Task) -> Option<Timestamp> {
    match task.state {
        State::Waiting { until } => Some(until),
        State::Again { at } => Some(at),
        _ => task.next,
    }
}

/// A run that lives. One that nobody owns is no reason to wait: what is due then fails and says what to type.
async fn under_way(assembly: &Assembly) -> Result<Option<String>> {
    let Some(run) = history::unfinished(assembly.journal.as_ref(), &assembly.name)? else { return Ok(None) };
    Ok(running::owner_lives(assembly, &run.id).await.then(|| run.id.to_string()))
}
