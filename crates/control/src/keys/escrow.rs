//! Keys in a file that age encrypts, and back. The clear text is JSON that a person can read too, so that Debian's `age` and
//! `restic` are enough to get at the data: `docs/formats/keys.md`.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use age::armor::{ArmoredReader, ArmoredWriter, Format};
use age::{Decryptor, Encryptor, Identity, Recipient};
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::TenantName;
use eclusa_vault::{DoneBy, Escrow, PutBack, fingerprint};
use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::Keeper;
use super::sheet;

/// The format of the clear text.
const FORMAT: u32 = 1;
/// A larger file holds no keys.
const LARGEST: u64 = 64 << 20;

/// Who shall be able to open the file.
pub enum Sealing {
    /// Whoever knows a passphrase.
    Passphrase(SecretString),
    /// Whoever has the identity of one of these age recipients.
    Recipients(Vec<String>),
}

impl Sealing {
    fn words(&self) -> Vec<String> {
        match self {
            Self::Passphrase(_) => vec!["passphrase".to_owned()],
            Self::Recipients(recipients) => recipients.clone(),
        }
    }
}

/// What opens the file.
pub enum Opening {
    /// The passphrase.
    Passphrase(SecretString),
    /// The text of a file with age identities.
    Identities(SecretString),
}

/// The clear text.
#[derive(Serialize, Deserialize)]
struct Keys {
    format: u32,
    what: String,
    stack: String,
    made_at: Timestamp,
    made_by: String,
    keys: Vec<Key>,
}

/// One key in it.
#[derive(Serialize, Deserialize)]
struct Key {
    tenant: TenantName,
    fingerprint: String,
    repository: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mirrors: Vec<String>,
    password: String,
}

/// What was put into the file.
#[derive(Debug, Clone, Serialize)]
pub struct Escrowed {
    /// The tenants and the fingerprints of their keys.
    pub keys: Vec<(TenantName, String)>,
    /// The recovery sheet.
    #[serde(skip)]
    pub sheet: String,
}

/// What became of one key of the file.
#[derive(Debug, Clone, Serialize)]
pub struct Recovered {
    /// The tenant.
    pub tenant: TenantName,
    /// The fingerprint of the key in the file.
    pub fingerprint: String,
    /// What became of it.
    #[serde(flatten)]
    pub put_back: PutBack,
}

fn invalid(path: &Path, problem: impl std::fmt::Display) -> Fault {
    Fault::new(Code::EscrowInvalid).with("path", path.display()).with("problem", problem)
}

impl Keeper {
    /// Writes the keys of the named tenants, or of all, into a new file, and down that it was done. With the keys in plain
    /// text the recovery sheet is a secret itself.
    ///
    /// # Errors
    /// `EscrowInvalid` for a recipient that is none; `VaultKey` when a key does not open its repository: a copy of it would
    /// help nobody; `NothingToDo` without keys; `FileAccess`.
    pub async fn escrow(
        &self,
        tenants: &[TenantName],
        sealing: &Sealing,
        path: &Path,
        by: &DoneBy,
        with_passwords: bool,
    ) -> Result<Escrowed> {
        let keys = self.keys_to_keep(tenants, by).await?;
        let text = serde_json::to_string_pretty(&keys)
            .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
        let sealed = seal(sealing, text.as_bytes()).map_err(|problem| invalid(path, problem))?;
        write_new(path, &sealed)?;
        eclusa_crash::point("keys.escrow.written");
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        for key in &keys.keys {
            let escrow = Escrow {
                made: by.clone(),
                fingerprint: key.fingerprint.clone(),
                file: absolute.display().to_string(),
                opened_by: sealing.words(),
            };
            self.vault.note_escrow(&key.tenant, escrow).await?;
        }
        let of = |key: &Key| sheet::Entry {
            tenant: key.tenant.to_string(),
            fingerprint: key.fingerprint.clone(),
            places: std::iter::once(key.repository.clone()).chain(key.mirrors.clone()).collect(),
            password: with_passwords.then(|| key.password.clone()),
        };
        let name =
            path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into());
        let entries: Vec<sheet::Entry> = keys.keys.iter().map(of).collect();
        let passphrase = matches!(sealing, Sealing::Passphrase(_));
        let wrapped = self.vault.has_stack_key().then(|| self.vault.key_directory().display().to_string());
        let made = sheet::Made { stack: self.stack.as_str(), file: &name, by, passphrase };
        let sheet = sheet::text(&made, wrapped.as_deref(), &entries);
        Ok(Escrowed { keys: keys.keys.into_iter().map(|key| (key.tenant, key.fingerprint)).collect(), sheet })
    }

    async fn keys_to_keep(&self, tenants: &[TenantName], by: &DoneBy) -> Result<Keys> {
        let mut keys = Vec::new();
        for found in self.list(tenants).await? {
            let Some(fingerprint) = found.fingerprint else { continue };
            let tenant = found.tenant;
            if found.opens == Some(false) {
                let path = self.vault.key_path(&tenant);
                return Err(Fault::new(Code::VaultKey)
                    .with("tenant", &tenant)
                    .with("path", path.display())
                    .because("it does not open the repository"));
            }
            let mirrors = self.vault.mirror_paths(&tenant).into_iter();
            keys.push(Key {
                repository: self.vault.repository_path(&tenant).display().to_string(),
                mirrors: mirrors.map(|(name, path)| format!("{path} (mirror {name})")).collect(),
                password: self.vault.reveal_key(&tenant).await?.expose_secret().to_owned(),
                tenant,
                fingerprint,
            });
        }
        if keys.is_empty() {
            return Err(Fault::new(Code::NothingToDo)
                .with("what", "there are no keys yet; they come with the first backup"));
        }
        Ok(Keys {
            format: FORMAT,
            what: "Keys of Eclusa's restore points. Each password opens one restic repository.".to_owned(),
            stack: self.stack.to_string(),
            made_at: by.at,
            made_by: by.by.clone(),
            keys,
        })
    }

    /// Puts the keys of a file back: of the named tenants, or of all that are in it. Another key that is there stays, unless
    /// it shall be replaced; then it is kept beside.
    ///
    /// # Errors
    /// `EscrowInvalid` when it cannot be opened, or is of another stack; `FileAccess`, `VaultKey`, `VaultUnreachable`.
    pub async fn recover(
        &self,
        path: &Path,
        opening: &Opening,
        tenants: &[TenantName],
        replace: bool,
        at: Timestamp,
    ) -> Result<Vec<Recovered>> {
        let text = open(opening, path)?;
        let keys: Keys = serde_json::from_slice(text.expose_secret())
            .map_err(|_| invalid(path, "what is in it are no keys of this format"))?;
        if keys.format != FORMAT {
            return Err(invalid(
                path,
                format!("its format is {}, which this version does not read", keys.format),
            ));
        }
        if keys.stack != self.stack.as_str() {
            return Err(invalid(
                path,
                format!("its keys are of the stack {}, not of {}", keys.stack, self.stack),
            ));
        }
        if let Some(lacking) =
            tenants.iter().find(|tenant| keys.keys.iter().all(|key| key.tenant != **tenant))
        {
            return Err(invalid(path, format!("it holds no key of {lacking}")));
        }
        // Before any is written.
        let differs = |key: &&Key| fingerprint(&SecretString::from(key.password.as_str())) != key.fingerprint;
        if let Some(key) = keys.keys.iter().find(differs) {
            let problem = format!("the key of {} is not the one that its fingerprint says", key.tenant);
            return Err(invalid(path, problem));
        }
        let mut done = Vec::new();
        for key in keys.keys.into_iter().filter(|key| tenants.is_empty() || tenants.contains(&key.tenant)) {
            let password = SecretString::from(key.password);
            let put_back = self.vault.put_key_back(&key.tenant, &password, replace, at).await?;
            done.push(Recovered { tenant: key.tenant, fingerprint: key.fingerprint, put_back });
        }
        Ok(done)
    }

    /// Whether a passphrase opens the file, rather than an identity.
    ///
    /// # Errors
    /// `FileAccess`, `EscrowInvalid` for anything that age did not make.
    pub fn wants_passphrase(&self, path: &Path) -> Result<bool> {
        let bytes = read(path)?;
        let decryptor = Decryptor::new_buffered(ArmoredReader::new(bytes.as_slice()));
        decryptor.map(|found| found.is_scrypt()).map_err(|error| invalid(path, error))
    }
}

fn seal(sealing: &Sealing, text: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let encryptor = match sealing {
        Sealing::Passphrase(passphrase) => {
            let passphrase = passphrase.expose_secret().to_owned();
            Encryptor::with_user_passphrase(age::secrecy::SecretString::from(passphrase))
        }
        Sealing::Recipients(recipients) => {
            let parsed = recipients
                .iter()
                .map(|text| {
                    let found = text.parse::<age::x25519::Recipient>();
                    found.map_err(|problem| format!("{text} is no age recipient: {problem}"))
                })
                .collect::<std::result::Result<Vec<_>, String>>()?;
            Encryptor::with_recipients(parsed.iter().map(|one| one as &dyn Recipient))
                .map_err(|error| error.to_string())?
        }
    };
    let mut sealed = Vec::new();
    let write = || -> std::io::Result<()> {
        let armor = ArmoredWriter::wrap_output(&mut sealed, Format::AsciiArmor)?;
        let mut writer = encryptor.wrap_output(armor)?;
        writer.write_all(text)?;
        writer.finish()?.finish()?;
        Ok(())
    };
    write().map_err(|error| error.to_string())?;
    Ok(sealed)
}

fn open(opening: &Opening, path: &Path) -> Result<secrecy::SecretBox<Vec<u8>>> {
    let bytes = read(path)?;
    let decryptor = Decryptor::new_buffered(ArmoredReader::new(bytes.as_slice()))
        .map_err(|error| invalid(path, error))?;
    let identities: Vec<Box<dyn Identity>> = match opening {
        Opening::Passphrase(passphrase) => {
            let passphrase = passphrase.expose_secret().to_owned();
            vec![Box::new(age::scrypt::Identity::new(age::secrecy::SecretString::from(passphrase)))]
        }
        Opening::Identities(text) => {
            let lines = text.expose_secret().lines().map(str::trim);
            let found: Vec<Box<dyn Identity>> = lines
                .filter_map(|line| line.parse::<age::x25519::Identity>().ok())
                .map(|identity| Box::new(identity) as Box<dyn Identity>)
                .collect();
            if found.is_empty() {
                return Err(invalid(path, "no AGE-SECRET-KEY-1… stands in the file of identities"));
            }
            found
        }
    };
    let mut text = Vec::new();
    decryptor
        .decrypt(identities.iter().map(AsRef::as_ref))
        .map_err(|error| invalid(path, error))?
        .read_to_end(&mut text)
        .map_err(|error| invalid(path, error))?;
    Ok(secrecy::SecretBox::new(Box::new(text)))
}

fn access(path: &Path, operation: &str, error: std::io::Error) -> Fault {
    Fault::new(Code::FileAccess).with("path", path.display()).with("operation", operation).because(error)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let fail = |error| access(path, "read", error);
    if std::fs::metadata(path).map_err(fail)?.len() > LARGEST {
        return Err(invalid(path, "it is too large"));
    }
    std::fs::read(path).map_err(fail)
}

/// Writes a file that was not there and that only its owner may read.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let write = || {
        let mut file = std::fs::File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        eclusa_durable::synchronise_directory(eclusa_durable::parent_of(path))
    };
    write().map_err(|error| access(path, "write", error))
}

/// Writes text into a file that was not there and that only its owner may read.
///
/// # Errors
/// `FileAccess`, also when there is a file.
pub fn write_private(path: &Path, text: &str) -> Result<()> {
    write_new(path, text.as_bytes())
}
