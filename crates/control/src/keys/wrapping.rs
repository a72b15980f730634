//! The stack key: keys that lie on the disk are wrapped by it, laid open, or brought from one stack key to another; and what
//! is wrong with it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use eclusa_config::{Secrets, Stack, ValueKind};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::TenantName;
use eclusa_vault::{LocalVault, Rewritten, stack_key};

use super::Keeper;
use crate::Assembly;
use crate::status::{Severity, Trouble, trouble};

/// What shall become of keys on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rewriting<'a> {
    /// What lies as it is shall be wrapped.
    Wrap,
    /// What the stack key at this reference wrapped shall be wrapped by the one of the configuration.
    Rewrap(&'a str),
    /// What is wrapped, by the stack key of the configuration or by the one at this reference, shall lie as it is.
    Unwrap(Option<&'a str>),
}

impl Keeper {
    /// Whether the configuration names a stack key.
    #[must_use]
    pub fn has_stack_key(&self) -> bool {
        self.vault.has_stack_key()
    }

    /// Does it for the named tenants, or for all of whom there is a key: one after the other, and one that fails keeps none of
    /// the others from it.
    ///
    /// # Errors
    /// `TenantUnknown`, `NothingToDo`, `StackKey`; otherwise the first of what went wrong with a tenant.
    pub async fn rewrite(
        &self,
        tenants: &[TenantName],
        wanted: Rewriting<'_>,
        mut done: impl FnMut(&TenantName, std::result::Result<&Rewritten, &Fault>),
    ) -> Result<()> {
        let former = match wanted {
            Rewriting::Rewrap(reference) | Rewriting::Unwrap(Some(reference)) => {
                Some(Arc::new(stack_key(reference, &self.former(reference)?)?))
            }
            Rewriting::Wrap | Rewriting::Unwrap(None) => None,
        };
        let mut chosen = self.chosen(tenants).await?;
        if tenants.is_empty() {
            let found = self.vault.wrapping().await?;
            chosen.extend(found.plain.into_iter().chain(found.wrapped));
        }
        let (mut any, mut first) = (false, None);
        for tenant in chosen {
            let rewritten = match wanted {
                Rewriting::Unwrap(_) => self.vault.unwrap_keys(&tenant, former.clone()).await,
                Rewriting::Wrap | Rewriting::Rewrap(_) => self.vault.wrap_keys(&tenant, former.clone()).await,
            };
            match rewritten {
                Ok(found) if found.changed.is_empty() && found.already.is_empty() => continue,
                // Nothing of this is a tenant's.
                Err(fault) if matches!(fault.code, Code::StackKey | Code::NothingToDo) => return Err(fault),
                Ok(found) => done(&tenant, Ok(&found)),
                Err(fault) => {
                    done(&tenant, Err(&fault));
                    first.get_or_insert(fault);
                }
            }
            any = true;
        }
        match first {
            Some(fault) => Err(fault),
            None if any => Ok(()),
            None => Err(Fault::new(Code::NothingToDo)
                .with("what", "there are no keys yet; they come with the first backup")),
        }
    }

    fn former(&self, reference: &str) -> Result<secrecy::SecretString> {
        self.secret(reference).map_err(|fault| {
            let problem = fault.args.get("problem").cloned().unwrap_or_default();
            let shown = fault.args.get("reference").cloned().unwrap_or_default();
            Fault::new(Code::StackKey).with("reference", shown).with("problem", problem)
        })
    }
}

/// The file in which the stack key stands, if it stands in one.
fn file_of(stack: &Stack) -> Option<PathBuf> {
    match stack.vault.stack_key.as_ref()?.kind() {
        ValueKind::File(path) => Some(stack.resolve(Path::new(path))),
        ValueKind::Environment(_) | ValueKind::Literal(_) => None,
    }
}

/// What is wrong with the stack key, and with keys that it should wrap.
pub(super) async fn troubles(assembly: &Assembly, vault: &LocalVault) -> Vec<Trouble> {
    let stack = &assembly.stack;
    let Some(reference) = &stack.vault.stack_key else { return Vec::new() };
    let mut found = Vec::new();
    if let Err(fault) = vault.check_stack_key().await {
        let problem = fault.args.get("problem").cloned().unwrap_or_else(|| fault.to_string());
        let text = Message::new("trouble-stack-key")
            .with("reference", reference)
            .with("problem", assembly.ports.secrets.redact(&problem));
        found.push(trouble(Severity::Problem, text, Some(Message::new("repair-stack-key"))));
    }
    // What cannot be read is told where the points are listed.
    let plain = vault.wrapping().await.map(|found| found.plain).unwrap_or_default();
    if !plain.is_empty() {
        let names: Vec<&str> = plain.iter().map(TenantName::as_str).collect();
        let text =
            Message::new("trouble-keys-plain").with("tenants", names.join(", ")).with("number", names.len());
        found.push(trouble(Severity::Notice, text, Some(Message::new("repair-keys-wrap"))));
    }
    if let Some(file) = file_of(stack) {
        let directories = [vault.key_directory().to_owned(), assembly.state.clone()];
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(directory) = directories.iter().find(|directory| real(&file).starts_with(real(directory)))
        {
            let text = Message::new("trouble-stack-key-beside").with("directory", directory.display());
            found.push(trouble(Severity::Notice, text, Some(Message::new("repair-stack-key-beside"))));
        }
        let warning = Secrets::of_stack(stack).ok().and_then(|secrets| secrets.warning(reference.as_str()));
        if let Some(text) = warning {
            let repair = Message::new("repair-stack-key-readable").with("path", file.display());
            found.push(trouble(Severity::Notice, text, Some(repair)));
        }
    }
    found
}
