//! Swapping the content of a directory with one that was restored inside it. The directory itself may be a mount,
//! so it is never renamed: the copies lie in hidden directories in it, which only their owner may enter.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use eclusa_fault::Result;

use crate::SwapState;

/// The beginning of the names of Eclusa's own directories inside a directory of files.
pub const OWN_FILES_PREFIX: &str = ".eclusa-";

/// Where a set of files is restored to, inside its live directory.
#[must_use]
pub fn beside_directory(live: &Path, suffix: &str) -> PathBuf {
    live.join(format!("{OWN_FILES_PREFIX}{suffix}-new"))
}

/// Where a swap keeps the old files, inside the live directory.
#[must_use]
pub fn kept_directory(live: &Path, suffix: &str) -> PathBuf {
    live.join(format!("{OWN_FILES_PREFIX}{suffix}-old"))
}

/// Swaps of directory contents. Every call finishes what a crash interrupted.
#[async_trait]
pub trait FilesSwap: Send + Sync {
    /// Where a swap stands.
    ///
    /// # Errors
    /// `FileAccess`.
    async fn state(&self, live: &Path, suffix: &str) -> Result<SwapState>;

    /// Moves the live entries into the kept directory and those restored beside up. Idempotent.
    ///
    /// # Errors
    /// `SwapFailed`, `FileAccess`.
    async fn swap_in(&self, live: &Path, suffix: &str) -> Result<()>;

    /// Moves the restored entries beside again and the kept ones up. Idempotent.
    ///
    /// # Errors
    /// `SwapFailed`, `FileAccess`.
    async fn swap_back(&self, live: &Path, suffix: &str) -> Result<()>;

    /// Removes what lies beside. Idempotent.
    ///
    /// # Errors
    /// `FileAccess`.
    async fn drop_beside(&self, live: &Path, suffix: &str) -> Result<()>;

    /// Removes what a swap kept. Idempotent.
    ///
    /// # Errors
    /// `FileAccess`.
    async fn drop_kept(&self, live: &Path, suffix: &str) -> Result<()>;
}
