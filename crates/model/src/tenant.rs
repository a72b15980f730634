//! Tenants, and the kinds of things that a stack is made of.

use serde::{Deserialize, Serialize};

use crate::{ServiceName, TenantName};

/// What runs the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuntimeKind {
    /// Docker Compose v2.
    Compose,
    /// Processes that Eclusa supervises itself.
    Process,
    /// Programs of a supervisor on the host.
    Supervisor,
}

/// What is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppKind {
    /// A Django project.
    Django,
    /// Sites of a bench: ERPNext and everything else on Frappe.
    Frappe,
    /// Anything whose commands stand in the configuration.
    Generic,
}

/// Whether clients' books are in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Environment {
    /// Real data: demo data is refused. The default, so that forgetting it is safe.
    #[default]
    Production,
    /// For trying things out.
    Staging,
}

/// What a service does, as far as a release must know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceRole {
    /// What the public reaches: nginx, Traefik, or the web server itself.
    Frontend,
    /// Runs the application's code for requests.
    Web,
    /// Runs the application's jobs.
    Worker,
    /// Starts jobs by the clock.
    Scheduler,
    /// Holds the data.
    Database,
    /// Holds what can be lost or queued: Redis, memcached.
    Cache,
    /// Eclusa's own gate.
    Edge,
    /// Anything else; left alone.
    Other,
}

/// A database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatabaseEngine {
    /// PostgreSQL.
    Postgresql,
    /// MariaDB.
    Mariadb,
    /// SQLite.
    Sqlite,
}

impl DatabaseEngine {
    /// The port on which its servers listen unless they are told another one; none where there is no server.
    #[must_use]
    pub fn port(self) -> Option<u16> {
        match self {
            Self::Postgresql => Some(5432),
            Self::Mariadb => Some(3306),
            Self::Sqlite => None,
        }
    }
}

/// Where a tenant's database is. Secrets are references (`env:`, `file:`), resolved at the edge.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "engine", rename_all = "kebab-case")]
pub enum DatabasePlace {
    /// A database of a PostgreSQL server that is a service of the stack; its own tools run inside the service.
    Postgresql {
        /// The service whose container holds the server and its tools.
        service: ServiceName,
        /// The database's name.
        name: String,
        /// The user that owns it and may create databases.
        user: String,
        /// A reference to the password; none where the server trusts its own container.
        password: Option<String>,
    },
    /// A database of a MariaDB server; its own tools run inside a service of the stack, mostly the server's.
    Mariadb {
        /// The service whose container holds the tools, and the server where no host is named.
        service: ServiceName,
        /// The host of a server that is no service of the stack, as the service reaches it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// The port of that server.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        /// The database's name.
        name: String,
        /// An account that may create databases and end connections.
        user: String,
        /// A reference to the password; none where the server trusts its own container.
        password: Option<String>,
    },
    /// A SQLite file on the host.
    Sqlite {
        /// The absolute path of the file.
        path: String,
    },
}

impl DatabasePlace {
    /// The engine.
    #[must_use]
    pub fn engine(&self) -> DatabaseEngine {
        match self {
            Self::Postgresql { .. } => DatabaseEngine::Postgresql,
            Self::Mariadb { .. } => DatabaseEngine::Mariadb,
            Self::Sqlite { .. } => DatabaseEngine::Sqlite,
        }
    }
}

/// Where a tenant's files are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "in", rename_all = "kebab-case")]
pub enum FilesPlace {
    /// A directory of the host.
    Directory {
        /// What the set is called in a restore point: `media`.
        name: String,
        /// The absolute path.
        path: String,
    },
    /// A directory inside a service (a volume mounted there).
    Service {
        /// What the set is called in a restore point: `media`.
        name: String,
        /// A service that mounts it.
        service: ServiceName,
        /// The path inside the service.
        path: String,
    },
}

impl FilesPlace {
    /// What the set is called in a restore point.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Directory { name, .. } | Self::Service { name, .. } => name,
        }
    }
}

/// One client's site.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tenant {
    /// Its name.
    pub name: TenantName,
    /// The host names it answers to.
    pub domains: Vec<String>,
    /// Its database.
    pub database: DatabasePlace,
    /// Its sets of files.
    pub files: Vec<FilesPlace>,
    /// Configuration files on the host that belong in its restore points (an env file).
    pub configuration: Vec<String>,
    /// Configuration files inside services that belong in its restore points (a site's `site_config.json`). Each is
    /// called by its own file name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_configuration: Vec<FilesPlace>,
}
