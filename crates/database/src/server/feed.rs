//! Feeding a dump to a client.

use std::io::Read;

use eclusa_ports::{CommandResult, ExecStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

use super::reader::keep_end;
use super::{Failure, PIECE, TRAILER, end};

/// How many pieces wait between reader and writer.
const PIECES: usize = 8;

/// What differs from server to server.
pub(crate) struct Feeding {
    /// What the client is told before the dump.
    pub(crate) before: &'static str,
    /// How much of the end is looked at.
    pub(crate) tail: usize,
    /// Whether a dump that ends so is whole.
    pub(crate) is_whole: fn(&[u8]) -> bool,
    /// The place at which a test may kill this process after each piece.
    pub(crate) point: &'static str,
}

/// Feeds statements of people to a client, in one transaction as far as they can be. `begin` stands on the line of the
/// first of them, so that the server counts lines as they do.
pub(crate) async fn feed_statements(
    client: ExecStream,
    statements: &str,
    begin: &'static str,
    point: &'static str,
) -> Result<(), Failure> {
    // Without a semicolon at their end they are one statement with the commit, which fails: nothing is half done.
    let text = [statements.as_bytes(), b"\nCOMMIT;\n", TRAILER].concat();
    let feeding = Feeding { before: begin, tail: TRAILER.len(), is_whole: |tail| tail == TRAILER, point };
    feed(client, Box::new(std::io::Cursor::new(text)), &feeding).await
}

/// Feeds a dump to a client and waits until it has taken all of it.
pub(crate) async fn feed(
    client: ExecStream,
    mut stream: Box<dyn Read + Send>,
    feeding: &Feeding,
) -> Result<(), Failure> {
    let (sender, mut pieces) = mpsc::channel::<std::io::Result<Vec<u8>>>(PIECES);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut piece = vec![0; PIECE];
            let read = stream.read(&mut piece).map(|count| {
                piece.truncate(count);
                piece
            });
            let last = read.as_ref().map_or(true, Vec::is_empty);
            if sender.blocking_send(read).is_err() || last {
                break;
            }
        }
    });
    let ExecStream { mut stdin, mut stdout, ended } = client;
    // What the client answers (values of sequences) is of no use, but must be read.
    let drained = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while matches!(stdout.read(&mut buffer).await, Ok(count) if count > 0) {}
    });
    let pump = async move {
        let mut tail = Vec::new();
        stdin.write_all(feeding.before.as_bytes()).await?;
        loop {
            let piece =
                pieces.recv().await.ok_or_else(|| std::io::Error::other("the reader has ended"))??;
            if piece.is_empty() {
                break;
            }
            keep_end(&mut tail, &piece, feeding.tail);
            stdin.write_all(&piece).await?;
            eclusa_crash::point(feeding.point);
        }
        if !(feeding.is_whole)(&tail) {
            return Err(std::io::Error::other("the dump is not whole: its last line is missing"));
        }
        stdin.flush().await?;
        // Only dropping it closes it for sure.
        stdin.shutdown().await?;
        drop(stdin);
        Ok(())
    };
    tokio::pin!(pump);
    let mut ended = Box::pin(end_of(ended));
    let pumped = tokio::select! {
        biased;
        // It ends before it has read everything when a statement fails.
        early = &mut ended => return Err(early.map_or_else(|failure| failure, Failure::Ended)),
        pumped = &mut pump => pumped,
    };
    match pumped {
        Ok(()) => {}
        // The client has ended, and its own words are better than "broken pipe".
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        Err(error) => {
            drained.abort();
            return Err(Failure::Said(error.to_string()));
        }
    }
    let result = ended.await?;
    if result.code == 0 { Ok(()) } else { Err(Failure::Ended(result)) }
}

/// How the client ended, without a limit on when.
async fn end_of(
    ended: oneshot::Receiver<eclusa_fault::Result<CommandResult>>,
) -> Result<CommandResult, Failure> {
    let (sender, receiver) = oneshot::channel();
    if let Ok(result) = ended.await {
        let _ = sender.send(result);
    } else {
        drop(sender);
    }
    end(receiver).await
}
