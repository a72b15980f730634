//! `eclusa backups browse` and `get`: what is in a restore point, and one file out of it.

use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use comfy_table::{Table, presets::NOTHING};
use eclusa_control::{Assembly, points};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_report::bytes_text;
use serde_json::json;

use crate::commands::Session;
use crate::exit::Exit;
use crate::terminal::{say, tell};

/// Lists the streams and files of a point.
pub(super) async fn browse(session: &Session, assembly: &Assembly, point: &str) -> Result<Exit> {
    let (tenant, id) = points::one(assembly, point).await?;
    let manifest = assembly.ports.vault.find(&tenant, id.as_str()).await?;
    if session.json() {
        say(json!({"format": 1, "point": manifest}));
        return Ok(Exit::Ok);
    }
    let mut table = Table::new();
    table.load_preset(NOTHING);
    for stream in manifest.database.iter().chain(&manifest.configuration) {
        table.add_row([bytes_text(stream.bytes), stream.path.clone()]);
    }
    for (set, files) in &manifest.files {
        for (path, file) in &files.files {
            table.add_row([bytes_text(file.bytes), format!("files/{set}/{path}")]);
        }
        for (path, target) in &files.links {
            table.add_row(["–".to_owned(), format!("files/{set}/{path} -> {target}")]);
        }
    }
    say(table);
    Ok(Exit::Ok)
}

/// Writes one stream or file of a point into a new file that only its owner may read.
pub(super) async fn get(
    session: &Session,
    assembly: &Assembly,
    point: &str,
    path: &str,
    output: &Path,
) -> Result<Exit> {
    let (tenant, id) = points::one(assembly, point).await?;
    let content = assembly.ports.vault.open(&tenant, &id, path).await?;
    let file = output.to_path_buf();
    let written = tokio::task::spawn_blocking(move || write_new(content, &file));
    let bytes =
        written.await.map_err(|error| Fault::new(Code::Internal).with("what", error))?.map_err(|error| {
            Fault::new(Code::FileAccess)
                .with("path", output.display())
                .with("operation", "written")
                .because(error)
        })?;
    let text = Message::new("backups-got")
        .with("path", path)
        .with("bytes", bytes_text(bytes))
        .with("file", output.display());
    tell(text.render(&session.language));
    Ok(Exit::Ok)
}

/// What cannot be read to its end is not left behind.
fn write_new(mut content: impl Read, path: &Path) -> io::Result<u64> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let written = io::copy(&mut content, &mut file).and_then(|bytes| file.sync_all().map(|()| bytes));
    if written.is_err() {
        let _ = std::fs::remove_file(path);
    }
    written
}
