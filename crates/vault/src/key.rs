//! The key of a tenant's repository: a random password in a file of its own, outside the repository. Which files with keys a
//! tenant has, and what each is for; [`crate::key_directory`] reads and writes them.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use rand::RngCore as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::durable;
use crate::key_directory::{Content, KeyDirectory};

/// The length of a key in bytes before it is written in base64.
const KEY_BYTES: usize = 32;

/// Makes a new random key: 32 bytes of the system's randomness, in base64. It is the password of a restic
/// repository.
#[must_use]
pub fn new_key() -> SecretString {
    let mut bytes = [0_u8; KEY_BYTES];
    rand::rng().fill_bytes(&mut bytes);
    SecretString::from(STANDARD.encode(bytes))
}

/// A name that nothing else has: 16 random bytes in hexadecimal.
pub(crate) fn random_name() -> String {
    let mut bytes = [0_u8; 16];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

/// Where a tenant's key lies.
pub(crate) fn path_of(keys: &KeyDirectory, tenant: &TenantName) -> PathBuf {
    keys.path.join(format!("{tenant}.key"))
}

/// Reads a tenant's key; `None` when there is no file.
pub(crate) fn read(keys: &KeyDirectory, tenant: &TenantName) -> Result<Option<SecretString>> {
    match keys.read(&path_of(keys, tenant), tenant)? {
        Content::Absent => Ok(None),
        Content::Damaged(fault) => Err(fault),
        Content::Text(text) => match text.expose_secret().trim() {
            "" => Err(fault(keys, tenant).because("the file is empty")),
            key => Ok(Some(SecretString::from(key))),
        },
    }
}

/// Makes and durably keeps a tenant's key.
pub(crate) fn create(keys: &KeyDirectory, tenant: &TenantName) -> Result<SecretString> {
    let key = new_key();
    put(keys, tenant, &key)?;
    Ok(key)
}

/// A key that is about to become the tenant's.
fn path_of_next(keys: &KeyDirectory, tenant: &TenantName) -> PathBuf {
    keys.path.join(format!("{tenant}.key-next"))
}

/// The keys before, as long as a mirror knows no other; one a line.
fn path_of_before(keys: &KeyDirectory, tenant: &TenantName) -> PathBuf {
    keys.path.join(format!("{tenant}.keys-before"))
}

/// Everything that lies there of a tenant's keys. `TENANT.key-replaced-NUMBER` are keys that a recovery put aside.
pub(crate) fn all_paths(keys: &KeyDirectory, tenant: &TenantName) -> io::Result<Vec<PathBuf>> {
    let plain = [
        path_of(keys, tenant),
        path_of_next(keys, tenant),
        path_of_before(keys, tenant),
        path_of_unfinished(keys, tenant),
    ];
    let aside = format!("{tenant}.key-replaced-");
    let mut found: Vec<PathBuf> = Vec::new();
    let entries = match std::fs::read_dir(&keys.path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        entries => entries?,
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix(&aside);
        let is_aside = number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
        if is_aside || plain.contains(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// Whose keys are in a file of this name; `None` when it is none of ours.
pub(crate) fn holder(name: &str) -> Option<TenantName> {
    let aside = || {
        let (tenant, number) = name.rsplit_once(".key-replaced-")?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then_some(tenant)
    };
    let plain = [".key", ".key-next", ".keys-before", ".key-unfinished"];
    let tenant = plain.iter().find_map(|ending| name.strip_suffix(ending)).or_else(aside)?;
    TenantName::new(tenant).ok()
}

/// A file with keys that is being written. Whoever writes one of a tenant is alone with that tenant, so that what was left
/// there is nobody's.
pub(crate) fn path_of_unfinished(keys: &KeyDirectory, tenant: &TenantName) -> PathBuf {
    keys.path.join(format!("{tenant}.key-unfinished"))
}

fn write(path: &Path, keys: &KeyDirectory, tenant: &TenantName, lines: &[&str]) -> Result<()> {
    let text: String = lines.iter().flat_map(|line| [*line, "\n"]).collect();
    keys.write(path, &path_of_unfinished(keys, tenant), tenant, &SecretString::from(text))
}

/// Removes what a killed process left half written.
pub(crate) fn clear_unfinished(keys: &KeyDirectory, tenant: &TenantName) -> Result<()> {
    remove(&path_of_unfinished(keys, tenant), keys).map_err(|error| fault(keys, tenant).because(error))
}

/// Puts a key where the tenant's key belongs.
pub(crate) fn put(keys: &KeyDirectory, tenant: &TenantName, key: &SecretString) -> Result<()> {
    write(&path_of(keys, tenant), keys, tenant, &[key.expose_secret()])
}

fn path_aside(keys: &KeyDirectory, tenant: &TenantName, number: i64) -> PathBuf {
    keys.path.join(format!("{tenant}.key-replaced-{}", number.unsigned_abs()))
}

/// Keeps the tenant's key under another name, so that another can take its place.
pub(crate) fn put_aside(
    keys: &KeyDirectory,
    tenant: &TenantName,
    key: &SecretString,
    number: i64,
) -> Result<()> {
    write(&path_aside(keys, tenant, number), keys, tenant, &[key.expose_secret()])
}

/// The same of a key that nothing here opens: whoever finds its stack key still opens it.
pub(crate) fn put_aside_closed(keys: &KeyDirectory, tenant: &TenantName, number: i64) -> Result<()> {
    std::fs::rename(path_of(keys, tenant), path_aside(keys, tenant, number))
        .and_then(|()| durable::synchronise_directory(&keys.path))
        .map_err(|error| fault(keys, tenant).because(error))
}

/// Makes and durably keeps the key that is to be the tenant's next.
pub(crate) fn make_next(keys: &KeyDirectory, tenant: &TenantName) -> Result<SecretString> {
    let key = new_key();
    write(&path_of_next(keys, tenant), keys, tenant, &[key.expose_secret()])?;
    Ok(key)
}

/// The key that an exchange which did not end has made.
pub(crate) fn next(keys: &KeyDirectory, tenant: &TenantName) -> Result<Option<SecretString>> {
    Ok(lines(&path_of_next(keys, tenant), keys, tenant)?.into_iter().next())
}

/// Forgets the key that an exchange which did not end has made.
pub(crate) fn forget_next(keys: &KeyDirectory, tenant: &TenantName) -> Result<()> {
    remove(&path_of_next(keys, tenant), keys).map_err(|error| fault(keys, tenant).because(error))
}

/// Makes the next key the tenant's, by one rename.
pub(crate) fn exchange(keys: &KeyDirectory, tenant: &TenantName) -> Result<()> {
    std::fs::rename(path_of_next(keys, tenant), path_of(keys, tenant))
        .and_then(|()| durable::synchronise_directory(&keys.path))
        .map_err(|error| fault(keys, tenant).because(error))
}

/// The keys before the tenant's key, which a mirror may still need.
pub(crate) fn before(keys: &KeyDirectory, tenant: &TenantName) -> Result<Vec<SecretString>> {
    lines(&path_of_before(keys, tenant), keys, tenant)
}

/// Keeps one more of them.
pub(crate) fn keep_before(keys: &KeyDirectory, tenant: &TenantName, key: &SecretString) -> Result<()> {
    let known = before(keys, tenant)?;
    let mut all: Vec<&str> = known.iter().map(|key| key.expose_secret()).collect();
    if all.contains(&key.expose_secret()) {
        return Ok(());
    }
    all.push(key.expose_secret());
    write(&path_of_before(keys, tenant), keys, tenant, &all)
}

/// Forgets all of them.
pub(crate) fn forget_before(keys: &KeyDirectory, tenant: &TenantName) -> Result<()> {
    remove(&path_of_before(keys, tenant), keys).map_err(|error| fault(keys, tenant).because(error))
}

fn lines(path: &Path, keys: &KeyDirectory, tenant: &TenantName) -> Result<Vec<SecretString>> {
    match keys.read(path, tenant)? {
        // Overwritten by a removal that was killed before its end.
        Content::Absent | Content::Damaged(_) => Ok(Vec::new()),
        Content::Text(text) => {
            let lines = text.expose_secret().lines().filter(|line| !line.is_empty());
            Ok(lines.map(SecretString::from).collect())
        }
    }
}

/// Removes a file with a key in it. Its bytes are overwritten first; on a disk that writes elsewhere (flash, copy on write)
/// that changes nothing.
pub(crate) fn remove(path: &Path, keys: &KeyDirectory) -> io::Result<()> {
    let mut file = match std::fs::OpenOptions::new().write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    overwrite(&mut file)?;
    eclusa_crash::point("vault.key.overwritten");
    std::fs::remove_file(path)?;
    durable::synchronise_directory(&keys.path)
}

/// Overwrites all bytes of a file with a key in it.
pub(crate) fn overwrite(file: &mut std::fs::File) -> io::Result<()> {
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut bytes = vec![0_u8; length];
    rand::rng().fill_bytes(&mut bytes);
    io::Seek::rewind(file)?;
    io::Write::write_all(file, &bytes)?;
    file.sync_all()
}

/// What a key is known by in public: the beginning of a hash. A key of 32 random bytes cannot be guessed from it.
#[must_use]
pub fn fingerprint(key: &SecretString) -> String {
    use sha2::{Digest as _, Sha256};
    let hash = Sha256::new().chain_update("eclusa-key\0").chain_update(key.expose_secret()).finalize();
    let text = hex::encode(hash);
    text.as_bytes().chunks(4).take(4).map(|part| String::from_utf8_lossy(part)).collect::<Vec<_>>().join("-")
}

/// The key is missing or wrong.
pub(crate) fn fault(keys: &KeyDirectory, tenant: &TenantName) -> Fault {
    Fault::new(Code::VaultKey).with("tenant", tenant).with("path", path_of(keys, tenant).display())
}
