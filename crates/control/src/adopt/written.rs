//! A Compose project as it is written, before its variables are filled in: which value comes from which variable.
//! Values may be secrets written out in the file; they are kept out of `Debug` and never shown.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eclusa_ports::{CommandSpec, Host, NoOutput};
use serde_json::Value;

/// How long Compose may take to print its model.
const WITHIN: Duration = Duration::from_secs(60);

/// A project as it is written.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) services: BTreeMap<String, WrittenService>,
    /// The files of the host behind Compose's secrets.
    pub(crate) secrets: BTreeMap<String, PathBuf>,
}

/// One service as it is written.
#[derive(Default)]
pub(crate) struct WrittenService {
    /// Its environment, without what its env files bring.
    pub(crate) environment: BTreeMap<String, String>,
    /// The env files that its containers get.
    pub(crate) env_files: Vec<PathBuf>,
    /// Its working directory, where the file sets one.
    pub(crate) working_directory: Option<String>,
    /// Its labels.
    pub(crate) labels: Vec<String>,
    /// Whether it is started again when it ends.
    pub(crate) restarts: bool,
}

impl fmt::Debug for WrittenService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WrittenService").field("env_files", &self.env_files).finish_non_exhaustive()
    }
}

/// Asks Compose for the project as it is written. Empty where it cannot be had: then less is found.
pub(crate) async fn read(
    files: &[PathBuf],
    env_files: &[PathBuf],
    directory: &Path,
    host: &dyn Host,
) -> Written {
    let mut argv: Vec<String> =
        ["docker", "compose", "--ansi", "never", "--project-directory"].map(Into::into).into();
    argv.push(directory.display().to_string());
    for file in files {
        argv.extend(["-f".to_owned(), file.display().to_string()]);
    }
    for file in env_files {
        argv.extend(["--env-file".to_owned(), file.display().to_string()]);
    }
    argv.extend(["config", "--no-interpolate", "--format", "json"].map(str::to_owned));
    let Ok(result) = host.run(CommandSpec::new(argv, WITHIN), &NoOutput).await else {
        return Written::default();
    };
    if result.code != 0 || result.truncated {
        return Written::default();
    }
    serde_json::from_str::<Value>(&result.stdout).map(|model| of_model(&model, directory)).unwrap_or_default()
}

fn of_model(model: &Value, directory: &Path) -> Written {
    let objects = |key: &str| model.get(key).and_then(Value::as_object).into_iter().flatten();
    let services =
        objects("services").map(|(name, service)| (name.clone(), of_service(service, directory))).collect();
    let secrets = objects("secrets")
        .filter_map(|(name, secret)| {
            let file = secret.get("file")?.as_str()?;
            Some((name.clone(), directory.join(file)))
        })
        .collect();
    Written { services, secrets }
}

fn of_service(service: &Value, directory: &Path) -> WrittenService {
    let env_files = match service.get("env_file") {
        Some(Value::String(one)) => vec![directory.join(one)],
        Some(Value::Array(several)) => several
            .iter()
            .filter_map(|file| file.as_str().or_else(|| file.get("path")?.as_str()))
            .map(|file| directory.join(file))
            .collect(),
        _ => Vec::new(),
    };
    let restart = service.get("restart").and_then(Value::as_str);
    WrittenService {
        environment: pairs(service.get("environment")).into_iter().collect(),
        env_files,
        working_directory: service.get("working_dir").and_then(Value::as_str).map(str::to_owned),
        labels: pairs(service.get("labels"))
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect(),
        restarts: restart.is_some_and(|restart| restart != "no"),
    }
}

/// Names with values, as a map or as a list of `NAME=VALUE`.
fn pairs(value: Option<&Value>) -> Vec<(String, String)> {
    match value {
        Some(Value::Object(map)) => map
            .iter()
            .map(|(name, value)| {
                let value = match value {
                    Value::String(text) => text.clone(),
                    Value::Null => String::new(),
                    other => other.to_string(),
                };
                (name.clone(), value)
            })
            .collect(),
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .map(|line| line.split_once('=').unwrap_or((line, "")))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
        _ => Vec::new(),
    }
}

/// The one variable that a value is made of: `${NAME}`, `${NAME:-default}`, `$NAME`.
pub(crate) fn only_variable(value: &str) -> Option<&str> {
    let inner = match value.strip_prefix("${") {
        Some(rest) => {
            let inner = rest.strip_suffix('}')?;
            // `${A}-${B}` ends with a brace too.
            if inner.contains('}') && !inner.contains("${") {
                return None;
            }
            inner
        }
        None => value.strip_prefix('$').filter(|rest| !rest.starts_with('$'))?,
    };
    let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
    let (name, rest) = inner.split_at(end);
    let closed = rest.is_empty() || (value.starts_with("${") && rest.starts_with([':', '-', '?', '+']));
    (!name.is_empty() && closed).then_some(name)
}

/// The variables that a text of a Compose file names.
pub(crate) fn variables(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let uncommented = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    for line in uncommented {
        let mut rest = line;
        while let Some((_, after)) = rest.split_once('$') {
            if let Some(escaped) = after.strip_prefix('$') {
                rest = escaped;
                continue;
            }
            rest = after;
            let name: String = after
                .trim_start_matches('{')
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            if !name.is_empty() && !found.contains(&name) {
                found.push(name);
            }
        }
    }
    found
}

/// The parts of a database's URL, as it is written.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct DatabaseUrl {
    pub(crate) scheme: String,
    pub(crate) user: String,
    pub(crate) password: String,
    pub(crate) host: String,
    pub(crate) name: String,
}

/// Takes a database's URL apart. What stands in `${…}` is left whole: it may hold `:`, `@` and `/`.
pub(crate) fn database_url(url: &str) -> Option<DatabaseUrl> {
    let mut hidden = String::new();
    let mut kept: Vec<String> = Vec::new();
    let mut rest = url;
    while let Some((before, after)) = rest.split_once("${") {
        hidden.push_str(before);
        let (inside, tail) = after.split_once('}')?;
        // A private-use character stands for it, which no URL holds.
        hidden.push(char::from_u32(0xE000 + u32::try_from(kept.len()).ok()?)?);
        kept.push(format!("${{{inside}}}"));
        rest = tail;
    }
    hidden.push_str(rest);
    let whole = |part: &str| -> String {
        part.chars()
            .map(|c| {
                let number = u32::from(c).checked_sub(0xE000).and_then(|number| usize::try_from(number).ok());
                number.and_then(|number| kept.get(number)).cloned().unwrap_or_else(|| c.to_string())
            })
            .collect()
    };
    let (scheme, rest) = hidden.split_once("://")?;
    let rest = rest.split(['?', '#']).next()?;
    let (authority, name) = rest.split_once('/').unwrap_or((rest, ""));
    let (credentials, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let host = place.split(':').next()?;
    Some(DatabaseUrl {
        scheme: whole(scheme),
        user: whole(user),
        password: whole(password),
        host: whole(host),
        name: whole(name),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_one_variable_is_recognised() {
        assert_eq!(only_variable("${POSTGRES_DB}"), Some("POSTGRES_DB"));
        assert_eq!(only_variable("${DB:-shop}"), Some("DB"));
        assert_eq!(only_variable("${DB:?set ${OTHER}}"), Some("DB"));
        assert_eq!(only_variable("$DB"), Some("DB"));
        assert_eq!(only_variable("${A}-${B}"), None);
        assert_eq!(only_variable("$DB-x"), None);
        assert_eq!(only_variable("shop"), None);
        assert_eq!(only_variable("$$DB"), None);
    }

    #[test]
    fn a_url_with_variables_is_taken_apart() {
        let url = database_url("postgresql://librarian:${PASSWORD:?set it: a/b@c}@database:5432/books?x=1")
            .unwrap();
        assert_eq!(url.user, "librarian");
        assert_eq!(url.password, "${PASSWORD:?set it: a/b@c}");
        assert_eq!(url.host, "database");
        assert_eq!(url.name, "books");
        assert!(database_url("no url").is_none());
    }

    #[test]
    fn the_variables_of_a_file_are_found() {
        let text = "image: shop:${TAG:-v1}\n# ${NOT}\nports: [\"$PORT:80\"]\ntest: $$HOME ${TAG}\n";
        assert_eq!(variables(text), ["TAG", "PORT"]);
    }
}
