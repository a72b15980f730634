//! L3: HTTP and log samples, and notices to the outside as signed webhooks.

mod answer;
mod client;
mod http;
mod logs;
mod signature;
mod webhook;

pub use http::HttpProbes;
pub use logs::{counts_as_error, error_lines};
pub use signature::{SIGNATURE_HEADER, sign, verify_signature};
pub use webhook::{Webhook, WebhookSettings};
