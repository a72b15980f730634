//! Requests to the application, measured.

use async_trait::async_trait;
use eclusa_runbook::{HttpProbe, Sample};

/// Sends probes.
#[async_trait]
pub trait HttpClient: Send + Sync {
    /// Sends one probe to a base URL (`http://127.0.0.1:8080`) and judges its answer. No answer is a bad sample, never
    /// an error.
    async fn ask(&self, probe: &HttpProbe, base: &str) -> Sample;

    /// The same, with as much of the answer's body as is read (at most 1 MiB); empty when there was no answer.
    async fn fetch(&self, probe: &HttpProbe, base: &str) -> (Sample, Vec<u8>);
}
