//! An open client that is told statements and answers in lines.

use eclusa_fault::Result;
use eclusa_ports::{CommandResult, ExecStream};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::oneshot;

use super::{Failure, end};

/// An open client. Everything it is told goes through its standard input. Dropping it ends it and takes back what was
/// not committed.
pub(crate) struct Conversation {
    /// What the client is called.
    client: &'static str,
    /// What makes it print a text.
    echo: fn(&str) -> String,
    stdin: Box<dyn AsyncWrite + Send + Unpin>,
    stdout: BufReader<Box<dyn AsyncRead + Send + Unpin>>,
    ended: Option<oneshot::Receiver<Result<CommandResult>>>,
    asked: u64,
}

impl Conversation {
    /// With a client that was started.
    pub(crate) fn with(stream: ExecStream, client: &'static str, echo: fn(&str) -> String) -> Self {
        Self {
            client,
            echo,
            stdin: stream.stdin,
            stdout: BufReader::new(stream.stdout),
            ended: Some(stream.ended),
            asked: 0,
        }
    }

    /// Runs statements, each with its semicolon, and gives the lines that they print.
    pub(crate) async fn lines(&mut self, sql: &str) -> std::result::Result<Vec<String>, Failure> {
        self.asked += 1;
        let end = format!("eclusa-end-{}", self.asked);
        let text = format!("{sql}\n{}\n", (self.echo)(&end));
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
            None => Err(Failure::Said(format!("{} has ended: {told:?}", self.client))),
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
