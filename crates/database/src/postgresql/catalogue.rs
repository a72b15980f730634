//! Databases as the server lists them: which there are, making one like another, dropping one.

use serde_json::Value;

use super::quote::{identifier, literal};
use super::session::{APPLICATION, Access, Failure, Session};
use super::summary::text;

type Outcome<T> = Result<T, Failure>;

/// A session in a database that is no tenant's, from which others can be renamed and dropped.
pub(crate) async fn maintenance(access: &Access, live: &str) -> Outcome<Session> {
    let mut last = Failure::Said("no maintenance database".to_owned());
    for database in ["postgres", "template1"].into_iter().filter(|database| *database != live) {
        match Session::open(access, database).await {
            Err(failure)
                if failure.says("does not exist") && failure.says(&format!("database \"{database}\"")) =>
            {
                last = failure;
            }
            opened => return opened,
        }
    }
    Err(last)
}

pub(crate) async fn exists(session: &mut Session, name: &str) -> Outcome<bool> {
    let row = session
        .row(&format!(
            "SELECT json_build_object('count', count(*)) FROM pg_database WHERE datname = {};",
            literal(name)
        ))
        .await?;
    Ok(row.get("count").and_then(Value::as_u64) == Some(1))
}

/// What a database is like, so that another can be made like it.
pub(crate) struct Live {
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) comment: Option<String>,
    like: String,
}

impl Live {
    pub(crate) async fn look(session: &mut Session, name: &str) -> Outcome<Self> {
        let rows = session
            .rows(&format!(
                "SELECT json_build_object('database', to_jsonb(d) - 'datacl', 'owner', pg_get_userbyid(d.datdba), \
                 'encoding', pg_encoding_to_char(d.encoding), 'comment', shobj_description(d.oid, 'pg_database'), \
                 'tablespace', (SELECT spcname FROM pg_tablespace WHERE oid = d.dattablespace)) \
                 FROM pg_database d WHERE datname = {};",
                literal(name)
            ))
            .await?;
        let row = rows.first().ok_or_else(|| Failure::Said(format!("there is no database {name:?}")))?;
        let owner = text(row, "owner")?;
        // The columns differ between versions: the provider came with 15, rules with 16, one locale with 17.
        let column = |names: &[&str]| {
            names.iter().find_map(|name| row.pointer(&format!("/database/{name}")).and_then(Value::as_str))
        };
        let mut like = format!(
            "OWNER {} TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}",
            identifier(&owner),
            literal(&text(row, "encoding")?),
            literal(column(&["datcollate"]).unwrap_or("C")),
            literal(column(&["datctype"]).unwrap_or("C"))
        );
        // To name even the usual one needs a privilege.
        let tablespace = text(row, "tablespace")?;
        if tablespace != "pg_default" {
            like.push_str(&format!(" TABLESPACE {}", identifier(&tablespace)));
        }
        let locale = column(&["datlocale", "daticulocale"]).unwrap_or("und");
        match column(&["datlocprovider"]) {
            Some("i") => like.push_str(&format!(" LOCALE_PROVIDER icu ICU_LOCALE {}", literal(locale))),
            Some("b") => {
                like.push_str(&format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {}", literal(locale)))
            }
            Some("c") => like.push_str(" LOCALE_PROVIDER libc"),
            _ => {}
        }
        if let Some(rules) = column(&["daticurules"]) {
            like.push_str(&format!(" ICU_RULES {}", literal(rules)));
        }
        if let Some(limit) =
            row.pointer("/database/datconnlimit").and_then(Value::as_i64).filter(|limit| *limit >= 0)
        {
            like.push_str(&format!(" CONNECTION LIMIT {limit}"));
        }
        let comment = row.get("comment").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { name: name.to_owned(), owner, comment, like })
    }

    /// The statement that makes an empty database like this one.
    pub(crate) fn create(&self, name: &str) -> String {
        format!("CREATE DATABASE {} {};", identifier(name), self.like)
    }
}

/// Ends the connections to databases, as far as this user may; all of them, or only Eclusa's own.
pub(crate) async fn terminate(session: &mut Session, names: &[&str], all: bool) -> Outcome<()> {
    let names: Vec<_> = names.iter().map(|name| literal(name)).collect();
    let whose =
        if all { "true".to_owned() } else { format!("a.application_name = {}", literal(APPLICATION)) };
    session
        .run(&format!(
            "SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a \
             LEFT JOIN pg_roles other ON other.oid = a.usesysid, pg_roles own \
             WHERE own.rolname = current_user AND a.datname IN ({}) AND a.pid <> pg_backend_pid() AND {whose} \
             AND (own.rolsuper OR NOT other.rolsuper AND pg_has_role(other.oid, 'MEMBER'));",
            names.join(", ")
        ))
        .await
}

/// Who is connected to databases, as a person reads it.
pub(crate) async fn connected(session: &mut Session, names: &[&str]) -> Outcome<Vec<String>> {
    let names: Vec<_> = names.iter().map(|name| literal(name)).collect();
    let rows = session
        .rows(&format!(
            "SELECT json_build_object('text', format('still connected to %s: %s, application %s, pid %s', datname, \
             usename, application_name, pid)) FROM pg_stat_activity WHERE datname IN ({});",
            names.join(", ")
        ))
        .await?;
    rows.iter().map(|row| text(row, "text")).collect()
}

/// Drops a database if it is there, and ends the connections to it.
pub(crate) async fn drop_by_force(session: &mut Session, name: &str) -> Outcome<()> {
    terminate(session, &[name], true).await?;
    session.run(&format!("DROP DATABASE IF EXISTS {};", identifier(name))).await
}
