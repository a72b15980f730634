//! What is there: the Compose project as resolved and as written, its images, its roles, the code.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use eclusa_config::EnvironmentFiles;
use eclusa_fault::{Code, Fault, Message, Result};
use eclusa_model::AppKind;
use eclusa_runtime_docker::inspect::{ProjectModel, VariableModel, inspect_project};

use super::bench;
use super::document::{Guess, why};
use super::image::Images;
use super::python::settings::Settings;
use super::python::{PythonProject, find_manage};
use super::roles::{self, Role, Roles};
use super::running::{self, Containers};
use super::written::{self, Written};
use super::{Surroundings, Wanted, environment};

/// What is there.
#[derive(Debug)]
pub(crate) struct Facts {
    /// The Compose files, absolute.
    pub(crate) files: Vec<PathBuf>,
    /// The directory of the first of them.
    pub(crate) directory: PathBuf,
    /// The directory of the file that is written: paths are relative to it.
    pub(crate) base: PathBuf,
    pub(crate) env_files: Guess<Vec<PathBuf>>,
    pub(crate) environment: EnvironmentFiles,
    pub(crate) containers: Containers,
    pub(crate) project: ProjectModel,
    pub(crate) written: Written,
    pub(crate) images: Images,
    pub(crate) roles: Roles,
    pub(crate) app: Guess<AppKind>,
    pub(crate) python: Option<PythonProject>,
}

impl Facts {
    /// Looks at everything.
    ///
    /// # Errors
    /// `ConfigUnreadable`, `ComposeMissing`, `ComposeInvalid`, `AdoptUnknown`.
    pub(crate) async fn gather(wanted: &Wanted, surroundings: &Surroundings) -> Result<Self> {
        let mut files = Vec::new();
        let mut texts = Vec::new();
        for file in &wanted.files {
            let path = std::path::absolute(file).unwrap_or_else(|_| file.clone());
            let text = std::fs::read_to_string(&path).map_err(|error| {
                let hint = match running::is_portainers(&path) {
                    true => Message::new("adopt-portainer-hint")
                        .with("file", path.strip_prefix("/data").unwrap_or(&path).display()),
                    false => Message::new("adopt-no-file-hint"),
                };
                let fault = Fault::new(Code::ConfigUnreadable).with("path", file.display());
                fault.because(error).hint(hint)
            })?;
            texts.push((path.clone(), text));
            files.push(path);
        }
        let first =
            files.first().ok_or_else(|| Fault::new(Code::Internal).with("what", "adopt without a file"))?;
        let directory = first.parent().unwrap_or(Path::new("/")).to_owned();
        let host = surroundings.host.as_ref();
        let containers = match surroundings.ask {
            true => running::containers(first, wanted.project.as_deref(), host).await,
            false => Containers::default(),
        };
        let named: Vec<PathBuf> = wanted
            .env_files
            .iter()
            .map(|file| std::path::absolute(file).unwrap_or_else(|_| file.clone()))
            .collect();
        let env_files = environment::choose(&named, &texts, &directory, &containers);
        let mut project = inspect_project(&files, &env_files.value, &directory, surroundings.host.clone())
            .await
            .map_err(|fault| missing_env_file(fault, first))?;
        if let Some(name) = wanted.project.as_ref().or(containers.projects.first()) {
            // Volumes that the file does not name are called after the project.
            let prefix = format!("{}_", project.name);
            for volume in project.volumes.values_mut() {
                if let Some(rest) = volume.strip_prefix(&prefix) {
                    *volume = format!("{name}_{rest}");
                }
            }
            project.name.clone_from(name);
        }
        if containers.portainer {
            refuse_moved(&project, &directory)?;
        }
        let written = written::read(&files, &env_files.value, &directory, host).await;
        let environment = environment::load(&env_files.value)?;
        let images = Images::read(&project, &written);
        let roles = roles::find(&project, &written, &images);
        let output = std::path::absolute(&wanted.output).unwrap_or_else(|_| wanted.output.clone());
        let base = output.parent().unwrap_or(Path::new("/")).to_owned();
        let manage = code_directories(&project, &images, &directory)
            .iter()
            .find_map(|directory| find_manage(directory));
        let app = app(wanted, manage.as_deref(), &project, &images, &directory)?;
        let python = manage.as_deref().filter(|_| app.value == AppKind::Django).and_then(PythonProject::load);
        Ok(Self {
            files,
            directory,
            base,
            env_files,
            environment,
            containers,
            project,
            written,
            images,
            roles,
            app,
            python,
        })
    }

    /// A path as the file names it: relative to its own directory where it lies below it.
    pub(crate) fn shown(&self, path: &Path) -> String {
        match path.strip_prefix(&self.base) {
            Ok(rest) if rest.as_os_str().is_empty() => ".".to_owned(),
            Ok(rest) => rest.display().to_string(),
            Err(_) => path.display().to_string(),
        }
    }

    /// The image of a service, in lower case; empty where it has none.
    pub(crate) fn image(&self, service: &str) -> String {
        let found = self.project.services.get(service).and_then(|service| service.image.as_deref());
        found.unwrap_or_default().to_lowercase()
    }

    /// The first service that serves the application.
    pub(crate) fn web(&self) -> Option<&str> {
        let all = self.roles.of_role(Role::Web);
        // A bench's websocket serves too, and runs none of its code.
        let runs_code = all.iter().find(|(name, _)| !bench::is_websocket(&self.images, name));
        runs_code.or(all.first()).map(|(name, _)| *name)
    }

    /// The environment of the web service, without secrets, over what its image sets.
    pub(crate) fn web_environment(&self) -> BTreeMap<String, String> {
        let Some(web) = self.web() else { return BTreeMap::new() };
        let mut found =
            self.images.dockerfile(web).map(|dockerfile| dockerfile.variables.clone()).unwrap_or_default();
        if let Some(service) = self.project.services.get(web) {
            for (name, value) in &service.environment {
                match value {
                    VariableModel::Plain(value) => found.insert(name.clone(), value.clone()),
                    VariableModel::Secret | VariableModel::Empty => found.remove(name),
                };
            }
        }
        found
    }

    /// The settings that run in production: of the environment, the WSGI module that is served, or `manage.py`.
    pub(crate) fn settings(&self) -> Option<Settings<'_>> {
        let python = self.python.as_ref()?;
        let environment = self.web_environment();
        let served = self.web().map(|web| self.images.words(web)).unwrap_or_default();
        let by_server = served.iter().find_map(|word| {
            let module = word.split(':').next()?;
            let file =
                (module.ends_with("wsgi") || module.ends_with("asgi")).then(|| python.module(module))??;
            PythonProject::settings_module_in(python.text(&file))
        });
        let module = environment
            .get("DJANGO_SETTINGS_MODULE")
            .cloned()
            .or(by_server)
            .or_else(|| PythonProject::settings_module_in(&python.manage))?;
        let mut copies = self
            .web()
            .and_then(|web| self.images.dockerfile(web))
            .map(|found| found.copies.clone())
            .unwrap_or_default();
        let mounts = self
            .web()
            .and_then(|web| self.project.services.get(web))
            .into_iter()
            .flat_map(|service| &service.mounts);
        copies.extend(
            mounts
                .filter(|mount| mount.kind == "bind")
                .map(|mount| (PathBuf::from(&mount.source), mount.target.clone())),
        );
        Settings::read(python, &module, &copies, environment)
    }
}

/// Portainer resolves relative paths in its own container, so for the same file they lead elsewhere on this host: the stack
/// would come up with other directories.
fn refuse_moved(project: &ProjectModel, directory: &Path) -> Result<()> {
    let mounts = project.services.values().flat_map(|service| &service.mounts);
    let mut moved =
        mounts.filter(|mount| mount.kind == "bind" && Path::new(&mount.source).starts_with(directory));
    let Some(mount) = moved.next() else { return Ok(()) };
    let problem = why("portainer-relative").with("target", &mount.target);
    Err(Fault::new(Code::AdoptUnknown)
        .with("path", directory.display())
        .with("problem", problem.render(&eclusa_fault::Language::default()))
        .hint(Message::new("adopt-portainer-relative-hint")))
}

/// Compose says that an env file is missing: that is what to make first.
fn missing_env_file(fault: Fault, file: &Path) -> Fault {
    if fault.code == Code::ComposeInvalid && fault.causes.iter().any(|cause| cause.contains("env file")) {
        return fault.hint(eclusa_fault::Message::new("adopt-env-file-hint").with("path", file.display()));
    }
    if fault.code == Code::ComposeInvalid
        && fault.causes.iter().any(|cause| cause.contains("variable") || cause.contains("required"))
    {
        return fault.hint(eclusa_fault::Message::new("adopt-variable-hint").with("path", file.display()));
    }
    fault
}

/// Where the code may lie: the build contexts of what runs code, the others, the directory of the Compose file.
fn code_directories(project: &ProjectModel, images: &Images, directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let contexts = project.services.keys().filter_map(|name| images.context(name).map(Path::to_owned));
    for path in contexts.chain([directory.to_owned()]) {
        if !found.contains(&path) {
            found.push(path);
        }
    }
    found
}

fn app(
    wanted: &Wanted,
    manage: Option<&Path>,
    project: &ProjectModel,
    images: &Images,
    directory: &Path,
) -> Result<Guess<AppKind>> {
    if let Some(app) = wanted.app {
        return Ok(Guess::found(app, why("app-named")));
    }
    if let Some(service) = bench::recognise(project, images) {
        return Ok(Guess::found(AppKind::Frappe, why("app-bench").with("service", service)));
    }
    if let Some(manage) = manage {
        let path = manage.strip_prefix(directory).unwrap_or(manage).display().to_string();
        return Ok(Guess::found(AppKind::Django, why("app-manage").with("path", path)));
    }
    let by_environment = project
        .services
        .iter()
        .find(|(_, service)| service.environment.keys().any(|name| name.starts_with("DJANGO_")));
    if let Some((name, _)) = by_environment {
        return Ok(Guess::check(AppKind::Django, why("app-environment").with("service", name)));
    }
    let problem = why("app-unknown").render(&eclusa_fault::Language::default());
    Err(Fault::new(Code::AdoptUnknown)
        .with("path", wanted.files.first().map(|file| file.display().to_string()).unwrap_or_default())
        .with("problem", problem)
        .hint(
            eclusa_fault::Message::new("adopt-unknown-hint").with(
                "path",
                wanted.files.first().map(|file| file.display().to_string()).unwrap_or_default(),
            ),
        ))
}
