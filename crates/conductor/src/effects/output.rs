//! The whole output of a step, kept in a file that `attach` follows and the report names.

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex};

use eclusa_ports::{OutputSink, OutputStream, SecretResolver};

use crate::context::Context;

/// More than this of one step's output is not kept.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// So many lines are held back at most while a secret may go on in the next one.
const MOST_HELD: usize = 200;
/// So many characters of what was written are seen again with the next line: a beginning of a secret that is no longer
/// holds no line back.
const SEEN_AGAIN: usize = 3;

pub(crate) struct StepOutput {
    kept: Mutex<Kept>,
    secrets: Arc<dyn SecretResolver>,
}

struct Kept {
    file: Option<(File, u64)>,
    /// Of standard output and standard error each: the lines end between those of the other.
    held: [Held; 2],
}

/// Lines of one stream that are not written yet.
#[derive(Default)]
struct Held {
    lines: Vec<String>,
    end_of_written: String,
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
        let kept = Kept { file, held: Default::default() };
        Self { kept: Mutex::new(kept), secrets: context.ports.secrets.clone() }
    }
}

impl Kept {
    fn write(&mut self, stream: usize, secrets: &dyn SecretResolver) {
        let (Some((file, written)), Some(held)) = (self.file.as_mut(), self.held.get_mut(stream)) else {
            return;
        };
        let Some(last) = held.lines.last() else { return };
        let end: Vec<char> = last.trim_end().chars().rev().take(SEEN_AGAIN).collect();
        let mut lines = vec![std::mem::replace(&mut held.end_of_written, end.into_iter().rev().collect())];
        lines.append(&mut held.lines);
        secrets.redact_lines(&mut lines);
        let mut text = lines.get(1..).unwrap_or_default().join("\n");
        text.push('\n');
        *written += text.len() as u64;
        if *written > MOST_BYTES {
            text.push_str("[eclusa] more than 64 MiB: the rest of the output was not kept\n");
        }
        if file.write_all(text.as_bytes()).is_err() {
            self.file = None;
        }
    }
}

impl Drop for StepOutput {
    fn drop(&mut self) {
        if let Ok(mut kept) = self.kept.lock() {
            kept.write(0, self.secrets.as_ref());
            kept.write(1, self.secrets.as_ref());
        }
    }
}

impl OutputSink for StepOutput {
    fn line(&self, stream: OutputStream, line: &str) {
        let Ok(mut kept) = self.kept.lock() else { return };
        let stream = usize::from(stream == OutputStream::Err);
        let room = kept.file.as_ref().is_some_and(|(_, written)| *written <= MOST_BYTES);
        let Some(held) = kept.held.get_mut(stream).filter(|_| room) else { return };
        held.lines.push(line.to_owned());
        if held.lines.len() >= MOST_HELD || !self.secrets.is_open(&held.lines) {
            kept.write(stream, self.secrets.as_ref());
        }
    }
}
