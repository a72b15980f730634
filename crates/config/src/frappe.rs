//! The tenants of a Frappe stack: one for each site that was found on its bench.

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{DatabasePlace, FilesPlace, ServiceName, Tenant, TenantName};

use crate::environment::EnvironmentFiles;
use crate::model::{Database, DatabaseServer, FrappeTable, Stack};

/// Where MariaDB listens when nothing else is said.
const PORT: u16 = 3306;

/// A database server as the configuration of a bench or a site names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SiteServer {
    /// `db_host`.
    pub host: String,
    /// `db_port`.
    pub port: u16,
}

impl SiteServer {
    /// The server that these two keys name. `localhost` is written as the address that Frappe makes of it.
    #[must_use]
    pub fn new(host: &str, port: Option<u16>) -> Self {
        let host = if host == "localhost" { "127.0.0.1" } else { host };
        Self { host: host.to_lowercase(), port: port.unwrap_or(PORT) }
    }
}

impl std::fmt::Display for SiteServer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.host, self.port)
    }
}

/// A site as it was found on a bench.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its directory's name, which is the site's.
    pub name: TenantName,
    /// Its database.
    pub database: String,
    /// The server that it names itself; absent: that of the bench.
    pub server: Option<SiteServer>,
    /// Further host names that it answers to.
    pub domains: Vec<String>,
}

/// No `[[database.servers]]` stands for a server that a site names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownServer;

impl Stack {
    /// The bench of a Frappe stack.
    #[must_use]
    pub fn bench(&self) -> FrappeTable {
        self.frappe.clone().unwrap_or_default()
    }

    /// The tenants that these sites are.
    ///
    /// # Errors
    /// `TenantUnknown` when the file names a tenant that is no site, `SecretMissing`.
    pub fn tenants_of_sites(&self, sites: &[Site], environment: &EnvironmentFiles) -> Result<Vec<Tenant>> {
        if let Some(unknown) = self.tenants.keys().find(|name| !sites.iter().any(|site| site.name == **name))
        {
            let known: Vec<&str> = sites.iter().map(|site| site.name.as_str()).collect();
            return Err(Fault::new(Code::TenantUnknown)
                .with("tenant", unknown)
                .with("known", known.join(", ")));
        }
        let internal = |what: &str| Fault::new(Code::Internal).with("what", what);
        let table = self.database.as_ref().ok_or_else(|| internal("a Frappe stack without a database"))?;
        let web =
            self.migrate_service().cloned().ok_or_else(|| internal("a Frappe stack without services.web"))?;
        let bench = self.bench();
        sites
            .iter()
            .map(|site| {
                Ok(Tenant {
                    name: site.name.clone(),
                    domains: self.domains_of(site),
                    database: self.database_of(site, table, environment)?,
                    files: site_files(&bench, &web, &site.name),
                    configuration: self.configuration_paths()?,
                    service_configuration: site_configuration(&bench, &web, &site.name),
                })
            })
            .collect()
    }

    /// Whether a server that a site names is the one of `[stacks.NAME.database]`.
    fn is_own_server(&self, table: &Database, server: &SiteServer) -> bool {
        let port = |port: Option<u16>| port.unwrap_or(PORT) == server.port;
        if let Some(host) = &table.host {
            return SiteServer::new(host, table.port) == *server;
        }
        let Some(service) = self.database_service(table) else { return false };
        match self.supervised_address(&service) {
            Some(address) => address.replace("localhost", "127.0.0.1") == server.to_string(),
            None => service.as_str() == server.host && port(table.port),
        }
    }

    /// How a server is reached that a site names itself: `None` when it is the one of all others.
    ///
    /// # Errors
    /// When no `[[database.servers]]` stands for it.
    pub fn named_server(
        &self,
        server: &SiteServer,
    ) -> std::result::Result<Option<&DatabaseServer>, UnknownServer> {
        let Some(table) = &self.database else { return Err(UnknownServer) };
        let is_it = |known: &&DatabaseServer| SiteServer::new(&known.db_host, known.db_port) == *server;
        match table.servers.iter().find(is_it) {
            Some(found) => Ok(Some(found)),
            None if self.is_own_server(table, server) => Ok(None),
            None => Err(UnknownServer),
        }
    }

    fn database_of(
        &self,
        site: &Site,
        table: &Database,
        environment: &EnvironmentFiles,
    ) -> Result<DatabasePlace> {
        let internal = |what: &str| Fault::new(Code::Internal).with("what", what);
        let named = match &site.server {
            Some(server) => self
                .named_server(server)
                .map_err(|_| internal("a site on a server that is not in the configuration"))?,
            None => None,
        };
        let stacks = self.database_service(table);
        let (service, host, port, user, password) = match named {
            Some(server) => (
                server.service.clone().or(stacks),
                &server.host,
                server.port,
                self.mariadb_user(server.user.as_ref(), environment)?,
                &server.password,
            ),
            None => {
                let user = self.mariadb_user(table.user.as_ref(), environment)?;
                (stacks, &table.host, table.port, user, &table.password)
            }
        };
        Ok(DatabasePlace::Mariadb {
            service: service.ok_or_else(|| internal("a database without its service"))?,
            host: host.clone(),
            port,
            name: site.database.clone(),
            user,
            password: password.as_ref().map(|reference| reference.as_str().to_owned()),
        })
    }

    /// What the file says that the site answers to, or its name and what its own configuration says.
    fn domains_of(&self, site: &Site) -> Vec<String> {
        let written = self.tenants.get(&site.name).map(|table| table.domains.clone()).unwrap_or_default();
        if !written.is_empty() {
            return written;
        }
        let mut domains = vec![site.name.to_string()];
        domains.extend(site.domains.iter().filter(|domain| **domain != site.name.as_str()).cloned());
        domains
    }
}

fn site_files(bench: &FrappeTable, service: &ServiceName, site: &TenantName) -> Vec<FilesPlace> {
    let place = |name: &str, inside: &str| FilesPlace::Service {
        name: name.to_owned(),
        service: service.clone(),
        path: format!("{}/{site}/{inside}", bench.sites()),
    };
    vec![place("public-files", "public/files"), place("private-files", "private/files")]
}

/// Without the site's `encryption_key` the passwords that its database holds cannot be read.
fn site_configuration(bench: &FrappeTable, service: &ServiceName, site: &TenantName) -> Vec<FilesPlace> {
    let place = |name: &str, path: String| FilesPlace::Service {
        name: name.to_owned(),
        service: service.clone(),
        path,
    };
    vec![
        place("site_config.json", format!("{}/{site}/site_config.json", bench.sites())),
        place("common_site_config.json", format!("{}/common_site_config.json", bench.sites())),
        place("apps.txt", format!("{}/apps.txt", bench.sites())),
    ]
}
