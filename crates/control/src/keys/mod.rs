//! The keys of restore points: shown, put into an encrypted file and back, exchanged, given to auditors. None of this needs
//! the stack to run: after a disaster there is nothing but the configuration and a file with keys.

mod escrow;
mod sheet;
mod wrapping;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use eclusa_config::{Secrets, Stack};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{StackName, TenantName};
use eclusa_ports::SecretResolver;
use eclusa_vault::LocalVault;
pub use eclusa_vault::{Auditor, DoneBy, Escrow, PutBack, Rewritten, TenantKeys, new_key};
use secrecy::SecretString;

use crate::secrets::StackSecrets;
use crate::status::{Severity, Trouble, trouble};
use crate::{Assembly, Workspace, mirrors};

pub use escrow::{Escrowed, Opening, Recovered, Sealing, write_private};
pub use wrapping::Rewriting;

/// The keys of a stack.
pub struct Keeper {
    /// The stack.
    pub stack: StackName,
    configuration: Stack,
    vault: LocalVault,
}

/// The vault of a stack with its mirrors.
pub(crate) fn vault_of(
    name: &StackName,
    stack: &Stack,
    state: &Path,
    secrets: Arc<dyn SecretResolver>,
) -> LocalVault {
    let vault = LocalVault::new(
        stack.vault_directory(state),
        stack.key_directory(state),
        name.clone(),
        state.join("scratch").join(name.as_str()),
    )
    .with_mirrors(mirrors::of(stack), secrets.clone());
    match &stack.vault.stack_key {
        Some(reference) => vault.with_stack_key(reference.as_str().to_owned(), secrets),
        None => vault,
    }
}

impl Keeper {
    /// The keys of a stack of the configuration.
    ///
    /// # Errors
    /// When the configuration names no such stack.
    pub fn of(workspace: &Workspace, stack: Option<&str>) -> Result<Self> {
        let (name, stack) = workspace.configuration.stack(stack)?;
        let secrets = Arc::new(StackSecrets::new(stack, &workspace.state)?);
        let vault = vault_of(name, stack, &workspace.state, secrets);
        Ok(Self { stack: name.clone(), configuration: stack.clone(), vault })
    }

    /// A secret that the configuration's mechanism knows: `file:PATH` or `env:NAME`.
    ///
    /// # Errors
    /// `SecretMissing`.
    pub fn secret(&self, reference: &str) -> Result<SecretString> {
        Secrets::of_stack(&self.configuration)?.resolve(reference)
    }

    /// Those of the named tenants, or of all that have any.
    ///
    /// # Errors
    /// `TenantUnknown`, `VaultUnreachable`, `VaultKey`.
    pub async fn list(&self, tenants: &[TenantName]) -> Result<Vec<TenantKeys>> {
        let mut found = Vec::new();
        for tenant in self.chosen(tenants).await? {
            found.push(self.vault.keys(&tenant).await?);
        }
        Ok(found)
    }

    async fn chosen(&self, tenants: &[TenantName]) -> Result<BTreeSet<TenantName>> {
        let known = self.vault.tenants().await?;
        if let Some(unknown) = tenants.iter().find(|tenant| !known.contains(*tenant)) {
            let known: Vec<&str> = known.iter().map(TenantName::as_str).collect();
            return Err(Fault::new(Code::TenantUnknown)
                .with("tenant", unknown)
                .with("known", known.join(", ")));
        }
        Ok(if tenants.is_empty() { known } else { tenants.iter().cloned().collect() })
    }

    /// The tenants with a repository, of which alone keys can be changed.
    async fn with_repository(&self, tenants: &[TenantName]) -> Result<Vec<TenantName>> {
        let keys = self.list(tenants).await?.into_iter();
        let found: Vec<TenantName> =
            keys.filter(|keys| keys.repository || !tenants.is_empty()).map(|keys| keys.tenant).collect();
        if found.is_empty() {
            return Err(Fault::new(Code::NothingToDo).with("what", "no tenant has restore points yet"));
        }
        Ok(found)
    }

    /// Gives tenants new keys, one after the other.
    ///
    /// # Errors
    /// `TenantUnknown`, `NothingToDo`, `VaultKey`, `VaultUnreachable`.
    pub async fn rotate(
        &self,
        tenants: &[TenantName],
        by: &DoneBy,
        mut done: impl FnMut(&TenantKeys),
    ) -> Result<()> {
        for tenant in self.with_repository(tenants).await? {
            done(&self.vault.rotate_key(&tenant, by.clone()).await?);
        }
        Ok(())
    }

    /// Gives an auditor one key for the repositories of tenants; those that were opened to it.
    ///
    /// # Errors
    /// `TenantUnknown`, `NothingToDo` when they have a key of one of them already, `VaultKey`, `VaultUnreachable`.
    pub async fn add_auditor(
        &self,
        name: &str,
        tenants: &[TenantName],
        password: &SecretString,
        by: &DoneBy,
    ) -> Result<Vec<TenantName>> {
        let tenants = self.with_repository(tenants).await?;
        for keys in self.list(&tenants).await? {
            if keys.auditors.iter().any(|auditor| auditor.name == name) {
                let what = format!("{name} has a key of {} already", keys.tenant);
                return Err(Fault::new(Code::NothingToDo).with("what", what));
            }
        }
        for tenant in &tenants {
            self.vault.add_auditor(tenant, name, password, by.clone()).await?;
        }
        Ok(tenants)
    }

    /// Takes an auditor's keys back; of which tenants.
    ///
    /// # Errors
    /// `TenantUnknown`, `NothingToDo` when there was none, `VaultKey`, `VaultUnreachable`.
    pub async fn remove_auditor(
        &self,
        name: &str,
        tenants: &[TenantName],
        by: &DoneBy,
    ) -> Result<Vec<TenantName>> {
        let mut removed = Vec::new();
        for tenant in self.with_repository(tenants).await? {
            if self.vault.remove_auditor(&tenant, name, by.clone()).await? {
                removed.push(tenant);
            }
        }
        if removed.is_empty() {
            return Err(Fault::new(Code::NothingToDo).with("what", format!("{name} has no key")));
        }
        Ok(removed)
    }

    /// A tenant's key itself.
    ///
    /// # Errors
    /// `TenantUnknown`, `VaultKey`.
    pub async fn reveal(&self, tenant: &TenantName) -> Result<SecretString> {
        self.chosen(std::slice::from_ref(tenant)).await?;
        self.vault.reveal_key(tenant).await
    }

    /// Where a tenant's repository is.
    #[must_use]
    pub fn repository(&self, tenant: &TenantName) -> String {
        self.vault.repository_path(tenant).display().to_string()
    }
}

/// What is wrong with the keys of a stack.
pub(crate) async fn troubles(assembly: &Assembly) -> Vec<Trouble> {
    let vault = vault_of(&assembly.name, &assembly.stack, &assembly.state, assembly.ports.secrets.clone());
    let (mut never, mut since, mut unfinished) = (Vec::new(), Vec::new(), Vec::new());
    let wrapping = wrapping::troubles(assembly, &vault).await;
    for tenant in assembly.tenants.iter() {
        // What cannot be read is told where the points are listed.
        let Ok(keys) = vault.keys_written_down(&tenant.name).await else { continue };
        if keys.fingerprint.is_some() && keys.escrow().is_none() {
            if keys.escrows.is_empty() { &mut never } else { &mut since }.push(tenant.name.to_string());
        }
        if keys.unfinished {
            unfinished.push(tenant.name.to_string());
        }
    }
    let escrow = Message::new("repair-keys-escrow");
    let rotate = Message::new("repair-keys-rotate").with("tenants", unfinished.join(" "));
    [
        ("trouble-keys-never", never, escrow.clone()),
        ("trouble-keys-since", since, escrow),
        ("trouble-keys-unfinished", unfinished, rotate),
    ]
    .into_iter()
    .filter(|(_, tenants, _)| !tenants.is_empty())
    .map(|(id, tenants, repair)| {
        let text = Message::new(id).with("tenants", tenants.join(", ")).with("number", tenants.len());
        trouble(Severity::Notice, text, Some(repair))
    })
    .chain(wrapping)
    .collect()
}
