//! Swaps of directories that are in memory.

use std::path::Path;

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::{FilesSwap, SwapState, beside_directory, kept_directory};

use crate::{State, World};

/// Directories of a world.
pub struct FakeFiles(pub World);

fn standing(state: &State, live: &Path, suffix: &str) -> SwapState {
    let there = |path| state.directories.contains_key(&path);
    match (there(beside_directory(live, suffix)), there(kept_directory(live, suffix))) {
        (false, false) => SwapState::Nothing,
        (true, false) => SwapState::Beside,
        (false, true) => SwapState::SwappedIn,
        (true, true) => SwapState::Halfway,
    }
}

fn name(verb: &str, live: &Path) -> String {
    let tenant = live.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned();
    format!("files.{verb}.{tenant}")
}

/// Puts the live entries where `keep` says, where nothing lies yet.
fn collect(state: &mut State, live: &Path, from: SwapState, begun: SwapState, keep: &Path) -> Result<()> {
    if state.writers() {
        state.violated(format!("{} is swapped while services run", live.display()));
    }
    if from == begun {
        let entries = state.directories.get(live).cloned().unwrap_or_default();
        state.directories.insert(keep.to_owned(), entries);
    }
    Ok(())
}

fn bring(state: &mut State, live: &Path, up: &Path) {
    if let Some(entries) = state.directories.remove(up) {
        state.directories.insert(live.to_owned(), entries);
    }
}

#[async_trait]
impl FilesSwap for FakeFiles {
    async fn state(&self, live: &Path, suffix: &str) -> Result<SwapState> {
        self.0.step(name("state", live), |state| Ok(standing(state, live, suffix))).await
    }

    async fn swap_in(&self, live: &Path, suffix: &str) -> Result<()> {
        let (beside, kept) = (beside_directory(live, suffix), kept_directory(live, suffix));
        self.0
            .parts(
                name("swap-in", live),
                |state| match standing(state, live, suffix) {
                    SwapState::Nothing => Err(Fault::new(Code::SwapFailed).with("tenant", live.display())),
                    other => collect(state, live, other, SwapState::Beside, &kept),
                },
                |state| {
                    bring(state, live, &beside);
                    Ok(())
                },
            )
            .await
    }

    async fn swap_back(&self, live: &Path, suffix: &str) -> Result<()> {
        let (beside, kept) = (beside_directory(live, suffix), kept_directory(live, suffix));
        self.0
            .parts(
                name("swap-back", live),
                |state| {
                    let now = standing(state, live, suffix);
                    collect(state, live, now, SwapState::SwappedIn, &beside)
                },
                |state| {
                    bring(state, live, &kept);
                    Ok(())
                },
            )
            .await
    }

    async fn drop_beside(&self, live: &Path, suffix: &str) -> Result<()> {
        let path = beside_directory(live, suffix);
        self.0
            .step(name("drop-beside", live), |state| {
                state.directories.remove(&path);
                Ok(())
            })
            .await
    }

    async fn drop_kept(&self, live: &Path, suffix: &str) -> Result<()> {
        let path = kept_directory(live, suffix);
        self.0
            .step(name("drop-kept", live), |state| {
                state.directories.remove(&path);
                Ok(())
            })
            .await
    }
}
