//! Migrations of a tenant's database: in batches, each a transaction of its own, as on tables that are too large for
//! one. One that is interrupted leaves the database half migrated, and is not taken up again: the code
//! refuses to work on it, and so does the next migration.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::{ReleaseFile, Trouble, database_path, receipts, receipts_directory, store, tenant_directory};

/// The migration to each schema, from schema 2 on.
const NAMES: [(u32, &str); 2] = [(2, "0002_discounts_and_points"), (3, "0003_point_entries")];
/// In how many batches the rows are worked on.
const BATCHES: i64 = 20;

/// What is migrated.
#[derive(Debug, Clone)]
pub struct MigrateOptions {
    /// Where the tenants' directories are.
    pub data: PathBuf,
    /// The tenant.
    pub tenant: String,
    /// The directory of the release whose schema is wanted.
    pub release_directory: PathBuf,
    /// Each migration is throttled to take at least this long, so that it leaves room for others on the machine.
    pub at_least: Duration,
}

/// The names of the migrations that a release would bring to a tenant, in order.
///
/// # Errors
/// When the release is unknown, or the database is half migrated or newer than the release.
pub fn pending(options: &MigrateOptions) -> Result<Vec<String>, Trouble> {
    let (connection, _, target) = begin(options)?;
    let found = store::schema(&connection)?;
    let names = NAMES.iter().filter(|(schema, _)| *schema > found && *schema <= target);
    Ok(names.map(|(_, name)| (*name).to_owned()).collect())
}

/// Brings a tenant's database to the schema of a release. Says its progress in lines. Gives the names of what was done.
///
/// # Errors
/// As `pending`; and when the database fails, which leaves it half migrated.
pub fn migrate(options: &MigrateOptions, progress: &mut dyn Write) -> Result<Vec<String>, Trouble> {
    let names = pending(options)?;
    let (mut connection, directory, _) = begin(options)?;
    // Whoever listened to the progress may be gone; that is no reason to stop halfway.
    let mut say = |text: String| {
        let _ = writeln!(progress, "{text}");
        let _ = progress.flush();
    };
    if names.is_empty() {
        say(format!("{}: nothing to migrate", options.tenant));
    }
    for (schema, name) in NAMES.iter().filter(|(_, name)| names.iter().any(|wanted| wanted == name)) {
        say(format!("{}: {name} begins", options.tenant));
        one(&mut connection, &directory, *schema, name, options.at_least, &mut |part, of| {
            say(format!("{}: {name} {part}/{of}", options.tenant));
        })?;
        say(format!("{}: {name} is done", options.tenant));
    }
    Ok(names)
}

fn begin(options: &MigrateOptions) -> Result<(Connection, PathBuf, u32), Trouble> {
    let target = ReleaseFile::read(&options.release_directory)?.schema()?;
    let directory = tenant_directory(&options.data, &options.tenant)?;
    let connection = store::open(&database_path(&directory))?;
    let found = store::schema(&connection)?;
    if found > target {
        return Err(Trouble::new(format!(
            "the database has schema {found}, which is newer than schema {target} of the release"
        )));
    }
    Ok((connection, directory, target))
}

fn one(
    connection: &mut Connection,
    directory: &Path,
    schema: u32,
    name: &str,
    at_least: Duration,
    progress: &mut dyn FnMut(i64, i64),
) -> Result<(), Trouble> {
    let began = Instant::now();
    let transaction = connection.transaction()?;
    transaction.execute(
        "INSERT INTO shop_migrations (name, begun_at) VALUES (?1, ?2)",
        params![name, Timestamp::now().to_string()],
    )?;
    transaction.execute_batch(match schema {
        2 => {
            "ALTER TABLE sales ADD COLUMN discount_cents INTEGER NOT NULL DEFAULT 0;
             ALTER TABLE customers ADD COLUMN points INTEGER NOT NULL DEFAULT 0;"
        }
        _ => {
            "CREATE TABLE point_entries (id INTEGER PRIMARY KEY AUTOINCREMENT,
               sale_id INTEGER NOT NULL REFERENCES sales(id), points INTEGER NOT NULL) STRICT;
             CREATE INDEX point_entries_of_sale ON point_entries(sale_id);"
        }
    })?;
    transaction.commit()?;
    let (first, last): (i64, i64) =
        connection.query_row("SELECT COALESCE(MIN(id), 1), COALESCE(MAX(id), 0) FROM sales", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let size = ((last - first + 1) / BATCHES).max(0) + 1;
    for batch in 0..BATCHES {
        let from = first + batch * size;
        batch_of(connection, directory, schema, from, from + size)?;
        progress(batch + 1, BATCHES);
        let share = at_least.mul_f64((batch + 1) as f64 / BATCHES as f64);
        std::thread::sleep(share.saturating_sub(began.elapsed()));
    }
    let transaction = connection.transaction()?;
    transaction.execute(
        "UPDATE shop_migrations SET done_at = ?2 WHERE name = ?1",
        params![name, Timestamp::now().to_string()],
    )?;
    transaction.pragma_update(None, "user_version", schema)?;
    Ok(transaction.commit()?)
}

/// The sales with ids from `from` to before `to`: their points, and, since points are money, only for sales whose
/// receipt is what was given out.
fn batch_of(
    connection: &mut Connection,
    directory: &Path,
    schema: u32,
    from: i64,
    to: i64,
) -> Result<(), Trouble> {
    let transaction = connection.transaction()?;
    let sales: Vec<(i64, i64, i64)> = transaction
        .prepare("SELECT id, customer_id, total_cents FROM sales WHERE id >= ?1 AND id < ?2")?
        .query_map([from, to], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (sale, customer, total) in sales {
        if schema == 2 {
            let receipts: Vec<(String, String)> = transaction
                .prepare_cached("SELECT file, sha256 FROM receipts WHERE sale_id = ?1")?
                .query_map([sale], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            for (file, sha256) in receipts {
                let path = receipts_directory(directory).join(&file);
                let content = std::fs::read(&path).map_err(|error| Trouble::at(&path, error))?;
                if receipts::hash(&content) != sha256 {
                    return Err(Trouble::at(&path, "the receipt is not what was given out"));
                }
            }
            transaction
                .prepare_cached("UPDATE customers SET points = points + ?2 WHERE id = ?1")?
                .execute(params![customer, total / 100])?;
        } else {
            transaction
                .prepare_cached("INSERT INTO point_entries (sale_id, points) VALUES (?1, ?2)")?
                .execute(params![sale, total / 100])?;
        }
    }
    Ok(transaction.commit()?)
}
