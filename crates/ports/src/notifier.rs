//! Words to people and programs outside: a run starts, asks, gives its verdict, ends.

use async_trait::async_trait;
use eclusa_fault::Result;
use eclusa_model::{RunId, StackName};
use jiff::Timestamp;
use serde::Serialize;

/// What is told.
#[derive(Debug, Clone, Serialize)]
pub struct Notice {
    /// The kind: `run.started`, `run.asks`, `run.verdict`, `run.ended`.
    pub kind: &'static str,
    /// The stack.
    pub stack: StackName,
    /// The run.
    pub run: RunId,
    /// When it happened.
    pub at: Timestamp,
    /// A number that is the same when the same notice is sent again (the journal's sequence number).
    pub sequence: u64,
    /// What happened, in the configured language. No secret is ever in it.
    pub text: String,
    /// The same for programs.
    pub data: serde_json::Value,
}

/// Delivers notices.
#[async_trait]
pub trait Notifier: Send + Sync {
    /// Delivers one, with its own retries. A failure never stops a run; it is journaled.
    ///
    /// # Errors
    /// `NotifyFailed`.
    async fn notify(&self, notice: &Notice) -> Result<()>;
}
