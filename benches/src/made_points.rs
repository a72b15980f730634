//! Many restore points of one tenant, in a real repository, taken by the code that takes every point.
//!
//! `eclusa backup` is not asked for each of them: a taking reads the index of the whole repository several times, so that
//! ten thousand one after the other would take hours. The vault itself takes them ([`LocalVault`]), an hour apart and up to
//! now, each after a row of the database has changed, from the bytes and the summary that a dump of SQLite consists of. It
//! takes them in a repository with the tenant's own key in memory, from which, every [`GROUP`] points, what was written
//! moves to the tenant's. Files of a repository are named by their content and none of them is written again, so what comes
//! of it is what a taking after the other would have come to, but for this: a point finds only what the tenant's first point
//! and those of its own group have kept already, and no run in the journal took it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::time::Instant;

use eclusa_database::sqlite::summarise_file;
use eclusa_model::{RunId, StackName, TenantName};
use eclusa_ports::{Dump, TakeRequest, Vault as _};
use eclusa_runbook::PointKind;
use eclusa_vault::LocalVault;
use jiff::{SignedDuration, Timestamp};

use crate::stack::SmallStack;
use crate::{Outcome, measure};

/// The tenant of a small stack.
const TENANT: &str = "t0";
/// The tenant's repository, below the stack's directory.
pub(crate) const REPOSITORY: &str = "state/vault/bench/t0";
/// So many points are taken before what was written moves.
const GROUP: usize = 50;
/// The rows of the tenant's database.
const ROWS: usize = 500;
/// What of a repository a taking adds to.
const PARTS: [&str; 3] = ["data", "index", "snapshots"];

/// Gives the tenant's database some rows, before anything is backed up.
pub(crate) fn fill(stack: &SmallStack) -> Outcome<()> {
    let connection = rusqlite::Connection::open(stack.directory.join(format!("{TENANT}.db")))?;
    let rows = format!(
        "INSERT INTO sale (total) WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {ROWS}) \
         SELECT abs(random() % 1000000000) FROM number"
    );
    Ok(connection.execute_batch(&rows)?)
}

/// Makes so many restore points beside the one that the stack's only tenant has; the seconds that it took.
pub(crate) fn make(stack: &SmallStack, points: usize) -> Outcome<f64> {
    let began = Instant::now();
    let memory = Path::new("/dev/shm");
    let building = tempfile::tempdir_in(if memory.is_dir() { memory } else { &stack.directory })?;
    let building = building.path();
    let kept = stack.directory.join(REPOSITORY);
    let root = building.join("vault");
    fs::create_dir_all(&root)?;
    measure::must(std::process::Command::new("cp").arg("-a").arg(&kept).arg(&root))?;
    let database = building.join("database.sqlite");
    fs::copy(stack.directory.join(format!("{TENANT}.db")), &database)?;
    let (tenant, keys) = (TenantName::new(TENANT)?, stack.directory.join("state/keys/bench"));
    let vault = LocalVault::new(root.clone(), keys, StackName::new("bench")?, building.join("scratch"));
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut at = Timestamp::now().checked_sub(SignedDuration::from_hours(i64::try_from(points)? + 1))?;
    for number in 1..=points {
        at = at.checked_add(SignedDuration::from_hours(1))?;
        change(&database, number)?;
        let run = RunId::new(format!("made-{number:06}"))?;
        let request = TakeRequest {
            tenant: tenant.clone(),
            kind: PointKind::Backup,
            at,
            mark: format!("{run}/accept.point"),
            run: Some(run),
            release: None,
            database: Some(dump(&database)?),
            directories: Vec::new(),
            configuration: BTreeMap::new(),
        };
        runtime.block_on(vault.take(request)).map_err(|fault| fault.to_string())?;
        if number % GROUP == 0 || number == points {
            for part in PARTS {
                move_new(&root.join(TENANT).join(part), &kept.join(part))?;
            }
        }
    }
    measure::must(std::process::Command::new("sync").arg("--file-system").arg(&kept))?;
    Ok(began.elapsed().as_secs_f64())
}

fn change(database: &Path, number: usize) -> Outcome<()> {
    let connection = rusqlite::Connection::open(database)?;
    // Nobody needs the file after a loss of power.
    connection.pragma_update(None, "synchronous", "OFF")?;
    let id = i64::try_from(number % ROWS + 1)?;
    let changed =
        connection.execute("UPDATE sale SET total = ?1 WHERE id = ?2", (i64::try_from(number)?, id))?;
    if changed == 1 { Ok(()) } else { Err("the row that was to change is not there".into()) }
}

/// What the dump of a SQLite database consists of. Nobody writes to this one, so that no copy is needed.
fn dump(database: &Path) -> Outcome<Dump> {
    let summary = summarise_file(database).map_err(|problem| format!("{problem:?}"))?;
    let file = File::open(database)?;
    let engine = format!("sqlite {}", rusqlite::version());
    let open = Box::new(move || Ok(Box::new(file) as Box<dyn Read + Send>));
    Ok(Dump::single("database.sqlite", engine, summary, open))
}

/// Moves the files that are not at the other place yet.
fn move_new(from: &Path, to: &Path) -> Outcome<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            move_new(&path, &target)?;
        } else if !target.exists() {
            fs::copy(&path, &target)?;
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}
