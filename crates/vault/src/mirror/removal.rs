//! What a mirror is asked when the copies of a tenant are to be destroyed.

use std::io;
use std::path::PathBuf;

use eclusa_fault::{Fault, Result};
use eclusa_model::TenantName;

use super::{Mirror, MirrorPlace, Place, root};
use crate::durable;
use crate::lock::Lock;
use crate::mirror_record as record;
use crate::remote::{Kind, RemoteRepository, Trouble};
use crate::repository::Places;

/// Where a tenant's copies lie at a mirror, for destroying them.
pub(crate) enum CopiesAt<'a> {
    /// In a directory of this machine.
    Directory(PathBuf),
    /// On another machine.
    Away(CopiesAway<'a>),
}

/// Copies on another machine.
pub(crate) struct CopiesAway<'a> {
    place: Place<'a>,
    files: RemoteRepository,
}

impl CopiesAway<'_> {
    /// The repository.
    pub(crate) fn files(&self) -> &RemoteRepository {
        &self.files
    }

    /// Keeps everybody of this machine from them.
    pub(crate) fn lock(&self) -> Result<Lock> {
        self.place.lock_alone()
    }

    /// What an error means there.
    pub(crate) fn fault(&self, error: &io::Error) -> Fault {
        let (stack, tenant) = (&self.place.places.stack, self.place.tenant);
        match Trouble::kind_of(error) {
            Kind::Denied => self.place.fault(format!(
                "these credentials may not destroy {stack}/{tenant} there, so somebody else has to: {error}"
            )),
            _ => self.place.broken(error, format!("destroying {stack}/{tenant}")),
        }
    }
}

/// Where a tenant's copies lie at a mirror; `None` when none were ever copied there.
pub(crate) fn copies_at<'a>(
    places: &'a Places,
    tenant: &'a TenantName,
    name: &str,
) -> Result<Option<CopiesAt<'a>>> {
    let place = Place::of(places, tenant, name)?;
    let known = place.known()?;
    if let MirrorPlace::Directory { directory, .. } = &place.mirror.place {
        if !directory.is_dir() {
            return Err(place.fault("the directory is not there"));
        }
        let found = place.recognised(known.as_ref())?;
        return Ok(found.map(|_| CopiesAt::Directory(place.root().join(tenant.as_str()))));
    }
    place.reach()?;
    if place.recognised(known.as_ref())?.is_none() {
        return Ok(None);
    }
    let Some(files) = place.remote_files()? else { return Ok(None) };
    let files = files.that_may_remove();
    Ok(Some(CopiesAt::Away(CopiesAway { place, files })))
}

impl Place<'_> {
    /// The repository there, where it lies on another machine.
    pub(super) fn remote_files(&self) -> Result<Option<RemoteRepository>> {
        let Some(remote) = &self.remote else { return Ok(None) };
        let root = format!("{}/{}", self.places.stack, self.tenant);
        Ok(Some(RemoteRepository::new(remote.store()?, root)))
    }
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
