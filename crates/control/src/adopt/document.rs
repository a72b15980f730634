//! The text of `eclusa.toml` as it grows: values, each with the reason why it stands there.

use eclusa_fault::{Language, Message};
use serde::Serialize;
use toml_edit::{Array, InlineTable, Key, Value};

/// The columns at which a comment goes on in the next line.
const WIDTH: usize = 112;

/// How sure a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// It stands somewhere, or follows from what stands there.
    Found,
    /// It is a guess.
    Check,
    /// It was not found: the line is commented out.
    Missing,
}

/// One value of the file and why it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The key below the stack's table, such as `services.web`.
    pub key: String,
    /// The value as TOML writes it; none for a remark about something else.
    pub value: Option<String>,
    /// How sure it is.
    pub certainty: Certainty,
    /// Why it stands there, or what to write.
    pub why: Message,
}

/// A value that was found or guessed, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guess<T> {
    pub(crate) value: T,
    pub(crate) certainty: Certainty,
    pub(crate) why: Message,
}

impl<T> Guess<T> {
    pub(crate) fn found(value: T, why: Message) -> Self {
        Self { value, certainty: Certainty::Found, why }
    }

    pub(crate) fn check(value: T, why: Message) -> Self {
        Self { value, certainty: Certainty::Check, why }
    }
}

/// A reason without its text: `adopt-why-` and the rest of its id.
pub(crate) fn why(id: &str) -> Message {
    Message::new(format!("adopt-why-{id}"))
}

/// A text as TOML writes it.
pub(crate) fn text(value: impl AsRef<str>) -> String {
    Value::from(value.as_ref()).to_string()
}

/// A list of texts as TOML writes it.
pub(crate) fn list<S: AsRef<str>>(values: &[S]) -> String {
    values.iter().map(|value| value.as_ref()).collect::<Array>().to_string()
}

/// A list of lists of texts as TOML writes it.
pub(crate) fn lists(values: &[Vec<String>]) -> String {
    let inner: Vec<String> = values.iter().map(|words| list(words)).collect();
    format!("[{}]", inner.join(", "))
}

/// Texts by name as TOML writes them on one line.
pub(crate) fn texts(values: &[(String, String)]) -> String {
    let table: InlineTable = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    table.to_string().trim().to_owned()
}

/// The file as it grows.
pub(crate) struct Document {
    text: String,
    language: Language,
    stack: String,
    /// The table under the stack's that lines go into, such as `services`; empty for the stack's own.
    table: String,
    /// What was written, for the summary.
    pub(crate) notes: Vec<Note>,
}

impl Document {
    pub(crate) fn new(stack: &str, language: &Language) -> Self {
        Self {
            text: String::new(),
            language: language.clone(),
            stack: Key::new(stack).to_string(),
            table: String::new(),
            notes: Vec::new(),
        }
    }

    pub(crate) fn finish(self) -> (String, Vec<Note>) {
        (self.text, self.notes)
    }

    /// A line as it is.
    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    /// A comment, broken into lines.
    pub(crate) fn remark(&mut self, message: &Message) {
        self.comment("", &message.render(&self.language.clone()));
    }

    fn comment(&mut self, label: &str, text: &str) {
        let mut line = format!("# {label}");
        for word in text.split_whitespace() {
            if line.chars().count() + word.chars().count() > WIDTH {
                self.line(line.trim_end());
                line = "#   ".to_owned();
            }
            line.push_str(word);
            line.push(' ');
        }
        self.line(line.trim_end());
    }

    fn header_name(&self, table: &str) -> String {
        if table.is_empty() {
            format!("stacks.{}", self.stack)
        } else {
            format!("stacks.{}.{table}", self.stack)
        }
    }

    /// Begins a table under the stack's.
    pub(crate) fn table(&mut self, table: &str) {
        table.clone_into(&mut self.table);
        let header = format!("\n[{}]", self.header_name(table));
        self.line(&header);
    }

    /// Begins an entry of a list of tables under the stack's, with a reason above it.
    pub(crate) fn entry(&mut self, table: &str, name: &str, certainty: Certainty, why: &Message) {
        self.line("");
        self.reason(certainty, why);
        let header = format!("[[{}]]", self.header_name(table));
        self.line(&header);
        self.table = table.to_owned();
        self.notes.push(Note { key: format!("{table}.{name}"), value: None, certainty, why: why.clone() });
    }

    /// Begins an entry of a list of tables that is commented out.
    pub(crate) fn commented_entry(
        &mut self,
        table: &str,
        name: &str,
        why: &Message,
        lines: &[(&str, String)],
    ) {
        self.line("");
        self.reason(Certainty::Missing, why);
        let header = format!("# [[{}]]", self.header_name(table));
        self.line(&header);
        for (key, value) in lines {
            self.line(&format!("# {key} = {value}"));
        }
        let key = format!("{table}.{name}");
        self.notes.push(Note { key, value: None, certainty: Certainty::Missing, why: why.clone() });
    }

    /// One more entry of a list that is commented out, for the same reason as the one before it.
    pub(crate) fn commented_again(&mut self, table: &str, lines: &[(&str, String)]) {
        let header = format!("# [[{}]]", self.header_name(table));
        self.line("#");
        self.line(&header);
        for (key, value) in lines {
            self.line(&format!("# {key} = {value}"));
        }
    }

    /// A table that is commented out, with nothing in the summary.
    pub(crate) fn commented_table(&mut self, table: &str, about: &Message, lines: &[&str]) {
        self.line("");
        self.remark(about);
        let header = format!("# [{}]", self.header_name(table));
        self.line(&header);
        for line in lines {
            self.line(&format!("# {line}"));
        }
    }

    /// A list of tables that is commented out, with nothing in the summary.
    pub(crate) fn commented_list(&mut self, table: &str, about: &Message, lines: &[&str]) {
        self.line("");
        self.remark(about);
        let header = format!("# [[{}]]", self.header_name(table));
        self.line(&header);
        for line in lines {
            self.line(&format!("# {line}"));
        }
    }

    fn reason(&mut self, certainty: Certainty, why: &Message) {
        let label = match certainty {
            Certainty::Found => "adopt-label-found",
            Certainty::Check => "adopt-label-check",
            Certainty::Missing => "adopt-label-missing",
        };
        let label = format!("{}: ", Message::new(label).render(&self.language));
        let why = why.render(&self.language);
        self.comment(&label, &why);
    }

    /// A line without a reason.
    pub(crate) fn plain(&mut self, key: &str, value: &str) {
        self.line(&format!("{key} = {value}"));
    }

    /// A line with its reason above it.
    pub(crate) fn set(&mut self, key: &str, value: &str, certainty: Certainty, why: &Message) {
        self.reason(certainty, why);
        self.line(&format!("{key} = {value}"));
        self.note(key, Some(value), certainty, why);
    }

    /// A line that is commented out: what to write there.
    pub(crate) fn missing(&mut self, key: &str, example: &str, why: &Message) {
        self.reason(Certainty::Missing, why);
        self.line(&format!("# {key} = {example}"));
        self.note(key, None, Certainty::Missing, why);
    }

    /// A remark with a place in the summary.
    pub(crate) fn warn(&mut self, key: &str, why: &Message) {
        self.reason(Certainty::Check, why);
        self.note(key, None, Certainty::Check, why);
    }

    fn note(&mut self, key: &str, value: Option<&str>, certainty: Certainty, why: &Message) {
        let key = if self.table.is_empty() { key.to_owned() } else { format!("{}.{key}", self.table) };
        self.notes.push(Note { key, value: value.map(str::to_owned), certainty, why: why.clone() });
    }
}
