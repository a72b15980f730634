//! Which restore points a drill restores: of each tenant its newest backup, or of those whose last proof is oldest.

use std::collections::BTreeMap;

use eclusa_fault::Result;
use eclusa_model::{PointId, TenantName};
use eclusa_ports::Proof;
use eclusa_runbook::{Intent, PointKind};

use crate::Assembly;
use crate::points::{self, TenantPoints};

/// What a drill is about.
pub struct Drill {
    /// The points that are restored, as an intent.
    pub intent: Intent,
    /// Tenants of whom there is no backup that could be read.
    pub without: Vec<TenantName>,
}

/// Chooses for some tenants, or all; with `sample` only so many of them, those first that were never proved, then those whose
/// proof is oldest.
///
/// # Errors
/// As [`points::list`].
pub async fn choose(assembly: &Assembly, tenants: &[TenantName], sample: Option<u32>) -> Result<Drill> {
    Ok(of(points::list(assembly, tenants).await?, sample))
}

fn of(all: Vec<TenantPoints>, sample: Option<u32>) -> Drill {
    let (mut found, mut without): (Vec<(Option<Proof>, TenantName, PointId)>, _) = (Vec::new(), Vec::new());
    for TenantPoints { tenant, points, proof, .. } in all {
        let newest = points.into_iter().find(|point| point.kind != PointKind::Salvage && point.id.is_some());
        match newest.and_then(|point| point.id) {
            Some(id) => found.push((proof, tenant, id)),
            None => without.push(tenant),
        }
    }
    found.sort_by_key(|(proof, tenant, _)| (proof.as_ref().map(|proof| proof.at), tenant.clone()));
    found.truncate(sample.map_or(usize::MAX, |count| count as usize));
    let points: BTreeMap<TenantName, PointId> =
        found.into_iter().map(|(_, tenant, point)| (tenant, point)).collect();
    Drill { intent: Intent::Drill { points }, without }
}
