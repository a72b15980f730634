//! The file in a repository that gives its master key to whoever has the password, in restic's format.
//!
//! rustic_core would make it too, but only with a derivation that takes some tenths of a second and 128 MiB, each time
//! a repository is opened. That protects passwords which people think of: they can be guessed, so a guess is made
//! dear. Ours are 32 bytes of the system's randomness, which nobody guesses whatever a guess costs; so the derivation
//! is as cheap as the format allows. Its parameters stand in the file, and a file with others is read as before.

use aes256ctr_poly1305aes::aead::Aead as _;
use aes256ctr_poly1305aes::{Aes256CtrPoly1305Aes, Key, Nonce};
use rand::RngCore as _;
use rustic_core::FileType;
use rustic_core::repofile::{KeyFile, MasterKey};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::files::RepositoryFiles;

/// scrypt's N, r and p: 2 KiB and some microseconds.
const COST: u32 = 2;
const BLOCK: u32 = 8;
const PARALLEL: u32 = 1;
/// restic takes salts of this length only.
const SALT_BYTES: usize = 64;

/// Writes the file by which `password` opens what `master` encrypts.
pub(crate) fn write(
    backend: &dyn RepositoryFiles,
    password: &SecretString,
    master: &MasterKey,
) -> Result<(), String> {
    let mut salt = vec![0; SALT_BYTES];
    rand::rng().fill_bytes(&mut salt);
    let mut file = KeyFile {
        hostname: None,
        username: None,
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
    backend.write_bytes(FileType::Key, &id, false, content.into()).map_err(|error| error.display_log())
}
