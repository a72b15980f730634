//! Which databases there are on a server, and what they are for: their comments say so.

use super::quote::{identifier, literal};
use super::session::{Access, Failure, Session};

type Outcome<T> = Result<T, Failure>;

/// The comment of a database that is being restored, or was and not to its end.
pub(crate) const UNFINISHED: &str = "eclusa: unfinished";
/// The comment of one that is whole.
pub(crate) const WHOLE: &str = "eclusa: restored";
/// The comment by which a scratch database is known, so that no other is ever emptied or dropped as one.
pub(crate) const SCRATCH: &str = "eclusa: scratch";

/// The comment of a database; none when it is not there.
pub(crate) async fn comment(session: &mut Session, name: &str) -> Outcome<Option<String>> {
    let found = session
        .texts(&format!(
            "SELECT SCHEMA_COMMENT FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {};",
            literal(name)
        ))
        .await?;
    Ok(found.into_iter().next())
}

pub(crate) async fn set_comment(session: &mut Session, name: &str, comment: &str) -> Outcome<()> {
    session.run(&format!("ALTER DATABASE {} COMMENT = {};", identifier(name), literal(comment))).await
}

/// Makes an empty database with the character set and collation of another.
pub(crate) async fn create_like(session: &mut Session, name: &str, like: &str, comment: &str) -> Outcome<()> {
    let settings = session
        .texts(&format!(
            "SELECT CONCAT('CHARACTER SET ', DEFAULT_CHARACTER_SET_NAME, ' COLLATE ', DEFAULT_COLLATION_NAME) \
             FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {};",
            literal(like)
        ))
        .await?;
    let Some(settings) = settings.first() else {
        return Err(Failure::Said(format!("the database {like:?} does not exist")));
    };
    session
        .run(&format!("CREATE DATABASE {} {settings} COMMENT {};", identifier(name), literal(comment)))
        .await
}

pub(crate) async fn drop_database(session: &mut Session, name: &str) -> Outcome<()> {
    session.run(&format!("DROP DATABASE IF EXISTS {};", identifier(name))).await
}

/// Tables with rows of their own and sequences, in the order of their names.
pub(crate) async fn tables(session: &mut Session, database: &str) -> Outcome<Vec<String>> {
    session
        .texts(&format!(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} \
             AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED', 'SEQUENCE') ORDER BY TABLE_NAME;",
            literal(database)
        ))
        .await
}

/// Tables of other databases that refer to a table of this one by a foreign key, each with its key. Such a key follows a
/// table that is renamed into another database, and from then on asks the wrong rows.
pub(crate) async fn referring(session: &mut Session, database: &str) -> Outcome<Vec<String>> {
    // The server's own list is read at once; the standard one opens every table there is.
    let any = session
        .text(
            "SELECT COUNT(*) FROM information_schema.INNODB_SYS_FOREIGN \
             WHERE SUBSTRING_INDEX(FOR_NAME, '/', 1) <> SUBSTRING_INDEX(REF_NAME, '/', 1);",
        )
        .await?;
    if any == "0" {
        return Ok(Vec::new());
    }
    session
        .texts(&format!(
            "SELECT CONCAT(CONSTRAINT_SCHEMA, '.', TABLE_NAME, ' by its key ', CONSTRAINT_NAME) \
             FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE UNIQUE_CONSTRAINT_SCHEMA = {of} \
             AND CONSTRAINT_SCHEMA <> {of} ORDER BY 1;",
            of = literal(database)
        ))
        .await
}

/// Ends the connections whose database is one of these.
pub(crate) async fn terminate(access: &Access, databases: &[&str]) -> Outcome<()> {
    let names: Vec<String> = databases.iter().map(|name| literal(name)).collect();
    // It goes on after an error: a connection may have ended by itself.
    let mut session = Session::open_forcing(access).await?;
    let ids = session
        .texts(&format!(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE DB IN ({}) AND ID <> CONNECTION_ID();",
            names.join(", ")
        ))
        .await?;
    for id in ids {
        session.run(&format!("KILL CONNECTION {id};")).await?;
    }
    Ok(())
}

/// Who is in one of these databases, as a person reads it.
pub(crate) async fn connected(session: &mut Session, databases: &[&str]) -> Outcome<Vec<String>> {
    let names: Vec<String> = databases.iter().map(|name| literal(name)).collect();
    session
        .texts(&format!(
            "SELECT CONCAT('connection ', ID, ' of ', USER, '@', HOST, ', ', COMMAND, ' for ', TIME, ' s', \
             IFNULL(CONCAT(': ', LEFT(REGEXP_REPLACE(INFO, '[[:space:]]+', ' '), 80)), '')) \
             FROM information_schema.PROCESSLIST WHERE DB IN ({}) AND ID <> CONNECTION_ID() ORDER BY ID;",
            names.join(", ")
        ))
        .await
}
