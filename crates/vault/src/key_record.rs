//! What is written down about the keys of a tenant: `ROOT/.keys/TENANT.json`. No key stands in it. Whoever changes it holds
//! the lock for keys.

use std::collections::BTreeSet;
use std::path::PathBuf;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use jiff::Timestamp;
use rustic_core::Id;
use serde::{Deserialize, Serialize};

use crate::document;
use crate::repository::Places;

/// The format of the file.
const FORMAT: u32 = 1;

/// That something was done by somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoneBy {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
}

/// A key that was given to somebody who shall be able to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Auditor {
    /// Who has it.
    pub name: String,
    /// The key file in the repository.
    pub id: String,
    /// Who gave it when.
    #[serde(flatten)]
    pub added: DoneBy,
    /// Who took it back when; its file is gone since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<DoneBy>,
}

/// That a key was written into an encrypted file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Escrow {
    /// Who did so when.
    #[serde(flatten)]
    pub made: DoneBy,
    /// Which key: its fingerprint.
    pub fingerprint: String,
    /// The file as it was named then.
    pub file: String,
    /// Who opens it: `passphrase`, or age recipients.
    pub opened_by: Vec<String>,
}

/// An exchange of the tenant's key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Rotation {
    #[serde(flatten)]
    pub(crate) done: DoneBy,
    /// The key files of the key before.
    pub(crate) old: BTreeSet<String>,
}

/// The file as it stands.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    format: u32,
    /// The last exchange.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rotated: Option<DoneBy>,
    /// One that was begun and not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rotating: Option<Rotation>,
    /// Key files that must not be there any more, here or at a mirror.
    #[serde(default)]
    pub(crate) retired: BTreeSet<String>,
    /// Mirrors that were not copied to since the last exchange.
    #[serde(default)]
    pub(crate) behind: BTreeSet<String>,
    /// Mirrors that did not let the file of a former key be removed.
    #[serde(default)]
    pub(crate) keeping: BTreeSet<String>,
    /// Auditors, also former ones.
    #[serde(default)]
    pub(crate) auditors: Vec<Auditor>,
    /// Escrows of this key and of those before.
    #[serde(default)]
    pub(crate) escrows: Vec<Escrow>,
}

pub(crate) fn path(places: &Places, tenant: &TenantName) -> PathBuf {
    places.root.join(".keys").join(format!("{tenant}.json"))
}

impl Record {
    /// What is written down; `None` when nothing was ever.
    pub(crate) fn read(places: &Places, tenant: &TenantName) -> Result<Option<Self>> {
        let path = path(places, tenant);
        let fault =
            |cause: String| Fault::new(Code::VaultUnreachable).with("path", path.display()).because(cause);
        let Some(record) = document::read::<Self>(&path).map_err(fault)? else { return Ok(None) };
        document::known(record.format, FORMAT).map_err(fault)?;
        Ok(Some(record))
    }

    pub(crate) fn read_or_new(places: &Places, tenant: &TenantName) -> Result<Self> {
        Ok(Self::read(places, tenant)?.unwrap_or(Self { format: FORMAT, ..Self::default() }))
    }

    pub(crate) fn write(&self, places: &Places, tenant: &TenantName) -> Result<()> {
        let path = path(places, tenant);
        document::write(&path, self)
            .map_err(|cause| Fault::new(Code::VaultUnreachable).with("path", path.display()).because(cause))
    }

    /// Whether a key file must not be there.
    pub(crate) fn is_retired(&self, id: &Id) -> bool {
        self.retired.contains(id.to_hex().as_str())
    }

    /// Auditors that can read.
    pub(crate) fn current_auditors(&self) -> impl Iterator<Item = &Auditor> {
        self.auditors.iter().filter(|auditor| auditor.removed.is_none())
    }
}
