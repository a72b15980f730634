//! What a server says about a database.

use eclusa_ports::DatabaseFacts;

use super::quote::literal;
use super::session::{Access, Failure, Session};
use super::{apart, catalogue, log};

/// Transactions that have been open for longer in this database, and statements that have waited for a table's
/// definition for longer, each with who it is.
pub(crate) async fn facts(access: &Access, name: &str, seconds: u64) -> Result<DatabaseFacts, Failure> {
    let mut session = Session::open(access).await?;
    if catalogue::comment(&mut session, name).await?.is_none() {
        return Err(Failure::Said(format!("the database {name:?} does not exist")));
    }
    let of = literal(name);
    let version = session.text("SELECT SUBSTRING_INDEX(VERSION(), '-', 1);").await?;
    let bytes = session
        .text(&format!(
            "SELECT CAST(IFNULL(SUM(DATA_LENGTH + INDEX_LENGTH), 0) AS UNSIGNED) FROM information_schema.TABLES \
             WHERE TABLE_SCHEMA = {of};"
        ))
        .await?;
    let long_transactions = session
        .texts(&format!(
            "SELECT text FROM (\
               SELECT CONCAT('connection ', p.ID, ' of ', p.USER, '@', p.HOST, ', open for ', \
                 TIMESTAMPDIFF(SECOND, t.trx_started, NOW()), ' s, ', LOWER(p.COMMAND), \
                 IFNULL(CONCAT(': ', LEFT(REGEXP_REPLACE(p.INFO, '[[:space:]]+', ' '), 80)), '')) AS text, \
                 TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) AS age \
               FROM information_schema.INNODB_TRX t \
               JOIN information_schema.PROCESSLIST p ON p.ID = t.trx_mysql_thread_id \
               WHERE p.DB = {of} AND p.ID <> CONNECTION_ID() \
               UNION ALL \
               SELECT CONCAT('connection ', p.ID, ' of ', p.USER, '@', p.HOST, ', waiting for ', p.TIME, ' s (', \
                 LOWER(p.STATE), '): ', LEFT(REGEXP_REPLACE(IFNULL(p.INFO, '-'), '[[:space:]]+', ' '), 80)), p.TIME \
               FROM information_schema.PROCESSLIST p \
               WHERE p.DB = {of} AND p.STATE LIKE 'Waiting for table%lock' AND p.ID <> CONNECTION_ID()) AS found \
             WHERE age >= {seconds} ORDER BY age DESC;"
        ))
        .await?;
    let without_snapshot = apart::tables(&mut session, name).await?;
    let bytes = bytes.parse().unwrap_or_default();
    let keeps_log = log::is_kept(&mut session).await?;
    Ok(DatabaseFacts { version, bytes, long_transactions, without_snapshot, keeps_log })
}
