//! What is compared with what: a tenant as it is, as it was, a file, or the fixtures of an app.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use eclusa_apps::customizations::{Customizations, Difference, FixtureProblem, read_fixtures};
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::TenantName;
use eclusa_ports::NoOutput;
use eclusa_runbook::{Exec, Expect, Place};

use super::{read, store};
use crate::Assembly;
use crate::execute::spec_of;

/// The most that is read of one file of fixtures, in bytes.
const MOST: u64 = 64 * 1024 * 1024;
/// How long reading one file out of a service may take.
const WITHIN: Duration = Duration::from_secs(60);

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// A tenant as it is now.
    Live(TenantName),
    /// A tenant as it was when what is kept was taken.
    Kept(TenantName, String),
    /// A file that `export` wrote.
    File(PathBuf),
    /// A directory with fixtures.
    Directory(PathBuf),
    /// The fixtures of an app, as they lie in the service that commands run in.
    App(String),
}

impl Side {
    /// Reads what a person wrote: `TENANT`, `TENANT@TIME`, `app:NAME`, or a path, which has a `/` in it.
    ///
    /// # Errors
    /// `ConfigInvalid`.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |problem: String| {
            Fault::new(Code::ConfigInvalid)
                .with("path", text)
                .with("problem", problem)
                .hint(Message::new("hint-customizations"))
        };
        if let Some(app) = text.strip_prefix("app:") {
            let is_name = !app.is_empty()
                && !app.starts_with('-')
                && app.chars().all(|character| character.is_ascii_alphanumeric() || "_-".contains(character));
            return if is_name {
                Ok(Self::App(app.to_owned()))
            } else {
                Err(invalid("this is no name of an app".to_owned()))
            };
        }
        if text.contains('/') {
            let path = PathBuf::from(text);
            return Ok(if path.is_dir() { Self::Directory(path) } else { Self::File(path) });
        }
        let tenant = |name: &str| TenantName::new(name).map_err(|error| invalid(error.to_string()));
        match text.split_once('@') {
            Some((name, when)) => Ok(Self::Kept(tenant(name)?, when.to_owned())),
            None => Ok(Self::Live(tenant(text)?)),
        }
    }

    fn is_fixtures(&self) -> bool {
        matches!(self, Self::Directory(_) | Self::App(_))
    }
}

/// What a comparison came to.
#[derive(Debug, Clone)]
pub struct Compared {
    /// What differs.
    pub difference: Difference,
    /// The DocTypes that were compared, where fixtures name only some.
    pub only: Option<BTreeSet<String>>,
    /// What of the fixtures could not be compared, by file.
    pub problems: Vec<(String, FixtureProblem)>,
}

/// Compares two sides. Of fixtures and a site, only the DocTypes are compared that the fixtures hold.
///
/// # Errors
/// Those of reading either side; `ConfigInvalid` when both are fixtures.
pub async fn compare(assembly: &Assembly, first: &Side, second: &Side) -> Result<Compared> {
    if first.is_fixtures() && second.is_fixtures() {
        let problem = "fixtures are compared with a tenant or with what was exported of one";
        return Err(Fault::new(Code::ConfigInvalid)
            .with("path", "diff")
            .with("problem", problem)
            .hint(Message::new("hint-customizations")));
    }
    if first.is_fixtures() {
        let mut site = customizations(assembly, second).await?;
        let (fixtures, only, problems) = read_fixtures(&files(assembly, first).await?, &site);
        site.documents.retain(|doctype, _| only.contains(doctype));
        let difference = Difference::between(&fixtures, &site);
        return Ok(Compared { difference, only: Some(only), problems });
    }
    let mut site = customizations(assembly, first).await?;
    if second.is_fixtures() {
        let (fixtures, only, problems) = read_fixtures(&files(assembly, second).await?, &site);
        site.documents.retain(|doctype, _| only.contains(doctype));
        let difference = Difference::between(&site, &fixtures);
        return Ok(Compared { difference, only: Some(only), problems });
    }
    let other = customizations(assembly, second).await?;
    Ok(Compared { difference: Difference::between(&site, &other), only: None, problems: Vec::new() })
}

async fn customizations(assembly: &Assembly, side: &Side) -> Result<Customizations> {
    match side {
        Side::Live(tenant) => read(assembly, tenant).await,
        Side::Kept(tenant, when) => {
            assembly.tenant(tenant)?;
            store(assembly).at(tenant, when).await
        }
        Side::File(path) => store(assembly).open(path).await,
        Side::Directory(_) | Side::App(_) => {
            Err(Fault::new(Code::Internal).with("what", "fixtures as a tenant's customizations"))
        }
    }
}

/// The files of fixtures, by name.
async fn files(assembly: &Assembly, side: &Side) -> Result<BTreeMap<String, Vec<u8>>> {
    match side {
        Side::Directory(path) => directory(assembly, path).await,
        Side::App(app) => app_files(assembly, app).await,
        _ => Ok(BTreeMap::new()),
    }
}

async fn directory(assembly: &Assembly, path: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let fault = |error: std::io::Error| {
        Fault::new(Code::FileAccess).with("path", path.display()).with("operation", "read").because(error)
    };
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(path).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".json") {
            files.insert(name, assembly.ports.host.read(&entry.path(), MOST).await?);
        }
    }
    Ok(files)
}

async fn app_files(assembly: &Assembly, app: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let service = assembly
        .app
        .command_service(&assembly.stack)
        .ok_or_else(|| Fault::new(Code::ServiceMissing).with("service", "web").with("known", "none"))?;
    let directory = format!("apps/{app}/{app}/fixtures");
    let run = |argv: Vec<String>| {
        let exec = Exec {
            place: Place::Service { service: service.clone() },
            argv,
            environment: BTreeMap::new(),
            directory: Some(assembly.stack.bench().bench),
            expect: Expect::default(),
            stdin: None,
            unblock: None,
        };
        assembly.ports.runtime.exec(spec_of(exec, WITHIN), &NoOutput)
    };
    let unreadable = |cause: String| {
        Fault::new(Code::FileAccess)
            .with("path", format!("{directory} in {service}"))
            .with("operation", "read")
            .because(cause)
    };
    let list = ["find", &directory, "-maxdepth", "1", "-type", "f", "-name", "*.json"].map(String::from);
    let found = run(list.to_vec()).await?;
    if found.code != 0 || found.truncated {
        return Err(unreadable(found.last_line().unwrap_or_default().to_owned()));
    }
    let mut files = BTreeMap::new();
    for path in found.stdout.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let read = run(vec!["cat".to_owned(), path.to_owned()]).await?;
        if read.code != 0 || read.truncated {
            return Err(unreadable(format!("{path} could not be read whole")));
        }
        let name = path.rsplit('/').next().unwrap_or(path).to_owned();
        files.insert(name, read.stdout.into_bytes());
    }
    Ok(files)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_seen_by_how_it_is_written() {
        let tenant = |name: &str| TenantName::new(name).unwrap();
        assert_eq!(Side::parse("a.example.org").unwrap(), Side::Live(tenant("a.example.org")));
        let kept = Side::Kept(tenant("a.example.org"), "2026-11-25".to_owned());
        assert_eq!(Side::parse("a.example.org@2026-11-25").unwrap(), kept);
        assert_eq!(Side::parse("app:erpnext").unwrap(), Side::App("erpnext".to_owned()));
        assert_eq!(Side::parse("./kept.json").unwrap(), Side::File("./kept.json".into()));
        assert_eq!(Side::parse("/").unwrap(), Side::Directory("/".into()));
        for refused in ["app:", "app:../x", "app:-C", "a b", "app:x/../../y"] {
            assert!(
                Side::parse(refused).is_err() || !matches!(Side::parse(refused), Ok(Side::App(_))),
                "{refused}"
            );
        }
    }
}
