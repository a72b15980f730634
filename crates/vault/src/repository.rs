//! One tenant's repository: where it lies, opening it with its key, making it, and what rustic_core's errors mean.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use bytesize::ByteSize;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{StackName, TenantName};
use eclusa_ports::Meter;
use rustic_core::repofile::MasterKey;
use rustic_core::{
    ConfigOptions, Credentials, FileType, IndexedFullStatus, KeyOptions, OpenStatus, Repository,
    RepositoryBackends, RepositoryOptions, RusticError,
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::ahead::Ahead;
use crate::backend::DirectoryBackend;
use crate::files::RepositoryFiles;
use crate::key_directory::KeyDirectory;
use crate::lock::Lock;
use crate::mirror::{Away, Mirror};
use crate::remote::SecretSource;
use crate::{durable, key, key_file};

/// A repository whose index is in memory: everything can be read.
pub(crate) type Indexed = Repository<IndexedFullStatus>;

/// Where the repositories and the keys of a stack lie.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    pub(crate) root: PathBuf,
    pub(crate) keys: KeyDirectory,
    pub(crate) stack: StackName,
    pub(crate) mirrors: Vec<Mirror>,
    pub(crate) unlocked: Unlocked,
    /// Where the secrets of mirrors are.
    pub(crate) secrets: SecretSource,
    /// The mirror whose copies these are; `None` for the vault.
    pub(crate) away: Option<Away>,
    /// Past which everything goes that is read.
    pub(crate) meter: Arc<Meter>,
    /// Files that were read before their tenant was closed.
    pub(crate) ahead: Ahead,
}

/// The repositories that this process has unlocked. Deriving a key from its password is slow by design, and several
/// operations follow one another while a tenant's gate is closed.
#[derive(Clone, Default)]
pub(crate) struct Unlocked(Arc<Mutex<BTreeMap<TenantName, (SecretString, MasterKey)>>>);

// What is in it is shown to nobody.
impl fmt::Debug for Unlocked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Unlocked")
    }
}

impl Unlocked {
    /// What a password unlocked before.
    fn by(&self, tenant: &TenantName, password: &SecretString) -> Option<MasterKey> {
        let all = self.0.lock().ok()?;
        let (known, master) = all.get(tenant)?;
        (known.expose_secret() == password.expose_secret()).then(|| master.clone())
    }

    /// The password that unlocked last.
    fn password(&self, tenant: &TenantName) -> Option<SecretString> {
        Some(self.0.lock().ok()?.get(tenant)?.0.clone())
    }

    fn keep(&self, tenant: &TenantName, password: SecretString, master: MasterKey) {
        if let Ok(mut all) = self.0.lock() {
            all.insert(tenant.clone(), (password, master));
        }
    }
}

/// An opened repository. The lock is held as long as this lives.
pub(crate) struct Opened {
    pub(crate) repository: Repository<OpenStatus>,
    pub(crate) backend: Arc<dyn RepositoryFiles>,
    pub(crate) lock: Lock,
}

impl Places {
    /// Where a tenant's repository lies. A tenant's name holds no `/` and does not begin with a dot.
    pub(crate) fn repository(&self, tenant: &TenantName) -> PathBuf {
        self.root.join(tenant.as_str())
    }

    /// Where the lock files lie.
    pub(crate) fn locks(&self) -> PathBuf {
        self.root.join(".locks")
    }

    /// The vault cannot be opened.
    pub(crate) fn unreachable(&self, tenant: &TenantName, cause: impl std::fmt::Display) -> Fault {
        match &self.away {
            Some(away) => away.mirror.fault(tenant, cause),
            None => Fault::new(Code::VaultUnreachable)
                .with("path", self.repository(tenant).display())
                .because(cause),
        }
    }

    /// What an error of opening means.
    fn opening(&self, tenant: &TenantName, error: &RusticError) -> Fault {
        if error.is_incorrect_password() {
            return key::fault(&self.keys, tenant).because("it does not open the repository");
        }
        match &self.away {
            Some(away) => away.mirror.failed(tenant, error),
            None => self.unreachable(tenant, error.display_log()),
        }
    }

    /// The files of a tenant's repository.
    fn files(&self, tenant: &TenantName) -> Result<Arc<dyn RepositoryFiles>> {
        if let Some(away) = &self.away
            && let Some(files) = away.remote(self, tenant)?
        {
            return Ok(files);
        }
        Ok(Arc::new(DirectoryBackend::new(self.repository(tenant))))
    }

    /// The same for changing them: only the vault's own are changed.
    fn own_files(&self, tenant: &TenantName) -> Result<Arc<dyn RepositoryFiles>> {
        match &self.away {
            Some(away) => Err(away.mirror.fault(tenant, "the copies at a mirror are only read")),
            None => Ok(Arc::new(DirectoryBackend::new(self.repository(tenant)))),
        }
    }

    fn repository_on(
        &self,
        tenant: &TenantName,
        backend: &Arc<dyn RepositoryFiles>,
    ) -> Result<Repository<()>> {
        // Without a cache: one in a home directory would hold what nobody there expects.
        let options = RepositoryOptions::default().no_cache(true);
        let backends = RepositoryBackends::new(backend.clone(), None);
        Repository::new(&options, &backends).map_err(|error| self.opening(tenant, &error))
    }

    /// Whether the repository was made; its configuration is the last thing that is written then.
    pub(crate) fn is_made(&self, tenant: &TenantName, backend: &dyn RepositoryFiles) -> Result<bool> {
        let configurations =
            backend.list_with_size(FileType::Config).map_err(|error| self.opening(tenant, &error))?;
        if configurations.is_empty() && backend.holds_data().map_err(|error| self.opening(tenant, &error))? {
            return Err(
                self.unreachable(tenant, "the repository holds data, but its file `config` is missing")
            );
        }
        Ok(!configurations.is_empty())
    }

    /// Opens a tenant's repository for reading; `None` when there is none yet.
    pub(crate) fn open(&self, tenant: &TenantName) -> Result<Option<Opened>> {
        let backend = self.files(tenant)?;
        if !self.is_made(tenant, backend.as_ref())? {
            return Ok(None);
        }
        let lock = self.lock_to_read(tenant)?;
        self.unlock(tenant, backend, lock).map(Some)
    }

    /// Opens a tenant's repository for adding; one that is not there yet is made. What a killed process left
    /// unfinished is removed.
    pub(crate) fn open_to_add(&self, tenant: &TenantName) -> Result<Opened> {
        let backend = self.own_files(tenant)?;
        let lock = self.lock_to_add(tenant)?;
        backend.remove_unfinished().map_err(|error| self.unreachable(tenant, error))?;
        if self.is_made(tenant, backend.as_ref())? {
            return self.unlock(tenant, backend, lock);
        }
        self.make(tenant, backend, lock)
    }

    /// Keeps others from deleting, without opening the repository.
    pub(crate) fn lock_to_read(&self, tenant: &TenantName) -> Result<Lock> {
        let away = self.away.as_ref().and_then(|away| away.lock_to_read(tenant));
        let lock = away.unwrap_or_else(|| Lock::to_read(&self.locks(), tenant.as_str()));
        lock.map_err(|error| self.unreachable(tenant, error))
    }

    /// Keeps others from adding and deleting, without opening the repository.
    pub(crate) fn lock_to_add(&self, tenant: &TenantName) -> Result<Lock> {
        Lock::to_add(&self.locks(), tenant.as_str()).map_err(|error| self.unreachable(tenant, error))
    }

    /// Keeps others from reading, adding and deleting, without opening the repository.
    pub(crate) fn lock_to_delete(&self, tenant: &TenantName) -> Result<Lock> {
        Lock::to_delete(&self.locks(), tenant.as_str()).map_err(|error| self.unreachable(tenant, error))
    }

    /// Keeps others from changing what is written down about a tenant's keys. Taken after every other lock.
    pub(crate) fn lock_keys(&self, tenant: &TenantName) -> Result<Lock> {
        Lock::to_change_keys(&self.locks(), tenant.as_str()).map_err(|error| self.unreachable(tenant, error))
    }

    /// Keeps others from changing what of a tenant is held.
    pub(crate) fn lock_holds(&self, tenant: &TenantName) -> Result<Lock> {
        Lock::to_hold(&self.locks(), tenant.as_str()).map_err(|error| self.unreachable(tenant, error))
    }

    /// Opens a tenant's repository for deleting; `None` when there is none yet. What a killed process left unfinished is
    /// removed.
    pub(crate) fn open_to_delete(&self, tenant: &TenantName) -> Result<Option<Opened>> {
        let backend = self.own_files(tenant)?;
        if !self.is_made(tenant, backend.as_ref())? {
            return Ok(None);
        }
        let lock = self.lock_to_delete(tenant)?;
        backend.remove_unfinished().map_err(|error| self.unreachable(tenant, error))?;
        self.unlock(tenant, backend, lock).map(Some)
    }

    /// Removes what a killed process left unfinished, without opening the repository.
    pub(crate) fn clear_unfinished(&self, tenant: &TenantName) -> Result<()> {
        let directory = self.repository(tenant);
        if !directory.is_dir() {
            return Ok(());
        }
        let _lock = self.lock_to_add(tenant)?;
        DirectoryBackend::new(directory).remove_unfinished().map_err(|error| self.unreachable(tenant, error))
    }

    fn unlock(&self, tenant: &TenantName, backend: Arc<dyn RepositoryFiles>, lock: Lock) -> Result<Opened> {
        let repository = self.unlocked_on(tenant, &backend)?;
        Ok(Opened { repository, backend, lock })
    }

    /// The repository in a directory, opened with the tenant's key.
    pub(crate) fn unlocked_on(
        &self,
        tenant: &TenantName,
        backend: &Arc<dyn RepositoryFiles>,
    ) -> Result<Repository<OpenStatus>> {
        let Some(key) = self.key(tenant)? else {
            return Err(key::fault(&self.keys, tenant).because("there is a repository, but no key"));
        };
        // One that was made anew with the same password has another master key: then the password decides.
        if let Some(master) = self.unlocked.by(tenant, &key)
            && let Ok(repository) = self.repository_on(tenant, backend)?.open(&Credentials::Masterkey(master))
        {
            return Ok(repository);
        }
        match self.repository_on(tenant, backend)?.open(&Credentials::password(key.expose_secret())) {
            Ok(repository) => {
                self.unlocked.keep(tenant, key, repository.key());
                Ok(repository)
            }
            // A mirror that was not copied to since the key was exchanged knows the one before only.
            Err(error) if error.is_incorrect_password() => {
                self.opened_by_one_before(tenant, backend)?.ok_or_else(|| self.opening(tenant, &error))
            }
            Err(error) => Err(self.opening(tenant, &error)),
        }
    }

    /// The tenant's key. While a run is under way, keys may be wrapped by a stack key that its configuration does not name:
    /// what it has opened before it goes on opening, so that its way back stays open.
    fn key(&self, tenant: &TenantName) -> Result<Option<SecretString>> {
        match key::read(&self.keys, tenant) {
            Err(fault) if matches!(fault.code, Code::StackKey | Code::KeyWrapped) => {
                self.unlocked.password(tenant).map(Some).ok_or(fault)
            }
            found => found,
        }
    }

    /// The repository in a directory, opened with this and nothing else.
    pub(crate) fn opened_with(
        &self,
        tenant: &TenantName,
        backend: &Arc<dyn RepositoryFiles>,
        credentials: &Credentials,
    ) -> Result<Repository<OpenStatus>> {
        self.repository_on(tenant, backend)?.open(credentials).map_err(|error| self.opening(tenant, &error))
    }

    fn opened_by_one_before(
        &self,
        tenant: &TenantName,
        backend: &Arc<dyn RepositoryFiles>,
    ) -> Result<Option<Repository<OpenStatus>>> {
        for before in key::before(&self.keys, tenant)? {
            match self.repository_on(tenant, backend)?.open(&Credentials::password(before.expose_secret())) {
                Ok(repository) => return Ok(Some(repository)),
                Err(error) if error.is_incorrect_password() => {}
                Err(error) => return Err(self.opening(tenant, &error)),
            }
        }
        Ok(None)
    }

    /// Makes a repository. The key is durable before anything is encrypted with it.
    fn make(&self, tenant: &TenantName, backend: Arc<dyn RepositoryFiles>, lock: Lock) -> Result<Opened> {
        let key = match key::read(&self.keys, tenant)? {
            Some(key) => key,
            None => key::create(&self.keys, tenant)?,
        };
        let directory = self.repository(tenant);
        durable::make_directory(&directory).map_err(|error| self.unreachable(tenant, error))?;
        // Keys of a making that was interrupted: they open with the same password, but not what is made now.
        remove_files(&directory.join(FileType::Key.dirname()))
            .map_err(|error| self.unreachable(tenant, error))?;
        let master = MasterKey::new();
        let init = self.repository_on(tenant, &backend)?;
        backend.create().map_err(|error| self.opening(tenant, &error))?;
        key_file::write(backend.as_ref(), &key, &master, None)
            .map_err(|problem| self.unreachable(tenant, problem))?;
        // The configuration is written last: without it there is no repository.
        let repository = init
            .init(&Credentials::Masterkey(master), &KeyOptions::default(), &shape())
            .map_err(|error| self.opening(tenant, &error))?;
        Ok(Opened { repository, backend, lock })
    }
}

/// How large the pieces are that a repository finds again from day to day, on the average, and how large the files are in
/// which it keeps them, in bytes. In a business's database a day changes rows here and there: with pieces of 1 MiB, as is
/// usual for files, nearly all of it would be stored anew each day. The files bound the memory of who writes them.
const PIECE: u64 = 64 * 1024;
const PACK: u64 = 8 * 1024 * 1024;

/// The settings of a new repository; one that is there keeps its own, for with others nothing of it would be found again.
fn shape() -> ConfigOptions {
    ConfigOptions::default()
        .set_chunk_size(ByteSize(PIECE))
        .set_chunk_min_size(ByteSize(PIECE / 4))
        .set_chunk_max_size(ByteSize(PIECE * 8))
        .set_datapack_size(ByteSize(PACK))
}

fn remove_files(directory: &Path) -> std::io::Result<()> {
    match std::fs::read_dir(directory) {
        Ok(entries) => entries.into_iter().try_for_each(|entry| std::fs::remove_file(entry?.path())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
