//! The confined reader: the files below one directory, and nothing else. Links that lead out are not followed, what is
//! no plain file is not opened, and what is too large is not read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::library::Tree;

/// The largest file that is read, in bytes. A Compose file or script of this size is none.
const LARGEST: u64 = 1 << 20;
/// The most paths that are listed.
const MOST_PATHS: usize = 50_000;
/// How deep directories are followed.
const DEEPEST: usize = 24;
/// Directories that hold nothing that a person wrote for this deployment.
const SKIPPED: [&str; 17] = [
    ".git",
    "node_modules",
    "target",
    "venv",
    ".venv",
    "__pycache__",
    ".tox",
    ".mypy_cache",
    ".pytest_cache",
    "dist",
    ".terraform",
    ".idea",
    ".next",
    ".cache",
    "site-packages",
    "vendor",
    "bower_components",
];

/// A directory.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    paths: Vec<String>,
    tracked: Option<BTreeSet<String>>,
    real: BTreeMap<String, PathBuf>,
}

impl Folder {
    /// Lists a directory. Only names are read.
    ///
    /// # Errors
    /// When it is not there, no directory, or may not be read.
    pub fn open(root: &Path) -> std::io::Result<Self> {
        let root = root.canonicalize()?;
        fs::read_dir(&root)?;
        let mut real = BTreeMap::new();
        let mut directories = vec![(root.clone(), String::new(), 0)];
        while let Some((directory, prefix, depth)) = directories.pop() {
            let Ok(entries) = fs::read_dir(&directory) else { continue };
            for entry in entries.flatten() {
                let Ok(name) = entry.file_name().into_string() else { continue };
                let Ok(kind) = entry.file_type() else { continue };
                let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
                if kind.is_dir() {
                    if depth < DEEPEST && !SKIPPED.contains(&name.as_str()) {
                        directories.push((entry.path(), path, depth + 1));
                    }
                } else if let Some(place) = plain_file(&root, &entry.path(), kind)
                    && real.len() < MOST_PATHS
                {
                    real.insert(path, place);
                }
            }
        }
        let paths = real.keys().cloned().collect();
        Ok(Self { root, paths, tracked: None, real })
    }

    /// The same files, of which version control tracks these paths.
    #[must_use]
    pub fn with_tracked(mut self, tracked: BTreeSet<String>) -> Self {
        self.tracked = Some(tracked);
        self
    }

    /// The directory, without links.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }
}

/// The file behind an entry: itself, or what a link inside of the root leads to inside of the root.
fn plain_file(root: &Path, path: &Path, kind: fs::FileType) -> Option<PathBuf> {
    if kind.is_file() {
        return Some(path.to_owned());
    }
    let place = path.canonicalize().ok().filter(|_| kind.is_symlink())?;
    (place.starts_with(root) && place.is_file()).then_some(place)
}

impl Tree for Folder {
    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn read(&self, path: &str) -> Option<String> {
        let file = fs::File::open(self.real.get(path)?).ok()?;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.len() > LARGEST {
            return None;
        }
        let mut text = String::new();
        // It may grow while it is read.
        file.take(LARGEST).read_to_string(&mut text).ok()?;
        Some(text)
    }

    fn tracked(&self, path: &str) -> Option<bool> {
        self.tracked.as_ref().map(|tracked| tracked.contains(path))
    }
}
