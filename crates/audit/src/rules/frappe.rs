//! Migrations at start, workers and schedulers, and what is special to Frappe.

use std::collections::BTreeSet;

use super::support::{has, listed, production};
use crate::context::{Context, Known, Project};
use crate::discovery::{Stage, stage_of_path};
use crate::finding::Findings;
use crate::library::{Span, name_of};
use crate::roles::{App, Role};
use crate::shell::{Command, Then};
use crate::yaml;

/// The queues that every bench has.
const QUEUES: [&str; 3] = ["default", "short", "long"];

pub(super) fn check(context: &Context<'_>, out: &mut Findings) {
    let mut seen = BTreeSet::new();
    let custom = custom_queues(context);
    for project in context.production() {
        migrations(context, project, out);
        if project.whole {
            missing(context, project, out);
        }
    }
    for (project, known) in production(context) {
        if project.app == App::Frappe {
            queues(context, &custom, known, out);
        }
        for command in &known.runs {
            new_site(context, command, known.name(), &mut seen, out);
            switches(context, command, known.name(), &mut seen, out);
        }
    }
    for script in &context.scripts {
        if stage_of_path(&script.path) == Some(Stage::Development) {
            continue;
        }
        for command in &script.commands {
            new_site(context, command, &script.path, &mut seen, out);
            switches(context, command, &script.path, &mut seen, out);
        }
    }
    site_files(context, out);
}

/// Whether a command migrates a schema.
pub(super) fn migrates(command: &Command) -> bool {
    let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
    let manage = words.iter().position(|word| word.ends_with("manage.py") || *word == "django-admin");
    let django = manage.is_some_and(|at| {
        words.get(at + 1..).is_some_and(|rest| rest.contains(&"migrate") || rest.contains(&"migrate_schemas"))
    });
    let bench = words.iter().position(|word| *word == "bench" || word.ends_with("/bench"));
    let frappe = bench.is_some_and(|at| words.get(at + 1..).is_some_and(|rest| rest.contains(&"migrate")));
    let others = words
        .windows(2)
        .any(|pair| matches!(pair, ["alembic", "upgrade"] | ["flask", "db"] | ["prisma", "migrate"]));
    (django || frappe || others) && !words.contains(&"--check") && !words.contains(&"--plan")
}

fn migrations(context: &Context<'_>, project: &Project, out: &mut Findings) {
    let mut at_start: Vec<(&Known, Span)> = Vec::new();
    for known in project.services.iter().filter(|known| known.role.is_application() && !known.development) {
        let found = known.runs.iter().find(|command| migrates(command) && command.depth == 0);
        if let Some(span) = found.and_then(Command::span) {
            at_start.push((known, context.library.within(span, "migrate")));
        }
    }
    let mut places = BTreeSet::new();
    for (known, span) in &at_start {
        if places.insert(*span) {
            out.add("A601", *span, known.name());
        }
    }
    let replicated =
        at_start.iter().find(|(known, _)| known.service.replicas().is_some_and(|replicas| replicas > 1));
    if let Some((known, span)) = replicated {
        let replicas = known.service.replicas().unwrap_or_default();
        out.add("A602", *span, known.name()).with("count", replicas);
    } else if at_start.len() > 1 {
        let names: Vec<&str> = at_start.iter().map(|(known, _)| known.name()).collect();
        let Some((_, span)) = at_start.first() else { return };
        let raw = out.add("A602", *span, listed(&names));
        raw.with("count", at_start.len());
        for (known, _) in at_start.iter().skip(1) {
            raw.related(known.service.name_span);
        }
    }
}

fn queue_words(command: &Command) -> Vec<(String, Span)> {
    let words = &command.words;
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let value = match word.text.strip_prefix("--queue=") {
            Some(value) => Some((value.to_owned(), word.span)),
            None if word.text == "--queue" => words.get(at + 1).map(|next| (next.text.clone(), next.span)),
            None => None,
        };
        if let Some((value, span)) = value {
            found.extend(value.split(',').map(|one| (one.trim().to_owned(), span)));
        }
    }
    found
}

fn missing(context: &Context<'_>, project: &Project, out: &mut Findings) {
    let everything: Vec<&Command> = project.services.iter().flat_map(|known| &known.runs).collect();
    let says = |words: &[&str]| everything.iter().any(|command| has(&command.text(), words));
    if says(&["supervisord", "bench start", "honcho", "circusd", "s6-svscan", "foreman"]) {
        return;
    }
    let Some(web) = project.of(|role| role == Role::Web).find(|known| !known.development) else { return };
    let mut say = |what: &str| {
        out.add("A603", web.service.name_span, project.title()).with("what", what);
    };
    match project.app {
        App::Frappe => {
            if !says(&["bench schedule", "frappe.utils.scheduler"])
                && project.of(|role| role == Role::Scheduler).next().is_none()
            {
                say("scheduler");
            }
            if !says(&["socketio"])
                && project.of(|role| role == Role::Websocket).next().is_none()
                && !project.services.iter().any(|known| has(known.name(), &["socketio", "websocket"]))
            {
                say("websocket server");
            }
            let workers: Vec<&Command> = everything
                .iter()
                .copied()
                .filter(|command| has(&command.text(), &["bench worker", "bench worker-pool"]))
                .collect();
            let absent = absent_queues(&workers);
            let named_workers = project.services.iter().any(|known| {
                known.role != Role::Redis
                    && has(known.name(), &["queue", "worker"])
                    && known.service.command().is_none()
            });
            if !absent.is_empty() && !named_workers {
                say(&format!("worker for the queue {}", absent.join(", ")));
            }
        }
        App::Django => {
            let broker = project
                .of(|role| role == Role::Web)
                .any(|known| known.variable("CELERY_BROKER_URL").is_some());
            let worker = says(&["celery"])
                || project.of(|role| role == Role::Worker).next().is_some()
                || project.services.iter().any(|known| has(known.name(), &["celery", "worker"]));
            if broker && !worker {
                say("Celery worker");
            }
        }
        App::Other => {}
    }
    let _ = context;
}

/// The queues of every bench on which none of the workers works; none when one does not say on which it works.
pub(super) fn absent_queues(commands: &[&Command]) -> Vec<&'static str> {
    let workers =
        commands.iter().filter(|command| has(&command.text(), &["bench worker", "bench worker-pool"]));
    let mut served: BTreeSet<String> = BTreeSet::new();
    for worker in workers {
        let names = queue_words(worker);
        if names.is_empty() || names.iter().any(|(name, _)| name.contains('$')) {
            return Vec::new();
        }
        served.extend(names.into_iter().map(|(name, _)| name));
    }
    QUEUES.into_iter().filter(|queue| !served.contains(*queue)).collect()
}

fn queues(context: &Context<'_>, custom: &BTreeSet<String>, known: &Known, out: &mut Findings) {
    for command in known.runs.iter().filter(|command| has(&command.text(), &["bench worker"])) {
        unknown_queues(context, custom, known.name(), command, out);
    }
}

/// The queues of a worker that nothing fills.
pub(super) fn unknown_queues(
    context: &Context<'_>,
    custom: &BTreeSet<String>,
    subject: &str,
    command: &Command,
    out: &mut Findings,
) {
    for (name, span) in queue_words(command) {
        if !QUEUES.contains(&name.as_str())
            && !custom.contains(&name)
            && !name.contains('$')
            && !name.is_empty()
        {
            let span = context.library.within(span, &name);
            out.add("A604", span, subject).with("queue", &name);
        }
    }
}

/// The queues that the bench's own configuration adds.
pub(super) fn custom_queues(context: &Context<'_>) -> BTreeSet<String> {
    context
        .texts(|path| name_of(path) == "common_site_config.json")
        .values()
        .filter_map(|file| yaml::read(context.library, *file).ok())
        .flat_map(|root| {
            root.get("workers")
                .map(|workers| workers.entries().iter().map(|entry| entry.key.clone()).collect::<Vec<_>>())
                .unwrap_or_default()
        })
        .collect()
}

fn new_site(
    context: &Context<'_>,
    command: &Command,
    subject: &str,
    seen: &mut BTreeSet<Span>,
    out: &mut Findings,
) {
    let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
    let creates = words.windows(2).any(|pair| name_of(pair[0]) == "bench" && pair[1] == "new-site");
    let guarded = command.depth > 0 || command.after == Then::Or || command.after == Then::And;
    if !creates || guarded {
        return;
    }
    if let Some(span) = command.span().map(|span| context.library.within(span, "new-site"))
        && seen.insert(span)
    {
        out.add("A605", span, subject);
    }
}

/// `bench set-config developer_mode 1` and the like.
fn switches(
    context: &Context<'_>,
    command: &Command,
    subject: &str,
    seen: &mut BTreeSet<Span>,
    out: &mut Findings,
) {
    let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
    if !words.contains(&"set-config") {
        return;
    }
    for (key, code) in [("developer_mode", "A606"), ("allow_tests", "A607")] {
        let Some(at) = words.iter().position(|word| *word == key) else { continue };
        let on = words
            .get(at + 1)
            .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "1" | "true"));
        let Some(word) = command.words.get(at).filter(|_| on) else { continue };
        let span = context.library.within(word.span, key);
        if seen.insert(span) {
            out.add(code, span, subject);
        }
    }
}

/// `site_config.json` and `common_site_config.json`.
fn site_files(context: &Context<'_>, out: &mut Findings) {
    let files = context.texts(|path| matches!(name_of(path), "site_config.json" | "common_site_config.json"));
    for (path, file) in files {
        if stage_of_path(&path) == Some(Stage::Development) {
            continue;
        }
        // JSON is YAML, and this way every value knows its place.
        let Ok(root) = yaml::read(context.library, file) else { continue };
        for (key, code) in [("developer_mode", "A606"), ("allow_tests", "A607")] {
            if let Some(node) = root.get(key).filter(|node| node.is_true()) {
                let off = if context.library.text_of(node.span) == "true" { "false" } else { "0" };
                out.add(code, node.span, path.clone()).edit(node.span, off);
            }
        }
        let redis = |key: &str| root.get(key).filter(|node| node.as_str().is_some());
        if let (Some(cache), Some(queue)) = (redis("redis_cache"), redis("redis_queue"))
            && cache.as_str() == queue.as_str()
        {
            let raw = out.add("A505", queue.span, path.clone());
            raw.with("cache", "redis_cache").with("queue", "redis_queue").related(cache.span);
        }
    }
}
