//! A Django project's settings: the module, those it takes everything from, and what a few names are set to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::PythonProject;
use super::source::{arguments, assigned, at_key, inside, strings, variable_of};
use crate::adopt::dockerfile::{inside as path_inside, joined};

/// How deep one name of the settings may lead to another.
const DEEPEST: usize = 8;

/// The settings that run in production.
#[derive(Debug)]
pub(crate) struct Settings<'a> {
    /// The module's name.
    pub(crate) module: String,
    /// Its file and those it imports everything from, nearest first.
    texts: Vec<(PathBuf, &'a str)>,
    /// Where the code lies in the image.
    copies: Vec<(PathBuf, String)>,
    /// The environment that the settings see, as far as it is known and no secret.
    environment: BTreeMap<String, String>,
}

/// What the settings say of the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DatabaseHints {
    /// `postgresql`, `sqlite3`, `mysql`, … where it is written.
    pub(crate) engine: Option<String>,
    /// The variable that holds the database's URL.
    pub(crate) url_variable: Option<String>,
    /// The variable that holds its name.
    pub(crate) name_variable: Option<String>,
    /// The variable that holds its host.
    pub(crate) host_variable: Option<String>,
    /// The file of an SQLite database inside the image.
    pub(crate) path: Option<String>,
}

impl<'a> Settings<'a> {
    /// Reads the module and what it takes in by `from … import *`.
    pub(crate) fn read(
        project: &'a PythonProject,
        module: &str,
        copies: &[(PathBuf, String)],
        environment: BTreeMap<String, String>,
    ) -> Option<Self> {
        let mut texts = Vec::new();
        let mut next = vec![project.module(module)?];
        while let Some(file) = next.pop() {
            if texts.iter().any(|(seen, _)| *seen == file) || texts.len() > DEEPEST {
                continue;
            }
            let text = project.text(&file);
            for line in text.lines() {
                let import = line.trim().strip_prefix("from ").and_then(|rest| rest.split_once(" import "));
                if let Some((from, names)) = import
                    && names.trim_start().starts_with('*')
                    && let Some(path) = project.imported(&file, from.trim())
                {
                    next.push(path);
                }
            }
            texts.push((file, text));
        }
        Some(Self { module: module.to_owned(), texts, copies: copies.to_vec(), environment })
    }

    /// What is assigned to a name, and where.
    pub(crate) fn assigned(&self, name: &str) -> Option<(&'a str, &Path)> {
        self.texts.iter().find_map(|(file, text)| Some((assigned(text, name)?, file.as_path())))
    }

    /// Whether any of the files holds a text.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        self.texts.iter().any(|(_, content)| content.contains(text))
    }

    /// A name's value as words: from the variable that it reads, where that is known, or as written.
    pub(crate) fn words(&self, name: &str) -> Option<(Vec<String>, Option<String>)> {
        let (expression, _) = self.assigned(name)?;
        let variable = variable_of(expression);
        let value = variable.as_ref().and_then(|variable| self.environment.get(variable));
        let written = match value {
            Some(value) => vec![value.clone()],
            // Behind the name of the variable stands its default.
            None => strings(expression).into_iter().skip(usize::from(variable.is_some())).collect(),
        };
        let words = written
            .iter()
            .flat_map(|text| text.split([',', ' ', '[', ']', '"', '\'']))
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect();
        Some((words, variable))
    }

    /// The path inside the image that a name is set to.
    pub(crate) fn path(&self, name: &str) -> Option<String> {
        let (expression, file) = self.assigned(name)?;
        self.evaluated(expression, file, 0)
    }

    fn evaluated(&self, expression: &str, file: &Path, depth: usize) -> Option<String> {
        let expression = expression.trim();
        if depth > DEEPEST || expression.is_empty() {
            return None;
        }
        if expression.contains("__file__") && !expression.contains("join(") && !expression.contains(" / ") {
            return self.above(expression, file);
        }
        if let Some((left, right)) = split_last_slash(expression) {
            let base = self.evaluated(left, file, depth + 1)?;
            let part = strings(right).into_iter().next()?;
            return Some(joined(&base, &part));
        }
        for wrapper in ["os.path.join(", "join(", "path.join("] {
            if let Some(call) = expression.strip_prefix(wrapper) {
                let parts = arguments(call);
                let (base, rest) = parts.split_first()?;
                let base = self.evaluated(base, file, depth + 1)?;
                let rest: Vec<String> = rest.iter().flat_map(|part| strings(part)).collect();
                return Some(joined(&base, &rest.join("/")));
            }
        }
        if let Some(variable) = variable_of(expression) {
            if let Some(value) = self.environment.get(&variable) {
                return value.starts_with('/').then(|| value.clone());
            }
            let call = expression.split_once('(')?.1;
            let default = *arguments(call).get(1)?;
            let default = default.strip_prefix("default=").unwrap_or(default);
            return self.evaluated(default, file, depth + 1);
        }
        for wrapper in
            ["str(", "Path(", "pathlib.Path(", "os.fspath(", "os.path.abspath(", "os.path.realpath("]
        {
            if let Some(call) = expression.strip_prefix(wrapper) {
                return self.evaluated(inside(call), file, depth + 1);
            }
        }
        if expression.starts_with(['"', '\'', 'r']) && expression.contains(['"', '\'']) {
            return strings(expression).into_iter().next().filter(|path| path.starts_with('/'));
        }
        let name = expression.split(['.', '(']).next()?;
        let identifier = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !identifier {
            return None;
        }
        let (inner, other) = self.assigned(name)?;
        let base = self.evaluated(inner, other, depth + 1)?;
        let up = expression.matches(".parent").count();
        Some((0..up).fold(base, |path, _| joined(&path, "..")))
    }

    /// `Path(__file__).resolve().parent.parent` and its older forms, as a path inside the image.
    fn above(&self, expression: &str, file: &Path) -> Option<String> {
        let by_index = expression.split_once("parents[").and_then(|(_, rest)| rest.split_once(']'));
        let up = match by_index {
            Some((number, _)) => number.trim().parse::<usize>().ok()? + 1,
            None => expression.matches(".parent").count() + expression.matches("dirname(").count(),
        };
        let inside = path_inside(&self.copies, file)?;
        Some((0..up).fold(inside, |path, _| joined(&path, "..")))
    }

    /// What `DATABASES` says.
    pub(crate) fn database(&self) -> DatabaseHints {
        let Some((expression, file)) = self.assigned("DATABASES") else { return DatabaseHints::default() };
        let default = at_key(expression, "default").unwrap_or(expression);
        let engine = at_key(default, "ENGINE").map(|engine| {
            let named = strings(engine).into_iter().next_back().unwrap_or_default();
            named.rsplit('.').next().unwrap_or_default().to_owned()
        });
        let by_url = ["dj_database_url", "env.db(", "env.db_url(", "dburl", "database_url"]
            .iter()
            .any(|sign| default.contains(sign));
        let url_variable = by_url.then(|| variable_of(default).unwrap_or_else(|| "DATABASE_URL".to_owned()));
        let variable = |key: &str| at_key(default, key).and_then(variable_of);
        let sqlite = engine.as_deref().is_some_and(|engine| engine.contains("sqlite"));
        let path = if sqlite {
            at_key(default, "NAME").and_then(|name| self.evaluated(name, file, 0))
        } else {
            None
        };
        DatabaseHints {
            engine,
            url_variable,
            name_variable: variable("NAME"),
            host_variable: variable("HOST"),
            path,
        }
    }
}

/// `A / "b" / "c"` as `A / "b"` and `"c"`; the slash stands outside brackets and strings.
fn split_last_slash(expression: &str) -> Option<(&str, &str)> {
    let mut depth = 0_i32;
    let mut quote: Option<char> = None;
    let mut last = None;
    for (at, c) in expression.char_indices() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(c),
            (None, '(' | '[') => depth += 1,
            (None, ')' | ']') => depth -= 1,
            (None, '/') if depth == 0 => last = Some(at),
            _ => {}
        }
    }
    let at = last?;
    Some((expression.get(..at)?.trim(), expression.get(at + 1..)?.trim()))
}
