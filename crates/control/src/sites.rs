//! The sites of a bench, found where they lie. Their configuration is read as files, so that a site is known also while
//! nothing of the stack runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eclusa_apps::{SiteConfig, parse_site_config};
use eclusa_config::{Site, Stack};
use eclusa_fault::{Code, Fault, Result};
use eclusa_model::{FilesPlace, TenantName};
use eclusa_ports::{CommandSpec, Host, NoOutput, Runtime};

/// The most that is read of a site's configuration, in bytes.
const MOST: u64 = 1024 * 1024;

/// What lies in the `sites` directory of a bench.
#[derive(Debug, Clone, Default)]
pub struct Sites {
    /// The sites that can be used, with what their configuration says.
    pub sites: BTreeMap<TenantName, SiteConfig>,
    /// Those that cannot, by the name of their directory, with why.
    pub unusable: BTreeMap<String, String>,
}

impl Sites {
    /// The sites as a configuration makes tenants of them.
    #[must_use]
    pub fn found(&self) -> Vec<Site> {
        let site = |(name, config): (&TenantName, &SiteConfig)| Site {
            name: name.clone(),
            database: config.database.clone(),
            domains: config.domains.clone(),
        };
        self.sites.iter().map(site).collect()
    }
}

/// Looks for the sites of a stack's bench.
///
/// # Errors
/// When the directory of the sites is not there or cannot be read.
pub(crate) async fn look(stack: &Stack, runtime: &dyn Runtime, host: &dyn Host) -> Result<Sites> {
    let service = stack
        .migrate_service()
        .cloned()
        .ok_or_else(|| Fault::new(Code::ServiceMissing).with("service", "web").with("known", "none"))?;
    let place = FilesPlace::Service { name: "sites".to_owned(), service, path: stack.bench().sites() };
    let directory = runtime.files_directory(&place).await?;
    let mut found = Sites::default();
    for name in directories(host, &directory).await? {
        match read(host, &directory.join(&name), &name).await {
            Ok((tenant, config)) => {
                found.sites.insert(tenant, config);
            }
            Err(problem) => {
                found.unusable.insert(name, problem);
            }
        }
    }
    refuse_shared(&mut found);
    Ok(found)
}

/// The names of the directories that hold a site, or did: what bench itself takes for one has a `site_config.json`, and
/// one without it but with a site's own directories was left by a command that failed.
async fn directories(host: &dyn Host, directory: &Path) -> Result<Vec<String>> {
    let text = directory.display().to_string();
    let mut argv = vec!["find".to_owned(), text.clone()];
    let tests = [
        "-mindepth",
        "2",
        "-maxdepth",
        "2",
        "(",
        "-name",
        "site_config.json",
        "-o",
        "-name",
        "private",
        "-o",
        "-name",
        "locks",
        ")",
        "-printf",
        "%h\\0",
    ];
    argv.extend(tests.map(String::from));
    let result = host.run(CommandSpec::new(argv, Duration::from_secs(60)), &NoOutput).await?;
    if result.code != 0 || result.truncated {
        return Err(Fault::new(Code::FileAccess)
            .with("path", text)
            .with("operation", "searched for sites")
            .because(result.last_line().unwrap_or_default()));
    }
    let name = |path: &str| Some(PathBuf::from(path).file_name()?.to_string_lossy().into_owned());
    let mut names: Vec<String> = result.stdout.split('\0').filter_map(name).collect();
    names.sort();
    names.dedup();
    Ok(names)
}

async fn read(
    host: &dyn Host,
    directory: &Path,
    name: &str,
) -> std::result::Result<(TenantName, SiteConfig), String> {
    let tenant = TenantName::new(name).map_err(|error| error.to_string())?;
    let path = directory.join("site_config.json");
    let bytes = host.read(&path, MOST).await.map_err(|fault| {
        let causes = fault.causes.join("; ");
        format!("site_config.json cannot be read ({causes})")
    })?;
    let text = String::from_utf8(bytes).map_err(|_| "site_config.json is no text".to_owned())?;
    let config = parse_site_config(&text)?;
    if !config.mariadb {
        return Err("its database is not MariaDB".to_owned());
    }
    Ok((tenant, config))
}

/// Two sites on one database: a restore of one would overwrite the other.
fn refuse_shared(found: &mut Sites) {
    let mut owners: BTreeMap<String, Vec<TenantName>> = BTreeMap::new();
    for (name, config) in &found.sites {
        owners.entry(config.database.clone()).or_default().push(name.clone());
    }
    for names in owners.into_values().filter(|names| names.len() > 1) {
        let listed: Vec<&str> = names.iter().map(TenantName::as_str).collect();
        let listed = listed.join(", ");
        for name in &names {
            found.sites.remove(name);
            found.unusable.insert(name.to_string(), format!("it shares its database: {listed}"));
        }
    }
}
