//! Where the output of a command goes while it runs.

use std::sync::Mutex;

/// Which of a command's two outputs a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Takes lines as they come. Lines are text: invalid UTF-8 is replaced, ANSI codes are removed, and a line
/// longer than 8 KiB is cut, before they get here.
pub trait OutputSink: Send + Sync {
    /// One line, without its end.
    fn line(&self, stream: OutputStream, line: &str);
}

/// Drops everything.
pub struct NoOutput;

impl OutputSink for NoOutput {
    fn line(&self, _stream: OutputStream, _line: &str) {}
}

/// Keeps the last lines, for tests and for small outputs that are read.
#[derive(Default)]
pub struct OutputLines(Mutex<Vec<String>>);

impl OutputLines {
    /// The lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().map(|lines| lines.clone()).unwrap_or_default()
    }
}

impl OutputSink for OutputLines {
    fn line(&self, _stream: OutputStream, line: &str) {
        if let Ok(mut lines) = self.0.lock() {
            if lines.len() >= 10_000 {
                lines.remove(0);
            }
            lines.push(line.to_owned());
        }
    }
}
