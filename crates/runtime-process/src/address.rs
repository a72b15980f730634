//! Ports and health: whether a port is free, and what answers there.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use eclusa_fault::{Code, Fault, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

/// How long one question may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The status that `GET path` is answered with.
pub async fn get_status(address: SocketAddr, path: &str) -> io::Result<u16> {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: eclusa-health\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        // The status line is all that is wanted: `HTTP/1.1 200 OK`.
        let mut answer = Vec::new();
        let mut buffer = [0; 256];
        while !answer.contains(&b'\n') && answer.len() < 4096 {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                break;
            }
            answer.extend_from_slice(buffer.get(..read).unwrap_or_default());
        }
        let text = String::from_utf8_lossy(&answer);
        let status = text.strip_prefix("HTTP/").and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
        status.ok_or_else(|| io::Error::other("what answers does not speak HTTP"))
    };
    tokio::time::timeout(ANSWER_WITHIN, ask)
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer within 2 s")))
}

/// Whether something listens on a unix socket.
pub async fn socket_answers(path: &Path) -> io::Result<()> {
    tokio::time::timeout(ANSWER_WITHIN, UnixStream::connect(path))
        .await
        .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer within 2 s")))
        .map(drop)
}

/// Waits a moment for a port to become free, and refuses when it does not: otherwise a stranger that answers
/// there would be taken for the service.
///
/// # Errors
/// `PortTaken`.
pub async fn free_port(address: IpAddr, port: u16) -> Result<()> {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(3);
    loop {
        match TcpListener::bind((address, port)) {
            Ok(_) => return Ok(()),
            Err(error) if tokio::time::Instant::now() >= deadline => {
                return Err(Fault::new(Code::PortTaken).with("port", port).because(error));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}
