//! Files with keys that are there already, brought from plain to wrapped, back, or from one stack key to another.
//!
//! One file after the other, each by one rename, and only when what was written was read back and opened. Killed at any moment,
//! each file is as it was or as it shall be, and both can be read; the same command goes on.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::TenantName;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

use crate::key;
use crate::key_directory::{store, whole};
use crate::repository::Places;
use crate::stack_key::{Closed, StackKey, is_wrapped};

/// What became of the files with keys of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rewritten {
    /// The tenant.
    pub tenant: TenantName,
    /// The files that were written anew.
    pub changed: Vec<String>,
    /// Those that were as they shall be.
    pub already: Vec<String>,
}

/// Whose files with keys are wrapped, and whose lie as they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wrapping {
    /// Tenants with wrapped ones.
    pub wrapped: BTreeSet<TenantName>,
    /// Tenants with plain ones; a tenant may have both.
    pub plain: BTreeSet<TenantName>,
}

/// What a file with keys is, by its bytes; `None` when no keys are in it: it was overwritten by a removal that was killed.
fn is_plain(bytes: &[u8]) -> Option<bool> {
    if is_wrapped(bytes) {
        return Some(false);
    }
    std::str::from_utf8(bytes).ok().filter(|text| !text.trim().is_empty()).map(|_| true)
}

fn unreadable(places: &Places, tenant: &TenantName, path: &Path, error: &io::Error) -> Fault {
    key::fault(&places.keys, tenant).with("path", path.display()).because(error)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Everybody's files, by one look into the directory.
pub(crate) fn of(places: &Places) -> Result<Wrapping> {
    let directory = &places.keys.path;
    let fail = |path: &Path, error: &io::Error| {
        Fault::new(Code::FileAccess).with("path", path.display()).with("operation", "read").because(error)
    };
    let mut found = Wrapping::default();
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries.map_err(|error| fail(directory, &error))?,
    };
    for entry in entries {
        let entry = entry.map_err(|error| fail(directory, &error))?;
        let Some(tenant) = entry.file_name().to_str().and_then(key::holder) else { continue };
        let bytes = match File::open(entry.path()).and_then(whole) {
            // Exchanged or finished meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            bytes => bytes.map_err(|error| fail(&entry.path(), &error))?,
        };
        match is_plain(&bytes) {
            Some(true) => found.plain.insert(tenant),
            Some(false) => found.wrapped.insert(tenant),
            None => false,
        };
    }
    Ok(found)
}

/// A tenant's wrapped files, and its plain ones.
pub(crate) fn told_apart(places: &Places, tenant: &TenantName) -> Result<(Vec<String>, Vec<String>)> {
    let paths = key::all_paths(&places.keys, tenant)
        .map_err(|error| unreadable(places, tenant, &places.keys.path, &error))?;
    let (mut wrapped, mut plain) = (Vec::new(), Vec::new());
    for path in paths {
        let bytes = File::open(&path).and_then(whole);
        match is_plain(&bytes.map_err(|error| unreadable(places, tenant, &path, &error))?) {
            Some(true) => plain.push(name_of(&path)),
            Some(false) => wrapped.push(name_of(&path)),
            None => {}
        }
    }
    Ok((wrapped, plain))
}

/// Wraps what lies as it is, and anew what `former` wrapped.
pub(crate) fn wrap(places: &Places, tenant: &TenantName, former: Option<&StackKey>) -> Result<Rewritten> {
    let Some(key) = places.keys.stack_key_now()? else {
        return Err(Fault::new(Code::NothingToDo)
            .with("what", "no stack key is configured")
            .hint(Message::new("hint-stack-key").with("stack", &places.stack)));
    };
    rewrite(places, tenant, Some(&key), &[Some(key.as_ref()), former])
}

/// Lays open what the configured stack key or `former` wrapped.
pub(crate) fn unwrap(places: &Places, tenant: &TenantName, former: Option<&StackKey>) -> Result<Rewritten> {
    // One that cannot be had is not missed where the other opens everything.
    let key = match places.keys.stack_key_now() {
        Err(_) if former.is_some() => None,
        key => key?,
    };
    rewrite(places, tenant, None, &[former, key.as_deref()])
}

/// Brings a tenant's files to be wrapped by a key, or to be plain. Whoever writes files with keys holds one of these locks.
fn rewrite(
    places: &Places,
    tenant: &TenantName,
    wanted: Option<&StackKey>,
    openers: &[Option<&StackKey>],
) -> Result<Rewritten> {
    let _adding = places.lock_to_add(tenant)?;
    let _changing = places.lock_keys(tenant)?;
    key::clear_unfinished(&places.keys, tenant)?;
    let mut done = Rewritten { tenant: tenant.clone(), changed: Vec::new(), already: Vec::new() };
    let paths = key::all_paths(&places.keys, tenant)
        .map_err(|error| unreadable(places, tenant, &places.keys.path, &error))?;
    for path in paths {
        match rewrite_file(places, tenant, &path, wanted, openers)? {
            Some(true) => done.changed.push(name_of(&path)),
            Some(false) => done.already.push(name_of(&path)),
            None => {}
        }
    }
    Ok(done)
}

/// Whether a file was written anew; `None` when it holds no keys.
fn rewrite_file(
    places: &Places,
    tenant: &TenantName,
    path: &Path,
    wanted: Option<&StackKey>,
    openers: &[Option<&StackKey>],
) -> Result<Option<bool>> {
    let fail = |error: io::Error| unreadable(places, tenant, path, &error);
    let is_file = std::fs::symlink_metadata(path).map_err(fail)?.is_file();
    if !is_file {
        // Whatever a link points to would stay as it is.
        return Err(fail(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file")));
    }
    // One that may not be written can be replaced all the same.
    let before =
        File::options().read(true).write(true).open(path).or_else(|_| File::open(path)).map_err(fail)?;
    let bytes = whole(before.try_clone().map_err(fail)?).map_err(fail)?;
    let nothing = || fail(io::Error::new(io::ErrorKind::InvalidData, "no key is in it"));
    let Some(plain) = is_plain(&bytes) else {
        let own = path == key::path_of(&places.keys, tenant);
        return if own { Err(nothing()) } else { Ok(None) };
    };
    let text = if plain {
        if wanted.is_none() {
            return Ok(Some(false));
        }
        SecretString::from(String::from_utf8(bytes).map_err(|_| nothing())?)
    } else {
        if wanted.is_some_and(|key| key.open(&bytes).is_ok()) {
            return Ok(Some(false));
        }
        opened(&bytes, openers).map_err(|why| places.keys.closed(path, tenant, why.as_ref()))?
    };
    if text.expose_secret().trim().is_empty() {
        return Err(nothing());
    }
    store(path, &key::path_of_unfinished(&places.keys, tenant), &text, wanted).map_err(fail)?;
    eclusa_crash::point("vault.keys.rewritten");
    forget(before);
    Ok(Some(true))
}

/// What one of these keys opens; otherwise why the last of them does not, and nothing where there is none.
fn opened(bytes: &[u8], openers: &[Option<&StackKey>]) -> std::result::Result<SecretString, Option<Closed>> {
    let mut why = None;
    for key in openers.iter().flatten() {
        match key.open(bytes) {
            Ok(text) => return Ok(text),
            Err(Closed::Another) if why.is_some() => {}
            Err(closed) => why = Some(closed),
        }
    }
    Err(why)
}

/// Overwrites what was replaced, as far as the disk writes where it did before. The new file is on the disk already, so that
/// nothing is lost when this fails; and a file that has another name is somebody's copy, and left.
fn forget(mut before: File) {
    if before.metadata().is_ok_and(|found| found.nlink() == 0) {
        let _ = key::overwrite(&mut before);
        eclusa_crash::point("vault.key.overwritten");
    }
}
