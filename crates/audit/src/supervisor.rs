//! Supervisor's configuration files: sections with their settings and places. Nothing is expanded.

use crate::library::{FileId, Library, Span};

/// A setting.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Its name.
    pub key: String,
    /// Its value, lines that go on joined by spaces, without a comment behind it.
    pub value: String,
    /// Where the value stands.
    pub span: Span,
}

/// A section: `[program:web]`, `[supervisord]`.
#[derive(Debug, Clone)]
pub struct Section {
    /// What stands in the brackets.
    pub title: String,
    /// Where that stands.
    pub span: Span,
    /// Its settings in their order.
    pub settings: Vec<Setting>,
}

impl Section {
    /// The name of the program, when it is one.
    #[must_use]
    pub fn program(&self) -> Option<&str> {
        self.title
            .strip_prefix("program:")
            .or_else(|| self.title.strip_prefix("fcgi-program:"))
            .map(str::trim)
    }

    /// A setting; the last one of a name is in effect.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Setting> {
        self.settings.iter().rev().find(|setting| setting.key == key)
    }

    /// The value of a setting; empty when it is not there.
    #[must_use]
    pub fn value(&self, key: &str) -> &str {
        self.get(key).map_or("", |setting| setting.value.as_str())
    }

    /// What `environment=` sets: names with values.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        let mut quote = None;
        let mut pair = String::new();
        for c in self.value("environment").chars().chain([',']) {
            match quote {
                Some(open) if c == open => quote = None,
                None if c == '"' || c == '\'' => quote = Some(c),
                None if c == ',' => {
                    if let Some((name, value)) = std::mem::take(&mut pair).split_once('=') {
                        found.push((name.trim().to_owned(), value.trim().to_owned()));
                    }
                }
                _ => pair.push(c),
            }
        }
        found
    }
}

/// The sections of a file.
#[must_use]
pub fn read(library: &Library<'_>, file: FileId) -> Vec<Section> {
    let opened = library.file(file);
    let mut sections: Vec<Section> = Vec::new();
    for number in 1..=opened.line_count() {
        let line = opened.line(number);
        let trimmed = line.trim();
        let start = opened.line_start(number) + (line.len() - line.trim_start().len());
        if trimmed.is_empty() || trimmed.starts_with([';', '#']) {
            continue;
        }
        if let Some(title) = trimmed.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            let span = Span { file, start: start + 1, end: start + 1 + title.len() };
            sections.push(Section { title: title.trim().to_owned(), span, settings: Vec::new() });
            continue;
        }
        let Some(section) = sections.last_mut() else { continue };
        let content = trimmed.split(" ;").next().unwrap_or_default().trim_end();
        let end = start + content.len();
        if line.starts_with([' ', '\t'])
            && let Some(last) = section.settings.last_mut()
        {
            last.value.push(' ');
            last.value.push_str(content);
            last.span.end = end;
        } else if let Some((key, value)) = content.split_once('=') {
            let begin = end - value.trim_start().len();
            section.settings.push(Setting {
                key: key.trim().to_ascii_lowercase(),
                value: value.trim().to_owned(),
                span: Span { file, start: begin, end },
            });
        }
    }
    sections
}
