//! Destroying every copy of a tenant that Eclusa made: what would go, doing it so that it can be taken up after a crash, and
//! a certificate of it. The live database and files are nobody's copy: they stay.
//!
//! What is known before anything goes (who can still decrypt copies elsewhere) is durable first, in
//! `STATE/erasures/STACK/TENANT.json`; each part can be done again; the certificate lies beside it at the end.

mod certificate;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{RunId, TenantName};
use eclusa_ports::{Aside, LeaseHolder};
use eclusa_vault::{Auditor, ErasePlace, Escrow, LocalVault, PlaceStanding, Standing, Stranger};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::keys::vault_of;
use crate::status::{Severity, Trouble, trouble};
use crate::workspace::private_directory;
use crate::{Assembly, asides, history, persons, running};

use self::certificate::markdown;
pub use self::certificate::{not_touched, place_name, readers};

/// The format of the file and of the certificate.
const FORMAT: u32 = 1;

/// What became of the copies at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Fate {
    /// Not yet destroyed.
    Waiting,
    /// Destroyed, and looked after: nothing is there.
    Destroyed,
    /// There was nothing.
    Nothing,
    /// It could not be destroyed.
    Left {
        /// Why.
        problem: String,
    },
}

/// A place and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The place.
    pub place: ErasePlace,
    /// Where it is, where that is known.
    pub location: Option<String>,
    /// How many files were there.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What became of them.
    #[serde(flatten)]
    pub fate: Fate,
}

/// A database with tables of a restore point, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookedAt {
    /// Its name on the server.
    pub database: String,
    /// What became of it.
    #[serde(flatten)]
    pub fate: Fate,
}

/// An erasure: what is known and what was done. It is the certificate too.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Erasure {
    format: u32,
    /// The stack.
    pub stack: String,
    /// The tenant.
    pub tenant: TenantName,
    /// Why.
    pub reason: Option<String>,
    /// Who began it.
    pub by: String,
    /// When.
    pub begun_at: Timestamp,
    /// When it ended, as far as it could.
    pub ended_at: Option<Timestamp>,
    /// Whether nothing that is known of is left.
    pub complete: bool,
    /// Whether the configuration still named the tenant.
    pub configured: bool,
    /// The fingerprint of the tenant's key.
    pub fingerprint: Option<String>,
    /// How many files with keys were destroyed here.
    pub keys_destroyed: u64,
    /// The vault, then the mirrors.
    pub places: Vec<Place>,
    /// Files with the keys: whoever opens one can read any copy of the repository that is left.
    pub escrows: Vec<Escrow>,
    /// Auditors whose keys open any copy that is left.
    pub auditors: Vec<Auditor>,
    /// Key files that Eclusa did not make.
    pub strangers: Vec<(String, Option<String>)>,
    /// How many files of customizations were removed.
    pub customizations: u64,
    /// What restores swapped out and kept beside the live data, by suffix: not touched.
    pub kept: Vec<String>,
    /// Databases with tables of restore points that somebody looks at.
    #[serde(default)]
    pub asides: Vec<LookedAt>,
    /// Why nobody knows whether there are any on the servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asides_unknown: Option<String>,
    /// Copies of whole servers that the tenant is in too: not touched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<String>,
    /// The directory with what steps of runs printed: not touched.
    pub outputs: String,
}

impl Erasure {
    /// What is left at places that are known of.
    pub fn left(&self) -> impl Iterator<Item = &Place> {
        self.places.iter().filter(|place| matches!(place.fate, Fate::Left { .. } | Fate::Waiting))
    }

    /// Whether nothing that is known of is left, on the servers either.
    fn is_complete(&self) -> bool {
        self.left().next().is_none() && self.asides.iter().all(|one| one.fate == Fate::Destroyed)
    }

    /// Whether somebody could still read a copy, if there is one.
    #[must_use]
    pub fn has_readers(&self) -> bool {
        !(self.escrows.is_empty() && self.auditors.is_empty() && self.strangers.is_empty())
    }
}

/// How it is to be done.
pub struct Wanted {
    /// Who wants it.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// Also when the configuration still names the tenant.
    pub although_configured: bool,
}

fn directory(assembly: &Assembly) -> PathBuf {
    assembly.state.join("erasures").join(assembly.name.as_str())
}

fn pending_path(assembly: &Assembly, tenant: &TenantName) -> PathBuf {
    directory(assembly).join(format!("{tenant}.json"))
}

fn file_fault(path: &Path, operation: &str, cause: impl std::fmt::Display) -> Fault {
    Fault::new(Code::FileAccess).with("path", path.display()).with("operation", operation).because(cause)
}

fn read_pending(assembly: &Assembly, tenant: &TenantName) -> Result<Option<Erasure>> {
    let path = pending_path(assembly, tenant);
    let text = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(|error| file_fault(&path, "read", error))?,
    };
    let found: Erasure = serde_json::from_slice(&text).map_err(|error| file_fault(&path, "read", error))?;
    if found.format != FORMAT {
        return Err(file_fault(&path, "read", format!("its format is {}", found.format)));
    }
    Ok(Some(found))
}

async fn write(assembly: &Assembly, path: &Path, text: &str) -> Result<()> {
    private_directory(&directory(assembly))?;
    assembly.ports.host.write_durably(path, text.as_bytes(), 0o600).await
}

async fn keep(assembly: &Assembly, erasure: &Erasure) -> Result<()> {
    let text = serde_json::to_string_pretty(erasure)
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    write(assembly, &pending_path(assembly, &erasure.tenant), &text).await
}

/// What would go where, and what would stay. Nothing has happened when this returns.
///
/// # Errors
/// `EraseRefused` while a point is held or the configuration names the tenant; `LeaseHeld` beside a run that has not ended;
/// `NothingToDo` when there is nothing of the tenant; `VaultUnreachable`.
pub async fn look(assembly: &Assembly, tenant: &TenantName, wanted: &Wanted) -> Result<Erasure> {
    running::check_alone(assembly).await?;
    let refused =
        |problem: String| Fault::new(Code::EraseRefused).with("tenant", tenant).with("problem", problem);
    let configured = assembly.tenants.iter().any(|known| known.name == *tenant);
    if configured && !wanted.although_configured {
        return Err(refused(
            "the configuration still names the tenant, and its next backup would begin anew".to_owned(),
        )
        .hint(Message::new("hint-erase-configured").with("tenant", tenant)));
    }
    if let Some((point, hold)) = assembly.ports.vault.holds(tenant).await?.into_iter().next() {
        let problem = format!("{} holds restore point {}: {}", hold.by, point.short(), hold.reason);
        let hint = Message::new("hint-erase-held").with("point", point.short());
        return Err(refused(problem).hint(hint));
    }
    let found = vault(assembly).holdings(tenant).await?;
    let before = read_pending(assembly, tenant)?;
    let (looked_at, asides_unknown) = looked_at(assembly, tenant).await;
    let is_there = |place: &PlaceStanding| matches!(place.standing, Standing::There { .. });
    let nothing = found.keys.is_empty() && looked_at.is_empty() && !found.places.iter().any(is_there);
    if before.is_none() && nothing {
        let what =
            format!("there are no keys and no copies of {tenant} here or at a mirror that can be reached");
        return Err(Fault::new(Code::NothingToDo).with("what", what));
    }
    let kept = history::of(assembly)?.kept;
    let suffixes = kept.into_iter().filter(|(owner, _)| owner == tenant).map(|(_, suffix)| suffix);
    let fresh = Erasure {
        format: FORMAT,
        stack: assembly.name.to_string(),
        tenant: tenant.clone(),
        reason: wanted.reason.clone(),
        by: wanted.by.clone(),
        begun_at: assembly.ports.clock.now(),
        ended_at: None,
        complete: false,
        configured,
        fingerprint: found.fingerprint,
        keys_destroyed: 0,
        places: found.places.into_iter().map(place).collect(),
        escrows: found.escrows,
        auditors: found.auditors,
        strangers: found.strangers.into_iter().map(|one: Stranger| (one.id, one.whose)).collect(),
        customizations: 0,
        kept: suffixes.collect(),
        asides: looked_at,
        asides_unknown,
        servers: crate::bases::not_erased(&assembly.stack),
        outputs: assembly.ports.outputs.display().to_string(),
    };
    Ok(match before {
        Some(before) => taken_up(before, fresh),
        None => fresh,
    })
}

/// The databases with tables of the tenant's restore points, or why nobody knows.
async fn looked_at(assembly: &Assembly, tenant: &TenantName) -> (Vec<LookedAt>, Option<String>) {
    if assembly.tenants.is_empty() {
        return (Vec::new(), Some("no tenant is left by which a server could be reached".to_owned()));
    }
    match asides::list(assembly).await {
        Ok(found) => {
            let own = found.into_iter().filter(|(_, aside)| aside.tenant == *tenant);
            (own.map(|(_, aside)| LookedAt { database: aside.database, fate: Fate::Waiting }).collect(), None)
        }
        Err(fault) => (Vec::new(), Some(assembly.ports.secrets.redact(&fault.to_string()))),
    }
}

/// Drops them. One that no server has is gone since; where the servers cannot be asked, nobody knows, and it is left.
async fn drop_looked_at(assembly: &Assembly, erasure: &mut Erasure) {
    let mut waiting = erasure.asides.iter_mut().filter(|one| one.fate != Fate::Destroyed).peekable();
    if waiting.peek().is_none() {
        return;
    }
    let servers = asides::list(assembly).await;
    for one in waiting {
        let dropped = match &servers {
            Ok(servers) => drop_from(assembly, servers, &one.database).await,
            Err(fault) => Err(fault.clone()),
        };
        one.fate = match dropped {
            Ok(()) => Fate::Destroyed,
            Err(fault) => Fate::Left { problem: assembly.ports.secrets.redact(&fault.to_string()) },
        };
        eclusa_crash::point("erase.aside");
    }
}

async fn drop_from(assembly: &Assembly, servers: &[(TenantName, Aside)], database: &str) -> Result<()> {
    match servers.iter().find(|(_, aside)| aside.database == database) {
        Some((beside, _)) => assembly.ports.database.drop_aside(assembly.tenant(beside)?, database).await,
        None => Ok(()),
    }
}

fn vault(assembly: &Assembly) -> LocalVault {
    vault_of(&assembly.name, &assembly.stack, &assembly.state, assembly.ports.secrets.clone())
}

fn place(found: PlaceStanding) -> Place {
    let (files, bytes, fate) = match found.standing {
        Standing::There { files, bytes } => (files, bytes, Fate::Waiting),
        Standing::Empty => (0, 0, Fate::Nothing),
        Standing::Unreachable { problem } => (0, 0, Fate::Left { problem }),
    };
    Place { place: found.place, location: found.location, files, bytes, fate }
}

/// What was known before anything went stays known; what is there now decides what is still to do.
fn taken_up(before: Erasure, now: Erasure) -> Erasure {
    let has_key = now.fingerprint.is_some();
    let mut all = before.clone();
    all.ended_at = None;
    all.configured = now.configured;
    all.fingerprint = before.fingerprint.or(now.fingerprint);
    all.escrows.extend(now.escrows.into_iter().filter(|one| !before.escrows.contains(one)));
    all.auditors.extend(now.auditors.into_iter().filter(|one| !before.auditors.contains(one)));
    // Without the tenant's key its own key file looks like a stranger's.
    if has_key {
        all.strangers.extend(now.strangers.into_iter().filter(|one| !before.strangers.contains(one)));
    }
    let mut places = Vec::new();
    for fresh in now.places {
        let Some(known) = before.places.iter().find(|known| known.place == fresh.place) else {
            places.push(fresh);
            continue;
        };
        let (files, bytes) = (known.files.max(fresh.files), known.bytes.max(fresh.bytes));
        // What is gone since was destroyed by this erasure.
        let fate = match (&known.fate, fresh.fate.clone()) {
            (Fate::Destroyed | Fate::Waiting, Fate::Nothing) => Fate::Destroyed,
            (_, fate) => fate,
        };
        places.push(Place { files, bytes, fate, ..fresh });
    }
    let gone = before.places.into_iter().filter(|known| places.iter().all(|one| one.place != known.place));
    let gone: Vec<Place> = gone.collect();
    places.extend(gone);
    all.places = places;
    // What a server that could not be asked has is as it was known.
    if now.asides_unknown.is_none() {
        all.asides.retain(|known| now.asides.iter().all(|fresh| fresh.database != known.database));
        all.asides.iter_mut().for_each(|known| known.fate = Fate::Destroyed);
    }
    all.asides.extend(now.asides);
    all.asides_unknown = now.asides_unknown;
    all
}

/// Destroys it: the keys first, then the files by which others' keys open the copies, then the copies. Gives the certificate
/// and where it lies.
///
/// # Errors
/// `LeaseHeld`, `VaultUnreachable`, `VaultKey`, `FileAccess`; the same command takes it up then. A mirror that fails is no
/// error: the certificate names it.
pub async fn carry_out(assembly: &Assembly, erasure: Erasure) -> Result<(Erasure, PathBuf)> {
    let name: String = erasure.tenant.as_str().chars().take(50).collect();
    let run = RunId::new(format!("erase-{name}"))
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    // Nothing may begin meanwhile that counts on a point. One that was killed took it for the same name.
    let holder = LeaseHolder { run: run.clone(), ..assembly.ports.holder.clone() };
    assembly.ports.lease.take(&holder).await?;
    let done = destroyed(assembly, erasure).await;
    assembly.ports.lease.release(&run).await?;
    done
}

async fn destroyed(assembly: &Assembly, mut erasure: Erasure) -> Result<(Erasure, PathBuf)> {
    running::check_alone(assembly).await?;
    let vault = vault(assembly);
    let tenant = erasure.tenant.clone();
    keep(assembly, &erasure).await?;
    eclusa_crash::point("erase.begun");
    erasure.keys_destroyed += vault.erase_keys(&tenant).await?;
    keep(assembly, &erasure).await?;
    eclusa_crash::point("erase.keys");
    for place in erasure.places.iter_mut().filter(|place| place.fate == Fate::Waiting) {
        match vault.erase_key_files(&tenant, &place.place).await {
            Err(fault) if place.place == ErasePlace::Vault => return Err(fault),
            Err(fault) => place.fate = Fate::Left { problem: fault.to_string() },
            Ok(()) => {}
        }
        eclusa_crash::point("erase.key-files");
    }
    for index in 0..erasure.places.len() {
        let Some(place) = erasure.places.get_mut(index).filter(|place| place.fate == Fate::Waiting) else {
            continue;
        };
        match vault.erase_repository(&tenant, &place.place).await {
            Err(fault) if place.place == ErasePlace::Vault => return Err(fault),
            Err(fault) => place.fate = Fate::Left { problem: fault.to_string() },
            Ok(_) => place.fate = Fate::Destroyed,
        }
        eclusa_crash::point("erase.place");
        keep(assembly, &erasure).await?;
    }
    drop_looked_at(assembly, &mut erasure).await;
    keep(assembly, &erasure).await?;
    erasure.customizations += remove_customizations(assembly, &tenant)?;
    persons::remove(assembly, &tenant)?;
    let left: BTreeSet<String> = erasure
        .left()
        .filter_map(|place| match &place.place {
            ErasePlace::Mirror(name) => Some(name.clone()),
            ErasePlace::Vault => None,
        })
        .collect();
    erasure.complete = erasure.is_complete();
    vault.erase_traces(&tenant, left).await?;
    eclusa_crash::point("erase.traces");
    erasure.ended_at = Some(assembly.ports.clock.now());
    let path = certify(assembly, &erasure).await?;
    eclusa_crash::point("erase.certified");
    if erasure.complete {
        let pending = pending_path(assembly, &tenant);
        std::fs::remove_file(&pending).map_err(|error| file_fault(&pending, "removed", error))?;
        let directory = directory(assembly);
        eclusa_durable::synchronise_directory(&directory)
            .map_err(|error| file_fault(&directory, "written", error))?;
    } else {
        keep(assembly, &erasure).await?;
    }
    Ok((erasure, path))
}

fn remove_customizations(assembly: &Assembly, tenant: &TenantName) -> Result<u64> {
    let directory = assembly.state.join("customizations").join(assembly.name.as_str()).join(tenant.as_str());
    let fault = |error: std::io::Error| file_fault(&directory, "removed", error);
    let files = match std::fs::read_dir(&directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(0),
        entries => entries.map_err(fault)?.count() as u64,
    };
    std::fs::remove_dir_all(&directory).map_err(fault)?;
    Ok(files)
}

/// Writes the certificate, as JSON and to be read; gives the latter.
async fn certify(assembly: &Assembly, erasure: &Erasure) -> Result<PathBuf> {
    let ended = erasure.ended_at.unwrap_or(erasure.begun_at);
    let stem = format!("{}-{}", erasure.tenant, ended.strftime("%Y%m%dT%H%M%SZ"));
    let directory = directory(assembly);
    let json = serde_json::to_string_pretty(erasure)
        .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
    write(assembly, &directory.join(format!("{stem}.certificate.json")), &json).await?;
    let path = directory.join(format!("{stem}.certificate.md"));
    write(assembly, &path, &markdown(erasure)).await?;
    Ok(path)
}

/// Erasures that were begun and are not complete.
pub(crate) fn troubles(assembly: &Assembly) -> Vec<Trouble> {
    let entries = std::fs::read_dir(directory(assembly)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let unfinished = names
        .filter(|name| !name.ends_with(".certificate.json"))
        .filter_map(|name| TenantName::new(name.strip_suffix(".json")?).ok())
        .filter_map(|tenant| read_pending(assembly, &tenant).ok().flatten());
    unfinished
        .map(|erasure| {
            let left: Vec<String> = erasure.left().map(|place| place_name(&place.place)).collect();
            let id =
                if erasure.ended_at.is_some() { "trouble-erasure-left" } else { "trouble-erasure-begun" };
            let text = Message::new(id).with("tenant", &erasure.tenant).with("places", left.join(", "));
            trouble(
                Severity::Problem,
                text,
                Some(Message::new("repair-erase").with("tenant", &erasure.tenant)),
            )
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn erasure(asides: &[&str], unknown: Option<&str>) -> Erasure {
        let asides: Vec<_> = asides
            .iter()
            .map(|database| serde_json::json!({ "database": database, "outcome": "waiting" }))
            .collect();
        serde_json::from_value(serde_json::json!({
            "format": 1, "stack": "shop", "tenant": "alpha", "reason": null, "by": "anna",
            "begun_at": "2026-03-01T14:05:00Z", "ended_at": null, "complete": false, "configured": false,
            "fingerprint": null, "keys_destroyed": 0, "places": [], "escrows": [], "auditors": [],
            "strangers": [], "customizations": 0, "kept": [], "asides": asides, "asides_unknown": unknown,
            "outputs": "/x",
        }))
        .unwrap()
    }

    #[test]
    fn what_a_server_has_that_cannot_be_asked_is_not_called_gone() {
        let before = erasure(&["one", "two"], None);
        let unknown = taken_up(before.clone(), erasure(&[], Some("it does not answer")));
        assert_eq!(unknown.asides, before.asides);
        assert!(!unknown.is_complete());
        let gone = taken_up(before, erasure(&["two"], None));
        let fates: Vec<_> = gone.asides.iter().map(|one| (one.database.as_str(), &one.fate)).collect();
        assert_eq!(fates, [("one", &Fate::Destroyed), ("two", &Fate::Waiting)]);
    }
}
