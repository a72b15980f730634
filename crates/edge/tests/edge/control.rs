//! The control socket as programs without the client see it.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::support::{Edge, Upstream, socket};

async fn raw(edge: &Edge) -> (Lines<BufReader<OwnedReadHalf>>, OwnedWriteHalf) {
    let (reader, writer) = UnixStream::connect(socket(edge.directory.path())).await.unwrap().into_split();
    (BufReader::new(reader).lines(), writer)
}

async fn next(lines: &mut Lines<BufReader<OwnedReadHalf>>) -> Value {
    serde_json::from_str(&lines.next_line().await.unwrap().unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_json_go_both_ways() {
    let upstream = Upstream::start("app").await;
    let edge = Edge::start(upstream.address, upstream.address, |_| ()).await;
    let mode = std::fs::metadata(socket(edge.directory.path())).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (mut lines, mut writer) = raw(&edge).await;
    let hello = next(&mut lines).await;
    assert_eq!((hello["hello"].as_str(), hello["protocol"].as_u64()), (Some("eclusa-edge"), Some(1)));
    let mut ask = async |line: &str| {
        writer.write_all(format!("{line}\n").as_bytes()).await.unwrap();
        next(&mut lines).await
    };
    let closed = ask(r#"{"id": 7, "call": "close", "args": {"tenant": "alpha", "run": "r"}}"#).await;
    assert_eq!((closed["id"].as_u64(), closed["ok"]["in_flight_remaining"].as_u64()), (Some(7), Some(0)));
    let status = ask(r#"{"id": 8, "call": "status"}"#).await;
    assert_eq!(status["ok"]["tenants"][0]["gate"]["state"], "closed");
    assert_eq!(status["ok"]["tenants"][0]["gate"]["run"], "r");
    for (line, id, code) in [
        (r#"{"id": 9, "call": "close", "args": {"tenant": "nobody"}}"#, json!(9), "unknown-tenant"),
        (
            r#"{"id": 10, "call": "close", "args": {"tenant": "alpha", "tennant": 1}}"#,
            json!(10),
            "invalid-call",
        ),
        (
            r#"{"id": 11, "call": "set_upstream", "args": {"tenant": "alpha", "upstream": "x"}}"#,
            json!(11),
            "invalid-call",
        ),
        (r#"{"id": 12, "call": "explode"}"#, json!(12), "invalid-call"),
        ("not json", Value::Null, "invalid-call"),
    ] {
        let answer = ask(line).await;
        assert_eq!((&answer["id"], answer["error"]["code"].as_str()), (&id, Some(code)), "{line}");
    }
    assert_eq!(ask(r#"{"id": 13, "call": "stats", "args": {}}"#).await["ok"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_end_is_refused() {
    let upstream = Upstream::start("app").await;
    let edge = Edge::start(upstream.address, upstream.address, |_| ()).await;
    let (mut lines, mut writer) = raw(&edge).await;
    next(&mut lines).await;
    let flood = tokio::spawn(async move { while writer.write_all(&[b'x'; 65536]).await.is_ok() {} });
    assert_eq!(next(&mut lines).await["error"]["code"], "invalid-call");
    drop(lines);
    flood.await.unwrap();
    assert_eq!(edge.client.status().await.unwrap().tenants.len(), 2, "others are still served");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_survives_a_restart_and_names_what_is_not_there() {
    let directory = tempfile::tempdir().unwrap();
    let missing = eclusa_edge::EdgeClient::connect(directory.path().join("edge.sock")).await.unwrap_err();
    assert_eq!(missing.code(), "unreachable");
    let upstream = Upstream::start("app").await;
    let config = || crate::support::config(directory.path(), upstream.address, upstream.address, |_| ());
    let server = eclusa_edge::EdgeServer::start(config()).await.unwrap();
    let running = tokio::spawn(server.stopped());
    let client = eclusa_edge::EdgeClient::connect(socket(directory.path())).await.unwrap();
    client.shutdown().await.unwrap();
    running.await.unwrap();
    assert!(!socket(directory.path()).exists(), "a clean end leaves no socket");
    assert!(client.status().await.is_err());
    let server = eclusa_edge::EdgeServer::start(config()).await.unwrap();
    tokio::spawn(server.stopped());
    assert_eq!(client.status().await.unwrap().tenants.len(), 2);
}
