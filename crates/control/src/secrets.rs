//! The secrets of a stack: resolved when they are used, and struck out of everything that is kept.

use std::sync::RwLock;

use eclusa_config::{Secrets, Stack};
use eclusa_fault::Result;
use eclusa_ports::SecretResolver;
use secrecy::{ExposeSecret, SecretString};

/// A value shorter than this would strike out ordinary words.
const SHORTEST: usize = 6;

/// The secrets of one stack.
pub(crate) struct StackSecrets {
    secrets: Secrets,
    known: RwLock<Vec<SecretString>>,
}

impl StackSecrets {
    /// Those that the configuration refers to, and every variable of the env files that looks like one.
    pub(crate) fn new(stack: &Stack) -> Result<Self> {
        let secrets = Secrets::of_stack(stack)?;
        let mut known = Vec::new();
        for file in secrets.environment().files() {
            for variable in file.variables.iter().filter(|variable| looks_secret(&variable.name)) {
                known.extend(variable.value.clone().filter(|value| value.expose_secret().len() >= SHORTEST));
            }
        }
        Ok(Self { secrets, known: RwLock::new(known) })
    }
}

/// Whether a variable's name says that its value is a secret.
pub(crate) fn looks_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    [
        "PASSWORD",
        "PASSWD",
        "SECRET",
        "TOKEN",
        "APIKEY",
        "API_KEY",
        "PRIVATE",
        "CREDENTIAL",
        "_KEY",
        "DSN",
        "_URL",
    ]
    .iter()
    .any(|part| name.contains(part))
}

impl SecretResolver for StackSecrets {
    fn resolve(&self, reference: &str) -> Result<SecretString> {
        let value = self.secrets.resolve(reference)?;
        if value.expose_secret().len() >= SHORTEST
            && let Ok(mut known) = self.known.write()
            && !known.iter().any(|other| other.expose_secret() == value.expose_secret())
        {
            known.push(value.clone());
        }
        Ok(value)
    }

    fn redact(&self, text: &str) -> String {
        let Ok(known) = self.known.read() else { return "…".to_owned() };
        let mut text = text.to_owned();
        for secret in known.iter() {
            if text.contains(secret.expose_secret()) {
                text = text.replace(secret.expose_secret(), "••••••");
            }
        }
        text
    }
}
