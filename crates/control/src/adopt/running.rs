//! What a running project says of itself: the engine's labels, and the answers of the application. Everything here
//! may be absent; nothing is changed by asking.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eclusa_ports::{CommandSpec, Host, NoOutput};
use reqwest::header::{CONTENT_TYPE, HOST, LOCATION};

/// How long the engine may take to list its containers.
const WITHIN: Duration = Duration::from_secs(15);

/// How long the application may take to answer a question.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The most of an answer that is read, in bytes.
const MOST: usize = 256 * 1024;

/// Where Portainer keeps the files of its stacks, as it says of them: inside its own container.
const PORTAINER: &str = "/data/compose/";

/// Whether a path is one that only Portainer's container knows: `/data/compose/7/docker-compose.yml`.
pub(crate) fn is_portainers(path: &Path) -> bool {
    path.starts_with(PORTAINER)
}

/// Where a file of Portainer's lies on this host, seen from another one of the same stack that does: behind the volume that
/// is `/data` in its container.
fn on_this_host(inside: &str, own: &Path) -> Option<PathBuf> {
    if !is_portainers(Path::new(inside)) {
        return None;
    }
    let own = own.to_str()?;
    let stack = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
    let volume = own.rfind("/compose/")?;
    let number = stack(own.get(volume + "/compose/".len()..)?);
    let rest = inside.strip_prefix(PORTAINER)?;
    (stack(rest) == number).then(|| PathBuf::from(format!("{}/compose/{rest}", &own[..volume])))
}

/// The containers of a project, by Compose's labels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Containers {
    /// Whether the engine answered.
    pub(crate) engine: bool,
    /// The projects that were made from the file; more than one when it was started under several names.
    pub(crate) projects: Vec<String>,
    /// The env files that they were started with.
    pub(crate) env_files: Vec<PathBuf>,
    /// Whether Portainer made them.
    pub(crate) portainer: bool,
    /// The state and health of each service, such as `Up 3 hours (healthy)`.
    pub(crate) services: BTreeMap<String, String>,
}

impl Containers {
    /// Whether anything of the project runs.
    pub(crate) fn run(&self) -> bool {
        self.services.values().any(|status| status.starts_with("Up"))
    }
}

/// Looks for containers that were made from a Compose file.
pub(crate) async fn containers(file: &Path, project: Option<&str>, host: &dyn Host) -> Containers {
    const LABELS: [&str; 4] = ["project", "service", "project.config_files", "project.environment_file"];
    let labels: Vec<String> =
        LABELS.iter().map(|label| format!("{{{{.Label \"com.docker.compose.{label}\"}}}}")).collect();
    let format = format!("{}\t{{{{.Status}}}}", labels.join("\t"));
    let argv = [
        "docker",
        "ps",
        "-a",
        "--no-trunc",
        "--filter",
        "label=com.docker.compose.project",
        "--format",
        &format,
    ];
    let Ok(result) = host.run(CommandSpec::new(argv, WITHIN), &NoOutput).await else {
        return Containers::default();
    };
    if result.code != 0 {
        return Containers::default();
    }
    let mut found = Containers { engine: true, ..Containers::default() };
    let own = file.display().to_string();
    for line in result.stdout.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [name, service, files, env_files, status] = fields.as_slice() else { continue };
        let portainers = |path: &str| on_this_host(path, file);
        let is_own = |path: &str| path == own || portainers(path).is_some_and(|path| path == file);
        if !files.split(',').any(is_own) || project.is_some_and(|project| project != *name) {
            continue;
        }
        found.portainer |= files.split(',').any(|path| portainers(path).is_some());
        if !found.projects.iter().any(|known| known == name) {
            found.projects.push((*name).to_owned());
        }
        let given = env_files.split(',').filter(|path| !path.is_empty());
        for path in given.map(|path| portainers(path).unwrap_or_else(|| PathBuf::from(path))) {
            if !found.env_files.contains(&path) {
                found.env_files.push(path);
            }
        }
        // A service with several containers is told by one that runs.
        let told = found.services.entry((*service).to_owned()).or_default();
        if !told.starts_with("Up") {
            (*status).clone_into(told);
        }
    }
    found
}

/// What the application answered to a GET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    /// Where it sent the asker instead.
    pub(crate) location: String,
    /// Its body as JSON, where it is that.
    pub(crate) json: Option<serde_json::Value>,
    pub(crate) body: String,
}

/// Asks a running application, as Eclusa's probes will: no redirect is followed, no cookie is kept.
pub(crate) struct Asker {
    client: reqwest::Client,
    base: String,
    domain: String,
}

impl Asker {
    /// An asker of the address that the frontend publishes.
    pub(crate) fn new(base: String, domain: String) -> Option<Self> {
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWER_WITHIN)
            .user_agent(concat!("eclusa/", env!("CARGO_PKG_VERSION")))
            .build()
            .ok()?;
        Some(Self { client, base, domain })
    }

    /// The answer to a GET of a path; none when nothing answers.
    pub(crate) async fn ask(&self, path: &str) -> Option<Answer> {
        let url = format!("{}{path}", self.base);
        let mut response = self.client.get(url).header(HOST, &self.domain).send().await.ok()?;
        let header = |name| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
        };
        let (content_type, location) = (header(CONTENT_TYPE), header(LOCATION));
        let status = response.status().as_u16();
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > MOST {
                break;
            }
        }
        Some(Answer {
            status,
            content_type,
            location,
            json: serde_json::from_slice(&body).ok(),
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_portainers_is_found_behind_its_volume() {
        let own = Path::new("/var/lib/docker/volumes/portainer_data/_data/compose/7/docker-compose.yml");
        let there = |inside: &str| on_this_host(inside, own).map(|path| path.display().to_string());
        let volume = "/var/lib/docker/volumes/portainer_data/_data";
        assert_eq!(there("/data/compose/7/docker-compose.yml").unwrap(), own.display().to_string());
        assert_eq!(there("/data/compose/7/stack.env").unwrap(), format!("{volume}/compose/7/stack.env"));
        assert_eq!(there("/data/compose/7/v2/a.yml").unwrap(), format!("{volume}/compose/7/v2/a.yml"));
        assert_eq!(there("/data/compose/8/docker-compose.yml"), None, "another stack");
        assert_eq!(there("/srv/erp/docker-compose.yml"), None);
        assert_eq!(
            on_this_host("/data/compose/7/docker-compose.yml", Path::new("/srv/erp/compose.yml")),
            None
        );
    }
}
