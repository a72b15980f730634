//! `site_config.json` of a site: where its database is, and what state the site is in.

use eclusa_model::SiteObservation;
use serde_json::Value;

/// What a site's configuration says, secrets left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteConfig {
    /// The name of its database, which is also that of its database user.
    pub database: String,
    /// Whether the engine is MariaDB, the default.
    pub mariadb: bool,
    /// Further host names that it answers to.
    pub domains: Vec<String>,
    /// The state it is in.
    pub site: SiteObservation,
}

/// Reads a `site_config.json`.
///
/// # Errors
/// A sentence on what is wrong with it. It never quotes a value, since most of them are secrets.
pub fn parse_site_config(text: &str) -> Result<SiteConfig, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| {
        format!("site_config.json is no JSON (line {}, column {})", error.line(), error.column())
    })?;
    let Value::Object(keys) = &value else { return Err("site_config.json holds no object".to_owned()) };
    let database = match keys.get("db_name") {
        Some(Value::String(name)) if is_database_name(name) => name.clone(),
        Some(_) => return Err("db_name in site_config.json is no name of a database".to_owned()),
        None => return Err("site_config.json names no database (db_name)".to_owned()),
    };
    let mariadb = match keys.get("db_type") {
        None | Some(Value::Null) => true,
        Some(Value::String(kind)) => kind == "mariadb",
        Some(_) => return Err("db_type in site_config.json is no text".to_owned()),
    };
    Ok(SiteConfig {
        database,
        mariadb,
        domains: domains(keys.get("domains")),
        site: SiteObservation {
            maintenance: is_on(keys.get("maintenance_mode")),
            scheduler_paused: is_on(keys.get("pause_scheduler")),
        },
    })
}

/// Names that bench makes, and those that its users choose: a MariaDB identifier that needs no quotes.
fn is_database_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-' || c == '$')
}

/// bench writes 1, `true`, or the text of either.
fn is_on(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(on)) => *on,
        Some(Value::Number(number)) => number.as_f64().is_some_and(|number| number != 0.0),
        Some(Value::String(text)) => !matches!(text.as_str(), "" | "0" | "false" | "False"),
        _ => false,
    }
}

/// `domains` holds host names, or objects with `domain`.
fn domains(value: Option<&Value>) -> Vec<String> {
    let Some(Value::Array(entries)) = value else { return Vec::new() };
    let name = |entry: &Value| match entry {
        Value::String(name) => Some(name.clone()),
        Value::Object(keys) => keys.get("domain").and_then(Value::as_str).map(str::to_owned),
        _ => None,
    };
    entries.iter().filter_map(name).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_read() {
        let text = r#"{"db_name": "_1bd3e0294da19198", "db_password": "x", "maintenance_mode": 1,
            "pause_scheduler": true, "domains": ["erp.example.org", {"domain": "b.example.org", "ssl_certificate": "/x"}]}"#;
        let site = parse_site_config(text).unwrap();
        assert_eq!(site.database, "_1bd3e0294da19198");
        assert!(site.mariadb && site.site.maintenance && site.site.scheduler_paused);
        assert_eq!(site.domains, ["erp.example.org", "b.example.org"]);
        let off =
            parse_site_config(r#"{"db_name": "a", "db_type": "postgres", "maintenance_mode": 0}"#).unwrap();
        assert!(!off.mariadb && !off.site.maintenance && !off.site.scheduler_paused);
    }

    #[test]
    fn what_is_wrong_is_said_without_a_secret() {
        for (text, part) in [
            ("{\"db_password\": \"hunter2\",", "is no JSON (line 1"),
            ("[\"hunter2\"]", "holds no object"),
            ("{\"db_password\": \"hunter2\"}", "names no database"),
            ("{\"db_name\": \"a`; DROP DATABASE hunter2\"}", "is no name of a database"),
            ("{\"db_name\": 5}", "is no name of a database"),
        ] {
            let problem = parse_site_config(text).unwrap_err();
            assert!(problem.contains(part) && !problem.contains("hunter2"), "{problem}");
        }
    }
}
