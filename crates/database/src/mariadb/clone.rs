//! A database for a tenant that has none yet, with an account of its own, and statements that people give. What was made here
//! is known by its comment, so that nothing else is ever dropped.

use secrecy::{ExposeSecret, SecretString};

use super::catalogue;
use super::quote::{granted, literal};
use super::session::{Access, Failure, Session, client_arguments};
use crate::server::feed_statements;

type Outcome<T> = Result<T, Failure>;

pub(crate) async fn execute(access: &Access, database: &str, statements: &str) -> Outcome<()> {
    let mut session = Session::open(access).await?;
    if catalogue::comment(&mut session, database).await?.is_none() {
        return Err(Failure::Said(format!("the database {database:?} does not exist")));
    }
    let mut arguments = client_arguments();
    arguments.push(format!("--database={database}"));
    let client = access.start_mariadb(session.names.client(), &arguments).await?;
    feed_statements(client, statements, "START TRANSACTION; ", "mariadb.statements.piece").await
}

/// What is said when something of this name is there that was not made here.
pub(crate) fn taken(what: &str) -> Failure {
    Failure::Said(format!("{what} is there already"))
}

pub(crate) async fn make(access: &Access, name: &str, like: &str, mark: &str) -> Outcome<()> {
    let mut session = Session::open(access).await?;
    match catalogue::comment(&mut session, name).await? {
        Some(comment) if comment == mark => Ok(()),
        Some(_) => Err(taken(&format!("a database {name:?}"))),
        None if !hosts(&mut session, name).await?.is_empty() => {
            Err(taken(&format!("a database account {name:?}")))
        }
        None => catalogue::create_like(&mut session, name, like, mark).await,
    }
}

/// From where an account may connect.
async fn hosts(session: &mut Session, account: &str) -> Outcome<Vec<String>> {
    session.texts(&format!("SELECT Host FROM mysql.user WHERE User = {};", literal(account))).await
}

pub(crate) async fn make_account(
    access: &Access,
    name: &str,
    host: &str,
    mark: &str,
    password: &SecretString,
) -> Outcome<()> {
    let mut session = Session::open(access).await?;
    if catalogue::comment(&mut session, name).await?.as_deref() != Some(mark) {
        return Err(taken(&format!("a database {name:?} that was not made by this run")));
    }
    let account = format!("{}@{}", literal(name), literal(host));
    let password = literal(password.expose_secret());
    let database = granted(name);
    session
        .run(&format!(
            "CREATE USER IF NOT EXISTS {account}; ALTER USER {account} IDENTIFIED BY {password}; \
             GRANT ALL PRIVILEGES ON {database}.* TO {account};"
        ))
        .await
}

pub(crate) async fn drop_made(access: &Access, name: &str, mark: &str) -> Outcome<()> {
    let mut session = Session::open(access).await?;
    if catalogue::comment(&mut session, name).await?.as_deref() != Some(mark) {
        return Ok(());
    }
    for host in hosts(&mut session, name).await? {
        session.run(&format!("DROP USER IF EXISTS {}@{};", literal(name), literal(&host))).await?;
    }
    // The database last: by its comment it is known that the account was made here.
    catalogue::drop_database(&mut session, name).await
}
