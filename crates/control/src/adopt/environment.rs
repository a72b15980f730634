//! Which env files Compose is started with, and which further ones hold what is needed.

use std::path::{Path, PathBuf};

use eclusa_config::{EnvironmentFile, EnvironmentFiles, ProcessEnvironment};
use eclusa_fault::Result;
use walkdir::WalkDir;

use super::document::{Guess, why};
use super::running::Containers;
use super::written::variables;

/// Words in the name of an env file that is none of this deployment.
const EXAMPLES: [&str; 8] = ["example", "sample", "template", "dist", "default", "test", "local", "dev"];

/// Chooses the env files: those that were named; those that the running project was started with; or the one beside
/// the Compose file that sets most of what the file asks for.
pub(crate) fn choose(
    named: &[PathBuf],
    files: &[(PathBuf, String)],
    directory: &Path,
    containers: &Containers,
) -> Guess<Vec<PathBuf>> {
    if !named.is_empty() {
        return Guess::found(named.to_vec(), why("env-named"));
    }
    if !containers.env_files.is_empty() && containers.env_files.iter().all(|file| file.is_file()) {
        return Guess::found(containers.env_files.clone(), why("env-running"));
    }
    let wanted: Vec<String> = files.iter().flat_map(|(_, text)| variables(text)).collect();
    let plain = directory.join(".env");
    let mut best: Option<(usize, u8, PathBuf)> = None;
    for path in candidates(directory) {
        let Ok(file) = EnvironmentFile::load(&path) else { continue };
        let sets = wanted.iter().filter(|name| file.get(name).is_some()).count();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mentioned = files.iter().any(|(_, text)| text.contains(&name));
        // Of equals: the one that Compose takes by itself, the one that a service reads, the one of production.
        let rank = if path == plain { 3 } else { u8::from(mentioned) + u8::from(name.contains("prod")) };
        let better = best.as_ref().is_none_or(|(most, highest, _)| (sets, rank) > (*most, *highest));
        if (sets > 0 || path == plain) && better {
            best = Some((sets, rank, path));
        }
    }
    match best {
        Some((_, _, path)) if path == plain => Guess::found(vec![path], why("env-plain")),
        Some((sets, _, path)) => {
            let reason = why("env-covers").with("sets", sets).with("all", wanted.len());
            Guess::check(vec![path], reason)
        }
        None => Guess::found(Vec::new(), why("env-none")),
    }
}

/// Files that look like env files, near the Compose file.
fn candidates(directory: &Path) -> Vec<PathBuf> {
    WalkDir::new(directory)
        .max_depth(3)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| {
            let name = entry.file_name().to_string_lossy();
            let place = name.starts_with(".env")
                || matches!(name.as_ref(), "env" | "envs" | ".production" | "production");
            entry.depth() == 0 || !entry.file_type().is_dir() || place
        })
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .filter(|entry| {
            let name = entry.file_name().to_string_lossy().to_lowercase();
            let like = name.starts_with(".env") || name.ends_with(".env") || entry.depth() > 1;
            like && !EXAMPLES.iter().any(|word| name.contains(word))
        })
        .map(walkdir::DirEntry::into_path)
        .collect()
}

/// Reads env files for looking names up.
pub(crate) fn load(paths: &[PathBuf]) -> Result<EnvironmentFiles> {
    EnvironmentFiles::load_with(paths, ProcessEnvironment::Given(std::collections::BTreeMap::new()))
}

/// The variables that still hold a placeholder, with their files.
pub(crate) fn placeholders(files: &EnvironmentFiles, words: &[String]) -> Vec<String> {
    files.files().iter().flat_map(|file| file.placeholders(words)).map(|(_, name)| name).collect()
}

/// The words that stand for values in the project's example env files, where they are others than `CHANGE_ME`.
pub(crate) fn placeholder_words(directory: &Path) -> Option<Vec<String>> {
    const KNOWN: [&str; 8] = [
        "CHANGE_ME",
        "CHANGEME",
        "changeme",
        "change_me",
        "change-me",
        "REPLACE_ME",
        "your-secret",
        "<secret>",
    ];
    let entries = std::fs::read_dir(directory).ok()?;
    let mut found: Vec<String> = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().to_lowercase();
        let example = name.contains("env")
            && ["example", "sample", "template", "dist"].iter().any(|word| name.contains(word));
        let Some(text) = example.then(|| super::python::read(&entry.path())).flatten() else { continue };
        for word in KNOWN {
            if text.contains(word) && !found.iter().any(|known| known == word) {
                found.push(word.to_owned());
            }
        }
    }
    let others = found.iter().any(|word| word != "CHANGE_ME");
    others.then(|| {
        if !found.iter().any(|word| word == "CHANGE_ME") {
            found.insert(0, "CHANGE_ME".to_owned());
        }
        found
    })
}
