//! The restore points of a stack.

use std::collections::BTreeMap;
use std::sync::Arc;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_ports::{Hold, MirrorCopies, PointManifest, Proof, Vault};

use crate::Assembly;

/// The restore points of one tenant.
pub struct TenantPoints {
    /// The tenant.
    pub tenant: TenantName,
    /// Its points, newest first.
    pub points: Vec<PointManifest>,
    /// Points that are there and cannot be read.
    pub unreadable: Vec<String>,
    /// The newest proof.
    pub proof: Option<Proof>,
    /// What is known of their copies elsewhere.
    pub copies: Vec<MirrorCopies>,
    /// Points that somebody has said must not go.
    pub holds: BTreeMap<PointId, Hold>,
}

/// The restore points of some tenants, or of all.
///
/// # Errors
/// `VaultUnreachable`, `VaultKey`, `TenantUnknown`.
pub async fn list(assembly: &Assembly, tenants: &[TenantName]) -> Result<Vec<TenantPoints>> {
    list_in(assembly, tenants, &assembly.ports.vault).await
}

/// Those at a mirror.
///
/// # Errors
/// As [`list`], and `MirrorUnknown`, `MirrorFailed`.
pub async fn list_at(assembly: &Assembly, tenants: &[TenantName], mirror: &str) -> Result<Vec<TenantPoints>> {
    list_in(assembly, tenants, &assembly.ports.vault.at_mirror(mirror)?).await
}

async fn list_in(
    assembly: &Assembly,
    tenants: &[TenantName],
    vault: &Arc<dyn Vault>,
) -> Result<Vec<TenantPoints>> {
    use eclusa_ports::JournalStore;
    for name in tenants {
        assembly.tenant(name)?;
    }
    let mut all = Vec::new();
    for tenant in
        assembly.tenants.iter().filter(|tenant| tenants.is_empty() || tenants.contains(&tenant.name))
    {
        let (points, unreadable) = vault.list(&tenant.name).await?;
        let proof = assembly.journal.newest_proof(&assembly.name, &tenant.name)?;
        let holds = assembly.ports.vault.holds(&tenant.name).await?;
        let copies = assembly.ports.vault.copies(&tenant.name).await?;
        all.push(TenantPoints { tenant: tenant.name.clone(), points, unreadable, proof, copies, holds });
    }
    Ok(all)
}

/// The point of any tenant whose id is this or begins so.
///
/// # Errors
/// `PointUnknown` when none does, or those of several tenants; `PointDamaged`, `VaultUnreachable`.
pub async fn one(assembly: &Assembly, point: &str) -> Result<(TenantName, PointId)> {
    let unknown = || Fault::new(Code::PointUnknown).with("tenant", "any tenant").with("point", point);
    let mut found: Vec<(TenantName, PointId)> = Vec::new();
    for tenant in assembly.tenants.iter() {
        match assembly.ports.vault.find(&tenant.name, point).await {
            Ok(manifest) => found.extend(manifest.id.map(|id| (tenant.name.clone(), id))),
            Err(fault) if fault.code == Code::PointUnknown => {}
            Err(fault) => return Err(fault),
        }
    }
    match found.pop() {
        Some(one) if found.is_empty() => Ok(one),
        Some(_) => Err(unknown().because("points of more than one tenant begin so")),
        None => Err(unknown()),
    }
}
