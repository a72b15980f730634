//! A fault: what happened (code and arguments), what state things are in, what to do next, and what was
//! underneath.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Code, Language, Message};

/// Something that went wrong, as a value that can be journaled, sent as JSON and rendered in any language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The numbered kind; each has a page in `docs/errors/`.
    pub code: Code,
    /// The arguments of the code's text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, String>,
    /// The state things are in now, where the place that raised or passed on the fault knows better than the
    /// code's own text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Message>,
    /// What to type next, where it is more exact than the code's own text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<Message>,
    /// What was underneath, outermost first: messages of libraries, the last lines of a command.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// A rendered excerpt of the file where the mistake stands, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excerpt: Option<String>,
}

impl Fault {
    /// A fault of this kind.
    #[must_use]
    pub fn new(code: Code) -> Self {
        Self { code, args: BTreeMap::new(), state: None, hint: None, causes: Vec::new(), excerpt: None }
    }

    /// The same fault with an argument of its text.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.args.insert(name.into(), value.to_string());
        self
    }

    /// The same fault with what was underneath.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// The same fault with the state things are in now.
    #[must_use]
    pub fn state(mut self, state: Message) -> Self {
        self.state = Some(state);
        self
    }

    /// The same fault with what to type next.
    #[must_use]
    pub fn hint(mut self, hint: Message) -> Self {
        self.hint = Some(hint);
        self
    }

    /// The same fault with an excerpt of the file in which it stands.
    #[must_use]
    pub fn excerpt(mut self, excerpt: impl Into<String>) -> Self {
        self.excerpt = Some(excerpt.into());
        self
    }

    /// What happened, in one language.
    #[must_use]
    pub fn headline(&self, language: &Language) -> String {
        self.part("", language).unwrap_or_else(|| self.code.to_string())
    }

    /// The state things are in now, if it is known.
    #[must_use]
    pub fn state_text(&self, language: &Language) -> Option<String> {
        match &self.state {
            Some(message) => Some(message.render(language)),
            None => self.part("-state", language),
        }
    }

    /// What to type next, if it is known.
    #[must_use]
    pub fn hint_text(&self, language: &Language) -> Option<String> {
        match &self.hint {
            Some(message) => Some(message.render(language)),
            None => self.part("-hint", language),
        }
    }

    fn part(&self, suffix: &str, language: &Language) -> Option<String> {
        let message = Message { id: format!("{}{suffix}", self.code), args: self.args.clone() };
        message.is_known().then(|| message.render(language))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.code, self.headline(&Language::default()))?;
        for cause in &self.causes {
            write!(formatter, ": {cause}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Fault {}
