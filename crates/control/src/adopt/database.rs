//! The database: its engine, its service, and where its name, user and password come from.

use std::path::{Path, PathBuf};

use eclusa_config::EnvironmentFiles;
use eclusa_fault::{Code, Fault, Language, Result};
use eclusa_model::AppKind;
use eclusa_runtime_docker::inspect::VariableModel;

use super::document::{Guess, text, why};
use super::facts::Facts;
use super::python::settings::DatabaseHints;
use super::roles::Role;
use super::written::{database_url, only_variable};

/// What was found.
#[derive(Debug)]
pub(crate) enum DatabaseFound {
    Postgresql {
        service: Guess<String>,
        name: Guess<String>,
        user: Guess<String>,
        /// A reference; none where the password stands only where Eclusa must not write it from.
        password: std::result::Result<Guess<String>, eclusa_fault::Message>,
        /// Env files that the references need besides those that Compose is started with.
        further: Vec<PathBuf>,
    },
    Mariadb {
        service: Guess<String>,
        /// Host and port of a server that is no service of the project.
        outside: Option<(String, Option<u16>)>,
        /// A reference, as for PostgreSQL.
        password: std::result::Result<Guess<String>, eclusa_fault::Message>,
        further: Vec<PathBuf>,
    },
    Sqlite {
        path: Guess<String>,
    },
}

/// Where a value comes from.
enum Origin {
    /// An env file's variable.
    Variable(String, PathBuf),
    /// It is written out.
    Literal(String),
    /// It is written out and must not be repeated.
    Hidden,
    /// A file, by Compose's secrets.
    File(PathBuf),
}

pub(super) fn unsupported(problem: &eclusa_fault::Message) -> Fault {
    Fault::new(Code::DatabaseUnsupported)
        .with("problem", problem.render(&Language::default()))
        .state(eclusa_fault::Message::new("adopt-nothing-written"))
}

/// Finds the database.
///
/// # Errors
/// `DatabaseUnsupported` when there is none that Eclusa can back up.
pub(crate) fn find(facts: &Facts, hints: &DatabaseHints) -> Result<DatabaseFound> {
    if facts.app.value == AppKind::Frappe {
        return super::bench::database(facts);
    }
    if hints.engine.as_deref().is_some_and(|engine| engine.contains("sqlite")) {
        return Ok(DatabaseFound::Sqlite { path: sqlite(facts, hints) });
    }
    let services = facts.roles.names(Role::Database);
    let postgresql: Vec<&String> = services
        .iter()
        .filter(|name| ["postg", "timescale", "pgvector"].iter().any(|word| facts.image(name).contains(word)))
        .collect();
    let host = app_host(facts, hints);
    let chosen = host
        .as_ref()
        .and_then(|host| postgresql.iter().find(|name| **name == host))
        .or_else(|| postgresql.first());
    let Some(service) = chosen.map(|name| (*name).clone()) else {
        return Err(unsupported(&match services.first() {
            Some(other) => why("database-other").with("service", other).with("image", facts.image(other)),
            None => why("database-none"),
        }));
    };
    let certain = postgresql.len() == 1 || host.as_deref() == Some(&service);
    let reason = why("database-service").with("service", &service).with("image", facts.image(&service));
    let service_guess =
        if certain { Guess::found(service.clone(), reason) } else { Guess::check(service.clone(), reason) };
    let mut further = Vec::new();
    let mut value = |variable: &str, secret: bool| origin(facts, &service, variable, secret, &mut further);
    let user = value("POSTGRES_USER", false);
    let name = value("POSTGRES_DB", false);
    let password = value("POSTGRES_PASSWORD", true);
    let user = plain(user, "POSTGRES_USER", &service).unwrap_or_else(|| {
        Guess::check("postgres".to_owned(), why("database-user-default").with("service", &service))
    });
    let name = plain(name, "POSTGRES_DB", &service).unwrap_or_else(|| Guess {
        why: why("database-name-default").with("service", &service),
        ..user.clone()
    });
    let password = reference(facts, &service, password);
    further.dedup();
    Ok(DatabaseFound::Postgresql { service: service_guess, name, user, password, further })
}

/// How a password is written down: never itself.
fn reference(
    facts: &Facts,
    service: &str,
    password: Option<Origin>,
) -> std::result::Result<Guess<String>, eclusa_fault::Message> {
    match password {
        Some(Origin::Variable(variable, file)) => {
            let reason =
                why("database-password").with("variable", &variable).with("file", facts.shown(&file));
            Ok(Guess::found(format!("env:{variable}"), reason))
        }
        Some(Origin::File(file)) => {
            let reason = why("database-password-file").with("service", service);
            Ok(Guess::found(format!("file:{}", facts.shown(&file)), reason))
        }
        Some(Origin::Hidden | Origin::Literal(_)) => {
            Err(why("database-password-written").with("service", service))
        }
        None => Err(why("database-password-none").with("service", service)),
    }
}

/// A MariaDB server, whose administrator's password is the one that its image was started with.
pub(crate) fn mariadb(facts: &Facts, service: Guess<String>) -> DatabaseFound {
    let mut further = Vec::new();
    let password = ["MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD"]
        .iter()
        .find_map(|variable| origin(facts, &service.value, variable, true, &mut further));
    let password = reference(facts, &service.value, password);
    further.dedup();
    DatabaseFound::Mariadb { service, outside: None, password, further }
}

/// A server that is no service of the project. Its administrator's password may stand in an env file.
pub(crate) fn mariadb_outside(
    facts: &Facts,
    service: Guess<String>,
    outside: (String, Option<u16>),
) -> DatabaseFound {
    let names = ["DB_ROOT_PASSWORD", "MARIADB_ROOT_PASSWORD", "MYSQL_ROOT_PASSWORD"];
    let found = names.iter().find_map(|name| Some((name, holding(&facts.environment, name)?)));
    let password = match found {
        Some((name, file)) => {
            let reason = why("database-password").with("variable", name).with("file", facts.shown(&file));
            Ok(Guess::check(format!("env:{name}"), reason))
        }
        None => Err(why("bench-outside-password").with("host", &outside.0)),
    };
    DatabaseFound::Mariadb { service, outside: Some(outside), password, further: Vec::new() }
}

fn plain(origin: Option<Origin>, variable: &str, service: &str) -> Option<Guess<String>> {
    match origin? {
        Origin::Variable(name, file) => {
            let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let reason = why("database-variable")
                .with("variable", variable)
                .with("service", service)
                .with("file", file);
            Some(Guess::found(format!("env:{name}"), reason))
        }
        Origin::Literal(value) => Some(Guess::found(
            value,
            why("database-literal").with("variable", variable).with("service", service),
        )),
        Origin::Hidden | Origin::File(_) => None,
    }
}

/// Where a variable of a service gets its value from.
fn origin(
    facts: &Facts,
    service: &str,
    variable: &str,
    secret: bool,
    further: &mut Vec<PathBuf>,
) -> Option<Origin> {
    let written = facts.written.services.get(service)?;
    let resolved = facts.project.services.get(service).and_then(|found| found.environment.get(variable));
    if let Some(text) = written.environment.get(variable) {
        if let Some(name) = only_variable(text)
            && let Some(file) = holding(&facts.environment, name)
        {
            return Some(Origin::Variable(name.to_owned(), file));
        }
        if secret {
            return Some(Origin::Hidden);
        }
        return match resolved {
            Some(VariableModel::Plain(value)) => Some(Origin::Literal(value.clone())),
            _ => None,
        };
    }
    if let Some(path) = written.environment.get(&format!("{variable}_FILE")) {
        let name = path.rsplit('/').next().unwrap_or_default();
        if let Some(file) = facts.written.secrets.get(name) {
            return Some(Origin::File(file.clone()));
        }
    }
    // What the service's own env files bring. A file that Compose itself does not read has to be named for it.
    for path in written.env_files.iter().rev() {
        let Ok(file) = eclusa_config::EnvironmentFile::load(path) else { continue };
        if file.get(variable).is_some() {
            if !facts.env_files.value.contains(path) && !further.contains(path) {
                further.push(path.clone());
            }
            return Some(Origin::Variable(variable.to_owned(), path.clone()));
        }
    }
    None
}

/// The env file whose value of a variable counts.
fn holding(environment: &EnvironmentFiles, name: &str) -> Option<PathBuf> {
    environment.files().iter().rev().find(|file| file.get(name).is_some()).map(|file| file.path.clone())
}

/// The host that the application connects to.
fn app_host(facts: &Facts, hints: &DatabaseHints) -> Option<String> {
    let web = facts.web()?;
    let written = facts.written.services.get(web)?;
    let url = hints.url_variable.as_deref().unwrap_or("DATABASE_URL");
    if let Some(found) = written.environment.get(url).and_then(|url| database_url(url)) {
        return Some(found.host);
    }
    let names = hints.host_variable.iter().map(String::as_str).chain([
        "POSTGRES_HOST",
        "DB_HOST",
        "DATABASE_HOST",
        "PGHOST",
    ]);
    let environment = &facts.project.services.get(web)?.environment;
    names.into_iter().find_map(|name| match environment.get(name) {
        Some(VariableModel::Plain(host)) => Some(host.clone()),
        _ => None,
    })
}

/// The file of the host behind an SQLite database.
fn sqlite(facts: &Facts, hints: &DatabaseHints) -> Guess<String> {
    let inside = hints.path.clone().unwrap_or_else(|| "/app/db.sqlite3".to_owned());
    let mounts = facts
        .web()
        .and_then(|web| facts.project.services.get(web))
        .map(|web| web.mounts.as_slice())
        .unwrap_or_default();
    let fitting = mounts.iter().filter(|mount| Path::new(&inside).starts_with(&mount.target));
    let best = fitting.max_by_key(|mount| mount.target.len());
    let rest =
        |target: &str| inside.get(target.len()..).unwrap_or_default().trim_start_matches('/').to_owned();
    match best {
        Some(mount) if mount.kind == "bind" => {
            let path = Path::new(&mount.source).join(rest(&mount.target));
            Guess::found(facts.shown(&path), why("sqlite-bind").with("path", &inside))
        }
        Some(mount) => {
            let volume =
                facts.project.volumes.get(&mount.source).cloned().unwrap_or_else(|| mount.source.clone());
            let path = format!("/var/lib/docker/volumes/{volume}/_data/{}", rest(&mount.target));
            Guess::check(path, why("sqlite-volume").with("path", &inside).with("volume", volume))
        }
        None => Guess::check(
            rest("/").rsplit('/').next().unwrap_or("db.sqlite3").to_owned(),
            why("sqlite-nowhere").with("path", &inside),
        ),
    }
}

impl DatabaseFound {
    /// The word of the configuration.
    pub(crate) fn engine(&self) -> String {
        text(match self {
            Self::Postgresql { .. } => "postgresql",
            Self::Mariadb { .. } => "mariadb",
            Self::Sqlite { .. } => "sqlite",
        })
    }
}
