//! The tables and their versions.

use rusqlite::{Connection, TransactionBehavior};

use crate::trouble::Trouble;

/// What stands in the file's header to say that it is a journal: "Eclu" in ASCII.
pub(crate) const APPLICATION_ID: i64 = 0x4563_6c75;

/// One migration per version; the first makes the tables. A migration is never changed after it was published.
const MIGRATIONS: &[&str] = &[include_str!("../schema/1.sql"), include_str!("../schema/2.sql")];

/// The newest version that this program knows.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.len() as i64
}

/// The version of a journal.
pub(crate) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings a journal to a version, each migration in one transaction.
pub(crate) fn migrate(connection: &mut Connection, to: i64) -> rusqlite::Result<()> {
    loop {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let found = version(&transaction)?;
        let next = usize::try_from(found).ok().and_then(|index| MIGRATIONS.get(index));
        let Some(statements) = next.filter(|_| found < to) else { return Ok(()) };
        transaction.execute_batch(statements)?;
        // A pragma takes no parameters; both are numbers of this program.
        transaction.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}",
            found + 1
        ))?;
        transaction.commit()?;
    }
}

/// A journal in memory that holds nothing.
pub(crate) fn empty(version: i64) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open_in_memory()?;
    migrate(&mut connection, version)?;
    Ok(connection)
}

/// Checks that a file is a journal and has exactly the tables and triggers of its version.
pub(crate) fn check(connection: &Connection) -> Result<(), Trouble> {
    let application: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    if application != APPLICATION_ID {
        return Err(Trouble::Damaged("it is a SQLite file, but no journal of Eclusa".to_owned()));
    }
    let found = version(connection)?;
    if found < 1 {
        return Err(Trouble::Damaged(format!("its version is {found}")));
    }
    if found > newest() {
        return Ok(());
    }
    if statements(connection)? == statements(&empty(found)?)? {
        Ok(())
    } else {
        Err(Trouble::Damaged("its tables or triggers are not those of its version".to_owned()))
    }
}

fn statements(connection: &Connection) -> rusqlite::Result<Vec<(String, String, Option<String>)>> {
    connection
        .prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
}
