//! What a Dockerfile says of the image that runs: its working directory, command, health check, and where the code
//! lies in it. Recognised line by line; nothing is built.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What was recognised of the stage that runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Dockerfile {
    /// The working directory.
    pub(crate) working_directory: String,
    /// `CMD`.
    pub(crate) command: Vec<String>,
    /// `ENTRYPOINT`.
    pub(crate) entrypoint: Vec<String>,
    /// The command of `HEALTHCHECK`, as it is written.
    pub(crate) healthcheck: Option<String>,
    /// `ENV` and the defaults of `ARG`.
    pub(crate) variables: BTreeMap<String, String>,
    /// Directories of the build context (absolute) and where their content lies in the image.
    pub(crate) copies: Vec<(PathBuf, String)>,
    /// The whole text.
    pub(crate) text: String,
}

/// Reads a Dockerfile; `target` is the stage that is built, the last one when absent.
pub(crate) fn parse(text: &str, context: &Path, target: Option<&str>) -> Dockerfile {
    let mut stages: Vec<(String, Dockerfile)> = Vec::new();
    let mut global = BTreeMap::new();
    for line in logical_lines(text) {
        let (instruction, rest) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
        let rest = rest.trim();
        let instruction = instruction.to_ascii_uppercase();
        if instruction == "FROM" {
            let words: Vec<&str> = rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
            let base = words.first().copied().unwrap_or_default();
            let name = match words.get(1..) {
                Some([word, name, ..]) if word.eq_ignore_ascii_case("as") => (*name).to_owned(),
                _ => stages.len().to_string(),
            };
            let inherited = stages.iter().find(|(stage, _)| stage == base).map(|(_, stage)| stage.clone());
            let fresh = || Dockerfile { working_directory: "/".to_owned(), ..Dockerfile::default() };
            stages.push((name, inherited.unwrap_or_else(fresh)));
            continue;
        }
        match stages.last_mut() {
            Some((_, stage)) => instruct(stage, &instruction, rest, context),
            None if instruction == "ARG" => assign(&mut global, rest),
            None => {}
        }
    }
    let wanted = target.and_then(|target| stages.iter().position(|(name, _)| name == target));
    let mut found = match wanted {
        Some(at) => stages.into_iter().nth(at),
        None => stages.pop(),
    }
    .map(|(_, stage)| stage)
    .unwrap_or_default();
    text.clone_into(&mut found.text);
    found
}

fn instruct(stage: &mut Dockerfile, instruction: &str, rest: &str, context: &Path) {
    match instruction {
        "WORKDIR" => {
            let directory = filled(rest.trim_matches('"'), &stage.variables);
            stage.working_directory = joined(&stage.working_directory, &directory);
        }
        "CMD" => stage.command = words(rest),
        "ENTRYPOINT" => {
            stage.entrypoint = words(rest);
            stage.command.clear();
        }
        "HEALTHCHECK" => {
            stage.healthcheck = rest.split_once("CMD").map(|(_, command)| command.trim().to_owned());
        }
        "ENV" | "ARG" => assign(&mut stage.variables, rest),
        "COPY" | "ADD" => copy(stage, rest, context),
        _ => {}
    }
}

fn copy(stage: &mut Dockerfile, rest: &str, context: &Path) {
    if rest.split_whitespace().any(|word| word.starts_with("--from")) {
        return;
    }
    let named: Vec<String> = match list_form(rest) {
        Some(words) => words,
        None => rest.split_whitespace().filter(|word| !word.starts_with("--")).map(str::to_owned).collect(),
    };
    let Some((destination, sources)) = named.split_last() else { return };
    let destination = joined(&stage.working_directory, &filled(destination, &stage.variables));
    for source in sources {
        let source = filled(source, &stage.variables);
        let relative = source.trim_start_matches("./").trim_start_matches('/').trim_end_matches('/');
        let directory =
            if matches!(relative, "" | ".") { context.to_owned() } else { context.join(relative) };
        if directory.is_dir() {
            stage.copies.push((directory, destination.clone()));
        }
    }
}

/// `NAME=value NAME="value"`, or the old form `NAME value`.
fn assign(variables: &mut BTreeMap<String, String>, rest: &str) {
    let pieces = split_quoted(rest);
    if !rest.split_whitespace().next().is_some_and(|first| first.contains('=')) {
        if let Some((name, value)) = rest.split_once(char::is_whitespace) {
            variables.insert(name.to_owned(), filled(value.trim(), variables));
        }
        return;
    }
    for piece in pieces {
        if let Some((name, value)) = piece.split_once('=') {
            let value = filled(value, variables);
            variables.insert(name.to_owned(), value);
        }
    }
}

/// Lines with their continuations, without comments.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        let trimmed = line.trim();
        if trimmed.starts_with('#') || (trimmed.is_empty() && open.is_empty()) {
            continue;
        }
        match trimmed.strip_suffix('\\') {
            Some(begun) => {
                open.push_str(begun);
                open.push(' ');
            }
            None => {
                open.push_str(trimmed);
                lines.push(std::mem::take(&mut open));
            }
        }
    }
    if !open.is_empty() {
        lines.push(open);
    }
    lines
}

fn list_form(rest: &str) -> Option<Vec<String>> {
    let from = rest.find('[').filter(|at| {
        rest.get(..*at).is_some_and(|before| before.split_whitespace().all(|word| word.starts_with("--")))
    })?;
    serde_json::from_str(rest.get(from..)?).ok()
}

/// The words of a command in either form; a shell's quotes are taken off.
pub(crate) fn words(rest: &str) -> Vec<String> {
    list_form(rest).unwrap_or_else(|| split_quoted(rest))
}

fn split_quoted(rest: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for c in rest.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, _) if c.is_whitespace() => {
                if !word.is_empty() {
                    found.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(c),
        }
    }
    if !word.is_empty() {
        found.push(word);
    }
    found
}

/// Fills in `$NAME`, `${NAME}` and `${NAME:-default}`.
fn filled(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        let (inner, tail) = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some(parts) => parts,
            None => {
                let end = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
                after.split_at(end)
            }
        };
        let (name, default) = inner.split_once(":-").unwrap_or((inner, ""));
        result.push_str(variables.get(name).map_or(default, String::as_str));
        rest = tail;
    }
    result.push_str(rest);
    result
}

/// A path inside the image under another one.
pub(crate) fn joined(base: &str, path: &str) -> String {
    let whole = if path.starts_with('/') { path.to_owned() } else { format!("{base}/{path}") };
    let mut parts: Vec<&str> = Vec::new();
    for part in whole.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Where a path of the host lies in the image, by the longest directory that was copied.
pub(crate) fn inside(copies: &[(PathBuf, String)], path: &Path) -> Option<String> {
    let best = copies
        .iter()
        .filter_map(|(from, to)| Some((from.components().count(), path.strip_prefix(from).ok()?, to)))
        .max_by_key(|(length, ..)| *length)?;
    let (_, rest, to) = best;
    Some(joined(to, &rest.to_string_lossy()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_last_stage_is_read_with_what_it_inherits() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("src")).unwrap();
        let text = "ARG V=3\nFROM python:${V} AS base\nENV HOME=/srv/shop LANG=\"C.UTF-8\"\nWORKDIR $HOME\n\
                    FROM node AS assets\nWORKDIR /node\nFROM base\nCOPY --from=assets /node/x x\n\
                    COPY --chown=a src/ ./code\n# no\nHEALTHCHECK --interval=3s \\\n  CMD curl -f http://localhost:8000/up\n\
                    ENTRYPOINT [\"/entry\"]\nCMD gunicorn 'shop.wsgi'\n";
        let found = parse(text, directory.path(), None);
        assert_eq!(found.working_directory, "/srv/shop");
        assert_eq!(found.command, ["gunicorn", "shop.wsgi"]);
        assert_eq!(found.entrypoint, ["/entry"]);
        assert_eq!(found.healthcheck.as_deref(), Some("curl -f http://localhost:8000/up"));
        assert_eq!(
            inside(&found.copies, &directory.path().join("src/manage.py")).unwrap(),
            "/srv/shop/code/manage.py"
        );
        assert_eq!(inside(&found.copies, directory.path()), None);
        assert_eq!(parse(text, directory.path(), Some("assets")).working_directory, "/node");
    }
}
