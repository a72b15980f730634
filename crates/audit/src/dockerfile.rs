//! Dockerfiles: stages and instructions with their places. Nothing is built.

use crate::library::{FileId, Library, Span};
use crate::shell::{self, Word};
use crate::yaml::Node;

/// An instruction.
#[derive(Debug, Clone)]
pub struct Instruction {
    /// Its keyword in capitals.
    pub keyword: String,
    /// What follows it, continuations joined by spaces.
    pub rest: String,
    /// Where all of it stands.
    pub span: Span,
}

/// A stage.
#[derive(Debug, Clone)]
pub struct Stage {
    /// What it is built from, with build arguments filled in.
    pub base: String,
    /// Where that stands.
    pub base_span: Span,
    /// Its name.
    pub name: Option<String>,
    /// Its instructions.
    pub instructions: Vec<Instruction>,
}

/// A Dockerfile.
#[derive(Debug, Clone)]
pub struct Dockerfile {
    /// The file.
    pub file: FileId,
    /// Its stages.
    pub stages: Vec<Stage>,
    names: std::collections::BTreeSet<String>,
}

impl Dockerfile {
    /// Reads one.
    #[must_use]
    pub fn read(library: &Library<'_>, file: FileId) -> Self {
        let opened = library.file(file);
        Self::of(library, file, instructions(lines_of(&opened.text, 0), file))
    }

    /// Reads the `dockerfile_inline` of a build, with what Compose fills in. In a block (`|`) each instruction has its
    /// own place; in any other spelling all of them have that of the value.
    #[must_use]
    pub fn inline(library: &Library<'_>, node: &Node) -> Option<Self> {
        let text = node.as_str()?;
        let (file, whole) = (node.span.file, node.span);
        let source = library.text_of(whole);
        let opened = library.file(file);
        // The place of a block is its content; the sign stands at the end of the line before.
        let before = opened.text.get(..whole.start).unwrap_or_default().trim_end();
        let header = before.lines().next_back().and_then(|line| line.rsplit_once('|'));
        let block = header.is_some_and(|(_, rest)| {
            rest.split('#').next().unwrap_or_default().trim().chars().all(|c| "+-0123456789".contains(c))
        });
        let content = |text: &str| !text.trim().is_empty();
        let mut written: Vec<Line<'_>> =
            lines_of(&source, whole.start).skip_while(|line| !content(line.text)).collect();
        written.truncate(written.iter().rposition(|line| content(line.text)).map_or(0, |at| at + 1));
        let filled: Vec<&str> = text.trim().lines().collect();
        let places: Vec<Line<'_>> = if block && written.len() == filled.len() {
            filled.iter().zip(&written).map(|(text, line)| Line { text, ..*line }).collect()
        } else {
            filled.iter().map(|text| Line { text, start: whole.start, end: whole.end }).collect()
        };
        Some(Self::of(library, file, instructions(places.into_iter(), file)))
    }

    fn of(library: &Library<'_>, file: FileId, instructions: Vec<Instruction>) -> Self {
        let mut stages: Vec<Stage> = Vec::new();
        let mut arguments: Vec<(String, String)> = Vec::new();
        for instruction in instructions {
            match instruction.keyword.as_str() {
                "FROM" => stages.push(stage(library, &instruction, &arguments)),
                "ARG" if stages.is_empty() => {
                    if let Some((name, value)) = instruction.rest.split_once('=') {
                        arguments.push((
                            name.trim().to_owned(),
                            value.trim().trim_matches(['"', '\'']).to_owned(),
                        ));
                    }
                }
                _ => {
                    if let Some(stage) = stages.last_mut() {
                        stage.instructions.push(instruction);
                    }
                }
            }
        }
        let names =
            stages.iter().filter_map(|stage| Some(stage.name.as_ref()?.to_ascii_lowercase())).collect();
        Self { file, stages, names }
    }

    /// The stage that runs: the named one, or the last.
    #[must_use]
    pub fn target(&self, name: Option<&str>) -> Option<&Stage> {
        let named = name.and_then(|name| {
            self.stages
                .iter()
                .find(|stage| stage.name.as_deref().is_some_and(|one| one.eq_ignore_ascii_case(name)))
        });
        named.or_else(|| self.stages.last())
    }

    /// The stage that runs and those of this file that it is built from, the running one first.
    #[must_use]
    pub fn lineage(&self, name: Option<&str>) -> Vec<&Stage> {
        let mut found: Vec<&Stage> = Vec::new();
        let mut next = self.target(name);
        while let Some(stage) = next {
            if found.iter().any(|known| std::ptr::eq(*known, stage)) {
                break;
            }
            found.push(stage);
            next = self.stages.iter().find(|other| {
                other.name.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(&stage.base))
            });
        }
        found
    }

    /// The last instruction of a kind in the lineage of a stage.
    #[must_use]
    pub fn last(&self, target: Option<&str>, keyword: &str) -> Option<&Instruction> {
        self.lineage(target)
            .into_iter()
            .find_map(|stage| stage.instructions.iter().rev().find(|one| one.keyword == keyword))
    }

    /// The base of a stage that is an image, not another stage of this file.
    #[must_use]
    pub fn is_image(&self, base: &str) -> bool {
        base != "scratch" && !self.names.contains(&base.to_ascii_lowercase())
    }
}

/// The words of `CMD`, `ENTRYPOINT` and the like, in either form.
#[must_use]
pub fn words(instruction: &Instruction) -> Vec<Word> {
    let rest = instruction.rest.trim();
    if rest.starts_with('[')
        && let Ok(words) = serde_json::from_str::<Vec<String>>(rest)
    {
        return words.into_iter().map(|text| Word { text, span: instruction.span, quoted: true }).collect();
    }
    shell::split(rest, instruction.span)
}

fn stage(library: &Library<'_>, instruction: &Instruction, arguments: &[(String, String)]) -> Stage {
    let words: Vec<&str> =
        instruction.rest.split_whitespace().filter(|word| !word.starts_with("--")).collect();
    let written = words.first().copied().unwrap_or_default();
    let name = match words.get(1..) {
        Some([word, name, ..]) if word.eq_ignore_ascii_case("as") => Some((*name).to_owned()),
        _ => None,
    };
    let mut base = written.to_owned();
    for (name, value) in arguments {
        base = base.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value);
    }
    let base_span = library.within(instruction.span, written);
    Stage { base, base_span, name, instructions: Vec::new() }
}

/// A line without its end, and where it stands.
#[derive(Debug, Clone, Copy)]
struct Line<'t> {
    text: &'t str,
    /// Where what is written of it begins, without the spaces before it.
    start: usize,
    end: usize,
}

/// The lines of a text that begins at an offset of its file.
fn lines_of(text: &str, offset: usize) -> impl Iterator<Item = Line<'_>> {
    text.split_inclusive('\n').scan(offset, |next, line| {
        let begin = *next;
        *next += line.len();
        let text = line.trim_end_matches(['\n', '\r']);
        let start = begin + (text.len() - text.trim_start().len());
        Some(Line { text, start, end: begin + text.len() })
    })
}

fn instructions<'t>(lines: impl Iterator<Item = Line<'t>>, file: FileId) -> Vec<Instruction> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let mut last = 0;
    let mut heredoc: Option<String> = None;
    for Line { text: line, start, end } in lines {
        last = end;
        let trimmed = line.trim();
        if let Some(word) = &heredoc {
            if trimmed == word {
                heredoc = None;
                if let Some((begin, text)) = open.take() {
                    found.extend(instruction(&text, Span { file, start: begin, end }));
                }
            } else if let Some((_, text)) = &mut open {
                text.push_str(trimmed);
                text.push('\n');
            }
            continue;
        }
        if trimmed.starts_with('#') || (trimmed.is_empty() && open.is_none()) {
            continue;
        }
        let (begin, mut text) = open.take().unwrap_or((start, String::new()));
        match trimmed.strip_suffix('\\') {
            Some(begun) => {
                text.push_str(begun);
                text.push(' ');
                open = Some((begin, text));
            }
            None => {
                text.push_str(trimmed);
                if let Some(word) = heredoc_word(&text) {
                    heredoc = Some(word);
                    text.push('\n');
                    open = Some((begin, text));
                } else {
                    found.extend(instruction(&text, Span { file, start: begin, end }));
                }
            }
        }
    }
    if let Some((begin, text)) = open {
        found.extend(instruction(&text, Span { file, start: begin, end: last }));
    }
    found
}

/// The word that ends `RUN <<EOF`.
fn heredoc_word(text: &str) -> Option<String> {
    let keyword = text.split_whitespace().next()?.to_ascii_uppercase();
    if !matches!(keyword.as_str(), "RUN" | "COPY") {
        return None;
    }
    let (_, after) = text.split_once("<<")?;
    let word: String = after
        .trim_start_matches('-')
        .trim_start_matches(['"', '\''])
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    (!word.is_empty()).then_some(word)
}

fn instruction(text: &str, span: Span) -> Option<Instruction> {
    let (keyword, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let known = keyword.chars().all(|c| c.is_ascii_alphabetic());
    known.then(|| Instruction { keyword: keyword.to_ascii_uppercase(), rest: rest.trim().to_owned(), span })
}
