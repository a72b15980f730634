//! Probes against real servers, good and bad.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{get, post};
use eclusa_model::TenantName;
use eclusa_ports::{Clock, HttpClient};
use eclusa_probes::HttpProbes;
use eclusa_runbook::{HttpProbe, Sample};
use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_800_000_000).unwrap()
    }
    fn random_text(&self, length: usize) -> String {
        "x".repeat(length)
    }
}

async fn serve() -> String {
    let json = r#"{"status":"ok","database":{"rows":42,"ready":true},"a/b":null}"#;
    let router = Router::new()
        .route(
            "/health",
            get(move || async move { ([(header::CONTENT_TYPE, "application/json; charset=utf-8")], json) }),
        )
        .route("/teapot", get(|| async { StatusCode::IM_A_TEAPOT }))
        .route("/posted", post(|| async { StatusCode::CREATED }))
        .route("/away", get(|| async { Redirect::temporary("/health") }))
        .route(
            "/host",
            get(|headers: HeaderMap| async move { headers[header::HOST].to_str().unwrap().to_owned() }),
        )
        .route("/slow", get(|| async { tokio::time::sleep(Duration::from_millis(300)).await }))
        .route("/large", get(|| async { "x".repeat(3 << 20) }))
        .route(
            "/query",
            get(|uri: axum::http::Uri| async move { uri.query().unwrap_or_default().to_owned() }),
        )
        .fallback(|| async { (StatusCode::NOT_FOUND, "not here").into_response().map(Body::new) });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    format!("http://{address}")
}

/// A server that answers each connection with these bytes, and then with `more` again and again.
async fn raw(first: &'static [u8], more: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 4096];
                drop(stream.read(&mut request).await);
                drop(stream.write_all(first).await);
                while !more.is_empty() && stream.write_all(more).await.is_ok() {}
            });
        }
    });
    format!("http://{address}")
}

fn probe(path: &str) -> HttpProbe {
    HttpProbe {
        name: "smoke".to_owned(),
        tenant: TenantName::new("alpha").unwrap(),
        host: "alpha.example.org".to_owned(),
        method: "GET".to_owned(),
        path: path.to_owned(),
        status: 200,
        headers: BTreeMap::new(),
        json: BTreeMap::new(),
        contains: None,
        maximum_milliseconds: 5000,
    }
}

async fn ask(probe: &HttpProbe, base: &str) -> Sample {
    HttpProbes::new(Arc::new(FixedClock)).ask(probe, base).await
}

fn map(name: &str, text: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), text.to_owned())])
}

#[tokio::test]
async fn an_answer_as_it_should_be_is_good() {
    let base = serve().await;
    let mut all = probe("/health");
    all.headers = map("content-type", "application/json");
    all.json = BTreeMap::from(
        [("/status", "ok"), ("/database/rows", "42"), ("/database/ready", "true"), ("/a~1b", "")]
            .map(|(pointer, text)| (pointer.to_owned(), text.to_owned())),
    );
    all.contains = Some("\"rows\":42".to_owned());
    let sample = ask(&all, &base).await;
    assert_eq!((sample.problem.as_deref(), sample.good, sample.status), (None, true, 200));
    assert_eq!((sample.tenant.as_str(), sample.source.as_str()), ("alpha", "smoke"));
    assert_eq!(sample.at, FixedClock.now());
    assert!(sample.microseconds > 0);
}

#[tokio::test]
async fn every_expectation_can_fail_and_says_which() {
    let base = serve().await;
    let cases: Vec<(HttpProbe, u16, &str)> = vec![
        (probe("/teapot"), 418, "status 418, not 200"),
        (HttpProbe { status: 204, ..probe("/health") }, 200, "status 200, not 204"),
        (
            HttpProbe { headers: map("x-release", "v2"), ..probe("/health") },
            200,
            "there is no header x-release",
        ),
        (
            HttpProbe { headers: map("content-type", "text/html"), ..probe("/health") },
            200,
            "header content-type does not contain \"text/html\"",
        ),
        (HttpProbe { json: map("/nothing", ""), ..probe("/health") }, 200, "there is nothing at /nothing"),
        (
            HttpProbe { json: map("/database/rows", "43"), ..probe("/health") },
            200,
            "/database/rows is \"42\", not \"43\"",
        ),
        (HttpProbe { json: map("/status", "ok"), ..probe("/host") }, 200, "the body is no JSON"),
        (
            HttpProbe { contains: Some("welcome".to_owned()), ..probe("/host") },
            200,
            "the body does not contain \"welcome\"",
        ),
        (HttpProbe { method: "NO WAY".to_owned(), ..probe("/host") }, 0, "\"NO WAY\" is no HTTP method"),
    ];
    for (probe, status, problem) in cases {
        let sample = ask(&probe, &base).await;
        assert_eq!((sample.good, sample.status, sample.problem.as_deref()), (false, status, Some(problem)));
    }
}

#[tokio::test]
async fn the_request_is_the_one_that_the_probe_describes() {
    let base = serve().await;
    let host = HttpProbe { contains: Some("alpha.example.org".to_owned()), ..probe("/host") };
    assert_eq!(ask(&host, &base).await.problem, None);
    let query = HttpProbe { contains: Some("a=1&b=%2F".to_owned()), ..probe("/query?a=1&b=%2F") };
    assert_eq!(ask(&query, &base).await.problem, None);
    let posted = HttpProbe { method: "POST".to_owned(), status: 201, ..probe("/posted") };
    assert_eq!(ask(&posted, &base).await.problem, None);
    // A redirect is an answer, not a way.
    let away = HttpProbe { status: 307, headers: map("location", "/health"), ..probe("/away") };
    assert_eq!(ask(&away, &base).await.problem, None);
}

#[tokio::test]
async fn a_slow_answer_is_bad_and_measured() {
    let base = serve().await;
    let sample = ask(&HttpProbe { maximum_milliseconds: 50, ..probe("/slow") }, &base).await;
    assert_eq!((sample.good, sample.status), (false, 200));
    assert!(sample.microseconds >= 300_000, "{} us", sample.microseconds);
    let problem = sample.problem.unwrap();
    assert!(problem.ends_with("ms, more than 50"), "{problem}");
    assert_eq!(ask(&probe("/slow"), &base).await.problem, None);
}

#[tokio::test]
async fn a_large_or_endless_body_is_read_only_so_far() {
    let endless = raw(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nbeginning ", &[b'x'; 4096]).await;
    let began = Instant::now();
    for base in [serve().await, endless] {
        assert_eq!(ask(&probe("/large"), &base).await.problem, None);
        let text = HttpProbe { contains: Some("welcome".to_owned()), ..probe("/large") };
        let problem = ask(&text, &base).await.problem.unwrap();
        assert_eq!(problem, "the first 1048576 bytes do not contain \"welcome\"");
        let json = HttpProbe { json: map("/a", ""), ..probe("/large") };
        let problem = ask(&json, &base).await.problem.unwrap();
        assert!(problem.contains("too long to be read as JSON"), "{problem}");
    }
    assert!(began.elapsed() < Duration::from_secs(9), "an endless body was read until the time was up");
}

#[tokio::test]
async fn no_answer_is_a_bad_sample() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let bases: [(String, &str); 7] = [
        (refused, "refused"),
        (raw(b"", b"").await, ""),
        (raw(b"SSH-2.0-OpenSSH_9.6\r\n", b"").await, ""),
        (raw(&[0xff; 64], b"").await, ""),
        (raw(b"HTTP/1.1 200 OK\r\nx: ", &[b'y'; 4096]).await, ""),
        (raw(b"HTTP/1.1 999999 OK\r\n\r\n", b"").await, ""),
        ("no url at all".to_owned(), "no URL"),
    ];
    for (base, words) in bases {
        let sample = ask(&probe("/"), &base).await;
        assert_eq!((sample.good, sample.status), (false, 0), "{base}: {:?}", sample.problem);
        let problem = sample.problem.unwrap();
        assert!(problem.contains(words), "{problem}");
    }
    let cut = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort", b"").await;
    let sample = ask(&probe("/"), &cut).await;
    assert_eq!((sample.good, sample.status), (false, 200));
    assert!(sample.problem.unwrap().starts_with("the answer broke off"));
}

#[tokio::test]
async fn no_proxy_of_the_environment_is_used() {
    // Each test of nextest is a process of its own; the variables are set for a child, not for this one.
    let base = serve().await;
    let output = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_asks", "--ignored", "--nocapture"])
        .env("http_proxy", "http://127.0.0.1:1")
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .env("ALL_PROXY", "http://127.0.0.1:1")
        .env("PROBE_TEST_BASE", &base)
        .output()
        .await
        .unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("asked: None"), "{output:?}");
}

#[tokio::test]
#[ignore = "run as a child process by another test"]
async fn child_that_asks() {
    let Ok(base) = std::env::var("PROBE_TEST_BASE") else { return };
    let address: SocketAddr = base.trim_start_matches("http://").parse().unwrap();
    println!("asked: {:?}", ask(&probe("/health"), &format!("http://{address}")).await.problem);
}
