//! Files and disks, with blocking calls.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use eclusa_ports::DiskRoom;

/// Reads a regular file of at most `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> Result<Vec<u8>> {
    // Without O_NONBLOCK, opening a named pipe that nobody writes would never come back.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(Error::new(ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut content = Vec::new();
    file.take(most.saturating_add(1)).read_to_end(&mut content)?;
    if u64::try_from(content.len()).is_ok_and(|length| length > most) {
        return Err(Error::new(ErrorKind::FileTooLarge, format!("longer than {most} bytes")));
    }
    Ok(content)
}

/// Writes a file so that a crash leaves its old or its new content. A symbolic link stays one: what it points to
/// is written. Owner and group of a file that is there are kept where this user may do so.
pub(crate) fn write_durably(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let directory = parent(&target);
    let mut file = tempfile::Builder::new().prefix(".eclusa-").tempfile_in(&directory)?;
    if let Ok(before) = fs::metadata(&target) {
        let own = file.as_file().metadata()?;
        if (own.uid(), own.gid()) != (before.uid(), before.gid()) {
            // Before the mode is set: a change of owner would clear some of its bits.
            let _ = std::os::unix::fs::fchown(file.as_file(), Some(before.uid()), Some(before.gid()));
        }
    }
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.write_all(content)?;
    if !eclusa_crash::left_out("host.file.sync") {
        file.as_file().sync_all()?;
    }
    file.persist(&target).map_err(|error| error.error)?;
    synchronise(&directory)
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => synchronise(&parent(path)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// The room on the disk of a path, or of its nearest parent that exists.
pub(crate) fn disk(path: &Path) -> Result<DiskRoom> {
    let absolute = std::path::absolute(path)?;
    let nearest = absolute.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("/"));
    let room = rustix::fs::statvfs(nearest)?;
    Ok(DiskRoom {
        total_bytes: room.f_blocks.saturating_mul(room.f_frsize),
        free_bytes: room.f_bavail.saturating_mul(room.f_frsize),
    })
}

fn synchronise(directory: &Path) -> Result<()> {
    if eclusa_crash::left_out("host.directory.sync") { Ok(()) } else { File::open(directory)?.sync_all() }
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
