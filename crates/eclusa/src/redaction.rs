//! What a person, a log or a program is shown of faults passes here: messages of libraries and of commands may hold
//! what they should not.

use std::io::Write;
use std::path::PathBuf;
use std::sync::OnceLock;

use eclusa_config::Configuration;
use eclusa_control::{Redaction, Workspace};
use eclusa_fault::{Fault, Language, Message};

use crate::arguments::Arguments;

static PLACE: OnceLock<(PathBuf, Option<PathBuf>)> = OnceLock::new();
static KNOWN: OnceLock<Redaction> = OnceLock::new();

/// Notes where the secrets are; they are looked up when something is shown.
pub fn prepare(arguments: &Arguments) {
    let _ = PLACE.set((arguments.config.clone(), arguments.state.clone()));
}

/// What is known of secrets. A configuration that cannot be read still has env files beside it.
fn known() -> &'static Redaction {
    KNOWN.get_or_init(|| {
        // What is logged in here would come back to here.
        let silent = tracing::subscriber::NoSubscriber::default();
        tracing::subscriber::with_default(silent, || {
            let Some((path, state)) = PLACE.get() else { return Redaction::of_process() };
            match Workspace::open(path, state.as_deref(), Language::default()) {
                Ok(Workspace { configuration: Configuration { file, .. }, state, .. }) => {
                    Redaction::of_stacks(file.stacks.values(), Some(&state))
                }
                Err(_) => {
                    let mut redaction = Redaction::of_process();
                    redaction.directory(path);
                    redaction
                }
            }
        })
    })
}

/// A fault as it may be shown.
pub fn of_fault(mut fault: Fault) -> Fault {
    let known = known();
    known.lines(&mut fault.causes);
    for value in fault.args.values_mut().chain(&mut fault.excerpt) {
        *value = known.text(value);
    }
    let messages = [&mut fault.state, &mut fault.hint].into_iter().flatten();
    for value in messages.flat_map(|message: &mut Message| message.args.values_mut()) {
        *value = known.text(value);
    }
    fault
}

/// Standard error for logs, without secrets. An event comes as one piece.
pub struct RedactedStderr;

impl Write for RedactedStderr {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        std::io::stderr().write_all(known().text(&String::from_utf8_lossy(bytes)).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}
