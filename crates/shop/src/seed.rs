//! Demo data: the same for the same seed.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use rusqlite::{Connection, params};

use crate::store::{SCHEMA, WantedLine, WantedSale, add_sale};
use crate::{Trouble, database_path, receipts_directory, tenant_directory};

/// 2026-01-01: demo sales begin then.
const FIRST_SALE: i64 = 1_767_225_600;

/// What is seeded.
#[derive(Debug, Clone)]
pub struct SeedOptions {
    /// Where the tenants' directories are.
    pub data: PathBuf,
    /// The tenant; its directory is made, and must not hold a database yet.
    pub tenant: String,
    /// What the data is drawn from.
    pub seed: u64,
    /// How many products.
    pub products: u32,
    /// How many customers.
    pub customers: u32,
    /// How many sales, each with a receipt file.
    pub sales: u32,
}

/// Makes a tenant with schema 1 and demo data.
///
/// # Errors
/// When the tenant is there already, or database or disk fail.
pub fn seed(options: &SeedOptions) -> Result<(), Trouble> {
    let directory = tenant_directory(&options.data, &options.tenant)?;
    let path = database_path(&directory);
    if path.exists() {
        return Err(Trouble::at(&path, "is there already"));
    }
    let receipts = receipts_directory(&directory);
    std::fs::create_dir_all(&receipts).map_err(|error| Trouble::at(&receipts, error))?;
    let mut connection = Connection::open(&path).map_err(|error| Trouble::at(&path, error))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.execute_batch(SCHEMA)?;
    let mut random = StdRng::seed_from_u64(options.seed);
    let transaction = connection.transaction()?;
    const KINDS: [&str; 8] = ["Lamp", "Chair", "Mug", "Clock", "Scarf", "Kettle", "Basket", "Rug"];
    const LOOKS: [&str; 6] = ["blue", "oak", "small", "woven", "old", "bright"];
    for number in 1..=options.products {
        let kind = KINDS.get(random.random_range(0..KINDS.len())).copied().unwrap_or("Thing");
        let look = LOOKS.get(random.random_range(0..LOOKS.len())).copied().unwrap_or("plain");
        transaction.execute(
            "INSERT INTO products (id, sku, name, price_cents) VALUES (?1, ?2, ?3, ?4)",
            params![
                number,
                format!("P{number:05}"),
                format!("{kind}, {look}"),
                random.random_range(150..9_900_i64)
            ],
        )?;
    }
    for number in 1..=options.customers {
        transaction.execute(
            "INSERT INTO customers (id, name, email) VALUES (?1, ?2, ?3)",
            params![number, format!("Customer {number}"), format!("customer{number}@example.org")],
        )?;
    }
    let mut at = Timestamp::from_second(FIRST_SALE).map_err(Trouble::new)?;
    for _ in 0..options.sales {
        at = at
            .checked_add(SignedDuration::from_secs(random.random_range(60..7_200)))
            .map_err(Trouble::new)?;
        let wanted = wanted_sale(&mut random, options.products, options.customers);
        let reference = reference(&mut random);
        add_sale(&transaction, 1, &receipts, &reference, at, &wanted)?;
    }
    transaction.commit()?;
    connection.pragma_update(None, "wal_checkpoint", "TRUNCATE").or_else(|error| match error {
        // The pragma answers with a row, which is not looked at.
        rusqlite::Error::ExecuteReturnedResults => Ok(()),
        other => Err(other),
    })?;
    Ok(())
}

/// A sale as someone may want it.
pub fn wanted_sale(random: &mut impl Rng, products: u32, customers: u32) -> WantedSale {
    let lines = random.random_range(1..=4);
    WantedSale {
        customer: i64::from(random.random_range(1..=customers.max(1))),
        lines: (0..lines)
            .map(|_| WantedLine {
                product: i64::from(random.random_range(1..=products.max(1))),
                quantity: random.random_range(1..=3),
            })
            .collect(),
        method: if random.random_bool(0.4) { "cash" } else { "card" }.to_owned(),
    }
}

/// A reference that no other sale has.
pub fn reference(random: &mut impl Rng) -> String {
    hex::encode(random.random::<[u8; 12]>())
}
