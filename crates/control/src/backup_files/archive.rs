//! Archives of a site's files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use eclusa_apps::backup_files::inside;
use eclusa_fault::{Code, Fault, Result};
use eclusa_ports::OWN_FILES_PREFIX;
use tar::EntryType;

use super::{refused, sealed};

/// Whom a directory belongs to.
pub(super) fn owner_of(directory: &Path) -> Option<(u32, u32)> {
    fs::metadata(directory).ok().map(|found| (found.uid(), found.gid()))
}

/// Unpacks what lies in an archive below `SITE/public/files` or `SITE/private/files` into a new directory, whatever the
/// site was called. Nothing is written outside of it, and links are not taken.
pub(super) fn unpack(
    shown: &Path,
    archive: &Path,
    set: &str,
    to: &Path,
    owner: Option<(u32, u32)>,
) -> Result<()> {
    let written = |path: &Path, error: io::Error| {
        Fault::new(Code::FileAccess).with("path", path.display()).with("operation", "written").because(error)
    };
    let give = |path: &Path| match owner {
        Some((user, group)) => match chown(path, Some(user), Some(group)) {
            // Who is not root owns everything anyway.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            outcome => outcome,
        },
        None => Ok(()),
    };
    let directory = |path: &Path| -> Result<()> {
        let missing: Vec<PathBuf> = path
            .ancestors()
            .take_while(|above| above.starts_with(to) && !above.is_dir())
            .map(PathBuf::from)
            .collect();
        for above in missing.iter().rev() {
            fs::create_dir(above).and_then(|()| give(above)).map_err(|error| written(above, error))?;
        }
        Ok(())
    };
    directory(to)?;
    let damaged = |error: io::Error| {
        // The library quotes what it took for a path.
        let text: String =
            error.to_string().chars().take_while(|character| !character.is_control()).take(100).collect();
        refused(shown, format!("it is no whole archive of files: {text}"))
    };
    let mut reader = sealed::reader(archive).map_err(damaged)?;
    let mut entries = tar::Archive::new(&mut reader);
    for entry in entries.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.to_string_lossy().into_owned();
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader) {
            continue;
        }
        let (of, below) =
            inside(&path).ok_or_else(|| refused(shown, format!("{path:?} is none of a site's files")))?;
        if of != set {
            return Err(refused(shown, format!("it holds the site's {of}, and its {set} are wanted")));
        }
        // What a restore of ours had kept beside the files of the site that was backed up.
        if below.split('/').any(|part| part.starts_with(OWN_FILES_PREFIX)) {
            continue;
        }
        let target = to.join(below.trim_end_matches('/'));
        match kind {
            EntryType::Directory => directory(&target)?,
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                directory(target.parent().unwrap_or(to))?;
                let mode = entry.header().mode().unwrap_or(0o644) & 0o777;
                let mut file = OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(&target)
                    .map_err(|error| written(&target, error))?;
                io::copy(&mut entry, &mut file).map_err(damaged)?;
                finish(&file, &target, mode)
                    .and_then(|()| give(&target))
                    .map_err(|error| written(&target, error))?;
            }
            _ => return Err(refused(shown, format!("{path:?} is neither a file nor a directory"))),
        }
    }
    // What follows the archive's end is read too, so that a compressed one is known to be whole.
    io::copy(&mut reader.by_ref(), &mut io::sink()).map_err(damaged)?;
    Ok(())
}

fn finish(file: &File, path: &Path, mode: u32) -> io::Result<()> {
    file.sync_data()?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn archive(directory: &Path, entries: &[(&str, EntryType)]) -> PathBuf {
        let path = directory.join("files.tar");
        let mut builder = tar::Builder::new(File::create(&path).unwrap());
        for (name, kind) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o640);
            header.set_size(if *kind == EntryType::Regular { 2 } else { 0 });
            // The name as it is: what is evil must come through.
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            if *kind == EntryType::Symlink {
                header.set_link_name("/etc").unwrap();
            }
            header.set_cksum();
            builder.append(&header, if *kind == EntryType::Regular { &b"hi"[..] } else { &b""[..] }).unwrap();
        }
        builder.finish().unwrap();
        path
    }

    fn tried(entries: &[(&str, EntryType)]) -> (tempfile::TempDir, Result<()>) {
        let directory = tempfile::tempdir().unwrap();
        let path = archive(directory.path(), entries);
        let to = directory.path().join("to");
        let outcome = unpack(&path, &path, "public-files", &to, owner_of(directory.path()));
        (directory, outcome)
    }

    #[test]
    fn files_of_another_site_lie_where_they_belong() {
        let (directory, outcome) = tried(&[
            ("./other.localhost/public/files/", EntryType::Directory),
            ("./other.localhost/public/files/a/b.txt", EntryType::Regular),
        ]);
        outcome.unwrap();
        let file = directory.path().join("to/a/b.txt");
        assert_eq!(fs::read_to_string(&file).unwrap(), "hi");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn nothing_leads_out() {
        for (name, kind) in [
            ("./s/public/files/../../../../x", EntryType::Regular),
            ("/etc/x", EntryType::Regular),
            ("./s/public/files/link", EntryType::Symlink),
            ("./s/public/files/hard", EntryType::Link),
            ("./s/private/files/x", EntryType::Regular),
            ("./s/site_config.json", EntryType::Regular),
        ] {
            let (directory, outcome) = tried(&[("./s/public/files/ok", EntryType::Regular), (name, kind)]);
            let fault = outcome.unwrap_err();
            assert_eq!(fault.code, Code::BackupFiles, "{name}");
            assert!(!directory.path().join("x").exists());
        }
    }

    #[test]
    fn an_archive_that_was_cut_off_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = archive(directory.path(), &[("./s/public/files/a", EntryType::Regular)]);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..513]).unwrap();
        let to = directory.path().join("to");
        assert_eq!(unpack(&path, &path, "public-files", &to, None).unwrap_err().code, Code::BackupFiles);
    }
}
