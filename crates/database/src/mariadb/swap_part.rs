//! Which tables take part in a swap, where not all do: a copy beside that holds some tables alone says so in a table of
//! its own, and so does what is kept afterwards. The tables that do not take part stay where they are, in the live
//! database. Nothing but tables and sequences takes part, so nothing has to be dropped and made again.

use std::collections::BTreeSet;

use super::quote::{identifier, literal};
use super::session::{Failure, Session};

type Outcome<T> = Result<T, Failure>;

/// The table that holds their names.
pub(super) const TABLES: &str = "eclusa_tables";
/// So many names go into one statement.
const NAMES_AT_ONCE: usize = 500;

fn place(database: &str) -> String {
    format!("{}.{}", identifier(database), identifier(TABLES))
}

/// Says in a copy that only these tables take part. Idempotent.
pub(super) async fn write(session: &mut Session, database: &str, tables: &BTreeSet<String>) -> Outcome<()> {
    let place = place(database);
    session
        .run(&format!(
            "CREATE OR REPLACE TABLE {place} (name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY) \
             ENGINE = InnoDB;"
        ))
        .await?;
    let names: Vec<String> = tables.iter().map(|name| format!("({})", literal(name))).collect();
    for some in names.chunks(NAMES_AT_ONCE) {
        session.run(&format!("INSERT INTO {place} VALUES {};", some.join(", "))).await?;
    }
    Ok(())
}

/// The tables that take part, as a copy says; `None` where it does not say so: then all do.
pub(super) async fn read(session: &mut Session, database: &str) -> Outcome<Option<BTreeSet<String>>> {
    let there = session
        .text(&format!(
            "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {};",
            literal(database),
            literal(TABLES)
        ))
        .await?;
    if there == "0" {
        return Ok(None);
    }
    let names = session.texts(&format!("SELECT name FROM {} ORDER BY name;", place(database))).await?;
    Ok(Some(names.into_iter().collect()))
}

/// Lets a copy say no longer which tables take part. Idempotent.
pub(super) async fn clear(session: &mut Session, database: &str) -> Outcome<()> {
    session.run(&format!("DROP TABLE IF EXISTS {};", place(database))).await
}
