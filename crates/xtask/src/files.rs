//! The text files of the repository.

use std::path::{Path, PathBuf};

/// What holds nothing of ours.
const SKIPPED: &[&str] = &[".git", "target", "node_modules", "__pycache__", "eclusa-demo"];

/// A text file.
#[derive(Debug)]
pub struct TextFile {
    /// Relative to the repository.
    pub path: PathBuf,
    /// Its content.
    pub text: String,
}

/// The text files under a folder of the repository, sorted; links and files that are no UTF-8 are left out.
#[must_use]
pub fn text_files(root: &Path, under: &str) -> Vec<TextFile> {
    let mut found = Vec::new();
    let mut folders = vec![root.join(under)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            // In a linked work tree `.git` is a file.
            if SKIPPED.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            let path = entry.path();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file()
                && let (Ok(text), Ok(relative)) = (std::fs::read_to_string(&path), path.strip_prefix(root))
            {
                found.push(TextFile { path: relative.to_path_buf(), text });
            }
        }
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    found
}
