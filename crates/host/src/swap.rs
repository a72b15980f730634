//! Swapping the content of a directory that may itself be a mount: entries are moved one by one, and which of the
//! hidden directories exist says where everything is, whichever way a swap was going when it was cut off:
//!
//! | there are | live entries | it means |
//! |---|---|---|
//! | `…-new` | all old ones | restored beside |
//! | `…-new`, `…-old.part` | some old ones; the others are in `…-old.part` | halfway |
//! | `…-new`, `…-old` | none | halfway |
//! | `…-new.part`, `…-old` | some restored ones; the others are in `…-new.part` | halfway |
//! | `…-old` | all restored ones | swapped in |
//!
//! A directory without `.part` holds everything of its kind, and nothing but that. Going in walks down the table, going
//! back walks up, and either can begin at any line. Each line is durable before the next one is begun. What is let go is
//! renamed to `….dropped` first, so that it is there whole or not at all.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::{FilesSwap, OWN_FILES_PREFIX, SwapState, beside_directory, kept_directory};

/// Swaps of directories of this host.
pub struct LocalFilesSwap;

fn named(directory: &Path, ending: &str) -> PathBuf {
    let mut name = directory.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn part(directory: &Path) -> PathBuf {
    named(directory, ".part")
}

fn is_own(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(OWN_FILES_PREFIX.as_bytes())
}

/// Moves every entry of `from` that is not Eclusa's own into `to`, and makes that durable.
fn move_entries(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if !is_own(&entry.file_name()) {
            fs::rename(entry.path(), to.join(entry.file_name()))?;
            eclusa_crash::point("files.swap.moved");
        }
    }
    if eclusa_crash::left_out("swap.moved.sync") {
        return Ok(());
    }
    sync(to)?;
    eclusa_crash::point("files.swap.collected");
    sync(from)
}

fn sync(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

/// Makes the names of the hidden directories durable.
fn sync_names(live: &Path) -> io::Result<()> {
    if eclusa_crash::left_out("swap.names.sync") { Ok(()) } else { sync(live) }
}

/// A directory that only its owner may enter, so that what lies in it is not served. It has the owner of the live one:
/// the application's own tools, such as `bench backup --with-files`, read all that lies there and fail at what they may not.
fn make_private(live: &Path, directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
    match fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        other => other?,
    }
    let (live, own) = (fs::metadata(live)?, fs::metadata(directory)?);
    if (live.uid(), live.gid()) != (own.uid(), own.gid()) && rustix::process::geteuid().is_root() {
        chown(directory, Some(live.uid()), Some(live.gid()))?;
    }
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
}

fn state(live: &Path, suffix: &str) -> SwapState {
    let (new, old) = (beside_directory(live, suffix), kept_directory(live, suffix));
    if part(&old).exists() || part(&new).exists() || (new.exists() && old.exists()) {
        SwapState::Halfway
    } else if old.exists() {
        SwapState::SwappedIn
    } else if new.exists() {
        SwapState::Beside
    } else {
        SwapState::Nothing
    }
}

/// Collects the live entries in `keep`, then moves those of `bring` up. It begins at any line of the table.
fn exchange(live: &Path, keep: &Path, bring: &Path) -> io::Result<()> {
    if !keep.exists() {
        let collecting = part(keep);
        make_private(live, &collecting)?;
        sync_names(live)?;
        eclusa_crash::point("files.swap.begins");
        move_entries(live, &collecting)?;
        fs::rename(&collecting, keep)?;
        eclusa_crash::point("files.swap.kept");
        sync_names(live)?;
    }
    let bringing = part(bring);
    if bring.exists() {
        fs::rename(bring, &bringing)?;
        sync_names(live)?;
    }
    if bringing.exists() {
        move_entries(&bringing, live)?;
        eclusa_crash::point("files.swap.brought");
        fs::remove_dir(&bringing)?;
        eclusa_crash::point("files.swap.emptied");
        sync_names(live)?;
    }
    Ok(())
}

/// Lets a directory go. While a swap is halfway, everything is still needed.
fn drop_directory(live: &Path, suffix: &str, directory: &Path) -> io::Result<()> {
    let dropped = named(directory, ".dropped");
    remove(&dropped)?;
    if directory.exists() {
        if state(live, suffix) == SwapState::Halfway {
            return Err(io::Error::other("a swap is halfway, and needs what it would let go"));
        }
        fs::rename(directory, &dropped)?;
        sync_names(live)?;
        remove(&dropped)?;
        eclusa_crash::point("files.removed");
    }
    sync_names(live)
}

fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

async fn blocking<T: Send + 'static>(
    path: &Path,
    operation: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    let path = path.display().to_string();
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?
        .map_err(|error| {
            Fault::new(Code::FileAccess).with("path", path).with("operation", operation).because(error)
        })
}

#[async_trait]
impl FilesSwap for LocalFilesSwap {
    async fn state(&self, live: &Path, suffix: &str) -> Result<SwapState> {
        let (directory, suffix) = (live.to_owned(), suffix.to_owned());
        blocking(live, "read", move || Ok(state(&directory, &suffix))).await
    }

    async fn swap_in(&self, live: &Path, suffix: &str) -> Result<()> {
        let (directory, name) = (live.to_owned(), suffix.to_owned());
        if state(live, suffix) == SwapState::Nothing {
            return Err(Fault::new(Code::SwapFailed)
                .with("tenant", live.display())
                .because("nothing lies beside that could be swapped in"));
        }
        if state(live, suffix) == SwapState::SwappedIn {
            return Ok(());
        }
        let (new, old) = (beside_directory(&directory, &name), kept_directory(&directory, &name));
        blocking(live, "swapped", move || exchange(&directory, &old, &new)).await
    }

    async fn swap_back(&self, live: &Path, suffix: &str) -> Result<()> {
        let (directory, name) = (live.to_owned(), suffix.to_owned());
        if matches!(state(live, suffix), SwapState::Nothing | SwapState::Beside) {
            return Ok(());
        }
        let (new, old) = (beside_directory(&directory, &name), kept_directory(&directory, &name));
        blocking(live, "swapped", move || exchange(&directory, &new, &old)).await
    }

    async fn drop_beside(&self, live: &Path, suffix: &str) -> Result<()> {
        let (directory, name) = (live.to_owned(), suffix.to_owned());
        let beside = beside_directory(live, suffix);
        blocking(live, "removed", move || drop_directory(&directory, &name, &beside)).await
    }

    async fn drop_kept(&self, live: &Path, suffix: &str) -> Result<()> {
        let (directory, name) = (live.to_owned(), suffix.to_owned());
        let kept = kept_directory(live, suffix);
        blocking(live, "removed", move || drop_directory(&directory, &name, &kept)).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| !name.starts_with(OWN_FILES_PREFIX))
            .collect();
        names.sort();
        names
    }

    fn prepared() -> tempfile::TempDir {
        let live = tempfile::tempdir().unwrap();
        for name in ["a", "b", "same"] {
            fs::write(live.path().join(name), "old").unwrap();
        }
        let new = beside_directory(live.path(), "x");
        make_private(live.path(), &new).unwrap();
        for name in ["c", "same"] {
            fs::write(new.join(name), "new").unwrap();
        }
        live
    }

    #[tokio::test]
    async fn a_swap_goes_in_and_back() {
        let live = prepared();
        let swap = LocalFilesSwap;
        assert_eq!(swap.state(live.path(), "x").await.unwrap(), SwapState::Beside);
        swap.swap_in(live.path(), "x").await.unwrap();
        swap.swap_in(live.path(), "x").await.unwrap();
        assert_eq!(names(live.path()), ["c", "same"]);
        assert_eq!(fs::read_to_string(live.path().join("same")).unwrap(), "new");
        assert_eq!(swap.state(live.path(), "x").await.unwrap(), SwapState::SwappedIn);
        swap.swap_back(live.path(), "x").await.unwrap();
        assert_eq!(names(live.path()), ["a", "b", "same"]);
        assert_eq!(fs::read_to_string(live.path().join("same")).unwrap(), "old");
        assert_eq!(swap.state(live.path(), "x").await.unwrap(), SwapState::Beside);
        swap.drop_beside(live.path(), "x").await.unwrap();
        assert_eq!(swap.state(live.path(), "x").await.unwrap(), SwapState::Nothing);
    }

    #[tokio::test]
    async fn a_swap_that_was_cut_off_anywhere_is_finished() {
        for moved in 0..=3 {
            let live = prepared();
            let old = part(&kept_directory(live.path(), "x"));
            make_private(live.path(), &old).unwrap();
            for name in ["a", "b", "same"].iter().take(moved) {
                fs::rename(live.path().join(name), old.join(name)).unwrap();
            }
            assert_eq!(state(live.path(), "x"), SwapState::Halfway);
            LocalFilesSwap.swap_in(live.path(), "x").await.unwrap();
            assert_eq!(names(live.path()), ["c", "same"], "cut off after {moved} live entries");
            LocalFilesSwap.swap_back(live.path(), "x").await.unwrap();
            assert_eq!(names(live.path()), ["a", "b", "same"]);
        }
        for moved in 0..=2 {
            let live = swapped_until(moved);
            assert_eq!(state(live.path(), "x"), SwapState::Halfway);
            LocalFilesSwap.swap_back(live.path(), "x").await.unwrap();
            assert_eq!(names(live.path()), ["a", "b", "same"], "taken back after {moved} restored entries");
            assert_eq!(names(&beside_directory(live.path(), "x")), ["c", "same"]);
            let live = swapped_until(moved);
            LocalFilesSwap.swap_in(live.path(), "x").await.unwrap();
            assert_eq!(names(live.path()), ["c", "same"], "finished after {moved} restored entries");
            assert_eq!(names(&kept_directory(live.path(), "x")), ["a", "b", "same"]);
        }
    }

    /// A swap that was cut off when so many restored entries were live.
    fn swapped_until(moved: usize) -> tempfile::TempDir {
        let live = prepared();
        let (old, new) = (kept_directory(live.path(), "x"), beside_directory(live.path(), "x"));
        make_private(live.path(), &old).unwrap();
        move_entries(live.path(), &old).unwrap();
        fs::rename(&new, part(&new)).unwrap();
        for name in ["c", "same"].iter().take(moved) {
            fs::rename(part(&new).join(name), live.path().join(name)).unwrap();
        }
        live
    }

    #[tokio::test]
    async fn going_back_is_finished_wherever_it_was_cut_off() {
        for moved in 0..=3 {
            let live = prepared();
            LocalFilesSwap.swap_in(live.path(), "x").await.unwrap();
            let (old, new) = (kept_directory(live.path(), "x"), beside_directory(live.path(), "x"));
            make_private(live.path(), &new).unwrap();
            move_entries(live.path(), &new).unwrap();
            fs::rename(&old, part(&old)).unwrap();
            for name in ["a", "b", "same"].iter().take(moved) {
                fs::rename(part(&old).join(name), live.path().join(name)).unwrap();
            }
            LocalFilesSwap.swap_back(live.path(), "x").await.unwrap();
            assert_eq!(names(live.path()), ["a", "b", "same"], "cut off after {moved} old entries");
            assert_eq!(fs::read_to_string(live.path().join("same")).unwrap(), "old");
            assert_eq!(fs::read_to_string(new.join("same")).unwrap(), "new");
        }
    }

    #[tokio::test]
    async fn nothing_is_let_go_halfway() {
        let live = swapped_until(1);
        assert!(LocalFilesSwap.drop_kept(live.path(), "x").await.is_err());
        LocalFilesSwap.swap_back(live.path(), "x").await.unwrap();
        assert_eq!(names(live.path()), ["a", "b", "same"]);
    }

    #[test]
    fn what_lies_beside_is_nobody_elses() {
        use std::os::unix::fs::PermissionsExt;
        let live = prepared();
        let mode = fs::metadata(beside_directory(live.path(), "x")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }

    #[tokio::test]
    async fn what_is_kept_belongs_to_whom_the_live_directory_does() {
        use std::os::unix::fs::{MetadataExt, chown};
        assert!(rustix::process::geteuid().is_root(), "only root restores what is another's");
        let live = prepared();
        chown(live.path(), Some(1000), Some(1001)).unwrap();
        let owner = |path: &Path| {
            let found = fs::metadata(path).unwrap();
            (found.uid(), found.gid(), found.mode() & 0o777)
        };
        LocalFilesSwap.swap_in(live.path(), "x").await.unwrap();
        assert_eq!(owner(&kept_directory(live.path(), "x")), (1000, 1001, 0o700));
        LocalFilesSwap.swap_back(live.path(), "x").await.unwrap();
        assert_eq!(owner(&beside_directory(live.path(), "x")), (1000, 1001, 0o700));
    }
}
