//! Through an open gate: routing, headers, bodies, failing upstreams, measurements.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Chunks, Edge, Upstream, headers_of, json_of, nowhere};

#[tokio::test(flavor = "multi_thread")]
async fn the_host_decides_who_answers() {
    let (alpha, beta) = (Upstream::start("alpha").await, Upstream::start("beta").await);
    let edge = Edge::start(alpha.address, beta.address, |_| ()).await;
    for (host, app) in [
        ("alpha.localhost", "alpha"),
        ("ALPHA.localhost:8080", "alpha"),
        ("shop.example.", "alpha"),
        ("beta.localhost", "beta"),
    ] {
        let echo = json_of(edge.get(host, "/a%20b?q=1&r=%2F").send().await.unwrap()).await;
        assert_eq!(
            (echo["app"].as_str(), echo["uri"].as_str()),
            (Some(app), Some("/a%20b?q=1&r=%2F")),
            "{host}"
        );
        assert_eq!(headers_of(&echo, "host"), [host], "the host is kept as it was asked for");
    }
    let unknown = edge.get("gamma.localhost", "/").header("accept", "text/html").send().await.unwrap();
    assert_eq!(unknown.status(), 404);
    assert!(unknown.text().await.unwrap().contains("<h1>No site here</h1>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_hosts_go_to_the_default_tenant() {
    let (alpha, beta) = (Upstream::start("alpha").await, Upstream::start("beta").await);
    let edge =
        Edge::start(alpha.address, beta.address, |config| config["default_tenant"] = "beta".into()).await;
    let echo = json_of(edge.get("anything.example", "/").send().await.unwrap()).await;
    assert_eq!(echo["app"], "beta");
    // A request as of HTTP/1.0, which names no host at all.
    let mut raw = TcpStream::connect(edge.public).await.unwrap();
    raw.write_all(b"GET /old HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    raw.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 200") && answer.contains("\"uri\":\"/old\""), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_headers_are_set_and_hop_headers_are_not_passed_on() {
    let alpha = Upstream::start("alpha").await;
    let edge = Edge::start(alpha.address, alpha.address, |_| ()).await;
    let request = edge
        .get("alpha.localhost:8443", "/")
        .header("x-forwarded-for", "203.0.113.7")
        .header("x-forwarded-proto", "https")
        .header("connection", "x-private")
        .header("x-private", "1")
        .header("keep-alive", "timeout=9")
        .header("cookie", "session=1");
    let echo = json_of(request.send().await.unwrap()).await;
    assert_eq!(headers_of(&echo, "x-forwarded-for"), ["203.0.113.7, 127.0.0.1"]);
    assert_eq!(headers_of(&echo, "x-forwarded-proto"), ["https"]);
    assert!(headers_of(&echo, "x-forwarded-host").is_empty(), "what did not come is not made up");
    assert_eq!(headers_of(&echo, "cookie"), ["session=1"]);
    for gone in ["x-private", "keep-alive", "connection"] {
        assert!(headers_of(&echo, gone).is_empty(), "{gone} is of one hop");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_stream_both_ways() {
    let alpha = Upstream::start("alpha").await;
    let edge = Edge::start(alpha.address, alpha.address, |_| ()).await;
    let mebibytes = 64;
    let expected = {
        let chunk = Chunks::chunk();
        let sum = (0..mebibytes).fold(0u64, |sum, _| {
            chunk.iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))
        });
        format!("{} {sum}", mebibytes * chunk.len())
    };
    let upload = edge
        .web
        .post(format!("http://{}/count", edge.public))
        .header("host", "alpha.localhost")
        .body(reqwest::Body::wrap(Chunks { left: mebibytes }));
    assert_eq!(upload.send().await.unwrap().text().await.unwrap(), expected);
    let mut download = edge.get("alpha.localhost", &format!("/bytes/{mebibytes}")).send().await.unwrap();
    let (mut total, mut sum) = (0usize, 0u64);
    while let Some(chunk) = download.chunk().await.unwrap() {
        total += chunk.len();
        sum = chunk.iter().fold(sum, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    }
    assert_eq!(format!("{total} {sum}"), expected);
    edge.until("alpha", |status| status.in_flight == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_is_down_is_502_and_counted() {
    let (alpha, dead) = (Upstream::start("alpha").await, nowhere().await);
    let edge = Edge::start(alpha.address, dead, |_| ()).await;
    let page = edge.get("beta.localhost", "/").header("accept", "text/html").send().await.unwrap();
    assert_eq!(page.status(), 502);
    assert!(page.text().await.unwrap().contains("<h1>The site does not answer</h1>"));
    let problem = edge.get("beta.localhost", "/").send().await.unwrap();
    assert_eq!(problem.headers()["content-type"], "application/problem+json");
    assert_eq!(json_of(problem).await["code"], "upstream-unavailable");
    let totals = edge.totals("beta").await;
    assert_eq!((totals.requests, totals.errors, totals.upstream_failures), (2, 2, 2));
    assert_eq!(edge.totals("alpha").await.requests, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_get_is_tried_again_where_configured_and_a_post_is_not() {
    let address = nowhere().await;
    let alpha = Upstream::start("alpha").await;
    let edge = Edge::start(alpha.address, address, |config| {
        config["limits"]["upstream_retry_milliseconds"] = 10_000.into();
    })
    .await;
    let post = edge.web.post(format!("http://{}/", edge.public)).header("host", "beta.localhost").body("x");
    assert_eq!(post.send().await.unwrap().status(), 502);
    let get = tokio::spawn(edge.get("beta.localhost", "/").send());
    edge.until("beta", |status| status.in_flight == 1).await;
    let _beta = Upstream::on("beta", TcpListener::bind(address).await.unwrap()).await;
    assert_eq!(json_of(get.await.unwrap().unwrap()).await["app"], "beta");
    assert_eq!(edge.totals("beta").await.errors, 1, "only the post");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_takes_too_long_is_504() {
    let alpha = Upstream::start("alpha").await;
    let edge = Edge::start(alpha.address, alpha.address, |config| {
        config["limits"]["upstream_response_seconds"] = 1.into();
    })
    .await;
    assert_eq!(edge.get("alpha.localhost", "/slow").send().await.unwrap().status(), 504);
    assert_eq!(edge.totals("alpha").await.upstream_failures, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn samples_and_totals_say_what_happened() {
    let alpha = Upstream::start("alpha").await;
    let edge = Edge::start(alpha.address, alpha.address, |_| ()).await;
    let before = edge.client.status().await.unwrap().started_at.as_millisecond();
    for code in [200, 201, 304, 404, 500, 503] {
        edge.get("alpha.localhost", &format!("/status/{code}")).send().await.unwrap();
    }
    edge.side("alpha.localhost", "/status/500").send().await.unwrap();
    let batch = edge.client.samples("alpha", before).await.unwrap();
    let statuses: Vec<u16> = batch.samples.iter().map(|sample| sample.status).collect();
    assert_eq!(statuses, [200, 201, 304, 404, 500, 503]);
    assert!(batch.samples.iter().all(|sample| sample.duration_us > 0 && sample.at_ms <= batch.now_ms));
    assert!(!batch.incomplete);
    let later = edge.client.samples("alpha", batch.now_ms + 1).await.unwrap();
    assert!(later.samples.is_empty());
    let totals = edge.totals("alpha").await;
    assert_eq!(
        json!([
            totals.requests,
            totals.success,
            totals.redirection,
            totals.client_error,
            totals.server_error
        ]),
        json!([6, 2, 1, 1, 2])
    );
    assert_eq!((totals.errors, totals.upstream_failures, totals.side_door), (2, 0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_breaks_off_breaks_off_and_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0u8; 1024];
        assert!(stream.read(&mut head).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").await.unwrap();
    });
    let edge = Edge::start(address, address, |_| ()).await;
    let response = edge.get("alpha.localhost", "/").send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err(), "a part must not pass for the whole");
    let totals = edge.totals("alpha").await;
    assert_eq!((totals.errors, totals.broken_answers), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_its_client_breaks_off_is_nobodys_error() {
    let alpha = Upstream::start("alpha").await;
    let edge = Edge::start(alpha.address, alpha.address, |_| ()).await;
    let mut raw = TcpStream::connect(edge.public).await.unwrap();
    raw.write_all(b"POST /count HTTP/1.1\r\nhost: alpha.localhost\r\ncontent-length: 100\r\n\r\nhalf")
        .await
        .unwrap();
    edge.until("alpha", |status| status.in_flight == 1).await;
    drop(raw);
    edge.until("alpha", |status| status.in_flight == 0).await;
    let totals = edge.totals("alpha").await;
    assert_eq!((totals.abandoned, totals.errors, totals.requests), (1, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_the_upstream_just_closed_costs_a_get_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        // The second request on a connection is read and not answered, as when an idle connection just ends.
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0u8; 1024];
            assert!(stream.read(&mut head).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
            tokio::spawn(async move {
                stream.readable().await.unwrap();
            });
        }
    });
    let edge = Edge::start(address, address, |_| ()).await;
    for _ in 0..3 {
        assert_eq!(edge.get("alpha.localhost", "/").send().await.unwrap().text().await.unwrap(), "ok");
    }
    assert_eq!(edge.totals("alpha").await.errors, 0);
}
