//! Time and randomness, injected so that the same input gives the same plan.

use jiff::Timestamp;

/// Tells the time and makes ids.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// A few random lower-case letters and digits, for ids.
    fn random_text(&self, length: usize) -> String;
}
