//! A relay: connections to an address are passed on to one server, byte by byte. It is the only way out of the closed network
//! in which an application is tried on a copy.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::task::TaskTracker;

use crate::error::EdgeError;

/// How long the server may take to accept a connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// Pause after a failed accept, for example when no file descriptors are left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Passes connections on until SIGTERM. `to` is `HOST:PORT`; the name is looked up for each connection.
///
/// # Errors
/// When the address is taken.
pub async fn relay(listen: SocketAddr, to: &str) -> Result<(), EdgeError> {
    let fault = |source| EdgeError::Listen { address: listen, source };
    let listener = TcpListener::bind(listen).await.map_err(fault)?;
    let mut ended = signal(SignalKind::terminate()).map_err(fault)?;
    let connections = TaskTracker::new();
    loop {
        tokio::select! {
            _ = ended.recv() => return Ok(()),
            accepted = listener.accept() => match accepted {
                Ok((client, _)) => {
                    let to = to.to_owned();
                    connections.spawn(async move { pass_on(client, &to).await });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

async fn pass_on(mut client: TcpStream, to: &str) {
    match tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(to)).await {
        Ok(Ok(mut server)) => {
            let _ = client.set_nodelay(true);
            let _ = server.set_nodelay(true);
            // Either side may go at any time.
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        }
        Ok(Err(error)) => tracing::warn!(%error, to, "the server is not reached"),
        Err(_) => tracing::warn!(to, "the server does not answer"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn bytes_go_both_ways_and_an_end_is_passed_on() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = server.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut heard = Vec::new();
            stream.read_to_end(&mut heard).await.unwrap();
            heard.reverse();
            stream.write_all(&heard).await.unwrap();
        });
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        tokio::spawn(async move { relay(free, &to).await });
        let mut client = loop {
            if let Ok(client) = TcpStream::connect(free).await {
                break client;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        client.write_all(b"abc").await.unwrap();
        client.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "cba");
    }
}
