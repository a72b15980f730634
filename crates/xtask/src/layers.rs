//! Layers: a crate depends only on crates of lower levels, so that what decides can be read and tested without
//! what does, and any part at the edge can be replaced alone. A crate's level stands in its description (`L3: …`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use toml::Table;

use crate::tidy::Finding;

/// Crates that belong to no level. They may depend on anything; only the top may depend on them, and tests.
const UNLABELLED: &[&str] = &["eclusa-testkit", "eclusa-powerloss", "eclusa-shop", "xtask"];

/// The level at which everything is put together.
const TOP: u8 = 6;

/// Dependencies on the same level that are meant, each with its reason.
const SIDEWAYS: &[(&str, &str, &str)] = &[];

struct Crate {
    path: PathBuf,
    level: Option<u8>,
    dependencies: Vec<String>,
    for_tests: Vec<String>,
}

/// Checks the manifests of `crates/*`.
#[must_use]
pub fn check(root: &Path) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut crates = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(root.join("crates")) else {
        return vec![Finding::of_file("crates", "there are no crates")];
    };
    for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
        let path = Path::new("crates").join(entry.file_name()).join("Cargo.toml");
        match read(root, &path) {
            Ok((name, read)) => drop(crates.insert(name, read)),
            Err(problem) => found.push(Finding::of_file(path, problem)),
        }
    }
    for (name, one) in &crates {
        check_crate(name, one, &crates, &mut found);
    }
    found
}

fn read(root: &Path, path: &Path) -> Result<(String, Crate), String> {
    let text = std::fs::read_to_string(root.join(path)).map_err(|error| error.to_string())?;
    let manifest: Table = text.parse().map_err(|error: toml::de::Error| error.message().to_owned())?;
    let package = manifest.get("package").and_then(toml::Value::as_table).ok_or("it has no [package]")?;
    let field = |key: &str| package.get(key).and_then(toml::Value::as_str);
    let name = field("name").ok_or("the package has no name")?.to_owned();
    let description = field("description").unwrap_or_default();
    let level = description
        .strip_prefix('L')
        .and_then(|rest| rest.split_once(':'))
        .and_then(|(level, _)| level.parse().ok());
    let one = Crate {
        path: path.to_path_buf(),
        level,
        dependencies: dependencies(&manifest, &["dependencies", "build-dependencies"]),
        for_tests: dependencies(&manifest, &["dev-dependencies"]),
    };
    Ok((name, one))
}

/// The names of what a manifest depends on, also under `[target.….dependencies]` and behind a `package = "…"`.
fn dependencies(manifest: &Table, sections: &[&str]) -> Vec<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let tables = targets.into_iter().flat_map(|targets| targets.values().filter_map(toml::Value::as_table));
    std::iter::once(manifest)
        .chain(tables)
        .flat_map(|table| sections.iter().filter_map(|section| table.get(*section)?.as_table()))
        .flatten()
        .map(|(key, value)| value.get("package").and_then(toml::Value::as_str).unwrap_or(key).to_owned())
        .collect()
}

fn check_crate(name: &str, one: &Crate, crates: &BTreeMap<String, Crate>, found: &mut Vec<Finding>) {
    let mut say = |problem: String| found.push(Finding::of_file(&one.path, problem));
    let Some(level) = one.level else {
        if !UNLABELLED.contains(&name) {
            say(format!("the description of {name} does not begin with its level, such as \"L3: \""));
        }
        return;
    };
    if level > TOP {
        say(format!("{name} is on level {level}; the top is {TOP}"));
    }
    if UNLABELLED.contains(&name) {
        say(format!("{name} is a crate without a level"));
    }
    let all = one.dependencies.iter().map(|to| (to, false)).chain(one.for_tests.iter().map(|to| (to, true)));
    for (to, for_tests) in all {
        let Some(other) = crates.get(to) else { continue };
        match other.level {
            None if for_tests || level == TOP => {}
            None => say(format!("{name} (L{level}) depends on {to}, which is only for tests and the top")),
            Some(lower) if lower < level => {}
            Some(same) if same == level => {
                if !SIDEWAYS.iter().any(|(from, on, _)| *from == name && on == to) {
                    say(format!(
                        "{name} depends on {to} of the same level L{same}: move what both need down"
                    ));
                }
            }
            Some(higher) => say(format!("{name} (L{level}) depends on {to} above it (L{higher})")),
        }
    }
}
