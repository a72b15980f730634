//! What the vault does beyond restore points: with keys, and when everything of a tenant has to go.

use std::collections::BTreeSet;
use std::sync::Arc;

use eclusa_fault::Result;
use eclusa_model::TenantName;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::LocalVault;
use crate::erase::{self, ErasePlace, Holdings};
use crate::key_record::{DoneBy, Escrow};
use crate::keys::{self, PutBack, TenantKeys};
use crate::stack_key::StackKey;
use crate::wrapping::{self, Rewritten, Wrapping};

impl LocalVault {
    /// The tenants that have a repository or a key here, whatever the configuration names.
    ///
    /// # Errors
    /// `VaultUnreachable`.
    pub async fn tenants(&self) -> Result<BTreeSet<TenantName>> {
        self.on_thread(|places| {
            let mut found = BTreeSet::new();
            let names = |directory: &std::path::Path| -> Vec<String> {
                let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
                entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
            };
            for name in names(&places.root) {
                if let Ok(tenant) = TenantName::new(&name)
                    && places.repository(&tenant).is_dir()
                {
                    found.insert(tenant);
                }
            }
            let of_keys = names(&places.keys.path);
            found.extend(of_keys.iter().filter_map(|name| TenantName::new(name.strip_suffix(".key")?).ok()));
            Ok(found)
        })
        .await
    }

    /// Which keys open a tenant's repository.
    ///
    /// # Errors
    /// `VaultUnreachable`, `VaultKey` when the key cannot be read.
    pub async fn keys(&self, tenant: &TenantName) -> Result<TenantKeys> {
        let tenant = tenant.clone();
        self.on_thread(move |places| keys::of(places, &tenant)).await
    }

    /// The same without a look into the repository: which of them open it is not known then.
    ///
    /// # Errors
    /// `VaultUnreachable`, `VaultKey` when the key cannot be read.
    pub async fn keys_written_down(&self, tenant: &TenantName) -> Result<TenantKeys> {
        let tenant = tenant.clone();
        self.on_thread(move |places| keys::written_down(places, &tenant)).await
    }

    /// Gives a tenant a new key; the one before opens the repository no longer. Whenever it is killed, the key on the disk
    /// opens the repository.
    ///
    /// # Errors
    /// `NothingToDo` without a repository, `VaultKey`, `VaultUnreachable`.
    pub async fn rotate_key(&self, tenant: &TenantName, by: DoneBy) -> Result<TenantKeys> {
        let tenant = tenant.clone();
        self.on_thread(move |places| keys::rotate(places, &tenant, by)).await
    }

    /// Gives somebody a key of their own.
    ///
    /// # Errors
    /// `NothingToDo` when they have one, or without a repository; `VaultKey`, `VaultUnreachable`.
    pub async fn add_auditor(
        &self,
        tenant: &TenantName,
        name: &str,
        password: &SecretString,
        by: DoneBy,
    ) -> Result<()> {
        let (tenant, name, password) = (tenant.clone(), name.to_owned(), password.clone());
        self.on_thread(move |places| keys::add_auditor(places, &tenant, &name, &password, by)).await
    }

    /// Takes somebody's key back; whether they had one.
    ///
    /// # Errors
    /// `NothingToDo` without a repository, `VaultKey`, `VaultUnreachable`.
    pub async fn remove_auditor(&self, tenant: &TenantName, name: &str, by: DoneBy) -> Result<bool> {
        let (tenant, name) = (tenant.clone(), name.to_owned());
        self.on_thread(move |places| keys::remove_auditor(places, &tenant, &name, by)).await
    }

    /// The tenant's key: the password of its repository.
    ///
    /// # Errors
    /// `VaultKey`.
    pub async fn reveal_key(&self, tenant: &TenantName) -> Result<SecretString> {
        let tenant = tenant.clone();
        self.on_thread(move |places| keys::reveal(places, &tenant)).await
    }

    /// Wraps what of a tenant's files with keys lies as it is; with `former`, what that stack key wrapped is wrapped anew.
    /// Whenever it is killed, each file is as it was or as it shall be.
    ///
    /// # Errors
    /// `NothingToDo` without a stack key; `StackKey`, `KeyWrapped`, `VaultKey`, `VaultUnreachable`.
    pub async fn wrap_keys(&self, tenant: &TenantName, former: Option<Arc<StackKey>>) -> Result<Rewritten> {
        let tenant = tenant.clone();
        self.on_thread(move |places| wrapping::wrap(places, &tenant, former.as_deref())).await
    }

    /// The opposite: lays a tenant's wrapped files with keys open. `former` opens what the configured stack key does not.
    ///
    /// # Errors
    /// `StackKey`, `KeyWrapped`, `VaultKey`, `VaultUnreachable`.
    pub async fn unwrap_keys(&self, tenant: &TenantName, former: Option<Arc<StackKey>>) -> Result<Rewritten> {
        let tenant = tenant.clone();
        self.on_thread(move |places| wrapping::unwrap(places, &tenant, former.as_deref())).await
    }

    /// Whether files with keys are there that are plain and that are wrapped: the tenants of each.
    ///
    /// # Errors
    /// `VaultKey` when the directory cannot be read.
    pub async fn wrapping(&self) -> Result<Wrapping> {
        self.on_thread(wrapping::of).await
    }

    /// Whether a stack key is configured, whatever is wrong with it.
    #[must_use]
    pub fn has_stack_key(&self) -> bool {
        self.places.keys.is_wrapping()
    }

    /// Reads the stack key, if one is configured.
    ///
    /// # Errors
    /// `StackKey`.
    pub async fn check_stack_key(&self) -> Result<()> {
        self.on_thread(|places| places.keys.stack_key_now().map(drop)).await
    }

    /// Writes down that a tenant's key was put into an encrypted file.
    ///
    /// # Errors
    /// `VaultUnreachable`.
    pub async fn note_escrow(&self, tenant: &TenantName, escrow: Escrow) -> Result<()> {
        let tenant = tenant.clone();
        self.on_thread(move |places| keys::note_escrow(places, &tenant, escrow)).await
    }

    /// Puts a key back where it belongs. Another one that is there is only replaced when that is wanted, and kept beside it.
    ///
    /// # Errors
    /// `VaultKey`, `VaultUnreachable`.
    pub async fn put_key_back(
        &self,
        tenant: &TenantName,
        wanted: &SecretString,
        replace: bool,
        at: Timestamp,
    ) -> Result<PutBack> {
        let (tenant, wanted) = (tenant.clone(), wanted.clone());
        self.on_thread(move |places| keys::put_back(places, &tenant, &wanted, replace, at)).await
    }

    /// Everything that is here and at the mirrors of a tenant.
    ///
    /// # Errors
    /// `VaultUnreachable`.
    pub async fn holdings(&self, tenant: &TenantName) -> Result<Holdings> {
        let tenant = tenant.clone();
        self.on_thread(move |places| erase::holdings(places, &tenant)).await
    }

    /// Destroys the keys of a tenant on this machine; how many files that were. There is no way back from here.
    ///
    /// # Errors
    /// `VaultKey`, `VaultUnreachable`.
    pub async fn erase_keys(&self, tenant: &TenantName) -> Result<u64> {
        let tenant = tenant.clone();
        self.on_thread(move |places| erase::keys_here(places, &tenant)).await
    }

    /// Destroys the files by which keys open the repository at a place.
    ///
    /// # Errors
    /// `VaultUnreachable`, `MirrorFailed`.
    pub async fn erase_key_files(&self, tenant: &TenantName, place: &ErasePlace) -> Result<()> {
        let (tenant, place) = (tenant.clone(), place.clone());
        self.on_thread(move |places| erase::key_files(places, &tenant, &place)).await
    }

    /// Destroys the repository at a place; how many files and bytes there were.
    ///
    /// # Errors
    /// `VaultUnreachable`, `MirrorFailed`.
    pub async fn erase_repository(&self, tenant: &TenantName, place: &ErasePlace) -> Result<(u64, u64)> {
        let (tenant, place) = (tenant.clone(), place.clone());
        self.on_thread(move |places| erase::repository(places, &tenant, &place)).await
    }

    /// Removes what is written down about a tenant in the vault. What is known of mirrors where something is left stays.
    ///
    /// # Errors
    /// `VaultUnreachable`.
    pub async fn erase_traces(&self, tenant: &TenantName, left: BTreeSet<String>) -> Result<()> {
        let tenant = tenant.clone();
        self.on_thread(move |places| erase::traces(places, &tenant, &left)).await
    }

    /// The directory of keys, for telling people.
    #[must_use]
    pub fn key_directory(&self) -> &std::path::Path {
        &self.places.keys.path
    }

    /// The directory of a tenant's repository, for telling people.
    #[must_use]
    pub fn repository_path(&self, tenant: &TenantName) -> std::path::PathBuf {
        self.places.repository(tenant)
    }

    /// A mirror's name and where the tenant's repository lies there, for telling people.
    #[must_use]
    pub fn mirror_paths(&self, tenant: &TenantName) -> Vec<(String, String)> {
        let of = |mirror: &crate::Mirror| {
            let location = crate::mirror::location(&self.places, &mirror.name)?;
            Some((mirror.name.clone(), format!("{location}/{tenant}")))
        };
        self.places.mirrors.iter().filter_map(of).collect()
    }
}
