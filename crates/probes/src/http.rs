//! HTTP probes: one request, measured to the end of its answer, and judged.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use eclusa_ports::{Clock, HttpAnswer, HttpClient, HttpRequest};
use eclusa_runbook::{HttpProbe, Sample};
use reqwest::header::{CONTENT_TYPE, COOKIE, HOST, HeaderMap, HeaderValue, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::OnceCell;

use crate::answer::{self, Answer};
use crate::client;

/// The most of a body that is read, in bytes.
const BODY_LIMIT: usize = 1 << 20;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A request is ended after this time, or after four times its probe's maximum if that is longer: never before an
/// answer could still be good.
const LEAST_TIMEOUT: Duration = Duration::from_secs(10);

/// A request of somebody who signs in is ended after this time.
const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends HTTP probes. Its clients are made when the first address of their scheme is asked.
pub struct HttpProbes {
    plain: OnceCell<Client>,
    encrypted: OnceCell<Client>,
    clock: Arc<dyn Clock>,
}

impl HttpProbes {
    /// A sender of probes. It follows no redirects and uses no proxy, since what is measured is the stack itself.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { plain: OnceCell::new(), encrypted: OnceCell::new(), clock }
    }

    async fn client(&self, scheme: &str) -> std::result::Result<&Client, String> {
        let made = if scheme == "https" { &self.encrypted } else { &self.plain };
        made.get_or_try_init(async || {
            client::build(scheme, || {
                Client::builder()
                    .no_proxy()
                    .redirect(Policy::none())
                    .connect_timeout(CONNECT_TIMEOUT)
                    // A side door's service is replaced between two probes; a kept connection to the old one is no
                    // answer.
                    .pool_max_idle_per_host(0)
                    .user_agent(concat!("eclusa/", env!("CARGO_PKG_VERSION")))
            })
        })
        .await
        .map_err(client::reason)
    }

    async fn exchanged(&self, request: &HttpRequest, base: &str) -> std::result::Result<HttpAnswer, String> {
        let url = url(base, &request.path)?;
        let method = if request.form.is_some() { Method::POST } else { Method::GET };
        let client = self.client(url.scheme()).await?;
        let mut builder = client.request(method, url.clone()).header(HOST, &request.host);
        if let Some(form) = &request.form {
            // The query of an address is written as a form is.
            let mut written = url.clone();
            written.set_query(None);
            let pairs = form.iter().map(|(name, value)| (name.as_str(), value.expose_secret()));
            written.query_pairs_mut().extend_pairs(pairs);
            let text = written.query().unwrap_or_default().to_owned();
            builder = builder.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(text);
        }
        if let Some(cookie) = &request.cookie {
            let value = HeaderValue::from_str(cookie.expose_secret());
            let mut value = value.map_err(|_| "a cookie that cannot be sent back".to_owned())?;
            value.set_sensitive(true);
            builder = builder.header(COOKIE, value);
        }
        let mut response = builder.send().await.map_err(client::reason)?;
        let cookies = response.headers().get_all(SET_COOKIE).iter();
        let cookies = cookies
            .filter_map(|value| value.to_str().ok()?.split(';').next())
            .map(|pair| SecretString::from(pair.trim().to_owned()))
            .collect();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(client::reason)? {
            let room = BODY_LIMIT - body.len();
            body.extend(chunk.iter().take(room));
            if chunk.len() > room {
                break;
            }
        }
        Ok(HttpAnswer { status: response.status().as_u16(), cookies, body })
    }

    async fn send(&self, probe: &HttpProbe, base: &str) -> std::result::Result<Answer, (u16, String)> {
        let nothing = |problem: String| (0, problem);
        let method = Method::from_bytes(probe.method.as_bytes())
            .map_err(|_| nothing(format!("{:?} is no HTTP method", probe.method)))?;
        let url = url(base, &probe.path).map_err(nothing)?;
        let client = self.client(url.scheme()).await.map_err(nothing)?;
        let mut response = client
            .request(method, url)
            .header(HOST, &probe.host)
            .send()
            .await
            .map_err(|error| nothing(client::reason(error)))?;
        let status = response.status().as_u16();
        let mut body = Vec::new();
        let mut complete = true;
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    let room = BODY_LIMIT - body.len();
                    body.extend(chunk.iter().take(room));
                    if chunk.len() > room {
                        complete = false;
                        break;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    return Err((status, format!("the answer broke off: {}", client::reason(error))));
                }
            }
        }
        Ok(Answer { status, headers: texts(response.headers()), body, complete })
    }
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect()
}

/// The address of a path under a base. The path is appended as text, not resolved: `//elsewhere` must stay here.
fn url(base: &str, path: &str) -> std::result::Result<reqwest::Url, String> {
    if !path.starts_with('/') {
        return Err(format!("the path {path:?} does not begin with /"));
    }
    let base = base.trim_end_matches('/');
    let parsed = reqwest::Url::parse(&format!("{base}{path}")).map_err(|error| format!("no URL: {error}"))?;
    if matches!(parsed.scheme(), "http" | "https") {
        Ok(parsed)
    } else {
        Err(format!("{} is no scheme for a probe", parsed.scheme()))
    }
}

#[async_trait]
impl HttpClient for HttpProbes {
    async fn ask(&self, probe: &HttpProbe, base: &str) -> Sample {
        self.fetch(probe, base).await.0
    }

    async fn exchange(&self, request: &HttpRequest, base: &str) -> std::result::Result<HttpAnswer, String> {
        tokio::time::timeout(EXCHANGE_TIMEOUT, self.exchanged(request, base))
            .await
            .unwrap_or_else(|_| Err(format!("no whole answer within {} s", EXCHANGE_TIMEOUT.as_secs())))
    }

    async fn fetch(&self, probe: &HttpProbe, base: &str) -> (Sample, Vec<u8>) {
        let at = self.clock.now();
        let maximum = Duration::from_millis(probe.maximum_milliseconds);
        let limit = LEAST_TIMEOUT.max(maximum.saturating_mul(4));
        let began = Instant::now();
        let result = tokio::time::timeout(limit, self.send(probe, base)).await;
        let took = began.elapsed();
        let (status, problem, body) = match result {
            Ok(Ok(answer)) => (answer.status, answer::problem(probe, &answer, took), answer.body),
            Ok(Err((status, problem))) => (status, Some(problem), Vec::new()),
            Err(_) => (0, Some(format!("no whole answer within {} ms", limit.as_millis())), Vec::new()),
        };
        let sample = Sample {
            at,
            tenant: probe.tenant.clone(),
            source: probe.name.clone(),
            good: problem.is_none(),
            status: if StatusCode::from_u16(status).is_ok() { status } else { 0 },
            microseconds: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            problem,
        };
        (sample, body)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::url;

    #[test]
    fn a_path_cannot_lead_to_another_host() {
        assert_eq!(url("http://127.0.0.1:80/", "/a?b=c").unwrap().as_str(), "http://127.0.0.1/a?b=c");
        assert_eq!(url("http://127.0.0.1:8080", "//evil.example/").unwrap().host_str(), Some("127.0.0.1"));
        for bad in ["@evil.example/", ".evil.example/", "", "evil"] {
            assert!(url("http://127.0.0.1", bad).is_err(), "{bad:?} was taken");
        }
        assert!(url("file://", "/etc/passwd").is_err());
    }
}
