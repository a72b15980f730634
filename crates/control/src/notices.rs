//! Who is told: the webhooks of a stack, each with the events it wants.

use std::sync::Arc;

use async_trait::async_trait;
use eclusa_config::{Stack, WebhookEvent};
use eclusa_fault::Result;
use eclusa_ports::{Clock, Notice, Notifier, SecretResolver};
use eclusa_probes::{Webhook, WebhookSettings};
use secrecy::SecretString;

struct Wanted {
    webhook: Webhook,
    events: Vec<WebhookEvent>,
}

#[async_trait]
impl Notifier for Wanted {
    async fn notify(&self, notice: &Notice) -> Result<()> {
        if self.events.iter().any(|event| event.word() == notice.kind) {
            self.webhook.notify(notice).await
        } else {
            Ok(())
        }
    }
}

/// The notifiers of a stack.
pub(crate) fn of(
    stack: &Stack,
    secrets: &dyn SecretResolver,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Arc<dyn Notifier>>> {
    let mut notifiers: Vec<Arc<dyn Notifier>> = Vec::new();
    for webhook in &stack.webhooks {
        let url = if webhook.url.is_reference() {
            secrets.resolve(webhook.url.as_str())?
        } else {
            SecretString::from(webhook.url.as_str())
        };
        let secret = match &webhook.secret {
            Some(reference) => secrets.resolve(reference.as_str())?,
            None => SecretString::from(String::new()),
        };
        let sender = Webhook::new(WebhookSettings::new(url, secret), clock.clone())?;
        notifiers.push(Arc::new(Wanted { webhook: sender, events: webhook.events.clone() }));
    }
    Ok(notifiers)
}
