//! What every swap of directories must do.

use std::path::Path;

use eclusa_ports::{FilesSwap, SwapState, beside_directory};

/// How a directory is written and read, by file name.
pub trait Directory: Sync {
    /// Puts a file there; the directory is made.
    fn put(&self, directory: &Path, name: &str, content: &str);
    /// The files, without Eclusa's own directories.
    fn content(&self, directory: &Path) -> Vec<(String, String)>;
}

/// Swap in and back, twice each; drops.
pub async fn files(swap: &dyn FilesSwap, live: &Path, directory: &dyn Directory) {
    directory.put(live, "same", "old");
    directory.put(live, "old-only", "old");
    let old = directory.content(live);
    assert_eq!(swap.state(live, "c").await.unwrap(), SwapState::Nothing);
    assert!(swap.swap_in(live, "c").await.is_err(), "nothing lies beside that could be swapped in");
    swap.swap_back(live, "c").await.unwrap();
    assert_eq!(directory.content(live), old);
    let beside = beside_directory(live, "c");
    directory.put(&beside, "same", "new");
    directory.put(&beside, "new-only", "new");
    let new = directory.content(&beside);
    assert_eq!(swap.state(live, "c").await.unwrap(), SwapState::Beside);
    assert_eq!(swap.state(live, "other").await.unwrap(), SwapState::Nothing, "suffixes are apart");
    for _ in 0..2 {
        swap.swap_in(live, "c").await.unwrap();
        assert_eq!(swap.state(live, "c").await.unwrap(), SwapState::SwappedIn);
        assert_eq!(directory.content(live), new);
    }
    for _ in 0..2 {
        swap.swap_back(live, "c").await.unwrap();
        assert_eq!(swap.state(live, "c").await.unwrap(), SwapState::Beside);
        assert_eq!(directory.content(live), old);
    }
    swap.swap_in(live, "c").await.unwrap();
    for _ in 0..2 {
        swap.drop_kept(live, "c").await.unwrap();
        swap.drop_beside(live, "c").await.unwrap();
        assert_eq!(swap.state(live, "c").await.unwrap(), SwapState::Nothing);
    }
    assert_eq!(directory.content(live), new);
}
