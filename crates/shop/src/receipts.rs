//! Receipt files: written whole or not at all, each known to the database by name and hash.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::Trouble;

/// The hash of a file's content, as the database keeps it.
pub fn hash(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

/// Writes a file that is not there yet, forced to disk before its name appears.
///
/// # Errors
/// When that fails.
pub fn write(directory: &Path, name: &str, content: &[u8]) -> Result<(), Trouble> {
    let path = directory.join(name);
    let temporary = directory.join(format!(".{name}.new"));
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, &path)
    })();
    written.map_err(|error| Trouble::at(&path, error))
}
