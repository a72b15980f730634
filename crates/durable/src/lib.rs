//! L1: directories whose names survive a loss of power.
//!
//! What is made has a name in the directory above it, and that name is on the disk only when *that* directory was
//! synchronised: a file that was written and synchronised with all care is gone when the directory it lies in was
//! just made and nobody synchronised the one above.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Makes a directory, and those above it that are missing, with this mode (less the process's mask), and makes the
/// name of each durable. One that is there is left as it is.
///
/// # Errors
/// When one cannot be made, or the directory above it cannot be synchronised.
pub fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    if path.as_os_str().is_empty() || path.is_dir() {
        return Ok(());
    }
    let parent = parent_of(path);
    make_directory(parent, mode)?;
    match DirBuilder::new().mode(mode).create(path) {
        // Another process was faster; it may not have come to synchronise the name yet.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        other => other?,
    }
    if eclusa_crash::left_out("durable.made.sync") {
        return Ok(());
    }
    synchronise_directory(parent)
}

/// Makes the names in a directory durable.
///
/// # Errors
/// When it cannot be opened or synchronised.
pub fn synchronise_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The directory in which a path's last name stands.
#[must_use]
pub fn parent_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn those_above_are_made_too_and_none_is_touched_that_is_there() {
        let base = tempfile::tempdir().unwrap();
        let deep = base.path().join("a/b/c");
        make_directory(&deep, 0o700).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&deep), mode(&base.path().join("a"))), (0o700, 0o700));
        std::fs::set_permissions(&deep, std::fs::Permissions::from_mode(0o750)).unwrap();
        make_directory(&deep, 0o700).unwrap();
        assert_eq!(mode(&deep), 0o750);
    }

    #[test]
    fn a_file_in_the_way_is_an_error() {
        let base = tempfile::tempdir().unwrap();
        std::fs::write(base.path().join("a"), "").unwrap();
        assert!(make_directory(&base.path().join("a"), 0o700).is_err());
        assert!(make_directory(&base.path().join("a/b"), 0o700).is_err());
    }

    #[test]
    fn a_bare_name_stands_in_the_working_directory() {
        assert_eq!(parent_of(Path::new("name")), Path::new("."));
        assert_eq!(parent_of(Path::new("a/name")), Path::new("a"));
    }
}
