//! How services run: limits, logs, health, dependencies, restarts.

use super::support::{grouped, has, is_swarm, key_place, listed};
use crate::context::{Context, Known, Project};
use crate::finding::Findings;
use crate::library::Span;
use crate::roles::Role;
use crate::shell;

pub(super) fn check(context: &Context<'_>, out: &mut Findings) {
    for project in context.production() {
        let staying: Vec<&Known> =
            project.services.iter().filter(|known| known.stays() && !known.development).collect();
        limits(&staying, out);
        logs(context, &staying, out);
        restarts(context, project, &staying, out);
        for known in &staying {
            health(context, known, out);
            cannot_fail(known, out);
        }
        waits(context, project, out);
    }
}

fn name_span(known: &Known) -> Span {
    known.service.name_span
}

fn limits(staying: &[&Known], out: &mut Findings) {
    let open: Vec<&Known> = staying
        .iter()
        .copied()
        .filter(|known| {
            known.service.get("mem_limit").is_none()
                && known.service.node.at(&["deploy", "resources", "limits", "memory"]).is_none()
        })
        .collect();
    grouped(out, "A401", &open, name_span);
    let busy: Vec<&Known> = staying
        .iter()
        .copied()
        .filter(|known| {
            let own = ["cpus", "cpu_quota", "cpuset"].iter().any(|key| known.service.get(key).is_some());
            !own && known.service.node.at(&["deploy", "resources", "limits", "cpus"]).is_none()
        })
        .collect();
    grouped(out, "A412", &busy, name_span);
}

fn logs(context: &Context<'_>, staying: &[&Known], out: &mut Findings) {
    let open: Vec<&Known> = staying
        .iter()
        .copied()
        .filter(|known| match known.service.get("logging") {
            None => true,
            Some(logging) => {
                let driver = logging.get("driver").and_then(|node| node.as_str()).unwrap_or("json-file");
                driver == "json-file" && logging.at(&["options", "max-size"]).is_none()
            }
        })
        .collect();
    let places: Vec<(Span, String)> = open
        .iter()
        .filter(|known| known.service.get("logging").is_none())
        .filter_map(|known| key_place(context, known))
        .collect();
    let Some(raw) = grouped(out, "A402", &open, name_span) else { return };
    for (span, indent) in places {
        raw.edit(
            span,
            format!(
                "{indent}logging:\n{indent}  driver: json-file\n{indent}  options:\n{indent}    max-size: \"10m\"\n{indent}    max-file: \"5\"\n"
            ),
        );
    }
}

/// A health check for what is known well enough.
fn known_check(known: &Known) -> Option<&'static str> {
    match known.role {
        Role::Postgres => Some(
            "[\"CMD-SHELL\", \"pg_isready -U $${POSTGRES_USER:-postgres} -d $${POSTGRES_DB:-$${POSTGRES_USER:-postgres}}\"]",
        ),
        Role::MariaDb => Some("[\"CMD\", \"healthcheck.sh\", \"--connect\", \"--innodb_initialized\"]"),
        Role::MySql => Some("[\"CMD-SHELL\", \"mysqladmin ping -h 127.0.0.1 --silent\"]"),
        Role::Redis if known.service.command_text().contains("requirepass") => None,
        Role::Redis => Some("[\"CMD\", \"redis-cli\", \"ping\"]"),
        _ => None,
    }
}

fn health(context: &Context<'_>, known: &Known, out: &mut Findings) {
    let wanted = known.role.is_database() || matches!(known.role, Role::Redis | Role::Web);
    let off = known.service.get("healthcheck").is_some_and(|check| {
        check.get("disable").is_some_and(|node| node.is_true())
            || check
                .get("test")
                .is_some_and(|test| test.items().first().and_then(|one| one.as_str()) == Some("NONE"))
    });
    let here = known.service.get("healthcheck").is_some() && !off;
    let in_image = known.dockerfile.as_ref().is_some_and(|file| {
        file.last(known.target.as_deref(), "HEALTHCHECK").is_some_and(|one| !one.rest.starts_with("NONE"))
    });
    // An image of someone else's may bring one; of the well-known stores none does.
    let unknown_image = known.role == Role::Web
        && known.dockerfile.is_none()
        && !has(&known.service.image_text(), &["frappe", "erpnext"]);
    if !wanted || here || (in_image && !off) || (unknown_image && !off) {
        return;
    }
    let place = known_check(known)
        .filter(|_| known.service.get("healthcheck").is_none())
        .zip(key_place(context, known));
    let raw = out.add("A403", name_span(known), known.name());
    if let Some((test, (span, indent))) = place {
        raw.edit(
            span,
            format!("{indent}healthcheck:\n{indent}  test: {test}\n{indent}  interval: 10s\n{indent}  timeout: 5s\n{indent}  retries: 5\n"),
        );
    }
}

/// Why a check says yes whatever happens.
fn always_yes(text: &str) -> Option<&'static str> {
    let trimmed = text.trim();
    let compact = trimmed.split_whitespace().collect::<Vec<_>>().join(" ");
    if compact.ends_with("|| exit 0")
        || compact.ends_with("|| true")
        || compact.ends_with("; exit 0")
        || compact.ends_with("|| :")
        || compact.ends_with("; true")
    {
        return Some("it ends with success whatever came before");
    }
    if matches!(compact.as_str(), "true" | "exit 0" | ":" | "/bin/true")
        || compact.starts_with("echo ") && !compact.contains("&&") && !compact.contains('|')
    {
        return Some("it tests nothing");
    }
    let curls = compact.contains("curl ");
    let fails = has(&compact, &["-f", "--fail", "-sSf", "-sf", "| grep", "|grep", "http_code", "-w "])
        || compact
            .split_whitespace()
            .any(|word| word.starts_with('-') && !word.starts_with("--") && word.contains('f'));
    if curls && !fails {
        return Some("curl without --fail takes an error page for an answer");
    }
    if compact.starts_with("ps ") && compact.contains("grep ") && !has(&compact, &["grep -v", "[", "pgrep"]) {
        return Some("grep finds itself in the list of processes");
    }
    None
}

fn cannot_fail(known: &Known, out: &mut Findings) {
    if let Some(test) = known.service.node.at(&["healthcheck", "test"]) {
        let items = test.items();
        let text = if items.is_empty() {
            test.as_str().unwrap_or_default().to_owned()
        } else {
            items.iter().skip(1).filter_map(|item| item.as_str()).collect::<Vec<_>>().join(" ")
        };
        if let Some(why) = always_yes(&text) {
            out.add("A404", test.span, known.name()).with("why", why);
        }
        return;
    }
    let Some(dockerfile) = &known.dockerfile else { return };
    let Some(check) = dockerfile.last(known.target.as_deref(), "HEALTHCHECK") else { return };
    let Some((_, command)) = check.rest.split_once("CMD") else { return };
    let words = shell::split(command, check.span);
    let text = if command.trim_start().starts_with('[') {
        command.replace(['[', ']', '"', ','], " ")
    } else {
        drop(words);
        command.to_owned()
    };
    if let Some(why) = always_yes(&text) {
        out.add("A404", check.span, known.name()).with("why", why);
    }
}

/// Whether what a service starts with waits for its database by itself.
fn waits_by_itself(known: &Known) -> bool {
    known.runs.iter().any(|command| {
        let text = command.text();
        let said = text.to_ascii_lowercase();
        let waiting = has(&said, &["waiting for", "is available", "is ready"])
            && has(&said, &["postgres", "database", " db", "mysql", "mariadb"])
            || has(&said, &["postgres_ready", "db_ready", "database_ready", "mysql_ready"]);
        waiting
            || has(
                &text,
                &[
                    "wait-for",
                    "wait_for",
                    "waitfor",
                    "pg_isready",
                    "nc -z",
                    "dockerize",
                    "/dev/tcp",
                    "wait4",
                    "mysqladmin ping",
                    "wait-db",
                    "waitdb",
                    "psycopg",
                    "netcat",
                ],
            )
    })
}

fn waits(context: &Context<'_>, project: &Project, out: &mut Findings) {
    for known in project.services.iter().filter(|known| !known.development) {
        if !(known.role.is_application() || known.role == Role::Once) || waits_by_itself(known) {
            continue;
        }
        let entries = known.service.get("depends_on").map(|node| node.entries()).unwrap_or_default();
        for entry in entries {
            let Some(database) = project.services.iter().find(|other| other.name() == entry.key) else {
                continue;
            };
            let condition =
                entry.value.get("condition").and_then(|node| node.as_str()).unwrap_or("service_started");
            if !database.role.is_database() || condition != "service_started" {
                continue;
            }
            let checked = database.service.get("healthcheck").is_some();
            let rewritten = if checked { conditions(context, project, known) } else { None };
            let raw = out.add("A405", entry.key_span, known.name());
            raw.with("database", &entry.key).related(database.service.name_span);
            if let Some((span, text)) = rewritten {
                raw.edit(span, text);
            }
        }
    }
}

/// `depends_on` as a list rewritten with conditions: healthy, where the other has a check.
fn conditions(context: &Context<'_>, project: &Project, known: &Known) -> Option<(Span, String)> {
    let node = known.service.get("depends_on")?;
    let file = context.library.file(node.span.file);
    let (line, _) = file.position(node.span.start);
    let start = file.line_start(line);
    let indent = file.text.get(start..node.span.start)?;
    let written = context.library.text_of(node.span);
    // Only a plain list, one name a line: anything else, and every comment, is left to its owner.
    if !written.starts_with('-') || written.contains('#') || !indent.chars().all(|c| c == ' ') {
        return None;
    }
    let mut text = String::new();
    for (number, entry) in node.entries().iter().enumerate() {
        let other = project.services.iter().find(|other| other.name() == entry.key)?;
        let healthy = other.service.get("healthcheck").is_some();
        let condition = if healthy { "service_healthy" } else { "service_started" };
        let before = if number == 0 { "" } else { indent };
        // A list may stand at the column of its key; a table may not.
        text.push_str(&format!("{before}  {}:\n{indent}    condition: {condition}\n", entry.key));
    }
    let end = node.span.start + written.trim_end().len();
    Some((Span { end, ..node.span }, text.trim_end().to_owned()))
}

fn restarts(context: &Context<'_>, project: &Project, staying: &[&Known], out: &mut Findings) {
    let swarm = is_swarm(project);
    let mut missing: Vec<&Known> = Vec::new();
    let mut failures: Vec<(&Known, Span, &str)> = Vec::new();
    for known in staying.iter().copied() {
        let restart = known.service.get("restart");
        let word = restart.and_then(|node| node.as_str()).unwrap_or_default();
        let policy = known.service.node.at(&["deploy", "restart_policy"]);
        let condition = policy.and_then(|policy| policy.get("condition"));
        let condition_word = condition.and_then(|node| node.as_str()).unwrap_or("any");
        if let (Some(restart), Some(policy)) = (restart, policy)
            && !swarm
            && condition_word != "any"
            && !word.starts_with("on-failure")
        {
            let raw = out.add("A408", condition.unwrap_or(policy).span, known.name());
            raw.with("restart", word).with("condition", condition_word).related(restart.span);
            continue;
        }
        if let Some(restart) = restart.filter(|_| word.starts_with("on-failure")) {
            failures.push((known, restart.span, "unless-stopped"));
        } else if let Some(condition) =
            condition.filter(|_| condition_word == "on-failure" && restart.is_none() && !swarm)
        {
            failures.push((known, condition.span, "any"));
        } else if policy.is_none() && !swarm && (restart.is_none() || word == "no") {
            missing.push(known);
        }
    }
    if let Some((_, span, _)) = failures.first() {
        let names: Vec<&str> = failures.iter().map(|(known, ..)| known.name()).collect();
        let raw = out.add("A407", *span, listed(&names));
        raw.with("count", failures.len());
        for (number, (_, span, text)) in failures.iter().enumerate() {
            raw.edit(*span, *text);
            if number > 0 {
                raw.related(*span);
            }
        }
    }
    let places: Vec<(Span, String)> = missing
        .iter()
        .filter(|known| known.service.get("restart").is_none())
        .filter_map(|known| key_place(context, known))
        .collect();
    if let Some(raw) = grouped(out, "A406", &missing, name_span) {
        for (span, indent) in places {
            raw.edit(span, format!("{indent}restart: unless-stopped\n"));
        }
    }
}
