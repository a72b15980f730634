//! The supervisor of one service: a process of its own that outlives the run that started it.
//!
//! It is told what to run on its standard input, so that secrets are in no argv and in no file, and so that a
//! starter that dies halfway starts nothing. Then it leaves the starter's session, takes the service's lock (there
//! is never a second one), and keeps the service running, with a growing pause between starts. On SIGTERM
//! it ends the service in peace and itself afterwards; on a second SIGTERM it kills it.
//!
//! When the supervisor itself is killed, the kernel kills the service: between fork and exec of the service stands
//! another moment of this binary (`child`), which asks for that and then becomes the service.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use eclusa_ports::LineSplitter;
use jiff::Timestamp;
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

use crate::log::LogWriter;
use crate::marks::{SERVICE_MARK, end_marked};
use crate::process::{ProcessIdentity, boot};
use crate::state::ServiceStatus;

/// The pause before the first restart; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest pause before a restart.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// A service that ran for this long has started well: the pause begins anew.
const STARTED_WELL: Duration = Duration::from_secs(10);

/// The exit code of a supervisor that finds another one at work (`EX_TEMPFAIL` of sysexits).
const ANOTHER_AT_WORK: u8 = 75;
/// The exit code for what cannot be understood (`EX_USAGE` of sysexits).
const USAGE: u8 = 64;
/// The exit code of a command that could not be started, as a shell says it.
const NOT_STARTED: u8 = 127;

/// What a supervisor is told. No `Debug`: the environment holds secrets.
#[derive(Serialize, Deserialize)]
pub struct SupervisorOrder {
    pub status_path: PathBuf,
    pub lock_path: PathBuf,
    pub log_path: PathBuf,
    pub directory: PathBuf,
    pub argv: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub mark: String,
    pub release: String,
    pub image_id: String,
    pub port: Option<u16>,
    /// The program and first arguments by which a supervisor is started; the service is started through it too.
    pub supervisor_argv: Vec<String>,
}

/// The body of the hidden command `supervise`. Without arguments it is a supervisor that reads its order from
/// standard input; `child PID -- ARGV…` is the moment before a service. Gives the exit code.
#[must_use]
pub fn supervise(arguments: &[String]) -> u8 {
    match arguments {
        [] => {
            // The service must be started by a thread that lives as long as the supervisor: the kernel's
            // parent-death signal is about threads.
            match std::thread::Builder::new().name("supervisor".to_owned()).spawn(supervisor) {
                Ok(thread) => thread.join().unwrap_or(70),
                Err(error) => complain(70, &error),
            }
        }
        [word, parent, dashes, argv @ ..] if word == "child" && dashes == "--" => {
            become_service(parent, argv)
        }
        _ => complain(USAGE, &"this command is for Eclusa's own use"),
    }
}

fn complain(code: u8, problem: &dyn std::fmt::Display) -> u8 {
    eprintln!("eclusa supervise: {problem}");
    code
}

fn become_service(parent: &str, argv: &[String]) -> u8 {
    let Some((program, rest)) = argv.split_first() else { return complain(USAGE, &"no command") };
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(Signal::KILL)) {
        return complain(NOT_STARTED, &error);
    }
    // The supervisor may have died before the line above.
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().to_string());
    if now.as_deref() != Some(parent) {
        return complain(NOT_STARTED, &"the supervisor is gone");
    }
    let error = std::process::Command::new(program).args(rest).exec();
    complain(NOT_STARTED, &format_args!("{program} cannot be started: {error}"))
}

fn supervisor() -> u8 {
    let mut text = Vec::new();
    if let Err(error) = std::io::stdin().lock().read_to_end(&mut text) {
        return complain(USAGE, &error);
    }
    let order: SupervisorOrder = match serde_json::from_slice(&text) {
        Ok(order) => order,
        Err(error) => return complain(USAGE, &error),
    };
    // Fails only for a leader of a process group, which then has left its starter's already.
    let _ = rustix::process::setsid();
    if let Some(directory) = order.lock_path.parent()
        && let Err(error) = std::fs::create_dir_all(directory)
    {
        return complain(73, &error);
    }
    let lock = match std::fs::File::options().create(true).append(true).open(&order.lock_path) {
        Ok(lock) => lock,
        Err(error) => return complain(73, &error),
    };
    if lock.try_lock().is_err() {
        return complain(ANOTHER_AT_WORK, &"another supervisor is at work");
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(71, &error),
    };
    match runtime.block_on(keep_running(&order)) {
        Ok(()) => 0,
        Err(error) => complain(71, &error),
    }
}

async fn keep_running(order: &SupervisorOrder) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    // A terminal that goes away and keys pressed in it are no business of a detached process.
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        loop {
            tokio::select! { _ = hangup.recv() => {}, _ = interrupt.recv() => {} }
        }
    });
    let log = Arc::new(Mutex::new(LogWriter::open(&order.log_path)?));
    let own =
        ProcessIdentity::own().ok_or_else(|| std::io::Error::other("/proc does not show this process"))?;
    let mut status = ServiceStatus {
        boot: boot(),
        supervisor: own,
        child: None,
        release: order.release.clone(),
        image_id: order.image_id.clone(),
        port: order.port,
        command: order.argv.clone(),
        supervised_since: Timestamp::now(),
        started_at: None,
        restarts: 0,
        last_exit: None,
        stopped: false,
    };
    status.write(&order.status_path)?;
    // What an earlier supervisor that was killed left behind.
    end_marked(SERVICE_MARK, &order.mark, Duration::from_secs(2)).await?;
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        let stopped = match start(order, own.pid) {
            Ok(mut child) => {
                status.child = child.id().and_then(ProcessIdentity::of);
                status.started_at = Some(Timestamp::now());
                status.write(&order.status_path)?;
                let pumps = [
                    child.stdout.take().map(|stream| tokio::spawn(pump(stream, Arc::clone(&log)))),
                    child.stderr.take().map(|stream| tokio::spawn(pump(stream, Arc::clone(&log)))),
                ];
                let (ended, stopped) = watch(&mut child, &mut terminate).await?;
                // What the service had started goes with it, and so the pipes close.
                end_marked(SERVICE_MARK, &order.mark, Duration::from_secs(1)).await?;
                for pump in pumps.into_iter().flatten() {
                    let _ = tokio::time::timeout(Duration::from_secs(1), pump).await;
                }
                status.last_exit = Some(ended.to_string());
                stopped
            }
            Err(error) => {
                status.last_exit = Some(format!("could not be started: {error}"));
                false
            }
        };
        status.child = None;
        status.stopped = stopped;
        if !stopped {
            status.restarts = status.restarts.saturating_add(1);
        }
        status.write(&order.status_path)?;
        if stopped {
            return Ok(());
        }
        note(&log, &status, pause);
        pause = if began.elapsed() >= STARTED_WELL { FIRST_PAUSE } else { pause };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = terminate.recv() => {
                status.stopped = true;
                return status.write(&order.status_path);
            }
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn note(log: &Mutex<LogWriter>, status: &ServiceStatus, pause: Duration) {
    if let Ok(mut log) = log.lock() {
        let how = status.last_exit.as_deref().unwrap_or("it ended");
        log.line(&format!(
            "[eclusa] the service ended by itself ({how}); it is started again in {} ms",
            pause.as_millis()
        ));
    }
}

fn start(order: &SupervisorOrder, own: u32) -> std::io::Result<Child> {
    let Some((program, rest)) = order.supervisor_argv.split_first() else {
        return Err(std::io::Error::other("no program"));
    };
    Command::new(program)
        .args(rest)
        .args(["child", &own.to_string(), "--"])
        .args(&order.argv)
        .env_clear()
        .envs(&order.environment)
        .env(SERVICE_MARK, &order.mark)
        .current_dir(&order.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

/// Waits until the service ends. SIGTERM ends it, a second one kills it. Says how it ended and whether that was wanted.
async fn watch(
    child: &mut Child,
    terminate: &mut tokio::signal::unix::Signal,
) -> std::io::Result<(ExitStatus, bool)> {
    let mut asked = 0_u32;
    loop {
        tokio::select! {
            ended = child.wait() => return Ok((ended?, asked > 0)),
            _ = terminate.recv() => {
                asked += 1;
                let which = if asked == 1 { Signal::TERM } else { Signal::KILL };
                // It was not waited for yet, so its PID and group are still its own.
                if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.try_into().ok()?)) {
                    let _ = rustix::process::kill_process_group(pid, which);
                }
            }
        }
    }
}

async fn pump(mut stream: impl AsyncRead + Unpin, log: Arc<Mutex<LogWriter>>) {
    let mut splitter = LineSplitter::new();
    let mut buffer = vec![0; 16 * 1024];
    let mut write = |text: &str| {
        if let Ok(mut log) = log.lock() {
            log.line(text);
        }
    };
    while let Ok(read) = stream.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        splitter.push(buffer.get(..read).unwrap_or_default(), &mut write);
    }
    splitter.finish(&mut write);
}
