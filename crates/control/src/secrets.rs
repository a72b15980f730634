//! The secrets of a stack: resolved when they are used, and struck out of everything that is kept.

use std::path::Path;
use std::sync::RwLock;

use eclusa_config::{Secrets, Stack};
use eclusa_fault::Result;
use eclusa_ports::SecretResolver;
use secrecy::SecretString;

use crate::redaction::{DOTS, Redaction};

/// The secrets of one stack.
pub(crate) struct StackSecrets {
    secrets: Secrets,
    redaction: RwLock<Redaction>,
}

impl StackSecrets {
    /// Those that the configuration refers to or that stand where it leads to.
    pub(crate) fn new(stack: &Stack, state: &Path) -> Result<Self> {
        let secrets = Secrets::of_stack(stack)?;
        let redaction = RwLock::new(Redaction::of_stacks([stack], Some(state)));
        Ok(Self { secrets, redaction })
    }
}

impl SecretResolver for StackSecrets {
    fn resolve(&self, reference: &str) -> Result<SecretString> {
        let value = self.secrets.resolve(reference)?;
        // It may have changed since this process began.
        let known = self.redaction.read().is_ok_and(|redaction| redaction.knows(&value));
        if !known && let Ok(mut redaction) = self.redaction.write() {
            redaction.learn(&value);
        }
        Ok(value)
    }

    fn redact(&self, text: &str) -> String {
        self.redaction.read().map_or_else(|_| DOTS.to_owned(), |redaction| redaction.text(text))
    }

    fn redact_lines(&self, lines: &mut [String]) {
        match self.redaction.read() {
            Ok(redaction) => redaction.lines(lines),
            Err(_) => lines.iter_mut().for_each(|line| DOTS.clone_into(line)),
        }
    }

    fn is_open(&self, lines: &[String]) -> bool {
        self.redaction.read().is_ok_and(|redaction| redaction.is_open(lines))
    }
}
