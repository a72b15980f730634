//! A tenant's database: opening it, its schema, sales and reports. Amounts are integers in cents.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};

use crate::{Trouble, receipts};

/// The tables of schema 1.
pub const SCHEMA: &str = "
CREATE TABLE shop_migrations (name TEXT PRIMARY KEY, begun_at TEXT NOT NULL, done_at TEXT) STRICT;
CREATE TABLE products (id INTEGER PRIMARY KEY, sku TEXT NOT NULL UNIQUE, name TEXT NOT NULL, price_cents INTEGER NOT NULL) STRICT;
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL) STRICT;
CREATE TABLE sales (id INTEGER PRIMARY KEY AUTOINCREMENT, reference TEXT NOT NULL UNIQUE,
  customer_id INTEGER NOT NULL REFERENCES customers(id), at TEXT NOT NULL, total_cents INTEGER NOT NULL) STRICT;
CREATE TABLE sale_lines (id INTEGER PRIMARY KEY AUTOINCREMENT, sale_id INTEGER NOT NULL REFERENCES sales(id),
  product_id INTEGER NOT NULL REFERENCES products(id), quantity INTEGER NOT NULL, price_cents INTEGER NOT NULL) STRICT;
CREATE TABLE payments (id INTEGER PRIMARY KEY AUTOINCREMENT, sale_id INTEGER NOT NULL REFERENCES sales(id),
  method TEXT NOT NULL, amount_cents INTEGER NOT NULL) STRICT;
CREATE TABLE receipts (id INTEGER PRIMARY KEY AUTOINCREMENT, sale_id INTEGER NOT NULL REFERENCES sales(id),
  file TEXT NOT NULL UNIQUE, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL) STRICT;
CREATE INDEX sale_lines_of_sale ON sale_lines(sale_id);
CREATE INDEX payments_of_sale ON payments(sale_id);
CREATE INDEX receipts_of_sale ON receipts(sale_id);
PRAGMA user_version = 1;
";

/// A product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Product {
    /// Its number.
    pub id: i64,
    /// What it is called.
    pub name: String,
    /// What it costs, in cents.
    pub price_cents: i64,
}

/// A line of a sale that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedLine {
    /// The product's number.
    pub product: i64,
    /// How many, at least 1.
    pub quantity: i64,
}

/// A sale that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedSale {
    /// The customer's number.
    pub customer: i64,
    /// What is bought.
    pub lines: Vec<WantedLine>,
    /// How it is paid: `cash`, `card`.
    pub method: String,
}

/// A sale as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sale {
    /// By what it is known; never given twice, even after a restore.
    pub reference: String,
    /// The customer's number.
    pub customer: i64,
    /// When, RFC 3339.
    pub at: String,
    /// What it cost, in cents.
    pub total_cents: i64,
    /// What was paid, in cents.
    pub paid_cents: i64,
    /// How many lines it has.
    pub lines: i64,
    /// The hashes of its receipt files.
    pub receipts: Vec<String>,
}

/// The totals of a tenant, all from one snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How many sales there are.
    pub sales: i64,
    /// What they cost, in cents.
    pub total_cents: i64,
    /// What their lines come to, in cents.
    pub lines_cents: i64,
    /// What was given away, in cents.
    pub discount_cents: i64,
    /// What was paid, in cents.
    pub paid_cents: i64,
    /// How many receipt files there are.
    pub receipts: i64,
}

impl Report {
    /// Whether the books balance.
    #[must_use]
    pub fn balances(&self) -> bool {
        self.lines_cents - self.discount_cents == self.total_cents && self.total_cents == self.paid_cents
    }
}

/// Opens a tenant's database, which must be there.
///
/// # Errors
/// When it is not.
pub fn open(path: &Path) -> Result<Connection, Trouble> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| Trouble::at(path, error))?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(connection)
}

/// The schema of a database.
///
/// # Errors
/// When a migration was begun and not finished: then it is no schema at all.
pub fn schema(connection: &Connection) -> Result<u32, Trouble> {
    let half: Option<String> = connection
        .query_row("SELECT name FROM shop_migrations WHERE done_at IS NULL", [], |row| row.get(0))
        .optional()?;
    match half {
        Some(name) => Err(Trouble::new(format!("migration {name} was begun and not finished"))),
        None => Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?),
    }
}

/// Refuses a database whose schema is not the one that the code needs.
///
/// # Errors
/// When it is older, newer, or half migrated.
pub fn require(connection: &Connection, needed: u32) -> Result<(), Trouble> {
    let found = schema(connection)?;
    if found == needed {
        Ok(())
    } else {
        let which = if found < needed { "older" } else { "newer" };
        Err(Trouble::new(format!(
            "the database has schema {found}, which is {which} than schema {needed} of this code"
        )))
    }
}

/// The products.
///
/// # Errors
/// When the database fails.
pub fn products(connection: &Connection) -> Result<Vec<Product>, Trouble> {
    let mut statement =
        connection.prepare_cached("SELECT id, name, price_cents FROM products ORDER BY id")?;
    let rows = statement
        .query_map([], |row| Ok(Product { id: row.get(0)?, name: row.get(1)?, price_cents: row.get(2)? }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Enters a sale with its payment and its receipt file. The file is there before the row that names it.
///
/// # Errors
/// When a product or customer is unknown, or database or disk fail.
pub fn add_sale(
    transaction: &Transaction<'_>,
    schema: u32,
    receipts_directory: &Path,
    reference: &str,
    at: Timestamp,
    wanted: &WantedSale,
) -> Result<Sale, Trouble> {
    if wanted.lines.is_empty() || wanted.lines.iter().any(|line| !(1..=1000).contains(&line.quantity)) {
        return Err(Trouble::new("a sale has lines, each of 1 to 1000 pieces"));
    }
    let mut priced = Vec::new();
    for line in &wanted.lines {
        let price: Option<i64> = transaction
            .query_row("SELECT price_cents FROM products WHERE id = ?1", [line.product], |row| row.get(0))
            .optional()?;
        let price = price.ok_or_else(|| Trouble::new(format!("there is no product {}", line.product)))?;
        priced.push((line, price));
    }
    let sum: i64 = priced.iter().map(|(line, price)| line.quantity * price).sum();
    // Since schema 2, one cent in twenty is given away on sales of 100.00 and more.
    let discount = if schema >= 2 && sum >= 10_000 { sum / 20 } else { 0 };
    let total = sum - discount;
    let at = at.to_string();
    transaction.execute(
        "INSERT INTO sales (reference, customer_id, at, total_cents) VALUES (?1, ?2, ?3, ?4)",
        params![reference, wanted.customer, at, total],
    )?;
    let sale = transaction.last_insert_rowid();
    if schema >= 2 {
        transaction.execute("UPDATE sales SET discount_cents = ?2 WHERE id = ?1", params![sale, discount])?;
        transaction.execute(
            "UPDATE customers SET points = points + ?2 WHERE id = ?1",
            params![wanted.customer, total / 100],
        )?;
    }
    if schema >= 3 {
        transaction.execute(
            "INSERT INTO point_entries (sale_id, points) VALUES (?1, ?2)",
            params![sale, total / 100],
        )?;
    }
    for (line, price) in &priced {
        transaction.execute(
            "INSERT INTO sale_lines (sale_id, product_id, quantity, price_cents) VALUES (?1, ?2, ?3, ?4)",
            params![sale, line.product, line.quantity, price],
        )?;
    }
    transaction.execute(
        "INSERT INTO payments (sale_id, method, amount_cents) VALUES (?1, ?2, ?3)",
        params![sale, wanted.method, total],
    )?;
    let text = receipt_text(reference, &at, &priced, discount, total);
    let sha256 =
        attach_receipt(transaction, receipts_directory, sale, &format!("{reference}.txt"), text.as_bytes())?;
    Ok(Sale {
        reference: reference.to_owned(),
        customer: wanted.customer,
        at,
        total_cents: total,
        paid_cents: total,
        lines: i64::try_from(priced.len()).unwrap_or(i64::MAX),
        receipts: vec![sha256],
    })
}

fn receipt_text(
    reference: &str,
    at: &str,
    lines: &[(&WantedLine, i64)],
    discount: i64,
    total: i64,
) -> String {
    use std::fmt::Write;
    let money = |cents: i64| format!("{}.{:02}", cents / 100, cents % 100);
    let mut text = format!("RECEIPT {reference}\n{at}\n\n");
    for (line, price) in lines {
        let _ = writeln!(
            text,
            "{:>4} x product {:>4} at {:>8} = {:>9}",
            line.quantity,
            line.product,
            money(*price),
            money(line.quantity * price)
        );
    }
    let _ = writeln!(
        text,
        "\ndiscount {:>9}\ntotal    {:>9}\npaid     {:>9}",
        money(discount),
        money(total),
        money(total)
    );
    text
}

/// Writes a receipt file and its row. Gives the hash.
///
/// # Errors
/// When database or disk fail.
pub fn attach_receipt(
    transaction: &Transaction<'_>,
    receipts_directory: &Path,
    sale: i64,
    name: &str,
    content: &[u8],
) -> Result<String, Trouble> {
    let sha256 = receipts::hash(content);
    receipts::write(receipts_directory, name, content)?;
    transaction.execute(
        "INSERT INTO receipts (sale_id, file, bytes, sha256) VALUES (?1, ?2, ?3, ?4)",
        params![sale, name, i64::try_from(content.len()).unwrap_or(i64::MAX), sha256],
    )?;
    Ok(sha256)
}

/// A sale by its reference.
///
/// # Errors
/// When the database fails.
pub fn sale(connection: &Connection, reference: &str) -> Result<Option<(i64, Sale)>, Trouble> {
    let mut statement = connection.prepare_cached(
        "SELECT id, customer_id, at, total_cents,
           (SELECT COALESCE(SUM(amount_cents), 0) FROM payments WHERE sale_id = sales.id),
           (SELECT COUNT(*) FROM sale_lines WHERE sale_id = sales.id)
         FROM sales WHERE reference = ?1",
    )?;
    let found = statement
        .query_row([reference], |row| {
            let sale = Sale {
                reference: reference.to_owned(),
                customer: row.get(1)?,
                at: row.get(2)?,
                total_cents: row.get(3)?,
                paid_cents: row.get(4)?,
                lines: row.get(5)?,
                receipts: Vec::new(),
            };
            Ok((row.get::<_, i64>(0)?, sale))
        })
        .optional()?;
    let Some((id, mut sale)) = found else { return Ok(None) };
    let mut statement =
        connection.prepare_cached("SELECT sha256 FROM receipts WHERE sale_id = ?1 ORDER BY id")?;
    sale.receipts = statement.query_map([id], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(Some((id, sale)))
}

/// The totals.
///
/// # Errors
/// When the database fails.
pub fn report(connection: &Connection, schema: u32) -> Result<Report, Trouble> {
    let discount = if schema >= 2 { "(SELECT COALESCE(SUM(discount_cents), 0) FROM sales)" } else { "0" };
    // One statement sees one snapshot.
    let text = format!(
        "SELECT (SELECT COUNT(*) FROM sales), (SELECT COALESCE(SUM(total_cents), 0) FROM sales),
           (SELECT COALESCE(SUM(quantity * price_cents), 0) FROM sale_lines), {discount},
           (SELECT COALESCE(SUM(amount_cents), 0) FROM payments), (SELECT COUNT(*) FROM receipts)"
    );
    let mut statement = connection.prepare_cached(&text)?;
    Ok(statement.query_row([], |row| {
        Ok(Report {
            sales: row.get(0)?,
            total_cents: row.get(1)?,
            lines_cents: row.get(2)?,
            discount_cents: row.get(3)?,
            paid_cents: row.get(4)?,
            receipts: row.get(5)?,
        })
    })?)
}
