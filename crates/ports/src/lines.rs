//! Output of commands as clean lines: what an `OutputSink` is promised, made from raw bytes in one place.

use std::collections::VecDeque;

use crate::{OutputSink, OutputStream};

/// The longest line that is passed on, in bytes; what is longer is cut.
pub const LONGEST_LINE: usize = 8 * 1024;

/// How many raw bytes of one line are kept while its end has not come. More than `LONGEST_LINE`, because ANSI
/// codes are removed afterwards; the rest of such a line is dropped as it comes, so that output that never ends
/// a line cannot fill the memory.
const LONGEST_RAW_LINE: usize = 4 * LONGEST_LINE;

/// How many lines a `Tail` keeps.
pub const TAIL_LINES: usize = 200;

/// Makes lines out of bytes as they come. `\n`, `\r\n` and a lone `\r` (how programs redraw their progress) end
/// a line; ANSI codes and other control characters are removed, invalid UTF-8 is replaced, and a line is cut at
/// 8 KiB. What a redrawn `\r` leaves empty is no line; an empty line that `\n` ended is one.
#[derive(Debug, Default)]
pub struct LineSplitter {
    raw: Vec<u8>,
    after_carriage_return: bool,
}

impl LineSplitter {
    /// Nothing seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes bytes and gives the lines that they complete.
    pub fn push(&mut self, bytes: &[u8], line: &mut dyn FnMut(&str)) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (before, after) = rest.split_at(end);
            self.keep(before);
            let (separator, after) =
                after.split_first().map_or((b'\n', after), |(byte, after)| (*byte, after));
            rest = after;
            let pending = !self.raw.is_empty();
            if separator == b'\r' {
                if pending {
                    self.give(line);
                }
                // `\r\n` is one end: the `\n` that follows a line already given adds nothing.
                self.after_carriage_return = pending || self.after_carriage_return;
            } else {
                if pending || !self.after_carriage_return {
                    self.give(line);
                }
                self.after_carriage_return = false;
            }
        }
        self.keep(rest);
    }

    /// Gives what is left when the output has ended without the end of a line.
    pub fn finish(&mut self, line: &mut dyn FnMut(&str)) {
        if !self.raw.is_empty() {
            self.give(line);
        }
        self.after_carriage_return = false;
    }

    fn keep(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.after_carriage_return = false;
        let room = LONGEST_RAW_LINE.saturating_sub(self.raw.len());
        self.raw.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn give(&mut self, line: &mut dyn FnMut(&str)) {
        line(&clean_line(&self.raw));
        self.raw.clear();
    }
}

/// One line as an `OutputSink` is promised it.
#[must_use]
pub fn clean_line(raw: &[u8]) -> String {
    // Nearly every line is plain, and there may be hundreds of megabytes of them.
    if raw.len() <= LONGEST_LINE && raw.iter().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
        return String::from_utf8_lossy(raw).into_owned();
    }
    // The stripper drops tabs together with other control characters; tracebacks and tables need them.
    let stripped =
        raw.split(|byte| *byte == b'\t').map(strip_ansi_escapes::strip).collect::<Vec<_>>().join(&b'\t');
    let mut text: String = String::from_utf8_lossy(&stripped)
        .chars()
        .filter(|character| *character == '\t' || !character.is_control())
        .collect();
    if text.len() > LONGEST_LINE {
        let mut end = LONGEST_LINE;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}

/// The last 200 lines.
#[derive(Debug, Default)]
pub struct Tail {
    lines: VecDeque<String>,
    /// How many there were in all.
    count: usize,
}

impl Tail {
    /// No lines yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a line, and lets the oldest go when there are more than 200.
    pub fn push(&mut self, line: &str) {
        self.place(self.count, line);
    }

    /// Keeps a line that belongs after the first `before` lines.
    fn place(&mut self, before: usize, line: &str) {
        let later = self.count.saturating_sub(before);
        let index = self.lines.len().saturating_sub(later);
        self.lines.insert(index, line.to_owned());
        self.count += 1;
        if self.lines.len() > TAIL_LINES {
            self.lines.pop_front();
        }
    }

    /// The lines, oldest first.
    #[must_use]
    pub fn into_lines(self) -> Vec<String> {
        self.lines.into()
    }

    /// The lines so far, oldest first.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }
}

/// Both outputs of one command as lines.
#[derive(Debug, Default)]
pub struct BothOutputs {
    out: OneOutput,
    err: OneOutput,
    tail: Tail,
}

#[derive(Debug, Default)]
struct OneOutput {
    splitter: LineSplitter,
    /// How many lines there were when the line that has not ended began.
    began: usize,
}

impl BothOutputs {
    /// Takes bytes of one output and passes on the lines that they complete.
    pub fn push(&mut self, stream: OutputStream, bytes: &[u8], sink: &dyn OutputSink) {
        let Self { out, err, tail } = self;
        let own = if stream == OutputStream::Err { err } else { out };
        let fresh = own.splitter.raw.is_empty();
        let mut completed = false;
        own.splitter.push(bytes, &mut |line| {
            completed = true;
            tail.push(line);
            sink.line(stream, line);
        });
        if fresh || completed {
            own.began = tail.count;
        }
    }

    /// Passes on what is left when the outputs have ended. In the tail it stands where it began: the line
    /// "Applying 0003..." that a failure cut off comes before the failure.
    pub fn finish(&mut self, sink: &dyn OutputSink) {
        let Self { out, err, tail } = self;
        if err.began >= out.began && !out.splitter.raw.is_empty() {
            err.began += 1;
        }
        for (own, stream) in [(out, OutputStream::Out), (err, OutputStream::Err)] {
            let began = own.began;
            own.splitter.finish(&mut |line| {
                tail.place(began, line);
                sink.line(stream, line);
            });
        }
    }

    /// The last lines of both, as they came.
    #[must_use]
    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    /// The same, at the end.
    #[must_use]
    pub fn into_tail(self) -> Tail {
        self.tail
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoOutput;

    #[test]
    fn a_line_that_a_failure_cut_off_stands_before_the_failure() {
        let mut lines = BothOutputs::default();
        lines.push(OutputStream::Out, b"Running migrations:\n  Applying 0003...", &NoOutput);
        lines.push(OutputStream::Err, b"Traceback\nOperationalError: gone\n", &NoOutput);
        lines.finish(&NoOutput);
        let expected = ["Running migrations:", "  Applying 0003...", "Traceback", "OperationalError: gone"];
        assert_eq!(lines.into_tail().into_lines(), expected);
    }

    #[test]
    fn a_line_that_went_on_stands_where_it_ended() {
        let mut lines = BothOutputs::default();
        lines.push(OutputStream::Out, b"Applying 0003...", &NoOutput);
        lines.push(OutputStream::Err, b"a warning\n", &NoOutput);
        lines.push(OutputStream::Out, b" OK\nApplying 0004...", &NoOutput);
        lines.push(OutputStream::Err, b"gone", &NoOutput);
        lines.finish(&NoOutput);
        let expected = ["a warning", "Applying 0003... OK", "Applying 0004...", "gone"];
        assert_eq!(lines.into_tail().into_lines(), expected);
    }

    #[test]
    fn a_cut_off_line_of_long_ago_is_let_go_with_its_time() {
        let mut lines = BothOutputs::default();
        lines.push(OutputStream::Out, b"long ago", &NoOutput);
        for _ in 0..250 {
            lines.push(OutputStream::Err, b"later\n", &NoOutput);
        }
        lines.finish(&NoOutput);
        let kept = lines.into_tail().into_lines();
        assert_eq!((kept.len(), kept.iter().all(|line| line == "later")), (TAIL_LINES, true));
    }

    fn lines(pieces: &[&[u8]]) -> Vec<String> {
        let mut splitter = LineSplitter::new();
        let mut found = Vec::new();
        for piece in pieces {
            splitter.push(piece, &mut |line| found.push(line.to_owned()));
        }
        splitter.finish(&mut |line| found.push(line.to_owned()));
        found
    }

    #[test]
    fn lines_do_not_depend_on_how_the_bytes_arrive() {
        let text = "one\r\n\ntwo\rthree\u{1b}[31m red\u{1b}[0m\nümlaut\nlast".as_bytes();
        let whole = lines(&[text]);
        assert_eq!(whole, ["one", "", "two", "three red", "ümlaut", "last"]);
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(lines(&single), whole);
    }

    #[test]
    fn an_empty_line_after_a_windows_line_end_stays() {
        assert_eq!(lines(&[b"a\r\n\r\nb"]), ["a", "", "b"].map(String::from));
    }

    #[test]
    fn a_progress_bar_gives_one_line_for_each_state() {
        assert_eq!(lines(&[b"\r10 %\r\r20 %\r", b"\n"]), ["10 %", "20 %"]);
    }

    #[test]
    fn invalid_text_is_replaced_and_control_characters_are_removed() {
        assert_eq!(lines(&[b"a\xffb\x07\x00c\td\n"]), ["a\u{fffd}bc\td"]);
    }

    #[test]
    fn a_line_is_cut_between_characters() {
        let long = format!("x{}", "é".repeat(LONGEST_LINE));
        let found = lines(&[long.as_bytes(), b"\nshort\n"]);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].len(), LONGEST_LINE - 1);
        assert_eq!(found[1], "short");
    }

    #[test]
    fn output_that_never_ends_a_line_does_not_fill_the_memory() {
        let mut splitter = LineSplitter::new();
        for _ in 0..1000 {
            splitter.push(&[b'x'; 4096], &mut |_| {});
        }
        assert!(splitter.raw.capacity() <= 2 * LONGEST_RAW_LINE);
    }

    #[test]
    fn a_tail_keeps_the_last_lines() {
        let mut tail = Tail::new();
        for number in 0..250 {
            tail.push(&number.to_string());
        }
        let kept = tail.into_lines();
        assert_eq!((kept.len(), kept[0].as_str()), (TAIL_LINES, "50"));
    }
}
