//! What a mirror needs that keeps only some of the points: the files in which they lie, and a list of what lies in them.
//!
//! The vault's own lists name files that such a mirror does not have, so they are not copied: one is written for it, of the
//! files that come with this copy. What is there already stays as it is, and is copied anew where it is missing or damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustic_core::repofile::{IndexFile, IndexPack, SnapshotFile, SnapshotId};
use rustic_core::{FileType, Id, OpenStatus, Repository, RusticError};

use crate::copy::ids;
use crate::files::RepositoryFiles;
use crate::repository::Indexed;
use crate::seal;
use crate::verify::packs_of;

/// What has to be at the mirror.
pub(crate) struct Chosen {
    /// The packs.
    pub(crate) packs: BTreeSet<Id>,
    /// A list of those that are in no list there: its name and its bytes.
    pub(crate) index: Option<(Id, Vec<u8>)>,
}

/// Why it cannot be told.
pub(crate) enum Untold {
    /// rustic_core says so.
    Error(Box<RusticError>),
    /// It is so, as a person reads it.
    Said(String),
}

impl From<Box<RusticError>> for Untold {
    fn from(error: Box<RusticError>) -> Self {
        Self::Error(error)
    }
}

/// What `new` points of the vault need at a mirror. `there` is the repository at the mirror; none when there is none yet.
pub(crate) fn choose(
    vault: &Indexed,
    new: &[Id],
    to: &dyn RepositoryFiles,
    there: Option<&Repository<OpenStatus>>,
) -> Result<Chosen, Untold> {
    let mut needed = BTreeSet::new();
    for id in new {
        let snapshot: SnapshotFile = vault.get_file(&SnapshotId::from(*id))?;
        let packs = packs_of(vault, snapshot.tree).map_err(|problem| {
            Untold::Said(format!("restore point {} is not whole: {problem}", id.to_hex().as_str()))
        })?;
        needed.extend(packs);
    }
    let listed: BTreeSet<Id> = match there {
        Some(repository) => listed(repository)?.into_keys().collect(),
        None => BTreeSet::new(),
    };
    let unlisted: BTreeSet<Id> = needed.difference(&listed).copied().collect();
    let index = if unlisted.is_empty() {
        None
    } else {
        let mut all = listed_in(vault.stream_files::<IndexFile>()?)?;
        all.retain(|pack, _| unlisted.contains(pack));
        let file = IndexFile { packs: all.into_values().collect(), ..IndexFile::default() };
        Some(seal::index(&file, &vault.key()).map_err(Untold::Said)?)
    };
    let mut packs: BTreeSet<Id> = ids(to, FileType::Pack)?.into_keys().collect();
    packs.extend(needed);
    packs.extend(listed);
    Ok(Chosen { packs, index })
}

fn listed(repository: &Repository<OpenStatus>) -> Result<BTreeMap<Id, IndexPack>, Box<RusticError>> {
    listed_in(repository.stream_files::<IndexFile>()?)
}

/// Every pack in these lists.
fn listed_in<I>(
    files: impl Iterator<Item = Result<(I, IndexFile), Box<RusticError>>>,
) -> Result<BTreeMap<Id, IndexPack>, Box<RusticError>> {
    let mut packs = BTreeMap::new();
    for file in files {
        packs.extend(file?.1.packs.into_iter().map(|pack| (*pack.id, pack)));
    }
    Ok(packs)
}

/// Writes the list, if there is one.
pub(crate) fn write_index(
    chosen: &Chosen,
    to: &Arc<dyn RepositoryFiles>,
) -> Result<Option<Id>, Box<RusticError>> {
    let Some((id, content)) = &chosen.index else { return Ok(None) };
    to.write_bytes(FileType::Index, id, false, content.clone().into())?;
    Ok(Some(*id))
}
