//! Requests to the application, measured.

use async_trait::async_trait;
use eclusa_runbook::{HttpProbe, Sample};
use secrecy::SecretString;

/// A request of somebody who signs in.
#[derive(Debug)]
pub struct HttpRequest {
    /// The `Host` that is asked for.
    pub host: String,
    /// The path with its query.
    pub path: String,
    /// The form that is sent with `POST`; none: `GET`.
    pub form: Option<Vec<(String, SecretString)>>,
    /// What stands in `Cookie`.
    pub cookie: Option<SecretString>,
}

/// An answer.
#[derive(Debug)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The cookies that were set, `NAME=VALUE` each.
    pub cookies: Vec<SecretString>,
    /// As much of the body as is read (at most 1 MiB).
    pub body: Vec<u8>,
}

/// Sends probes.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends one probe to a base URL (`http://127.0.0.1:8080`) and judges its answer. No answer is a bad sample, never
    /// an error.
    async fn ask(&self, probe: &HttpProbe, base: &str) -> Sample;

    /// The same, with as much of the answer's body as is read (at most 1 MiB); empty when there was no answer.
    async fn fetch(&self, probe: &HttpProbe, base: &str) -> (Sample, Vec<u8>);

    /// Sends a request of somebody who signs in.
    ///
    /// # Errors
    /// Why there was no answer, without anything that was sent.
    async fn exchange(&self, request: &HttpRequest, base: &str) -> std::result::Result<HttpAnswer, String>;
}
