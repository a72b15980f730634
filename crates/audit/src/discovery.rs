//! Which files of a tree are what: Compose projects, env files, Dockerfiles, scripts, cron files, workflows, settings.

use crate::library::{Library, directory_of, join, name_of};
use crate::yaml;

/// Whether a deployment is meant for its users or for its developers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// For users, as far as is known.
    Production,
    /// For developers or tests.
    Development,
}

/// A Compose project that was found: its files in the order of `-f`.
#[derive(Debug, Clone)]
pub struct Found {
    /// The files.
    pub files: Vec<String>,
    /// What it is for.
    pub stage: Stage,
    /// Whether its files alone start anything: an override without its base does not.
    pub whole: bool,
}

/// Words in a file's or directory's name that say that users are not meant.
const DEVELOPMENT: [&str; 21] = [
    "dev",
    "develop",
    "development",
    "local",
    "localhost",
    "test",
    "tests",
    "testing",
    "ci",
    "debug",
    "devcontainer",
    "example",
    "examples",
    "sample",
    "samples",
    "template",
    "e2e",
    "pytest",
    "sandbox",
    "selenium",
    "fixtures",
];
/// Words that say that they are.
const PRODUCTION: [&str; 6] = ["prod", "production", "live", "staging", "stage", "deploy"];

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).map(str::to_ascii_lowercase)
}

/// What the name of a file says of what it is for; nothing when it says nothing.
#[must_use]
pub fn stage_of_path(path: &str) -> Option<Stage> {
    let says = |words_of: &str, list: &[&str]| words(words_of).any(|word| list.contains(&word.as_str()));
    let name = name_of(path);
    // A template of a project is none.
    if path.contains("{{") {
        return Some(Stage::Development);
    }
    if says(name, &PRODUCTION) {
        return Some(Stage::Production);
    }
    // `shop.test` and `erp.example.org` are names of sites.
    let folders = || directory_of(path).split('/').filter(|part| !part.trim_start_matches('.').contains('.'));
    if says(name, &DEVELOPMENT) || folders().any(|part| says(part, &DEVELOPMENT)) {
        return Some(Stage::Development);
    }
    says(directory_of(path), &PRODUCTION).then_some(Stage::Production)
}

/// Whether a file is called as Compose files are.
#[must_use]
pub fn is_compose_name(path: &str) -> bool {
    let name = name_of(path).to_ascii_lowercase();
    let stem = name.strip_suffix(".yml").or_else(|| name.strip_suffix(".yaml"));
    stem.is_some_and(|stem| {
        let alone = matches!(stem, "production" | "prod" | "staging" | "local" | "dev");
        (alone || words(stem).any(|word| word == "compose" || word == "stack" || word == "pwd"))
            && !stem.starts_with('.')
            && !path.contains("{{")
    })
}

/// Whether it is the file, or the override, that Compose takes when none is named.
fn default_rank(path: &str) -> Option<u8> {
    match name_of(path) {
        "compose.yaml" => Some(0),
        "compose.yml" => Some(1),
        "docker-compose.yml" => Some(2),
        "docker-compose.yaml" => Some(3),
        _ => None,
    }
}

fn is_default_override(path: &str) -> bool {
    matches!(
        name_of(path),
        "compose.override.yaml"
            | "compose.override.yml"
            | "docker-compose.override.yml"
            | "docker-compose.override.yaml"
    )
}

/// Whether a name is that of a Dockerfile.
#[must_use]
pub fn is_dockerfile(path: &str) -> bool {
    let name = name_of(path).to_ascii_lowercase();
    name == "dockerfile"
        || name == "containerfile"
        || name.starts_with("dockerfile.")
        || name.ends_with(".dockerfile")
}

/// Whether a name is that of an env file that is used, not an example of one.
#[must_use]
pub fn is_env_file(path: &str) -> bool {
    let name = name_of(path).to_ascii_lowercase();
    let env = name == ".env"
        || name.starts_with(".env.")
        || (name.ends_with(".env") && !name.ends_with(".example.env"));
    let example = ["example", "sample", "template", "dist", "tmpl", "tpl", "default", "defaults"];
    env && !words(&name).any(|word| example.contains(&word.as_str()))
        && !directory_of(path).split('/').any(|part| {
            words(part).any(|word| {
                matches!(
                    word.as_str(),
                    "example" | "examples" | "sample" | "fixtures" | "template" | "templates"
                )
            })
        })
}

/// Whether a name is that of a shell script.
#[must_use]
pub fn is_script(path: &str) -> bool {
    let name = name_of(path);
    let bare = !name.contains('.');
    name.ends_with(".sh")
        || name.ends_with(".bash")
        || (bare && words(name).any(|word| word == "entrypoint"))
        || (bare
            && words(directory_of(path))
                .last()
                .is_some_and(|word| matches!(word.as_str(), "bin" | "scripts")))
}

/// Whether a name is that of a cron file.
#[must_use]
pub fn is_cron(path: &str) -> bool {
    let name = name_of(path).to_ascii_lowercase();
    name == "crontab"
        || name.starts_with("crontab.")
        || name.ends_with(".cron")
        || name.ends_with(".crontab")
        || directory_of(path).split('/').any(|part| part == "cron.d" || part == "cron")
            && !name.ends_with(".py")
            && !name.ends_with(".md")
}

/// Whether a path is that of one of supervisor's configuration files.
#[must_use]
pub fn is_supervisor(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    (lower.ends_with(".conf") || lower.ends_with(".ini")) && lower.contains("supervisor")
}

/// Whether a path is that of a configuration of nginx.
#[must_use]
pub fn is_nginx(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let name = name_of(&lower);
    let folder = || {
        directory_of(&lower).split('/').any(|part| {
            part.contains("nginx") || matches!(part, "sites-available" | "sites-enabled" | "conf.d")
        })
    };
    let bare = || name_of(directory_of(&lower)).starts_with("sites-");
    name == "nginx.conf"
        || name.ends_with(".nginx")
        || ((name.ends_with(".conf") || name.ends_with(".conf.template") || name.ends_with(".vhost"))
            && (name.contains("nginx") || folder())
            && !name.contains("supervisor"))
        || (!name.contains('.') && bare())
}

/// Whether a path is that of a GitHub workflow.
#[must_use]
pub fn is_workflow(path: &str) -> bool {
    path.contains(".github/workflows/") && (path.ends_with(".yml") || path.ends_with(".yaml"))
}

/// Whether a path is that of Django settings.
#[must_use]
pub fn is_settings(path: &str) -> bool {
    let name = name_of(path);
    let in_package = name_of(directory_of(path)) == "settings";
    name.ends_with(".py")
        && (name == "settings.py"
            || name.starts_with("settings_")
            || name.ends_with("_settings.py")
            || (in_package && name != "__init__.py"))
        && !path.split('/').any(|part| part == "migrations" || part == "tests")
}

/// The projects among the Compose files of a tree. `named` are files that a person named, in their order: one project.
#[must_use]
pub fn projects(library: &Library<'_>, named: &[String]) -> Vec<Found> {
    if !named.is_empty() {
        let says: Vec<Option<Stage>> = named.iter().map(|path| stage_of_path(path)).collect();
        let stage = match says.as_slice() {
            // The last file that says something decides: `-f base -f prod`.
            says if says.contains(&Some(Stage::Production)) => Stage::Production,
            says => says.iter().flatten().next_back().copied().unwrap_or(Stage::Production),
        };
        return vec![Found { files: named.to_vec(), stage, whole: true }];
    }
    let mut all: Vec<&String> = library.tree().paths().iter().filter(|path| is_compose_name(path)).collect();
    all.sort_by_key(|path| (directory_of(path).to_owned(), default_rank(path).unwrap_or(9), (*path).clone()));
    let mut found: Vec<Found> = Vec::new();
    let mut done: Vec<&str> = Vec::new();
    for path in &all {
        if done.contains(&path.as_str()) || is_default_override(path) {
            continue;
        }
        let siblings: Vec<&&String> =
            all.iter().filter(|other| directory_of(other) == directory_of(path) && other != &path).collect();
        let Some(whole) = stands_alone(library, path) else { continue };
        done.push(path.as_str());
        let own = stage_of_path(path);
        if default_rank(path).is_some() {
            // A plain file beside one for production is the developers'.
            let sibling_says = |stage| {
                siblings.iter().any(|other| {
                    stage_of_path(other) == Some(stage) && stands_alone(library, other).is_some()
                })
            };
            let stage = own.unwrap_or(if sibling_says(Stage::Production) {
                Stage::Development
            } else {
                Stage::Production
            });
            let mut files = vec![(*path).clone()];
            if let Some(over) = siblings.iter().find(|other| is_default_override(other)) {
                files.push((**over).clone());
            }
            found.push(Found { files, stage, whole });
            continue;
        }
        let stage = own.unwrap_or(Stage::Production);
        let base = base_of(&all, path);
        match base {
            Some(base) if !whole => {
                found.push(Found { files: vec![base, (*path).clone()], stage, whole: true })
            }
            _ => found.push(Found { files: vec![(*path).clone()], stage, whole }),
        }
    }
    found
}

/// The default file of the same directory, or of the one above when this one only holds overrides.
fn base_of(all: &[&String], path: &str) -> Option<String> {
    let directory = directory_of(path);
    let in_directory = |wanted: &str| {
        all.iter()
            .filter(|other| directory_of(other) == wanted && default_rank(other).is_some())
            .min_by_key(|other| default_rank(other))
            .map(|other| (*other).clone())
    };
    in_directory(directory).or_else(|| join(directory, "..").and_then(|above| in_directory(&above)))
}

/// Whether every service of a file has an image or is built; none when it is no Compose file.
fn stands_alone(library: &Library<'_>, path: &str) -> Option<bool> {
    let id = library.open(path)?;
    let root = match yaml::read(library, id) {
        Ok(root) => root,
        // It is shown as unreadable when it is loaded.
        Err(_) => return library.file(id).text.contains("services:").then_some(true),
    };
    let services = root.get("services");
    if services.is_none() {
        return root.get("include").map(|_| true);
    }
    let services = services?.entries();
    if services.is_empty() {
        return None;
    }
    Some(
        services
            .iter()
            .all(|entry| ["image", "build", "extends"].iter().any(|key| entry.value.get(key).is_some())),
    )
}
