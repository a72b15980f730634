//! What lies in a directory: regular files, symbolic links and directories, and how their properties look in a
//! restic tree.

use std::ffi::OsStr;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use jiff::Timestamp;
use rustic_core::repofile::{Metadata as NodeMetadata, Node, NodeType};
use rustix::fs::{Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

/// The bits of a mode that `chmod` sets.
const PERMISSIONS: u32 = 0o7777;

// The bits of Go's `os.FileMode`, which restic keeps in its trees.
const GO_DIRECTORY: u32 = 1 << 31;
const GO_SYMLINK: u32 = 1 << 27;
const GO_SETUID: u32 = 1 << 23;
const GO_SETGID: u32 = 1 << 22;
const GO_STICKY: u32 = 1 << 20;

/// What an entry of a directory is.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    File,
    Link(PathBuf),
    Directory,
}

/// An entry of a directory, at any depth.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its path relative to the directory; empty for the directory itself.
    pub(crate) relative: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) metadata: Metadata,
}

/// Walks a directory. What vanishes meanwhile is left out; sockets, pipes and devices are left out with a warning.
pub(crate) fn walk(directory: &Path) -> io::Result<Vec<Entry>> {
    let mut found = Vec::new();
    let metadata = std::fs::metadata(directory)?;
    if !metadata.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotADirectory));
    }
    let walk = walkdir::WalkDir::new(directory).follow_links(false).into_iter();
    // What a swap keeps beside the live files is no part of them.
    let own = |entry: &walkdir::DirEntry| {
        entry.depth() == 1
            && entry.file_name().as_bytes().starts_with(eclusa_ports::OWN_FILES_PREFIX.as_bytes())
    };
    for entry in walk.filter_entry(|entry| !own(entry)) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) if error.depth() > 0 && is_vanished(error.io_error()) => continue,
            Err(error) => return Err(io::Error::from(error)),
        };
        let relative = entry.path().strip_prefix(directory).map_err(io::Error::other)?.to_path_buf();
        if entry.depth() == 0 {
            found.push(Entry { relative, kind: Kind::Directory, metadata: metadata.clone() });
            continue;
        }
        let described =
            std::fs::symlink_metadata(entry.path()).and_then(|metadata| describe(entry.path(), metadata));
        match described {
            Ok(Some((kind, metadata))) => found.push(Entry { relative, kind, metadata }),
            Ok(None) => {
                tracing::warn!(path = %entry.path().display(), "left out: neither a file nor a directory nor a link")
            }
            Err(error) if is_vanished(Some(&error)) => {}
            Err(error) => return Err(naming(entry.path(), &error)),
        }
    }
    Ok(found)
}

fn describe(path: &Path, metadata: Metadata) -> io::Result<Option<(Kind, Metadata)>> {
    let kind = metadata.file_type();
    Ok(if kind.is_file() {
        Some((Kind::File, metadata))
    } else if kind.is_dir() {
        Some((Kind::Directory, metadata))
    } else if kind.is_symlink() {
        Some((Kind::Link(std::fs::read_link(path)?), metadata))
    } else {
        None
    })
}

fn is_vanished(error: Option<&io::Error>) -> bool {
    error.is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// The same error with the path it is about.
pub(crate) fn naming(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Opens a regular file below a directory. No link that took the place of the file or of a directory above it is
/// followed: whoever may write there must not choose which file of the host is read. A pipe that took its place is
/// not waited for. `None` when the file is gone.
pub(crate) fn open_file(directory: &Path, relative: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let root = File::open(directory).map_err(|error| naming(directory, &error))?;
    let confined = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let opened = loop {
        match rustix::fs::openat2(&root, relative, flags, Mode::empty(), confined) {
            // Something was renamed while the kernel looked.
            Err(Errno::AGAIN | Errno::INTR) => {}
            opened => break opened,
        }
    };
    let file = match opened {
        Ok(file) => File::from(file),
        Err(Errno::NOENT | Errno::LOOP | Errno::XDEV | Errno::NOTDIR | Errno::NXIO) => return Ok(None),
        Err(error) => return Err(naming(&directory.join(relative), &error.into())),
    };
    Ok(file.metadata()?.is_file().then_some(file))
}

/// A relative path as text: `\` becomes `\\` and a byte that is no UTF-8 `\xHH`, so that different paths stay
/// different.
pub(crate) fn text_of(path: &Path) -> String {
    let mut text = String::new();
    for piece in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(&piece.valid().replace('\\', "\\\\"));
        for byte in piece.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// Whether a path is relative and goes nowhere but down.
pub(crate) fn is_confined(path: &Path) -> bool {
    let text = path.as_os_str().as_bytes();
    !text.is_empty()
        && !text.contains(&0)
        && path.components().all(|component| matches!(component, Component::Normal(_)))
        // `components` passes over `a/./b`, `a//b` and `a/`.
        && text.split(|byte| *byte == b'/').all(|name| !name.is_empty() && name != b".")
}

/// Whether a name is one component of a path and goes nowhere but down.
pub(crate) fn is_name(name: &OsStr) -> bool {
    is_confined(Path::new(name)) && !name.as_bytes().contains(&b'/')
}

/// The permission bits, as `chmod` takes them.
pub(crate) fn permissions(metadata: &Metadata) -> u32 {
    metadata.mode() & PERMISSIONS
}

/// The node of an entry in a restic tree.
pub(crate) fn node(name: &OsStr, kind: &Kind, metadata: &Metadata) -> Node {
    let (node_type, bits, size) = match kind {
        Kind::File => (NodeType::File, 0, metadata.len()),
        Kind::Directory => (NodeType::Dir, GO_DIRECTORY, 0),
        Kind::Link(target) => (NodeType::from_link(target), GO_SYMLINK, 0),
    };
    let nanoseconds = i32::try_from(metadata.mtime_nsec()).unwrap_or_default();
    let properties = NodeMetadata {
        mode: Some(go_mode(metadata.mode()) | bits),
        mtime: Timestamp::new(metadata.mtime(), nanoseconds).ok(),
        uid: Some(metadata.uid()),
        gid: Some(metadata.gid()),
        size,
        ..NodeMetadata::default()
    };
    Node::new_node(name, node_type, properties)
}

/// The node of a stream, or of a directory that is only in the point.
pub(crate) fn made_node(name: &OsStr, node_type: NodeType, at: Timestamp, size: u64) -> Node {
    let mode = if node_type == NodeType::Dir { GO_DIRECTORY | 0o700 } else { 0o600 };
    let properties = NodeMetadata { mode: Some(mode), mtime: Some(at), size, ..NodeMetadata::default() };
    Node::new_node(name, node_type, properties)
}

fn go_mode(mode: u32) -> u32 {
    let special = [(0o4000, GO_SETUID), (0o2000, GO_SETGID), (0o1000, GO_STICKY)];
    special.iter().filter(|(bit, _)| mode & bit != 0).fold(mode & 0o777, |go, (_, bit)| go | bit)
}

/// The permission bits of a node, as `chmod` takes them.
pub(crate) fn node_permissions(node: &Node) -> u32 {
    let go = node.meta.mode.unwrap_or(0o600);
    let special = [(0o4000, GO_SETUID), (0o2000, GO_SETGID), (0o1000, GO_STICKY)];
    special.iter().filter(|(_, bit)| go & bit != 0).fold(go & 0o777, |mode, (bit, _)| mode | bit)
}
