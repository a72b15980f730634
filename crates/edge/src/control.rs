//! The control socket: who may speak is who may open the file (mode 0600).

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::task::TaskTracker;

use crate::error::EdgeError;
use crate::gatekeeper::Gatekeeper;
use crate::protocol::{
    Call, ErrorReply, HELLO, Hello, LONGEST_REQUEST, Outcome, PROTOCOL, Request, Response,
};

/// The bound control socket; its file goes when this is dropped.
pub(crate) struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Creates the socket. One that a dead process left is replaced; one that answers means that an edge runs.
    pub fn bind(path: &Path) -> Result<Self, EdgeError> {
        let failed = |source| EdgeError::ControlSocket { path: path.to_owned(), source };
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(failed)?;
        }
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => {
                if std::os::unix::net::UnixStream::connect(path).is_ok() {
                    return Err(EdgeError::AlreadyRunning { path: path.to_owned() });
                }
            }
            Ok(_) => return Err(failed(std::io::Error::new(ErrorKind::AlreadyExists, "it is no socket"))),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        // It gets its mode before it gets its name: nobody else can connect in between.
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let new = PathBuf::from(new);
        match fs::remove_file(&new) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&new).map_err(failed)?;
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        fs::rename(&new, path).map_err(failed)?;
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Answers until the edge has stopped.
    pub async fn serve(self, edge: Arc<Gatekeeper>) {
        let conversations = TaskTracker::new();
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "the control socket accepts nothing");
                        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                        continue;
                    }
                },
                () = edge.halted.cancelled() => break,
            };
            let edge = Arc::clone(&edge);
            conversations.spawn(async move {
                let halted = edge.halted.clone();
                let ended = tokio::select! {
                    ended = converse(stream, edge) => ended,
                    () = halted.cancelled() => Ok(()),
                };
                if let Err(error) = ended {
                    tracing::debug!(%error, "a control connection broke off");
                }
            });
        }
        conversations.close();
        conversations.wait().await;
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // The state directory's lock makes the path ours. A file that cannot be removed is replaced next time.
        let _left_behind = fs::remove_file(&self.path);
    }
}

async fn converse(stream: UnixStream, edge: Arc<Gatekeeper>) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let hello =
        Hello { hello: HELLO.to_owned(), protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned() };
    write_line(&mut writer, &hello).await?;
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut reader).take(LONGEST_REQUEST).read_until(b'\n', &mut line).await?;
        if read == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') {
            let what = format!("the request is cut off, or longer than {LONGEST_REQUEST} bytes");
            return write_line(&mut writer, &refused(None, &EdgeError::InvalidCall { what })).await;
        }
        let (response, stop) = answer(&line, &edge).await;
        write_line(&mut writer, &response).await?;
        if stop {
            edge.stopping.cancel();
        }
    }
}

/// Answers one line; tells whether the edge is to stop once that is said.
async fn answer(line: &[u8], edge: &Gatekeeper) -> (Response, bool) {
    let request: Request = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => {
            let id = serde_json::from_slice::<Value>(line).ok().and_then(|value| value.get("id")?.as_u64());
            return (refused(id, &EdgeError::InvalidCall { what: error.to_string() }), false);
        }
    };
    let stop = matches!(request.call, Call::Shutdown);
    let response = match perform(request.call, edge).await {
        Ok(value) => Response { id: Some(request.id), outcome: Outcome::Ok(value) },
        Err(error) => refused(Some(request.id), &error),
    };
    (response, stop)
}

async fn perform(call: Call, edge: &Gatekeeper) -> Result<Value, EdgeError> {
    match call {
        Call::Status => value(&edge.status().await),
        Call::Close(request) => value(&edge.close(request).await?),
        Call::Hold(request) => value(&edge.hold(request).await?),
        Call::Open(request) => value(&edge.open(request).await?),
        Call::SetUpstream { tenant, upstream } => value(&edge.set_upstream(&tenant, upstream).await?),
        Call::Stats { tenant } => value(&edge.stats(tenant.as_deref()).await?),
        Call::Samples { tenant, since_ms } => value(&edge.samples(&tenant, since_ms)?),
        Call::Shutdown => Ok(Value::Null),
    }
}

fn value(answer: &impl Serialize) -> Result<Value, EdgeError> {
    serde_json::to_value(answer).map_err(|error| EdgeError::InvalidCall { what: error.to_string() })
}

fn refused(id: Option<u64>, error: &EdgeError) -> Response {
    let reply = ErrorReply { code: error.code().to_owned(), message: error.to_string() };
    Response { id, outcome: Outcome::Error(reply) }
}

async fn write_line(
    writer: &mut (impl AsyncWriteExt + Unpin),
    message: &impl Serialize,
) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    writer.write_all(&line).await?;
    writer.flush().await
}
