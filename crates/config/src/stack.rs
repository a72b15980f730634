//! What is asked of a stack besides its keys: absolute paths, roles, tenants.

use std::path::{Path, PathBuf};

use eclusa_fault::{Code, Fault, Language, Message, Result};
use eclusa_model::{
    AppKind, DatabaseEngine, DatabasePlace, FilesPlace, ServiceName, ServiceRole, Tenant, TenantName,
};

use crate::environment::EnvironmentFiles;
use crate::model::{Check, CheckPlace, Database, FileSet, Stack, TenantTable, Value, ValueKind};
use crate::source::resolved;

/// Who may do everything on a MariaDB server as it is made.
const MARIADB_ADMINISTRATOR: &str = "root";

impl Stack {
    /// A path of the file made absolute.
    #[must_use]
    pub fn resolve(&self, path: &Path) -> PathBuf {
        resolved(&self.origin.directory, path)
    }

    /// What a service does, as far as the file says.
    #[must_use]
    pub fn role(&self, service: &ServiceName) -> ServiceRole {
        let roles = &self.services;
        if roles.web.contains(service) {
            ServiceRole::Web
        } else if roles.frontend.as_ref() == Some(service) {
            ServiceRole::Frontend
        } else if roles.workers.contains(service) {
            ServiceRole::Worker
        } else if roles.schedulers.contains(service) {
            ServiceRole::Scheduler
        } else if roles.database.as_ref() == Some(service) {
            ServiceRole::Database
        } else if roles.caches.contains(service) {
            ServiceRole::Cache
        } else {
            ServiceRole::Other
        }
    }

    /// The services that run the application's code: web, workers, schedulers.
    pub fn application_services(&self) -> impl Iterator<Item = &ServiceName> {
        let roles = &self.services;
        roles.web.iter().chain(&roles.workers).chain(&roles.schedulers)
    }

    /// The service in whose image migrations run; `None` only for a generic stack without `services.web`.
    #[must_use]
    pub fn migrate_service(&self) -> Option<&ServiceName> {
        self.services.migrate_in.as_ref().or(self.services.web.first())
    }

    /// What the public reaches: `services.frontend`, or else the first of `services.web`.
    #[must_use]
    pub fn frontend_service(&self) -> Option<&ServiceName> {
        self.services.frontend.as_ref().or(self.services.web.first())
    }

    /// The service that a check runs in; `None` for one on the host.
    #[must_use]
    pub fn check_service<'a>(&'a self, check: &'a Check) -> Option<&'a ServiceName> {
        match check.place {
            CheckPlace::Host => None,
            CheckPlace::Service | CheckPlace::Candidate => {
                check.service.as_ref().or(self.services.web.first())
            }
        }
    }

    /// Whether Eclusa starts and stops a service: of a bench under supervisor, only what is a program of supervisor's.
    #[must_use]
    pub fn starts(&self, service: &ServiceName) -> bool {
        let table = self.supervisor.as_ref();
        table.is_none_or(|table| table.services.get(service).is_some_and(|one| one.program.is_some()))
    }

    /// Whether a service runs once and ends: nobody starts it for its own sake, and nobody misses it.
    #[must_use]
    pub fn runs_once(&self, service: &ServiceName) -> bool {
        self.services.once.contains(service) || self.bench().configurator.as_ref() == Some(service)
    }

    /// Where a service of a bench under supervisor listens, as `HOST:PORT`.
    #[must_use]
    pub fn supervised_address(&self, service: &ServiceName) -> Option<&str> {
        self.supervisor.as_ref()?.services.get(service)?.address.as_deref()
    }

    /// The services whose logs are read.
    #[must_use]
    pub fn log_services(&self) -> Vec<ServiceName> {
        if self.logs.services.is_empty() {
            self.application_services().cloned().collect()
        } else {
            self.logs.services.clone()
        }
    }

    /// The port the public reaches, where the file says so: the edge's, or the frontend process's.
    #[must_use]
    pub fn public_port(&self) -> Option<u16> {
        let of_process = || {
            let services = &self.process.as_ref()?.services;
            let frontend = self.frontend_service().and_then(|name| services.get(name));
            frontend
                .and_then(|service| service.public_port)
                .or_else(|| services.values().find_map(|s| s.public_port))
        };
        self.edge.public_port.or_else(of_process)
    }

    /// Where restore points are kept, absolute.
    #[must_use]
    pub fn vault_directory(&self, state: &Path) -> PathBuf {
        match &self.vault.directory {
            Some(directory) => self.resolve(directory),
            None => state.join("vault").join(&self.origin.name),
        }
    }

    /// Where the keys of restore points are kept, absolute.
    #[must_use]
    pub fn key_directory(&self, state: &Path) -> PathBuf {
        match &self.vault.keys {
            Some(directory) => self.resolve(directory),
            None => state.join("keys").join(&self.origin.name),
        }
    }

    /// The absolute paths of the stack's env files, in the order in which later ones win. Where a Compose stack
    /// names none, Compose's own `.env` beside its first file is meant, if it is there.
    #[must_use]
    pub fn environment_paths(&self) -> Vec<PathBuf> {
        let compose = self.compose.iter().flat_map(|compose| &compose.env_files);
        let process = self.process.iter().flat_map(|process| &process.env_files);
        let named: Vec<PathBuf> = compose.chain(process).map(|path| self.resolve(path)).collect();
        if !named.is_empty() {
            return named;
        }
        let first = self.compose.as_ref().and_then(|compose| compose.files.first());
        let beside = first.map(|file| self.resolve(file).with_file_name(".env"));
        beside.into_iter().filter(|path| path.is_file()).collect()
    }

    /// The env file in which the variable of the release's image tag stands.
    #[must_use]
    pub fn release_env_file(&self) -> Option<PathBuf> {
        let last = || self.compose.as_ref().and_then(|compose| compose.env_files.last());
        self.release.env_file.as_ref().or_else(last).map(|path| self.resolve(path))
    }

    /// Reads the stack's env files.
    ///
    /// # Errors
    /// `ConfigUnreadable` or `ConfigInvalid`, naming the file.
    pub fn environment_files(&self) -> Result<EnvironmentFiles> {
        EnvironmentFiles::load(&self.environment_paths())
    }

    /// The tenants in the order of their names, with absolute paths, and with the names of databases and users
    /// read from where the file says they stand. Passwords stay references.
    ///
    /// # Errors
    /// `SecretMissing` for a reference that leads nowhere.
    pub fn tenants(&self, environment: &EnvironmentFiles) -> Result<Vec<Tenant>> {
        if self.app == AppKind::Frappe {
            // They are found on the bench: `tenants_of_sites`.
            return Ok(Vec::new());
        }
        if self.tenants.is_empty() {
            let only = TenantTable {
                keep: None,
                schedule: None,
                domains: self.domains.clone(),
                database: self.database.clone(),
                files: self.files.clone(),
                configuration: Vec::new(),
            };
            let name = TenantName::new(self.origin.name.as_str())
                .map_err(|error| Fault::new(Code::Internal).with("what", error))?;
            return Ok(vec![self.tenant(&name, &only, environment)?]);
        }
        self.tenants.iter().map(|(name, table)| self.tenant(name, table, environment)).collect()
    }

    fn tenant(
        &self,
        name: &TenantName,
        table: &TenantTable,
        environment: &EnvironmentFiles,
    ) -> Result<Tenant> {
        // A checked configuration has one for each tenant.
        let database = table.database.as_ref().ok_or_else(|| {
            Fault::new(Code::Internal).with("what", format!("tenant {name} without a database"))
        })?;
        let mut configuration = Vec::new();
        for path in self.configuration.iter().chain(&table.configuration) {
            let path = self.text_path(path)?;
            if !configuration.contains(&path) {
                configuration.push(path);
            }
        }
        Ok(Tenant {
            name: name.clone(),
            domains: table.domains.clone(),
            database: self.database_place(database, environment)?,
            files: table.files.iter().map(|set| self.files_place(set)).collect::<Result<_>>()?,
            configuration,
            service_configuration: Vec::new(),
        })
    }

    /// The configuration files of the stack that go into every tenant's restore points, absolute.
    pub(crate) fn configuration_paths(&self) -> Result<Vec<String>> {
        self.configuration.iter().map(|path| self.text_path(path)).collect()
    }

    fn database_place(&self, database: &Database, environment: &EnvironmentFiles) -> Result<DatabasePlace> {
        let absent = |key: &str| Fault::new(Code::Internal).with("what", format!("a database without {key}"));
        match database.engine {
            DatabaseEngine::Postgresql => Ok(DatabasePlace::Postgresql {
                service: self.database_service(database).ok_or_else(|| absent("service"))?,
                name: self.plain_value(database.name.as_ref().ok_or_else(|| absent("name"))?, environment)?,
                user: self.plain_value(database.user.as_ref().ok_or_else(|| absent("user"))?, environment)?,
                password: database.password_reference(),
            }),
            DatabaseEngine::Mariadb => Ok(DatabasePlace::Mariadb {
                service: self.database_service(database).ok_or_else(|| absent("service"))?,
                host: database.host.clone(),
                port: database.port,
                name: self.plain_value(database.name.as_ref().ok_or_else(|| absent("name"))?, environment)?,
                user: self.mariadb_user(database.user.as_ref(), environment)?,
                password: database.password_reference(),
            }),
            DatabaseEngine::Sqlite => {
                let path = database.path.as_ref().ok_or_else(|| absent("path"))?;
                Ok(DatabasePlace::Sqlite { path: self.text_path(path)? })
            }
        }
    }

    /// The service whose container holds a database's server.
    pub(crate) fn database_service(&self, database: &Database) -> Option<ServiceName> {
        database.service.clone().or_else(|| self.services.database.clone())
    }

    /// The account by which a MariaDB server is worked with.
    pub(crate) fn mariadb_user(
        &self,
        user: Option<&Value>,
        environment: &EnvironmentFiles,
    ) -> Result<String> {
        match user {
            Some(user) => self.plain_value(user, environment),
            None => Ok(MARIADB_ADMINISTRATOR.to_owned()),
        }
    }

    /// A value that is no secret, wherever it stands.
    ///
    /// # Errors
    /// `SecretMissing` for a reference that leads nowhere, or to nothing.
    pub fn plain_value(&self, value: &Value, environment: &EnvironmentFiles) -> Result<String> {
        let missing = |problem: Message| {
            Fault::new(Code::SecretMissing)
                .with("reference", value.as_str())
                .with("problem", problem.render(&Language::default()))
        };
        match value.kind() {
            ValueKind::Literal(text) => Ok(text.to_owned()),
            ValueKind::Environment(name) => environment
                .get(name)
                .filter(|text| !text.is_empty())
                .ok_or_else(|| missing(environment.absence(name))),
            ValueKind::File(path) => {
                let path = self.resolve(Path::new(path));
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| missing(Message::new("config-reference-file")).because(error))?;
                Ok(text.trim_end_matches(['\n', '\r']).to_owned())
            }
        }
    }

    fn files_place(&self, set: &FileSet) -> Result<FilesPlace> {
        match (&set.directory, &set.service, &set.path) {
            (Some(directory), None, None) => {
                Ok(FilesPlace::Directory { name: set.name.clone(), path: self.text_path(directory)? })
            }
            (None, Some(service), Some(path)) => Ok(FilesPlace::Service {
                name: set.name.clone(),
                service: service.clone(),
                path: path.clone(),
            }),
            _ => Err(Fault::new(Code::Internal).with("what", format!("files {} that are nowhere", set.name))),
        }
    }

    /// An absolute path as text: plans and journals hold text only.
    fn text_path(&self, path: &Path) -> Result<String> {
        let path = self.resolve(path);
        path.to_str().map(str::to_owned).ok_or_else(|| {
            let operation = Message::new("config-path-utf8").render(&Language::default());
            Fault::new(Code::FileAccess).with("path", path.display()).with("operation", operation)
        })
    }
}
