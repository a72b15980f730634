//! Files that survive a power cut: written beside, synchronised, renamed, and the directory synchronised too.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

static NEXT_TEMPORARY: AtomicU64 = AtomicU64::new(0);

pub(crate) use eclusa_durable::synchronise_directory;

/// Makes a directory (and those above it) that only its owner may enter; one that is there is left as it is.
pub(crate) fn make_directory(path: &Path) -> io::Result<()> {
    eclusa_durable::make_directory(path, 0o700)
}

/// Writes a file so that afterwards, and after a crash at any point, it is there entirely or not at all.
/// `beside` is a directory of the same file system for the unfinished file.
pub(crate) fn write_file<'a>(
    path: &Path,
    beside: &Path,
    mode: u32,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> io::Result<()> {
    write_file_checked(path, &unfinished_name(beside), mode, pieces, |_| Ok(()))
}

/// The same with a name for the unfinished file, which only this caller uses: what a killed process left there is known. The
/// file takes its place only when `check` has read it and agrees; otherwise what was there before stays.
pub(crate) fn write_file_checked<'a>(
    path: &Path,
    unfinished: &Path,
    mode: u32,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    check: impl FnOnce(&Path) -> io::Result<()>,
) -> io::Result<()> {
    eclusa_crash::point("vault.file.begins");
    let written = write_pieces(unfinished, mode, pieces)
        .and_then(|()| check(unfinished))
        .and_then(|()| std::fs::rename(unfinished, path));
    if written.is_err() {
        let _ = std::fs::remove_file(unfinished);
    }
    written?;
    eclusa_crash::point("vault.file.renamed");
    match path.parent() {
        Some(_) if eclusa_crash::left_out("vault.directory.sync") => Ok(()),
        Some(parent) => synchronise_directory(parent),
        None => Ok(()),
    }
}

/// Removes a file for good; one that is not there is gone already.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        removed => removed?,
    }
    path.parent().map_or(Ok(()), synchronise_directory)
}

fn unfinished_name(beside: &Path) -> PathBuf {
    let number = NEXT_TEMPORARY.fetch_add(1, Ordering::Relaxed);
    beside.join(format!(".unfinished-{}-{number}", std::process::id()))
}

fn write_pieces<'a>(path: &Path, mode: u32, pieces: impl IntoIterator<Item = &'a [u8]>) -> io::Result<()> {
    // A leftover of a process with the same id that was killed.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    for piece in pieces {
        file.write_all(piece)?;
        eclusa_crash::point("vault.file.piece");
    }
    file.set_permissions(Permissions::from_mode(mode))?;
    if !eclusa_crash::left_out("vault.file.sync") {
        file.sync_all()?;
    }
    eclusa_crash::point("vault.file.synchronised");
    Ok(())
}
