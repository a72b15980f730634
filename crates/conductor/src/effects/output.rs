//! The whole output of a step, kept in a file that `attach` follows and the report names.

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex};

use eclusa_ports::{OutputSink, OutputStream, SecretResolver};

use crate::context::Context;

/// More than this of one step's output is not kept.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

pub(crate) struct StepOutput {
    file: Mutex<Option<(File, u64)>>,
    secrets: Arc<dyn SecretResolver>,
}

impl StepOutput {
    /// Opens the step's file for appending. Output is evidence, not truth: where it cannot be kept, the step goes on.
    pub(crate) fn open(context: &Context) -> Self {
        let directory = context.ports.outputs.join(context.run.as_str());
        let file = std::fs::create_dir_all(&directory).and_then(|()| {
            File::options().create(true).append(true).open(directory.join(format!("{}.log", context.step)))
        });
        let file = match file {
            Ok(file) => Some((file, 0)),
            Err(error) => {
                tracing::warn!(step = %context.step, %error, "the output of the step cannot be kept");
                None
            }
        };
        Self { file: Mutex::new(file), secrets: context.ports.secrets.clone() }
    }
}

impl OutputSink for StepOutput {
    fn line(&self, _stream: OutputStream, line: &str) {
        let Ok(mut guard) = self.file.lock() else { return };
        let Some((file, written)) = guard.as_mut() else { return };
        if *written > MOST_BYTES {
            return;
        }
        let mut text = self.secrets.redact(line);
        text.push('\n');
        *written += text.len() as u64;
        if *written > MOST_BYTES {
            text.push_str("[eclusa] more than 64 MiB: the rest of the output was not kept\n");
        }
        if file.write_all(text.as_bytes()).is_err() {
            *guard = None;
        }
    }
}
