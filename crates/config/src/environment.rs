//! Env files as Docker Compose reads them, with the line of each variable.
//!
//! The kept crates for `.env` files (dotenvy 0.15) refuse what Compose takes — unquoted values with spaces,
//! `${NAME:-default}`, names without a value — and know no lines, so the reading is here (`syntax`).

mod syntax;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use eclusa_fault::{Message, Result};
use secrecy::{ExposeSecret, SecretString};
pub use syntax::{closing, name_length};

use crate::source::{Source, read};

/// The environment of this process, or one that was given in its place.
#[derive(Clone, Default)]
pub enum ProcessEnvironment {
    /// The real one.
    #[default]
    Real,
    /// A given one, so that a test does not depend on where it runs.
    Given(BTreeMap<String, String>),
}

impl ProcessEnvironment {
    /// The value of a variable; one that is not UTF-8 counts as absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        match self {
            Self::Real => std::env::var(name).ok(),
            Self::Given(variables) => variables.get(name).cloned(),
        }
    }
}

/// A variable of an env file. Its value is never in `Debug`.
#[derive(Clone)]
pub struct Variable {
    /// The line it begins on, from 1.
    pub line: usize,
    /// Its name.
    pub name: String,
    /// Its value with quotes taken off and `${…}` filled in; `None` for a name alone that the process does not have.
    pub value: Option<SecretString>,
    /// The value as it stands in the file, before `${…}` is filled in.
    written: SecretString,
}

impl fmt::Debug for Variable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}=…", self.line, self.name)
    }
}

/// One env file.
#[derive(Debug, Clone)]
pub struct EnvironmentFile {
    /// Where it was read.
    pub path: PathBuf,
    /// Its variables in the order of the file.
    pub variables: Vec<Variable>,
}

impl EnvironmentFile {
    /// Reads a file; `${NAME}` is filled in from this process and from what stands above it.
    ///
    /// # Errors
    /// `ConfigUnreadable`, or `ConfigInvalid` with the line shown (its value hidden).
    pub fn load(path: &Path) -> Result<Self> {
        Self::parse(&read(path)?, path)
    }

    /// Reads a text.
    ///
    /// # Errors
    /// `ConfigInvalid` with the line shown (its value hidden).
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        Self::parse_with(text, path, &|name| ProcessEnvironment::Real.get(name))
    }

    /// Reads a text; `${NAME}` is filled in from `outside` and from what stands above it.
    ///
    /// # Errors
    /// `ConfigInvalid` with the line shown (its value hidden).
    pub fn parse_with(text: &str, path: &Path, outside: &dyn Fn(&str) -> Option<String>) -> Result<Self> {
        match syntax::read(text, outside) {
            Ok(found) => Ok(Self {
                path: path.to_owned(),
                variables: found
                    .into_iter()
                    .map(|entry| Variable {
                        line: entry.line,
                        name: entry.name,
                        value: entry.value.map(SecretString::from),
                        written: SecretString::from(entry.written),
                    })
                    .collect(),
            }),
            Err(error) => Err(Source { path, text }.fault(&error.mistake, error.span, &syntax::values(text))),
        }
    }

    /// The value of a variable; the last line that sets it wins.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&SecretString> {
        self.variables
            .iter()
            .rev()
            .find(|variable| variable.name == name)
            .and_then(|variable| variable.value.as_ref())
    }

    /// The line and name of each variable whose value holds one of the texts: it was never filled in. What another
    /// variable brought in by `${…}` is told at that variable.
    #[must_use]
    pub fn placeholders(&self, texts: &[String]) -> Vec<(usize, String)> {
        let texts: Vec<&str> = texts.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        let holds = |value: &SecretString| texts.iter().any(|text| value.expose_secret().contains(text));
        self.variables
            .iter()
            .filter(|variable| holds(&variable.written) && variable.value.as_ref().is_some_and(holds))
            .map(|variable| (variable.line, variable.name.clone()))
            .collect()
    }
}

/// The env files of a stack in order, and the process's own environment behind them.
#[derive(Clone, Default)]
pub struct EnvironmentFiles {
    files: Vec<EnvironmentFile>,
    process: ProcessEnvironment,
}

impl fmt::Debug for EnvironmentFiles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(&self.files).finish()
    }
}

impl EnvironmentFiles {
    /// Files that were read already; later ones win.
    #[must_use]
    pub fn new(files: Vec<EnvironmentFile>, process: ProcessEnvironment) -> Self {
        Self { files, process }
    }

    /// Reads files; later ones win, and may use what earlier ones set.
    ///
    /// # Errors
    /// `ConfigUnreadable` or `ConfigInvalid` for the first that cannot be read.
    pub fn load(paths: &[PathBuf]) -> Result<Self> {
        Self::load_with(paths, ProcessEnvironment::Real)
    }

    /// The same with a given process environment.
    ///
    /// # Errors
    /// As for [`EnvironmentFiles::load`].
    pub fn load_with(paths: &[PathBuf], process: ProcessEnvironment) -> Result<Self> {
        let mut all = Self { files: Vec::new(), process };
        for path in paths {
            let text = read(path).map_err(|fault| fault.hint(Message::new("config-env-file-hint")))?;
            let file = EnvironmentFile::parse_with(&text, path, &|name| {
                all.process.get(name).or_else(|| all.get(name))
            })?;
            all.files.push(file);
        }
        Ok(all)
    }

    /// The files.
    #[must_use]
    pub fn files(&self) -> &[EnvironmentFile] {
        &self.files
    }

    /// The value of a variable: from the last file that sets it, or else from the process.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        let in_files = self.files.iter().rev().find_map(|file| file.get(name));
        in_files.map(|value| value.expose_secret().to_owned()).or_else(|| self.process.get(name))
    }

    /// Why a variable cannot be had, naming where it was looked for.
    pub(crate) fn absence(&self, name: &str) -> Message {
        let paths: Vec<String> = self.files.iter().map(|file| file.path.display().to_string()).collect();
        if paths.is_empty() {
            Message::new("config-variable-nowhere").with("name", name)
        } else {
            Message::new("config-variable-absent").with("name", name).with("paths", paths.join(", "))
        }
    }
}
