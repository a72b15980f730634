//! Commands: children of this process, each the leader of a process group, each with a mark in its environment, so that
//! one that outlived a killed Eclusa is found and ended.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::{CommandResult, ExecStream, LineSplitter, OutputSink, OutputStream, Tail};
use rustix::process::{Pid, Signal};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::marks::{COMMAND_MARK, end_marked, find_marked};

/// How long a command may take to end after SIGTERM.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// How long output is waited for that a command's own children still hold open after it has ended.
const LINGER: Duration = Duration::from_secs(2);
/// How much standard output is kept as text.
const LARGEST_STDOUT: usize = 4 * 1024 * 1024;

/// What a command is made of, everything resolved. No `Debug`: the environment holds secrets.
pub struct Prepared {
    pub argv: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub directory: PathBuf,
    pub stdin: Option<Vec<u8>>,
    pub timeout: Duration,
    pub mark: Option<String>,
}

/// The variables of Eclusa's own environment that services and commands get: what a program needs to find programs,
/// its home and its language. Nothing else, since the rest may hold other people's secrets, and a service must
/// run the same whoever starts it.
pub fn passed_on() -> BTreeMap<String, String> {
    const NAMES: [&str; 8] = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR"];
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| NAMES.contains(&name.as_str()) || name.starts_with("LC_"))
        .collect()
}

/// A command that runs, with all that is in its group.
struct Running {
    child: Child,
    mark: String,
    shown: String,
    timeout: Duration,
    began: Instant,
}

impl Running {
    fn start(prepared: &Prepared, stdin: Stdio) -> Result<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let Some((program, rest)) = prepared.argv.split_first() else {
            return Err(Fault::new(Code::CommandMissing).with("program", "").because("the command is empty"));
        };
        // Without a mark of its own it still gets one, by which what it started is found when its time is up.
        let mark = prepared.mark.clone().unwrap_or_else(|| {
            format!("unmarked-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
        });
        let child = Command::new(program)
            .args(rest)
            .env_clear()
            .envs(&prepared.environment)
            .env(COMMAND_MARK, &mark)
            .current_dir(&prepared.directory)
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| Fault::new(Code::CommandMissing).with("program", program).because(error))?;
        eclusa_crash::point("command.started");
        Ok(Self {
            child,
            mark,
            shown: prepared.argv.join(" "),
            timeout: prepared.timeout,
            began: Instant::now(),
        })
    }

    fn signal_group(&self, signal: Signal) {
        // Only while it was not waited for: then the group's number is still its own.
        if let Some(pid) = self.child.id().and_then(|pid| Pid::from_raw(pid.try_into().ok()?)) {
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }

    /// Waits for the end while `pumps` moves the output; ends the command when its time is up.
    async fn finish(&mut self, pumps: impl Future<Output = ()>) -> Result<ExitStatus> {
        tokio::pin!(pumps);
        let mut pumped = false;
        let mut deadline = self.began + self.timeout;
        let mut sent = 0_u32;
        let ended = loop {
            tokio::select! {
                ended = self.child.wait() => break ended,
                () = &mut pumps, if !pumped => pumped = true,
                () = tokio::time::sleep_until(deadline), if sent < 2 => {
                    sent += 1;
                    self.signal_group(if sent == 1 { Signal::TERM } else { Signal::KILL });
                    deadline = Instant::now() + PATIENCE;
                }
            }
        };
        if sent > 0 {
            let left = end_marked(COMMAND_MARK, &self.mark, PATIENCE).await;
            if !pumped {
                let _ = tokio::time::timeout(LINGER, &mut pumps).await;
            }
            left.map_err(|error| {
                Fault::new(Code::CommandStillRunning).with("command", &self.shown).because(error)
            })?;
            return Err(Fault::new(Code::CommandTimeout)
                .with("command", &self.shown)
                .with("seconds", self.timeout.as_secs()));
        }
        if !pumped {
            let _ = tokio::time::timeout(LINGER, &mut pumps).await;
        }
        ended.map_err(|error| {
            Fault::new(Code::CommandFailed).with("command", &self.shown).with("status", error)
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whoever stops waiting for a command does not want it to go on unwatched.
        self.signal_group(Signal::KILL);
    }
}

fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// What is collected of a command's output.
#[derive(Default)]
struct Collected {
    tail: Tail,
    stdout: Vec<u8>,
    truncated: bool,
}

impl Collected {
    fn keep(&mut self, bytes: &[u8]) {
        let room = LARGEST_STDOUT.saturating_sub(self.stdout.len());
        self.stdout.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        self.truncated |= bytes.len() > room;
    }
}

async fn collect(
    stream: Option<impl AsyncRead + Unpin>,
    which: OutputStream,
    output: &dyn OutputSink,
    collected: &Mutex<Collected>,
) {
    let Some(mut stream) = stream else { return };
    let mut splitter = LineSplitter::new();
    let mut buffer = vec![0; 32 * 1024];
    let mut give = |line: &str| {
        output.line(which, line);
        if let Ok(mut collected) = collected.lock() {
            collected.tail.push(line);
        }
        eclusa_crash::point("command.line");
    };
    while let Ok(read) = stream.read(&mut buffer).await {
        if read == 0 {
            break;
        }
        let bytes = buffer.get(..read).unwrap_or_default();
        if which == OutputStream::Out
            && let Ok(mut collected) = collected.lock()
        {
            collected.keep(bytes);
        }
        splitter.push(bytes, &mut give);
    }
    splitter.finish(&mut give);
}

/// Runs a command to its end.
///
/// # Errors
/// `CommandMissing`, `CommandTimeout`, `CommandStillRunning`.
pub async fn run(prepared: Prepared, output: &dyn OutputSink) -> Result<CommandResult> {
    let stdin = if prepared.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut running = Running::start(&prepared, stdin)?;
    let collected = Mutex::new(Collected::default());
    let pumps = {
        let (stdin, stdout, stderr) =
            (running.child.stdin.take(), running.child.stdout.take(), running.child.stderr.take());
        let text = prepared.stdin;
        let collected = &collected;
        async move {
            let feed = async {
                if let (Some(mut stdin), Some(text)) = (stdin, text) {
                    // A command need not read all that it is given.
                    let _ = stdin.write_all(&text).await;
                    let _ = stdin.shutdown().await;
                }
            };
            tokio::join!(
                feed,
                collect(stdout, OutputStream::Out, output, collected),
                collect(stderr, OutputStream::Err, output, collected)
            );
        }
    };
    let ended = running.finish(pumps).await;
    eclusa_crash::point("command.ended");
    let collected = collected.into_inner().unwrap_or_default();
    match ended {
        Ok(status) => Ok(CommandResult {
            code: exit_code(status),
            tail: collected.tail.into_lines(),
            stdout: String::from_utf8_lossy(&collected.stdout).into_owned(),
            truncated: collected.truncated,
            duration: running.began.elapsed(),
        }),
        Err(mut fault) => {
            let lines = collected.tail.into_lines();
            fault.causes.extend(lines.iter().skip(lines.len().saturating_sub(12)).cloned());
            Err(fault)
        }
    }
}

/// Whether a command with this mark still runs.
pub fn still_runs(mark: &str) -> bool {
    !find_marked(COMMAND_MARK, mark).is_empty()
}

/// Ends what bears this mark.
///
/// # Errors
/// `CommandStillRunning`.
pub async fn end(mark: &str) -> Result<()> {
    end_marked(COMMAND_MARK, mark, PATIENCE)
        .await
        .map(drop)
        .map_err(|error| Fault::new(Code::CommandStillRunning).with("command", mark).because(error))
}

/// Starts a command whose input and output are streams.
///
/// # Errors
/// `CommandMissing`.
pub fn stream(mut prepared: Prepared) -> Result<ExecStream> {
    let mut running = Running::start(&prepared, Stdio::piped())?;
    let internal = |what: &str| Fault::new(Code::Internal).with("what", what);
    let mut stdin = running.child.stdin.take().ok_or_else(|| internal("a command without input"))?;
    let stdout = running.child.stdout.take().ok_or_else(|| internal("a command without output"))?;
    let stderr = running.child.stderr.take();
    let stdin: Box<dyn AsyncWrite + Send + Unpin> = match prepared.stdin.take() {
        // Straight into the command: a restore is as many bytes as the database has.
        None => Box::new(stdin),
        Some(text) => {
            let (given, mut received) = tokio::io::duplex(64 * 1024);
            tokio::spawn(async move {
                if stdin.write_all(&text).await.is_err() {
                    return;
                }
                let _ = tokio::io::copy(&mut received, &mut stdin).await;
                let _ = stdin.shutdown().await;
            });
            Box::new(given)
        }
    };
    let (sender, ended) = oneshot::channel();
    tokio::spawn(async move {
        let collected = Mutex::new(Collected::default());
        let pumps = async {
            collect(stderr, OutputStream::Err, &eclusa_ports::NoOutput, &collected).await;
        };
        let outcome = running.finish(pumps).await;
        let collected = collected.into_inner().unwrap_or_default();
        let _ = sender.send(outcome.map(|status| CommandResult {
            code: exit_code(status),
            tail: collected.tail.into_lines(),
            stdout: String::new(),
            truncated: false,
            duration: running.began.elapsed(),
        }));
    });
    Ok(ExecStream { stdin, stdout: Box::new(stdout), ended })
}
