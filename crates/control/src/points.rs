//! The restore points of a stack.

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use eclusa_ports::{PointManifest, Proof};

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
}

/// The restore points of some tenants, or of all.
///
/// # Errors
/// `VaultUnreachable`, `VaultKey`, `TenantUnknown`.
pub async fn list(assembly: &Assembly, tenants: &[TenantName]) -> Result<Vec<TenantPoints>> {
    use eclusa_ports::JournalStore;
    if let Some(unknown) =
        tenants.iter().find(|name| !assembly.tenants.iter().any(|tenant| tenant.name == **name))
    {
        let known: Vec<&str> = assembly.tenants.iter().map(|tenant| tenant.name.as_str()).collect();
        return Err(Fault::new(Code::TenantUnknown).with("tenant", unknown).with("known", known.join(", ")));
    }
    let mut all = Vec::new();
    for tenant in
        assembly.tenants.iter().filter(|tenant| tenants.is_empty() || tenants.contains(&tenant.name))
    {
        let (points, unreadable) = assembly.ports.vault.list(&tenant.name).await?;
        let proof = assembly.journal.newest_proof(&assembly.name, &tenant.name)?;
        all.push(TenantPoints { tenant: tenant.name.clone(), points, unreadable, proof });
    }
    Ok(all)
}
