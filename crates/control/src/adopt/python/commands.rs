//! A Django project's management commands and tests.

use std::path::Path;

use super::source::{arguments, assigned, strings};
use super::{PythonProject, read};

/// A management command of the project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ManagementCommand {
    /// What follows `manage.py`.
    pub(crate) name: String,
    /// Its help, where it is written in one text.
    pub(crate) help: Option<String>,
    /// What its first positional argument may be, where that is written.
    pub(crate) choices: Vec<String>,
}

/// How the project is tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TestsFound {
    /// By pytest, named in a file that the image is built from.
    Pytest(String),
    /// By pytest, named only in a file that the image is not built from.
    PytestOutside(String),
    /// By Django's own runner: a file of tests was found.
    Django(String),
}

/// The management commands in the order of their names.
pub(crate) fn management(project: &PythonProject) -> Vec<ManagementCommand> {
    let mut found: Vec<ManagementCommand> = project
        .files
        .iter()
        .filter(|(path, _)| path.parent().is_some_and(|parent| parent.ends_with("management/commands")))
        .filter_map(|(path, text)| {
            let name = path.file_stem()?.to_string_lossy().into_owned();
            let help = assigned(text, "help").and_then(|help| strings(help).into_iter().next());
            (!name.starts_with('_')).then(|| ManagementCommand { name, help, choices: choices(text) })
        })
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.dedup_by(|a, b| a.name == b.name);
    found
}

/// What `choices=[…]` of the first positional argument holds; `*NAME` and `NAME` are looked up in the file.
fn choices(text: &str) -> Vec<String> {
    let positional = text.split("add_argument(").skip(1).find(|call| {
        arguments(call)
            .first()
            .is_some_and(|first| strings(first).first().is_some_and(|name| !name.starts_with('-')))
    });
    let Some(call) = positional else { return Vec::new() };
    let Some(list) = arguments(call).into_iter().find_map(|argument| argument.strip_prefix("choices="))
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let bare = list.trim_start_matches(['[', '(']);
    let pieces = if bare.len() == list.len() { vec![list] } else { arguments(bare) };
    for piece in pieces {
        let name = piece.trim_start_matches('*').trim_end_matches(".keys()");
        match strings(piece).into_iter().next() {
            Some(literal) => found.push(literal),
            None => found.extend(assigned(text, name).map(keys).unwrap_or_default()),
        }
    }
    found.retain(|choice| {
        !choice.is_empty() && choice.chars().all(|c| c.is_alphanumeric() || "-_".contains(c))
    });
    found
}

/// The keys of a dictionary, or the texts of a list.
fn keys(expression: &str) -> Vec<String> {
    let Some(dictionary) = expression.strip_prefix('{') else { return strings(expression) };
    arguments(dictionary)
        .into_iter()
        .filter_map(|entry| strings(entry.split_once(':').map_or(entry, |(key, _)| key)).into_iter().next())
        .collect()
}

/// How the project is tested, by its requirements and its files. `dockerfile` is the text of the image's recipe.
pub(crate) fn tests(project: &PythonProject, context: &Path, dockerfile: &str) -> Option<TestsFound> {
    let mut outside = None;
    for (name, text) in requirements(context, &project.root) {
        let names_pytest = text.lines().any(|line| {
            let line = line.trim().trim_start_matches(['"', '\'']);
            line.starts_with("pytest")
        });
        if !names_pytest {
            continue;
        }
        let file = name.rsplit('/').next().unwrap_or(&name);
        if dockerfile.contains(file) && !is_for_development(file) {
            return Some(TestsFound::Pytest(name));
        }
        outside.get_or_insert(name);
    }
    if let Some(name) = outside {
        return Some(TestsFound::PytestOutside(name));
    }
    project
        .files
        .iter()
        .find(|(path, text)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            (name == "tests.py" || name.starts_with("test_")) && text.contains("TestCase")
        })
        .map(|(path, _)| TestsFound::Django(project.shown(path)))
}

fn is_for_development(file: &str) -> bool {
    ["dev", "test", "local"].iter().any(|word| file.contains(word))
}

/// The files that name what is installed, with their paths below the context.
pub(crate) fn requirements(context: &Path, root: &Path) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for directory in
        [context.to_owned(), context.join("requirements"), root.to_owned(), root.join("requirements")]
    {
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        let in_requirements = directory.ends_with("requirements");
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let fits = name.starts_with("requirements")
                || matches!(name.as_str(), "pyproject.toml" | "Pipfile" | "setup.cfg" | "setup.py")
                || (in_requirements && (name.ends_with(".txt") || name.ends_with(".in")));
            let path = entry.path();
            if let Some(text) = fits.then(|| read(&path)).flatten() {
                let shown = path.strip_prefix(context).unwrap_or(&path).display().to_string();
                found.push((shown, text));
            }
        }
    }
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod check {
    use super::*;

    #[test]
    fn choices_are_looked_up() {
        let text = "ALL = {\n    \"login\": a,\n    \"sale\": b(1, 2),\n}\nx.add_argument(\"--dry\")\n\
                    x.add_argument(\"check\", nargs=\"+\", choices=[*ALL, \"all\"])\n";
        assert_eq!(choices(text), ["login", "sale", "all"]);
        assert_eq!(choices("x.add_argument('n', choices=NAMES)\nNAMES = ['a', 'b c']\n"), ["a"]);
        assert!(choices("nothing").is_empty());
    }
}
