//! Faults made readable, at the one edge where they meet a person: what happened, the state things are in now,
//! what to type next.

use std::io::Write;
use std::process::ExitCode;

use eclusa_fault::{Fault, Language, harmless};
use serde_json::json;

use crate::exit::Exit;
use crate::redaction;
use crate::terminal::{BOLD, DIM, RED};

/// A fault on its way to the person.
pub struct Failure {
    /// What went wrong.
    pub fault: Fault,
    /// The language of the person.
    pub language: Language,
    /// Whether a program reads it.
    pub json: bool,
}

impl Failure {
    /// Shows it and gives the exit code.
    pub fn show(self) -> ExitCode {
        let fault = redaction::of_fault(self.fault);
        if self.json {
            let line = json!({
                "format": 1,
                "error": fault.code.to_string(),
                "message": fault.headline(&self.language),
                "state": fault.state_text(&self.language),
                "hint": fault.hint_text(&self.language),
                "causes": fault.causes,
                "arguments": fault.args,
            });
            // A reader that has gone away is no fault.
            let _ = writeln!(std::io::stdout(), "{line}");
        }
        let _ = write!(anstream::stderr(), "{}", text(&fault, &self.language));
        Exit::of_fault(fault.code).into()
    }
}

/// A fault as a person reads it.
pub fn text(fault: &Fault, language: &Language) -> String {
    let mut text = format!("{RED}error {}{RED:#}: {BOLD}{}{BOLD:#}\n", fault.code, fault.headline(language));
    if let Some(excerpt) = &fault.excerpt {
        text.push_str(excerpt.trim_end());
        text.push('\n');
    }
    for cause in &fault.causes {
        for line in cause.lines().map(|line| harmless(line.to_owned())) {
            text.push_str(&format!("  {DIM}│{DIM:#} {line}\n"));
        }
    }
    if let Some(state) = fault.state_text(language) {
        text.push_str(&format!("  State: {state}\n"));
    }
    if let Some(hint) = fault.hint_text(language) {
        text.push_str(&format!("  Next:  {hint}\n"));
    }
    text
}
