//! Shell scripts taken apart as far as the rules need: commands with their words and places, what stands between
//! them, comments and here-documents left out. Nothing is evaluated.

use crate::library::Span;

/// A word of a command, its quotes taken off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub span: Span,
    /// Whether any of it was quoted.
    pub quoted: bool,
}

/// What follows a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// A new line, `;`, `&`.
    Next,
    /// `&&`.
    And,
    /// `||`.
    Or,
    /// `|`.
    Pipe,
}

/// A simple command.
#[derive(Debug, Clone)]
pub struct Command {
    /// Its words.
    pub words: Vec<Word>,
    /// What follows it.
    pub then: Then,
    /// What stands before it.
    pub after: Then,
    /// How many `if`, `while`, `case` it stands inside of; a `for` is no condition.
    pub depth: usize,
    /// Whether it is itself the condition of an `if`, `while` or `until`.
    pub condition: bool,
}

impl Command {
    /// What it takes in memory, in bytes, roughly.
    #[must_use]
    pub fn size(&self) -> usize {
        let words = self.words.iter().map(|word| size_of::<Word>() + word.text.len());
        size_of::<Self>() + words.sum::<usize>()
    }

    /// Where it stands.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        let (first, last) = (self.words.first()?, self.words.last()?);
        Some(Span { end: last.span.end.max(first.span.end), ..first.span })
    }

    /// The words with one space between.
    #[must_use]
    pub fn text(&self) -> String {
        self.words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// The words without what only changes how it is run: assignments, `sudo`, `exec`, `env`, `time`, `!`.
    #[must_use]
    pub fn program(&self) -> &[Word] {
        let skipped = self.words.iter().take_while(|word| {
            let assignment = word.text.split_once('=').is_some_and(|(name, _)| {
                !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            });
            assignment
                || matches!(word.text.as_str(), "sudo" | "exec" | "env" | "time" | "!" | "nohup" | "-E")
        });
        self.words.get(skipped.count()..).unwrap_or_default()
    }

    /// The name of the program, without its directory.
    #[must_use]
    pub fn name(&self) -> &str {
        let first = self.program().first().map_or("", |word| word.text.as_str());
        first.rsplit('/').next().unwrap_or(first)
    }
}

/// Splits a text into words as a shell does, without operators having a meaning. `place` is the scalar it stands in.
#[must_use]
pub fn split(text: &str, place: Span) -> Vec<Word> {
    let mut words = Vec::new();
    for command in commands_in(text, Where::Scalar(place)) {
        words.extend(command.words);
    }
    words
}

/// The commands of a script file.
#[must_use]
pub fn commands(text: &str, file: crate::library::FileId) -> Vec<Command> {
    commands_in(text, Where::File(file))
}

/// The commands of a text inside a scalar, whose words all have the place of the scalar.
#[must_use]
pub fn commands_of_scalar(text: &str, place: Span) -> Vec<Command> {
    commands_in(text, Where::Scalar(place))
}

#[derive(Clone, Copy)]
enum Where {
    File(crate::library::FileId),
    Scalar(Span),
}

impl Where {
    fn span(self, start: usize, end: usize) -> Span {
        match self {
            Self::File(file) => Span { file, start, end },
            Self::Scalar(span) => span,
        }
    }
}

struct Scanner<'a> {
    text: &'a str,
    place: Where,
    at: usize,
    words: Vec<Word>,
    found: Vec<Command>,
    after: Then,
    depth: usize,
    /// The blocks that are open: whether each of them is run only on a condition.
    open: Vec<bool>,
    condition: bool,
    heredocs: Vec<String>,
}

fn commands_in(text: &str, place: Where) -> Vec<Command> {
    let mut scanner = Scanner {
        text,
        place,
        at: 0,
        words: Vec::new(),
        found: Vec::new(),
        after: Then::Next,
        depth: 0,
        open: Vec::new(),
        condition: false,
        heredocs: Vec::new(),
    };
    scanner.run();
    scanner.found
}

impl Scanner<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn run(&mut self) {
        while let Some(c) = self.rest().chars().next() {
            match c {
                '\n' => {
                    self.at += 1;
                    self.end(Then::Next);
                    self.skip_heredocs();
                }
                ' ' | '\t' | '\r' => self.at += 1,
                '\\' if self.rest().starts_with("\\\n") => self.at += 2,
                '\\' if self.rest().starts_with("\\\r\n") => self.at += 3,
                '#' => self.at += self.rest().find('\n').unwrap_or(self.rest().len()),
                ';' => {
                    self.at += 1;
                    self.end(Then::Next);
                }
                '&' if self.rest().starts_with("&&") => self.operator(2, Then::And),
                '|' if self.rest().starts_with("||") => self.operator(2, Then::Or),
                '&' if self.rest().starts_with("&>") => self.at += 2,
                '&' => self.operator(1, Then::Next),
                '|' => self.operator(1, Then::Pipe),
                '(' | ')' => self.operator(1, Then::Next),
                '<' if self.rest().starts_with("<<") && !self.rest().starts_with("<<<") => self.heredoc(),
                '<' | '>' => self.redirection(),
                _ => self.word(),
            }
        }
        self.end(Then::Next);
    }

    fn operator(&mut self, length: usize, then: Then) {
        self.at += length;
        self.end(then);
    }

    fn end(&mut self, then: Then) {
        let mut words = std::mem::take(&mut self.words);
        // A line that ends with an operator goes on.
        if words.is_empty() {
            return;
        }
        let mut opened = 0;
        let mut skipped = 0;
        while let Some(first) = words.get(skipped).filter(|word| !word.quoted) {
            match first.text.as_str() {
                "if" | "while" | "until" => {
                    self.condition = true;
                    self.open.push(true);
                    opened += 1;
                }
                "case" => {
                    self.open.push(true);
                    opened += 1;
                    words.clear();
                    break;
                }
                // What is done for each of several is done.
                "for" | "select" => {
                    self.open.push(false);
                    words.clear();
                    break;
                }
                "then" | "do" => self.condition = false,
                "else" | "{" => {}
                "elif" => self.condition = true,
                "fi" | "done" | "esac" => {
                    let conditional = self.open.pop().unwrap_or(false);
                    self.depth = self.depth.saturating_sub(usize::from(conditional));
                    self.condition = false;
                }
                "}" => {}
                _ => break,
            }
            skipped += 1;
        }
        words.drain(..skipped.min(words.len()));
        if !words.is_empty() {
            let depth = self.depth + opened;
            let condition = self.condition;
            self.found.push(Command { words, then, after: self.after, depth, condition });
        }
        self.depth += opened;
        self.after = then;
    }

    fn redirection(&mut self) {
        let length = self.rest().find(|c| !matches!(c, '<' | '>' | '&')).unwrap_or(self.rest().len());
        self.at += length.max(1);
        while self.rest().starts_with([' ', '\t']) {
            self.at += 1;
        }
        // Where it goes is no word of the command.
        let before = self.words.len();
        if self
            .rest()
            .starts_with(|c: char| !matches!(c, '\n' | ';' | '|' | '&' | '(' | ')' | '<' | '>' | '#'))
        {
            self.word();
        }
        self.words.truncate(before);
    }

    fn heredoc(&mut self) {
        self.at += 2;
        if self.rest().starts_with('-') {
            self.at += 1;
        }
        while self.rest().starts_with([' ', '\t']) {
            self.at += 1;
        }
        let before = self.words.len();
        if self.rest().starts_with(|c: char| !c.is_whitespace()) {
            self.word();
        }
        if let Some(word) = self.words.get(before) {
            self.heredocs.push(word.text.clone());
        }
        self.words.truncate(before);
    }

    fn skip_heredocs(&mut self) {
        for end in std::mem::take(&mut self.heredocs) {
            while !self.rest().is_empty() {
                let length = self.rest().find('\n').map_or(self.rest().len(), |at| at + 1);
                let line = self.rest().get(..length).unwrap_or("").trim().to_owned();
                self.at += length;
                if line == end {
                    break;
                }
            }
        }
    }

    fn word(&mut self) {
        let start = self.at;
        let mut text = String::new();
        let mut quoted = false;
        while let Some(c) = self.rest().chars().next() {
            match c {
                _ if c.is_whitespace() => break,
                ';' | '|' | '&' | ')' | '<' | '>' => break,
                '(' if !text.ends_with('$') => break,
                '\'' => {
                    quoted = true;
                    self.at += 1;
                    let length = self.rest().find('\'').unwrap_or(self.rest().len());
                    text.push_str(self.rest().get(..length).unwrap_or(""));
                    self.at += (length + 1).min(self.rest().len());
                }
                '"' => {
                    quoted = true;
                    self.double_quoted(&mut text);
                }
                '$' if self.rest().starts_with("$(") => self.substitution(&mut text),
                '$' if self.rest().starts_with("${") => {
                    let length = self.rest().find('}').map_or(self.rest().len(), |at| at + 1);
                    text.push_str(self.rest().get(..length).unwrap_or(""));
                    self.at += length;
                }
                '\\' => {
                    self.at += 1;
                    if let Some(next) = self.rest().chars().next() {
                        if next != '\n' {
                            text.push(next);
                        }
                        self.at += next.len_utf8();
                    }
                }
                _ => {
                    text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        if self.at == start {
            // Nothing that begins a word: taken as it is, so that reading goes on.
            self.at += self.rest().chars().next().map_or(1, char::len_utf8);
            return;
        }
        let span = self.place.span(start, self.at);
        self.words.push(Word { text, span, quoted });
    }

    fn double_quoted(&mut self, text: &mut String) {
        self.at += 1;
        while let Some(c) = self.rest().chars().next() {
            match c {
                '"' => {
                    self.at += 1;
                    return;
                }
                '\\' => {
                    self.at += 1;
                    if let Some(next) = self.rest().chars().next() {
                        if !matches!(next, '"' | '\\' | '$' | '`' | '\n') {
                            text.push('\\');
                        }
                        if next != '\n' {
                            text.push(next);
                        }
                        self.at += next.len_utf8();
                    }
                }
                '$' if self.rest().starts_with("$(") => self.substitution(text),
                _ => {
                    text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
    }

    /// `$( … )` is kept as it is written.
    fn substitution(&mut self, text: &mut String) {
        let mut depth = 0_usize;
        let mut length = self.rest().len();
        for (at, c) in self.rest().char_indices() {
            match c {
                '(' => depth += 1,
                ')' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        length = at + 1;
                        break;
                    }
                }
                _ => {}
            }
        }
        text.push_str(self.rest().get(..length).unwrap_or(""));
        self.at += length;
    }
}
