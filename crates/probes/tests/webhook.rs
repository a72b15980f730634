//! Webhooks against a server that takes, refuses, fails or hangs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use eclusa_fault::Code;
use eclusa_model::{RunId, StackName};
use eclusa_ports::{Clock, Notice, Notifier};
use eclusa_probes::{SIGNATURE_HEADER, Webhook, WebhookSettings, verify_signature};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;

const NOW: i64 = 1_800_000_000;

struct FixedClock;

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(NOW).unwrap()
    }
    fn random_text(&self, length: usize) -> String {
        "x".repeat(length)
    }
}

type Received = Arc<Mutex<Vec<(HeaderMap, Bytes)>>>;

/// A server that answers with these statuses in turn, the last one for ever; status 0 is to hang.
async fn server(statuses: &[u16]) -> (String, Received) {
    let received = Received::default();
    let (log, statuses) = (Arc::clone(&received), statuses.to_vec());
    let hook = move |headers: HeaderMap, body: Bytes| async move {
        let number = {
            let mut log = log.lock().unwrap();
            log.push((headers, body));
            log.len() - 1
        };
        match statuses[number.min(statuses.len() - 1)] {
            0 => std::future::pending().await,
            status => StatusCode::from_u16(status).unwrap(),
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/hook/token-in-the-path", post(hook));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (format!("http://{address}/hook/token-in-the-path"), received)
}

fn webhook(url: &str) -> Webhook {
    let mut settings = WebhookSettings::new(url.into(), "the secret".into());
    settings.first_wait = Duration::from_millis(5);
    settings.attempt_timeout = Duration::from_millis(400);
    settings.total_timeout = Duration::from_millis(1000);
    Webhook::new(settings, Arc::new(FixedClock)).unwrap()
}

fn notice() -> Notice {
    Notice {
        kind: "run.started",
        stack: StackName::new("shop").unwrap(),
        run: RunId::new("r-1").unwrap(),
        at: "2026-11-21T15:21:43Z".parse().unwrap(),
        sequence: 7,
        text: "The release of v2 began — ünïcode".to_owned(),
        data: json!({ "to": "v2" }),
    }
}

#[tokio::test]
async fn a_notice_arrives_signed_after_two_failures() {
    let (url, received) = server(&[503, 500, 202]).await;
    webhook(&url).notify(&notice()).await.unwrap();
    let received = received.lock().unwrap();
    assert_eq!(received.len(), 3);
    for (headers, body) in received.iter() {
        assert_eq!(headers["content-type"], "application/cloudevents+json; charset=utf-8");
        let signature = headers[SIGNATURE_HEADER].to_str().unwrap();
        let now = Timestamp::from_second(NOW).unwrap();
        assert!(verify_signature(&"the secret".into(), signature, body, now, 0), "{signature}");
        assert!(!verify_signature(&"another".into(), signature, body, now, 0));
        let event: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(
            event,
            json!({
                "specversion": "1.0",
                "id": "r-1-7",
                "source": "eclusa/shop",
                "type": "dev.eclusa.run.started",
                "time": "2026-11-21T15:21:43Z",
                "subject": "r-1",
                "datacontenttype": "application/json",
                "data": {
                    "stack": "shop",
                    "run": "r-1",
                    "sequence": 7,
                    "text": "The release of v2 began — ünïcode",
                    "details": { "to": "v2" },
                },
            })
        );
    }
}

#[tokio::test]
async fn what_will_not_change_is_not_tried_again() {
    for (status, tries) in [(404, 1), (401, 1), (302, 1), (408, 5), (429, 5), (500, 5)] {
        let (url, received) = server(&[status]).await;
        let fault = webhook(&url).notify(&notice()).await.unwrap_err();
        assert_eq!(fault.code, Code::NotifyFailed);
        assert!(fault.causes[0].contains(&status.to_string()), "{fault}");
        assert_eq!(received.lock().unwrap().len(), tries, "status {status}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_holds_nobody_up() {
    let (url, received) = server(&[0]).await;
    let began = Instant::now();
    let fault = webhook(&url).notify(&notice()).await.unwrap_err();
    assert_eq!(fault.code, Code::NotifyFailed);
    assert!(began.elapsed() < Duration::from_millis(1500), "it took {:?}", began.elapsed());
    let tries = received.lock().unwrap().len();
    assert!((2..=3).contains(&tries), "{tries} tries");
}

#[tokio::test]
async fn neither_the_address_nor_the_secret_is_shown() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let hook = webhook(&format!("http://user:password@{address}/hook/token-in-the-path?key=token"));
    let fault = hook.notify(&notice()).await.unwrap_err();
    let shown = format!("{hook:?} {fault} {fault:?} {}", serde_json::to_string(&fault).unwrap());
    assert!(shown.contains(&format!("http://{address}")), "{shown}");
    assert!(shown.to_lowercase().contains("refused"), "{shown}");
    for secret in ["token", "password", "the secret", "user"] {
        assert!(!shown.contains(secret), "{secret:?} stands in {shown}");
    }
}

#[test]
fn only_http_addresses_are_taken() {
    for bad in ["", "example.org/hook", "file:///etc/passwd", "ftp://example.org", "http://"] {
        let settings = WebhookSettings::new(bad.into(), "s".into());
        assert_eq!(
            Webhook::new(settings, Arc::new(FixedClock)).unwrap_err().code,
            Code::ConfigInvalid,
            "{bad:?}"
        );
    }
}
