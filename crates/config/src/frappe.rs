//! The tenants of a Frappe stack: one for each site that was found on its bench.

use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{DatabasePlace, FilesPlace, ServiceName, Tenant, TenantName};

use crate::environment::EnvironmentFiles;
use crate::model::{FrappeTable, Stack};

/// A site as it was found on a bench.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its directory's name, which is the site's.
    pub name: TenantName,
    /// Its database.
    pub database: String,
    /// Further host names that it answers to.
    pub domains: Vec<String>,
}

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
        let service =
            self.database_service(table).ok_or_else(|| internal("a database without its service"))?;
        let web =
            self.migrate_service().cloned().ok_or_else(|| internal("a Frappe stack without services.web"))?;
        let user = self.mariadb_user(table, environment)?;
        let password = table.password_reference();
        let bench = self.bench();
        sites
            .iter()
            .map(|site| {
                Ok(Tenant {
                    name: site.name.clone(),
                    domains: self.domains_of(site),
                    database: DatabasePlace::Mariadb {
                        service: service.clone(),
                        host: table.host.clone(),
                        port: table.port,
                        name: site.database.clone(),
                        user: user.clone(),
                        password: password.clone(),
                    },
                    files: site_files(&bench, &web, &site.name),
                    configuration: self.configuration_paths()?,
                    service_configuration: site_configuration(&bench, &web, &site.name),
                })
            })
            .collect()
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
