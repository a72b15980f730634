//! Releases as directories: where they are, and the digest that says whether one has changed.

use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{Release, ReleaseSource};
use sha2::{Digest, Sha256};

use crate::stack::ProcessStack;

/// The directory of a release.
///
/// # Errors
/// `ReleaseUnknown` when it is not there, or its name is none; `PathEscapes` when it leads out of where releases are.
pub fn directory_of(stack: &ProcessStack, release: &Release) -> Result<PathBuf> {
    let unknown = |problem: String| {
        Fault::new(Code::ReleaseUnknown)
            .with("release", &release.name)
            .with("problem", problem)
            .with("where", format!("Releases are directories in {}", stack.releases_directory.display()))
    };
    let name = &release.name;
    let plain = !name.is_empty()
        && !name.starts_with(['.', '-'])
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-+".contains(c));
    if !plain {
        return Err(unknown("its name has characters that a directory's name should not have".to_owned()));
    }
    let path = stack.releases_directory.join(name);
    let real =
        std::fs::canonicalize(&path).map_err(|error| unknown(format!("{}: {error}", path.display())))?;
    if !real.is_dir() {
        return Err(unknown(format!("{} is no directory", path.display())));
    }
    let root = std::fs::canonicalize(&stack.releases_directory)
        .map_err(|error| unknown(format!("{}: {error}", stack.releases_directory.display())))?;
    if !real.starts_with(&root) {
        return Err(Fault::new(Code::PathEscapes).with("path", path.display()).with("root", root.display()));
    }
    if let ReleaseSource::Directory { path: said } = &release.source {
        let said_real = std::fs::canonicalize(said).map_err(|error| unknown(format!("{said}: {error}")))?;
        if said_real != real {
            return Err(unknown(format!("it is said to be {said}, and {} is another", path.display())));
        }
    }
    Ok(real)
}

/// `sha256:` and the digest of a directory: of every file the path, whether it is executable, its length and its
/// content, and of every link its target, in the order of their paths.
///
/// # Errors
/// `FileAccess`.
pub fn digest_of(directory: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    add_directory(&mut hash, directory, Path::new(""))
        .map_err(|(path, error)| file_fault(&path, "read").because(error))?;
    Ok(format!("sha256:{}", hex::encode(hash.finalize())))
}

type Located = (PathBuf, std::io::Error);

fn add_directory(hash: &mut Sha256, root: &Path, below: &Path) -> std::result::Result<(), Located> {
    let directory = root.join(below);
    let at = |path: &Path| {
        let path = path.to_owned();
        move |error| (path, error)
    };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&directory).map_err(at(&directory))? {
        names.push(entry.map_err(at(&directory))?.file_name());
    }
    names.sort();
    for name in names {
        let relative = below.join(&name);
        let path = root.join(&relative);
        let kind = std::fs::symlink_metadata(&path).map_err(at(&path))?;
        let mut add = |tag: &[u8], text: &[u8]| {
            hash.update(tag);
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        if kind.is_dir() {
            add(b"d", relative.as_os_str().as_bytes());
            add_directory(hash, root, &relative)?;
        } else if kind.is_symlink() {
            add(b"l", relative.as_os_str().as_bytes());
            add(b">", std::fs::read_link(&path).map_err(at(&path))?.as_os_str().as_bytes());
        } else if kind.is_file() {
            let executable = std::os::unix::fs::PermissionsExt::mode(&kind.permissions()) & 0o111 != 0;
            add(if executable { b"x" } else { b"f" }, relative.as_os_str().as_bytes());
            hash.update(kind.len().to_le_bytes());
            add_content(hash, &path).map_err(at(&path))?;
        }
    }
    Ok(())
}

fn add_content(hash: &mut Sha256, path: &Path) -> std::io::Result<()> {
    let mut file = std::fs::File::open(path)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
}

/// The digest, computed where blocking does no harm.
///
/// # Errors
/// `FileAccess`.
pub async fn digest(directory: PathBuf) -> Result<String> {
    tokio::task::spawn_blocking(move || digest_of(&directory))
        .await
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?
}

/// A fault about a file.
pub fn file_fault(path: &Path, operation: &str) -> Fault {
    Fault::new(Code::FileAccess).with("path", path.display()).with("operation", operation)
}

/// A release that is not what was prepared.
pub fn changed(release: &str, directory: &Path) -> Fault {
    Fault::new(Code::ReleaseUnknown)
        .with("release", release)
        .with("problem", format!("{} has changed since it was prepared", directory.display()))
        .with("where", "A release is never changed; give the new content a new name.")
        .state(Message::verbatim("The services were not touched."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn the_digest_sees_content_names_links_and_modes() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::fs::create_dir(path.join("sub")).unwrap();
        std::fs::write(path.join("sub/a"), "one").unwrap();
        let mut seen = vec![digest_of(path).unwrap()];
        assert_eq!(digest_of(path).unwrap(), seen[0]);
        std::fs::write(path.join("sub/a"), "two").unwrap();
        seen.push(digest_of(path).unwrap());
        std::fs::rename(path.join("sub/a"), path.join("sub/b")).unwrap();
        seen.push(digest_of(path).unwrap());
        std::fs::set_permissions(path.join("sub/b"), std::fs::Permissions::from_mode(0o755)).unwrap();
        seen.push(digest_of(path).unwrap());
        std::os::unix::fs::symlink("sub/b", path.join("link")).unwrap();
        seen.push(digest_of(path).unwrap());
        let different: std::collections::BTreeSet<_> = seen.iter().collect();
        assert_eq!(different.len(), seen.len());
    }
}
