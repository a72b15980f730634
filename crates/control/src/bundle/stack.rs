//! One stack: its status, Compose's model, the edge, the ends of its services' logs.

use std::sync::Arc;

use eclusa_config::{EnvironmentFile, Stack};
use eclusa_fault::{Code, Fault, Result};
use eclusa_host::LocalHost;
use eclusa_journal::{OpenMode, SqliteJournal};
use eclusa_model::ServiceName;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::contents::{Contents, names_in};
use super::{check, within};
use crate::redaction::{looks_random, process_names};
use crate::runtimes::compose_places;
use crate::{Assembly, Workspace, observe, status};

/// So many lines of all services together are taken, of the last day.
const LOG_LINES: usize = 2000;

/// The names of variables, without their values.
pub(super) fn environment_names(contents: &mut Contents, workspace: &Workspace) {
    let mut text = String::new();
    for stack in workspace.configuration.file.stacks.values() {
        for path in stack.environment_paths() {
            match EnvironmentFile::load(&path) {
                Ok(file) => {
                    text.push_str(&format!("{}:\n", path.display()));
                    for variable in &file.variables {
                        // A word that stands alone on its line may be a value that lost its name.
                        let stray = variable.value.is_none() && looks_random(&variable.name);
                        let name = if stray { "…" } else { &variable.name };
                        text.push_str(&format!("  {name} ({})\n", variable.line));
                    }
                }
                Err(fault) => contents.lack("environment.txt", &fault),
            }
        }
    }
    text.push_str("this process:\n");
    for name in process_names() {
        text.push_str(&format!("  {name}\n"));
    }
    contents.text("environment.txt", "bundle-what-environment", &text);
}

/// All of one stack; `sound` says whether the journal can be used.
pub(super) async fn gather(
    contents: &mut Contents,
    workspace: &Workspace,
    name: &str,
    sound: bool,
) -> Vec<Value> {
    let place = |file: &str| format!("stacks/{name}/{file}");
    if let Ok((_, stack)) = workspace.configuration.stack(Some(name)) {
        compose_model(contents, stack, &place("compose.json")).await;
    }
    edge(contents, workspace, name);
    let assembly = within("assembly", assembled(workspace, name, sound)).await;
    let mut checks = vec![check(&format!("{name}: stack"), &assembly.as_ref().map_err(Clone::clone))];
    match &assembly {
        Ok((assembly, _scratch)) => {
            checks.push(looks(contents, assembly, sound, &place).await);
            logs(contents, assembly, &place).await;
        }
        Err(fault) => {
            contents.lack(&place("status.json"), fault);
            contents.lack(&place("logs"), fault);
        }
    }
    let directory = workspace.state.join("process").join(name).join("logs");
    for file in names_in(&directory).iter().filter(|file| file.ends_with(".supervisor.log")) {
        contents.tail(&place(&format!("logs/{file}")), "bundle-what-supervisor", &directory.join(file));
    }
    checks
}

/// The stack put together. Where the journal cannot be used, an empty one takes its place for the while.
async fn assembled(
    workspace: &Workspace,
    name: &str,
    sound: bool,
) -> Result<(Assembly, Option<tempfile::TempDir>)> {
    if sound {
        let journal = workspace.journal_read_only()?;
        return Ok((Assembly::with_journal(workspace, Some(name), journal).await?, None));
    }
    let scratch = tempfile::tempdir().map_err(|error| {
        Fault::new(Code::FileAccess)
            .with("path", "a temporary directory")
            .with("operation", "made")
            .because(error)
    })?;
    let journal = Arc::new(SqliteJournal::open(scratch.path().join("journal.db"), OpenMode::ReadWrite)?);
    Ok((Assembly::with_journal(workspace, Some(name), journal).await?, Some(scratch)))
}

async fn looks(
    contents: &mut Contents,
    assembly: &Assembly,
    sound: bool,
    place: &impl Fn(&str) -> String,
) -> Value {
    let name = format!("{}: observation", assembly.name);
    if sound {
        let status = within("status", status::of(assembly)).await;
        match &status {
            Ok(status) => {
                let value = serde_json::to_value(status).unwrap_or_default();
                contents.json(&place("status.json"), "bundle-what-status", value);
            }
            Err(fault) => contents.lack(&place("status.json"), fault),
        }
        return check(&name, &status.as_ref().map_err(Clone::clone));
    }
    let observation = within("observation", observe::observe(assembly, None)).await;
    match &observation {
        Ok(observation) => {
            let value = serde_json::to_value(observation).unwrap_or_default();
            contents.json(&place("observation.json"), "bundle-what-observation", value);
        }
        Err(fault) => contents.lack(&place("observation.json"), fault),
    }
    check(&name, &observation.as_ref().map_err(Clone::clone))
}

async fn compose_model(contents: &mut Contents, stack: &Stack, path: &str) {
    let Some(compose) = &stack.compose else { return };
    let (files, env_files, directory) = compose_places(stack, compose);
    let host = Arc::new(LocalHost::new());
    let project = compose.project.as_deref();
    let shown = eclusa_runtime_docker::shown::shown_project(&files, &env_files, &directory, project, host);
    match within("docker compose config", shown).await {
        Ok(model) => contents.json(path, "bundle-what-compose", model),
        Err(fault) => contents.lack(path, &fault),
    }
}

/// The edge's configuration and what it keeps.
fn edge(contents: &mut Contents, workspace: &Workspace, name: &str) {
    let directory = workspace.state.join("edge").join(name);
    for part in ["", "state"] {
        let directory = directory.join(part);
        for file in names_in(&directory) {
            let path = directory.join(&file);
            if path.is_file() {
                let shown = if part.is_empty() { file } else { format!("{part}/{file}") };
                contents.file(&format!("stacks/{name}/edge/{shown}"), "bundle-what-edge", &path);
            }
        }
    }
}

async fn logs(contents: &mut Contents, assembly: &Assembly, place: &impl Fn(&str) -> String) {
    let runtime = &assembly.ports.runtime;
    let services: Vec<ServiceName> = match within("services", runtime.observe()).await {
        Ok(observation) => observation.services.into_iter().map(|service| service.name).collect(),
        Err(fault) => return contents.lack(&place("logs"), &fault),
    };
    let now = Timestamp::now();
    let since = now.checked_sub(SignedDuration::from_hours(24)).unwrap_or(now);
    for service in services {
        let path = place(&format!("logs/{service}.log"));
        match within("logs", runtime.logs(std::slice::from_ref(&service), since, LOG_LINES)).await {
            Ok(lines) => {
                // Texts are redacted together, without their times between them.
                let mut texts: Vec<String> = lines.iter().map(|line| line.text.clone()).collect();
                contents.redact(&mut texts);
                let shown: Vec<String> =
                    lines.iter().zip(&texts).map(|(line, text)| format!("{} {text}", line.at)).collect();
                contents.text(&path, "bundle-what-service-log", &(shown.join("\n") + "\n"));
            }
            Err(fault) => contents.lack(&path, &fault),
        }
    }
}
