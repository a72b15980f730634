//! What a server says about a database.

use eclusa_ports::DatabaseFacts;
use serde_json::Value;

use super::quote::literal;
use super::session::{Access, Failure, Session};
use super::summary::text;

/// Transactions that have been open for longer, and sessions that have waited for a lock for longer.
pub(crate) async fn facts(access: &Access, name: &str, seconds: u64) -> Result<DatabaseFacts, Failure> {
    let mut session = Session::open(access, name).await?;
    let row = session
        .row(&format!(
            "SELECT json_build_object('version', split_part(current_setting('server_version'), ' ', 1), \
             'bytes', pg_database_size({}), 'archives', current_setting('archive_mode') <> 'off');",
            literal(name)
        ))
        .await?;
    let rows = session
        .rows(&format!(
            "SELECT json_build_object('text', concat('pid ', pid, ', open for ', \
               floor(extract(epoch FROM clock_timestamp() - xact_start)), ' s, ', state, \
               CASE WHEN cardinality(pg_blocking_pids(pid)) > 0 \
                 THEN concat(', blocked by pid ', array_to_string(pg_blocking_pids(pid), ', ')) END, \
               ', application ', coalesce(nullif(application_name, ''), '-'), ': ', \
               left(regexp_replace(query, '\\s+', ' ', 'g'), 80))) \
             FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
             AND backend_type = 'client backend' AND xact_start < clock_timestamp() - make_interval(secs => {seconds}) \
             ORDER BY xact_start;"
        ))
        .await?;
    Ok(DatabaseFacts {
        version: text(&row, "version")?,
        bytes: row.get("bytes").and_then(Value::as_u64).unwrap_or_default(),
        long_transactions: rows.iter().map(|row| text(row, "text")).collect::<Result<_, _>>()?,
        without_snapshot: Vec::new(),
        keeps_log: row.get("archives").and_then(Value::as_bool) == Some(true),
    })
}
