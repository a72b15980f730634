//! Commands inside running services whose input and output are streams: dumps and restores. The pipes between are
//! small, so that a slow side holds the other back instead of filling the memory.

use std::time::{Duration, Instant};

use bollard::container::LogOutput;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::ServiceName;
use eclusa_ports::{CommandResult, ExecSpec, ExecStream, NoOutput};
use futures_util::StreamExt;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::oneshot;

use crate::exec::{Gathered, Started, not_begun};
use crate::runtime::ComposeRuntime;

/// How much may lie in a pipe between the engine and who reads or writes.
const PIPE: usize = 256 * 1024;

/// How much of the output's beginning is looked at when a command did not begin: the engine says why there.
const BEGINNING: usize = 2 * 1024;

impl ComposeRuntime {
    pub(crate) async fn stream_in_service(
        &self,
        service: &ServiceName,
        mut spec: ExecSpec,
    ) -> Result<ExecStream> {
        let (timeout, first) = (spec.timeout, spec.stdin.take());
        let program = spec.argv.first().cloned().unwrap_or_default();
        let Started { id, container, mark, command, output, mut input } =
            self.start_exec(service, spec, true).await?;
        let (stdin, mut stdin_end) = duplex(PIPE);
        let (stdout, stdout_end) = duplex(PIPE);
        let (sender, ended) = oneshot::channel();
        let feed = async move {
            if let Some(first) = first {
                input.write_all(&first).await?;
            }
            tokio::io::copy_buf(&mut tokio::io::BufReader::with_capacity(PIPE, &mut stdin_end), &mut input)
                .await?;
            // Half-close: the command sees the end of its input while its output goes on.
            input.shutdown().await
        };
        let feeding = tokio::spawn(async move {
            // A command that does not read to the end closes the pipe on its writer; its exit code tells why.
            let _: std::io::Result<()> = feed.await;
        });
        let runtime = self.clone();
        tokio::spawn(async move {
            let begun = Instant::now();
            let work = carry(output, stdout_end);
            let carried = tokio::time::timeout(timeout, work).await;
            let result =
                runtime.outcome(carried, &id, timeout, begun, &program, &command, &container, &mark).await;
            feeding.abort();
            let _ = sender.send(result);
        });
        Ok(ExecStream { stdin: Box::new(stdin), stdout: Box::new(stdout), ended })
    }

    #[allow(clippy::too_many_arguments)]
    async fn outcome(
        &self,
        carried: std::result::Result<Carried, tokio::time::error::Elapsed>,
        exec: &str,
        timeout: Duration,
        begun: Instant,
        program: &str,
        command: &str,
        container: &bollard::models::ContainerInspectResponse,
        mark: &str,
    ) -> Result<CommandResult> {
        let end = async || self.end_marked(container, mark, self.root_of(exec).await).await;
        match carried {
            Ok(Carried::Whole { gathered, beginning }) => {
                let code = self.exit_code(exec).await?;
                let said = String::from_utf8_lossy(&beginning);
                match said.lines().find_map(|line| not_begun(program, line)) {
                    Some(fault) if matches!(code, 126 | 127) => Err(fault),
                    _ => gathered.result(code, begun.elapsed(), program),
                }
            }
            Ok(Carried::Dropped) => {
                end().await?;
                Err(Fault::new(Code::CommandFailed)
                    .with("command", command)
                    .with("status", "its output no longer read, and was ended"))
            }
            Ok(Carried::Broken(error)) => {
                end().await?;
                Err(self.engine.fault("reading the output of a command", &error))
            }
            Err(_) => {
                end().await?;
                Err(Fault::new(Code::CommandTimeout)
                    .with("command", command)
                    .with("seconds", timeout.as_secs()))
            }
        }
    }
}

enum Carried {
    Whole {
        gathered: Gathered,
        beginning: Vec<u8>,
    },
    /// Nobody reads the output any more.
    Dropped,
    Broken(bollard::errors::Error),
}

async fn carry(
    mut output: std::pin::Pin<
        Box<dyn futures_util::Stream<Item = std::result::Result<LogOutput, bollard::errors::Error>> + Send>,
    >,
    mut stdout: DuplexStream,
) -> Carried {
    // Standard output goes to the reader; only standard error is gathered.
    let mut gathered = Gathered::default();
    let mut beginning = Vec::new();
    while let Some(chunk) = output.next().await {
        match chunk {
            Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => {
                let room = BEGINNING.saturating_sub(beginning.len());
                beginning.extend_from_slice(message.get(..room).unwrap_or(&message));
                if stdout.write_all(&message).await.is_err() {
                    return Carried::Dropped;
                }
            }
            Ok(other) => gathered.take(other, &NoOutput),
            Err(error) => return Carried::Broken(error),
        }
    }
    gathered.finish(&NoOutput);
    let _ = stdout.shutdown().await;
    Carried::Whole { gathered, beginning }
}
