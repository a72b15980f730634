//! One request's way through: find its tenant, be let in, be passed on, be measured.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::request::Parts;
use http::uri::{PathAndQuery, Scheme};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body as _, Incoming};
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use jiff::Timestamp;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::{Limits, bare_host};
use crate::gatekeeper::Gatekeeper;
use crate::headers;
use crate::page;
use crate::tenant::{Admission, Refusal, Tenant};
use crate::tunnel;

/// Pause between attempts to reach an upstream that refuses connections.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// How long the rest of a refused upload is read and thrown away, so that its client comes to read the refusal.
const LINGER: Duration = Duration::from_secs(30);

pub(crate) type Body = UnsyncBoxBody<Bytes, hyper::Error>;
pub(crate) type UpstreamClient = Client<HttpConnector, Body>;

/// By which listener a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Public,
    Side,
}

/// Connections to one upstream. Names are resolved anew for each connection: containers change their address.
pub(crate) fn upstream_client(limits: &Limits) -> UpstreamClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    connector.set_connect_timeout(Some(Duration::from_millis(limits.upstream_connect_milliseconds)));
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(Duration::from_millis(limits.upstream_idle_milliseconds))
        .set_host(false)
        .build(connector)
}

/// Answers one request.
pub(crate) async fn answer(
    edge: Arc<Gatekeeper>,
    door: Door,
    peer: IpAddr,
    mut request: Request<Incoming>,
) -> Response<Body> {
    let host = requested_host(&request);
    let name = host.as_ref().and_then(|host| host.to_str().ok()).map(bare_host).unwrap_or_default();
    let Some(tenant) = edge.tenant_of_host(&name) else {
        return early(page::message(&page::UNKNOWN_HOST, request.headers()), request);
    };
    let Some(path) = request.uri().path_and_query().cloned().filter(|path| path.as_str().starts_with('/'))
    else {
        return early(page::message(&page::BAD_REQUEST, request.headers()), request);
    };
    let admission = match door {
        Door::Side => {
            tenant.meter.count(|totals| totals.side_door += 1);
            None
        }
        Door::Public => match tenant.admit(&edge.config.limits.hold, &edge.stopping).await {
            Ok(admission) => Some(admission),
            Err(refusal) => return early(refuse(&tenant, &refusal, &request), request),
        },
    };
    prepare(&edge, &mut request, peer, host);
    let exchange = Exchange { edge, tenant, admission, path };
    // A task of its own: when the client goes away, the upstream still works on the request, and a gate that
    // drains must still see it as in flight.
    let accepted = request.headers().clone();
    match tokio::spawn(exchange.run(request)).await {
        Ok(response) => response,
        Err(_) => own(page::message(&page::BAD_GATEWAY, &accepted)),
    }
}

/// The host that was asked for: of the request line where it names one, else of the `Host` header.
fn requested_host(request: &Request<Incoming>) -> Option<HeaderValue> {
    match request.uri().authority() {
        Some(authority) => HeaderValue::from_str(authority.as_str()).ok(),
        None => request.headers().get(header::HOST).cloned(),
    }
}

/// Makes the request's headers those of the next hop; the upgrade, if one is asked for, is put back later.
fn prepare(edge: &Gatekeeper, request: &mut Request<Incoming>, peer: IpAddr, host: Option<HeaderValue>) {
    let upgrade = headers::asked_upgrade(request.headers());
    let map = request.headers_mut();
    headers::strip_hop(map);
    // This hop has answered it: the body is read, which sends "100 Continue".
    map.remove(header::EXPECT);
    let host = host.unwrap_or(HeaderValue::from_static(""));
    headers::set_forwarded(map, edge.config.forwarded_headers, peer, &host);
    map.insert(header::HOST, host);
    if let Some(protocol) = upgrade {
        headers::set_upgrade(map, protocol);
    }
}

fn refuse(tenant: &Tenant, refusal: &Refusal, request: &Request<Incoming>) -> Response<Bytes> {
    tenant.meter.count(|totals| match refusal {
        Refusal::Closed(_) => totals.refused_closed += 1,
        Refusal::HoldFull => totals.refused_hold_full += 1,
        Refusal::HoldTimeout | Refusal::Stopping => totals.refused_hold_timeout += 1,
    });
    match refusal {
        Refusal::Closed(closure) => page::closed(closure, request.headers()),
        _ => page::message(&page::BUSY, request.headers()),
    }
}

/// One request that was let in.
struct Exchange {
    edge: Arc<Gatekeeper>,
    tenant: Arc<Tenant>,
    /// None by the side door.
    admission: Option<Admission>,
    path: PathAndQuery,
}

/// Why an upstream gave no answer.
enum Failure {
    TimedOut,
    NoAnswer(hyper_util::client::legacy::Error),
    NoRequest(http::Error),
}

impl Exchange {
    async fn run(self, mut request: Request<Incoming>) -> Response<Body> {
        let downstream =
            request.headers().contains_key(header::UPGRADE).then(|| hyper::upgrade::on(&mut request));
        let accepted = request.headers().clone();
        let abandoned = Arc::new(AtomicBool::new(false));
        let began = Instant::now();
        let failure = match self.send(request, &abandoned).await {
            Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
                self.measure(response.status(), began, false);
                return self.switch(response, downstream, &accepted);
            }
            Ok(response) => {
                self.measure(response.status(), began, false);
                return self.deliver(response);
            }
            Err(failure) => failure,
        };
        let (message, reason) = match failure {
            Failure::TimedOut => (&page::GATEWAY_TIMEOUT, "no answer in time".to_owned()),
            Failure::NoAnswer(error) => (&page::BAD_GATEWAY, chain(&error)),
            Failure::NoRequest(error) => (&page::BAD_REQUEST, error.to_string()),
        };
        if abandoned.load(Ordering::Relaxed) {
            if self.admission.is_some() {
                self.tenant.meter.count(|totals| totals.abandoned += 1);
            }
        } else {
            let upstream = self.tenant.route().upstream;
            tracing::warn!(tenant = self.tenant.name, %upstream, reason, "the upstream gave no answer");
            self.measure(message.status, began, true);
        }
        own(page::message(message, &accepted))
    }

    /// Sends the request, again where that is safe, and waits for the head of the answer.
    async fn send(
        &self,
        request: Request<Incoming>,
        abandoned: &Arc<AtomicBool>,
    ) -> Result<Response<Incoming>, Failure> {
        let limits = &self.edge.config.limits;
        let (head, body) = request.into_parts();
        let repeatable = matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS)
            && body.is_end_stream()
            && !head.headers.contains_key(header::UPGRADE);
        // The time for the answer runs from when the request was sent: an upload may take as long as it takes.
        let sent = CancellationToken::new();
        let sending = async {
            if repeatable {
                sent.cancel();
                self.send_repeatable(head, limits).await
            } else {
                let guard = sent.clone().drop_guard();
                let abandoned = Arc::clone(abandoned);
                let body = body.map_err(move |error| {
                    let _until_sent = &guard;
                    abandoned.store(true, Ordering::Relaxed);
                    error
                });
                self.send_once(head, body.boxed_unsync()).await
            }
        };
        let too_long = async {
            sent.cancelled().await;
            match limits.upstream_response_seconds {
                0 => std::future::pending().await,
                seconds => tokio::time::sleep(Duration::from_secs(seconds)).await,
            }
        };
        tokio::select! {
            result = sending => result,
            () = too_long => Err(Failure::TimedOut),
        }
    }

    async fn send_once(&self, mut head: Parts, body: Body) -> Result<Response<Incoming>, Failure> {
        let route = self.tenant.route();
        let authority = route.upstream.authority();
        head.uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(authority.clone())
            .path_and_query(self.path.clone())
            .build()
            .map_err(Failure::NoRequest)?;
        head.version = Version::HTTP_11;
        if head.headers.get(header::HOST).is_none_or(HeaderValue::is_empty)
            && let Ok(host) = HeaderValue::from_str(authority.as_str())
        {
            head.headers.insert(header::HOST, host);
        }
        route.client.request(Request::from_parts(head, body)).await.map_err(Failure::NoAnswer)
    }

    /// Sends a request without body that changes nothing. It is repeated while the connection is refused and the
    /// configured time lasts, and once when a connection broke before the answer began: the upstream may just have
    /// closed one that was idle (RFC 9110, section 9.2.2).
    async fn send_repeatable(&self, head: Parts, limits: &Limits) -> Result<Response<Incoming>, Failure> {
        let until = Instant::now() + Duration::from_millis(limits.upstream_retry_milliseconds);
        let mut may_have_been_idle = true;
        loop {
            let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
            match self.send_once(head.clone(), body).await {
                Err(Failure::NoAnswer(error))
                    if error.is_connect() && Instant::now() + RETRY_PAUSE < until =>
                {
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                Err(Failure::NoAnswer(error)) if !error.is_connect() && may_have_been_idle => {
                    may_have_been_idle = false;
                }
                result => return result,
            }
        }
    }

    fn measure(&self, status: StatusCode, began: Instant, failed: bool) {
        if self.admission.is_some() {
            self.tenant.meter.passed(Timestamp::now(), status.as_u16(), began.elapsed(), failed);
        }
    }

    /// Hands the answer on; the request counts as in flight until its last byte.
    fn deliver(self, response: Response<Incoming>) -> Response<Body> {
        let (mut head, body) = response.into_parts();
        headers::strip_hop(&mut head.headers);
        head.version = Version::HTTP_11;
        head.extensions.clear();
        let (tenant, admission) = (self.tenant, self.admission);
        let body = body.map_err(move |error| {
            if admission.is_some() {
                tenant.meter.count(|totals| {
                    totals.errors += 1;
                    totals.broken_answers += 1;
                });
            }
            error
        });
        Response::from_parts(head, body.boxed_unsync())
    }

    /// Joins the two connections that switch protocols.
    fn switch(
        self,
        mut response: Response<Incoming>,
        downstream: Option<OnUpgrade>,
        accepted: &http::HeaderMap,
    ) -> Response<Body> {
        let protocol = response.headers().get(header::UPGRADE).cloned();
        let (Some(downstream), Some(protocol)) = (downstream, protocol) else {
            return own(page::message(&page::BAD_GATEWAY, accepted));
        };
        let upstream = hyper::upgrade::on(&mut response);
        // Counted as upgraded before it stops counting as in flight, so that it is never in neither.
        let counted = self.admission.is_some().then(|| self.tenant.upgraded.enter());
        let cuts = tunnel::Cuts {
            gate: self.admission.map(|admission| admission.cut),
            halted: self.edge.halted.clone(),
        };
        tokio::spawn(tunnel::join(self.tenant, counted, downstream, upstream, cuts));
        let (mut head, _) = response.into_parts();
        headers::strip_hop(&mut head.headers);
        headers::set_upgrade(&mut head.headers, protocol);
        head.version = Version::HTTP_11;
        head.extensions.clear();
        Response::from_parts(head, Empty::new().map_err(|never| match never {}).boxed_unsync())
    }
}

/// An error with its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Answers a request that is not passed on. A connection that is closed with unread data resets, and a client in the
/// middle of an upload would see the reset instead of the answer; so the rest is read, unless the client asked
/// whether to send it at all.
fn early(response: Response<Bytes>, request: Request<Incoming>) -> Response<Body> {
    if !request.body().is_end_stream() && !request.headers().contains_key(header::EXPECT) {
        let mut rest = request.into_body();
        tokio::spawn(async move {
            let reading = async { while let Some(Ok(_)) = rest.frame().await {} };
            // The client has the answer by then, or never will.
            let _in_time = tokio::time::timeout(LINGER, reading).await;
        });
    }
    own(response)
}

fn own(response: Response<Bytes>) -> Response<Body> {
    response.map(|bytes| Full::new(bytes).map_err(|never| match never {}).boxed_unsync())
}
