//! Databases with some tables of a restore point, which people look at. The server itself says which there are: their comments
//! name the tenant, the point and the moment, so that no list of them can be lost.

use eclusa_model::TenantName;
use eclusa_ports::Aside;
use jiff::Timestamp;

use super::catalogue::{self, UNFINISHED};
use super::quote::literal;
use super::session::{Access, Failure, Session};

type Outcome<T> = Result<T, Failure>;

/// With what their comments begin.
const ASIDE: &str = "eclusa: aside ";

fn comment(tenant: &TenantName, point: &str, at: Timestamp) -> String {
    format!("{ASIDE}{tenant} {point} {at}")
}

/// What a comment says; nothing where it is another one.
fn read(database: &str, comment: &str) -> Option<Aside> {
    let mut words = comment.strip_prefix(ASIDE)?.split(' ');
    let (tenant, point, at) = (words.next()?, words.next()?, words.next()?);
    Some(Aside {
        tenant: TenantName::new(tenant).ok()?,
        database: database.to_owned(),
        point: point.to_owned(),
        made_at: at.parse().ok()?,
    })
}

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
        Some(_) => {
            let fault = crate::fault(eclusa_fault::Code::DatabaseDenied, &access.tenant);
            let why = format!("the database {database:?} was not made to look at tables");
            Err(Failure::Fault(fault.because(why)))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_a_comment_says_is_read_back() {
        let tenant = TenantName::new("acme.example.org").unwrap();
        let at: Timestamp = "2026-03-01T14:05:00Z".parse().unwrap();
        let found = read("x_aside", &comment(&tenant, "1608a65a", at)).unwrap();
        assert_eq!((found.tenant, found.point.as_str(), found.made_at), (tenant, "1608a65a", at));
        for other in ["", "eclusa: kept", "eclusa: aside", "eclusa: aside a b", "eclusa: aside a b c"] {
            assert_eq!(read("x", other), None, "{other}");
        }
    }
}
