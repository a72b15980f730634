//! A vault in a temporary directory, a tenant's files, and requests.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use eclusa_model::{PointId, StackName, TenantName};
use eclusa_ports::{DatabaseSummary, DirectorySet, Dump, PointManifest, TakeRequest};
use eclusa_runbook::PointKind;
use eclusa_vault::LocalVault;
use jiff::Timestamp;

/// Tells the test binary that it was started as a child: the directory in which it works.
pub const CHILD: &str = "ECLUSA_VAULT_TEST_CHILD";

pub struct Fixture {
    _directory: Option<tempfile::TempDir>,
    pub base: PathBuf,
    pub vault: LocalVault,
    pub tenant: TenantName,
}

impl Fixture {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut fixture = Self::at(directory.path());
        fixture._directory = Some(directory);
        fixture
    }

    pub fn at(base: &Path) -> Self {
        Self {
            _directory: None,
            base: base.to_path_buf(),
            vault: vault_at(base),
            tenant: TenantName::new("alpha.example.org").unwrap(),
        }
    }

    /// The same vault as another process has it, which has opened nothing yet.
    pub fn vault_anew(&self) -> LocalVault {
        vault_at(&self.base)
    }

    pub fn repository(&self) -> PathBuf {
        self.base.join("vault").join(self.tenant.as_str())
    }

    pub fn key(&self) -> PathBuf {
        self.base.join("keys").join(format!("{}.key", self.tenant))
    }

    /// A tenant's files: modes, links, an empty directory, names that are no UTF-8, names in an order that differs
    /// between paths and texts.
    pub fn make_files(&self) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        let files = self.base.join("files");
        if files.exists() {
            return files;
        }
        std::fs::create_dir_all(files.join("a/deep")).unwrap();
        std::fs::create_dir_all(files.join("empty")).unwrap();
        std::fs::write(files.join("a/deep/one.txt"), "one").unwrap();
        std::fs::write(files.join("a.txt"), "beside the directory a").unwrap();
        std::fs::write(files.join("nothing"), "").unwrap();
        std::fs::write(files.join("back\\slash"), "escaped").unwrap();
        std::fs::write(files.join(std::ffi::OsStr::from_bytes(b"latin-\xe9")), "not UTF-8").unwrap();
        std::fs::write(files.join("large.bin"), pattern(3_000_000, 7)).unwrap();
        symlink("a/deep/one.txt", files.join("link")).unwrap();
        std::fs::set_permissions(files.join("a.txt"), std::fs::Permissions::from_mode(0o640)).unwrap();
        std::fs::set_permissions(files.join("empty"), std::fs::Permissions::from_mode(0o2775)).unwrap();
        let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::new(1_600_000_000, 123_000_000);
        std::fs::File::options().write(true).open(files.join("a.txt")).unwrap().set_modified(old).unwrap();
        files
    }

    pub fn request(&self, mark: &str, at: &str) -> TakeRequest {
        TakeRequest {
            tenant: self.tenant.clone(),
            kind: PointKind::Backup,
            at: at.parse::<Timestamp>().unwrap(),
            run: None,
            mark: mark.to_owned(),
            release: None,
            database: None,
            directories: Vec::new(),
            configuration: BTreeMap::new(),
        }
    }

    /// A request with a database, files and configuration.
    pub fn full_request(&self, mark: &str, at: &str) -> TakeRequest {
        let mut request = self.request(mark, at);
        request.database = Some(dump(io::Cursor::new(pattern(5_000_000, 1))));
        request.directories = vec![DirectorySet { name: "public".to_owned(), path: self.make_files() }];
        request.configuration = BTreeMap::from([(".env.production".to_owned(), b"KEY=secret\n".to_vec())]);
        request
    }
}

fn vault_at(base: &Path) -> LocalVault {
    let stack = StackName::new("shop").unwrap();
    LocalVault::new(base.join("vault"), base.join("keys"), stack, base.join("scratch"))
}

pub fn id(manifest: &PointManifest) -> PointId {
    manifest.id.clone().unwrap()
}

pub fn dump(reader: impl Read + Send + 'static) -> Dump {
    let open = Box::new(move || Ok(Box::new(reader) as _));
    Dump::single("database.sql", "postgresql 15.18".to_owned(), DatabaseSummary::default(), open)
}

/// Bytes that neither compress nor repeat, the same for the same seed.
pub struct Pattern {
    left: u64,
    state: u64,
}

impl Pattern {
    pub fn new(length: u64, seed: u64) -> Self {
        Self { left: length, state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 }
    }
}

impl Read for Pattern {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = buffer.len().min(usize::try_from(self.left).unwrap()).min(8191);
        for piece in buffer[..count].chunks_mut(8) {
            self.state ^= self.state << 13;
            self.state ^= self.state >> 7;
            self.state ^= self.state << 17;
            piece.copy_from_slice(&self.state.to_le_bytes()[..piece.len()]);
        }
        self.left -= count as u64;
        Ok(count)
    }
}

pub fn pattern(length: u64, seed: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    Pattern::new(length, seed).read_to_end(&mut bytes).unwrap();
    bytes
}

/// Every file below a directory.
pub fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Starts one test of this binary as a process of its own, which works in `base`.
pub fn start_child(test: &str, base: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, base)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}
