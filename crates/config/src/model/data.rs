//! Where a tenant's data is.

use std::path::PathBuf;

use eclusa_model::{DatabaseEngine, ServiceName};
use serde::Deserialize;

use super::{Keep, SecretReference, TenantSchedule, Value};

/// `[stacks.NAME.database]` or `[stacks.NAME.tenants.TENANT.database]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The engine.
    pub engine: DatabaseEngine,
    /// PostgreSQL, MariaDB: the service whose container holds the server; absent: `services.database`.
    pub service: Option<ServiceName>,
    /// MariaDB: the host of a server that is no service of the stack. `service` has its client programs then.
    pub host: Option<String>,
    /// MariaDB: the port of that server.
    pub port: Option<u16>,
    /// PostgreSQL, MariaDB: the database's name.
    pub name: Option<Value>,
    /// PostgreSQL: the user that owns it and may create databases. MariaDB: an account that may do so and end
    /// connections; absent: `root`.
    pub user: Option<Value>,
    /// PostgreSQL, MariaDB: a reference to the password; absent where the server trusts its own container.
    pub password: Option<SecretReference>,
    /// SQLite: the file; relative to `eclusa.toml`.
    pub path: Option<PathBuf>,
    /// Frappe: servers that sites name in their own configuration, beside the one of all others.
    #[serde(default)]
    pub servers: Vec<DatabaseServer>,
}

/// `[[stacks.NAME.database.servers]]`: a server that the `site_config.json` of some sites names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseServer {
    /// As `site_config.json` names it.
    pub db_host: String,
    /// The port that stands there; absent: 3306.
    pub db_port: Option<u16>,
    /// The service whose container holds the server, or has its client programs; absent: `services.database`.
    pub service: Option<ServiceName>,
    /// The host of a server that is no service of the stack, as `service` reaches it.
    pub host: Option<String>,
    /// The port of that server.
    pub port: Option<u16>,
    /// An account that may create databases and end connections; absent: `root`.
    pub user: Option<Value>,
    /// A reference to the password; absent where the server trusts its own container.
    pub password: Option<SecretReference>,
}

impl Database {
    /// The reference to the password, as a tenant has it.
    pub(crate) fn password_reference(&self) -> Option<String> {
        self.password.as_ref().map(|reference| reference.as_str().to_owned())
    }
}

/// `[stacks.NAME.base_backups.SERVICE]`: where base backups of a server of PostgreSQL lie, and its archived log, as the
/// service sees them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseBackups {
    /// The directory of the base backups, which belongs to the server's user. It must be there; it is never made.
    pub directory: String,
    /// The directory into which the server's `archive_command` copies.
    pub wal: String,
    /// How many base backups are kept, with the log since the oldest of them; absent: all.
    pub keep: Option<std::num::NonZeroUsize>,
}

/// `[[stacks.NAME.files]]`: a set of files of a tenant, in a service or in a directory of the host.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSet {
    /// What it is called in a restore point.
    pub name: String,
    /// A service that mounts it; with `path`.
    pub service: Option<ServiceName>,
    /// The absolute path inside the service.
    pub path: Option<String>,
    /// A directory of the host, instead of `service` and `path`; relative to `eclusa.toml`.
    pub directory: Option<PathBuf>,
}

/// `[stacks.NAME.tenants.TENANT]`: one client's site.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantTable {
    /// The host names it answers to.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Its database; every tenant has one of its own.
    pub database: Option<Database>,
    /// Its files.
    #[serde(default)]
    pub files: Vec<FileSet>,
    /// Configuration files that go into its restore points, besides those of the stack.
    #[serde(default)]
    pub configuration: Vec<PathBuf>,
    /// Which of its restore points are kept, instead of what holds for the stack.
    pub keep: Option<Keep>,
    /// When its backups are taken, where that is otherwise than for the stack.
    pub schedule: Option<TenantSchedule>,
}
