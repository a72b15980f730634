//! Throwing points away. What no other point needs goes with them, and the rest is looked through afterwards.

use std::collections::{BTreeMap, BTreeSet};

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_ports::{Forgotten, Hold};
use rustic_core::repofile::SnapshotId;
use rustic_core::{CheckOptions, FileType, Id, PruneOptions, RusticError};

use crate::files::RepositoryFiles;
use crate::repository::{Opened, Places};
use crate::{holds, point};

/// What is thrown away, and how.
pub(crate) struct Forgetting<'a> {
    pub(crate) tenant: &'a TenantName,
    pub(crate) points: &'a [PointId],
    pub(crate) held: &'a BTreeMap<PointId, Hold>,
    /// How much is written anew.
    pub(crate) options: PruneOptions,
    /// What an error of rustic_core means.
    pub(crate) fail: &'a dyn Fn(Box<RusticError>) -> Fault,
}

/// Throws these points away; those that are gone already are passed over, so that it can be done again.
pub(crate) fn forget(places: &Places, tenant: &TenantName, points: &[PointId]) -> Result<Forgotten> {
    let Some(opened) = places.open_to_delete(tenant)? else { return Ok(Forgotten::default()) };
    let held = holds::of(places, tenant)?;
    let fail = |error: Box<RusticError>| places.unreachable(tenant, error.display_log());
    let options = PruneOptions::default();
    forget_in(&opened, Forgetting { tenant, points, held: &held, options, fail: &fail })
}

/// The same in a repository whose lock is held alone.
///
/// What is still needed is known before anything is removed: a repository that cannot be read whole loses nothing.
pub(crate) fn forget_in(opened: &Opened, forgetting: Forgetting<'_>) -> Result<Forgotten> {
    let Forgetting { tenant, points, held, mut options, fail } = forgetting;
    let (mut going, mut staying) = (Vec::new(), 0_usize);
    // Both may be thousands: comparing each with each would take longer than reading them.
    let chosen: BTreeSet<&str> = points.iter().map(PointId::as_str).collect();
    for id in opened.backend.list(FileType::Snapshot).map_err(fail)? {
        let wanted = chosen.contains(id.to_hex().as_str());
        match point::snapshot(opened, id).map_err(fail)? {
            Some(_) if wanted => going.push(SnapshotId::from(id)),
            Some(_) => staying += 1,
            None => {}
        }
    }
    if staying == 0 && !going.is_empty() {
        return Err(Fault::new(Code::PointFailed)
            .with("tenant", tenant)
            .because("no restore point of this tenant would be left"));
    }
    if let Some((id, hold)) = points.iter().find_map(|id| held.get_key_value(id)) {
        return Err(Fault::new(Code::PointFailed)
            .with("tenant", tenant)
            .because(format!("point {id} is held by {}: {}", hold.by, hold.reason)));
    }
    let before = size(opened.backend.as_ref()).map_err(fail)?;
    // Nobody else is here: the lock is held alone.
    options.instant_delete = true;
    options.ignore_snaps.clone_from(&going);
    let plan = opened.repository.prune_plan(&options).map_err(fail)?;
    eclusa_crash::point("vault.forget.planned");
    opened.repository.delete_snapshots(&going).map_err(fail)?;
    eclusa_crash::point("vault.forget.snapshots");
    opened.repository.prune(&options, plan).map_err(fail)?;
    eclusa_crash::point("vault.forget.pruned");
    let looked = opened.repository.check(CheckOptions::default()).and_then(|found| found.is_ok());
    looked
        .map_err(|error| fail(error).because("the repository is not whole after points were thrown away"))?;
    let after = size(opened.backend.as_ref()).map_err(fail)?;
    Ok(Forgotten { points: going.len() as u64, bytes: before.saturating_sub(after) })
}

/// The bytes of all packs.
fn size(backend: &dyn RepositoryFiles) -> std::result::Result<u64, Box<RusticError>> {
    let packs: Vec<(Id, u32)> = backend.list_with_size(FileType::Pack)?;
    Ok(packs.iter().map(|(_, bytes)| u64::from(*bytes)).sum())
}
