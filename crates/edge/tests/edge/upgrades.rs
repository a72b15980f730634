//! Websockets and other upgrades.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use eclusa_edge::{CloseRequest, OpenRequest};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::Edge;

/// Switches protocols and then sends everything back, first telling the head that it got.
async fn echoing_upstream() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let head = read_head(&mut stream).await;
                let lower = head.to_ascii_lowercase();
                assert!(
                    lower.contains("upgrade: websocket") && lower.contains("connection: upgrade"),
                    "{head}"
                );
                assert!(lower.contains("sec-websocket-key: abc"), "{head}");
                stream
                    .write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: def\r\n\r\nfirst")
                    .await
                    .unwrap();
                let (mut reader, mut writer) = stream.split();
                tokio::io::copy(&mut reader, &mut writer).await.ok();
            });
        }
    });
    address
}

async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

async fn websocket(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /socket.io/ HTTP/1.1\r\nhost: alpha.localhost\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: abc\r\n\r\n")
        .await
        .unwrap();
    let head = read_head(&mut stream).await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    assert!(head.contains("upgrade: websocket") && head.contains("sec-websocket-accept: def"), "{head}");
    assert_eq!(
        &read_exactly::<5>(&mut stream).await,
        b"first",
        "what came right behind the head is not lost"
    );
    stream
}

async fn read_exactly<const LENGTH: usize>(stream: &mut TcpStream) -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

async fn echoes(stream: &mut TcpStream) -> bool {
    stream.write_all(b"ping").await.is_ok() && {
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes).await.is_ok() && &bytes == b"ping"
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_passes_and_is_cut_when_its_grace_is_over() {
    let upstream = echoing_upstream().await;
    let edge = Edge::start(upstream, upstream, |_| ()).await;
    let mut socket = websocket(edge.public).await;
    let mut side = websocket(edge.side_door).await;
    assert!(echoes(&mut socket).await);
    edge.until("alpha", |status| status.websockets == 1 && status.in_flight == 0).await;

    let began = Instant::now();
    let request = CloseRequest { tenant: "alpha".into(), ..CloseRequest::default() };
    let within_grace = async {
        edge.until("alpha", |status| !status.gate.is_open()).await;
        assert!(echoes(&mut socket).await, "within the grace it goes on");
    };
    let other =
        eclusa_edge::EdgeClient::connect(crate::support::socket(edge.directory.path())).await.unwrap();
    let (drained, ()) = tokio::join!(other.close(request), within_grace);
    let drained = drained.unwrap();
    assert_eq!((drained.websockets_cut, drained.websockets_remaining), (1, 0));
    assert!(began.elapsed() >= Duration::from_secs(1), "the grace is one second");
    assert!(!echoes(&mut socket).await, "it is cut");
    assert!(echoes(&mut side).await, "the side door's is not");

    edge.client.open(OpenRequest { tenant: "alpha".into(), ..OpenRequest::default() }).await.unwrap();
    assert!(echoes(&mut websocket(edge.public).await).await, "after the opening there are new ones");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_outlives_a_closure_shorter_than_its_grace() {
    let upstream = echoing_upstream().await;
    let edge = Edge::start(upstream, upstream, |_| ()).await;
    let mut socket = websocket(edge.public).await;
    let other =
        eclusa_edge::EdgeClient::connect(crate::support::socket(edge.directory.path())).await.unwrap();
    let closing = tokio::spawn(async move {
        let request = CloseRequest { tenant: "alpha".into(), ..CloseRequest::default() };
        other.close(request).await
    });
    edge.until("alpha", |status| !status.gate.is_open()).await;
    edge.client.open(OpenRequest { tenant: "alpha".into(), ..OpenRequest::default() }).await.unwrap();
    let drained = closing.await.unwrap().unwrap();
    assert_eq!((drained.websockets_cut, drained.websockets_remaining), (0, 1));
    assert!(echoes(&mut socket).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_gate_refuses_the_upgrade() {
    let upstream = echoing_upstream().await;
    let edge = Edge::start(upstream, upstream, |_| ()).await;
    edge.client.close(CloseRequest { tenant: "alpha".into(), ..CloseRequest::default() }).await.unwrap();
    let mut stream = TcpStream::connect(edge.public).await.unwrap();
    stream
        .write_all(
            b"GET / HTTP/1.1\r\nhost: alpha.localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n",
        )
        .await
        .unwrap();
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 503"), "{head}");
}
