//! L3: HTTP samples, and notices to the outside as signed webhooks.

mod answer;
mod client;
mod http;
mod signature;
mod webhook;

pub use http::HttpProbes;
pub use signature::{SIGNATURE_HEADER, sign, verify_signature};
pub use webhook::{Webhook, WebhookSettings};
