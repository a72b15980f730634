//! What each service does, by its image, its command and its published ports.

use std::collections::BTreeMap;

use eclusa_fault::Message;
use eclusa_runtime_docker::inspect::{ProjectModel, ServiceModel};

use super::bench;
use super::document::{Certainty, Guess, why};
use super::image::Images;
use super::written::Written;

/// What a service does, as far as it was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Frontend,
    Web,
    Worker,
    Scheduler,
    Database,
    Cache,
    /// It does something once and ends.
    Once,
    Other,
}

/// The roles of a project.
#[derive(Debug, Default)]
pub(crate) struct Roles {
    pub(crate) of: BTreeMap<String, Guess<Role>>,
    /// What the public reaches.
    pub(crate) frontend: Option<Guess<String>>,
    /// The service whose command migrates before it serves, if one does.
    pub(crate) migrates_itself: Option<String>,
}

impl Roles {
    /// The services of a role in the order of their names, with the least sure reason.
    pub(crate) fn of_role(&self, role: Role) -> Vec<(&str, &Guess<Role>)> {
        self.of
            .iter()
            .filter(|(_, guess)| guess.value == role)
            .map(|(name, guess)| (name.as_str(), guess))
            .collect()
    }

    pub(crate) fn names(&self, role: Role) -> Vec<String> {
        self.of_role(role).into_iter().map(|(name, _)| name.to_owned()).collect()
    }

    /// Whether a service runs the application's code.
    pub(crate) fn runs_code(&self, name: &str) -> bool {
        self.of.get(name).is_some_and(|guess| {
            matches!(guess.value, Role::Web | Role::Worker | Role::Scheduler | Role::Once)
        })
    }
}

const FRONTENDS: [&str; 8] =
    ["nginx", "caddy", "traefik", "haproxy", "httpd", "openresty", "envoy", "apache"];
const DATABASES: [&str; 12] = [
    "postgres",
    "postgresql",
    "postgis",
    "timescaledb",
    "pgvector",
    "mysql",
    "mariadb",
    "percona",
    "mongo",
    "mssql",
    "oracle",
    "cockroach",
];
const CACHES: [&str; 8] =
    ["redis", "valkey", "memcached", "keydb", "dragonfly", "rabbitmq", "nats", "kvrocks"];
const SERVERS: [&str; 11] = [
    "gunicorn",
    "uwsgi",
    "daphne",
    "uvicorn",
    "hypercorn",
    "granian",
    "waitress-serve",
    "runserver",
    "mod_wsgi-express",
    "puma",
    "php-fpm",
];
const WORKERS: [&str; 13] = [
    "rq",
    "rqworker",
    "dramatiq",
    "rundramatiq",
    "huey",
    "huey_consumer",
    "huey_consumer.py",
    "run_huey",
    "qcluster",
    "db_worker",
    "process_tasks",
    "sidekiq",
    "arq",
];
const SCHEDULERS: [&str; 7] =
    ["rqscheduler", "supercronic", "crond", "cron", "rundramatiqscheduler", "run_scheduler", "scheduler"];
const REPEATING: [&str; 6] = ["--every", "--interval", "--loop", "--sleep", "--daemon", "--forever"];
/// Management commands that end by themselves.
const ONCE: [&str; 8] = [
    "migrate",
    "collectstatic",
    "loaddata",
    "createsuperuser",
    "compilemessages",
    "compress",
    "check",
    "createcachetable",
];

/// The last part of an image's name, without tag and digest: `postgres` of `docker.io/library/postgres:15`.
fn image_name(image: &str) -> &str {
    let bare = image.split('@').next().unwrap_or(image);
    let last = bare.rsplit('/').next().unwrap_or(bare);
    last.split(':').next().unwrap_or(last)
}

fn image_is(image: &str, words: &[&'static str]) -> Option<&'static str> {
    let name = image_name(image).to_lowercase();
    let parts: Vec<&str> = name.split(['-', '_', '.']).collect();
    words.iter().copied().find(|word| {
        parts.iter().any(|part| part == word || part.trim_end_matches(char::is_numeric) == *word)
    })
}

/// The words of a command, also those inside `sh -c "…"`, by the last part of each path.
fn tokens(text: &str) -> Vec<String> {
    text.split(|c: char| c.is_whitespace() || ";&|()\"'`=".contains(c))
        .filter(|word| !word.is_empty())
        .map(|word| word.rsplit('/').next().unwrap_or(word).to_lowercase())
        .collect()
}

/// Finds the roles.
pub(crate) fn find(project: &ProjectModel, written: &Written, images: &Images) -> Roles {
    let mut roles = Roles::default();
    for (name, service) in &project.services {
        let restarts = written.services.get(name).is_none_or(|service| service.restarts);
        let guess = one(name, service, restarts, images);
        roles.of.insert(name.clone(), guess);
        if roles.migrates_itself.is_none()
            && roles.of.get(name).is_some_and(|guess| guess.value == Role::Web)
            && images.all_text(name).contains("manage.py migrate")
        {
            roles.migrates_itself = Some(name.clone());
        }
    }
    adjust(project, &mut roles);
    roles.frontend = frontend(project, &mut roles);
    roles
}

fn one(name: &str, service: &ServiceModel, restarts: bool, images: &Images) -> Guess<Role> {
    let image = service.image.as_deref().unwrap_or_default();
    let command = images.command(name);
    let by_image =
        |word: &str| why("role-image").with("service", name).with("image", image).with("word", word);
    if service.build.is_none() {
        for (words, role) in
            [(&DATABASES[..], Role::Database), (&CACHES[..], Role::Cache), (&FRONTENDS[..], Role::Frontend)]
        {
            if let Some(word) = image_is(image, words) {
                return Guess::found(role, by_image(word));
            }
        }
    }
    if let Some(guess) = bench::role(name, service, &tokens(&command), restarts) {
        return guess;
    }
    let direct = by_command(name, &tokens(&command), restarts);
    if direct.value != Role::Other {
        return direct;
    }
    // A start script's own text, where the command itself says nothing.
    let script = images.script(name);
    if !script.is_empty() {
        let guess = by_command(name, &tokens(&script), restarts);
        if guess.value != Role::Other {
            return Guess { certainty: Certainty::Check, ..guess };
        }
    }
    if let Some(base) = images.dockerfile(name).and_then(|dockerfile| image_in(&dockerfile.text)) {
        return Guess::found(Role::Frontend, why("role-base").with("service", name).with("word", base));
    }
    direct
}

/// The frontend that a Dockerfile's last stage is made from.
fn image_in(dockerfile: &str) -> Option<&'static str> {
    let from =
        dockerfile.lines().rfind(|line| line.trim_start().to_ascii_uppercase().starts_with("FROM "))?;
    image_is(from.split_whitespace().nth(1)?, &FRONTENDS)
}

fn by_command(name: &str, tokens: &[String], restarts: bool) -> Guess<Role> {
    let has = |word: &str| tokens.iter().any(|token| token == word);
    let of = |words: &[&str]| words.iter().find(|word| has(word)).map(|word| (*word).to_owned());
    let found =
        |role, word: &str| Guess::found(role, why("role-command").with("service", name).with("word", word));
    if has("celery") {
        return match () {
            () if has("worker") => found(Role::Worker, "celery worker"),
            () if has("beat") => found(Role::Scheduler, "celery beat"),
            () => found(Role::Other, "celery"),
        };
    }
    // An application may begin its scheduler before its server, in one start script.
    if let Some(word) = of(&SERVERS) {
        return found(Role::Web, &word);
    }
    if let Some(word) = of(&WORKERS) {
        return found(Role::Worker, &word);
    }
    if let Some(word) = of(&SCHEDULERS) {
        return found(Role::Scheduler, &word);
    }
    let managed = tokens.iter().position(|token| token == "manage.py" || token == "django-admin");
    let Some(command) = managed.and_then(|at| tokens.get(at + 1)) else {
        return Guess::check(Role::Other, why("role-unknown").with("service", name));
    };
    if ONCE.contains(&command.as_str()) {
        return found(Role::Once, &format!("manage.py {command}"));
    }
    let repeating = of(&REPEATING).is_some()
        || ["cron", "sched", "remind", "beat", "timer"].iter().any(|word| command.contains(word));
    let reason = |id: &str| why(id).with("service", name).with("word", command);
    match (repeating, restarts) {
        (true, _) => Guess::check(Role::Scheduler, reason("role-repeating")),
        (false, true) => Guess::check(Role::Worker, reason("role-management")),
        (false, false) => Guess::found(Role::Once, reason("role-once")),
    }
}

/// What only the whole project shows: code that runs under no known server, and the same image as another's.
fn adjust(project: &ProjectModel, roles: &mut Roles) {
    if !roles.names(Role::Web).is_empty() {
        return;
    }
    // Without a known server, what is built here and publishes a port or stands behind the frontend serves.
    let behind: Vec<&String> = project
        .services
        .iter()
        .filter(|(name, _)| roles.of.get(*name).is_some_and(|guess| guess.value == Role::Frontend))
        .flat_map(|(_, service)| &service.depends_on)
        .collect();
    let candidates: Vec<String> = project
        .services
        .iter()
        .filter(|(name, _)| roles.of.get(*name).is_some_and(|guess| guess.value == Role::Other))
        .filter(|(name, service)| behind.contains(name) || !service.ports.is_empty())
        .map(|(name, _)| name.clone())
        .collect();
    for name in candidates {
        let reason = why("role-serves").with("service", &name);
        roles.of.insert(name, Guess::check(Role::Web, reason));
    }
}

fn frontend(project: &ProjectModel, roles: &mut Roles) -> Option<Guess<String>> {
    let publishes = |name: &str| project.services.get(name).is_some_and(|service| !service.ports.is_empty());
    let ports = |name: &str| -> String {
        let ports = project.services.get(name).into_iter().flat_map(|service| &service.ports);
        ports.map(|port| port.published.clone()).collect::<Vec<_>>().join(", ")
    };
    let fronts = roles.names(Role::Frontend);
    let chosen = fronts.iter().find(|name| publishes(name)).or_else(|| fronts.first()).cloned();
    let result = match chosen {
        Some(name) if publishes(&name) => {
            let reason = why("frontend-proxy").with("service", &name).with("ports", ports(&name));
            Some(Guess::found(name, reason))
        }
        Some(name) => {
            let reason = why("frontend-unpublished").with("service", &name);
            Some(Guess::check(name, reason))
        }
        None => {
            let webs = roles.names(Role::Web);
            webs.iter().find(|name| publishes(name)).or_else(|| webs.first()).map(|name| {
                if publishes(name) {
                    Guess::found(
                        name.clone(),
                        why("frontend-web").with("service", name).with("ports", ports(name)),
                    )
                } else {
                    Guess::check(name.clone(), why("frontend-unpublished").with("service", name))
                }
            })
        }
    };
    // Only one service can be the frontend; others of its kind are left alone.
    for name in fronts {
        if result.as_ref().is_some_and(|guess| guess.value != name) {
            roles.of.insert(
                name.clone(),
                Guess::check(Role::Other, why("role-second-frontend").with("service", &name)),
            );
        }
    }
    result
}

/// The reasons of several services as one line: the first that is a guess, or all of them.
pub(crate) fn together(guesses: &[(&str, &Guess<Role>)]) -> (Certainty, Message) {
    let unsure = guesses.iter().find(|(_, guess)| guess.certainty == Certainty::Check);
    let certainty = if unsure.is_some() { Certainty::Check } else { Certainty::Found };
    let english = eclusa_fault::Language::default();
    let reasons: Vec<String> = guesses.iter().map(|(_, guess)| guess.why.render(&english)).collect();
    (certainty, Message::verbatim(reasons.join("; ")))
}
