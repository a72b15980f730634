//! The ledgers of erased persons, one for each tenant: `STATE/persons/STACK/TENANT/ledger.json`, and beside it the statements. The
//! statements name the person, since nothing else finds what has to go; so the directory is its owner's only, no journal, plan,
//! report or bundle holds a word of them, and erasing the tenant removes them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use eclusa_runbook::{Intent, PersonErasure};
use serde::Deserialize;

use crate::{Assembly, running, statements};

/// The format of a ledger.
const FORMAT: u32 = 1;

#[derive(Deserialize)]
struct Ledger {
    format: u32,
    erasures: Vec<PersonErasure>,
}

/// Where the ledgers of a stack are.
#[must_use]
pub fn directory(assembly: &Assembly) -> PathBuf {
    assembly.state.join("persons").join(assembly.name.as_str())
}

fn of_tenant(assembly: &Assembly, tenant: &TenantName) -> PathBuf {
    directory(assembly).join(tenant.as_str())
}

fn fault(path: &Path, operation: &str, why: impl std::fmt::Display) -> Fault {
    Fault::new(Code::FileAccess).with("path", path.display()).with("operation", operation).because(why)
}

/// The erasures of a tenant's ledger, the oldest first.
///
/// # Errors
/// `FileAccess` when it cannot be read.
pub fn ledger(assembly: &Assembly, tenant: &TenantName) -> Result<Vec<PersonErasure>> {
    let path = of_tenant(assembly, tenant).join("ledger.json");
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        bytes => bytes.map_err(|error| fault(&path, "read", error))?,
    };
    let found: Ledger = serde_json::from_slice(&bytes).map_err(|error| fault(&path, "read", error))?;
    if found.format != FORMAT {
        return Err(fault(&path, "read", format!("its format is {}", found.format)));
    }
    Ok(found.erasures)
}

/// How many erasures each ledger holds, where there are any.
///
/// # Errors
/// `FileAccess`: a ledger that cannot be read must not be taken for an empty one.
pub fn counts(assembly: &Assembly) -> Result<BTreeMap<TenantName, usize>> {
    let mut found = BTreeMap::new();
    for tenant in assembly.tenants.iter() {
        let count = ledger(assembly, &tenant.name)?.len();
        if count > 0 {
            found.insert(tenant.name.clone(), count);
        }
    }
    Ok(found)
}

/// The intent to erase a person, with the statements taken over.
///
/// # Errors
/// `TenantUnknown`, `FileAccess`.
pub async fn intent(assembly: &Assembly, tenant: &TenantName, path: &Path, reason: &str) -> Result<Intent> {
    assembly.tenant(tenant)?;
    running::check_alone(assembly).await?;
    clear(assembly, tenant)?;
    let statements = statements::keep(assembly, path, &of_tenant(assembly, tenant)).await?;
    Ok(Intent::ErasePerson { tenant: tenant.clone(), statements, reason: reason.to_owned() })
}

/// Removes statements that no ledger names: of plans that nobody agreed to. No run is under way when this is called.
fn clear(assembly: &Assembly, tenant: &TenantName) -> Result<()> {
    let named: Vec<String> =
        ledger(assembly, tenant)?.into_iter().map(|entry| entry.statements.path).collect();
    let entries = std::fs::read_dir(of_tenant(assembly, tenant)).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let is_one = path.extension().is_some_and(|extension| extension == "sql");
        if is_one && !named.contains(&path.display().to_string()) {
            std::fs::remove_file(&path).map_err(|error| fault(&path, "removed", error))?;
        }
    }
    Ok(())
}

/// Removes a tenant's ledger with its statements.
///
/// # Errors
/// `FileAccess`.
pub(crate) fn remove(assembly: &Assembly, tenant: &TenantName) -> Result<()> {
    let path = of_tenant(assembly, tenant);
    match std::fs::remove_dir_all(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(fault(&path, "removed", error)),
        _ => Ok(()),
    }
}
