//! Throwing points away at a mirror, and with them what no other point there needs.
//!
//! Nothing is written anew there but lists of what lies where: a file that one of the points that stay needs a part of stays
//! whole, so that what is there is still the vault's, file by file. The points go first. Credentials that may only add are
//! refused at that, and everything stays as it was.

use std::sync::Arc;

use eclusa_fault::{Message, Result};
use eclusa_model::{PointId, TenantName};
use eclusa_ports::Forgotten;
use rustic_core::{FileType, LimitOption, PruneOptions, RusticError};

use super::{Place, beneath, plain, point_id};
use crate::backend::DirectoryBackend;
use crate::copy::ids;
use crate::files::RepositoryFiles;
use crate::forget::{Forgetting, forget_in};
use crate::holds;
use crate::lock::Lock;
use crate::mirror_record::Record;
use crate::remote::{Kind, Trouble};
use crate::repository::{Opened, Places};

/// Throws these points away at a mirror; those that are gone already are passed over.
pub(crate) fn forget_at(
    places: &Places,
    tenant: &TenantName,
    name: &str,
    points: &[PointId],
) -> Result<Forgotten> {
    let place = Place::of(places, tenant, name)?;
    let known = place.known()?.ok_or_else(|| place.nothing_there())?;
    place.reach()?;
    place.recognised(Some(&known))?;
    let lock = place.lock_alone()?;
    let files = place.files_to_thin()?;
    files.remove_unfinished().map_err(|error| place.broken(&error, "removing what was left unfinished"))?;
    let repository = places.unlocked_on(tenant, &files)?;
    let held = holds::of(places, tenant)?;
    let opened = Opened { repository, backend: files.clone(), lock };
    let mut options = PruneOptions::default();
    options.max_repack = LimitOption::Size(bytesize::ByteSize(0));
    options.max_unused = LimitOption::Unlimited;
    let fail = |error: Box<RusticError>| place.not_removed(&error);
    let forgetting = Forgetting { tenant, points, held: &held, options, fail: &fail };
    let forgotten = forget_in(&opened, forgetting);
    drop(opened);
    // Also when only some of them went.
    if let Ok(there) = ids(files.as_ref(), FileType::Snapshot) {
        let there = there.keys().filter_map(point_id).collect();
        let record = Record::new(known.place, known.at, known.read_at, there);
        record.write(&place.record_path()).map_err(|problem| places.unreachable(tenant, problem))?;
    }
    forgotten
}

impl Place<'_> {
    /// Keeps everybody of this machine from what is there.
    pub(super) fn lock_alone(&self) -> Result<Lock> {
        let lock = match &self.remote {
            None => Lock::to_delete(&self.root().join(".locks"), self.tenant.as_str()),
            Some(_) => {
                let name = format!("{}@{}", self.tenant, self.mirror.name);
                Lock::to_delete(&self.places.root.join(".locks"), &name)
            }
        };
        lock.map_err(|error| self.fault(error))
    }

    /// The files of the repository there, which may be removed.
    fn files_to_thin(&self) -> Result<Arc<dyn RepositoryFiles>> {
        Ok(match self.remote_files()? {
            Some(files) => Arc::new(files.that_may_remove()),
            None => Arc::new(DirectoryBackend::new(self.root().join(self.tenant.as_str()))),
        })
    }

    /// What an error means here: most often that these credentials may not remove anything.
    fn not_removed(&self, error: &RusticError) -> eclusa_fault::Fault {
        if beneath(error).map_or(Kind::Other, Trouble::kind_of) != Kind::Denied {
            return self.failed(error);
        }
        let hint = Message::new("hint-mirror-keeps").with("mirror", &self.mirror.name);
        self.fault(plain(error)).hint(hint)
    }
}
