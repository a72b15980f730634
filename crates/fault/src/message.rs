//! The message catalogue: text by id and arguments, in the language that the reader chose.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use fluent_templates::fluent_bundle::FluentValue;
use fluent_templates::{LanguageIdentifier, Loader, langid, static_loader};
use serde::{Deserialize, Serialize};

static_loader! {
    static CATALOGUE = {
        locales: "./locales",
        fallback_language: "en",
        // Isolation marks are invisible characters that end up in terminals, logs and golden files.
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// A language of the catalogue. English is complete; others fall back to it text by text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Language(LanguageIdentifier);

impl Default for Language {
    fn default() -> Self {
        Self(langid!("en"))
    }
}

impl Language {
    /// Reads a locale such as `pt_BR.UTF-8`; anything that is not understood is English.
    #[must_use]
    pub fn from_locale(locale: &str) -> Self {
        let tag = locale.split(['.', '@']).next().unwrap_or("en").replace('_', "-");
        tag.parse().map(Self).unwrap_or_default()
    }
}

/// A text that is not yet in any language: an id of the catalogue and the arguments to fill in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Message {
    /// The id in the catalogue, such as `step-secure-point`.
    pub id: String,
    /// The arguments, already formatted (a number is its decimal text).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub args: BTreeMap<String, String>,
}

impl Message {
    /// A message without arguments.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), args: BTreeMap::new() }
    }

    /// A text that someone wrote (a hook's name, a person's reason): shown as it is, in no catalogue.
    #[must_use]
    pub fn verbatim(text: impl std::fmt::Display) -> Self {
        Self::new("verbatim").with("text", text)
    }

    /// The same message with one more argument.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl std::fmt::Display) -> Self {
        self.args.insert(name.into(), value.to_string());
        self
    }

    /// The text in a language. An id that the catalogue lacks is shown with its arguments, never as nothing. Whatever
    /// its arguments have come from, the text is harmless in a terminal.
    #[must_use]
    pub fn render(&self, language: &Language) -> String {
        harmless(self.filled(language))
    }

    fn filled(&self, language: &Language) -> String {
        if self.id == "verbatim" {
            return self.args.get("text").cloned().unwrap_or_default();
        }
        let args: HashMap<Cow<'static, str>, FluentValue<'_>> = self
            .args
            .iter()
            .map(|(name, value)| {
                // Only a plain integer takes part in plural rules; anything else is text.
                let value = match value.parse::<i64>() {
                    Ok(number) if number.to_string() == *value && number.abs() < 1000 => {
                        FluentValue::from(number)
                    }
                    _ => FluentValue::from(value.as_str()),
                };
                (Cow::Owned(name.clone()), value)
            })
            .collect();
        match CATALOGUE.try_lookup_with_args(&language.0, &self.id, &args) {
            Some(text) => text,
            None if self.args.is_empty() => self.id.clone(),
            None => format!("{} {:?}", self.id, self.args),
        }
    }

    /// Whether the catalogue knows the id in English.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.id == "verbatim" || CATALOGUE.try_lookup(&Language::default().0, &self.id).is_some() || {
            let args: HashMap<Cow<'static, str>, FluentValue<'_>> = self
                .args
                .iter()
                .map(|(k, v)| (Cow::Owned(k.clone()), FluentValue::from(v.as_str())))
                .collect();
            CATALOGUE.try_lookup_with_args(&Language::default().0, &self.id, &args).is_some()
        }
    }
}

/// A text without control characters, but for line breaks and tabs: what a command, a file or a server says must move
/// no cursor, change no title and forge no line.
#[must_use]
pub fn harmless(text: String) -> String {
    let harms = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    if text.contains(harms) { text.replace(harms, "") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_harmless_in_a_terminal() {
        let name = "0001\u{1b}[2J\u{1b}]0;owned\u{7}\u{9b}31m\rok\tand\nmore";
        let shown = "0001[2J]0;owned31mok\tand\nmore";
        assert_eq!(Message::verbatim(name).render(&Language::default()), shown);
        assert!(Message::new("unlisted").with("name", name).render(&Language::default()).is_ascii());
    }
}
