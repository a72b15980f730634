//! The client of the control socket, with one method a call.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Mutex;

use crate::config::Upstream;
use crate::error::EdgeError;
use crate::protocol::{
    Call, CloseRequest, Drained, EdgeStatus, HELLO, Hello, HoldRequest, LONGEST_RESPONSE, OpenRequest,
    Opened, Outcome, PROTOCOL, Request, Response, SampleBatch, TenantStats,
};

/// How long a call may take besides the time that it asked the edge to wait.
const PATIENCE: Duration = Duration::from_secs(15);
/// The longest websocket grace that a configuration is expected to have, for a close call that names none.
const EXPECTED_GRACE: Duration = Duration::from_secs(600);

/// Steers a running edge. Calls may be made from several tasks; they are carried out one after another. After a
/// failed or abandoned call the next one connects anew, so a client outlives a restart of the edge.
#[derive(Debug)]
pub struct EdgeClient {
    path: PathBuf,
    connection: Mutex<Option<Connection>>,
}

#[derive(Debug)]
struct Connection {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    last_id: u64,
}

impl EdgeClient {
    /// Connects and checks that the other side is an edge that speaks this protocol.
    pub async fn connect(path: impl AsRef<Path>) -> Result<Self, EdgeError> {
        let path = path.as_ref().to_owned();
        let connection = within(&path, PATIENCE, Connection::open(&path)).await?;
        Ok(Self { path, connection: Mutex::new(Some(connection)) })
    }

    /// Connects as soon as an edge answers, within `time`: for one that was just started.
    pub async fn connect_within(path: impl AsRef<Path>, time: Duration) -> Result<Self, EdgeError> {
        let deadline = tokio::time::Instant::now() + time;
        loop {
            match Self::connect(path.as_ref()).await {
                Err(EdgeError::Unreachable { .. }) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                result => return result,
            }
        }
    }

    /// The edge and all its tenants as they are now.
    pub async fn status(&self) -> Result<EdgeStatus, EdgeError> {
        self.call(Call::Status, Duration::ZERO).await
    }

    /// Closes a gate: new requests are refused at once; returns when those in flight and the websockets have ended,
    /// or at the deadline with how many remain.
    pub async fn close(&self, request: CloseRequest) -> Result<Drained, EdgeError> {
        let grace = request.websocket_grace_seconds.map_or(EXPECTED_GRACE, Duration::from_secs);
        let time = grace.max(Duration::from_secs(request.drain_seconds));
        self.call(Call::Close(request), time).await
    }

    /// Holds a gate: new requests wait; returns when those in flight have ended, or at the deadline.
    pub async fn hold(&self, request: HoldRequest) -> Result<Drained, EdgeError> {
        let time = Duration::from_secs(request.drain_seconds);
        self.call(Call::Hold(request), time).await
    }

    /// Opens a gate; requests that wait at it go through.
    pub async fn open(&self, request: OpenRequest) -> Result<Opened, EdgeError> {
        self.call(Call::Open(request), Duration::ZERO).await
    }

    /// Sends a tenant's later requests to another upstream. Survives restarts until the configuration names another
    /// upstream for the tenant than it did at this call.
    pub async fn set_upstream(&self, tenant: &str, upstream: Upstream) -> Result<(), EdgeError> {
        self.call(Call::SetUpstream { tenant: tenant.to_owned(), upstream }, Duration::ZERO).await
    }

    /// Totals of one tenant or of all.
    pub async fn stats(&self, tenant: Option<&str>) -> Result<Vec<TenantStats>, EdgeError> {
        self.call(Call::Stats { tenant: tenant.map(str::to_owned) }, Duration::ZERO).await
    }

    /// A tenant's samples from `since_ms` (milliseconds since the Unix epoch) on.
    pub async fn samples(&self, tenant: &str, since_ms: i64) -> Result<SampleBatch, EdgeError> {
        self.call(Call::Samples { tenant: tenant.to_owned(), since_ms }, Duration::ZERO).await
    }

    /// Asks the edge to stop; it still finishes what is in flight after this returns. Gates stay as they are.
    pub async fn shutdown(&self) -> Result<(), EdgeError> {
        self.call(Call::Shutdown, Duration::ZERO).await
    }

    async fn call<T: DeserializeOwned>(&self, call: Call, waits: Duration) -> Result<T, EdgeError> {
        let mut slot = self.connection.lock().await;
        // Taken out for the time of the call: should the call fail or be dropped, nobody reads its late answer.
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => within(&self.path, PATIENCE, Connection::open(&self.path)).await?,
        };
        let outcome = within(&self.path, PATIENCE + waits, connection.exchange(&self.path, call)).await?;
        *slot = Some(connection);
        match outcome {
            Outcome::Ok(value) => {
                serde_json::from_value(value).map_err(|error| self.unexpected(error.to_string()))
            }
            Outcome::Error(reply) => Err(EdgeError::Refused { code: reply.code, message: reply.message }),
        }
    }

    fn unexpected(&self, what: String) -> EdgeError {
        EdgeError::Protocol { path: self.path.clone(), what }
    }
}

impl Connection {
    async fn open(path: &Path) -> Result<Self, EdgeError> {
        let stream = UnixStream::connect(path)
            .await
            .map_err(|source| EdgeError::Unreachable { path: path.to_owned(), source })?;
        let (reader, writer) = stream.into_split();
        let mut connection = Self { reader: BufReader::new(reader), writer, last_id: 0 };
        let hello: Hello = connection.read(path).await?;
        if hello.hello != HELLO || hello.protocol != PROTOCOL {
            let what = format!(
                "it is {:?} with protocol {}, and this client speaks protocol {PROTOCOL}",
                hello.hello, hello.protocol
            );
            return Err(EdgeError::Protocol { path: path.to_owned(), what });
        }
        Ok(connection)
    }

    async fn exchange(&mut self, path: &Path, call: Call) -> Result<Outcome, EdgeError> {
        self.last_id += 1;
        let request = Request { id: self.last_id, call };
        self.write(path, &request).await?;
        let response: Response = self.read(path).await?;
        if response.id != Some(self.last_id) {
            let what = format!("it answered call {:?} instead of {}", response.id, self.last_id);
            return Err(EdgeError::Protocol { path: path.to_owned(), what });
        }
        Ok(response.outcome)
    }

    async fn write(&mut self, path: &Path, message: &impl Serialize) -> Result<(), EdgeError> {
        let unreachable = |source| EdgeError::Unreachable { path: path.to_owned(), source };
        let mut line = serde_json::to_vec(message).map_err(|error| unreachable(error.into()))?;
        line.push(b'\n');
        self.writer.write_all(&line).await.map_err(unreachable)
    }

    async fn read<T: DeserializeOwned>(&mut self, path: &Path) -> Result<T, EdgeError> {
        let unexpected = |what: String| EdgeError::Protocol { path: path.to_owned(), what };
        let mut line = Vec::new();
        (&mut self.reader)
            .take(LONGEST_RESPONSE)
            .read_until(b'\n', &mut line)
            .await
            .map_err(|source| EdgeError::Unreachable { path: path.to_owned(), source })?;
        if line.last() != Some(&b'\n') {
            return Err(unexpected("it broke off".to_owned()));
        }
        // By way of a value, so that what is not JSON and what is other JSON are told apart.
        let value: Value =
            serde_json::from_slice(&line).map_err(|_| unexpected("that was no JSON".to_owned()))?;
        serde_json::from_value(value).map_err(|error| unexpected(error.to_string()))
    }
}

async fn within<T>(
    path: &Path,
    time: Duration,
    work: impl Future<Output = Result<T, EdgeError>>,
) -> Result<T, EdgeError> {
    let timed_out = || EdgeError::TimedOut { path: path.to_owned(), seconds: time.as_secs() };
    tokio::time::timeout(time, work).await.map_err(|_| timed_out())?
}
