//! The archive: a tar file, compressed with zstd, that only its owner's files are in.

use eclusa_fault::{Code, Fault, Result};
use jiff::Timestamp;

use super::Part;

/// The directory in which everything lies.
const DIRECTORY: &str = "eclusa-support";

/// The archive of these parts.
pub(super) fn of(parts: &[Part], at: Timestamp) -> Result<Vec<u8>> {
    let failed = |error: std::io::Error| Fault::new(Code::Internal).with("what", error);
    let encoder = zstd::Encoder::new(Vec::new(), 0).map_err(failed)?;
    let mut archive = tar::Builder::new(encoder);
    for part in parts {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o600);
        header.set_size(part.text.len() as u64);
        header.set_mtime(u64::try_from(at.as_second()).unwrap_or_default());
        let path = format!("{DIRECTORY}/{}", part.path);
        archive.append_data(&mut header, path, part.text.as_bytes()).map_err(failed)?;
    }
    archive.into_inner().and_then(zstd::Encoder::finish).map_err(failed)
}
