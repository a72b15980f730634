//! The HTTP client that probes and webhooks share the making of.

use std::error::Error;

use eclusa_fault::{Code, Fault, Result};
use reqwest::{Client, ClientBuilder};

/// Makes a client. The operating system's certificates are trusted; where it has none at all, plain HTTP still works
/// and every certificate is refused.
pub(crate) fn build(settings: impl Fn() -> ClientBuilder) -> Result<Client> {
    settings()
        .build()
        .or_else(|_| settings().tls_certs_only(std::iter::empty()).build())
        .map_err(|error| Fault::new(Code::Internal).with("what", "no HTTP client can be made").because(error))
}

/// What a request failed of, with what was underneath and without its URL, which may carry a secret.
pub(crate) fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Wrappers often repeat what they wrap.
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
