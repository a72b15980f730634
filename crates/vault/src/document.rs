//! Small JSON files beside the repositories: read within bounds, written so that they survive a loss of power.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::durable;

/// A larger file is none of ours.
const LARGEST: u64 = 16 << 20;

/// Reads a file; `None` when it is not there. What is wrong names the file.
pub(crate) fn read<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Option<T>, String> {
    let fault = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
    let text = std::fs::metadata(path).and_then(|found| {
        if found.len() > LARGEST { Err(io::ErrorKind::FileTooLarge.into()) } else { std::fs::read(path) }
    });
    match text {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|error| fault(&error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault(&error)),
    }
}

/// Writes a file that only its owner may read, and the directory that it lies in.
pub(crate) fn write(path: &Path, value: &impl Serialize) -> Result<(), String> {
    let fault = |cause: &dyn std::fmt::Display| format!("{}: {cause}", path.display());
    let text = serde_json::to_vec_pretty(value).map_err(|error| fault(&error))?;
    let directory = path.parent().unwrap_or(path);
    durable::make_directory(directory)
        .and_then(|()| durable::write_file(path, directory, 0o600, [text.as_slice()]))
        .map_err(|error| fault(&error))
}

/// Whether a file's format is the one that is read.
pub(crate) fn known(format: u32, ours: u32) -> Result<(), String> {
    if format == ours {
        Ok(())
    } else {
        Err(format!("it has format {format}, which this version does not read"))
    }
}
