//! Env files with the place of every value. The grammar is the one of `eclusa-config`.

use std::path::Path;

use eclusa_config::EnvironmentFile;
use secrecy::ExposeSecret;

use crate::library::{FileId, Library, Span};

/// A variable of an env file.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where the value stands.
    pub span: Span,
}

impl Variable {
    /// What it takes in memory, in bytes, roughly.
    #[must_use]
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.name.len() + self.value.len()
    }
}

/// Reads an env file; a line that is none ends the reading, and what stood before it is kept.
#[must_use]
pub fn read(library: &Library<'_>, file: FileId) -> Vec<Variable> {
    let opened = library.file(file);
    let nothing = |_: &str| None;
    let parsed = EnvironmentFile::parse_with(&opened.text, Path::new(&opened.path), &nothing);
    let Ok(parsed) = parsed else { return line_by_line(&opened, file) };
    parsed
        .variables
        .iter()
        .filter_map(|variable| {
            let value = variable.value.as_ref()?.expose_secret().to_owned();
            let span = place(&opened, file, variable.line);
            Some(Variable { name: variable.name.clone(), value, span })
        })
        .collect()
}

/// A file with a line that Compose refuses is still looked at: its other lines may hold secrets.
fn line_by_line(opened: &crate::library::Opened, file: FileId) -> Vec<Variable> {
    (1..=opened.line_count())
        .filter_map(|number| {
            let line = opened.line(number).trim();
            let (name, value) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
            let value = value.trim().trim_matches(['"', '\'']).to_owned();
            let name = name.trim().trim_start_matches("export ").to_owned();
            Some(Variable { name, value, span: place(opened, file, number) })
        })
        .collect()
}

fn place(opened: &crate::library::Opened, file: FileId, number: usize) -> Span {
    let (start, line) = (opened.line_start(number), opened.line(number));
    let equals = line.find(['=', ':']).map_or(0, |at| at + 1);
    let value = line.get(equals..).unwrap_or("");
    let begin = start + equals + (value.len() - value.trim_start().len());
    let end = begin + value.trim().len();
    Span { file, start: begin, end: end.max(begin) }
}
