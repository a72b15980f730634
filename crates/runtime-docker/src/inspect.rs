//! A Compose project as Compose itself resolves it, without a daemon: what `adopt` looks at, and what the rest of
//! this crate needs of the merged model. Values that may be secrets are dropped while parsing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use eclusa_fault::Result;
use eclusa_ports::Host;
use serde::Deserialize;

use crate::compose::{Compose, Invocation};

/// A Compose project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectModel {
    /// The project's name.
    pub name: String,
    /// Its services by name.
    pub services: BTreeMap<String, ServiceModel>,
    /// Its volumes: what the file calls them, and what the engine does.
    pub volumes: BTreeMap<String, String>,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServiceModel {
    /// Its image, with variables filled in.
    pub image: Option<String>,
    /// The variables that stand in its image: one of them may hold the release.
    pub image_variables: Vec<String>,
    /// How it is built.
    pub build: Option<BuildModel>,
    /// Its command, where the file sets one.
    pub command: Option<Vec<String>>,
    /// Its entrypoint, where the file sets one.
    pub entrypoint: Option<Vec<String>>,
    /// Its environment.
    pub environment: BTreeMap<String, VariableModel>,
    /// The ports that it publishes.
    pub ports: Vec<PortModel>,
    /// What is mounted in it.
    pub mounts: Vec<MountModel>,
    /// The command of its health check, where the file sets one.
    pub healthcheck: Option<Vec<String>>,
    /// The services that it needs.
    pub depends_on: Vec<String>,
    /// The networks that it is on, by the file's names.
    pub networks: Vec<String>,
    /// The profiles that it belongs to.
    pub profiles: Vec<String>,
}

/// A value of a service's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VariableModel {
    /// It looks harmless.
    Plain(String),
    /// Its name or its form says that it may be a secret; it was not kept.
    Secret,
    /// It is empty or not set.
    Empty,
}

/// How a service is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildModel {
    /// The directory, absolute, or a URL.
    pub context: String,
    /// The Dockerfile, relative to it.
    pub dockerfile: Option<String>,
    /// The stage.
    pub target: Option<String>,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortModel {
    /// The address of the host; empty for every address.
    pub host_ip: String,
    /// The port of the host; empty when the engine chooses one.
    pub published: String,
    /// The port inside the container.
    pub target: u16,
    /// `tcp` or `udp`.
    pub protocol: String,
}

impl PortModel {
    /// The port in Compose's short form.
    #[must_use]
    pub fn short(&self) -> String {
        let host =
            if self.host_ip.contains(':') { format!("[{}]", self.host_ip) } else { self.host_ip.clone() };
        let front = match (host.is_empty(), self.published.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!("{}:", self.published),
            (false, _) => format!("{host}:{}:", self.published),
        };
        format!("{front}{}/{}", self.target, self.protocol)
    }
}

/// Something mounted in a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MountModel {
    /// `volume`, `bind`, `tmpfs`.
    pub kind: String,
    /// The volume's name in the file, or the absolute path of the host; empty for an anonymous volume.
    pub source: String,
    /// The path inside the container.
    pub target: String,
    /// Whether it cannot be written there.
    pub read_only: bool,
}

/// Resolves a project from its files, with the variables of its images. Nothing is changed and no daemon is asked.
///
/// # Errors
/// `ComposeMissing`, `ComposeInvalid` with what Compose said.
pub async fn inspect_project(
    files: &[PathBuf],
    env_files: &[PathBuf],
    project_directory: &Path,
    host: Arc<dyn Host>,
) -> Result<ProjectModel> {
    let compose = Compose::new(host);
    let invocation = Invocation::of_files(files, env_files, project_directory, None);
    let mut project = compose.model(&invocation).await?;
    for (service, image) in compose.raw_images(&invocation).await? {
        if let (Some(found), Some(image)) = (project.services.get_mut(&service), image) {
            found.image_variables = variables_in(&image);
        }
    }
    Ok(project)
}

pub(crate) type Project = ProjectModel;

impl ProjectModel {
    /// Reads the YAML of `docker compose config`.
    pub(crate) fn parse(text: &str) -> std::result::Result<Self, String> {
        // The reader's own message would quote the text, which holds secrets.
        let read: ReadProject = serde_saphyr::from_str(text)
            .map_err(|_| "the output of docker compose config is not in the expected form".to_owned())?;
        let services =
            read.services.into_iter().map(|(name, service)| (name, service.into_model())).collect();
        let volumes = read
            .volumes
            .into_iter()
            .map(|(key, volume)| {
                let name =
                    volume.and_then(|volume| volume.name).unwrap_or_else(|| format!("{}_{key}", read.name));
                (key, name)
            })
            .collect();
        Ok(Self { name: read.name, services, volumes })
    }

    /// The ports that a service publishes.
    pub(crate) fn ports(&self, service: &str) -> &[PortModel] {
        self.services.get(service).map_or(&[], |service| &service.ports)
    }

    /// The image of a service: its own, or the name that Compose gives to what it builds.
    pub(crate) fn image(&self, service: &str) -> Option<String> {
        let found = self.services.get(service)?;
        match (&found.image, &found.build) {
            (Some(image), _) => Some(image.clone()),
            (None, Some(_)) => Some(format!("{}-{service}", self.name)),
            (None, None) => None,
        }
    }
}

#[derive(Deserialize)]
struct ReadProject {
    name: String,
    #[serde(default)]
    services: BTreeMap<String, ReadService>,
    #[serde(default)]
    volumes: BTreeMap<String, Option<ReadVolume>>,
}

#[derive(Deserialize)]
struct ReadVolume {
    name: Option<String>,
}

#[derive(Deserialize)]
struct ReadService {
    image: Option<String>,
    build: Option<ReadBuild>,
    command: Option<Vec<String>>,
    entrypoint: Option<Vec<String>>,
    #[serde(default)]
    environment: BTreeMap<String, Option<String>>,
    #[serde(default)]
    ports: Vec<ReadPort>,
    #[serde(default)]
    volumes: Vec<ReadMount>,
    healthcheck: Option<ReadHealthcheck>,
    #[serde(default)]
    depends_on: BTreeMap<String, serde::de::IgnoredAny>,
    #[serde(default)]
    networks: BTreeMap<String, serde::de::IgnoredAny>,
    #[serde(default)]
    profiles: Vec<String>,
}

#[derive(Deserialize)]
struct ReadBuild {
    context: Option<String>,
    dockerfile: Option<String>,
    target: Option<String>,
}

#[derive(Deserialize)]
struct ReadPort {
    #[serde(default)]
    host_ip: String,
    #[serde(default)]
    published: String,
    target: u16,
    #[serde(default = "tcp")]
    protocol: String,
}

fn tcp() -> String {
    "tcp".to_owned()
}

#[derive(Deserialize)]
struct ReadMount {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    source: String,
    target: String,
    #[serde(default)]
    read_only: bool,
}

#[derive(Deserialize)]
struct ReadHealthcheck {
    #[serde(default)]
    test: Option<Vec<String>>,
    #[serde(default)]
    disable: bool,
}

impl ReadService {
    fn into_model(self) -> ServiceModel {
        let words =
            |words: Option<Vec<String>>| words.map(|words| words.iter().map(|word| plain(word)).collect());
        let healthcheck = self.healthcheck.filter(|check| !check.disable).and_then(|check| words(check.test));
        ServiceModel {
            image: self.image.as_deref().map(plain),
            image_variables: Vec::new(),
            build: self.build.map(|build| BuildModel {
                context: plain(&build.context.unwrap_or_default()),
                dockerfile: build.dockerfile,
                target: build.target,
            }),
            command: words(self.command),
            entrypoint: words(self.entrypoint),
            environment: self.environment.into_iter().map(|(name, value)| classed(name, value)).collect(),
            ports: self
                .ports
                .into_iter()
                .map(|port| PortModel {
                    host_ip: port.host_ip,
                    published: port.published,
                    target: port.target,
                    protocol: port.protocol,
                })
                .collect(),
            mounts: self
                .volumes
                .into_iter()
                .map(|mount| MountModel {
                    kind: mount.kind,
                    source: plain(&mount.source),
                    target: plain(&mount.target),
                    read_only: mount.read_only,
                })
                .collect(),
            healthcheck,
            depends_on: self.depends_on.into_keys().collect(),
            networks: self.networks.into_keys().collect(),
            profiles: self.profiles,
        }
    }
}

/// A text of Compose's output as it is meant: a `$` stays doubled there.
fn plain(text: &str) -> String {
    text.replace("$$", "$")
}

fn classed(name: String, value: Option<String>) -> (String, VariableModel) {
    let class = match value.as_deref().map(plain) {
        None => VariableModel::Empty,
        Some(value) if value.is_empty() => VariableModel::Empty,
        Some(value) if may_be_secret(&name, &value) => VariableModel::Secret,
        Some(value) => VariableModel::Plain(value),
    };
    (name, class)
}

/// Whether a variable may hold a secret, by its name or because its value is a URL with a user's password.
fn may_be_secret(name: &str, value: &str) -> bool {
    const WORDS: [&str; 10] =
        ["PASS", "PWD", "SECRET", "TOKEN", "KEY", "CREDENTIAL", "PRIVATE", "DSN", "AUTH", "SALT"];
    let upper = name.to_ascii_uppercase();
    let password_in_url = value.split_once("://").is_some_and(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
    });
    WORDS.iter().any(|word| upper.contains(word)) || password_in_url
}

#[derive(Deserialize)]
struct ReadImages {
    #[serde(default)]
    services: BTreeMap<String, ReadImage>,
}

#[derive(Deserialize)]
struct ReadImage {
    image: Option<String>,
}

/// The images of a model whose other parts may be in any form.
pub(crate) fn images_of(text: &str) -> BTreeMap<String, Option<String>> {
    let read: ReadImages = serde_saphyr::from_str(text).unwrap_or(ReadImages { services: BTreeMap::new() });
    read.services.into_iter().map(|(name, service)| (name, service.image)).collect()
}

/// The variables of `name:${TAG:-v1}`, those inside defaults too.
fn variables_in(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        rest = rest.get(at + 1..).unwrap_or_default();
        if let Some(after) = rest.strip_prefix('$') {
            rest = after;
            continue;
        }
        let name: String = rest
            .trim_start_matches('{')
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        if !name.is_empty() && !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MODEL: &str = r#"
name: shop
services:
  web:
    build:
      context: /srv/shop
      dockerfile: Dockerfile
    command: [gunicorn, "cost$$"]
    environment:
      DATABASE_URL: postgres://shop:hunter2@db/shop
      DJANGO_SECRET_KEY: hunter3
      LANGUAGE: pt
      DEBUG: ""
      ABSENT: null
    depends_on:
      db:
        condition: service_healthy
        required: true
    image: shop:v1
    networks:
      default: null
    ports:
      - mode: ingress
        host_ip: 127.0.0.1
        target: 80
        published: "8080"
        protocol: tcp
      - mode: ingress
        target: 53
        protocol: udp
    volumes:
      - type: volume
        source: media
        target: /media
        volume: {}
      - type: bind
        source: /srv/shop/nginx.conf
        target: /etc/nginx.conf
        read_only: true
  db:
    image: postgres:15
    healthcheck:
      test: [CMD-SHELL, "pg_isready -U $$POSTGRES_USER"]
      interval: 2s
networks:
  default:
    name: shop_default
volumes:
  media:
    name: shop_media
  other: null
"#;

    #[test]
    fn a_model_is_read_and_its_secrets_are_dropped() {
        let project = ProjectModel::parse(MODEL).unwrap();
        let web = &project.services["web"];
        assert_eq!(web.environment["DATABASE_URL"], VariableModel::Secret);
        assert_eq!(web.environment["DJANGO_SECRET_KEY"], VariableModel::Secret);
        assert_eq!(web.environment["LANGUAGE"], VariableModel::Plain("pt".into()));
        assert_eq!(web.environment["DEBUG"], VariableModel::Empty);
        assert!(!format!("{project:?}").contains("hunter"));
        assert_eq!(web.command.as_deref().unwrap(), ["gunicorn", "cost$"]);
        assert_eq!(web.depends_on, ["db"]);
        assert_eq!(web.ports[0].short(), "127.0.0.1:8080:80/tcp");
        assert_eq!(web.ports[1].short(), "53/udp");
        assert_eq!(web.mounts[0].source, "media");
        assert!(web.mounts[1].read_only);
        assert_eq!(project.services["db"].healthcheck.as_ref().unwrap()[1], "pg_isready -U $POSTGRES_USER");
        assert_eq!(project.volumes["media"], "shop_media");
        assert_eq!(project.volumes["other"], "shop_other");
    }

    #[test]
    fn a_model_that_is_not_understood_is_not_quoted() {
        let problem = ProjectModel::parse("name: [hunter2]\n").unwrap_err();
        assert!(!problem.contains("hunter2"), "{problem}");
    }

    #[test]
    fn the_variables_of_an_image_are_found() {
        assert_eq!(variables_in("shop:${TAG:-v1}"), ["TAG"]);
        assert_eq!(variables_in("$REGISTRY/shop:${TAG:-${OLD:-v1}}"), ["REGISTRY", "TAG", "OLD"]);
        assert!(variables_in("shop:v1-$$x").is_empty());
    }
}
