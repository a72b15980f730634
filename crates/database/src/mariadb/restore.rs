//! Restoring into a new database beside the live one. Its comment says that it is unfinished until everything is in it,
//! so a copy that is there as such is whole, whatever crashed.

use std::io::Read;

use eclusa_ports::{CommandResult, ExecStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

use super::catalogue::{self, UNFINISHED, WHOLE};
use super::dump::{COMPLETED, TRAILER, holds, keep_end};
use super::session::{Access, Failure, Names, Session, client_arguments, end};
use crate::names::{Part, part_name};

/// How many bytes are read at a time, and how many such pieces wait between reader and writer.
const PIECE: usize = 256 * 1024;
const PIECES: usize = 8;
/// How much of the end is looked at for the line by which a whole dump is known.
const TAIL: usize = 512;

type Outcome<T> = Result<T, Failure>;

pub(crate) async fn restore_beside(
    access: &Access,
    name: &str,
    suffix: &str,
    stream: Box<dyn Read + Send>,
) -> Outcome<()> {
    let new = part_name(name, suffix, Part::New);
    let mut session = Session::open(access).await?;
    if catalogue::comment(&mut session, &part_name(name, suffix, Part::Old)).await?.is_some() {
        return Err(Failure::Said("an old database of the same suffix is still kept".to_owned()));
    }
    super::swap::alone(&mut session, name).await?;
    catalogue::drop_database(&mut session, &new).await?;
    catalogue::create_like(&mut session, &new, name, UNFINISHED).await?;
    eclusa_crash::point("mariadb.restore.created");
    let filled = fill(access, session.names, &new, stream).await;
    eclusa_crash::point("mariadb.restore.filled");
    let finished = match filled {
        Ok(()) => catalogue::set_comment(&mut session, &new, WHOLE).await,
        Err(failure) => Err(failure),
    };
    if finished.is_err() {
        // In a new session: the failure may have been the end of the one that was open.
        if let Ok(mut session) = Session::open(access).await
            && let Err(failure) = catalogue::drop_database(&mut session, &new).await
        {
            tracing::warn!(database = new, ?failure, "a half restored database was left");
        }
    }
    finished
}

/// Feeds the dump to the client.
async fn fill(access: &Access, names: Names, database: &str, stream: Box<dyn Read + Send>) -> Outcome<()> {
    let mut arguments = client_arguments();
    arguments.push(format!("--database={database}"));
    let client = access.start(names.client(), &arguments).await?;
    feed(client, stream).await
}

async fn feed(client: ExecStream, mut stream: Box<dyn Read + Send>) -> Outcome<()> {
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
    let drained = tokio::spawn(async move {
        let mut buffer = vec![0; 64 * 1024];
        while matches!(stdout.read(&mut buffer).await, Ok(count) if count > 0) {}
    });
    let pump = async move {
        let mut tail = Vec::new();
        stdin.write_all(b"SET SESSION foreign_key_checks = 0, SESSION unique_checks = 0;\n").await?;
        loop {
            let piece =
                pieces.recv().await.ok_or_else(|| std::io::Error::other("the reader has ended"))??;
            if piece.is_empty() {
                break;
            }
            keep_end(&mut tail, &piece, TAIL);
            stdin.write_all(&piece).await?;
            eclusa_crash::point("mariadb.restore.piece");
        }
        // A dump of ours ends with our own line; one that was made by hand with that of mariadb-dump.
        let ours = tail.ends_with(TRAILER);
        let by_hand = holds(&tail, COMPLETED) && !holds(&tail, b"-- Eclusa");
        if !ours && !by_hand {
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
async fn end_of(ended: oneshot::Receiver<eclusa_fault::Result<CommandResult>>) -> Outcome<CommandResult> {
    let (sender, receiver) = oneshot::channel();
    if let Ok(result) = ended.await {
        let _ = sender.send(result);
    } else {
        drop(sender);
    }
    end(receiver).await
}

/// Feeds statements of our own to the client.
pub(crate) async fn feed_text(
    access: &Access,
    names: Names,
    database: &str,
    mut text: Vec<u8>,
) -> Outcome<()> {
    text.extend_from_slice(TRAILER);
    fill(access, names, database, Box::new(std::io::Cursor::new(text))).await
}
