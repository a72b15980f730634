//! A restore point as the files that `bench restore` takes.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eclusa_apps::backup_files::{Names, head, names, version_in, version_of};
use eclusa_database::mariadb::{Definers, ForeignDump};
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_ports::{PointManifest, StoredDump, StoredStream, Vault};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::runtime::Handle;

use super::{HEAD, blocking, only_frappe};
use crate::Assembly;
use crate::observe::run;

/// The last line of our own dumps, which other tools need not know.
const OWN_END: &[u8] = b"\n-- Eclusa dump complete\n";

/// What was written.
#[derive(Debug, Clone)]
pub struct Exported {
    /// The files, with their bytes.
    pub files: Vec<(PathBuf, u64)>,
    /// The version of Frappe that the dump says it was written by; none: it says none.
    pub version: Option<String>,
}

/// Everything that is needed off the async threads.
struct Writing {
    vault: Arc<dyn Vault>,
    handle: Handle,
    tenant: TenantName,
    point: PointId,
    manifest: PointManifest,
    version: Option<String>,
    compressed: bool,
    directory: PathBuf,
    written: Vec<(PathBuf, u64)>,
}

/// Writes a restore point as files. None that is there is overwritten; those that were begun go when one fails.
///
/// # Errors
/// `PointUnknown`, `PointDamaged`, `FileAccess`; `BackupFiles` when the point holds no database of MariaDB.
pub async fn export(
    assembly: &Assembly,
    tenant: &TenantName,
    point: &PointId,
    directory: &Path,
    compressed: bool,
    version: Option<String>,
) -> Result<Exported> {
    only_frappe(assembly)?;
    assembly.tenant(tenant)?;
    let manifest = assembly.ports.vault.find(tenant, point.as_str()).await?;
    let version = match version {
        Some(version) => Some(version),
        None => version_then(assembly, &manifest).await,
    };
    let mut writing = Writing {
        vault: assembly.ports.vault.clone(),
        handle: Handle::current(),
        tenant: tenant.clone(),
        point: point.clone(),
        manifest,
        version,
        compressed,
        directory: directory.to_owned(),
        written: Vec::new(),
    };
    blocking(move || {
        let outcome = writing.all();
        if outcome.is_err() {
            for (path, _) in &writing.written {
                let _ = std::fs::remove_file(path);
            }
        }
        outcome.map(|()| Exported { files: writing.written, version: writing.version })
    })
    .await
}

/// The version of Frappe when the point was taken: that of now, where the same release runs.
async fn version_then(assembly: &Assembly, manifest: &PointManifest) -> Option<String> {
    let release = manifest.release.as_ref()?;
    let running = assembly.ports.runtime.observe().await.ok()?.release?;
    if running.name != release.name {
        return None;
    }
    version_of(&run(assembly, assembly.app.apps(&assembly.stack, &manifest.tenant)?).await?)
}

impl Writing {
    fn all(&mut self) -> Result<()> {
        let made = eclusa_durable::make_directory(&self.directory, 0o700);
        made.map_err(|error| self.fault(&self.directory, error))?;
        let time = self.manifest.taken_at.strftime("%Y%m%d_%H%M%S").to_string();
        let Names { database, public, private, configuration } =
            names(&time, self.tenant.as_str(), self.compressed);
        self.database(&database)?;
        for (set, name, below) in
            [("public-files", public, "public/files"), ("private-files", private, "private/files")]
        {
            if self.manifest.files.contains_key(set) {
                self.archive(set, &name, below)?;
            }
        }
        self.configuration(&configuration)?;
        eclusa_durable::synchronise_directory(&self.directory)
            .map_err(|error| self.fault(&self.directory, error))
    }

    fn fault(&self, path: &Path, error: impl std::fmt::Display) -> Fault {
        Fault::new(Code::FileAccess).with("path", path.display()).with("operation", "written").because(error)
    }

    fn open(&self, stream: &str) -> Result<Box<dyn Read + Send>> {
        self.handle.block_on(self.vault.open(&self.tenant, &self.point, stream))
    }

    /// A new file that only its owner may read: what is in it is all that a site has.
    fn create(&mut self, name: &str) -> Result<(PathBuf, File)> {
        let path = self.directory.join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let file = file.map_err(|error| self.fault(&path, error))?;
        self.written.push((path.clone(), 0));
        Ok((path, file))
    }

    fn finished(&mut self, path: &Path, file: &File) -> Result<()> {
        let length =
            file.sync_all().and_then(|()| file.metadata()).map_err(|error| self.fault(path, error))?.len();
        if let Some(last) = self.written.last_mut() {
            last.1 = length;
        }
        Ok(())
    }

    fn database(&mut self, name: &str) -> Result<()> {
        let streams: Vec<String> = self.manifest.database.iter().map(|stream| stream.path.clone()).collect();
        if streams.is_empty() || !streams.iter().all(|path| is_sql(path)) {
            return Err(super::refused(
                Path::new(self.point.short()),
                "the restore point holds no dump of MariaDB",
            ));
        }
        let mut dump = StoredDump::default();
        for name in streams {
            let reader = self.open(&name)?;
            dump.streams.push(StoredStream { name, reader });
        }
        let reader = WithoutEnd::new(dump.joined());
        let mut dump =
            BufReader::with_capacity(256 * 1024, ForeignDump::new(BufReader::new(reader), Definers::LeftOut));
        let (path, file) = self.create(name)?;
        let mut encoder = GzEncoder::new(file, Compression::default());
        let mut start = Vec::new();
        let read = dump.by_ref().take(HEAD as u64).read_to_end(&mut start);
        read.map_err(|error| self.fault(&path, error))?;
        // One that was taken from such files has its own head.
        match version_in(&start) {
            Some(version) => self.version = Some(version),
            None => {
                if let Some(version) = &self.version {
                    encoder.write_all(head(version).as_bytes()).map_err(|error| self.fault(&path, error))?;
                }
            }
        }
        let written = encoder.write_all(&start).and_then(|()| io::copy(&mut dump, &mut encoder));
        let file = written.and_then(|_| encoder.finish()).map_err(|error| self.fault(&path, error))?;
        self.finished(&path, &file)
    }

    fn archive(&mut self, set: &str, name: &str, below: &str) -> Result<()> {
        let (path, file) = self.create(name)?;
        let file = if self.compressed {
            let encoder = self.entries(set, below, &path, GzEncoder::new(file, Compression::default()))?;
            encoder.finish().map_err(|error| self.fault(&path, error))?
        } else {
            self.entries(set, below, &path, file)?
        };
        self.finished(&path, &file)
    }

    fn entries<W: Write>(&self, set: &str, below: &str, path: &Path, to: W) -> Result<W> {
        let mut archive = tar::Builder::new(to);
        let root = format!("./{}/{below}", self.tenant);
        let seconds = u64::try_from(self.manifest.taken_at.as_second()).unwrap_or(0);
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o755);
        header.set_mtime(seconds);
        header.set_size(0);
        let begun = append(&mut archive, header, &format!("{root}/"), io::empty());
        begun.map_err(|error| self.fault(path, error))?;
        let Some(files) = self.manifest.files.get(set) else {
            return archive.into_inner().map_err(|error| self.fault(path, error));
        };
        for (file, entry) in &files.files {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Regular);
            header.set_mode(entry.mode & 0o777);
            header.set_uid(u64::from(entry.owner));
            header.set_gid(u64::from(entry.group));
            header.set_mtime(seconds);
            header.set_size(entry.bytes);
            let content = self.open(&format!("files/{set}/{file}"))?;
            let added = append(&mut archive, header, &format!("{root}/{file}"), content);
            added.map_err(|error| self.fault(path, error))?;
        }
        for (link, target) in &files.links {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mtime(seconds);
            header.set_size(0);
            let added = header
                .set_link_name(target)
                .and_then(|()| append(&mut archive, header, &format!("{root}/{link}"), io::empty()));
            added.map_err(|error| self.fault(path, error))?;
        }
        archive.into_inner().map_err(|error| self.fault(path, error))
    }

    /// As bench writes it: with the database's password and the encryption key, without the key of encrypted backups.
    fn configuration(&mut self, name: &str) -> Result<()> {
        let path = "configuration/site_config.json";
        if !self.manifest.configuration.iter().any(|stream| stream.path == path) {
            return Ok(());
        }
        let mut text = Vec::new();
        let file_path = self.directory.join(name);
        self.open(path)?.read_to_end(&mut text).map_err(|error| self.fault(&file_path, error))?;
        if let Ok(serde_json::Value::Object(mut keys)) = serde_json::from_slice(&text) {
            keys.shift_remove("backup_encryption_key");
            text = serde_json::to_vec_pretty(&keys).map_err(|error| self.fault(&file_path, error))?;
        }
        let (file_path, mut file) = self.create(name)?;
        file.write_all(&text).map_err(|error| self.fault(&file_path, error))?;
        self.finished(&file_path, &file)
    }
}

/// Adds an entry under a path that begins with `./`: bench takes two parts off when it unpacks, and that is the first.
fn append<W: Write>(
    archive: &mut tar::Builder<W>,
    mut header: tar::Header,
    path: &str,
    content: impl Read,
) -> io::Result<()> {
    fn name(header: &mut tar::Header, path: &[u8]) {
        let field = &mut header.as_old_mut().name;
        field.fill(0);
        for (to, from) in field.iter_mut().zip(path) {
            *to = *from;
        }
    }
    let longest = header.as_old().name.len();
    if path.len() > longest {
        let mut long = tar::Header::new_gnu();
        long.set_entry_type(tar::EntryType::GNULongName);
        long.set_size(path.len() as u64 + 1);
        name(&mut long, b"././@LongLink");
        long.set_cksum();
        archive.append(&long, path.as_bytes().chain(io::repeat(0).take(1)))?;
    }
    name(&mut header, path.as_bytes());
    header.set_cksum();
    archive.append(&header, content)
}

/// A dump without our own last line.
struct WithoutEnd<R> {
    inner: R,
    held: Vec<u8>,
    ended: bool,
}

impl<R: Read> WithoutEnd<R> {
    fn new(inner: R) -> Self {
        Self { inner, held: Vec::new(), ended: false }
    }
}

impl<R: Read> Read for WithoutEnd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // So much is held back as the line is long.
        while !self.ended && self.held.len() <= OWN_END.len() {
            let mut piece = vec![0; 64 * 1024];
            let count = self.inner.read(&mut piece)?;
            self.held.extend_from_slice(piece.get(..count).unwrap_or_default());
            if count == 0 {
                self.ended = true;
                if self.held.ends_with(OWN_END) {
                    self.held.truncate(self.held.len() - OWN_END.len());
                    self.held.push(b'\n');
                }
            }
        }
        let free = if self.ended { self.held.len() } else { self.held.len() - OWN_END.len() };
        let count = free.min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), self.held.get(..count)) {
            to.copy_from_slice(from);
        }
        self.held.drain(..count);
        Ok(count)
    }
}

/// Whether a stream of this path is SQL: a whole dump, or a part of one.
fn is_sql(path: &str) -> bool {
    path == "database.sql" || (path.starts_with("database/") && path.ends_with(".sql"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_as_bench_wants_them_however_long_they_are() {
        let long = format!("./s/public/files/{}.txt", "x".repeat(120));
        let mut archive = tar::Builder::new(Vec::new());
        for path in ["./s/public/files/a.txt", &long] {
            let mut header = tar::Header::new_gnu();
            header.set_size(1);
            append(&mut archive, header, path, &b"x"[..]).unwrap();
        }
        let bytes = archive.into_inner().unwrap();
        let mut read = tar::Archive::new(bytes.as_slice());
        let paths: Vec<String> = read
            .entries()
            .unwrap()
            .map(|entry| String::from_utf8(entry.unwrap().path_bytes().into_owned()).unwrap())
            .collect();
        assert_eq!(paths, ["./s/public/files/a.txt".to_owned(), long]);
    }

    #[test]
    fn only_our_own_last_line_is_left_out() {
        let read = |text: &str| {
            let mut out = String::new();
            WithoutEnd::new(text.as_bytes()).read_to_string(&mut out).unwrap();
            out
        };
        assert_eq!(read("a\n-- Dump completed\n\n-- Eclusa dump complete\n"), "a\n-- Dump completed\n\n");
        for same in ["", "a", "-- Dump completed\n", "a\n-- Eclusa dump complete\nb\n"] {
            assert_eq!(read(same), same);
        }
        let long = "x".repeat(200_000);
        assert_eq!(read(&format!("{long}\n-- Eclusa dump complete\n")), format!("{long}\n"));
    }
}
