//! The file in a repository that gives its master key to whoever has the password, in restic's format.
//!
//! rustic_core would make it too, but only with a derivation that takes some tenths of a second and 128 MiB, each time
//! a repository is opened. That protects passwords which people think of: they can be guessed, so a guess is made
//! dear. Ours are 32 bytes of the system's randomness, which nobody guesses whatever a guess costs; so the derivation
//! is as cheap as the format allows. Its parameters stand in the file, and a file with others is read as before.

use aes256ctr_poly1305aes::aead::Aead as _;
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Key, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore as _;
use rustic_core::repofile::{KeyFile, MasterKey};
use rustic_core::{FileType, Id, WriteBackend};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::files::RepositoryFiles;

/// scrypt's N, r and p: 2 KiB and some microseconds.
const COST: u32 = 2;
const BLOCK: u32 = 8;
const PARALLEL: u32 = 1;
/// restic takes salts of this length only.
const SALT_BYTES: usize = 64;

/// How restic's own list of keys names the machine of an auditor's key; the auditor is the user there.
pub(crate) const AUDITOR_HOST: &str = "eclusa-auditor";

/// Writes the file by which `password` opens what `master` encrypts, and gives its id. restic lists it under the name of
/// whoever it is for.
pub(crate) fn write(
    backend: &dyn RepositoryFiles,
    password: &SecretString,
    master: &MasterKey,
    auditor: Option<&str>,
) -> Result<Id, String> {
    let mut salt = vec![0; SALT_BYTES];
    rand::rng().fill_bytes(&mut salt);
    let mut file = KeyFile {
        hostname: auditor.map(|_| AUDITOR_HOST.to_owned()),
        username: auditor.map(str::to_owned),
        created: None,
        kdf: "scrypt".to_owned(),
        n: COST,
        r: BLOCK,
        p: PARALLEL,
        data: Vec::new(),
        salt,
    };
    let (encrypt, k, r) =
        file.kdf_key(&password.expose_secret()).map_err(|error| error.display_log())?.to_keys();
    let cipher = Aes256CtrPoly1305Aes::new(Key::from_slice(&[encrypt, k, r].concat()));
    let mut nonce = Nonce::default();
    rand::rng().fill_bytes(&mut nonce);
    let text = serde_json::to_vec(master).map_err(|error| error.to_string())?;
    let sealed = cipher.encrypt(&nonce, text.as_slice()).map_err(|error| error.to_string())?;
    file.data = [nonce.as_slice(), &sealed].concat();
    let content = serde_json::to_vec(&file).map_err(|error| error.to_string())?;
    let id = hex::encode(Sha256::digest(&content)).parse().map_err(|_| "a hash is no id".to_owned())?;
    backend
        .write_bytes(FileType::Key, &id, false, content.into())
        .map_err(|error| error.display_log())
        .map(|()| id)
}

/// A key file as it lies in a repository.
pub(crate) struct Found {
    pub(crate) id: Id,
    file: KeyFile,
}

impl Found {
    /// What the password opens with it; `None` when it is not its password.
    pub(crate) fn opened_by(&self, password: &SecretString) -> Option<MasterKey> {
        let text = password.expose_secret();
        let (encrypt, k, r) = self.file.key_from_password(&text).ok()?.to_keys();
        let [encrypt, k, r] = [encrypt, k, r].map(|part| STANDARD.encode(part));
        serde_json::from_value(serde_json::json!({ "mac": { "k": k, "r": r }, "encrypt": encrypt })).ok()
    }

    /// Who it is for, as restic's list of keys says it: the user and the machine.
    pub(crate) fn whose(&self) -> Option<String> {
        match (&self.file.username, &self.file.hostname) {
            (Some(user), Some(host)) => Some(format!("{user}@{host}")),
            (Some(one), None) | (None, Some(one)) => Some(one.clone()),
            (None, None) => None,
        }
    }
}

/// The key files of a repository that can be read, by id. A damaged one opens nothing.
pub(crate) fn all(backend: &dyn WriteBackend) -> Result<Vec<Found>, String> {
    let listed = backend.list_with_size(FileType::Key).map_err(|error| error.display_log())?;
    let read = |(id, _): (Id, u32)| {
        let content = backend.read_full(FileType::Key, &id).ok()?;
        let file: KeyFile = serde_json::from_slice(&content).ok()?;
        (file.n > 0).then_some(Found { id, file })
    };
    Ok(listed.into_iter().filter_map(read).collect())
}

/// The key files that a password opens, and what they open.
pub(crate) fn opened_by(
    backend: &dyn WriteBackend,
    password: &SecretString,
) -> Result<Vec<(Id, MasterKey)>, String> {
    let open = |found: Found| Some((found.id, found.opened_by(password)?));
    Ok(all(backend)?.into_iter().filter_map(open).collect())
}
