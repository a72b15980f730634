//! What holds absolute paths and is moved is told its new place: scripts of a virtual environment (their first line
//! names its Python), the files by which Python finds editable apps, and links among the assets.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use eclusa_fault::Result as Outcome;

use crate::release::file_fault;

/// The largest file that is looked at, in bytes: scripts and lists of paths are small.
const LARGEST: u64 = 1024 * 1024;

/// Tells the environment and the assets of the bench in `directory`, which named places below `from`, that they are
/// below `to` now. Doing it twice is the same as doing it once.
///
/// # Errors
/// `FileAccess`.
pub(crate) fn tell(directory: &Path, from: &Path, to: &Path) -> Outcome<()> {
    environment(&directory.join("env"), from, to)
        .and_then(|()| links(&directory.join("sites/assets"), from, to))
        .map_err(|(path, error)| file_fault(&path, "told its new place").because(error))
}

/// Rewrites every place in a virtual environment that names `from`, so that it names `to`.
fn environment(directory: &Path, from: &Path, to: &Path) -> Result<(), (PathBuf, std::io::Error)> {
    rewrite_file(&directory.join("pyvenv.cfg"), from, to)?;
    for entry in entries(&directory.join("bin"))? {
        rewrite_file(&entry, from, to)?;
    }
    for library in entries(&directory.join("lib"))? {
        for entry in entries(&library.join("site-packages"))? {
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".pth") || name.ends_with(".egg-link") || name.starts_with("__editable__") {
                rewrite_file(&entry, from, to)?;
            } else if name.ends_with(".dist-info") {
                rewrite_file(&entry.join("direct_url.json"), from, to)?;
            }
        }
    }
    Ok(())
}

/// Points every link below a directory of assets, two levels deep, that leads below `from` to the same place below
/// `to`.
fn links(directory: &Path, from: &Path, to: &Path) -> Result<(), (PathBuf, std::io::Error)> {
    for entry in entries(directory)? {
        point(&entry, from, to)?;
        if entry.is_dir() && !entry.is_symlink() {
            for inner in entries(&entry)? {
                point(&inner, from, to)?;
            }
        }
    }
    Ok(())
}

fn point(path: &Path, from: &Path, to: &Path) -> Result<(), (PathBuf, std::io::Error)> {
    let at = |error| (path.to_owned(), error);
    if !path.is_symlink() {
        return Ok(());
    }
    let target = std::fs::read_link(path).map_err(at)?;
    let there_already = to.starts_with(from) && target.starts_with(to);
    let Some(rest) = target.strip_prefix(from).ok().filter(|_| !there_already) else { return Ok(()) };
    // A link cannot be changed, only replaced; the new one is whole before it takes the name.
    let mut name = path.as_os_str().to_owned();
    name.push(".eclusa-new");
    let temporary = PathBuf::from(name);
    let _ = std::fs::remove_file(&temporary);
    std::os::unix::fs::symlink(to.join(rest), &temporary).map_err(at)?;
    std::fs::rename(&temporary, path).map_err(at)
}

/// The entries of a directory; none when it is not there.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, (PathBuf, std::io::Error)> {
    let at = |error| (directory.to_owned(), error);
    match std::fs::read_dir(directory) {
        Ok(found) => found.map(|entry| entry.map(|entry| entry.path()).map_err(at)).collect(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(at(error)),
    }
}

fn rewrite_file(path: &Path, from: &Path, to: &Path) -> Result<(), (PathBuf, std::io::Error)> {
    let at = |error| (path.to_owned(), error);
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Ok(());
    }
    let bytes = std::fs::read(path).map_err(at)?;
    let Some(changed) = replaced(&bytes, from, to) else { return Ok(()) };
    let mut name = path.as_os_str().to_owned();
    name.push(".eclusa-new");
    let temporary = PathBuf::from(name);
    std::fs::write(&temporary, changed).map_err(at)?;
    std::fs::set_permissions(&temporary, metadata.permissions()).map_err(at)?;
    std::fs::rename(&temporary, path).map_err(at)
}

/// The bytes with every path below `from` made one below `to`; `None` when there is none, or when they are no text. A
/// path that only begins with the same letters is another one.
fn replaced(bytes: &[u8], from: &Path, to: &Path) -> Option<Vec<u8>> {
    let (from, to) = (from.as_os_str().as_bytes(), to.as_os_str().as_bytes());
    if bytes.contains(&0) || from.is_empty() {
        return None;
    }
    // Where `to` lies below `from`, what is there already stays.
    let below = to.starts_with(from);
    let mut result = Vec::with_capacity(bytes.len());
    let mut found = false;
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        let whole = rest.starts_with(from)
            && rest
                .get(from.len())
                .is_none_or(|next| !next.is_ascii_alphanumeric() && !b"._-+".contains(next));
        if below && rest.starts_with(to) {
            result.extend_from_slice(to);
            rest = rest.get(to.len()..).unwrap_or_default();
        } else if whole {
            found = true;
            result.extend_from_slice(to);
            rest = rest.get(from.len()..).unwrap_or_default();
        } else {
            result.push(first);
            rest = rest.get(1..).unwrap_or_default();
        }
    }
    found.then_some(result)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    fn changed(text: &str, from: &str, to: &str) -> Option<String> {
        replaced(text.as_bytes(), Path::new(from), Path::new(to))
            .map(|bytes| String::from_utf8(bytes).unwrap())
    }

    #[test]
    fn paths_are_replaced_whole_and_there_and_back() {
        let (bench, stage) = ("/srv/b", "/srv/b/.eclusa/releases/v2");
        let there = changed("#!/srv/b/env/bin/python\nx=/srv/b2/y:/srv/b", bench, stage).unwrap();
        assert_eq!(there, format!("#!{stage}/env/bin/python\nx=/srv/b2/y:{stage}"));
        // Twice is once.
        assert_eq!(changed(&there, bench, stage), None);
        assert_eq!(changed(&there, stage, bench).unwrap(), "#!/srv/b/env/bin/python\nx=/srv/b2/y:/srv/b");
        assert_eq!(changed("\0/srv/b/env", bench, stage), None);
    }

    #[test]
    fn an_environment_and_its_links_are_told_their_new_place() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let (old, new) = (root.path().join("old"), root.path().join("new"));
        let env = root.path().join("env");
        let packages = env.join("lib/python3.11/site-packages");
        std::fs::create_dir_all(&packages).unwrap();
        std::fs::create_dir_all(env.join("bin")).unwrap();
        let script = env.join("bin/gunicorn");
        std::fs::write(&script, format!("#!{}/env/bin/python\n", old.display())).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(packages.join("frappe.pth"), format!("{}/apps/frappe\n", old.display())).unwrap();
        std::fs::write(packages.join("other.py"), format!("{}\n", old.display())).unwrap();
        environment(&env, &old, &new).unwrap();
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert_eq!(read(&script), format!("#!{}/env/bin/python\n", new.display()));
        assert_eq!(std::fs::metadata(&script).unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(read(&packages.join("frappe.pth")), format!("{}/apps/frappe\n", new.display()));
        assert_eq!(read(&packages.join("other.py")), format!("{}\n", old.display()));
        let assets = root.path().join("assets");
        std::fs::create_dir_all(&assets).unwrap();
        std::os::unix::fs::symlink(old.join("apps/frappe/public"), assets.join("frappe")).unwrap();
        std::os::unix::fs::symlink("../elsewhere", assets.join("js")).unwrap();
        links(&assets, &old, &new).unwrap();
        assert_eq!(std::fs::read_link(assets.join("frappe")).unwrap(), new.join("apps/frappe/public"));
        assert_eq!(std::fs::read_link(assets.join("js")).unwrap(), Path::new("../elsewhere"));
    }
}
