//! The keys that open a tenant's repository: the tenant's own, which is exchanged, and those of auditors.
//!
//! An exchange goes so: the next key lies on the disk, then its file in the repository, which is tried; then it is written
//! down which files the key before has, then one rename makes the next key the tenant's, then those files go. Killed at any
//! of these moments, the key on the disk opens the repository; [`settle`] finishes or undoes the rest. The master key of the
//! repository, which all key files wrap, stays.
//!
//! A mirror that was not copied to since holds the old file only. Until it was, the key before is kept beside the key.

use std::collections::BTreeSet;
use std::sync::Arc;

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use jiff::Timestamp;
use rustic_core::repofile::MasterKey;
use rustic_core::{Credentials, FileType, Id, WriteBackend};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use crate::backend::DirectoryBackend;
use crate::files::RepositoryFiles;
use crate::key_record::{Auditor, DoneBy, Escrow, Record, Rotation};
use crate::repository::Places;
use crate::{key, key_file, wrapping};

/// The keys of one tenant, without any key in it.
#[derive(Debug, Clone, Serialize)]
pub struct TenantKeys {
    /// The tenant.
    pub tenant: TenantName,
    /// Whether there is a repository.
    pub repository: bool,
    /// The fingerprint of the tenant's own key; `None` when there is no key.
    pub fingerprint: Option<String>,
    /// Whether it opens the repository; `None` when one of both is missing.
    pub opens: Option<bool>,
    /// When it was last exchanged.
    pub rotated: Option<DoneBy>,
    /// An exchange that was begun and not ended.
    pub unfinished: bool,
    /// Mirrors that were not copied to since: the key before still opens them, and is kept for that.
    pub behind: BTreeSet<String>,
    /// Mirrors that did not let the file of a former key be removed.
    pub keeping: BTreeSet<String>,
    /// Auditors whose key opens the repository.
    pub auditors: Vec<Auditor>,
    /// Key files that neither the tenant's key opens nor an auditor was given, as restic lists them.
    pub strangers: Vec<Stranger>,
    /// Every escrow of this key and of those before.
    pub escrows: Vec<Escrow>,
    /// The files with keys of the tenant that are wrapped by the stack key, when they were looked at.
    pub wrapped: Vec<String>,
    /// Those that lie as they are.
    pub plain: Vec<String>,
}

/// A key file that Eclusa did not make.
#[derive(Debug, Clone, Serialize)]
pub struct Stranger {
    /// The key file in the repository.
    pub id: String,
    /// Whose it is, as it says itself.
    pub whose: Option<String>,
}

impl TenantKeys {
    /// The last escrow of the key as it is now.
    #[must_use]
    pub fn escrow(&self) -> Option<&Escrow> {
        let now = self.fingerprint.as_ref()?;
        self.escrows.iter().rev().find(|escrow| escrow.fingerprint == *now)
    }
}

/// What became of a key that was to be put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PutBack {
    /// It was written; whether it opens the repository, if there is one.
    Written {
        /// `None` when there is no repository here.
        opens: Option<bool>,
    },
    /// It was there.
    Already,
    /// Another key is there; nothing was changed.
    Another {
        /// Whether the one that is there opens the repository.
        opens: Option<bool>,
    },
    /// One is there that is wrapped and that nothing here opens; nothing was changed.
    Closed,
    /// There is none, but this one does not open the repository; nothing was changed.
    DoesNotOpen,
}

fn hex(id: &Id) -> String {
    id.to_hex().as_str().to_owned()
}

/// What is on the disk and written down, without a look into the repository: a key file that restic made takes a tenth of a
/// second to try.
pub(crate) fn written_down(places: &Places, tenant: &TenantName) -> Result<TenantKeys> {
    let record = Record::read_or_new(places, tenant)?;
    let own = key::read(&places.keys, tenant)?;
    Ok(TenantKeys {
        tenant: tenant.clone(),
        repository: places.repository(tenant).is_dir(),
        fingerprint: own.as_ref().map(key::fingerprint),
        opens: None,
        unfinished: key::next(&places.keys, tenant)?.is_some() || record.rotating.is_some(),
        auditors: record.current_auditors().cloned().collect(),
        strangers: Vec::new(),
        rotated: record.rotated,
        behind: record.behind,
        keeping: record.keeping,
        escrows: record.escrows,
        wrapped: Vec::new(),
        plain: Vec::new(),
    })
}

/// The two sides as they stand, without opening anything for writing.
pub(crate) fn of(places: &Places, tenant: &TenantName) -> Result<TenantKeys> {
    let files = DirectoryBackend::new(places.repository(tenant));
    let fail = |problem: String| places.unreachable(tenant, problem);
    let record = Record::read_or_new(places, tenant)?;
    let own = key::read(&places.keys, tenant)?;
    let repository = places.is_made(tenant, &files)?;
    let found = if repository { key_file::all(&files).map_err(fail)? } else { Vec::new() };
    let is_ours = |found: &key_file::Found| own.as_ref().is_some_and(|own| found.opened_by(own).is_some());
    let (ours, others): (Vec<_>, Vec<_>) = found.into_iter().partition(is_ours);
    let given = |id: &str| record.current_auditors().any(|auditor| auditor.id == id);
    let next = key::next(&places.keys, tenant)?;
    let known = |found: &key_file::Found| {
        let id = hex(&found.id);
        let rotating = record.rotating.as_ref().is_some_and(|rotation| rotation.old.contains(&id));
        given(&id)
            || rotating
            || record.retired.contains(&id)
            || next.as_ref().is_some_and(|next| found.opened_by(next).is_some())
    };
    let auditors =
        record.current_auditors().filter(|one| others.iter().any(|found| hex(&found.id) == one.id)).cloned();
    let (wrapped, plain) = wrapping::told_apart(places, tenant)?;
    Ok(TenantKeys {
        wrapped,
        plain,
        repository,
        opens: (repository && own.is_some()).then_some(!ours.is_empty()),
        auditors: auditors.collect(),
        strangers: others
            .iter()
            .filter(|found| !known(found))
            .map(|found| Stranger { id: hex(&found.id), whose: found.whose() })
            .collect(),
        ..written_down(places, tenant)?
    })
}

/// The repository of a tenant, its key and what it opens, for changing keys.
struct Unlocked {
    files: Arc<dyn RepositoryFiles>,
    own: SecretString,
    ids: Vec<Id>,
    master: MasterKey,
    record: Record,
}

/// Nobody else may be at the repository: the caller holds the lock to delete and the one for keys.
fn unlocked(places: &Places, tenant: &TenantName) -> Result<Unlocked> {
    let files: Arc<dyn RepositoryFiles> = Arc::new(DirectoryBackend::new(places.repository(tenant)));
    if !places.is_made(tenant, files.as_ref())? {
        return Err(Fault::new(Code::NothingToDo)
            .with("what", format!("{tenant} has no restore points yet, so there is no repository")));
    }
    files.remove_unfinished().map_err(|error| places.unreachable(tenant, error))?;
    let own = key::read(&places.keys, tenant)?
        .ok_or_else(|| key::fault(&places.keys, tenant).because("there is a repository, but no key"))?;
    // rustic_core reads the configuration too, so that a key file which opens another repository is none.
    places.unlocked_on(tenant, &files)?;
    let fail = |problem: String| places.unreachable(tenant, problem);
    let opened = key_file::opened_by(files.as_ref(), &own).map_err(fail)?;
    let Some((_, master)) = opened.first().cloned() else {
        return Err(key::fault(&places.keys, tenant).because("it does not open the repository"));
    };
    let ids = opened.into_iter().map(|(id, _)| id).collect();
    let record = Record::read_or_new(places, tenant)?;
    let mut found = Unlocked { files, own, ids, master, record };
    settle(places, tenant, &mut found)?;
    Ok(found)
}

/// Finishes or undoes an exchange that was killed, and removes key files that must not be there.
fn settle(places: &Places, tenant: &TenantName, found: &mut Unlocked) -> Result<()> {
    let fail = |problem: String| places.unreachable(tenant, problem);
    if let Some(next) = key::next(&places.keys, tenant)? {
        let unused = key_file::opened_by(found.files.as_ref(), &next).map_err(fail)?;
        found.record.retired.extend(unused.iter().map(|(id, _)| hex(id)));
    }
    if let Some(rotation) = found.record.rotating.take() {
        let exchanged = found.ids.iter().any(|id| !rotation.old.contains(&hex(id)));
        if exchanged {
            found.record.retired.extend(rotation.old);
            found.record.rotated = Some(rotation.done);
        }
    }
    // What the key on the disk opens stays, whatever is written down.
    let retired = std::mem::take(&mut found.record.retired);
    let is_ours = |id: &String| found.ids.iter().any(|own| hex(own) == *id);
    let (kept, retired): (BTreeSet<_>, BTreeSet<_>) = retired.into_iter().partition(is_ours);
    let all_ours_retired = found.ids.iter().all(|id| kept.contains(&hex(id)));
    found.record.retired = retired;
    if !all_ours_retired {
        found.record.retired.extend(kept);
    }
    found.record.write(places, tenant)?;
    eclusa_crash::point("vault.keys.settled");
    remove_retired(places, tenant, found.files.as_ref(), &found.record)?;
    found.ids.retain(|id| !found.record.is_retired(id));
    key::clear_unfinished(&places.keys, tenant)?;
    key::forget_next(&places.keys, tenant)
}

/// Removes the key files that must not be there.
fn remove_retired(
    places: &Places,
    tenant: &TenantName,
    files: &dyn RepositoryFiles,
    record: &Record,
) -> Result<()> {
    let fail = |error: Box<rustic_core::RusticError>| places.unreachable(tenant, error.display_log());
    for (id, _) in files.list_with_size(FileType::Key).map_err(fail)? {
        if record.is_retired(&id) {
            files.remove(FileType::Key, &id, false).map_err(fail)?;
            eclusa_crash::point("vault.keys.removed");
        }
    }
    Ok(())
}

/// Gives the tenant a new key. The one before opens the repository no longer.
pub(crate) fn rotate(places: &Places, tenant: &TenantName, by: DoneBy) -> Result<TenantKeys> {
    let _deleting = places.lock_to_delete(tenant)?;
    let _changing = places.lock_keys(tenant)?;
    let mut found = unlocked(places, tenant)?;
    let fail = |problem: String| places.unreachable(tenant, problem);
    let next = key::make_next(&places.keys, tenant)?;
    eclusa_crash::point("vault.keys.next");
    let files = found.files.as_ref();
    let id = key_file::write(files, &next, &found.master, None).map_err(fail)?;
    eclusa_crash::point("vault.keys.written");
    prove(places, tenant, &found.files, &next, &id)?;
    found.record.behind = mirrors(places, tenant)?;
    if !found.record.behind.is_empty() {
        key::keep_before(&places.keys, tenant, &found.own)?;
    }
    let old = found.ids.iter().map(hex).collect();
    found.record.rotating = Some(Rotation { done: by, old });
    found.record.write(places, tenant)?;
    eclusa_crash::point("vault.keys.noted");
    key::exchange(&places.keys, tenant)?;
    eclusa_crash::point("vault.keys.exchanged");
    found.own = next;
    found.ids.push(id);
    settle(places, tenant, &mut found)?;
    of(places, tenant)
}

/// Opens the repository with a key before anything relies on it.
fn prove(
    places: &Places,
    tenant: &TenantName,
    files: &Arc<dyn RepositoryFiles>,
    key: &SecretString,
    id: &Id,
) -> Result<()> {
    let repository = places.opened_with(tenant, files, &Credentials::password(key.expose_secret()))?;
    let opened = key_file::opened_by(files.as_ref(), key);
    let opened = opened.map_err(|problem| places.unreachable(tenant, problem))?;
    let same =
        |master: &MasterKey| serde_json::to_vec(master).ok() == serde_json::to_vec(&repository.key()).ok();
    if opened.iter().any(|(found, master)| found == id && same(master)) {
        Ok(())
    } else {
        Err(places.unreachable(tenant, "the new key file was written, and does not open the repository"))
    }
}

/// The mirrors at which copies may be: those of the configuration, and those that were copied to.
pub(crate) fn mirrors(places: &Places, tenant: &TenantName) -> Result<BTreeSet<String>> {
    let mut found: BTreeSet<String> = places.mirrors.iter().map(|mirror| mirror.name.clone()).collect();
    found.extend(copied_to(places, tenant)?);
    Ok(found)
}

/// The mirrors that were copied to, also those which the configuration names no longer.
pub(crate) fn copied_to(places: &Places, tenant: &TenantName) -> Result<BTreeSet<String>> {
    let directory = places.root.join(".mirrors");
    let fail = |error: std::io::Error| places.unreachable(tenant, error);
    let entries = match std::fs::read_dir(&directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        entries => entries.map_err(fail)?,
    };
    let mut found = BTreeSet::new();
    for entry in entries {
        let entry = entry.map_err(fail)?;
        if entry.path().join(format!("{tenant}.json")).exists() {
            found.extend(entry.file_name().into_string());
        }
    }
    Ok(found)
}

/// Gives somebody a key of their own, which opens the repository as it is and as it will be.
pub(crate) fn add_auditor(
    places: &Places,
    tenant: &TenantName,
    name: &str,
    password: &SecretString,
    by: DoneBy,
) -> Result<()> {
    let _deleting = places.lock_to_delete(tenant)?;
    let _changing = places.lock_keys(tenant)?;
    let mut found = unlocked(places, tenant)?;
    if found.record.current_auditors().any(|auditor| auditor.name == name) {
        return Err(
            Fault::new(Code::NothingToDo).with("what", format!("{name} has a key of {tenant} already"))
        );
    }
    let fail = |problem: String| places.unreachable(tenant, problem);
    let id = key_file::write(found.files.as_ref(), password, &found.master, Some(name)).map_err(fail)?;
    // Killed here, it is a key of which nobody has the password.
    eclusa_crash::point("vault.keys.auditor");
    prove(places, tenant, &found.files, password, &id)?;
    found.record.auditors.push(Auditor { name: name.to_owned(), id: hex(&id), added: by, removed: None });
    found.record.write(places, tenant)
}

/// Takes an auditor's key back. Whether there was one.
pub(crate) fn remove_auditor(places: &Places, tenant: &TenantName, name: &str, by: DoneBy) -> Result<bool> {
    let _deleting = places.lock_to_delete(tenant)?;
    let _changing = places.lock_keys(tenant)?;
    let mut found = unlocked(places, tenant)?;
    let mut ids = BTreeSet::new();
    for auditor in found.record.auditors.iter_mut() {
        if auditor.name == name && auditor.removed.is_none() {
            auditor.removed = Some(by.clone());
            ids.insert(auditor.id.clone());
        }
    }
    // One whose adding was killed before it was written down.
    let all = key_file::all(found.files.as_ref());
    let theirs = format!("{name}@{}", key_file::AUDITOR_HOST);
    for file in all.map_err(|problem| places.unreachable(tenant, problem))? {
        if file.whose().as_deref() == Some(theirs.as_str()) {
            ids.insert(hex(&file.id));
        }
    }
    let any = !ids.is_empty();
    found.record.retired.extend(ids);
    found.record.write(places, tenant)?;
    eclusa_crash::point("vault.keys.noted");
    settle(places, tenant, &mut found)?;
    Ok(any)
}

/// The tenant's key itself.
pub(crate) fn reveal(places: &Places, tenant: &TenantName) -> Result<SecretString> {
    key::read(&places.keys, tenant)?
        .ok_or_else(|| key::fault(&places.keys, tenant).because("there is no key"))
}

/// Writes down that keys were put into a file.
pub(crate) fn note_escrow(places: &Places, tenant: &TenantName, escrow: Escrow) -> Result<()> {
    let _changing = places.lock_keys(tenant)?;
    let mut record = Record::read_or_new(places, tenant)?;
    record.escrows.push(escrow);
    record.write(places, tenant)
}

/// Puts a key back where it belongs. One that is there is replaced only when that is wanted, and kept beside.
pub(crate) fn put_back(
    places: &Places,
    tenant: &TenantName,
    wanted: &SecretString,
    replace: bool,
    at: Timestamp,
) -> Result<PutBack> {
    let _adding = places.lock_to_add(tenant)?;
    let _changing = places.lock_keys(tenant)?;
    let files = DirectoryBackend::new(places.repository(tenant));
    let made = places.is_made(tenant, &files)?;
    let opens = |key: &SecretString| -> Result<Option<bool>> {
        let opened =
            key_file::opened_by(&files, key).map_err(|problem| places.unreachable(tenant, problem))?;
        Ok(made.then_some(!opened.is_empty()))
    };
    let there = match key::read(&places.keys, tenant) {
        Err(fault) if fault.code == Code::KeyWrapped && !replace => return Ok(PutBack::Closed),
        Err(fault) if fault.code == Code::KeyWrapped => {
            key::put_aside_closed(&places.keys, tenant, at.as_second())?;
            None
        }
        there => there?,
    };
    match there {
        Some(there) if there.expose_secret() == wanted.expose_secret() => return Ok(PutBack::Already),
        Some(there) if replace => key::put_aside(&places.keys, tenant, &there, at.as_second())?,
        Some(there) => return Ok(PutBack::Another { opens: opens(&there)? }),
        None if !replace && opens(wanted)? == Some(false) => return Ok(PutBack::DoesNotOpen),
        None => {}
    }
    eclusa_crash::point("vault.keys.aside");
    key::put(&places.keys, tenant, wanted)?;
    Ok(PutBack::Written { opens: opens(wanted)? })
}

/// The key files that must not be at a mirror, or come back from there. Nothing is, while the key on the disk opens none of
/// the files here: then one of those may be all there is.
pub(crate) fn retired(places: &Places, tenant: &TenantName) -> Result<BTreeSet<Id>> {
    let record = Record::read_or_new(places, tenant)?;
    if record.retired.is_empty() || !opens_here(places, tenant, &record)? {
        return Ok(BTreeSet::new());
    }
    Ok(record.retired.iter().filter_map(|id| id.parse().ok()).collect())
}

/// Whether the key on the disk opens the repository by a file that may be there.
fn opens_here(places: &Places, tenant: &TenantName, record: &Record) -> Result<bool> {
    let Some(own) = key::read(&places.keys, tenant)? else { return Ok(false) };
    let files = DirectoryBackend::new(places.repository(tenant));
    let opened = key_file::opened_by(&files, &own).map_err(|problem| places.unreachable(tenant, problem))?;
    Ok(opened.iter().any(|(id, _)| !record.is_retired(id)))
}

/// After everything was copied to a mirror, which therefore knows the key as it is now: the files of former keys go there
/// too. A mirror that lets nothing be removed keeps them, and that is written down.
pub(crate) fn caught_up(
    places: &Places,
    tenant: &TenantName,
    mirror: &str,
    there: &dyn WriteBackend,
) -> Result<()> {
    let _changing = places.lock_keys(tenant)?;
    let before = key::before(&places.keys, tenant)?;
    let mut record = match Record::read(places, tenant)? {
        Some(record) => record,
        None if before.is_empty() => return Ok(()),
        // What was written down may be lost together with the vault; then every mirror has to be copied to first.
        None => {
            let mut record = Record::read_or_new(places, tenant)?;
            record.behind = mirrors(places, tenant)?;
            record
        }
    };
    if !opens_here(places, tenant, &record)? {
        return Ok(());
    }
    let mut kept = false;
    for (id, _) in there.list_with_size(FileType::Key).unwrap_or_default() {
        kept |= record.is_retired(&id) && there.remove(FileType::Key, &id, false).is_err();
        eclusa_crash::point("vault.keys.removed");
    }
    let was_behind = record.behind.remove(mirror);
    let changed = if kept { record.keeping.insert(mirror.to_owned()) } else { record.keeping.remove(mirror) };
    if was_behind || changed {
        record.write(places, tenant)?;
        eclusa_crash::point("vault.keys.caught-up");
    }
    if record.behind.is_empty() && !before.is_empty() {
        key::forget_before(&places.keys, tenant)?;
    }
    Ok(())
}

/// After everything was copied back from a mirror: when only a key before opens it, the key as it is now is given a file.
pub(crate) fn came_back(places: &Places, tenant: &TenantName, vault: &dyn RepositoryFiles) -> Result<()> {
    let _changing = places.lock_keys(tenant)?;
    let fail = |problem: String| places.unreachable(tenant, problem);
    let Some(own) = key::read(&places.keys, tenant)? else { return Ok(()) };
    if key_file::opened_by(vault, &own).map_err(fail)?.is_empty() {
        for before in key::before(&places.keys, tenant)? {
            if let Some((_, master)) = key_file::opened_by(vault, &before).map_err(fail)?.first() {
                key_file::write(vault, &own, master, None).map_err(fail)?;
                break;
            }
        }
    }
    let record = Record::read_or_new(places, tenant)?;
    if opens_here(places, tenant, &record)? {
        remove_retired(places, tenant, vault, &record)?;
    }
    Ok(())
}
