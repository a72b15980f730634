//! Secrets: where they stand in clear, where anyone can guess them, where they are still placeholders.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::support::{has, production};
use crate::context::{Context, Known, Project};
use crate::discovery::{self, Stage, stage_of_path};
use crate::environment::Variable;
use crate::finding::Findings;
use crate::library::{FileId, Span, name_of};
use crate::roles::Role;
use crate::secrets::{could_be_secret, in_url, is_placeholder, is_secret_name};
use crate::shell::Command;
use crate::yaml::{Entry, Kind, Node};

pub(super) fn check(context: &Context<'_>, out: &mut Findings) {
    collect(context, out);
    let mut seen = BTreeSet::new();
    for (project, known) in production(context) {
        for entry in known.service.environment() {
            written(known, entry, &mut seen, out);
        }
        defaults(known, &known.service.node, "", &mut seen, out);
        in_commands(context, known, &mut seen, out);
        root_credentials(project, known, out);
        build_arguments(known, &mut seen, out);
    }
    for project in context.production() {
        placeholders(context, project, &mut seen, out);
    }
    tracked(context, out);
    tracked_sites(context, out);
    layers(context, out);
    shared(context, out);
}

/// Every value that is a secret, so that no excerpt shows it.
fn collect(context: &Context<'_>, out: &mut Findings) {
    let mut values: BTreeSet<String> = BTreeSet::new();
    let mut keep = |name: &str, value: &str| {
        if is_secret_name(name) && could_be_secret(value) {
            values.insert(value.to_owned());
        } else if let Some((_, password)) = in_url(value) {
            values.insert(password.to_owned());
        }
    };
    for (_, _, variables) in &context.env_files {
        variables.iter().for_each(|one| keep(&one.name, &one.value));
    }
    for known in context.projects.iter().flat_map(|project| &project.services) {
        for entry in known.service.environment() {
            keep(&entry.key, entry.value.as_str().unwrap_or_default());
        }
        known.from_files.iter().for_each(|one| keep(&one.name, &one.value));
        let arguments =
            known.service.node.at(&["build", "args"]).map(|node| node.entries()).unwrap_or_default();
        arguments.iter().for_each(|entry| keep(&entry.key, entry.value.as_str().unwrap_or_default()));
    }
    out.secrets.extend(values);
    // The longest first, so that a part of one does not keep the rest from being found.
    out.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
}

fn written(known: &Known, entry: &Entry, seen: &mut BTreeSet<Span>, out: &mut Findings) {
    let Some(scalar) = entry.value.scalar() else { return };
    let (name, span) = (entry.key.as_str(), entry.value.span);
    if name == "POSTGRES_HOST_AUTH_METHOD" && scalar.text == "trust" {
        out.add("A202", span, known.name()).with("variable", name).with("what", "trust");
        seen.insert(span);
        return;
    }
    if !scalar.uses.is_empty() {
        return;
    }
    let direct = is_secret_name(name) && could_be_secret(&scalar.text) && in_url(&scalar.text).is_none();
    let url = in_url(&scalar.text).filter(|(_, password)| !password.starts_with('$'));
    let value = if direct { Some(scalar.text.as_str()) } else { url.map(|(_, password)| password) };
    let Some(value) = value.filter(|_| seen.insert(span)) else { return };
    out.secrets.push(value.to_owned());
    let code = if is_placeholder(value) { "A203" } else { "A201" };
    out.add(code, span, known.name()).with("variable", name);
}

/// Walks everything of a service for `${SECRET:-default}`.
fn defaults(known: &Known, node: &Rc<Node>, key: &str, seen: &mut BTreeSet<Span>, out: &mut Findings) {
    match &node.kind {
        Kind::Mapping(entries) => {
            for entry in entries {
                defaults(known, &entry.value, &entry.key, seen, out);
            }
        }
        Kind::Sequence(items) => items.iter().for_each(|item| defaults(known, item, key, seen, out)),
        Kind::Scalar(scalar) => {
            let only = scalar.uses.len() == 1;
            for one in &scalar.uses {
                let Some(default) = one.default.as_deref().filter(|_| !one.set) else { continue };
                let secret = is_secret_name(&one.name) || (only && is_secret_name(key));
                if !secret
                    || !could_be_secret(default)
                    || in_url(default).is_some()
                    || !seen.insert(node.span)
                {
                    continue;
                }
                out.secrets.push(default.to_owned());
                let code = if is_placeholder(default) { "A203" } else { "A202" };
                let raw = out.add(code, node.span, known.name());
                raw.with("variable", &one.name).with("what", "a default that stands in the file");
            }
        }
        Kind::Null => {}
    }
}

/// Placeholders in the env files that are in effect.
fn placeholders(context: &Context<'_>, project: &Project, seen: &mut BTreeSet<Span>, out: &mut Findings) {
    let mut in_effect: Vec<FileId> = project.env_files.clone();
    for known in project.services.iter().filter(|known| !known.development) {
        in_effect.extend(known.from_files.iter().map(|one| one.span.file));
    }
    for (_, file, variables) in &context.env_files {
        if !in_effect.contains(file) {
            continue;
        }
        for one in variables.iter().filter(|one| is_placeholder(&one.value)) {
            if seen.insert(one.span) {
                out.add("A203", one.span, context.library.file(*file).path.clone())
                    .with("variable", &one.name);
            }
        }
    }
}

/// Options whose next word is a secret.
const OPTIONS: [&str; 12] = [
    "--password",
    "--db-root-password",
    "--mariadb-root-password",
    "--mysql-root-password",
    "--admin-password",
    "--db-password",
    "--requirepass",
    "--masterauth",
    "--root-password",
    "--secret",
    "--token",
    "--pass",
];

/// The word of a command that is a secret in clear.
fn secret_word(command: &Command) -> Option<&crate::shell::Word> {
    let words = &command.words;
    let literal = |text: &str| {
        !text.is_empty() && !text.starts_with('$') && !text.starts_with('-') && could_be_secret(text)
    };
    for (at, word) in words.iter().enumerate() {
        if let Some((option, value)) = word.text.split_once('=')
            && (OPTIONS.contains(&option)
                || (is_secret_name(option) && option.chars().all(|c| c.is_ascii_uppercase() || c == '_')))
            && literal(value)
        {
            return Some(word);
        }
        if OPTIONS.contains(&word.text.as_str()) && words.get(at + 1).is_some_and(|next| literal(&next.text))
        {
            return words.get(at + 1);
        }
        let name = command.name();
        let mysql = has(name, &["mysql", "mariadb"]) && !has(name, &["mysqld", "mariadbd"]);
        if mysql && word.text.len() > 2 && word.text.starts_with("-p") && literal(&word.text[2..]) {
            return Some(word);
        }
        if name == "redis-cli"
            && word.text == "-a"
            && words.get(at + 1).is_some_and(|next| literal(&next.text))
        {
            return words.get(at + 1);
        }
        if in_url(&word.text).is_some_and(|(_, password)| literal(password)) && !word.text.contains('$') {
            return Some(word);
        }
    }
    None
}

fn in_commands(context: &Context<'_>, known: &Known, seen: &mut BTreeSet<Span>, out: &mut Findings) {
    // What Compose fills in stands in clear in the container's configuration and in the list of processes.
    let places = [("command", None), ("entrypoint", None), ("healthcheck", Some("test"))];
    for (key, below) in places {
        let Some(node) = known.service.get(key) else { continue };
        let node = match below {
            Some(below) => match node.get(below) {
                Some(node) => node,
                None => continue,
            },
            None => node,
        };
        let scalars: Vec<&Rc<Node>> =
            if node.items().is_empty() { vec![node] } else { node.items().iter().collect() };
        for scalar in scalars {
            let filled =
                scalar.scalar().into_iter().flat_map(|one| &one.uses).find(|one| is_secret_name(&one.name));
            if let Some(one) = filled.filter(|_| !seen.contains(&scalar.span)) {
                seen.insert(scalar.span);
                let span = context.library.within(scalar.span, &format!("${{{}", one.name));
                out.add("A204", span, known.name()).with("what", &one.name).with("where", key);
            }
        }
        if key == "healthcheck"
            && let Some(argv) = crate::compose::service::argv(node)
        {
            let text = argv.words.iter().skip(usize::from(!node.items().is_empty()));
            let joined = text.map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
            for command in crate::shell::commands_of_scalar(&joined, node.span) {
                literal(context, known.name(), &command, key, seen, out);
            }
        }
    }
    for command in &known.runs {
        literal(context, known.name(), command, "command", seen, out);
    }
}

/// A command with a secret in clear among its words.
pub(super) fn literal(
    context: &Context<'_>,
    subject: &str,
    command: &Command,
    place: &str,
    seen: &mut BTreeSet<Span>,
    out: &mut Findings,
) {
    let Some(word) = secret_word(command) else { return };
    let value = word.text.split_once('=').map_or(word.text.as_str(), |(_, value)| value);
    let value = in_url(value).map_or(value, |(_, password)| password).trim_start_matches("-p");
    let span = context.library.within(word.span, &word.text);
    if !seen.insert(span) {
        return;
    }
    out.secrets.push(value.to_owned());
    out.add("A204", span, subject).with("what", command.name()).with("where", place);
}

/// The application works as the database's root.
fn root_credentials(project: &Project, known: &Known, out: &mut Findings) {
    if !known.role.is_application() {
        return;
    }
    let root = |name: &str| name.ends_with("ROOT_PASSWORD") && is_secret_name(name);
    if let Some(entry) = known.service.environment().iter().find(|entry| root(&entry.key)) {
        out.add("A207", entry.value.span, known.name()).with("variable", &entry.key);
        return;
    }
    if let Some(one) = known.from_files.iter().find(|one| root(&one.name)) {
        out.add("A207", one.span, known.name()).with("variable", &one.name);
        return;
    }
    let postgres = project.of(|role| role == Role::Postgres).next().is_some();
    let superuser = |user: &str| user == "root" || (postgres && user == "postgres");
    let names = |name: &str| {
        matches!(
            name,
            "DB_USER"
                | "DATABASE_USER"
                | "DB_USERNAME"
                | "DATABASE_USERNAME"
                | "MYSQL_USER"
                | "POSTGRES_USER"
                | "PGUSER"
                | "SQL_USER"
                | "DB_ROOT_USER"
        )
    };
    for entry in known.service.environment() {
        let Some(value) = entry.value.as_str() else { continue };
        let url_user = in_url(value)
            .filter(|_| value.contains("sql") || value.starts_with("postgres"))
            .map(|(user, _)| user);
        if (names(&entry.key) && superuser(value)) || url_user.is_some_and(superuser) {
            out.add("A207", entry.value.span, known.name()).with("variable", &entry.key);
            return;
        }
    }
    if let Some(one) = known.from_files.iter().find(|one| names(&one.name) && superuser(&one.value)) {
        out.add("A207", one.span, known.name()).with("variable", &one.name);
    }
}

/// Env files that version control has, with secrets in them.
fn tracked(context: &Context<'_>, out: &mut Findings) {
    for (path, file, variables) in &context.env_files {
        let development = stage_of_path(path) == Some(Stage::Development);
        let in_effect = || {
            production(context).any(|(_, known)| known.from_files.iter().any(|one| one.span.file == *file))
        };
        let is_one = discovery::is_env_file(path) || in_effect();
        if development || context.library.tree().tracked(path) != Some(true) || !is_one {
            continue;
        }
        let secrets: Vec<&Variable> = variables.iter().filter(|one| holds_secret(one)).collect();
        let Some(first) = secrets.first() else { continue };
        let raw = out.add("A205", first.span, path.clone());
        raw.with("variable", &first.name).with("count", secrets.len());
        for one in secrets.iter().skip(1) {
            raw.related(one.span);
        }
    }
}

/// The configuration of sites that version control has, with secrets in it.
fn tracked_sites(context: &Context<'_>, out: &mut Findings) {
    let of_sites = |path: &str| matches!(name_of(path), "site_config.json" | "common_site_config.json");
    for (path, file) in context.texts(of_sites) {
        let tracked = context.library.tree().tracked(&path) == Some(true);
        if !tracked || stage_of_path(&path) == Some(Stage::Development) {
            continue;
        }
        // JSON is YAML, and this way every value knows its place.
        let Ok(root) = crate::yaml::read(context.library, file) else { continue };
        let secrets: Vec<Variable> = root
            .entries()
            .iter()
            .filter_map(|entry| {
                let (name, value) = (entry.key.clone(), entry.value.as_str()?.to_owned());
                Some(Variable { name, value, span: entry.value.span })
            })
            .filter(holds_secret)
            .collect();
        let Some(first) = secrets.first() else { continue };
        out.secrets.extend(secrets.iter().map(|one| one.value.clone()));
        let raw = out.add("A205", first.span, path.clone());
        raw.with("variable", &first.name).with("count", secrets.len());
        secrets.iter().skip(1).for_each(|one| {
            raw.related(one.span);
        });
    }
}

fn holds_secret(one: &Variable) -> bool {
    let direct = is_secret_name(&one.name) && could_be_secret(&one.value) && !is_placeholder(&one.value);
    let url = in_url(&one.value)
        .is_some_and(|(_, password)| !password.starts_with('$') && !is_placeholder(password));
    (direct && !one.value.starts_with('$')) || url
}

const HARMLESS: [&str; 12] = [
    "dummy",
    "build",
    "fake",
    "temp",
    "unused",
    "not-used",
    "notused",
    "collectstatic",
    "none",
    "ignore",
    "insecure-build",
    "x",
];

fn build_arguments(known: &Known, seen: &mut BTreeSet<Span>, out: &mut Findings) {
    let arguments = known.service.node.at(&["build", "args"]).map(|node| node.entries()).unwrap_or_default();
    for entry in arguments {
        let value = entry.value.as_str().unwrap_or_default();
        let filled = entry.value.scalar().is_some_and(|scalar| !scalar.uses.is_empty());
        let dummy = HARMLESS.iter().any(|word| value.to_ascii_lowercase().contains(word));
        if is_secret_name(&entry.key)
            && (filled || could_be_secret(value))
            && !dummy
            && seen.insert(entry.value.span)
        {
            out.add("A206", entry.value.span, known.name()).with("what", &entry.key);
        }
    }
}

fn layers(context: &Context<'_>, out: &mut Findings) {
    for (path, dockerfile) in &context.dockerfiles {
        if stage_of_path(path) == Some(Stage::Development) {
            continue;
        }
        for stage in dockerfile.lineage(None) {
            for instruction in &stage.instructions {
                match instruction.keyword.as_str() {
                    "ENV" | "ARG" => assigned(context, path, instruction, out),
                    "COPY" | "ADD" => copied(context, path, instruction, out),
                    _ => {}
                }
            }
        }
    }
}

fn assigned(
    context: &Context<'_>,
    path: &str,
    instruction: &crate::dockerfile::Instruction,
    out: &mut Findings,
) {
    let words = crate::shell::split(&instruction.rest, instruction.span);
    let mut pairs: Vec<(String, String)> = words
        .iter()
        .filter_map(|word| word.text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect();
    if pairs.is_empty() && instruction.keyword == "ENV" && words.len() > 1 {
        pairs.push((words[0].text.clone(), words[1].text.clone()));
    }
    for (name, value) in pairs {
        let lower = value.to_ascii_lowercase();
        let harmless = HARMLESS.iter().any(|word| lower == *word || (word.len() > 3 && lower.contains(word)));
        let from_argument = instruction.keyword == "ENV" && value.starts_with('$');
        let literal = could_be_secret(&value) && !value.starts_with('$');
        if is_secret_name(&name) && (literal || from_argument) && !harmless {
            if literal {
                out.secrets.push(value.clone());
            }
            let span = context.library.within(instruction.span, &name);
            out.add("A206", span, path).with("what", &name);
        }
    }
}

fn copied(
    context: &Context<'_>,
    path: &str,
    instruction: &crate::dockerfile::Instruction,
    out: &mut Findings,
) {
    if instruction.rest.contains("--from") {
        return;
    }
    let words: Vec<&str> =
        instruction.rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
    let Some((_, sources)) = words.split_last() else { return };
    for source in sources {
        let name = name_of(source.trim_matches(['"', '[', ',', '\'']));
        let key = has(name, &["id_rsa", "id_ed25519"])
            || name.ends_with(".pem") && has(name, &["key", "private"])
            || name.ends_with(".key");
        if (discovery::is_env_file(name) && name.starts_with('.')) || key {
            let span = context.library.within(instruction.span, source);
            out.add("A206", span, path).with("what", name);
        }
    }
}

/// The same secret in the env files of two environments.
fn shared(context: &Context<'_>, out: &mut Findings) {
    let word = |path: &str| -> Option<&'static str> {
        let lower = path.to_ascii_lowercase();
        let is = |words: &[&str]| {
            lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| words.contains(&part))
        };
        if is(&["staging", "stage", "stg"]) {
            Some("staging")
        } else if is(&["prod", "production", "live"]) {
            Some("production")
        } else if is(&["dev", "development", "local", "test"]) {
            Some("development")
        } else {
            None
        }
    };
    let files: Vec<(&'static str, &String, &Vec<Variable>)> = context
        .env_files
        .iter()
        .filter_map(|(path, _, variables)| Some((word(path)?, path, variables)))
        .collect();
    for (at, (stage, path, variables)) in files.iter().enumerate() {
        for (other_stage, other, others) in files.iter().skip(at + 1) {
            if stage == other_stage {
                continue;
            }
            let same =
                variables.iter().filter(|one| holds_secret(one) && one.value.len() >= 6).find_map(|one| {
                    let twin = others.iter().find(|twin| twin.name == one.name && twin.value == one.value)?;
                    Some((one, twin))
                });
            if let Some((one, twin)) = same {
                let raw = out.add("A208", twin.span, (*other).clone());
                raw.with("variable", &one.name).with("other", path).related(one.span);
            }
        }
    }
}
