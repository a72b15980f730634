//! Points that somebody has said must not go: `ROOT/.holds/TENANT.json`, with who said so, why, and who ended it. Nothing is
//! ever taken out of the file. Whoever throws points away reads it while holding the lock to delete.

use std::collections::BTreeMap;
use std::path::PathBuf;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_ports::{Hold, HoldEnd};
use serde::{Deserialize, Serialize};

use crate::repository::Places;
use crate::{document, point};

/// The format of the file.
const FORMAT: u32 = 1;

/// The file as it stands.
#[derive(Debug, Default, Serialize, Deserialize)]
struct File {
    format: u32,
    holds: Vec<Entry>,
}

/// One hold of one point.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    point: PointId,
    #[serde(flatten)]
    hold: Hold,
}

fn path(places: &Places, tenant: &TenantName) -> PathBuf {
    places.root.join(".holds").join(format!("{tenant}.json"))
}

fn read(places: &Places, tenant: &TenantName) -> Result<File> {
    let path = path(places, tenant);
    let fault =
        |cause: String| Fault::new(Code::VaultUnreachable).with("path", path.display()).because(cause);
    let Some(file) = document::read::<File>(&path).map_err(fault)? else {
        return Ok(File { format: FORMAT, ..File::default() });
    };
    document::known(file.format, FORMAT).map_err(fault)?;
    Ok(file)
}

fn write(places: &Places, tenant: &TenantName, file: &File) -> Result<()> {
    let path = path(places, tenant);
    document::write(&path, file)
        .map_err(|cause| Fault::new(Code::VaultUnreachable).with("path", path.display()).because(cause))
}

/// The points that are held now.
pub(crate) fn of(places: &Places, tenant: &TenantName) -> Result<BTreeMap<PointId, Hold>> {
    let entries = read(places, tenant)?.holds.into_iter();
    Ok(entries.filter(|entry| entry.hold.ended.is_none()).map(|entry| (entry.point, entry.hold)).collect())
}

/// Forgets that points of a tenant were ever held.
pub(crate) fn forget(places: &Places, tenant: &TenantName) -> std::io::Result<()> {
    crate::durable::remove_file(&path(places, tenant))
}

/// Holds a point that is there.
pub(crate) fn hold(places: &Places, tenant: &TenantName, id: &PointId, hold: Hold) -> Result<()> {
    // The lock keeps whoever deletes away until it is written.
    let opened = places.open(tenant)?.ok_or_else(|| point::unknown(tenant, id.as_str()))?;
    point::snapshot_of(places, tenant, &opened, id.as_str())?;
    let _changing = places.lock_holds(tenant)?;
    let mut file = read(places, tenant)?;
    if file.holds.iter().any(|entry| entry.point == *id && entry.hold.ended.is_none()) {
        return Err(Fault::new(Code::NothingToDo).with("what", format!("point {id} is held already")));
    }
    file.holds.push(Entry { point: id.clone(), hold });
    write(places, tenant, &file)
}

/// Ends a hold; that it was there stays written.
pub(crate) fn end(places: &Places, tenant: &TenantName, id: &PointId, end: HoldEnd) -> Result<()> {
    let _changing = places.lock_holds(tenant)?;
    let mut file = read(places, tenant)?;
    let held = file.holds.iter_mut().find(|entry| entry.point == *id && entry.hold.ended.is_none());
    let Some(entry) = held else {
        return Err(Fault::new(Code::NothingToDo).with("what", format!("point {id} is not held")));
    };
    entry.hold.ended = Some(end);
    write(places, tenant, &file)
}
