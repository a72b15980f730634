//! The stack as it is now, reduced to what decides a plan.

use async_trait::async_trait;
use eclusa_fault::Result;
use eclusa_model::Fingerprint;

/// Looks at the stack again, the same way as when the plan was made.
#[async_trait]
pub trait Observer: Send + Sync {
    /// The fingerprint of what is there now.
    ///
    /// # Errors
    /// When the stack cannot be looked at.
    async fn fingerprint(&self) -> Result<Fingerprint>;
}
