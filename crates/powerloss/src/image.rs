//! What lies on a disk, between two times of having power.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::operation::{Attributes, Content, Node, NodeNumber, ROOT, Tree};

/// The content of a disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub(crate) tree: Tree,
}

impl Image {
    /// A disk with nothing on it.
    #[must_use]
    pub fn empty() -> Self {
        let attributes = Attributes {
            mode: 0o755,
            owner: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
            modified: std::time::SystemTime::UNIX_EPOCH,
        };
        let root = Node { attributes, content: Content::Directory(BTreeMap::new()) };
        Self { tree: Tree::from([(ROOT, root)]) }
    }

    /// What lies in a directory now.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let mut image = Self::empty();
        let mut next = ROOT + 1;
        read_directory(directory, ROOT, &mut image.tree, &mut next)?;
        Ok(image)
    }

    /// Puts it into an empty directory of another filesystem.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn write_to(&self, directory: &Path) -> io::Result<()> {
        let mut written = BTreeMap::new();
        self.write_directory(ROOT, directory, &mut written)
    }

    fn write_directory(
        &self,
        number: NodeNumber,
        to: &Path,
        written: &mut BTreeMap<NodeNumber, PathBuf>,
    ) -> io::Result<()> {
        let Some(Node { content: Content::Directory(names), .. }) = self.tree.get(&number) else {
            return Ok(());
        };
        for (name, number) in names {
            let path = to.join(name);
            let Some(node) = self.tree.get(number) else { continue };
            match &node.content {
                Content::Directory(_) => {
                    fs::DirBuilder::new().mode(node.attributes.mode).create(&path)?;
                    self.write_directory(*number, &path, written)?;
                    describe(&path, &node.attributes)?;
                }
                Content::Link(target) => std::os::unix::fs::symlink(target, &path)?,
                Content::File(bytes) => {
                    if let Some(first) = written.get(number) {
                        fs::hard_link(first, &path)?;
                        continue;
                    }
                    let mode = node.attributes.mode;
                    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
                    file.write_all(bytes)?;
                    describe(&path, &node.attributes)?;
                    written.insert(*number, path);
                }
            }
        }
        Ok(())
    }

    /// The bytes of every file by its path from the root.
    #[must_use]
    pub fn files(&self) -> BTreeMap<PathBuf, &[u8]> {
        let mut found = BTreeMap::new();
        let mut waiting = vec![(ROOT, PathBuf::new())];
        while let Some((number, path)) = waiting.pop() {
            match self.tree.get(&number).map(|node| &node.content) {
                Some(Content::Directory(names)) => {
                    waiting.extend(names.iter().map(|(name, number)| (*number, path.join(name))));
                }
                Some(Content::File(bytes)) => drop(found.insert(path, bytes.as_slice())),
                _ => {}
            }
        }
        found
    }

    /// Every file's path and length, for a person who looks for what went wrong.
    #[must_use]
    pub fn listing(&self) -> String {
        let mut lines = Vec::new();
        self.list(ROOT, Path::new(""), &mut lines);
        lines.join("\n")
    }

    fn list(&self, number: NodeNumber, at: &Path, lines: &mut Vec<String>) {
        let Some(Node { content: Content::Directory(names), .. }) = self.tree.get(&number) else { return };
        for (name, number) in names {
            let path = at.join(name);
            match self.tree.get(number).map(|node| &node.content) {
                Some(Content::Directory(names)) if names.is_empty() => {
                    // The 256 directories of a repository's packs say nothing while they are empty.
                    if at.file_name().is_none_or(|name| name != "data") {
                        lines.push(format!("    {}/ (empty)", path.display()));
                    }
                }
                Some(Content::Directory(_)) => self.list(*number, &path, lines),
                Some(Content::Link(target)) => {
                    lines.push(format!("    {} -> {}", path.display(), target.display()));
                }
                Some(Content::File(bytes)) => {
                    lines.push(format!("    {} ({} bytes, node {number})", path.display(), bytes.len()));
                }
                None => lines.push(format!("    {} (nothing)", path.display())),
            }
        }
    }
}

fn describe(path: &Path, attributes: &Attributes) -> io::Result<()> {
    let now = fs::metadata(path)?;
    if (now.uid(), now.gid()) != (attributes.owner, attributes.group) {
        std::os::unix::fs::chown(path, Some(attributes.owner), Some(attributes.group))?;
    }
    if now.mode() & 0o7777 != attributes.mode {
        fs::set_permissions(path, Permissions::from_mode(attributes.mode))?;
    }
    Ok(())
}

fn read_directory(
    directory: &Path,
    number: NodeNumber,
    tree: &mut Tree,
    next: &mut NodeNumber,
) -> io::Result<()> {
    let mut entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, metadata) = (entry.path(), entry.metadata()?);
        let own = *next;
        *next += 1;
        let attributes = Attributes {
            mode: metadata.mode() & 0o7777,
            owner: metadata.uid(),
            group: metadata.gid(),
            modified: metadata.modified()?,
        };
        let kind = metadata.file_type();
        let content = if kind.is_dir() {
            Content::Directory(BTreeMap::new())
        } else if kind.is_symlink() {
            Content::Link(fs::read_link(&path)?.into_os_string())
        } else {
            Content::File(fs::read(&path)?)
        };
        tree.insert(own, Node { attributes, content });
        if let Some(Node { content: Content::Directory(names), .. }) = tree.get_mut(&number) {
            names.insert(entry.file_name(), own);
        }
        if kind.is_dir() {
            read_directory(&path, own, tree, next)?;
        }
    }
    Ok(())
}
