//! Writing a SQLite file beside the live one.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::{Files, Problem, open_untouched, remove_database, sync_parent};
use crate::names::Part;

/// What a SQLite file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// How many problems of a damaged file are told.
const TOLD: usize = 5;

/// Writes the stream under a name of its own, checks the whole file, and only then gives it the copy's name.
pub(crate) fn restore_beside(
    files: &Files,
    suffix: &str,
    mut stream: Box<dyn Read + Send>,
) -> Result<(), Problem> {
    let (unfinished, new) = (files.part(suffix, Part::Unfinished), files.part(suffix, Part::New));
    if files.part(suffix, Part::Old).try_exists()? {
        return Err(Problem::Said("an old database of the same suffix is still kept".to_owned()));
    }
    remove_database(&unfinished)?;
    remove_database(&new)?;
    eclusa_crash::point("sqlite.restore.begins");
    let written = write(&unfinished, &files.live, &mut stream).and_then(|()| check(&unfinished));
    if let Err(problem) = written {
        remove_database(&unfinished)?;
        return Err(problem);
    }
    eclusa_crash::point("sqlite.restore.checked");
    std::fs::rename(&unfinished, &new)?;
    eclusa_crash::point("sqlite.restore.renamed");
    sync_parent(&new)
}

fn write(path: &Path, live: &Path, stream: &mut dyn Read) -> Result<(), Problem> {
    let mut file = File::create_new(path)?;
    match std::fs::metadata(live) {
        Ok(like) => {
            // The application must be able to use it after the swap as it used the old one.
            let own = file.metadata()?;
            if (own.uid(), own.gid()) != (like.uid(), like.gid()) {
                std::os::unix::fs::fchown(&file, Some(like.uid()), Some(like.gid()))?;
            }
            file.set_permissions(std::fs::Permissions::from_mode(like.mode() & 0o777))?;
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    eclusa_crash::point("sqlite.restore.created");
    std::io::copy(stream, &mut file)?;
    eclusa_crash::point("sqlite.restore.written");
    if eclusa_crash::left_out("sqlite.restore.sync") {
        return Ok(());
    }
    file.sync_all().map_err(Problem::from)
}

/// Whether it is a whole and sound database.
fn check(path: &Path) -> Result<(), Problem> {
    let length = std::fs::metadata(path)?.len();
    let mut header = [0_u8; 100];
    File::open(path)?
        .read_exact(&mut header)
        .map_err(|_| Problem::Said(format!("the stream ended after {length} bytes")))?;
    let [magic @ .., _, _] = header.first_chunk::<18>().unwrap_or(&[0; 18]);
    if magic != MAGIC {
        return Err(Problem::Said("the stream is no SQLite database".to_owned()));
    }
    let page = match u64::from(u16::from_be_bytes([header[16], header[17]])) {
        1 => 65536,
        size => size,
    };
    let pages = u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]));
    if page * pages != length {
        return Err(Problem::Said(format!("the stream has {length} bytes, its database {}", page * pages)));
    }
    let connection = open_untouched(path)?;
    let mut statement = connection.prepare("PRAGMA integrity_check(100)")?;
    let found: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    if found == ["ok"] {
        return Ok(());
    }
    Err(Problem::Said(found.into_iter().take(TOLD).collect::<Vec<_>>().join("; ")))
}
