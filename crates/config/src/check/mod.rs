//! What the types alone cannot say: impossible values, and names that must agree with each other.

mod backup;
mod data;
mod gates;
mod mirrors;
mod people;
mod services;
mod supervisor;

use std::collections::BTreeMap;

use crate::model::{ConfigurationFile, Period, Stack, Value, ValueKind, is_variable_name};
use crate::source::{KeyPath, Mistake};

/// A mistake and the key at which it stands.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) mistake: Mistake,
    pub(crate) path: KeyPath,
    /// The key is shown rather than its value.
    pub(crate) on_key: bool,
    /// The value must not be shown.
    pub(crate) secret: bool,
}

/// The findings of one stack as they are collected.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, path: KeyPath, mistake: Mistake) {
        self.0.push(Finding { mistake, path, on_key: false, secret: false });
    }

    fn add_on_key(&mut self, path: KeyPath, mistake: Mistake) {
        self.0.push(Finding { mistake, path, on_key: true, secret: false });
    }

    fn add_secret(&mut self, path: KeyPath, mistake: Mistake) {
        self.0.push(Finding { mistake, path, on_key: false, secret: true });
    }

    fn positive(&mut self, path: KeyPath, period: Period) {
        if period.is_zero() {
            self.add(path, Mistake::new("config-zero-period"));
        }
    }

    fn port(&mut self, path: KeyPath, port: Option<u16>) {
        if port == Some(0) {
            self.add(path, Mistake::new("config-port-zero"));
        }
    }

    /// Two entries of a list with one name.
    fn unique<'a>(&mut self, list: &KeyPath, names: impl Iterator<Item = &'a str>) {
        let mut seen = Vec::new();
        for (index, name) in names.enumerate() {
            let path = list.index(index).key("name");
            if name.trim().is_empty() {
                self.add(path, Mistake::new("config-empty-text"));
            } else if seen.contains(&name) {
                self.add(path, Mistake::new("config-duplicate-name").with("name", name));
            }
            seen.push(name);
        }
    }

    /// Environment variables: their names, and references among their values.
    fn variables(&mut self, path: &KeyPath, variables: &BTreeMap<String, Value>) {
        for (name, value) in variables {
            if !is_variable_name(name) {
                self.add_on_key(path.key(name), Mistake::new("config-variable-name").with("name", name));
            }
            self.reference(path.key(name), value);
            let literal = matches!(value.kind(), ValueKind::Literal(text) if !text.is_empty());
            if literal && names_secret(name) {
                self.add_secret(path.key(name), Mistake::new("config-secret-literal"));
            }
        }
    }

    fn variable_name(&mut self, path: KeyPath, name: Option<&str>) {
        if let Some(name) = name.filter(|name| !is_variable_name(name)) {
            self.add(path, Mistake::new("config-variable-name").with("name", name));
        }
    }

    fn reference(&mut self, path: KeyPath, value: &Value) {
        match value.kind() {
            ValueKind::Environment(name) if !is_variable_name(name) => {
                self.add(path, Mistake::new("config-variable-name").with("name", name));
            }
            ValueKind::File("") => self.add(path, Mistake::new("config-empty-text")),
            _ => {}
        }
    }
}

/// Every mistake, in the order in which they are told.
pub(crate) fn check(file: &ConfigurationFile) -> Vec<Finding> {
    let mut findings = Findings::default();
    let root = KeyPath::default();
    if file.version != 1 {
        findings.add(root.key("version"), Mistake::new("config-version").with("found", file.version));
    }
    if file.stacks.is_empty() {
        findings.add_on_key(root.key("stacks"), Mistake::new("config-no-stacks"));
    }
    if let Some(language) = file.language.as_deref() {
        let good =
            !language.is_empty() && language.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c));
        if !good {
            findings.add(root.key("language"), Mistake::new("config-language"));
        }
    }
    for (name, stack) in &file.stacks {
        check_stack(&mut findings, &root.key("stacks").key(name), stack);
    }
    findings.0
}

fn check_stack(findings: &mut Findings, path: &KeyPath, stack: &Stack) {
    services::check(findings, path, stack);
    data::check(findings, path, stack);
    backup::check(findings, path, stack);
    gates::check(findings, path, stack);
    people::check(findings, path, stack);
}

/// Whether a variable's name ends with what is a secret: its value would stand in plans and in the journal.
fn names_secret(name: &str) -> bool {
    const ENDINGS: [&str; 10] = [
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "SECRET",
        "TOKEN",
        "SECRET_KEY",
        "API_KEY",
        "APIKEY",
        "PRIVATE_KEY",
        "ACCESS_KEY",
    ];
    let name = name.to_ascii_uppercase();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
}
