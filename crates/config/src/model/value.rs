//! Values that may stand elsewhere (`env:NAME`, `file:PATH`), and command lines.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Where a value stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueKind<'a> {
    /// Here: it is the text itself.
    Literal(&'a str),
    /// In a variable of the stack's env files or of this process.
    Environment(&'a str),
    /// In a file, whose last line break is left off. The path is relative to `eclusa.toml`.
    File(&'a str),
}

impl<'a> ValueKind<'a> {
    /// Reads `env:NAME`, `file:PATH`, or anything else as the text itself.
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        if let Some(name) = text.strip_prefix("env:") {
            Self::Environment(name)
        } else if let Some(path) = text.strip_prefix("file:") {
            Self::File(path)
        } else {
            Self::Literal(text)
        }
    }
}

/// A text, or a reference to where it stands. Its `Debug` shows no literal: environment tables hold tokens too.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Value(String);

impl Value {
    /// A value from what would stand in the file.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// What stands in the file.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the value stands.
    #[must_use]
    pub fn kind(&self) -> ValueKind<'_> {
        ValueKind::of(&self.0)
    }

    /// Whether it stands elsewhere.
    #[must_use]
    pub fn is_reference(&self) -> bool {
        !matches!(self.kind(), ValueKind::Literal(_))
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_reference() { write!(formatter, "{:?}", self.0) } else { formatter.write_str("\"…\"") }
    }
}

/// A reference to a secret: `env:NAME` or `file:PATH`, never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SecretReference(String);

impl SecretReference {
    /// Takes a reference; `None` for anything that would be the secret itself.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        match ValueKind::of(text) {
            ValueKind::Environment(name) if is_variable_name(name) => Some(Self(text.to_owned())),
            ValueKind::File(path) if !path.is_empty() => Some(Self(text.to_owned())),
            _ => None,
        }
    }

    /// The reference.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where the secret stands; never a literal.
    #[must_use]
    pub fn kind(&self) -> ValueKind<'_> {
        ValueKind::of(&self.0)
    }
}

impl fmt::Display for SecretReference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SecretReference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // The text is not repeated: it may be the secret.
        Self::new(&text).ok_or_else(|| D::Error::custom("secret-literal"))
    }
}

/// Whether a text can name an environment variable.
#[must_use]
pub fn is_variable_name(text: &str) -> bool {
    text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A program and its arguments: at least one, the first not empty. Never a shell string.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct CommandLine(Vec<String>);

impl CommandLine {
    /// Takes an argument vector; `None` without a program.
    #[must_use]
    pub fn new(argv: Vec<String>) -> Option<Self> {
        let good = argv.first().is_some_and(|program| !program.trim().is_empty())
            && argv.iter().all(|argument| !argument.contains('\0'));
        good.then_some(Self(argv))
    }

    /// A command line that stands in the program and is known to be good.
    pub(crate) fn fixed(argv: &[&str]) -> Self {
        Self(argv.iter().map(|&argument| argument.to_owned()).collect())
    }

    /// The program and its arguments.
    #[must_use]
    pub fn argv(&self) -> &[String] {
        &self.0
    }

    /// This command with further arguments.
    #[must_use]
    pub fn with<I, T>(&self, arguments: I) -> Self
    where
        I: IntoIterator<Item = T>,
        T: Into<String>,
    {
        let mut argv = self.0.clone();
        argv.extend(arguments.into_iter().map(Into::into));
        Self(argv)
    }

    /// The arguments with `{name}` replaced for each pair. Anything else in braces is left as it is, since
    /// commands may carry JSON or templates of their own.
    #[must_use]
    pub fn filled(&self, values: &[(&str, &str)]) -> Vec<String> {
        self.0.iter().map(|argument| fill(argument, values)).collect()
    }
}

/// Replaces `{name}` in one pass, so that a value that itself holds `{…}` is not read again.
fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let found = values.iter().find_map(|(name, value)| {
            after.strip_prefix(name).and_then(|tail| tail.strip_prefix('}')).map(|tail| (*value, tail))
        });
        if let Some((value, tail)) = found {
            filled.push_str(value);
            rest = tail;
        } else {
            filled.push('{');
            rest = after;
        }
    }
    filled.push_str(rest);
    filled
}

impl<'de> Deserialize<'de> for CommandLine {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = CommandLine;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a program and its arguments, such as [\"python\", \"manage.py\"]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<CommandLine, A::Error> {
                let mut argv = Vec::new();
                while let Some(argument) = sequence.next_element::<String>()? {
                    argv.push(argument);
                }
                CommandLine::new(argv).ok_or_else(|| A::Error::custom("empty-command"))
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}
