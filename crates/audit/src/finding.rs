//! What was found: a rule, the place that causes it, and the words to say it with.

use eclusa_fault::Message;
use serde::{Deserialize, Serialize};

use crate::library::{Library, Span};
use crate::rules::{Rule, rule};

/// How bad something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Should be changed when something else is.
    Low,
    /// Will cost time or sleep one day.
    Medium,
    /// Data, secrets or the service are at risk.
    High,
    /// Data will be lost, or anyone gets in.
    Critical,
}

impl Severity {
    /// All of them, the worst first.
    pub const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Info];

    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// A change of a text that mends a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// What is replaced; empty for an insertion.
    pub span: Span,
    /// By what.
    pub text: String,
}

/// A finding before it is made readable.
#[derive(Debug, Clone)]
pub struct Raw {
    /// The rule.
    pub rule: &'static Rule,
    /// The value that causes it; none for what was observed of a machine.
    pub span: Option<Span>,
    /// What it is about: a service, a file, a variable.
    pub subject: String,
    /// The arguments of the rule's texts.
    pub arguments: Vec<(&'static str, String)>,
    /// Further places that belong to it.
    pub related: Vec<Span>,
    /// How it is mended without asking.
    pub edits: Vec<Edit>,
}

/// Collects findings.
#[derive(Debug, Default)]
pub struct Findings {
    /// What was found.
    pub found: Vec<Raw>,
    /// Values that must not be shown.
    pub secrets: Vec<String>,
}

impl Findings {
    /// Adds a finding; gives it back for what else is known of it.
    pub fn add(&mut self, code: &str, span: impl Into<Option<Span>>, subject: impl Into<String>) -> &mut Raw {
        let subject = subject.into();
        let arguments = vec![("subject", subject.clone())];
        let (span, rule) = (span.into(), rule(code));
        let raw = Raw { rule, span, subject, arguments, related: Vec::new(), edits: Vec::new() };
        let at = self.found.len();
        self.found.push(raw);
        &mut self.found[at]
    }
}

impl Raw {
    /// With an argument of its text.
    pub fn with(&mut self, name: &'static str, value: impl std::fmt::Display) -> &mut Self {
        self.arguments.push((name, value.to_string()));
        self
    }

    /// An argument of its text; empty when it has none of this name.
    #[must_use]
    pub fn argument(&self, name: &str) -> &str {
        self.arguments.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// With a further place.
    pub fn related(&mut self, span: Span) -> &mut Self {
        self.related.push(span);
        self
    }

    /// With a change that mends it.
    pub fn edit(&mut self, span: Span, text: impl Into<String>) -> &mut Self {
        self.edits.push(Edit { span, text: text.into() });
        self
    }

    /// A text of its rule.
    #[must_use]
    pub fn message(&self, suffix: &str) -> Message {
        let id = format!("{}{suffix}", self.rule.code);
        self.arguments.iter().fold(Message::new(id), |message, (name, value)| message.with(*name, value))
    }
}

/// A place as people and programs name it: lines and columns from 1, a column is a character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The file, from the directory that was audited.
    pub path: String,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
    /// The line of its end.
    pub end_line: usize,
    /// The column after its end.
    pub end_column: usize,
}

impl Place {
    /// The place of a span. One over several lines ends with its first line.
    #[must_use]
    pub fn of(library: &Library<'_>, span: Span) -> Self {
        let file = library.file(span.file);
        let (line, column) = file.position(span.start);
        let text = file.text.get(span.start..span.end).unwrap_or("");
        let first = text.split('\n').next().unwrap_or("").trim_end_matches('\r');
        let end_column = column + first.trim_end().chars().count();
        Self { path: file.path.clone(), line, column, end_line: line, end_column }
    }
}

/// A finding.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The rule's code.
    pub code: &'static str,
    /// The rule's name.
    pub name: &'static str,
    /// How bad.
    pub severity: Severity,
    /// What it is about.
    pub subject: String,
    /// Where; none for what was observed of a machine.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: Message,
    /// What can happen.
    pub risk: Message,
    /// What to write.
    pub remedy: Message,
    /// The line that causes it, without secrets.
    pub excerpt: String,
    /// Further places.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Place>,
    /// Whether `--fix` mends it.
    pub fixable: bool,
    /// The same finding has the same one in the next audit, also when lines have moved.
    pub fingerprint: String,
    /// The changes that mend it.
    #[serde(skip)]
    pub edits: Vec<Edit>,
    /// Where, as a span.
    #[serde(skip)]
    pub span: Option<Span>,
}
