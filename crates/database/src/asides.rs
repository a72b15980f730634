//! By what databases with some tables of a restore point are known: their comments name the tenant, the point and the moment,
//! so that no list of them can be lost.

use eclusa_fault::{Code, Fault};
use eclusa_model::TenantName;
use eclusa_ports::Aside;
use jiff::Timestamp;

/// With what their comments begin.
pub(crate) const ASIDE: &str = "eclusa: aside ";

pub(crate) fn comment(tenant: &TenantName, point: &str, at: Timestamp) -> String {
    format!("{ASIDE}{tenant} {point} {at}")
}

/// What a comment says; nothing where it is another one.
pub(crate) fn read(database: &str, comment: &str) -> Option<Aside> {
    let mut words = comment.strip_prefix(ASIDE)?.split(' ');
    let (tenant, point, at) = (words.next()?, words.next()?, words.next()?);
    Some(Aside {
        tenant: TenantName::new(tenant).ok()?,
        database: database.to_owned(),
        point: point.to_owned(),
        made_at: at.parse().ok()?,
    })
}

/// Why a database of another kind is not dropped as one.
pub(crate) fn not_one(tenant: &str, database: &str) -> Fault {
    let why = format!("the database {database:?} was not made to look at tables");
    crate::fault(Code::DatabaseDenied, tenant).because(why)
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
