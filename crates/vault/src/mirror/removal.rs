//! What a mirror is asked when the copies of a tenant are to be destroyed.

use std::path::PathBuf;

use eclusa_fault::Result;
use eclusa_model::TenantName;
use rustic_core::FileType;

use super::{Mirror, MirrorPlace, Place, root};
use crate::durable;
use crate::mirror_record as record;
use crate::repository::Places;

/// Where a tenant's copies lie at a mirror, for removing them; `None` when none were ever copied there. At another machine
/// nothing is ever removed from here.
pub(crate) fn directory_of(places: &Places, tenant: &TenantName, name: &str) -> Result<Option<PathBuf>> {
    let place = Place::of(places, tenant, name)?;
    let known = place.known()?;
    if let MirrorPlace::Directory { directory, .. } = &place.mirror.place {
        if !directory.is_dir() {
            return Err(place.fault("the directory is not there"));
        }
    } else {
        let files = place.files()?;
        for kind in [FileType::Config, FileType::Key, FileType::Snapshot, FileType::Index, FileType::Pack] {
            if !files.list_with_size(kind).map_err(|error| place.failed(&error))?.is_empty() {
                return Err(place.fault(format!(
                    "nothing is removed from another machine: remove {}/{tenant} there yourself",
                    places.stack
                )));
            }
        }
        return Ok(None);
    }
    let found = place.recognised(known.as_ref())?;
    Ok(found.map(|_| place.root().join(tenant.as_str())))
}

/// What a place for copies is called for people; of one that the configuration names no longer nothing is known.
pub(crate) fn location(places: &Places, name: &str) -> Option<String> {
    Mirror::of(places, name).ok().map(|mirror| root(mirror, places).display().to_string())
}

/// Forgets that a tenant was copied to a mirror.
pub(crate) fn forget_record(places: &Places, tenant: &TenantName, name: &str) -> std::io::Result<()> {
    durable::remove_file(&record::path(&places.root, name, tenant))?;
    durable::remove_file(&record::failure_path(&places.root, name, tenant))
}
