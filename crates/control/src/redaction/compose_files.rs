//! The secrets that stand in Compose files themselves or that these name: environments, build arguments, env files of
//! services, `secrets`, `configs`. The files are read as they are, so that this needs no Docker.

use std::path::Path;

use serde_json::Value;

use super::Redaction;

/// Learns what a Compose file holds. One that cannot be read is passed over.
pub(super) fn read(redaction: &mut Redaction, path: &Path) {
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let Ok(file) = serde_saphyr::from_str::<Value>(&text) else { return };
    let directory = path.parent().unwrap_or(Path::new("."));
    for service in members(file.get("services")) {
        variables(redaction, service.1.get("environment"));
        variables(redaction, service.1.get("build").and_then(|build| build.get("args")));
        for place in places(service.1.get("env_file")) {
            redaction.environment_file(&directory.join(place), None);
        }
    }
    for (_, secret) in members(file.get("secrets")) {
        if let Some(place) = secret.get("file").and_then(Value::as_str) {
            redaction.file(&directory.join(place));
        }
        if let Some(name) = secret.get("environment").and_then(Value::as_str) {
            redaction.environment_variable(name);
        }
        if let Some(content) = secret.get("content").and_then(Value::as_str) {
            redaction.whole(content);
        }
    }
}

fn members(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

/// `NAME: value` or `- NAME=value`. What Compose fills in comes from env files, which are read on their own.
fn variables(redaction: &mut Redaction, value: Option<&Value>) {
    let mut learn = |name: &str, text: &str| {
        if !text.contains("${") {
            redaction.variable(name, &text.replace("$$", "$"));
        }
    };
    for (name, value) in members(value) {
        match value {
            Value::String(text) => learn(name, text),
            Value::Number(number) => learn(name, &number.to_string()),
            _ => {}
        }
    }
    for item in value.and_then(Value::as_array).into_iter().flatten() {
        if let Some((name, text)) = item.as_str().and_then(|text| text.split_once('=')) {
            learn(name, text);
        }
    }
}

/// `env_file: FILE`, a list of files, or a list of tables with a `path`.
fn places(value: Option<&Value>) -> Vec<String> {
    let one = |value: &Value| {
        value.as_str().or_else(|| value.get("path").and_then(Value::as_str)).map(str::to_owned)
    };
    match value {
        Some(Value::Array(items)) => items.iter().filter_map(one).collect(),
        Some(other) => one(other).into_iter().collect(),
        None => Vec::new(),
    }
}
