//! Databases with some tables of a restore point, which people look at. The server itself says which there are.

use eclusa_model::TenantName;
use eclusa_ports::Aside;
use jiff::Timestamp;

use super::catalogue::{self, UNFINISHED};
use super::quote::literal;
use super::session::{Access, Failure, Session};
use crate::asides::{ASIDE, comment, not_one, read};

type Outcome<T> = Result<T, Failure>;

pub(super) async fn finish(
    access: &Access,
    database: &str,
    tenant: &TenantName,
    point: &str,
    at: Timestamp,
) -> Outcome<Aside> {
    let mut session = Session::open(access).await?;
    if catalogue::comment(&mut session, database).await?.is_none() {
        return Err(Failure::Said(format!("the database {database:?} does not exist")));
    }
    catalogue::set_comment(&mut session, database, &comment(tenant, point, at)).await?;
    let (database, point) = (database.to_owned(), point.to_owned());
    Ok(Aside { tenant: tenant.clone(), database, point, made_at: at })
}

pub(super) async fn list(access: &Access) -> Outcome<Vec<Aside>> {
    let mut session = Session::open(access).await?;
    let found = session
        .texts(&format!(
            "SELECT CONCAT(SCHEMA_NAME, CHAR(9), SCHEMA_COMMENT) FROM information_schema.SCHEMATA \
             WHERE LEFT(SCHEMA_COMMENT, {}) = {} ORDER BY SCHEMA_NAME;",
            ASIDE.len(),
            literal(ASIDE)
        ))
        .await?;
    Ok(found
        .iter()
        .filter_map(|line| line.split_once('\t').and_then(|(name, comment)| read(name, comment)))
        .collect())
}

/// Drops one, or what a restore of one has left.
pub(super) async fn drop(access: &Access, database: &str) -> Outcome<()> {
    let mut session = Session::open(access).await?;
    match catalogue::comment(&mut session, database).await? {
        None => Ok(()),
        Some(comment) if comment.starts_with(ASIDE) || comment == UNFINISHED => {
            catalogue::drop_database(&mut session, database).await
        }
        Some(_) => Err(Failure::Fault(not_one(&access.tenant, database))),
    }
}
