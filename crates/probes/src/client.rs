//! The HTTP client that probes and webhooks share the making of.

use std::error::Error;

use reqwest::{Client, ClientBuilder};

/// Makes a client for addresses of a scheme. For `https` the operating system's certificates are trusted; where it has
/// none at all, every certificate is refused. For anything else they are not read: they are many, and every command
/// would wait for them.
pub(crate) fn build(scheme: &str, settings: impl Fn() -> ClientBuilder) -> reqwest::Result<Client> {
    let trusting_nobody = || settings().tls_certs_only(std::iter::empty()).build();
    if scheme == "https" { settings().build().or_else(|_| trusting_nobody()) } else { trusting_nobody() }
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
