//! Destroying everything that the vault has of a tenant: the keys first, since without them the rest is noise; then the key
//! files of the repository here and at each mirror, then the repositories.
//!
//! Each part can be done again: what is gone is passed over. So whoever was killed begins anew and comes to the same end.

mod copies;

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use serde::{Deserialize, Serialize};

use self::copies::Copies;
use crate::backend::DirectoryBackend;
use crate::key_record::{self, Auditor, Escrow, Record};
use crate::keys::Stranger;
use crate::repository::Places;
use crate::{durable, holds, key, key_file, keys, mirror};

/// A place where copies of a tenant are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErasePlace {
    /// The vault.
    Vault,
    /// A mirror, by its name.
    Mirror(String),
}

/// What is at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Standing {
    /// Files of the tenant.
    There {
        /// How many.
        files: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// Nothing of the tenant.
    Empty,
    /// Nobody can tell.
    Unreachable {
        /// Why.
        problem: String,
    },
}

/// A place, and what is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceStanding {
    /// The place.
    pub place: ErasePlace,
    /// Where that is; of a mirror that the configuration names no longer, nobody knows.
    pub location: Option<String>,
    /// What is there.
    #[serde(flatten)]
    pub standing: Standing,
}

/// Everything that the vault has of a tenant.
#[derive(Debug, Clone, Serialize)]
pub struct Holdings {
    /// The files with keys in them.
    pub keys: Vec<PathBuf>,
    /// The fingerprint of the tenant's key.
    pub fingerprint: Option<String>,
    /// The vault, then the mirrors.
    pub places: Vec<PlaceStanding>,
    /// Escrows of the tenant's keys.
    pub escrows: Vec<Escrow>,
    /// Auditors with a key that opens what is left.
    pub auditors: Vec<Auditor>,
    /// Key files that Eclusa did not make.
    pub strangers: Vec<Stranger>,
}

/// Looks at all of it. Keys that are half gone are no error.
pub(crate) fn holdings(places: &Places, tenant: &TenantName) -> Result<Holdings> {
    let fail = |error: io::Error| places.unreachable(tenant, error);
    let record = Record::read_or_new(places, tenant)?;
    let strangers = keys::of(places, tenant).map(|keys| keys.strangers);
    let mut found = vec![standing(places, tenant, ErasePlace::Vault)];
    for name in keys::mirrors(places, tenant)? {
        found.push(standing(places, tenant, ErasePlace::Mirror(name)));
    }
    Ok(Holdings {
        keys: key::all_paths(&places.keys, tenant).map_err(fail)?,
        fingerprint: key::read(&places.keys, tenant).ok().flatten().map(|own| key::fingerprint(&own)),
        places: found,
        auditors: record.current_auditors().cloned().collect(),
        escrows: record.escrows,
        strangers: strangers.or_else(|_| strangers_by_name(places, tenant, &record.auditors))?,
    })
}

/// Without a key that can be read, every key file that no auditor was given may be one.
fn strangers_by_name(places: &Places, tenant: &TenantName, given: &[Auditor]) -> Result<Vec<Stranger>> {
    let files = DirectoryBackend::new(places.repository(tenant));
    let all = key_file::all(&files).map_err(|problem| places.unreachable(tenant, problem))?;
    let of =
        |found: key_file::Found| Stranger { id: found.id.to_hex().as_str().to_owned(), whose: found.whose() };
    let unknown = |one: &Stranger| one.whose.is_some() && given.iter().all(|auditor| auditor.id != one.id);
    Ok(all.into_iter().map(of).filter(unknown).collect())
}

fn standing(places: &Places, tenant: &TenantName, place: ErasePlace) -> PlaceStanding {
    let location = match &place {
        ErasePlace::Vault => Some(places.root.display().to_string()),
        ErasePlace::Mirror(name) => mirror::location(places, name),
    };
    let counted =
        Copies::of(places, tenant, &place).and_then(|found| found.map_or(Ok(None), |found| found.count()));
    let standing = match counted {
        Ok(None) => Standing::Empty,
        Ok(Some((files, bytes))) => Standing::There { files, bytes },
        Err(fault) if fault.code == Code::MirrorUnknown => {
            Standing::Unreachable { problem: "the configuration names it no longer".to_owned() }
        }
        Err(fault) => Standing::Unreachable { problem: problem(&fault) },
    };
    PlaceStanding { place, location, standing }
}

/// What is wrong, in a few words.
fn problem(fault: &Fault) -> String {
    fault.args.get("problem").cloned().unwrap_or_else(|| fault.to_string())
}

/// Destroys the keys on this machine. From here on nothing of the tenant can be read with what is here.
pub(crate) fn keys_here(places: &Places, tenant: &TenantName) -> Result<u64> {
    let _deleting = places.lock_to_delete(tenant)?;
    let _changing = places.lock_keys(tenant)?;
    let fail = |error: io::Error| key::fault(&places.keys, tenant).because(error);
    let paths = key::all_paths(&places.keys, tenant).map_err(fail)?;
    for path in &paths {
        key::remove(path, &places.keys).map_err(fail)?;
        eclusa_crash::point("vault.erase.key");
    }
    Ok(paths.len() as u64)
}

/// Destroys the key files of the repository at a place.
pub(crate) fn key_files(places: &Places, tenant: &TenantName, place: &ErasePlace) -> Result<()> {
    Copies::of(places, tenant, place)?.map_or(Ok(()), |copies| copies.destroy_keys())
}

/// Destroys the repository at a place, and says what was there. Its key files are gone before anything else is.
pub(crate) fn repository(places: &Places, tenant: &TenantName, place: &ErasePlace) -> Result<(u64, u64)> {
    Copies::of(places, tenant, place)?.map_or(Ok((0, 0)), |copies| copies.destroy())
}

/// Removes what is written down about the tenant: holds, keys, the mirrors where nothing is left, locks.
pub(crate) fn traces(places: &Places, tenant: &TenantName, left: &BTreeSet<String>) -> Result<()> {
    let fail = |error: io::Error| places.unreachable(tenant, error);
    holds::forget(places, tenant).map_err(fail)?;
    for name in keys::copied_to(places, tenant)?.difference(left) {
        mirror::forget_record(places, tenant, name).map_err(fail)?;
    }
    durable::remove_file(&key_record::path(places, tenant)).map_err(fail)?;
    eclusa_crash::point("vault.erase.traces");
    Ok(())
}
