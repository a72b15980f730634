//! Which restore points a drill restores: of each tenant its newest backup, or of those whose last proof is oldest.

use std::collections::BTreeMap;
use std::path::Path;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_ports::Proof;
use eclusa_runbook::Intent;

use crate::Assembly;
use crate::points::{self, TenantPoints};

/// What a drill is about.
pub struct Drill {
    /// The points that are restored.
    pub points: BTreeMap<TenantName, PointId>,
    /// The mirror they are read from; none: the vault.
    pub from: Option<String>,
    /// Tenants of whom there is no backup that could be read.
    pub without: Vec<TenantName>,
    /// Points that are there and cannot be read, and why.
    pub unreadable: Vec<(TenantName, String)>,
}

impl Drill {
    /// As an intent; `application`: it is also started on each copy; `on`: a directory that files go to, as [`directory`]
    /// gives it.
    #[must_use]
    pub fn intent(&self, application: bool, on: Option<String>) -> Intent {
        Intent::Drill { points: self.points.clone(), from: self.from.clone(), application, on }
    }
}

/// A directory that files of a drill go to, as a plan names it: it is there, and it is nobody's live data.
///
/// # Errors
/// `FileAccess` when it is no directory; `PathEscapes` when it lies within files of a tenant, or a tenant's in it.
pub async fn directory(assembly: &Assembly, path: Option<&Path>) -> Result<Option<String>> {
    let Some(path) = path else { return Ok(None) };
    let unusable = |why: String| {
        Fault::new(Code::FileAccess)
            .with("path", path.display())
            .with("operation", "used for a drill")
            .because(why)
    };
    let whole = path.canonicalize().map_err(|error| unusable(error.to_string()))?;
    if !whole.is_dir() {
        return Err(unusable("it is no directory".to_owned()));
    }
    for place in assembly.tenants.iter().flat_map(|tenant| &tenant.files) {
        let live = assembly.ports.runtime.files_directory(place).await?;
        if whole.starts_with(&live) || live.starts_with(&whole) {
            return Err(unusable(format!("the live files of a tenant are in {}", live.display())));
        }
    }
    let text = whole.to_str().ok_or_else(|| unusable("its name is no text".to_owned()))?;
    Ok(Some(text.to_owned()))
}

/// Chooses for some tenants, or all; with `sample` only so many of them, those first that were never proved, then those whose
/// proof is oldest. `from` names a mirror whose copies are restored instead of what is in the vault.
///
/// # Errors
/// As [`points::list`].
pub async fn choose(
    assembly: &Assembly,
    tenants: &[TenantName],
    sample: Option<u32>,
    from: Option<String>,
) -> Result<Drill> {
    let all = match &from {
        None => points::list(assembly, tenants).await?,
        Some(mirror) => points::list_at(assembly, tenants, mirror).await?,
    };
    Ok(of(all, sample, from))
}

fn of(all: Vec<TenantPoints>, sample: Option<u32>, from: Option<String>) -> Drill {
    let (mut found, mut without): (Vec<(Option<Proof>, TenantName, PointId)>, _) = (Vec::new(), Vec::new());
    let mut damaged = Vec::new();
    for TenantPoints { tenant, points, proof, unreadable, .. } in all {
        damaged.extend(unreadable.into_iter().map(|problem| (tenant.clone(), problem)));
        let newest = points.into_iter().find(|point| point.kind.is_backup() && point.id.is_some());
        match newest.and_then(|point| point.id) {
            Some(id) => found.push((proof, tenant, id)),
            None => without.push(tenant),
        }
    }
    found.sort_by_key(|(proof, tenant, _)| (proof.as_ref().map(|proof| proof.at), tenant.clone()));
    found.truncate(sample.map_or(usize::MAX, |count| count as usize));
    let points: BTreeMap<TenantName, PointId> =
        found.into_iter().map(|(_, tenant, point)| (tenant, point)).collect();
    Drill { points, from, without, unreadable: damaged }
}
