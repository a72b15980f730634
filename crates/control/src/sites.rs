//! The sites of a bench, found where they lie. Their configuration is read as files, so that a site is known also while
//! nothing of the stack runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eclusa_apps::{CommonConfig, SiteConfig, parse_common_config, parse_site_config};
use eclusa_config::{Site, SiteServer, Stack};
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
    /// The servers of those whose databases are not where those of the others are.
    pub servers: BTreeMap<TenantName, SiteServer>,
    /// Those that cannot, by the name of their directory, with why.
    pub unusable: BTreeMap<String, String>,
    /// The queues that the bench has besides the usual ones.
    pub queues: Vec<String>,
}

impl Sites {
    /// The sites as a configuration makes tenants of them.
    #[must_use]
    pub fn found(&self) -> Vec<Site> {
        let site = |(name, config): (&TenantName, &SiteConfig)| Site {
            name: name.clone(),
            database: config.database.clone(),
            server: self.servers.get(name).cloned(),
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
    let common = common(host, &directory).await;
    let mut found = Sites { queues: common.queues.clone(), ..Sites::default() };
    for name in directories(host, &directory).await? {
        match read(host, &directory.join(&name), &name).await {
            Ok((tenant, config)) => match server(stack, &common, &config) {
                Ok(server) => {
                    found.servers.extend(server.map(|server| (tenant.clone(), server)));
                    found.sites.insert(tenant, config);
                }
                Err(problem) => {
                    found.unusable.insert(name, problem);
                }
            },
            Err(problem) => {
                found.unusable.insert(name, problem);
            }
        }
    }
    refuse_shared(&mut found);
    Ok(found)
}

/// What all sites share. A bench whose file cannot be read is not refused for it: its sites can still be backed up, from
/// the server that the configuration of the stack names.
async fn common(host: &dyn Host, directory: &Path) -> CommonConfig {
    let path = directory.join("common_site_config.json");
    let Ok(bytes) = host.read(&path, MOST).await else { return CommonConfig::default() };
    let text = String::from_utf8(bytes).unwrap_or_default();
    parse_common_config(&text).unwrap_or_else(|problem| {
        tracing::warn!(path = %path.display(), problem);
        CommonConfig::default()
    })
}

/// The server of a site's database, where it is not that of all others. The same name on another server may be that of a
/// database that is there from earlier times: it must never be taken for the site's.
fn server(
    stack: &Stack,
    common: &CommonConfig,
    site: &SiteConfig,
) -> std::result::Result<Option<SiteServer>, String> {
    if site.database_host.is_none() && site.database_port.is_none() {
        return Ok(None);
    }
    // What Frappe takes when no host is named.
    let host = |own: Option<&String>| own.or(common.database_host.as_ref()).cloned();
    let named = |own: Option<&String>, port: Option<u16>| {
        SiteServer::new(&host(own).unwrap_or_else(|| "127.0.0.1".to_owned()), port.or(common.database_port))
    };
    let own = named(site.database_host.as_ref(), site.database_port);
    if own == named(None, None) {
        return Ok(None);
    }
    match stack.named_server(&own) {
        Ok(found) => Ok(found.map(|_| own)),
        Err(_) => Err(format!(
            "its database is on a server of its own, {own} (db_host in its site_config.json), which no \
             [[database.servers]] of this stack names"
        )),
    }
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
    let mut owners: BTreeMap<_, Vec<TenantName>> = BTreeMap::new();
    for (name, config) in &found.sites {
        let server = found.servers.get(name).cloned();
        owners.entry((server, config.database.clone())).or_default().push(name.clone());
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use eclusa_config::Configuration;

    use super::*;

    fn stack(database: &str) -> Stack {
        let text = format!(
            "version = 1\n[stacks.erp]\napp = \"frappe\"\nruntime = \"compose\"\n[stacks.erp.compose]\nfiles = [\"c.yml\"]\n\
             [stacks.erp.services]\nfrontend = \"frontend\"\nweb = [\"backend\"]\ndatabase = \"db\"\ncaches = [\"redis\"]\n\
             [stacks.erp.frappe]\ncache = \"redis\"\n[stacks.erp.release]\nsource = \"image\"\nvariable = \"V\"\n\
             env_file = \".env\"\n[stacks.erp.database]\nengine = \"mariadb\"\n{database}"
        );
        Configuration::parse(&text, Path::new("/x.toml")).unwrap().stack(None).unwrap().1.clone()
    }

    /// The server of a site with this configuration, where the bench has that one.
    fn of(stack: &Stack, common: &str, site: &str) -> std::result::Result<Option<String>, String> {
        let site = parse_site_config(&format!("{{\"db_name\": \"_1\"{site}}}")).unwrap();
        let found = server(stack, &parse_common_config(common).unwrap(), &site);
        found.map(|server| server.map(|server| server.to_string()))
    }

    #[test]
    fn a_site_is_where_it_says_or_cannot_be_used() {
        let (plain, common) = (stack(""), r#"{"db_host": "db", "db_port": 3306}"#);
        assert_eq!(of(&plain, common, ""), Ok(None));
        assert_eq!(of(&plain, common, r#", "db_host": "db""#), Ok(None));
        // Without a word of the bench, it is the service of the stack.
        assert_eq!(of(&plain, "{}", r#", "db_host": "DB""#), Ok(None));
        for other in [r#", "db_host": "db2""#, r#", "db_port": 3307"#, r#", "db_host": "localhost""#] {
            let problem = of(&plain, common, other).unwrap_err();
            assert!(problem.contains("a server of its own") && problem.contains("db_host"), "{problem}");
        }
        let two = stack(
            "[[stacks.erp.database.servers]]\ndb_host = \"db2\"\nservice = \"db2\"\n\
             [[stacks.erp.database.servers]]\ndb_host = \"db2\"\ndb_port = 3307\nhost = \"10.0.0.2\"\nport = 13307\n",
        );
        assert_eq!(of(&two, common, r#", "db_host": "db2""#), Ok(Some("db2:3306".to_owned())));
        assert_eq!(
            of(&two, common, r#", "db_host": "db2", "db_port": 3307"#),
            Ok(Some("db2:3307".to_owned()))
        );
        assert!(of(&two, common, r#", "db_host": "db3""#).is_err());
    }

    #[test]
    fn one_name_on_two_servers_is_two_databases() {
        let text =
            "[[stacks.erp.database.servers]]\ndb_host = \"db2\"\nservice = \"db2\"\nuser = \"admin\"\n";
        let stack = stack(text);
        let config = parse_site_config(r#"{"db_name": "_1"}"#).unwrap();
        let names = ["a.example", "b.example"].map(|name| TenantName::new(name).unwrap());
        let mut found = Sites::default();
        found.sites.extend(names.clone().map(|name| (name, config.clone())));
        found.servers.insert(names[1].clone(), SiteServer::new("db2", None));
        refuse_shared(&mut found);
        assert!(found.unusable.is_empty(), "{:?}", found.unusable);
        let environment = stack.environment_files().unwrap_or_default();
        let tenants = stack.tenants_of_sites(&found.found(), &environment).unwrap();
        let shown: Vec<String> = tenants.iter().map(|tenant| format!("{:?}", tenant.database)).collect();
        assert!(shown[0].contains("\"db\"") && shown[0].contains("\"root\""), "{shown:?}");
        assert!(shown[1].contains("\"db2\"") && shown[1].contains("\"admin\""), "{shown:?}");
        found.servers.clear();
        refuse_shared(&mut found);
        assert_eq!(found.unusable.len(), 2);
    }
}
