//! The key of a tenant's repository: a random password in a file of its own, outside the repository.

use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use rand::RngCore as _;
use secrecy::{ExposeSecret as _, SecretString};

use crate::durable;

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
pub(crate) fn path_of(keys: &Path, tenant: &TenantName) -> PathBuf {
    keys.join(format!("{tenant}.key"))
}

/// Reads a tenant's key; `None` when there is no file.
pub(crate) fn read(keys: &Path, tenant: &TenantName) -> Result<Option<SecretString>> {
    let path = path_of(keys, tenant);
    match std::fs::read_to_string(&path) {
        Ok(text) if text.trim().is_empty() => Err(fault(keys, tenant).because("the file is empty")),
        Ok(text) => Ok(Some(SecretString::from(text.trim()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault(keys, tenant).because(error)),
    }
}

/// Makes and durably keeps a tenant's key.
pub(crate) fn create(keys: &Path, tenant: &TenantName) -> Result<SecretString> {
    let key = new_key();
    durable::make_directory(keys)
        .and_then(|()| {
            let text = key.expose_secret().as_bytes();
            durable::write_file(&path_of(keys, tenant), keys, 0o600, [text, b"\n".as_slice()])
        })
        .map_err(|error| fault(keys, tenant).because(error))?;
    Ok(key)
}

/// The key is missing or wrong.
pub(crate) fn fault(keys: &Path, tenant: &TenantName) -> Fault {
    Fault::new(Code::VaultKey).with("tenant", tenant).with("path", path_of(keys, tenant).display())
}
