//! Running a command to its end.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::{BothOutputs, CommandResult, CommandSpec, OutputSink, OutputStream};
use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};

use crate::group::Group;

/// How much of standard output is kept: 4 MiB, as `CommandResult` promises.
const MOST_STDOUT: usize = 4 * 1024 * 1024;
/// How long the group may take to end after SIGTERM, as `CommandSpec` promises.
const TERMINATION_GRACE: Duration = Duration::from_secs(5);
/// How long output may still come after the command itself has ended. Longer than it takes to empty the pipes;
/// a daemon that it left behind may hold them open for ever.
const OUTPUT_GRACE: Duration = Duration::from_millis(1500);
/// How many of its last lines are told when it was ended.
const TOLD_LINES: usize = 20;

/// What came out so far. Shared by the readers of both outputs, and still there when they are given up.
struct Collected<'a> {
    sink: &'a dyn OutputSink,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    lines: BothOutputs,
    stdout: Vec<u8>,
    truncated: bool,
}

/// A run may be killed after any line of a command.
struct AtEachLine<'a>(&'a dyn OutputSink);

impl OutputSink for AtEachLine<'_> {
    fn line(&self, stream: OutputStream, line: &str) {
        self.0.line(stream, line);
        eclusa_crash::point("command.line");
    }
}

impl Collected<'_> {
    fn take(&self, stream: OutputStream, bytes: &[u8]) {
        let Ok(mut state) = self.state.lock() else { return };
        if stream == OutputStream::Out {
            let room = MOST_STDOUT.saturating_sub(state.stdout.len());
            state.stdout.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
            state.truncated |= bytes.len() > room;
        }
        state.lines.push(stream, bytes, &AtEachLine(self.sink));
    }

    fn finish(self) -> State {
        let mut state = self.state.into_inner().unwrap_or_default();
        state.lines.finish(self.sink);
        state
    }
}

/// Runs a command to its end.
pub(crate) async fn run(command: CommandSpec, output: &dyn OutputSink) -> Result<CommandResult> {
    let started = Instant::now();
    let mut child = start(&command)?;
    eclusa_crash::point("command.started");
    let mut group = Group::of(child.id());
    let collected = Collected { sink: output, state: Mutex::default() };

    let ended = {
        let standard_input = child.stdin.take();
        let (standard_output, standard_error) = (child.stdout.take(), child.stderr.take());
        let feeding = feed(standard_input, command.stdin.as_deref().unwrap_or_default());
        let reading = async {
            tokio::join!(
                read(standard_output, OutputStream::Out, &collected),
                read(standard_error, OutputStream::Err, &collected)
            )
        };
        tokio::pin!(feeding, reading);
        let (mut fed, mut drained) = (false, false);
        let waiting = wait(&mut child, &mut group, command.timeout);
        tokio::pin!(waiting);
        let ended = loop {
            tokio::select! {
                ended = &mut waiting => break ended,
                () = &mut feeding, if !fed => fed = true,
                _ = &mut reading, if !drained => drained = true,
            }
        };
        if !drained {
            let _ = tokio::time::timeout(OUTPUT_GRACE, &mut reading).await;
        }
        ended
    };

    eclusa_crash::point("command.ended");
    let state = collected.finish();
    let tail = state.lines.into_tail().into_lines();
    match ended {
        Ended::Itself(status) => Ok(CommandResult {
            code: exit_code(status),
            tail,
            stdout: String::from_utf8_lossy(&state.stdout).into_owned(),
            truncated: state.truncated,
            duration: started.elapsed(),
        }),
        Ended::PastItsLimit => {
            let mut fault = Fault::new(Code::CommandTimeout)
                .with("command", shown(&command.argv))
                .with("seconds", command.timeout.as_secs());
            fault.causes = tail.into_iter().rev().take(TOLD_LINES).rev().collect();
            Err(fault)
        }
        Ended::Unknown(error) => {
            Err(Fault::new(Code::CommandStillRunning).with("command", shown(&command.argv)).because(error))
        }
    }
}

/// How a command came to its end.
enum Ended {
    Itself(ExitStatus),
    PastItsLimit,
    Unknown(std::io::Error),
}

fn start(command: &CommandSpec) -> Result<Child> {
    let missing = |program: &str| Fault::new(Code::CommandMissing).with("program", program);
    let Some((program, arguments)) = command.argv.split_first() else {
        return Err(missing("").because("an empty command"));
    };
    let mut process = Command::new(program);
    process
        .args(arguments)
        .stdin(if command.stdin.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    for (name, value) in &command.environment {
        process.env(name, value.expose_secret());
    }
    if eclusa_crash::left_out("secrets.environment") {
        // What must not be: secrets handed over as arguments.
        process.args(command.environment.values().map(ExposeSecret::expose_secret));
    }
    if let Some(directory) = &command.directory {
        process.current_dir(directory);
        // A working directory that is not there gives the same error as a program that is not there.
        if !directory.is_dir() {
            return Err(missing(program).because(format!("{} is no directory", directory.display())));
        }
    }
    process.spawn().map_err(|error| missing(program).because(error))
}

/// Waits until the command has ended, or ends it and all of its group when its time is up.
async fn wait(child: &mut Child, group: &mut Group, limit: Duration) -> Ended {
    match tokio::time::timeout(limit, child.wait()).await {
        Ok(Ok(status)) => {
            group.let_go();
            return Ended::Itself(status);
        }
        Ok(Err(error)) => return Ended::Unknown(error),
        Err(_) => {}
    }
    // SIGTERM goes to all of the group, and all of it has the same time: a child may outlive its leader.
    group.terminate();
    let deadline = Instant::now() + TERMINATION_GRACE;
    let mut reaped = false;
    while group.is_alive() && Instant::now() < deadline {
        if reaped {
            tokio::time::sleep(Duration::from_millis(20)).await;
        } else {
            reaped = tokio::time::timeout(Duration::from_millis(20), child.wait()).await.is_ok();
        }
    }
    group.kill();
    let _ = child.wait().await;
    group.let_go();
    Ended::PastItsLimit
}

/// Writes standard input. A command that does not read all of it is not at fault.
async fn feed(stdin: Option<tokio::process::ChildStdin>, bytes: &[u8]) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(bytes).await;
        let _ = stdin.shutdown().await;
    }
}

async fn read<R: AsyncRead + Unpin>(source: Option<R>, stream: OutputStream, collected: &Collected<'_>) {
    let Some(mut source) = source else { return };
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count) = source.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        collected.take(stream, buffer.get(..count).unwrap_or_default());
    }
}

/// The code as a shell says it.
fn exit_code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// The command as a person reads it, not longer than a line.
fn shown(argv: &[String]) -> String {
    let text = argv.join(" ");
    if text.chars().count() > 200 { text.chars().take(199).chain(['…']).collect() } else { text }
}
