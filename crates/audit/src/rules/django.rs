//! Django's settings and servers. Settings are recognised line by line; nothing of them is run.

use std::collections::BTreeMap;

use super::support::{has, production};
use crate::context::Context;
use crate::discovery::{Stage, is_settings, stage_of_path};
use crate::finding::Findings;
use crate::library::{FileId, Span, directory_of, name_of};

pub(super) fn check(context: &Context<'_>, out: &mut Findings) {
    servers(context, out);
    environment(context, out);
    for (_, files) in packages(context) {
        settings(context, &files, out);
    }
}

fn servers(context: &Context<'_>, out: &mut Findings) {
    let mut seen = std::collections::BTreeSet::new();
    for (_, known) in production(context) {
        for command in &known.runs {
            let words: Vec<&str> = command.words.iter().map(|word| word.text.as_str()).collect();
            let manage =
                words.iter().any(|word| word.ends_with("manage.py")) || words.contains(&"django-admin");
            let what = if manage && (words.contains(&"runserver") || words.contains(&"runserver_plus")) {
                if words.contains(&"runserver") { "runserver" } else { "runserver_plus" }
            } else if words.windows(2).any(|pair| matches!(pair, ["bench", "start"] | ["bench", "serve"])) {
                if words.contains(&"start") { "bench start" } else { "bench serve" }
            } else if words.windows(2).any(|pair| matches!(pair, ["flask", "run"])) {
                "flask run"
            } else {
                continue;
            };
            let Some(span) = command.span().map(|span| context.library.within(span, what)) else { continue };
            // One of two ways to start, chosen by a variable.
            let chosen = command.depth > 0
                && known.runs.iter().any(|other| {
                    has(&other.text(), &["gunicorn", "uvicorn", "uwsgi", "daphne", "hypercorn"])
                });
            if !chosen && seen.insert(span) {
                out.add("A703", span, known.name()).with("what", what);
            }
        }
    }
}

fn is_on(value: &str) -> bool {
    matches!(value.trim().to_ascii_lowercase().as_str(), "1" | "true" | "yes" | "on")
}

const DEBUG_NAMES: [&str; 5] = ["DEBUG", "DJANGO_DEBUG", "APP_DEBUG", "DEBUG_MODE", "FLASK_DEBUG"];
const HOST_NAMES: [&str; 4] =
    ["ALLOWED_HOSTS", "DJANGO_ALLOWED_HOSTS", "ALLOWED_HOST", "DJANGO_ALLOWED_HOST"];

/// `DEBUG` and `ALLOWED_HOSTS` where production's services get them from.
fn environment(context: &Context<'_>, out: &mut Findings) {
    let mut seen = std::collections::BTreeSet::new();
    for (_, known) in production(context) {
        if !(known.role.is_application() || known.role == crate::roles::Role::Other) {
            continue;
        }
        let own = known.service.environment().iter().filter_map(|entry| {
            Some((entry.key.as_str(), entry.value.as_str()?.to_owned(), entry.value.span))
        });
        let files = known
            .from_files
            .iter()
            .filter(|one| !known.service.environment().iter().any(|entry| entry.key == one.name));
        let all: Vec<(&str, String, Span)> =
            own.chain(files.map(|one| (one.name.as_str(), one.value.clone(), one.span))).collect();
        for (name, value, span) in all {
            if DEBUG_NAMES.contains(&name) && is_on(&value) && seen.insert(span) {
                out.add("A701", span, known.name()).with("what", name);
            }
            if HOST_NAMES.contains(&name)
                && value.trim().trim_matches(['[', ']', '"', '\'']) == "*"
                && seen.insert(span)
            {
                out.add("A702", span, known.name());
            }
        }
    }
}

/// The settings of one project each: `settings.py`, or the package `settings/` without what is for developers.
fn packages(context: &Context<'_>) -> BTreeMap<String, Vec<(String, FileId)>> {
    let mut found: BTreeMap<String, Vec<(String, FileId)>> = BTreeMap::new();
    for (path, file) in context.texts(is_settings) {
        if stage_of_path(&path) == Some(Stage::Development) {
            continue;
        }
        let text = &context.library.file(file).text;
        if !has(text, &["INSTALLED_APPS", "SECRET_KEY", "DEBUG", "DATABASES", "ALLOWED_HOSTS", "MIDDLEWARE"])
        {
            continue;
        }
        found.entry(directory_of(&path).to_owned()).or_default().push((path, file));
    }
    // What production says comes first, and wins.
    for files in found.values_mut() {
        files.sort_by_key(|(path, _)| stage_of_path(name_of(path)) != Some(Stage::Production));
    }
    found
}

/// An assignment at the left margin.
struct Assigned {
    value: String,
    span: Span,
    path: String,
}

fn assigned(context: &Context<'_>, files: &[(String, FileId)], name: &str) -> Option<Assigned> {
    for (path, file) in files {
        let opened = context.library.file(*file);
        let mut last = None;
        for number in 1..=opened.line_count() {
            let line = opened.line(number);
            let Some((left, right)) = line.split_once('=') else { continue };
            let key = left.split(':').next().unwrap_or(left).trim_end();
            if key != name || right.starts_with('=') {
                continue;
            }
            let value = right.split(" #").next().unwrap_or(right).trim();
            let start = opened.line_start(number) + line.find(value).unwrap_or(0);
            let span = Span { file: *file, start, end: start + value.len() };
            last = Some(Assigned { value: value.to_owned(), span, path: path.clone() });
        }
        if last.is_some() {
            return last;
        }
    }
    None
}

/// Whether production's services set a variable that the expression reads.
fn set_in_production(context: &Context<'_>, expression: &str) -> bool {
    let names: Vec<&str> = expression.split(['"', '\'']).skip(1).step_by(2).collect();
    production(context).any(|(_, known)| {
        names.iter().any(|name| {
            known.variable(name).is_some()
                || known.service.environment().iter().any(|entry| entry.key == *name)
        })
    })
}

/// Whether an expression is true when nothing is set.
fn true_by_default(expression: &str) -> bool {
    let compact: String = expression.chars().filter(|c| !c.is_whitespace()).collect();
    let reads = has(&compact, &["environ", "getenv", "env(", "env.bool(", "config(", "env.get_value("]);
    let value = has(
        &compact,
        &[
            "default=True",
            "default=1)",
            "default='1'",
            "default=\"1\"",
            "default='True'",
            "default=\"True\"",
            ",True)",
            ",'True')",
            ",\"True\")",
            ",'true')",
            ",\"true\")",
            ",\"1\")",
            ",'1')",
            ",1)",
            ",\"on\")",
        ],
    );
    // `getenv("DEBUG", "False") == "False"`: on when nothing is set.
    let inverted =
        has(&compact, &["'False')=='False'", "\"False\")==\"False\"", "'0')=='0'", "\"0\")==\"0\""]);
    if reads && inverted {
        return true;
    }
    let negated = compact.starts_with("not");
    reads && value && !negated && !has(&compact, &["!=", "False'", "==\"False\"", "=='0'"])
}

const PROTECTIONS: [&str; 4] =
    ["SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE"];

/// What stands between the first two quotes of the same kind, with its place in the text.
fn quoted(text: &str) -> Option<(usize, &str)> {
    let at = text.find(['"', '\''])?;
    let quote = text.get(at..)?.chars().next()?;
    let rest = text.get(at + 1..)?;
    Some((at + 1, rest.get(..rest.find(quote)?)?))
}

/// The key that signs sessions and password resets, written into the settings or as a default there.
fn secret_key(context: &Context<'_>, files: &[(String, FileId)], out: &mut Findings) {
    let Some(key) = assigned(context, files, "SECRET_KEY") else { return };
    let opened = context.library.file(key.span.file);
    let Some(rest) = opened.text.get(key.span.start..) else { return };
    let literal = rest.starts_with(['"', '\'']);
    let reads = has(&key.value, &["environ", "getenv", "env(", "env.str(", "config("]);
    let Some((at, first)) = quoted(rest).filter(|_| literal || reads) else { return };
    let (code, at, value) = if literal {
        ("A201", at, first)
    } else {
        // The default behind the name, perhaps on the next line.
        let after = at + first.len() + 1;
        let Some((offset, second)) = rest.get(after..).and_then(quoted) else { return };
        let between = rest.get(after..after + offset - 1).unwrap_or("").replace("default", "");
        if !between.contains(',') || between.contains(|c: char| !c.is_whitespace() && !",=".contains(c)) {
            return;
        }
        ("A202", after + offset, second)
    };
    let known = code == "A202" && set_in_production(context, &format!("'{first}'"));
    let harmless = has(&value.to_ascii_lowercase(), &["dummy", "build", "not-used", "unused"]);
    if value.is_empty() || known || harmless {
        return;
    }
    let start = key.span.start + at;
    let span = Span { file: key.span.file, start, end: start + value.len() };
    out.secrets.push(value.to_owned());
    let raw = out.add(code, span, key.path.clone());
    raw.with("variable", "SECRET_KEY");
    if code == "A202" {
        raw.with("what", "a default that stands in the file");
    }
}

fn settings(context: &Context<'_>, files: &[(String, FileId)], out: &mut Findings) {
    secret_key(context, files, out);
    let debug = assigned(context, files, "DEBUG");
    if let Some(debug) = &debug {
        let on = debug.value == "True" || debug.value == "1";
        // A later `if` or `local_settings` may turn it off; what stands at the margin is what a plain start gets.
        if on || (true_by_default(&debug.value) && !set_in_production(context, &debug.value)) {
            out.add("A701", debug.span, debug.path.clone()).with("what", "DEBUG");
        }
    }
    if let Some(hosts) = assigned(context, files, "ALLOWED_HOSTS") {
        let compact: String = hosts.value.chars().filter(|c| !c.is_whitespace()).collect();
        let any = has(&compact, &["['*']", "[\"*\"]", "['*',", "[\"*\","])
            && !has(&compact, &["environ", "getenv", "config(", "env("]);
        let by_default = has(
            &compact,
            &["default=['*']", "default=[\"*\"]", ",'*')", ",\"*\")", "default='*'", "default=\"*\""],
        ) && !set_in_production(context, &hosts.value);
        if any || by_default {
            out.add("A702", hosts.span, hosts.path.clone());
        }
    }
    let has_apps = files.iter().any(|(_, file)| context.library.file(*file).text.contains("MIDDLEWARE"));
    let missing: Vec<&str> = PROTECTIONS
        .into_iter()
        .filter(|name| !files.iter().any(|(_, file)| context.library.file(*file).text.contains(name)))
        .collect();
    let middleware = assigned(context, files, "MIDDLEWARE");
    if let (true, 3.., Some(middleware)) = (has_apps, missing.len(), middleware) {
        let span = Span { end: middleware.span.start, ..middleware.span };
        let opened = context.library.file(span.file);
        let (line, _) = opened.position(span.start);
        let start = opened.line_start(line);
        let span = Span { file: span.file, start, end: start + "MIDDLEWARE".len() };
        out.add("A704", span, middleware.path).with("missing", missing.join(", "));
    }
}
