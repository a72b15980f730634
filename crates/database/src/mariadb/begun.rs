//! Programs that have begun their snapshots, and wait until somebody reads them.

use std::sync::{Arc, Weak};
use std::time::Duration;

use eclusa_ports::ExecStream;
use tokio::io::AsyncReadExt;
use tokio::sync::Mutex;

use super::dump::COMPLETED;
use super::quote::literal;
use super::session::{Failure, Session, end};
use crate::server::{Begun, PIECE, holds};

type Outcome<T> = std::result::Result<T, Failure>;

/// By what it is seen in its output that `mariadb-dump` has begun its snapshot: it writes about tables only after that.
const BEGUN: [&[u8]; 5] =
    [b"-- Table structure", b"-- Temporary ", b"-- Sequence structure", b"-- Dumping ", COMPLETED];
/// How often the server is asked whether a program has begun: what it writes comes in pieces of some kilobytes, and the
/// first of them only when rows were found and sorted.
const ASKED_EVERY: Duration = Duration::from_millis(30);
/// A program that nobody reads is read a little now and then: a server ends a connection that takes nothing for
/// 60 seconds (`net_write_timeout`).
const TAKEN_EVERY: Duration = Duration::from_secs(15);

/// Waits until each of these programs has begun its snapshot. One with a mark is also known by a statement with that
/// mark in the server's list of what runs.
pub(super) async fn start(
    session: &mut Session,
    programs: Vec<(ExecStream, Option<&str>)>,
) -> Outcome<Vec<Begun>> {
    let mut all = Vec::new();
    for (stream, mark) in programs {
        all.push(begun(session, stream, mark).await?);
    }
    Ok(all)
}

async fn begun(session: &mut Session, mut stream: ExecStream, mark: Option<&str>) -> Outcome<Begun> {
    let mut read = Vec::new();
    let mut piece = vec![0; 16 * 1024];
    loop {
        let reading = stream.stdout.read(&mut piece);
        let count = match tokio::time::timeout(ASKED_EVERY, reading).await {
            Ok(count) => count.map_err(|error| Failure::Said(error.to_string()))?,
            Err(_) => match mark {
                Some(mark) if runs(session, mark).await? => return Ok(Begun { stream, read }),
                _ => continue,
            },
        };
        if count == 0 {
            let result = end(stream.ended).await?;
            return Err(Failure::Ended(result));
        }
        read.extend_from_slice(piece.get(..count).unwrap_or_default());
        if BEGUN.iter().any(|mark| holds(&read, mark)) {
            return Ok(Begun { stream, read });
        }
    }
}

/// Whether a statement with this mark is run by somebody else.
async fn runs(session: &mut Session, mark: &str) -> Outcome<bool> {
    let found = session
        .text(&format!(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND LOCATE({}, INFO) > 0;",
            literal(mark)
        ))
        .await?;
    Ok(found != "0")
}

/// A program whose snapshot is begun and that nobody reads yet.
pub(super) struct Waiting(Arc<Mutex<Option<Begun>>>);

impl Waiting {
    pub(super) fn new(begun: Begun) -> Self {
        let shared = Arc::new(Mutex::new(Some(begun)));
        tokio::spawn(keep(Arc::downgrade(&shared)));
        Self(shared)
    }

    /// To be read from now on.
    pub(super) async fn take(self) -> Option<Begun> {
        self.0.lock().await.take()
    }
}

/// Reads a little of it every so often, until somebody else reads it or it is given up.
async fn keep(shared: Weak<Mutex<Option<Begun>>>) {
    loop {
        tokio::time::sleep(TAKEN_EVERY).await;
        let Some(shared) = shared.upgrade() else { return };
        let mut waiting = shared.lock().await;
        let Some(begun) = waiting.as_mut() else { return };
        let mut piece = vec![0; PIECE];
        let reading = begun.stream.stdout.read(&mut piece);
        // What went wrong is seen by whoever reads on.
        if let Ok(Ok(count)) = tokio::time::timeout(Duration::from_secs(1), reading).await {
            begun.read.extend_from_slice(piece.get(..count).unwrap_or_default());
        }
    }
}
