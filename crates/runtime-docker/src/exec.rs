//! Commands inside running services.

use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::models::ContainerInspectResponse;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{ServiceName, ServiceState};
use eclusa_ports::{BothOutputs, CommandResult, ExecSpec, OutputSink, OutputStream};
use futures_util::{Stream, StreamExt};
use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::MARK_VARIABLE;
use crate::observe::state_of;
use crate::runtime::ComposeRuntime;

/// The most of a command's standard output that is kept as text.
const LONGEST_OUTPUT: usize = 4 * 1024 * 1024;

/// How long the engine may take to know the exit code once the output has ended.
const CODE_WITHIN: Duration = Duration::from_secs(10);

/// A command that was started inside a container.
pub(crate) struct Started {
    pub(crate) id: String,
    pub(crate) container: ContainerInspectResponse,
    pub(crate) mark: String,
    pub(crate) command: String,
    pub(crate) output:
        std::pin::Pin<Box<dyn Stream<Item = std::result::Result<LogOutput, bollard::errors::Error>> + Send>>,
    pub(crate) input: std::pin::Pin<Box<dyn AsyncWrite + Send>>,
}

impl ComposeRuntime {
    pub(crate) async fn exec_in_service(
        &self,
        service: &ServiceName,
        mut spec: ExecSpec,
        sink: &dyn OutputSink,
    ) -> Result<CommandResult> {
        let begun = Instant::now();
        let (timeout, stdin) = (spec.timeout, spec.stdin.take());
        let program = spec.argv.first().cloned().unwrap_or_default();
        let started = self.start_exec(service, spec, stdin.is_some()).await?;
        let Started { id, container, mark, command, mut output, mut input } = started;
        let mut gathered = Gathered::default();
        let feed = async {
            if let Some(bytes) = stdin {
                // A command that does not read to the end is no fault of ours.
                let _ = input.write_all(&bytes).await;
            }
            let _ = input.shutdown().await;
            // The other half of the connection must stay open while there is output.
            std::future::pending::<()>().await
        };
        let read = async {
            while let Some(chunk) = output.next().await {
                gathered.take(
                    chunk.map_err(|error| self.engine.fault("reading the output of a command", &error))?,
                    sink,
                );
            }
            gathered.finish(sink);
            self.exit_code(&id).await
        };
        let ended = tokio::select! {
            ended = tokio::time::timeout(timeout, read) => ended,
            () = feed => unreachable!(),
        };
        match ended {
            Ok(code) => gathered.result(code?, begun.elapsed(), &program),
            Err(_) => {
                gathered.finish(sink);
                self.end_marked(&container, &mark, self.root_of(&id).await).await?;
                let fault = Fault::new(Code::CommandTimeout)
                    .with("command", command)
                    .with("seconds", timeout.as_secs());
                Err(gathered.last_lines().into_iter().fold(fault, Fault::because))
            }
        }
    }

    /// Starts a command in the first running container of a service.
    pub(crate) async fn start_exec(
        &self,
        service: &ServiceName,
        spec: ExecSpec,
        stdin: bool,
    ) -> Result<Started> {
        let container = self.running_container(service).await?;
        let name = container.id.clone().unwrap_or_default();
        let mark = spec.mark.unwrap_or_else(own_mark);
        let mut environment: Vec<String> = spec
            .environment
            .iter()
            .map(|(name, value)| format!("{name}={}", value.expose_secret()))
            .collect();
        environment.push(format!("{MARK_VARIABLE}={mark}"));
        let command = spec.argv.join(" ");
        let options = CreateExecOptions {
            attach_stdin: Some(stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            env: Some(environment),
            working_dir: spec.directory,
            cmd: Some(spec.argv),
            ..Default::default()
        };
        let docker = self.engine.docker().await?;
        let fault = |error| self.engine.fault("starting a command", &error);
        let exec = docker.create_exec(&name, options).await.map_err(fault)?;
        eclusa_crash::point("container.command.made");
        match docker.start_exec(&exec.id, None::<StartExecOptions>).await.map_err(fault)? {
            StartExecResults::Attached { output, input } => {
                eclusa_crash::point("container.command.started");
                Ok(Started { id: exec.id, container, mark, command, output, input })
            }
            StartExecResults::Detached => {
                Err(Fault::new(Code::Internal).with("what", "the engine detached from a command"))
            }
        }
    }

    async fn running_container(&self, service: &ServiceName) -> Result<ContainerInspectResponse> {
        let mut containers = self.containers().await?;
        let found = containers.remove(service.as_str()).unwrap_or_default();
        if let Some(container) =
            found.into_iter().find(|container| state_of(container) == ServiceState::Running)
        {
            return Ok(container);
        }
        let model = self.base_model().await?;
        if !model.services.contains_key(service.as_str()) {
            return Err(service_missing(service, model.services.keys()));
        }
        Err(Fault::new(Code::RuntimeFailed)
            .with("operation", format!("a command in {service}"))
            .because(format!("the service {service} is not running")))
    }

    /// The exit code of a command whose output has ended.
    pub(crate) async fn exit_code(&self, exec: &str) -> Result<i32> {
        let since = Instant::now();
        loop {
            let looked = self.engine.docker().await?.inspect_exec(exec).await;
            let looked = looked.map_err(|error| self.engine.fault("looking at a command", &error))?;
            if looked.running != Some(true)
                && let Some(code) = looked.exit_code
            {
                return Ok(i32::try_from(code).unwrap_or(i32::MAX));
            }
            if since.elapsed() > CODE_WITHIN {
                // It closed its output and lives on.
                return Err(Fault::new(Code::CommandStillRunning).with("command", exec));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The id, on the engine's host, of a command that still runs.
    pub(crate) async fn root_of(&self, exec: &str) -> Option<i32> {
        let looked = self.engine.docker().await.ok()?.inspect_exec(exec).await.ok()?;
        let pid = looked.pid.filter(|_| looked.running == Some(true))?;
        i32::try_from(pid).ok().filter(|pid| *pid > 0)
    }
}

/// The fault for a service that the stack does not have.
pub(crate) fn service_missing<'a>(service: &ServiceName, known: impl Iterator<Item = &'a String>) -> Fault {
    let known: Vec<&str> = known.map(String::as_str).collect();
    Fault::new(Code::ServiceMissing).with("service", service).with("known", known.join(", "))
}

/// A mark for a command that was given none: it is only needed while this process waits for it.
pub(crate) fn own_mark() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let text =
        format!("{}-{}-{}", std::process::id(), since.as_nanos(), NEXT.fetch_add(1, Ordering::Relaxed));
    let digest = hex::encode(Sha256::digest(text.as_bytes()));
    digest.get(..24).unwrap_or(&digest).to_owned()
}

/// The output of a command, as it comes.
#[derive(Default)]
pub(crate) struct Gathered {
    lines: BothOutputs,
    stdout: Vec<u8>,
    truncated: bool,
}

impl Gathered {
    pub(crate) fn take(&mut self, chunk: LogOutput, sink: &dyn OutputSink) {
        let (stream, bytes) = match chunk {
            LogOutput::StdErr { message } => (OutputStream::Err, message),
            LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message } => {
                let room = LONGEST_OUTPUT.saturating_sub(self.stdout.len());
                self.truncated |= message.len() > room;
                self.stdout.extend_from_slice(message.get(..room).unwrap_or(&message));
                (OutputStream::Out, message)
            }
        };
        self.lines.push(stream, &bytes, sink);
    }

    pub(crate) fn finish(&mut self, sink: &dyn OutputSink) {
        self.lines.finish(sink);
    }

    pub(crate) fn last_lines(&self) -> Vec<String> {
        let lines = self.lines.tail().lines();
        let from = lines.len().saturating_sub(12);
        lines.into_iter().skip(from).collect()
    }

    pub(crate) fn result(self, code: i32, duration: Duration, program: &str) -> Result<CommandResult> {
        let tail = self.lines.into_tail().into_lines();
        if matches!(code, 126 | 127)
            && let Some(fault) = tail.iter().find_map(|line| not_begun(program, line))
        {
            return Err(fault);
        }
        let stdout = String::from_utf8_lossy(&self.stdout).into_owned();
        Ok(CommandResult { code, tail, stdout, truncated: self.truncated, duration })
    }
}

/// What a line means by which the engine says, in the output and not by a fault, that a command did not begin: that there
/// is no such program, or else that the container is not there to run one, as when it is just being killed.
pub(crate) fn not_begun(program: &str, line: &str) -> Option<Fault> {
    if !(line.contains("OCI runtime exec failed") || line.contains("cannot exec in a")) {
        return None;
    }
    let fault = if line.contains(&format!("exec: {program:?}")) {
        Fault::new(Code::CommandMissing).with("program", program)
    } else {
        Fault::new(Code::RuntimeFailed).with("operation", format!("starting {program}"))
    };
    Some(fault.because(line.trim()))
}

#[cfg(test)]
mod tests {
    use super::{Code, not_begun};

    #[test]
    fn a_container_that_is_killed_lacks_no_program() {
        let code = |line: &str| not_begun("psql", line).map(|fault| fault.code);
        let missing = r#"OCI runtime exec failed: exec failed: unable to start container process: exec: "psql": executable file not found in $PATH: unknown"#;
        assert_eq!(code(missing), Some(Code::CommandMissing));
        let killed = "OCI runtime exec failed: exec failed: cannot exec in a stopped container: unknown";
        assert_eq!(code(killed), Some(Code::RuntimeFailed));
        assert_eq!(code("cannot exec in a deleted state: unknown"), Some(Code::RuntimeFailed));
        assert_eq!(code("psql: error: connection refused"), None);
    }
}
