//! How restored data is made to fit the stack that it comes to.

use serde::{Deserialize, Serialize};

/// What is done with restored data that comes from elsewhere, so that it fits the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Adapt {
    /// It is brought to the release that runs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub migrate: bool,
    /// The key by which stored passwords are read is taken over from the point's configuration.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub encryption_key: bool,
}

impl Adapt {
    /// Whether nothing is done.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}
