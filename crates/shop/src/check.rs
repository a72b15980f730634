//! Functional checks of a tenant, as a release's gates run them: nothing that they enter stays.

use std::io::Write;
use std::path::PathBuf;

use jiff::Timestamp;

use crate::seed::reference;
use crate::store::{WantedLine, WantedSale, add_sale, open, products, report, require, sale};
use crate::{ReleaseFile, Trouble, database_path, receipts, receipts_directory, tenant_directory};

/// What is checked.
#[derive(Debug, Clone)]
pub struct CheckOptions {
    /// Where the tenants' directories are.
    pub data: PathBuf,
    /// The tenant.
    pub tenant: String,
    /// The directory of the release whose code is checked.
    pub release_directory: PathBuf,
}

/// One check: what it found, as a person reads it.
type Check = fn(&CheckOptions) -> Result<String, Trouble>;

/// Runs every check and says what each found.
///
/// # Errors
/// What failed, when anything did.
pub fn check(options: &CheckOptions, output: &mut dyn Write) -> Result<(), Trouble> {
    let checks: [(&str, Check); 4] = [
        ("the database is sound", soundness),
        ("the report adds up", books),
        ("a sale can be made and paid", trial_sale),
        ("every receipt is on the disk", files),
    ];
    let mut failed = Vec::new();
    for (name, work) in checks {
        let line = match work(options) {
            Ok(found) => format!("ok      {}: {name} ({found})", options.tenant),
            Err(trouble) => {
                failed.push(name);
                format!("FAILED  {}: {name}: {trouble}", options.tenant)
            }
        };
        let _ = writeln!(output, "{line}");
    }
    if failed.is_empty() { Ok(()) } else { Err(Trouble::new(format!("failed: {}", failed.join("; ")))) }
}

fn begin(options: &CheckOptions) -> Result<(rusqlite::Connection, PathBuf, u32), Trouble> {
    let schema = ReleaseFile::read(&options.release_directory)?.schema()?;
    let directory = tenant_directory(&options.data, &options.tenant)?;
    let connection = open(&database_path(&directory))?;
    require(&connection, schema)?;
    Ok((connection, directory, schema))
}

fn soundness(options: &CheckOptions) -> Result<String, Trouble> {
    let (connection, _, schema) = begin(options)?;
    let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Trouble::new(verdict));
    }
    let strays = connection.prepare("PRAGMA foreign_key_check")?.query_map([], |_| Ok(()))?.count();
    if strays > 0 {
        return Err(Trouble::new(format!("{strays} rows point at nothing")));
    }
    Ok(format!("schema {schema}"))
}

fn books(options: &CheckOptions) -> Result<String, Trouble> {
    let (connection, _, schema) = begin(options)?;
    let found = report(&connection, schema)?;
    if !found.balances() {
        return Err(Trouble::new(format!("{found:?}")));
    }
    if schema >= 2 {
        let wrong: i64 = connection.query_row(
            "SELECT COUNT(*) FROM customers WHERE points !=
               (SELECT COALESCE(SUM(total_cents / 100), 0) FROM sales WHERE customer_id = customers.id)",
            [],
            |row| row.get(0),
        )?;
        if wrong > 0 {
            return Err(Trouble::new(format!("{wrong} customers have other points than their sales give")));
        }
    }
    if schema >= 3 {
        let wrong: i64 = connection.query_row(
            "SELECT COUNT(*) FROM sales WHERE total_cents / 100 !=
               (SELECT COALESCE(SUM(points), 0) FROM point_entries WHERE sale_id = sales.id)",
            [],
            |row| row.get(0),
        )?;
        if wrong > 0 {
            return Err(Trouble::new(format!("{wrong} sales have other point entries than they should")));
        }
    }
    Ok(format!("{} sales, {}.{:02}", found.sales, found.total_cents / 100, found.total_cents % 100))
}

fn trial_sale(options: &CheckOptions) -> Result<String, Trouble> {
    let (mut connection, directory, schema) = begin(options)?;
    let product =
        products(&connection)?.into_iter().next().ok_or_else(|| Trouble::new("there is no product"))?;
    let before = report(&connection, schema)?;
    let reference = format!("trial-{}", reference(&mut rand::rng()));
    // Its receipt goes beside the real ones' directory, so that nothing of it is ever among them.
    let receipts = directory.join(format!(".{reference}"));
    std::fs::create_dir_all(&receipts).map_err(|error| Trouble::at(&receipts, error))?;
    let outcome = (|| {
        let transaction = connection.transaction()?;
        let line = WantedLine { product: product.id, quantity: 2 };
        let wanted = WantedSale { customer: 1, lines: vec![line], method: "cash".to_owned() };
        let made = add_sale(&transaction, schema, &receipts, &reference, Timestamp::now(), &wanted)?;
        let found = sale(&transaction, &reference)?.map(|(_, sale)| sale);
        if found.as_ref() != Some(&made) {
            return Err(Trouble::new(format!("made {made:?}, found {found:?}")));
        }
        let after = report(&transaction, schema)?;
        if !after.balances() || after.total_cents != before.total_cents + made.total_cents {
            return Err(Trouble::new(format!("before {before:?}, after {after:?}")));
        }
        transaction.rollback()?;
        Ok(format!("{} cents", made.total_cents))
    })();
    let _ = std::fs::remove_dir_all(&receipts);
    outcome
}

fn files(options: &CheckOptions) -> Result<String, Trouble> {
    let (connection, directory, _) = begin(options)?;
    let mut statement = connection.prepare("SELECT file, sha256 FROM receipts ORDER BY id")?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let mut count = 0_u64;
    for row in rows {
        let (file, sha256) = row?;
        let path = receipts_directory(&directory).join(&file);
        let content = std::fs::read(&path).map_err(|error| Trouble::at(&path, error))?;
        if receipts::hash(&content) != sha256 {
            return Err(Trouble::at(&path, "its content is not what the database says"));
        }
        count += 1;
    }
    Ok(format!("{count} files"))
}
