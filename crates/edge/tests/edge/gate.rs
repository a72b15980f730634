//! Closed and held gates.

use std::time::{Duration, Instant};

use eclusa_edge::{CloseRequest, Gate, HoldRequest, Notice, OpenRequest, Upstream as Target};

use crate::support::{Chunks, Edge, Upstream, json_of};

fn close(tenant: &str) -> CloseRequest {
    CloseRequest { tenant: tenant.into(), drain_seconds: 5, ..CloseRequest::default() }
}

fn hold(tenant: &str) -> HoldRequest {
    HoldRequest { tenant: tenant.into(), drain_seconds: 5, ..HoldRequest::default() }
}

fn open(tenant: &str) -> OpenRequest {
    OpenRequest { tenant: tenant.into(), ..OpenRequest::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_gate_has_a_page_a_problem_and_a_side_door() {
    let upstream = Upstream::start("app").await;
    let edge = Edge::start(upstream.address, upstream.address, |_| ()).await;
    let message = Notice {
        language: "pt-BR".into(),
        title: "Voltamos já".into(),
        sentence: "A loja está sendo atualizada.".into(),
        reload: "Esta página recarrega sozinha.".into(),
    };
    let request = CloseRequest { message: Some(message), retry_after_seconds: Some(90), ..close("alpha") };
    assert!(edge.client.close(request).await.unwrap().is_complete());

    let page =
        edge.get("alpha.localhost", "/app").header("accept", "text/html,*/*;q=0.8").send().await.unwrap();
    assert_eq!(page.status(), 503);
    assert_eq!(page.headers()["retry-after"], "90");
    assert_eq!(page.headers()["cache-control"], "no-store");
    assert_eq!(page.headers()["content-language"], "pt-BR");
    let text = page.text().await.unwrap();
    for part in [
        "<html lang=\"pt-BR\"",
        "<h1>Voltamos já</h1>",
        "A loja está sendo atualizada.",
        "http-equiv=\"refresh\"",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    let problem =
        edge.get("alpha.localhost", "/api").header("accept", "application/json").send().await.unwrap();
    assert_eq!((problem.status().as_u16(), &problem.headers()["retry-after"]), (503, &"90".parse().unwrap()));
    assert_eq!(problem.headers()["content-type"], "application/problem+json");
    let problem = json_of(problem).await;
    assert_eq!((problem["status"].as_u64(), problem["code"].as_str()), (Some(503), Some("gate-closed")));

    assert_eq!(json_of(edge.side("alpha.localhost", "/").send().await.unwrap()).await["app"], "app");
    assert_eq!(edge.get("beta.localhost", "/").send().await.unwrap().status(), 200, "beta is another tenant");

    edge.client.open(open("alpha")).await.unwrap();
    assert_eq!(edge.get("alpha.localhost", "/").send().await.unwrap().status(), 200);
    let totals = edge.totals("alpha").await;
    assert_eq!((totals.refused_closed, totals.requests, totals.side_door), (2, 1, 1));
    assert!(edge.client.stats(Some("alpha")).await.unwrap()[0].closed_milliseconds > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_waits_for_what_is_in_flight() {
    let upstream = Upstream::start("app").await;
    let edge = Edge::start(upstream.address, upstream.address, |_| ()).await;
    let slow = tokio::spawn(edge.get("alpha.localhost", "/slow").send());
    upstream.slow_begun(1).await;
    let release = {
        let permits = std::sync::Arc::clone(&upstream.permits);
        let web = edge.get("alpha.localhost", "/");
        async move {
            // Refused at once, while the draining still goes on.
            while web.try_clone().unwrap().send().await.unwrap().status() != 503 {}
            permits.add_permits(1);
        }
    };
    let (drained, ()) = tokio::join!(edge.client.close(close("alpha")), release);
    let drained = drained.unwrap();
    assert_eq!(drained.in_flight_remaining, 0);
    assert_eq!(slow.await.unwrap().unwrap().status(), 200, "what was in flight is answered");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_client_went_away_is_still_in_flight() {
    let upstream = Upstream::start("app").await;
    let edge = Edge::start(upstream.address, upstream.address, |_| ()).await;
    let impatient = edge.get("alpha.localhost", "/slow").timeout(Duration::from_millis(300));
    assert!(impatient.send().await.unwrap_err().is_timeout());
    let drained = edge.client.close(CloseRequest { drain_seconds: 1, ..close("alpha") }).await.unwrap();
    assert_eq!(drained.in_flight_remaining, 1, "the application still works on it");
    upstream.permits.add_permits(1);
    assert!(edge.client.close(close("alpha")).await.unwrap().is_complete());
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_reports_what_did_not_finish_in_time() {
    let upstream = Upstream::start("app").await;
    let edge = Edge::start(upstream.address, upstream.address, |_| ()).await;
    let slow = tokio::spawn(edge.get("alpha.localhost", "/slow").send());
    upstream.slow_begun(1).await;
    let began = Instant::now();
    let drained = edge.client.close(CloseRequest { drain_seconds: 1, ..close("alpha") }).await.unwrap();
    assert_eq!(drained.in_flight_remaining, 1);
    assert!(!drained.is_complete());
    assert!(began.elapsed() < Duration::from_secs(4));
    upstream.permits.add_permits(1);
    assert_eq!(slow.await.unwrap().unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_only_switch_behind_a_held_gate_fails_no_request() {
    let (old, new) = (Upstream::start("old").await, Upstream::start("new").await);
    let edge = Edge::start(old.address, old.address, |_| ()).await;
    let stop = tokio_util::sync::CancellationToken::new();
    let mut traffic = Vec::new();
    let served = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    for _ in 0..4 {
        let (web, stop, served) = (edge.get("alpha.localhost", "/"), stop.clone(), served.clone());
        traffic.push(tokio::spawn(async move {
            let mut seen = Vec::new();
            while !stop.is_cancelled() {
                let response = web.try_clone().unwrap().send().await.unwrap();
                assert_eq!(response.status(), 200);
                seen.push(json_of(response).await["app"].as_str().unwrap().to_owned());
                if seen.len() == 1 {
                    served.add_permits(1);
                }
            }
            seen
        }));
    }
    // On a busy machine one of them may begin only when the others have long been served.
    let _all = served.acquire_many(4).await.unwrap();
    edge.until("alpha", |status| status.in_flight > 0).await;
    assert!(edge.client.hold(hold("alpha")).await.unwrap().is_complete());
    edge.until("alpha", |status| status.waiting == 4).await;
    drop(old);
    edge.client.set_upstream("alpha", Target::parse(&new.address.to_string()).unwrap()).await.unwrap();
    assert_eq!(edge.client.open(open("alpha")).await.unwrap().released, 4);
    edge.get("alpha.localhost", "/").send().await.unwrap();
    stop.cancel();
    for task in traffic {
        let seen = task.await.unwrap();
        assert!(seen.contains(&"old".to_owned()) && seen.contains(&"new".to_owned()));
        assert!(seen.is_sorted_by_key(|app| app == "new"), "never back to the old one");
    }
    let totals = edge.totals("alpha").await;
    assert_eq!((totals.held, totals.errors), (4, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_gate_has_room_for_so_many_and_so_long() {
    let upstream = Upstream::start("app").await;
    let edge = Edge::start(upstream.address, upstream.address, |config| {
        config["limits"]["hold"] = serde_json::json!({"max_requests": 1, "max_wait_seconds": 1});
    })
    .await;
    edge.client.hold(hold("alpha")).await.unwrap();
    let waiting = tokio::spawn(edge.get("alpha.localhost", "/").send());
    edge.until("alpha", |status| status.waiting == 1).await;
    let overflow = edge.get("alpha.localhost", "/").send().await.unwrap();
    assert_eq!(overflow.status(), 503);
    assert!(overflow.headers().contains_key("retry-after"));
    assert_eq!(waiting.await.unwrap().unwrap().status(), 503, "it waited too long");
    let totals = edge.totals("alpha").await;
    assert_eq!((totals.refused_hold_full, totals.refused_hold_timeout, totals.held), (1, 1, 1));
    assert_eq!(edge.side("alpha.localhost", "/").send().await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_a_held_gate_refuses_those_that_wait() {
    let upstream = Upstream::start("app").await;
    let edge = Edge::start(upstream.address, upstream.address, |_| ()).await;
    edge.client.hold(hold("alpha")).await.unwrap();
    let waiting = tokio::spawn(edge.get("alpha.localhost", "/").send());
    edge.until("alpha", |status| status.waiting == 1).await;
    assert!(edge.client.close(close("alpha")).await.unwrap().is_complete());
    assert_eq!(waiting.await.unwrap().unwrap().status(), 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_of_a_run_is_moved_by_that_run_only() {
    let upstream = Upstream::start("app").await;
    let edge = Edge::start(upstream.address, upstream.address, |_| ()).await;
    let run = Some("run-1".to_owned());
    edge.client.close(CloseRequest { run: run.clone(), ..close("alpha") }).await.unwrap();
    let error =
        edge.client.open(OpenRequest { run: Some("run-2".into()), ..open("alpha") }).await.unwrap_err();
    assert_eq!(error.code(), "owned-by-another");
    assert!(error.to_string().contains("run-1"));
    assert_eq!(edge.client.open(open("alpha")).await.unwrap_err().code(), "owned-by-another");
    edge.until("alpha", |status| matches!(status.gate, Gate::Closed(_))).await;
    edge.client.open(OpenRequest { run, ..open("alpha") }).await.unwrap();
    edge.until("alpha", |status| status.gate == Gate::Open).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_to_a_closed_gate_gets_the_refusal_and_no_reset() {
    let upstream = Upstream::start("app").await;
    let edge = Edge::start(upstream.address, upstream.address, |_| ()).await;
    edge.client.close(close("alpha")).await.unwrap();
    let upload = edge
        .web
        .post(format!("http://{}/count", edge.public))
        .header("host", "alpha.localhost")
        .body(reqwest::Body::wrap(Chunks { left: 32 }));
    assert_eq!(upload.send().await.unwrap().status(), 503);
}
