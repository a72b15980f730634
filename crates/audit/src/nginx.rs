//! nginx configuration: directives with their words, blocks and places. Nothing is included or expanded.

use crate::library::{FileId, Library, Span};
use crate::shell::Word;

/// How deep blocks may be nested; nginx knows four kinds.
const DEEPEST: usize = 16;
/// What a directive takes in memory, in bytes, roughly.
const DIRECTIVE_SIZE: usize = 256;

/// A directive.
#[derive(Debug, Clone)]
pub struct Directive {
    /// Its words, the name first.
    pub words: Vec<Word>,
    /// What stands in its braces.
    pub block: Vec<Directive>,
}

impl Directive {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.words.first().map_or("", |word| word.text.as_str())
    }

    /// Its arguments.
    pub fn arguments(&self) -> impl Iterator<Item = &str> {
        self.words.iter().skip(1).map(|word| word.text.as_str())
    }

    /// Its first argument; empty when it has none.
    #[must_use]
    pub fn first(&self) -> &str {
        self.arguments().next().unwrap_or_default()
    }

    /// Where its words stand.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        let (first, last) = (self.words.first()?, self.words.last()?);
        Some(Span { end: last.span.end, ..first.span })
    }

    /// The directives of a name in its block.
    pub fn all<'d>(&'d self, name: &'d str) -> impl Iterator<Item = &'d Directive> {
        self.block.iter().filter(move |one| one.name() == name)
    }

    /// Whether it or anything inside of it passes.
    #[must_use]
    pub fn any(&self, passes: &dyn Fn(&Directive) -> bool) -> bool {
        passes(self) || self.block.iter().any(|one| one.any(passes))
    }
}

/// The directives of a file. Those that an audit may not keep, or that are nested too deep, are left out.
#[must_use]
pub fn read(library: &Library<'_>, file: FileId) -> Vec<Directive> {
    let opened = library.file(file);
    let mut open: Vec<Directive> = Vec::new();
    let mut top: Vec<Directive> = Vec::new();
    let mut words: Vec<Word> = Vec::new();
    let mut too_deep = 0_usize;
    for token in tokens(&opened.text, file) {
        match token {
            Token::Word(word) => words.push(word),
            Token::End => {
                let words = std::mem::take(&mut words);
                if words.is_empty() || too_deep > 0 {
                    continue;
                }
                let size = words.iter().map(|word| DIRECTIVE_SIZE + word.text.len()).sum();
                if !library.keeps(size, &opened.path) {
                    return top;
                }
                open.last_mut()
                    .map_or(&mut top, |above| &mut above.block)
                    .push(Directive { words, block: Vec::new() });
            }
            Token::Open => {
                let words = std::mem::take(&mut words);
                if open.len() >= DEEPEST || too_deep > 0 {
                    too_deep += 1;
                } else {
                    open.push(Directive { words, block: Vec::new() });
                }
            }
            Token::Close => {
                words.clear();
                if too_deep > 0 {
                    too_deep -= 1;
                } else if let Some(done) = open.pop() {
                    open.last_mut().map_or(&mut top, |above| &mut above.block).push(done);
                }
            }
        }
    }
    // A file that ends too early is a part that something else puts together.
    while let Some(done) = open.pop() {
        open.last_mut().map_or(&mut top, |above| &mut above.block).push(done);
    }
    top
}

enum Token {
    Word(Word),
    End,
    Open,
    Close,
}

fn tokens(text: &str, file: FileId) -> impl Iterator<Item = Token> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(at..).unwrap_or("");
            let first = rest.chars().next()?;
            match first {
                '#' => at += rest.find('\n').unwrap_or(rest.len()),
                ';' | '{' | '}' => {
                    at += 1;
                    return Some(match first {
                        ';' => Token::End,
                        '{' => Token::Open,
                        _ => Token::Close,
                    });
                }
                '"' | '\'' => {
                    let (inside, length) = quoted(rest, first);
                    let span = Span { file, start: at, end: at + length };
                    at += length;
                    return Some(Token::Word(Word { text: inside, span, quoted: true }));
                }
                _ if first.is_whitespace() => at += first.len_utf8(),
                _ => {
                    let length = bare(rest);
                    let span = Span { file, start: at, end: at + length };
                    let text = rest.get(..length).unwrap_or("").to_owned();
                    at += length;
                    return Some(Token::Word(Word { text, span, quoted: false }));
                }
            }
        }
    })
}

/// The text between two quotes, and the length with them.
fn quoted(rest: &str, quote: char) -> (String, usize) {
    let mut text = String::new();
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => {
                text.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            _ if c == quote => return (text, at + c.len_utf8()),
            _ => text.push(c),
        }
    }
    (text, rest.len())
}

/// The length of a word without quotes. `${NAME}` is part of it.
fn bare(rest: &str) -> usize {
    let mut inside = false;
    let mut before = ' ';
    for (at, c) in rest.char_indices() {
        match c {
            '{' if before == '$' => inside = true,
            '}' if inside => inside = false,
            ';' | '{' | '}' if before != '\\' => return at,
            _ if c.is_whitespace() => return at,
            _ => {}
        }
        before = c;
    }
    rest.len()
}
