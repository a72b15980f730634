//! What runs in each service: its command, from the Compose file or from the Dockerfile that it is built from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eclusa_runtime_docker::inspect::{BuildModel, ProjectModel, ServiceModel};
use walkdir::WalkDir;

use super::dockerfile::{self, Dockerfile};
use super::python::read;
use super::written::Written;

/// How deep a start script is looked for below the build context.
const SCRIPT_DEPTH: usize = 5;

/// What runs in a service.
#[derive(Debug, Default)]
struct Running {
    dockerfile: Option<Dockerfile>,
    context: Option<PathBuf>,
    entrypoint: Vec<String>,
    command: Vec<String>,
    script: String,
    working_directory: String,
}

/// What runs in each service.
#[derive(Debug, Default)]
pub(crate) struct Images {
    services: BTreeMap<String, Running>,
}

impl Images {
    /// Reads the Dockerfiles of everything that is built. A service with the image of one that is built runs the same.
    pub(crate) fn read(project: &ProjectModel, written: &Written) -> Self {
        let mut services = BTreeMap::new();
        for (name, service) in &project.services {
            let built = service.build.as_ref().or_else(|| build_of_image(project, service));
            let context = built.map(|build| PathBuf::from(&build.context)).filter(|context| context.is_dir());
            let dockerfile =
                built.zip(context.as_deref()).and_then(|(build, context)| recipe(build, context));
            let entrypoint = match &service.entrypoint {
                Some(words) => words.clone(),
                None => dockerfile.as_ref().map(|found| found.entrypoint.clone()).unwrap_or_default(),
            };
            let command = match (&service.command, &service.entrypoint) {
                (Some(words), _) => words.clone(),
                // An entrypoint of its own leaves the image's command out.
                (None, Some(_)) => Vec::new(),
                (None, None) => dockerfile.as_ref().map(|found| found.command.clone()).unwrap_or_default(),
            };
            let set = written.services.get(name).and_then(|service| service.working_directory.clone());
            let working_directory = set
                .or_else(|| Some(dockerfile.as_ref()?.working_directory.clone()))
                .unwrap_or_else(|| "/".to_owned());
            let words: Vec<&String> = entrypoint.iter().chain(&command).collect();
            let script = context.as_deref().map(|context| scripts(context, &words)).unwrap_or_default();
            services.insert(
                name.clone(),
                Running { dockerfile, context, entrypoint, command, script, working_directory },
            );
        }
        Self { services }
    }

    fn of(&self, service: &str) -> Option<&Running> {
        self.services.get(service)
    }

    /// The command line that runs, entrypoint first.
    pub(crate) fn command(&self, service: &str) -> String {
        self.words(service).join(" ")
    }

    /// The words of the command line that runs.
    pub(crate) fn words(&self, service: &str) -> Vec<String> {
        self.of(service)
            .map(|running| running.entrypoint.iter().chain(&running.command).cloned().collect())
            .unwrap_or_default()
    }

    /// The text of the scripts that the command starts, where they lie in the build context.
    pub(crate) fn script(&self, service: &str) -> String {
        self.of(service).map(|running| running.script.clone()).unwrap_or_default()
    }

    /// The command line and its scripts.
    pub(crate) fn all_text(&self, service: &str) -> String {
        format!("{}\n{}", self.command(service), self.script(service))
    }

    /// The Dockerfile that it is built from.
    pub(crate) fn dockerfile(&self, service: &str) -> Option<&Dockerfile> {
        self.of(service)?.dockerfile.as_ref()
    }

    /// The build context, where it is a directory of this host.
    pub(crate) fn context(&self, service: &str) -> Option<&Path> {
        self.of(service)?.context.as_deref()
    }

    /// The directory in which commands run.
    pub(crate) fn working_directory(&self, service: &str) -> &str {
        self.of(service).map_or("/", |running| running.working_directory.as_str())
    }
}

fn build_of_image<'a>(project: &'a ProjectModel, service: &ServiceModel) -> Option<&'a BuildModel> {
    let image = service.image.as_ref()?;
    let same = project.services.values().filter(|other| other.image.as_ref() == Some(image));
    same.filter_map(|other| other.build.as_ref()).next()
}

fn recipe(build: &BuildModel, context: &Path) -> Option<Dockerfile> {
    let named = build.dockerfile.as_deref().unwrap_or("Dockerfile");
    let text = read(&context.join(named))?;
    Some(dockerfile::parse(&text, context, build.target.as_deref()))
}

/// The texts of shell scripts that a command names.
fn scripts(context: &Path, words: &[&String]) -> String {
    let mut texts = String::new();
    for word in words.iter().take(4) {
        let Some(name) = word.rsplit('/').next().filter(|name| !name.is_empty() && !name.starts_with('-'))
        else {
            continue;
        };
        if !(word.contains('/') || word.ends_with(".sh")) {
            continue;
        }
        let found = WalkDir::new(context)
            .max_depth(SCRIPT_DEPTH)
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| {
                !matches!(entry.file_name().to_str(), Some(".git" | "node_modules" | "venv" | ".venv"))
            })
            .flatten()
            .filter(|entry| entry.file_type().is_file() && entry.file_name() == name)
            .find_map(|entry| {
                read(entry.path()).filter(|text| text.starts_with("#!") || name.ends_with(".sh"))
            });
        let lines =
            found.iter().flat_map(|text| text.lines()).filter(|line| !line.trim_start().starts_with('#'));
        for line in lines {
            texts.push_str(line);
            texts.push('\n');
        }
    }
    texts
}
