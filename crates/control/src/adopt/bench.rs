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

/// The number of the database in an address of Redis; 0 where it names none.
pub(super) fn number(address: &str) -> u16 {
    let rest = address.rsplit("://").next().unwrap_or(address);
    rest.split_once('/').and_then(|(_, number)| number.parse().ok()).unwrap_or_default()
}

/// What holds the cache, and how much of it is emptied.
pub(super) struct Cache {
    pub service: Guess<String>,
    /// The database of the cache and that of the queues, where one service holds both.
    pub shared: Option<(u16, u16)>,
    /// The database of the queues, where it is no common one.
    pub queue: Option<u16>,
}

/// The service that caches. Emptying it must lose no job.
fn cache(facts: &Facts) -> std::result::Result<Cache, Message> {
    let caches = facts.roles.names(Role::Cache);
    let queue = variable(facts, "REDIS_QUEUE");
    let cache = variable(facts, "REDIS_CACHE");
    let is_queue = |name: &str| queue.as_deref().is_some_and(|queue| host(queue) == name);
    let of_queue = queue.as_deref().map(number).filter(|number| *number != 0);
    if let Some(address) = cache.filter(|address| caches.iter().any(|known| known == host(address))) {
        let name = host(&address).to_owned();
        let shared = is_queue(&name).then(|| (number(&address), of_queue.unwrap_or_default()));
        let reason = why("bench-cache").with("service", &name);
        return Ok(Cache { service: Guess::found(name, reason), shared, queue: of_queue });
    }
    let called = caches.iter().find(|name| name.contains("cache") && !is_queue(name));
    called
        .map(|name| {
            let service = Guess::check(name.clone(), why("bench-cache-called").with("service", name));
            Cache { service, shared: None, queue: of_queue }
        })
        .ok_or_else(|| why("bench-cache-none"))
}

/// Says which service caches, and what of it is the cache.
pub(super) fn write_cache(document: &mut Document, cache: &Cache) {
    let service = &cache.service;
    document.set("cache", &text(&service.value), service.certainty, &service.why);
    match cache.shared {
        None => {}
        Some((own, queue)) if own == queue => {
            let reason = why("bench-cache-keeps").with("service", &service.value);
            document.set("cache_keeps_queue", "true", Certainty::Found, &reason);
            if own != 0 {
                document.plain("cache_database", &own.to_string());
            }
        }
        Some((own, queue)) => {
            let reason = why("bench-cache-database").with("service", &service.value).with("queue", queue);
            document.set("cache_database", &own.to_string(), Certainty::Found, &reason);
        }
    }
}

/// Says where the queues are, where that is not what is taken for granted.
pub(super) fn write_queue(document: &mut Document, cache: &Cache) {
    let number = match cache.shared {
        Some((own, queue)) if own == queue => return,
        Some((_, queue)) => queue,
        None => match cache.queue {
            Some(number) => number,
            None => return,
        },
    };
    document.table("frappe.gates");
    if cache.shared.is_some() {
        document.plain("queue", &text(&cache.service.value));
    }
    document.set("queue_database", &number.to_string(), Certainty::Found, &why("bench-queue-database"));
}

/// Services without a profile that migrate at each `up`.
pub(crate) fn migrators(facts: &Facts) -> Vec<String> {
    if facts.app.value != AppKind::Frappe {
        return Vec::new();
    }
    let migrates = |name: &String| {
        let text = facts.images.all_text(name);
        text.contains("bench ") && text.split_whitespace().any(|word| word.starts_with("migrate"))
    };
    facts.roles.names(Role::Once).into_iter().chain(facts.roles.names(Role::Other)).filter(migrates).collect()
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
    write_cache(document, &cache);
    if let Some(name) = configurator(facts) {
        let reason = why("bench-configurator").with("service", &name);
        document.set("configurator", &text(name), Certainty::Found, &reason);
    }
    document.remark(&why("bench-pages"));
    document.line("# pages = [\"/login\"]");
    write_queue(document, &cache);
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
    if let Some(host) = named.as_ref().filter(|host| !facts.project.services.contains_key(*host)) {
        return outside(facts, host, &servers);
    }
    let Some(service) = chosen.map(|name| (*name).clone()) else {
        let problem = match (&named, services.first()) {
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

/// A server that is no service of the project: one of the project's services has to have its client programs, and to run
/// also while a release stops what is of the bench.
fn outside(facts: &Facts, host: &str, clients: &[&String]) -> Result<DatabaseFound> {
    let Some(service) = clients.first() else {
        let problem = why("bench-database-outside").with("host", host);
        let hint = Message::new("adopt-bench-outside-hint").with("host", host);
        return Err(super::database::unsupported(&problem).hint(hint));
    };
    let reason = why("bench-database-client").with("service", service).with("host", host);
    let service = match clients {
        [_] => Guess::found((*service).clone(), reason),
        _ => Guess::check((*service).clone(), reason),
    };
    let port = variable(facts, "DB_PORT").and_then(|port| port.parse().ok());
    Ok(super::database::mariadb_outside(facts, service, (host.to_owned(), port)))
}
