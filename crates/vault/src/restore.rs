//! Restoring a set of files into a directory of its own, and summarising a directory.

use std::fs::{DirBuilder, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use eclusa_ports::{FileEntry, FilesManifest, Meter};
use rustic_core::repofile::{Node, NodeType};
use sha2::{Digest as _, Sha256};

use crate::durable;
use crate::point::{self, Content, Point};
use crate::repository::Places;
use crate::walk::{self, Kind};

fn access(path: &Path, operation: &str, error: impl std::fmt::Display) -> Fault {
    Fault::new(Code::FileAccess).with("path", path.display()).with("operation", operation).because(error)
}

/// Restores a set; when anything is wrong, what was written is removed again.
pub(crate) fn restore(
    places: &Places,
    tenant: &TenantName,
    id: &str,
    set: &str,
    to: &Path,
) -> Result<FilesManifest> {
    let point = point::open(places, tenant, id)?;
    let Some(manifest) = point.manifest.files.get(set).cloned() else {
        return Err(point::unknown(tenant, id).because(format!("it has no set of files {set:?}")));
    };
    let existed = require_empty(to)?;
    eclusa_crash::point("vault.restore.begins");
    let restoring = Restoring { point: &point, tenant, id, manifest: &manifest, to, meter: &places.meter };
    let restored = restoring.run(set, existed);
    if let Err(fault) = restored {
        let _ = clear(to, existed);
        return Err(fault);
    }
    Ok(manifest)
}

/// Whether the directory is there; an error when it is not empty.
fn require_empty(to: &Path) -> Result<bool> {
    match std::fs::read_dir(to) {
        Ok(mut entries) => match entries.next() {
            None => Ok(true),
            Some(_) => Err(access(to, "restored into", "it is not empty")),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(access(to, "restored into", error)),
    }
}

/// Removes what was restored. The directory was empty before, so everything in it is ours.
fn clear(to: &Path, existed: bool) -> io::Result<()> {
    if !existed {
        return std::fs::remove_dir_all(to);
    }
    for entry in std::fs::read_dir(to)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

struct Restoring<'a> {
    point: &'a Point,
    tenant: &'a TenantName,
    id: &'a str,
    manifest: &'a FilesManifest,
    to: &'a Path,
    meter: &'a Meter,
}

impl Restoring<'_> {
    fn damaged(&self, problem: impl std::fmt::Display) -> Fault {
        point::damaged(self.tenant, self.id, problem)
    }

    fn run(&self, set: &str, existed: bool) -> Result<()> {
        let below = Path::new("files").join(set);
        let (nodes, _) =
            point::nodes(&self.point.repository, self.point.tree).map_err(|problem| self.damaged(problem))?;
        let root = nodes.get(&below).filter(|node| node.is_dir());
        let root = root.ok_or_else(|| self.damaged(format!("the set {set} is missing")))?;
        if !existed {
            durable::make_directory(self.to).map_err(|error| access(self.to, "made", error))?;
        }
        // In the order of the paths a directory comes before what is in it.
        let inside = |path: &PathBuf| {
            let relative = path.strip_prefix(&below).ok().filter(|relative| !relative.as_os_str().is_empty());
            relative.map(Path::to_path_buf)
        };
        let mut directories = vec![(self.to.to_path_buf(), root)];
        let mut restored = 0;
        for (relative, node) in nodes.iter().filter_map(|(path, node)| Some((inside(path)?, node))) {
            if !walk::is_confined(&relative) {
                return Err(Fault::new(Code::PathEscapes)
                    .with("path", relative.display())
                    .with("root", self.to.display()));
            }
            let path = self.to.join(&relative);
            match &node.node_type {
                NodeType::Dir => {
                    DirBuilder::new()
                        .mode(0o700)
                        .create(&path)
                        .map_err(|error| access(&path, "made", error))?;
                    directories.push((path, node));
                }
                NodeType::File => {
                    self.restore_file(&relative, &path, node)?;
                    eclusa_crash::point("vault.restore.file");
                    restored += 1;
                }
                NodeType::Symlink { .. } => {
                    restore_link(&path, node).map_err(|error| access(&path, "made", error))?;
                    restored += 1;
                }
                _ => {
                    return Err(self.damaged(format!("{} is neither file nor directory", relative.display())));
                }
            }
        }
        if restored != self.manifest.files.len() + self.manifest.links.len() {
            return Err(
                self.damaged(format!("the set {set} holds {restored} files, not those of the manifest"))
            );
        }
        eclusa_crash::point("vault.restore.files");
        // From the inside out: what is made inside changes a directory's time.
        for (path, node) in directories.iter().rev() {
            finish_directory(path, node).map_err(|error| access(path, "restored", error))?;
        }
        Ok(())
    }

    fn restore_file(&self, relative: &Path, path: &Path, node: &Node) -> Result<()> {
        let text = walk::text_of(relative);
        let Some(expected) = self.manifest.files.get(&text) else {
            return Err(self.damaged(format!("{text} is not in the manifest")));
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| access(path, "made", error))?;
        let mut writing = Ok(());
        let read = Content::of(&self.point.repository, node).and_then(|content| {
            content.read_all(&self.point.repository, &mut |piece| {
                self.meter.pass(piece.len() as u64)?;
                file.write_all(piece).inspect_err(|error| writing = Err(access(path, "written", error)))
            })
        });
        writing?;
        match read {
            Ok((bytes, sha256)) if bytes == expected.bytes && sha256 == expected.sha256 => {}
            Ok(_) => return Err(self.damaged(format!("{text} holds other bytes than when it was taken"))),
            Err(error) => return Err(self.damaged(format!("{text} cannot be read")).because(error)),
        }
        finish(&file, node).map_err(|error| access(path, "restored", error))
    }
}

fn restore_link(path: &Path, node: &Node) -> io::Result<()> {
    std::os::unix::fs::symlink(node.node_type.to_link(), path)?;
    if is_root() {
        std::os::unix::fs::lchown(path, node.meta.uid, node.meta.gid)?;
    }
    Ok(())
}

fn finish_directory(path: &Path, node: &Node) -> io::Result<()> {
    finish(&File::open(path)?, node)
}

/// Owner first: changing it takes the set-user-id bits away.
fn finish(file: &File, node: &Node) -> io::Result<()> {
    if is_root() {
        std::os::unix::fs::fchown(file, node.meta.uid, node.meta.gid)?;
    }
    file.set_permissions(Permissions::from_mode(walk::node_permissions(node)))?;
    if let Some(modified) = node.meta.mtime.map(SystemTime::from) {
        file.set_times(FileTimes::new().set_modified(modified))?;
    }
    if eclusa_crash::left_out("vault.restore.sync") { Ok(()) } else { file.sync_all() }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What a directory holds. What vanishes meanwhile is left out.
pub(crate) fn summarise(directory: &Path) -> Result<FilesManifest> {
    let unreadable = |error: io::Error| access(directory, "read", error);
    let mut summary = FilesManifest::default();
    for entry in walk::walk(directory).map_err(unreadable)? {
        let text = walk::text_of(&entry.relative);
        match entry.kind {
            Kind::Directory => {}
            Kind::Link(target) => {
                summary.links.insert(text, walk::text_of(&target));
            }
            Kind::File => {
                let Some(mut file) = walk::open_file(directory, &entry.relative).map_err(unreadable)? else {
                    continue;
                };
                let mut hash = Sha256::new();
                let bytes = io::copy(&mut file, &mut hash).map_err(unreadable)?;
                let node = walk::node(entry.relative.as_os_str(), &Kind::File, &entry.metadata);
                summary.files.insert(
                    text,
                    FileEntry {
                        bytes,
                        sha256: hex::encode(hash.finalize()),
                        mode: walk::permissions(&entry.metadata),
                        owner: node.meta.uid.unwrap_or_default(),
                        group: node.meta.gid.unwrap_or_default(),
                    },
                );
            }
        }
    }
    Ok(summary)
}
