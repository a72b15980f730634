//! Probes: the paths that health checks ask for, routes that look like health, version or CSRF, and lists that anyone
//! may read; asked of the running stack, where it answers.

use serde_json::Value;

use super::document::{Certainty, why};
use super::facts::Facts;
use super::python::urls::{Route, View};
use super::running::{Answer, Asker};
use eclusa_fault::Message;

/// How many lists become probes.
const MOST_LISTS: usize = 3;

const HEALTH: [&str; 18] = [
    "health",
    "healthz",
    "healthcheck",
    "health-check",
    "health_check",
    "ht",
    "livez",
    "readyz",
    "ready",
    "readiness",
    "live",
    "liveness",
    "alive",
    "ping",
    "status",
    "up",
    "heartbeat",
    "__heartbeat__",
];
/// Words of routes that are not asked unbidden: a GET there may do something, or make a file.
const NOT_ASKED: [&str; 33] = [
    "login",
    "logout",
    "signout",
    "signup",
    "register",
    "delete",
    "remove",
    "destroy",
    "send",
    "export",
    "import",
    "run",
    "webhook",
    "callback",
    "pay",
    "payment",
    "payments",
    "refund",
    "sync",
    "token",
    "reset",
    "confirm",
    "activate",
    "unsubscribe",
    "download",
    "print",
    "start",
    "stop",
    "admin",
    "me",
    "debug",
    "refresh",
    "flush",
];

/// A probe, and whether it is written out or commented out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProbeFound {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) json: Vec<(String, String)>,
    pub(crate) contains: Option<String>,
    pub(crate) certainty: Certainty,
    pub(crate) why: Message,
}

/// A path to probe, before it was asked.
struct Candidate {
    name: String,
    path: String,
    why: Message,
    view: View,
    /// It is a probe even if nothing answers now.
    kept: bool,
}

/// Finds the probes.
pub(crate) async fn find(facts: &Facts, routes: &[Route], asker: Option<&Asker>) -> Vec<ProbeFound> {
    let mut candidates = Vec::new();
    by_health_checks(facts, routes, &mut candidates);
    by_routes(facts, routes, &mut candidates);
    let mut found: Vec<ProbeFound> = Vec::new();
    let mut lists = 0;
    for candidate in candidates {
        let list = !candidate.kept;
        if list && lists >= MOST_LISTS {
            continue;
        }
        let answer = match asker {
            Some(asker) => asker.ask(&candidate.path).await,
            None => None,
        };
        // A list that was asked and refused is no probe.
        if list && answer.as_ref().is_some_and(|answer| answer.status != 200) {
            continue;
        }
        lists += usize::from(list);
        let name = unique(&found, &candidate.name);
        found.push(probe(Candidate { name, ..candidate }, answer));
    }
    found
}

fn unique(found: &[ProbeFound], name: &str) -> String {
    let taken = |name: &str| found.iter().any(|probe| probe.name == name);
    (2..)
        .map(|number| format!("{name}-{number}"))
        .find(|other| !taken(other))
        .filter(|_| taken(name))
        .unwrap_or_else(|| name.to_owned())
}

/// Paths in the health checks of the web services, the frontend, and their Dockerfiles.
fn by_health_checks(facts: &Facts, routes: &[Route], candidates: &mut Vec<Candidate>) {
    let frontend = facts.roles.frontend.as_ref().map(|guess| guess.value.clone());
    let mut services = facts.roles.names(super::roles::Role::Web);
    services.extend(frontend);
    for service in services {
        let compose = facts
            .project
            .services
            .get(&service)
            .and_then(|found| found.healthcheck.as_ref())
            .map(|words| words.join(" "));
        let image = facts.images.dockerfile(&service).and_then(|dockerfile| dockerfile.healthcheck.clone());
        for (text, id) in [(compose, "probe-healthcheck"), (image, "probe-healthcheck-image")] {
            let Some(path) = text.as_deref().and_then(url_path) else { continue };
            if candidates.iter().any(|known| known.path == path) {
                continue;
            }
            let view = routes
                .iter()
                .find(|route| route.path == path)
                .map(|route| route.view.clone())
                .unwrap_or_default();
            let reason = why(id).with("service", &service);
            candidates.push(Candidate { name: "health".to_owned(), path, why: reason, view, kept: true });
        }
    }
}

/// The path of the first URL in a command.
fn url_path(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("://")?;
    let end = rest.find(|c: char| c.is_whitespace() || "\"'`);|<>,".contains(c)).unwrap_or(rest.len());
    let url = rest.get(..end)?;
    let path = url.find('/').and_then(|at| url.get(at..)).unwrap_or("/");
    (!path.contains(['$', '{'])).then(|| path.to_owned())
}

fn by_routes(facts: &Facts, routes: &[Route], candidates: &mut Vec<Candidate>) {
    let mut later = Vec::new();
    for route in routes.iter().filter(|route| !route.view.only_writes) {
        if candidates.iter().any(|known: &Candidate| known.path == route.path) {
            continue;
        }
        let parts: Vec<&str> = route.path.split('/').filter(|part| !part.is_empty()).collect();
        let last = parts.last().copied().unwrap_or_default();
        let file = facts.python.as_ref().map(|python| python.shown(&route.file)).unwrap_or_default();
        let reason = |id: &str| why(id).with("file", &file).with("path", &route.path);
        let candidate = |name: &str, id: &str, kept: bool| Candidate {
            name: name.to_owned(),
            path: route.path.clone(),
            why: reason(id),
            view: route.view.clone(),
            kept,
        };
        if HEALTH.contains(&last) {
            // One health check is enough where another was found to be used.
            if !candidates.iter().any(|known| known.name == "health") {
                candidates.push(candidate("health", "probe-route", true));
            }
        } else if last.contains("csrf") || last == "version" {
            let name = if last == "version" { "version" } else { "csrf" };
            candidates.push(candidate(name, "probe-route", true));
        } else if route.path == "/" {
            later.push(candidate("home", "probe-home", false));
        } else if route.view.json.is_some()
            && !route.view.guarded
            && !parts.iter().any(|part| NOT_ASKED.contains(part))
        {
            let open = route.view.open;
            later.push(candidate(&name_of(last), if open { "probe-open" } else { "probe-list" }, false));
        }
    }
    // Those that say that anyone may read them come first.
    later.sort_by_key(|candidate: &Candidate| !candidate.view.open);
    candidates.extend(later);
}

fn name_of(segment: &str) -> String {
    let name: String = segment
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    name.trim_matches('-').to_owned()
}

fn probe(candidate: Candidate, answer: Option<Answer>) -> ProbeFound {
    let Candidate { name, path, why: reason, view, kept } = candidate;
    let mut found = ProbeFound {
        name,
        path,
        status: 200,
        headers: Vec::new(),
        json: Vec::new(),
        contains: None,
        certainty: Certainty::Check,
        why: reason,
    };
    match answer {
        Some(answer) => asked(&mut found, &answer),
        None => {
            if let Some((key, value)) = &view.json {
                found.headers.push(("content-type".to_owned(), "application/json".to_owned()));
                found.json.push((pointer(key), value.clone()));
            }
            found.contains = view.text.clone();
            let says_so = kept || view.open;
            found.certainty = if says_so { Certainty::Check } else { Certainty::Missing };
            found.why = both(&found.why, &why("probe-not-asked"));
        }
    }
    found
}

/// What a running stack answered becomes what is expected.
fn asked(found: &mut ProbeFound, answer: &Answer) {
    found.status = answer.status;
    let mut told = why("probe-asked").with("status", answer.status);
    found.certainty = if answer.status == 200 { Certainty::Found } else { Certainty::Check };
    if (300..400).contains(&answer.status) {
        told = why("probe-redirected").with("status", answer.status).with("location", &answer.location);
    } else if answer.status >= 400 {
        told = why("probe-refused").with("status", answer.status);
        found.certainty = Certainty::Missing;
    }
    found.why = both(&found.why, &told);
    if answer.status != 200 {
        return;
    }
    let kind = answer.content_type.split(';').next().unwrap_or_default().trim();
    if !kind.is_empty() {
        found.headers.push(("content-type".to_owned(), kind.to_owned()));
    }
    match &answer.json {
        Some(Value::Object(object)) => {
            if let Some((key, value)) = object.iter().next() {
                found
                    .json
                    .push((pointer(key), if found.name == "health" { steady(value) } else { String::new() }));
            }
        }
        _ => {
            let body = answer.body.trim();
            let short = !body.is_empty() && body.len() <= 40 && !body.contains(['\n', '<', '"']);
            found.contains = short.then(|| body.to_owned());
        }
    }
}

/// The value of a health answer that is the same the next time: a word or a truth, no number.
fn steady(value: &Value) -> String {
    match value {
        Value::String(text) if text.len() <= 20 && text.chars().all(char::is_alphabetic) => text.clone(),
        Value::Bool(truth) => truth.to_string(),
        _ => String::new(),
    }
}

fn pointer(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Two reasons as one.
fn both(first: &Message, second: &Message) -> Message {
    let english = eclusa_fault::Language::default();
    Message::verbatim(format!("{}; {}", first.render(&english), second.render(&english)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_url_in_a_command() {
        assert_eq!(url_path("curl -f http://localhost:8000/up || exit 1").as_deref(), Some("/up"));
        assert_eq!(url_path("urlopen('http://127.0.0.1/healthz/', timeout=3)").as_deref(), Some("/healthz/"));
        assert_eq!(url_path("wget http://localhost").as_deref(), Some("/"));
        assert_eq!(url_path("curl http://localhost/$PATH"), None);
        assert_eq!(url_path("pg_isready"), None);
    }
}
