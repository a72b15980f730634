//! Notices to the outside: CloudEvents 1.0 in the structured JSON form, signed, sent again until they are taken.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use backon::{ExponentialBuilder, Retryable};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_ports::{Clock, Notice, Notifier};
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::client;
use crate::signature::{SIGNATURE_HEADER, sign};

/// Where notices go, and how patiently.
pub struct WebhookSettings {
    /// The address. It may itself be a secret, so it is never shown beyond its host.
    pub url: SecretString,
    /// What notices are signed with.
    pub secret: SecretString,
    /// How often it is tried in all.
    pub attempts: usize,
    /// How long is waited after the first try; it doubles each time, with jitter of up to as much again.
    pub first_wait: Duration,
    /// How long one try may take.
    pub attempt_timeout: Duration,
    /// How long all of it may take.
    pub total_timeout: Duration,
}

impl WebhookSettings {
    /// Five tries of at most 10 s each within 45 s, the first two half a second apart.
    #[must_use]
    pub fn new(url: SecretString, secret: SecretString) -> Self {
        Self {
            url,
            secret,
            attempts: 5,
            first_wait: Duration::from_millis(500),
            attempt_timeout: Duration::from_secs(10),
            total_timeout: Duration::from_secs(45),
        }
    }
}

/// Sends notices to one address.
pub struct Webhook {
    client: Client,
    settings: WebhookSettings,
    url: Url,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Webhook({})", self.target())
    }
}

/// Why one try failed.
struct Refusal {
    why: String,
    again: bool,
}

impl Webhook {
    /// A webhook. The proxy of the environment is not used, and no redirect is followed: a signed body goes only
    /// where it was addressed to.
    ///
    /// # Errors
    /// `ConfigInvalid` when the address is no HTTP or HTTPS URL; `Internal` when no client can be made.
    pub fn new(settings: WebhookSettings, clock: Arc<dyn Clock>) -> Result<Self> {
        let url = Url::parse(settings.url.expose_secret())
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| {
                Fault::new(Code::ConfigInvalid)
                    .with("path", "notify")
                    .with("problem", "the address of the webhook is no HTTP or HTTPS URL")
                    .hint(Message::verbatim("Give notifications an address such as https://example.org/hook"))
            })?;
        let client = client::build(url.scheme(), || {
            Client::builder()
                .no_proxy()
                .redirect(Policy::none())
                .timeout(settings.attempt_timeout)
                .user_agent(concat!("eclusa/", env!("CARGO_PKG_VERSION")))
        })
        .map_err(|error| {
            Fault::new(Code::Internal).with("what", "no HTTP client can be made").because(error)
        })?;
        Ok(Self { client, settings, url, clock })
    }

    /// Scheme, host and port: what may be shown.
    fn target(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    async fn send(&self, body: &[u8]) -> std::result::Result<(), Refusal> {
        let signature = sign(&self.settings.secret, self.clock.now(), body);
        let sent = self
            .client
            .post(self.url.clone())
            .header(CONTENT_TYPE, "application/cloudevents+json; charset=utf-8")
            .header(SIGNATURE_HEADER, signature)
            .body(body.to_vec())
            .send()
            .await;
        match sent {
            Ok(response) if response.status().is_success() => Ok(()),
            Ok(response) => {
                let status = response.status();
                let again = status.is_server_error()
                    || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
                Err(Refusal { why: format!("it answered {status}"), again })
            }
            Err(error) => Err(Refusal { why: client::reason(error), again: true }),
        }
    }

    fn lost(&self) -> Fault {
        Fault::new(Code::NotifyFailed).with("to", self.target())
    }
}

/// The event of a notice. The id is the same each time the same notice is sent, so that a receiver can drop doubles.
fn cloud_event(notice: &Notice) -> serde_json::Value {
    json!({
        "specversion": "1.0",
        "id": format!("{}-{}", notice.run, notice.sequence),
        "source": format!("eclusa/{}", notice.stack),
        "type": format!("dev.eclusa.{}", notice.kind),
        "time": notice.at.to_string(),
        "subject": notice.run.as_str(),
        "datacontenttype": "application/json",
        "data": {
            "stack": notice.stack.as_str(),
            "run": notice.run.as_str(),
            "sequence": notice.sequence,
            "text": notice.text,
            "details": notice.data,
        },
    })
}

#[async_trait]
impl Notifier for Webhook {
    async fn notify(&self, notice: &Notice) -> Result<()> {
        let body = serde_json::to_vec(&cloud_event(notice)).map_err(|error| self.lost().because(error))?;
        let waits = ExponentialBuilder::default()
            .with_min_delay(self.settings.first_wait)
            .with_max_times(self.settings.attempts.saturating_sub(1))
            .with_jitter();
        let tries = (|| self.send(&body)).retry(waits).when(|refusal| refusal.again);
        match tokio::time::timeout(self.settings.total_timeout, tries).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refusal)) => Err(self.lost().because(refusal.why)),
            Err(_) => {
                let seconds = self.settings.total_timeout.as_secs_f32();
                Err(self.lost().because(format!("it was not taken within {seconds} s")))
            }
        }
    }
}
