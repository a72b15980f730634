//! Everything the rules look at, read once: projects with their services, scripts, env files, settings.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::compose::{Loading, Model, Service, Setting, Variables};
use crate::discovery::{self, Found, Stage};
use crate::dockerfile::Dockerfile;
use crate::environment::{self, Variable};
use crate::library::{FileId, Library, Span, directory_of, join, name_of};
use crate::roles::{App, Role, by_what_runs, role};
use crate::shell::{self, Command};
use crate::started::whole;
use crate::yaml::Unreadable;

/// What is known of a service takes so many bytes, roughly and without what it runs.
const SERVICE_SIZE: usize = 1024;

/// A service with what is known of it.
#[derive(Debug, Clone)]
pub struct Known {
    /// The service.
    pub service: Service,
    /// What it does.
    pub role: Role,
    /// Its Dockerfile, when it is built from one under audit.
    pub dockerfile: Option<Rc<Dockerfile>>,
    /// The stage that is built.
    pub target: Option<String>,
    /// What it runs: its commands and those of the scripts that it starts with, in order.
    pub runs: Vec<Command>,
    /// Variables of its env files.
    pub from_files: Vec<Variable>,
    /// Whether it is only for developers: a profile of theirs.
    pub development: bool,
}

impl Known {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.service.name
    }

    /// A variable: from `environment`, else from its env files.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&str> {
        if self.service.environment().iter().any(|entry| entry.key == name) {
            return self.service.variable(name);
        }
        self.from_files.iter().rev().find(|one| one.name == name).map(|one| one.value.as_str())
    }

    /// Whether it goes on running.
    #[must_use]
    pub fn stays(&self) -> bool {
        self.role != Role::Once
    }
}

/// A project.
#[derive(Debug)]
pub struct Project {
    /// Its files in the order of `-f`.
    pub files: Vec<String>,
    /// What it is for.
    pub stage: Stage,
    /// Whether it has all of its services.
    pub whole: bool,
    /// The application.
    pub app: App,
    /// The merged model.
    pub model: Model,
    /// Its services.
    pub services: Vec<Known>,
    /// The env files of the project itself, from which `${…}` is filled in.
    pub env_files: Vec<FileId>,
}

impl Project {
    /// The directory of its first file.
    #[must_use]
    pub fn directory(&self) -> &str {
        self.files.first().map_or("", |first| directory_of(first))
    }

    /// Its name for people.
    #[must_use]
    pub fn title(&self) -> String {
        self.files.join(" + ")
    }

    /// The services of a role.
    pub fn of(&self, wanted: impl Fn(Role) -> bool) -> impl Iterator<Item = &Known> {
        self.services.iter().filter(move |known| wanted(known.role))
    }

    /// Where a finding about the project as a whole stands: its services key, or the first service.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        self.services.first().map(|known| known.service.name_span)
    }
}

/// A script file.
#[derive(Debug, Clone)]
pub struct Script {
    /// Its path.
    pub path: String,
    /// The file.
    pub file: FileId,
    /// Its commands.
    pub commands: Vec<Command>,
}

/// What is audited.
pub struct Context<'a> {
    /// The files.
    pub library: &'a Library<'a>,
    /// The projects.
    pub projects: Vec<Project>,
    /// Every script of the tree.
    pub scripts: Vec<Script>,
    /// Every env file of the tree that is used, with its variables.
    pub env_files: Vec<(String, FileId, Vec<Variable>)>,
    /// Every Dockerfile of the tree, and those that stand in the Compose files of projects of production.
    pub dockerfiles: Vec<(String, Rc<Dockerfile>)>,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
    /// What projects name and is not under audit.
    pub absent: Vec<String>,
}

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Compose files that a person named, in their order; none: what is found.
    pub files: Vec<String>,
    /// Env files that a person named.
    pub env_files: Vec<String>,
    /// Every project is taken for one of users.
    pub production: bool,
}

impl<'a> Context<'a> {
    /// Reads what there is.
    #[must_use]
    pub fn of(library: &'a Library<'a>, request: &Request) -> Self {
        let mut context = Self {
            library,
            projects: Vec::new(),
            scripts: Vec::new(),
            env_files: Vec::new(),
            dockerfiles: Vec::new(),
            unreadable: Vec::new(),
            absent: Vec::new(),
        };
        let paths = library.tree().paths();
        for path in paths {
            if discovery::is_dockerfile(path) {
                context.add_dockerfile(path);
            } else if discovery::is_env_file(path) {
                if let Some(file) = library.open(path) {
                    context.env_files.push((path.clone(), file, environment::read(library, file)));
                }
            } else if discovery::is_script(path) {
                context.add_script(path);
            }
        }
        for mut found in discovery::projects(library, &request.files) {
            if request.production {
                found.stage = Stage::Production;
            }
            context.add_project(&found, request);
        }
        context.absent.sort();
        context.absent.dedup();
        context
    }

    fn add_dockerfile(&mut self, path: &str) -> Option<Rc<Dockerfile>> {
        if let Some((_, known)) = self.dockerfiles.iter().find(|(known, _)| known == path) {
            return Some(Rc::clone(known));
        }
        let file = self.library.open(path)?;
        let read = Rc::new(Dockerfile::read(self.library, file));
        self.dockerfiles.push((path.to_owned(), Rc::clone(&read)));
        Some(read)
    }

    pub(crate) fn add_script(&mut self, path: &str) -> Option<&Script> {
        if let Some(at) = self.scripts.iter().position(|script| script.path == path) {
            return self.scripts.get(at);
        }
        let file = self.library.open(path)?;
        let opened = self.library.file(file);
        let shebang = opened.text.lines().next().unwrap_or_default();
        // A program in another language is not taken apart as a shell script.
        let other = shebang.starts_with("#!") && !shebang.contains("sh");
        let bare = !name_of(path).contains('.') && !shebang.starts_with("#!");
        if other || bare {
            return None;
        }
        let commands = shell::commands(&opened.text, file);
        if !self.library.keeps(commands.iter().map(Command::size).sum(), path) {
            return None;
        }
        self.scripts.push(Script { path: path.to_owned(), file, commands });
        self.scripts.last()
    }

    fn add_project(&mut self, found: &Found, request: &Request) {
        let directory = found.files.first().map_or("", |first| directory_of(first)).to_owned();
        let named: Vec<String> = if request.env_files.is_empty() {
            join(&directory, ".env").into_iter().collect()
        } else {
            request.env_files.clone()
        };
        let mut variables = Variables::default();
        let mut env_files = Vec::new();
        for path in named {
            let Some(file) = self.library.open(&path) else { continue };
            env_files.push(file);
            for variable in environment::read(self.library, file) {
                variables.0.insert(variable.name, Setting { value: variable.value, span: variable.span });
            }
        }
        let Some(loaded) = Loading::new(self.library, &variables).project(&found.files) else {
            self.read_error(&found.files);
            return;
        };
        // A file of no particular name whose images are built for developers is theirs.
        let for_developers = |service: &Service| {
            let file = service.dockerfile().and_then(|path| discovery::stage_of_path(&path));
            let target = service.node.at(&["build", "target"]).and_then(|node| node.as_str());
            let named = target.and_then(discovery::stage_of_path);
            file == Some(Stage::Development) || named == Some(Stage::Development)
        };
        let unnamed = request.files.is_empty()
            && !request.production
            && found.files.iter().all(|file| discovery::stage_of_path(file).is_none());
        let developers = unnamed && loaded.model.services().iter().any(for_developers);
        let stage = if developers { Stage::Development } else { found.stage };
        self.unreadable.extend(loaded.unreadable);
        self.absent.extend(loaded.absent.into_iter().map(|(path, _)| path));
        let mut services = loaded.model.services();
        let size = loaded.model.root.size() + services.len() * SERVICE_SIZE;
        if !self.library.keeps(size, found.files.last().map_or("", String::as_str)) {
            return;
        }
        // An override of a service whose base is in a file that was not named: Compose would refuse it.
        services.retain(|service| service.get("image").is_some() || service.get("build").is_some());
        let app = self.app_of(&services, &directory);
        let awaited: BTreeSet<String> = services.iter().flat_map(awaited_by).collect();
        let services: Vec<Known> =
            services.into_iter().map(|service| self.known(service, &awaited, app)).collect();
        if stage == Stage::Production {
            services.iter().filter(|known| !known.development).for_each(|known| self.keep_inline(known));
        }
        let model = loaded.model;
        let (files, whole) = (found.files.clone(), found.whole);
        self.projects.push(Project { files, stage, whole, app, model, services, env_files });
    }

    /// Keeps a Dockerfile that stands in a Compose file among the others, once.
    fn keep_inline(&mut self, known: &Known) {
        let inline = known.service.node.at(&["build", "dockerfile_inline"]).is_some();
        let Some(dockerfile) = known.dockerfile.as_ref().filter(|_| inline) else { return };
        let place = |one: &Dockerfile| one.stages.first().map(|stage| (one.file, stage.base_span));
        if !self.dockerfiles.iter().any(|(_, other)| place(other) == place(dockerfile)) {
            let path = self.library.file(dockerfile.file).path.clone();
            self.dockerfiles.push((path, Rc::clone(dockerfile)));
        }
    }

    /// Keeps why none of a project's files could be read.
    fn read_error(&mut self, files: &[String]) {
        for file in files.iter().filter_map(|path| self.library.open(path)) {
            if let Err(problem) = crate::yaml::read(self.library, file) {
                self.unreadable.push(problem);
            }
        }
    }

    fn app_of(&self, services: &[Service], directory: &str) -> App {
        let says = |words: &[&str]| {
            services.iter().any(|service| {
                let image = service.image_text();
                let text = service.command_text();
                words.iter().any(|word| image.contains(word) || text.contains(word))
            })
        };
        if says(&["erpnext", "frappe", "bench "]) {
            return App::Frappe;
        }
        let inside = |path: &str| directory.is_empty() || path.starts_with(&format!("{directory}/"));
        let contexts: Vec<String> = services.iter().filter_map(Service::build_context).collect();
        let manage = self.library.tree().paths().iter().any(|path| {
            name_of(path) == "manage.py"
                && (inside(path)
                    || contexts
                        .iter()
                        .any(|context| context.is_empty() || path.starts_with(&format!("{context}/"))))
        });
        if manage || says(&["manage.py", "django", "gunicorn", "celery"]) { App::Django } else { App::Other }
    }

    fn known(&mut self, service: Service, awaited: &BTreeSet<String>, app: App) -> Known {
        let dockerfile = match service.node.at(&["build", "dockerfile_inline"]) {
            Some(node) => Dockerfile::inline(self.library, node).map(Rc::new),
            None => service.dockerfile().and_then(|path| self.add_dockerfile(&path)),
        };
        let target = service.node.at(&["build", "target"]).and_then(|node| node.as_str().map(str::to_owned));
        let base = dockerfile
            .as_ref()
            .and_then(|file| file.lineage(target.as_deref()).last().map(|stage| stage.base.clone()));
        let once = awaited.contains(&service.name)
            || service.node.at(&["deploy", "restart_policy", "condition"]).and_then(|node| node.as_str())
                == Some("none")
            || service
                .node
                .at(&["deploy", "mode"])
                .and_then(|node| node.as_str())
                .is_some_and(|mode| mode.ends_with("-job"));
        let mut role = role(&service, base.as_deref(), once, app);
        let named_so = discovery::stage_of_path(&service.name) == Some(Stage::Development);
        let development = named_so || {
            let profiles = service.profiles();
            !profiles.is_empty()
                && profiles.iter().all(|profile| {
                    discovery::stage_of_path(profile) == Some(Stage::Development)
                        || matches!(profile.as_str(), "tools" | "tool" | "lint" | "docs")
                })
        };
        let mut runs = Vec::new();
        let from_image = self.image_commands(&service, dockerfile.as_deref(), target.as_deref());
        let mut scripts_seen = BTreeSet::new();
        for argv in whole(service.entrypoint(), service.command()).into_iter().chain(from_image) {
            self.follow(&service, &argv, &mut runs, &mut scripts_seen);
        }
        if role == Role::Web || role == Role::Other {
            role = by_what_runs(role, &runs);
        }
        let from_files = self.env_file_variables(&service);
        Known { service, role, dockerfile, target, runs, from_files, development }
    }

    fn env_file_variables(&mut self, service: &Service) -> Vec<Variable> {
        let Some(node) = service.get("env_file") else { return Vec::new() };
        let mut found = Vec::new();
        for item in node.items() {
            let path = item.get("path").and_then(|path| path.as_str()).or_else(|| item.as_str());
            let Some(path) = path.and_then(|path| path.strip_prefix("./")) else { continue };
            if !self.env_files.iter().any(|(known, ..)| known == path)
                && let Some(file) = self.library.open(path)
            {
                self.env_files.push((path.to_owned(), file, environment::read(self.library, file)));
            }
            match self.env_files.iter().find(|(known, ..)| known == path) {
                Some((_, _, variables)) => {
                    if self.library.keeps(variables.iter().map(Variable::size).sum(), path) {
                        found.extend(variables.iter().cloned());
                    }
                }
                None => self.absent.push(path.to_owned()),
            }
        }
        found
    }

    /// The projects that users are meant to use, with services that are not only for developers.
    pub fn production(&self) -> impl Iterator<Item = &Project> {
        self.projects.iter().filter(|project| project.stage == Stage::Production)
    }

    /// The text of every file of the tree whose name passes, with its path.
    pub fn texts(&self, wanted: impl Fn(&str) -> bool) -> BTreeMap<String, FileId> {
        let paths = self.library.tree().paths().iter().filter(|path| wanted(path));
        paths.filter_map(|path| Some((path.clone(), self.library.open(path)?))).collect()
    }
}

/// The services that a service waits for to end.
fn awaited_by(service: &Service) -> Vec<String> {
    let entries = service.get("depends_on").map(|node| node.entries()).unwrap_or_default();
    entries
        .iter()
        .filter(|entry| {
            entry.value.get("condition").and_then(|node| node.as_str())
                == Some("service_completed_successfully")
        })
        .map(|entry| entry.key.clone())
        .collect()
}
