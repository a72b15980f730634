//! Files with statements that people give, kept in the state directory so that a run finds them as its plan was made with
//! them: whatever becomes of the file that was named, and whoever carries the run on.

use std::path::{Path, PathBuf};

use eclusa_fault::{Code, Fault, Result};
use eclusa_runbook::StatementFile;
use sha2::{Digest, Sha256};

use crate::Assembly;
use crate::workspace::private_directory;

/// The longest such file, in bytes.
const MOST: u64 = 64 * 1024 * 1024;

fn fault(path: &Path, why: impl std::fmt::Display) -> Fault {
    Fault::new(Code::FileAccess).with("path", path.display()).with("operation", "taken").because(why)
}

/// Where masking files are kept.
#[must_use]
pub fn directory(assembly: &Assembly) -> PathBuf {
    assembly.state.join("statements").join(assembly.name.as_str())
}

/// Takes a file over into a directory, readable for its owner only, under the hash of its bytes.
///
/// # Errors
/// `FileAccess` when it cannot be read, is no text, or does not end with a semicolon.
pub async fn keep(assembly: &Assembly, path: &Path, directory: &Path) -> Result<StatementFile> {
    let bytes = assembly.ports.host.read(path, MOST).await?;
    let text = std::str::from_utf8(&bytes).map_err(|_| fault(path, "it is no text in UTF-8"))?;
    if !ends_a_statement(text) {
        return Err(fault(path, "its last statement has no semicolon at its end"));
    }
    let sha256: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    private_directory(directory)?;
    let kept = directory.join(format!("{sha256}.sql"));
    assembly.ports.host.write_durably(&kept, &bytes, 0o600).await?;
    Ok(StatementFile { path: kept.display().to_string(), sha256 })
}

/// Whether the last line that is no comment ends with a semicolon.
fn ends_a_statement(text: &str) -> bool {
    let mut lines = text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    lines.find(|line| !line.starts_with("--")).is_some_and(|line| line.ends_with(';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_ends_with_a_whole_statement() {
        assert!(ends_a_statement("DELETE FROM a;\n-- done\n\n"));
        assert!(!ends_a_statement("DELETE FROM a"));
        assert!(!ends_a_statement("-- nothing;\n"));
        assert!(!ends_a_statement(""));
    }
}
