//! The file itself, table by table, from what was found.

use std::path::PathBuf;

use eclusa_fault::{Message, Result};
use eclusa_model::AppKind;
use eclusa_runtime_docker::inspect::inspect_project;

use super::data::{FilesAt, FilesFound};
use super::database::DatabaseFound;
use super::document::{Document, Guess, list, text, texts, why};
use super::facts::Facts;
use super::python::settings::Settings;
use super::python::urls::{Route, routes};
use super::roles::{Role, together};
use super::running::Asker;
use super::{
    Certainty, Note, Surroundings, Wanted, commands, data, database, environment, override_path, probes,
    release,
};

/// Where a free port for the side door is looked for, and how far.
const SIDE_DOORS: std::ops::Range<u16> = 18080..18180;

/// Writes the text, with the reason of each value.
pub(crate) async fn write(
    stack: &str,
    wanted: &Wanted,
    facts: &Facts,
    surroundings: &Surroundings,
) -> Result<(String, Vec<Note>)> {
    let settings = facts.settings();
    let hints = settings.as_ref().map(Settings::database).unwrap_or_default();
    let found = database::find(facts, &hints)?;
    let further = match &found {
        DatabaseFound::Postgresql { further, .. } | DatabaseFound::Mariadb { further, .. } => further.clone(),
        DatabaseFound::Sqlite { .. } => Vec::new(),
    };
    let allowed = settings.as_ref().and_then(|settings| settings.words("ALLOWED_HOSTS"));
    let domains = data::domains(facts, allowed);
    let all_routes = settings.as_ref().map(|settings| routes_of(facts, settings)).unwrap_or_default();
    let asker = asker(facts, &domains.value);
    let bench = facts.app.value == AppKind::Frappe;
    let probes = match bench {
        true => Vec::new(),
        false => probes::find(facts, &all_routes, asker.as_ref()).await,
    };

    let mut document = Document::new(stack, &wanted.language);
    head(&mut document, facts);
    own(&mut document, facts, settings.as_ref(), &domains, &further);
    compose(&mut document, facts, &further, surroundings).await;
    services(&mut document, facts);
    release::write(&mut document, facts, surroundings.host.as_ref()).await;
    write_database(&mut document, facts, &found);
    if bench {
        // The sites bring their own files and names, and bench its own commands.
        edge(&mut document, facts, surroundings);
        super::bench::write(&mut document, facts)?;
    } else {
        files(&mut document, facts, settings.as_ref());
        let (manage, known) = commands::write(&mut document, facts, settings.as_ref(), &hints);
        edge(&mut document, facts, surroundings);
        write_probes(&mut document, &probes);
        commands::write_checks(&mut document, &manage, &known);
    }
    preflight(&mut document, facts);
    defaults(&mut document);
    Ok(document.finish())
}

fn routes_of(facts: &Facts, settings: &Settings<'_>) -> Vec<Route> {
    let root = settings
        .assigned("ROOT_URLCONF")
        .and_then(|(value, _)| super::python::source::strings(value).into_iter().next());
    match (&facts.python, root) {
        (Some(python), Some(root)) => routes(python, &root),
        _ => Vec::new(),
    }
}

/// Asks the frontend at the port that it publishes, while the project runs.
fn asker(facts: &Facts, domains: &[String]) -> Option<Asker> {
    let frontend = &facts.roles.frontend.as_ref()?.value;
    if !facts.containers.run() {
        return None;
    }
    let port = facts.project.services.get(frontend)?.ports.first()?;
    let address = match port.host_ip.as_str() {
        "" | "0.0.0.0" | "::" => "127.0.0.1",
        other => other,
    };
    let number: u16 = port.published.parse().ok()?;
    let domain = domains.first().cloned().unwrap_or_else(|| "localhost".to_owned());
    Asker::new(format!("http://{address}:{number}"), domain)
}

fn head(document: &mut Document, facts: &Facts) {
    let files: Vec<String> = facts.files.iter().map(|file| facts.shown(file)).collect();
    document.remark(&Message::new("adopt-head").with("files", files.join(" ")));
    document.remark(&Message::new("adopt-head-labels"));
    document.remark(&Message::new("adopt-head-keys"));
    document.line("version = 1");
}

fn own(
    document: &mut Document,
    facts: &Facts,
    settings: Option<&Settings<'_>>,
    domains: &Guess<Vec<String>>,
    further: &[PathBuf],
) {
    document.table("");
    let app = match facts.app.value {
        AppKind::Django => "django",
        AppKind::Frappe => "frappe",
        AppKind::Generic => "generic",
    };
    document.set("app", &text(app), facts.app.certainty, &facts.app.why);
    document.plain("runtime", &text("compose"));
    let stage = stage(facts, settings);
    document.set("environment", &text(&stage.value), stage.certainty, &stage.why);
    let configuration = data::configuration(facts, further);
    if !configuration.is_empty() {
        document.set("configuration", &list(&configuration), Certainty::Found, &why("configuration"));
    }
    if facts.app.value != AppKind::Frappe {
        document.set("domains", &list(&domains.value), domains.certainty, &domains.why);
    }
}

/// Whether the stack is production: what its environment, its settings and its files are called.
fn stage(facts: &Facts, settings: Option<&Settings<'_>>) -> Guess<String> {
    const NAMES: [&str; 8] = [
        "DJANGO_ENV",
        "ENVIRONMENT",
        "APP_ENV",
        "DEPLOY_ENV",
        "DEPLOYMENT",
        "STAGE",
        "ENV",
        "DJANGO_ENVIRONMENT",
    ];
    let word = |text: &str| {
        let text = text.to_lowercase();
        if text.contains("prod") {
            Some("production")
        } else {
            ["staging", "stage", "test", "dev", "demo"]
                .iter()
                .any(|word| text.contains(word))
                .then_some("staging")
        }
    };
    let variables = facts.web_environment();
    for name in NAMES {
        if let Some(stage) = variables.get(name).and_then(|value| word(value)) {
            return Guess::found(stage.to_owned(), why("stage-variable").with("variable", name));
        }
    }
    let module = settings.map(|settings| settings.module.clone()).filter(|module| word(module).is_some());
    if let Some(module) = module {
        return Guess::found(
            word(&module).unwrap_or("production").to_owned(),
            why("stage-module").with("module", module),
        );
    }
    let names = facts.files.iter().chain(&facts.env_files.value);
    let named = names.filter_map(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    for name in named {
        if let Some(stage) = word(&name) {
            return Guess::check(stage.to_owned(), why("stage-file").with("file", name));
        }
    }
    Guess::check("production".to_owned(), why("stage-default"))
}

async fn compose(document: &mut Document, facts: &Facts, further: &[PathBuf], surroundings: &Surroundings) {
    document.table("compose");
    let files: Vec<String> = facts.files.iter().map(|file| facts.shown(file)).collect();
    document.plain("files", &list(&files));
    let project = text(&facts.project.name);
    match facts.containers.projects.len() {
        0 => document.set("project", &project, Certainty::Found, &why("project-files")),
        1 => document.set("project", &project, Certainty::Found, &why("project-running")),
        _ => {
            let reason = why("project-several").with("projects", facts.containers.projects.join(", "));
            document.set("project", &project, Certainty::Check, &reason);
        }
    }
    // Further files come first, so that those of Compose still win.
    let env_files: Vec<PathBuf> = further.iter().chain(&facts.env_files.value).cloned().collect();
    let shown: Vec<String> = env_files.iter().map(|file| facts.shown(file)).collect();
    if env_files.is_empty() {
        document.missing("env_files", &list(&[".env.production"]), &facts.env_files.why);
    } else {
        document.set("env_files", &list(&shown), facts.env_files.certainty, &facts.env_files.why);
    }
    if !further.is_empty() {
        let names: Vec<String> = further.iter().map(|file| facts.shown(file)).collect();
        document.warn("env_files", &why("env-further").with("files", names.join(", ")));
        let again =
            inspect_project(&facts.files, &env_files, &facts.directory, surroundings.host.clone()).await;
        let same = again.is_ok_and(|model| model.services == facts.project.services);
        if !same {
            document.warn("env_files", &why("env-further-changes"));
        }
    }
    if facts.containers.portainer {
        document.warn("files", &why("portainer").with("project", &facts.project.name));
    }
    document.remark(&why("override"));
    document.plain("override", &text(override_path(facts)));
}

fn services(document: &mut Document, facts: &Facts) {
    document.table("services");
    match &facts.roles.frontend {
        Some(frontend) => document.set("frontend", &text(&frontend.value), frontend.certainty, &frontend.why),
        None => document.missing("frontend", &text("nginx"), &why("frontend-none")),
    }
    for (key, role, needed) in
        [("web", Role::Web, true), ("workers", Role::Worker, false), ("schedulers", Role::Scheduler, false)]
    {
        let found = facts.roles.of_role(role);
        if found.is_empty() {
            if needed {
                document.missing(key, &list(&["web"]), &why("web-none"));
            }
            continue;
        }
        let names: Vec<&str> = found.iter().map(|(name, _)| *name).collect();
        let (certainty, reason) = together(&found);
        document.set(key, &list(&names), certainty, &reason);
    }
    let database = facts.roles.of_role(Role::Database);
    if let Some((name, guess)) = database.first() {
        document.set("database", &text(name), guess.certainty, &guess.why);
    }
    let caches = facts.roles.of_role(Role::Cache);
    if !caches.is_empty() {
        let names: Vec<&str> = caches.iter().map(|(name, _)| *name).collect();
        let (certainty, reason) = together(&caches);
        document.set("caches", &list(&names), certainty, &reason);
    }
    if let Some(web) = facts.web() {
        document.set("migrate_in", &text(web), Certainty::Found, &why("migrate-in").with("service", web));
    }
    let configurator = super::bench::configurator(facts);
    let mut alone: Vec<(&str, &Guess<Role>)> =
        facts.roles.of_role(Role::Other).into_iter().chain(facts.roles.of_role(Role::Once)).collect();
    alone.retain(|(name, _)| configurator.as_deref() != Some(*name));
    let migrators = super::bench::migrators(facts);
    if !migrators.is_empty() {
        let names: Vec<&str> = migrators.iter().map(String::as_str).collect();
        let reason = why("bench-migrator").with("services", migrators.join(", "));
        document.set("once", &list(&names), Certainty::Check, &reason);
        alone.retain(|(name, _)| !migrators.iter().any(|migrator| migrator == name));
    }
    if !alone.is_empty() {
        let names: Vec<&str> = alone.iter().map(|(name, _)| *name).collect();
        document.warn("others", &why("services-alone").with("services", names.join(", ")));
    }
}

fn write_database(document: &mut Document, facts: &Facts, found: &DatabaseFound) {
    document.table("database");
    document.plain("engine", &found.engine());
    match found {
        DatabaseFound::Postgresql { service, name, user, password, .. } => {
            document.set("service", &text(&service.value), service.certainty, &service.why);
            document.set("name", &text(&name.value), name.certainty, &name.why);
            document.set("user", &text(&user.value), user.certainty, &user.why);
            write_password(document, password, "env:POSTGRES_PASSWORD");
            let others = facts.roles.names(Role::Database).into_iter().filter(|name| *name != service.value);
            let others: Vec<String> = others.collect();
            if !others.is_empty() {
                document.warn("service", &why("database-several").with("others", others.join(", ")));
            }
        }
        DatabaseFound::Mariadb { service, outside, password, .. } => {
            document.set("service", &text(&service.value), service.certainty, &service.why);
            if let Some((host, port)) = outside {
                document.set("host", &text(host), Certainty::Found, &why("bench-outside-host"));
                document.plain("port", &port.unwrap_or(3306).to_string());
            }
            write_password(document, password, "env:MARIADB_ROOT_PASSWORD");
        }
        DatabaseFound::Sqlite { path } => document.set("path", &text(&path.value), path.certainty, &path.why),
    }
}

/// The reference to a password, or how one is written.
fn write_password(
    document: &mut Document,
    password: &std::result::Result<Guess<String>, Message>,
    example: &str,
) {
    match password {
        Ok(password) => document.set("password", &text(&password.value), password.certainty, &password.why),
        Err(reason) => document.missing("password", &text(example), reason),
    }
}

fn files(document: &mut Document, facts: &Facts, settings: Option<&Settings<'_>>) {
    let media = settings.and_then(|settings| settings.path("MEDIA_ROOT"));
    let fixed = settings.and_then(|settings| settings.path("STATIC_ROOT"));
    let (found, odd) = data::files(facts, media.as_deref(), fixed.as_deref());
    for reason in &odd {
        document.warn("files", reason);
    }
    for Guess { value: FilesFound { name, place }, certainty, why } in &found {
        document.entry("files", name, *certainty, why);
        document.plain("name", &text(name));
        match place {
            FilesAt::Service { service, path } => {
                document.plain("service", &text(service));
                document.plain("path", &text(path));
            }
            FilesAt::Directory(path) => document.plain("directory", &text(facts.shown(path))),
        }
    }
    if found.is_empty() {
        let reason = match &media {
            Some(path) => why("files-unmounted").with("path", path),
            None => why("files-none"),
        };
        let service = facts.web().unwrap_or("web");
        let path = media.unwrap_or_else(|| "/app/media".to_owned());
        document.commented_entry(
            "files",
            "media",
            &reason,
            &[("name", text("media")), ("service", text(service)), ("path", text(path))],
        );
    }
}

fn edge(document: &mut Document, facts: &Facts, surroundings: &Surroundings) {
    document.table("edge");
    let ports = facts
        .roles
        .frontend
        .as_ref()
        .and_then(|guess| facts.project.services.get(&guess.value))
        .map(|service| service.ports.as_slice())
        .unwrap_or_default();
    match ports {
        [] => document.set("enabled", "false", Certainty::Check, &why("edge-no-port")),
        [first, rest @ ..] => {
            document.plain("enabled", "true");
            document.remark(&why("edge-port").with("port", &first.published));
            document.line(&format!(
                "# public_port = {}",
                if first.published.is_empty() { "80" } else { &first.published }
            ));
            if let Some(tls) = rest.iter().chain([first]).find(|port| port.target == 443) {
                document.warn("public_port", &why("edge-tls").with("port", &tls.published));
            }
        }
    }
    let published = |port: u16| {
        let mut all = facts.project.services.values().flat_map(|service| &service.ports);
        all.any(|found| found.published == port.to_string())
    };
    let free = SIDE_DOORS.clone().find(|port| !published(*port) && (surroundings.port_is_free)(*port));
    match free {
        Some(port) => {
            let reason = if port == SIDE_DOORS.start {
                why("side-door")
            } else {
                why("side-door-moved").with("taken", SIDE_DOORS.start)
            };
            document.set("side_door", &port.to_string(), Certainty::Found, &reason);
        }
        None => document.missing("side_door", "18080", &why("side-door-none")),
    }
    document.remark(&why("edge-page"));
    document.line(&format!(
        "# message = {}",
        text("We are updating the system. Please try again in a few minutes.")
    ));
}

fn write_probes(document: &mut Document, probes: &[probes::ProbeFound]) {
    if probes.iter().all(|probe| probe.certainty == Certainty::Missing) {
        document.line("");
        document.warn("probes", &why("probes-none"));
    }
    for probe in probes {
        let mut lines = vec![("name", text(&probe.name)), ("path", text(&probe.path))];
        if probe.status != 200 {
            lines.push(("status", probe.status.to_string()));
        }
        if !probe.headers.is_empty() {
            lines.push(("headers", texts(&probe.headers)));
        }
        if !probe.json.is_empty() {
            lines.push(("json", texts(&probe.json)));
        }
        if let Some(contains) = &probe.contains {
            lines.push(("contains", text(contains)));
        }
        if probe.certainty == Certainty::Missing {
            document.commented_entry("probes", &probe.name, &probe.why, &lines);
            continue;
        }
        document.entry("probes", &probe.name, probe.certainty, &probe.why);
        for (key, value) in lines {
            document.plain(key, &value);
        }
    }
}

fn preflight(document: &mut Document, facts: &Facts) {
    if let Some(words) = environment::placeholder_words(&facts.directory) {
        document.table("preflight");
        document.set("placeholders", &list(&words), Certainty::Found, &why("placeholders"));
    }
}

/// What most people leave as it is, commented out with its defaults.
fn defaults(document: &mut Document) {
    document.commented_table(
        "logs",
        &why("default-logs"),
        &["patterns = [\"Traceback\", \"ERROR\", \"CRITICAL\", \" 500 \"]", "ignore = []"],
    );
    document.commented_table(
        "watch",
        &why("default-watch"),
        &[
            "for = \"30m\"",
            "error_rate = 0.05",
            "slowdown = 1.5",
            "latency = \"500ms\"",
            "after_open = \"hold\"",
        ],
    );
    document.commented_table("secure", &why("default-secure"), &["proof = \"read-back\""]);
    document.commented_table(
        "limits",
        &why("default-limits"),
        &["migrate = \"30m\"", "tests = \"15m\"", "healthy = \"2m\"", "drain = \"60s\""],
    );
    document.commented_table(
        "vault",
        &why("default-vault"),
        &["directory = \"/srv/vault\"", "keys = \"/etc/eclusa/keys\""],
    );
    document.commented_table(
        "people.maria",
        &why("default-people"),
        &["name = \"Maria\"", "phone = \"+55 11 5555 0100\"", "roles = [\"operator\", \"approver\"]"],
    );
    document.commented_list(
        "checklist",
        &why("default-checklist"),
        &["name = \"users-notified\"", "text = \"The staff know of the window.\""],
    );
    document.commented_table(
        "window",
        &why("default-window"),
        &[
            "days = [\"sat\", \"sun\"]",
            "from = \"22:00\"",
            "to = \"05:00\"",
            "time_zone = \"America/Sao_Paulo\"",
        ],
    );
    document.commented_list(
        "hooks",
        &why("default-hooks"),
        &[
            "name = \"snapshot\"",
            "at = \"before.change\"",
            "command = [\"./snapshot.sh\", \"create\", \"{release}\"]",
        ],
    );
}
