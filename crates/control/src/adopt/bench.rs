//! A bench on Compose, as the official layout of Frappe has it and its variants: which services run its parts, where it
//! lies, what caches for it, and how its database is reached.

use eclusa_config::FrappeTable;
use eclusa_fault::{Code, Fault, Language, Message, Result};
use eclusa_model::AppKind;
use eclusa_runtime_docker::inspect::{ProjectModel, ServiceModel, VariableModel};

use super::Certainty;
use super::database::DatabaseFound;
use super::document::{Document, Guess, text, why};
use super::facts::Facts;
use super::image::Images;
use super::roles::Role;

/// What the path of a bench's sites ends with.
const SITES: &str = "/sites";

/// The bench's directory, where a service has its sites mounted.
fn directory_of(service: &ServiceModel) -> Option<&str> {
    let targets = service.mounts.iter().map(|mount| mount.target.trim_end_matches('/'));
    targets.filter_map(|target| target.strip_suffix(SITES)).find(|target| target.contains("bench"))
}

/// Whether a service is of a bench: by its image, or by the sites that are mounted in it.
fn is_of_bench(service: &ServiceModel) -> bool {
    let image = service.image.as_deref().unwrap_or_default().to_lowercase();
    ["frappe", "erpnext"].iter().any(|word| image.contains(word)) || directory_of(service).is_some()
}

/// The service by which a project is known to be a bench: one that has the sites and begins a part of it.
pub(crate) fn recognise(project: &ProjectModel, images: &Images) -> Option<String> {
    let begins = |name: &str| {
        let command = images.command(name);
        ["bench ", "nginx-entrypoint", "socketio", "frappe.app"].iter().any(|word| command.contains(word))
    };
    let mut found = project.services.iter().filter(|(_, service)| is_of_bench(service));
    found.find(|(name, _)| begins(name)).map(|(name, _)| name.clone())
}

/// What a service of a bench does, by its command; `None` when it is none, or its command says nothing.
pub(crate) fn role(
    name: &str,
    service: &ServiceModel,
    words: &[String],
    restarts: bool,
) -> Option<Guess<Role>> {
    if !is_of_bench(service) {
        return None;
    }
    let has = |word: &str| words.iter().any(|found| found == word);
    let found =
        |role, word: &str| Guess::found(role, why("role-command").with("service", name).with("word", word));
    if words.is_empty() {
        return Some(Guess::found(Role::Web, why("role-bench-default").with("service", name)));
    }
    if has("nginx-entrypoint.sh") || has("nginx-entrypoint") {
        return Some(found(Role::Frontend, "nginx-entrypoint.sh"));
    }
    if has("socketio.js") || (has("bench") && has("websocket")) {
        return Some(found(Role::Web, "socketio"));
    }
    if words.iter().any(|word| word.starts_with("configure.")) || (has("apps.txt") && has("set-config")) {
        return Some(found(Role::Once, "the configurator"));
    }
    if !has("bench") {
        return None;
    }
    let known = [
        ("worker", Role::Worker),
        ("worker-pool", Role::Worker),
        ("schedule", Role::Scheduler),
        ("serve", Role::Web),
    ];
    let direct = words.iter().zip(words.iter().skip(1)).filter(|(word, _)| *word == "bench");
    for (_, command) in direct {
        if let Some((word, role)) = known.iter().find(|(word, _)| word == command) {
            return Some(found(*role, &format!("bench {word}")));
        }
    }
    // Everything else that bench does ends by itself: `new-site`, `migrate`, `backup`.
    let reason = why("role-bench-once").with("service", name);
    Some(if restarts { Guess::check(Role::Other, reason) } else { Guess::found(Role::Once, reason) })
}

/// Whether a service is the bench's side for browsers that wait for news, which answers no other request.
pub(crate) fn is_websocket(images: &Images, service: &str) -> bool {
    let command = images.command(service);
    command.contains("socketio") || command.contains("websocket")
}

/// The service that writes the bench's configuration at each start.
pub(crate) fn configurator(facts: &Facts) -> Option<String> {
    if facts.app.value != AppKind::Frappe {
        return None;
    }
    let once = facts.roles.names(Role::Once);
    let writes = |name: &String| {
        let text = facts.images.all_text(name);
        text.contains("configure.") || (text.contains("apps.txt") && text.contains("set-config"))
    };
    once.into_iter().find(writes)
}

/// The host of an address such as `redis://redis-cache:6379`.
fn host(address: &str) -> &str {
    let rest = address.rsplit("://").next().unwrap_or(address);
    let rest = rest.rsplit('@').next().unwrap_or(rest);
    rest.split([':', '/']).next().unwrap_or(rest)
}

/// A variable of any service of the bench.
fn variable(facts: &Facts, name: &str) -> Option<String> {
    facts.project.services.values().find_map(|service| match service.environment.get(name)? {
        VariableModel::Plain(value) => Some(value.clone()),
        VariableModel::Secret | VariableModel::Empty => None,
    })
}

/// The service that caches, and that is not the queues' too: emptying it must lose no job.
fn cache(facts: &Facts) -> std::result::Result<Guess<String>, Message> {
    let caches = facts.roles.names(Role::Cache);
    let of = |name: &str| variable(facts, name).map(|value| host(&value).to_owned());
    let queue = of("REDIS_QUEUE");
    let named = of("REDIS_CACHE").filter(|host| caches.contains(host));
    if let Some(name) = named {
        if queue.as_deref() == Some(&name) {
            return Err(why("bench-cache-is-queue").with("service", name));
        }
        let reason = why("bench-cache").with("service", &name);
        return Ok(Guess::found(name, reason));
    }
    let called = caches.iter().find(|name| name.contains("cache") && queue.as_deref() != Some(name.as_str()));
    called
        .map(|name| Guess::check(name.clone(), why("bench-cache-called").with("service", name)))
        .ok_or_else(|| why("bench-cache-none"))
}

/// Writes the bench's own table.
///
/// # Errors
/// `AdoptUnknown` when no service caches for the bench alone: no release can do without emptying its cache.
pub(crate) fn write(document: &mut Document, facts: &Facts) -> Result<()> {
    let cache = cache(facts).map_err(|problem| {
        Fault::new(Code::AdoptUnknown)
            .with("path", facts.files.first().map(|file| facts.shown(file)).unwrap_or_default())
            .with("problem", problem.render(&Language::default()))
            .hint(Message::new("adopt-bench-cache-hint"))
    })?;
    document.table("frappe");
    let web = facts.web().and_then(|web| facts.project.services.get(web));
    match web.and_then(directory_of) {
        Some(path) => document.set("bench", &text(path), Certainty::Found, &why("bench-directory")),
        None => document.set(
            "bench",
            &text(FrappeTable::default().bench),
            Certainty::Check,
            &why("bench-directory-guess"),
        ),
    }
    document.set("cache", &text(&cache.value), cache.certainty, &cache.why);
    if let Some(name) = configurator(facts) {
        let reason = why("bench-configurator").with("service", &name);
        document.set("configurator", &text(name), Certainty::Found, &reason);
    }
    document.remark(&why("bench-pages"));
    document.line("# pages = [\"/login\"]");
    document.entry("probes", "login", Certainty::Found, &why("bench-probe"));
    document.plain("name", &text("login"));
    document.plain("path", &text("/login"));
    let websocket = facts.roles.names(Role::Web).into_iter().find(|name| is_websocket(&facts.images, name));
    if let Some(service) = websocket {
        let reason = why("bench-websocket").with("service", service);
        document.entry("probes", "websocket", Certainty::Found, &reason);
        document.plain("name", &text("websocket"));
        document.plain("path", &text("/socket.io/?EIO=4&transport=polling"));
        document.plain("contains", &text("\"sid\""));
    }
    Ok(())
}

/// The MariaDB server of a bench.
///
/// # Errors
/// `DatabaseUnsupported` when no service of the project is one.
pub(crate) fn database(facts: &Facts) -> Result<DatabaseFound> {
    let services = facts.roles.names(Role::Database);
    let servers: Vec<&String> =
        services.iter().filter(|name| facts.image(name).contains("mariadb")).collect();
    let named = variable(facts, "DB_HOST");
    let chosen = match &named {
        Some(host) => servers.iter().find(|name| **name == host),
        None => servers.first(),
    };
    let Some(service) = chosen.map(|name| (*name).clone()) else {
        let problem = match (&named, services.first()) {
            (Some(host), _) if !facts.project.services.contains_key(host) => {
                why("bench-database-outside").with("host", host)
            }
            (_, Some(other)) => {
                why("bench-database-other").with("service", other).with("image", facts.image(other))
            }
            (_, None) => why("bench-database-none"),
        };
        return Err(super::database::unsupported(&problem));
    };
    let reason = why("database-service").with("service", &service).with("image", facts.image(&service));
    let certain = servers.len() == 1 || named.as_deref() == Some(&service);
    let guess = if certain { Guess::found(service, reason) } else { Guess::check(service, reason) };
    Ok(super::database::mariadb(facts, guess))
}
