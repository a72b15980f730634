//! `site_config.json` of a site: where its database is, and what state the site is in.

use eclusa_config::FrappeGates;
use eclusa_model::SiteObservation;
use serde_json::Value;

/// What a site's configuration says, secrets left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteConfig {
    /// The name of its database, which is also that of its database user.
    pub database: String,
    /// Whether the engine is MariaDB, the default.
    pub mariadb: bool,
    /// The host of its database server, where it names one itself.
    pub database_host: Option<String>,
    /// The port of that server, where it names one itself.
    pub database_port: Option<u16>,
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
    let (database_host, database_port) = server(keys)?;
    Ok(SiteConfig {
        database,
        mariadb,
        database_host,
        database_port,
        domains: domains(keys.get("domains")),
        site: SiteObservation {
            maintenance: is_on(keys.get("maintenance_mode")),
            scheduler_paused: is_on(keys.get("pause_scheduler")),
        },
    })
}

/// `common_site_config.json`: what all sites of a bench share.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommonConfig {
    /// The host of the database server.
    pub database_host: Option<String>,
    /// The port of that server.
    pub database_port: Option<u16>,
    /// The queues that the bench has besides the usual ones.
    pub queues: Vec<String>,
}

/// Reads a `common_site_config.json`.
///
/// # Errors
/// A sentence on what is wrong with it, without a value.
pub fn parse_common_config(text: &str) -> Result<CommonConfig, String> {
    let Ok(Value::Object(keys)) = serde_json::from_str(text) else {
        return Err("common_site_config.json is no JSON object".to_owned());
    };
    let (database_host, database_port) =
        server(&keys).map_err(|problem| problem.replace("site_config.json", "common_site_config.json"))?;
    let workers = keys.get("workers").and_then(Value::as_object);
    let is_more = |name: &&String| FrappeGates::is_plain_name(name) && !FrappeGates::is_usual_queue(name);
    let queues = workers.into_iter().flat_map(|workers| workers.keys()).filter(is_more).cloned().collect();
    Ok(CommonConfig { database_host, database_port, queues })
}

/// `db_host` and `db_port`; bench writes the port as a number, people as a text.
fn server(keys: &serde_json::Map<String, Value>) -> Result<(Option<String>, Option<u16>), String> {
    let host = match keys.get("db_host") {
        None | Some(Value::Null) => None,
        Some(Value::String(host)) if host.trim().is_empty() => None,
        Some(Value::String(host)) => Some(host.trim().to_owned()),
        Some(_) => return Err("db_host in site_config.json is no text".to_owned()),
    };
    let no_port = || "db_port in site_config.json is no port".to_owned();
    let port = match keys.get("db_port") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) if text.trim().is_empty() => None,
        Some(Value::String(text)) => Some(text.trim().parse().map_err(|_| no_port())?),
        Some(value) => {
            let port = value.as_u64().and_then(|port| u16::try_from(port).ok());
            Some(port.ok_or_else(no_port)?)
        }
    };
    Ok((host, port))
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
    fn a_site_may_name_a_server_of_its_own() {
        let site = parse_site_config(r#"{"db_name": "a", "db_host": "db2", "db_port": "3307"}"#).unwrap();
        assert_eq!((site.database_host.as_deref(), site.database_port), (Some("db2"), Some(3307)));
        let site = parse_site_config(r#"{"db_name": "a", "db_host": "", "db_port": 3307}"#).unwrap();
        assert_eq!((site.database_host, site.database_port), (None, Some(3307)));
        for text in [r#"{"db_name": "a", "db_host": 5}"#, r#"{"db_name": "a", "db_port": 70000}"#] {
            assert!(parse_site_config(text).unwrap_err().contains("in site_config.json is no"), "{text}");
        }
    }

    #[test]
    fn a_bench_names_queues_besides_the_usual_ones() {
        let text =
            r#"{"db_host": "db", "workers": {"heavy": {"timeout": 5000}, "long": {}, "a' or 'b": {}}}"#;
        let common = parse_common_config(text).unwrap();
        assert_eq!((common.database_host.as_deref(), common.database_port), (Some("db"), None));
        assert_eq!(common.queues, ["heavy"]);
        assert_eq!(parse_common_config("{}").unwrap(), CommonConfig::default());
        assert!(parse_common_config("[]").is_err());
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
