//! Files as they lie there: plain, compressed, or encrypted by gpg with the site's `backup_encryption_key`.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::{FilesPlace, Tenant};
use eclusa_ports::{CommandSpec, NoOutput};
use flate2::read::MultiGzDecoder;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Opened, begins, refused};
use crate::Assembly;

const GZIP: &[u8] = &[0x1f, 0x8b];
/// How long gpg may take for one file.
const WITHIN: Duration = Duration::from_secs(6 * 3600);

/// The key of encrypted files: what a person names, or that in the site's own configuration.
pub(super) async fn key(
    assembly: &Assembly,
    tenant: &Tenant,
    reference: Option<&str>,
) -> Result<Option<SecretString>> {
    if let Some(reference) = reference {
        return assembly.ports.secrets.resolve(reference).map(Some);
    }
    let Some(bytes) = site_config(assembly, tenant).await? else { return Ok(None) };
    let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let key = value.get("backup_encryption_key").and_then(serde_json::Value::as_str);
    Ok(key.map(|key| SecretString::from(key.to_owned())))
}

/// The site's own `site_config.json` as it is now.
async fn site_config(assembly: &Assembly, tenant: &Tenant) -> Result<Option<Vec<u8>>> {
    let is_it = |place: &&FilesPlace| place.name() == "site_config.json";
    let Some(place) = tenant.service_configuration.iter().find(is_it) else { return Ok(None) };
    let mut parent = place.clone();
    let (FilesPlace::Service { path, .. } | FilesPlace::Directory { path, .. }) = &mut parent;
    let Some((directory, name)) = path.rsplit_once('/').map(|(a, b)| (a.to_owned(), b.to_owned())) else {
        return Ok(None);
    };
    *path = directory;
    let directory = assembly.ports.runtime.files_directory(&parent).await?;
    assembly.ports.host.read(&directory.join(name), 4 * 1024 * 1024).await.map(Some)
}

/// The file itself, or where it lies decrypted: in a directory that only this user may enter and that goes afterwards.
pub(super) async fn opened(
    assembly: &Assembly,
    path: &Path,
    key: Option<&SecretString>,
    directory: &Path,
) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(|error| refused(path, error))?;
    let fault = |error: io::Error| {
        Fault::new(Code::FileAccess).with("path", path.display()).with("operation", "read").because(error)
    };
    let mut start = [0; 1];
    let count = File::open(&path).and_then(|mut file| file.read(&mut start)).map_err(fault)?;
    // A packet of a session key that a passphrase opens, in the old form and the new one.
    let is_sealed = count == 1 && matches!(start, [0x8c | 0xc3]);
    if !is_sealed {
        return Ok(path);
    }
    let Some(key) = key else {
        let problem = "it is encrypted, and the site's configuration has no backup_encryption_key";
        return Err(refused(&path, problem).hint(Message::new("hint-import-key")));
    };
    let to = tempfile::Builder::new().prefix("plain").tempfile_in(directory).map_err(fault)?;
    let to = to.into_temp_path().keep().map_err(|error| fault(error.error))?;
    std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).map_err(fault)?;
    // A home of its own: no keyring and no settings of this user's take part.
    let home = directory.join("gnupg");
    if !home.is_dir() {
        std::fs::create_dir(&home).map_err(fault)?;
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).map_err(fault)?;
    }
    let mut argv = vec!["gpg".to_owned(), "--homedir".to_owned(), home.display().to_string()];
    argv.extend(
        ["--batch", "--yes", "--no-tty", "--pinentry-mode", "loopback", "--passphrase-fd", "0"]
            .map(String::from),
    );
    argv.extend([
        "--output".to_owned(),
        to.display().to_string(),
        "--decrypt".to_owned(),
        path.display().to_string(),
    ]);
    let mut command = CommandSpec::new(argv, WITHIN);
    command.stdin = Some(key.expose_secret().as_bytes().to_vec());
    let result = assembly.ports.host.run(command, &NoOutput).await?;
    if result.code != 0 {
        let problem = "it is encrypted, and the key does not open it or it is damaged";
        let mut fault = refused(&path, problem).hint(Message::new("hint-import-key"));
        fault.causes.extend(result.tail.into_iter().filter(|line| !line.is_empty()));
        return Err(fault);
    }
    Ok(to)
}

/// Reads a file, decompressed where it is compressed. One that ends early, or whose checksum is wrong, gives an error.
pub(super) fn reader(path: &Path) -> io::Result<Opened> {
    let mut file = BufReader::with_capacity(256 * 1024, File::open(path)?);
    let plain: Box<dyn Read + Send> =
        if begins(&mut file, GZIP)? { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) };
    Ok(BufReader::with_capacity(256 * 1024, plain))
}
