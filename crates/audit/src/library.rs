//! The files under audit, read through one door that leads nowhere else, and places in their texts.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::yaml::{Node, Unreadable};

/// The files that may be read. Paths are relative, with `/`, without `.` and `..`.
pub trait Tree {
    /// Every path there is, sorted.
    fn paths(&self) -> &[String];
    /// The text of a file; none when it is not there, no text, or longer than is read.
    fn read(&self, path: &str) -> Option<String>;
    /// Whether version control tracks the file; none when there is no version control or it was not asked.
    fn tracked(&self, path: &str) -> Option<bool>;
}

/// Files in memory, for tests and fuzzing.
#[derive(Debug, Clone, Default)]
pub struct MemoryTree {
    paths: Vec<String>,
    texts: BTreeMap<String, String>,
    tracked: Option<Vec<String>>,
}

impl MemoryTree {
    /// A set of files.
    #[must_use]
    pub fn new(files: impl IntoIterator<Item = (String, String)>) -> Self {
        let texts: BTreeMap<String, String> = files.into_iter().collect();
        Self { paths: texts.keys().cloned().collect(), texts, tracked: None }
    }

    /// The same files, of which version control tracks these.
    #[must_use]
    pub fn with_tracked(mut self, tracked: Vec<String>) -> Self {
        self.tracked = Some(tracked);
        self
    }
}

impl Tree for MemoryTree {
    fn paths(&self) -> &[String] {
        &self.paths
    }

    fn read(&self, path: &str) -> Option<String> {
        self.texts.get(path).cloned()
    }

    fn tracked(&self, path: &str) -> Option<bool> {
        self.tracked.as_ref().map(|tracked| tracked.iter().any(|one| one == path))
    }
}

/// A file that was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(usize);

/// A part of a file: byte offsets, the end not included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// Where it begins.
    pub start: usize,
    /// Where it ends.
    pub end: usize,
}

impl Span {
    /// The very beginning of a file.
    #[must_use]
    pub fn begin(file: FileId) -> Self {
        Self { file, start: 0, end: 0 }
    }
}

/// An opened file.
#[derive(Debug)]
pub struct Opened {
    /// Its path.
    pub path: String,
    /// Its text.
    pub text: String,
    lines: Vec<usize>,
}

impl Opened {
    /// Line and column of an offset, both from 1; a column is a character.
    #[must_use]
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|&start| start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or_default();
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        (line, column + 1)
    }

    /// A line without its end; lines count from 1.
    #[must_use]
    pub fn line(&self, number: usize) -> &str {
        let start = self.lines.get(number.wrapping_sub(1)).copied().unwrap_or(self.text.len());
        let end = self.lines.get(number).copied().unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or("").trim_end_matches(['\n', '\r'])
    }

    /// Where a line begins; lines count from 1.
    #[must_use]
    pub fn line_start(&self, number: usize) -> usize {
        self.lines.get(number.wrapping_sub(1)).copied().unwrap_or(self.text.len())
    }

    /// How many lines there are.
    #[must_use]
    pub fn line_count(&self) -> usize {
        self.lines.len()
    }
}

/// The YAML documents of a file, or why there are none.
pub(crate) type Documents = Result<Vec<Rc<Node>>, Unreadable>;

/// How much an audit may keep of what it reads, in bytes, roughly counted. A repository of thousands of files stays
/// far below it; what is above is listed as not read.
const ALLOWANCE: usize = 128 << 20;

/// The opened files of a tree. What was not found is kept too, so that a report can say what was not read.
pub struct Library<'a> {
    tree: &'a dyn Tree,
    left: Cell<usize>,
    refused: RefCell<BTreeSet<String>>,
    opened: RefCell<Vec<Rc<Opened>>>,
    by_path: RefCell<BTreeMap<String, Option<FileId>>>,
    documents: RefCell<BTreeMap<FileId, Documents>>,
}

impl<'a> Library<'a> {
    /// The files of a tree, none of them opened.
    #[must_use]
    pub fn new(tree: &'a dyn Tree) -> Self {
        Self {
            tree,
            left: Cell::new(ALLOWANCE),
            refused: RefCell::default(),
            opened: RefCell::default(),
            by_path: RefCell::default(),
            documents: RefCell::default(),
        }
    }

    /// The tree.
    #[must_use]
    pub fn tree(&self) -> &'a dyn Tree {
        self.tree
    }

    /// Opens a file, once.
    #[must_use]
    pub fn open(&self, path: &str) -> Option<FileId> {
        if let Some(known) = self.by_path.borrow().get(path) {
            return *known;
        }
        let id = self.tree.read(path).map(|text| {
            let mut lines = vec![0];
            lines.extend(text.match_indices('\n').map(|(at, _)| at + 1));
            let size = text.len() + lines.len() * size_of::<usize>();
            self.keeps(size, path).then(|| {
                let mut opened = self.opened.borrow_mut();
                opened.push(Rc::new(Opened { path: path.to_owned(), text, lines }));
                FileId(opened.len() - 1)
            })
        });
        let id = id.flatten();
        self.by_path.borrow_mut().insert(path.to_owned(), id);
        id
    }

    /// Whether so many bytes more, which come from a file, may be kept; if not, it is remembered as not read.
    #[must_use]
    pub fn keeps(&self, bytes: usize, path: &str) -> bool {
        match self.left.get().checked_sub(bytes) {
            Some(left) => {
                self.left.set(left);
                true
            }
            None => {
                self.refused.borrow_mut().insert(path.to_owned());
                false
            }
        }
    }

    /// The files that were not read, or not to their end, because the audit would have kept too much.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.refused.borrow().iter().cloned().collect()
    }

    /// The YAML documents of a file, which are built once.
    ///
    /// # Errors
    /// What building them gave.
    pub(crate) fn documents(&self, file: FileId, build: impl FnOnce() -> Documents) -> Documents {
        if let Some(known) = self.documents.borrow().get(&file) {
            return known.clone();
        }
        let mut documents = build();
        if let Ok(built) = &documents {
            let size = built.iter().map(|node| node.size()).sum();
            if !self.keeps(size, &self.file(file).path) {
                let problem = "the files before it were more than an audit keeps".to_owned();
                documents = Err(Unreadable { problem, span: Span::begin(file) });
            }
        }
        self.documents.borrow_mut().insert(file, documents.clone());
        documents
    }

    /// An opened file.
    #[must_use]
    pub fn file(&self, id: FileId) -> Rc<Opened> {
        let empty = || Rc::new(Opened { path: String::new(), text: String::new(), lines: vec![0] });
        self.opened.borrow().get(id.0).cloned().unwrap_or_else(empty)
    }

    /// How many files were opened.
    #[must_use]
    pub fn opened_count(&self) -> usize {
        self.opened.borrow().len()
    }

    /// The files that were opened, in that order.
    #[must_use]
    pub fn opened_ids(&self) -> Vec<FileId> {
        (0..self.opened_count()).map(FileId).collect()
    }

    /// The text of a span.
    #[must_use]
    pub fn text_of(&self, span: Span) -> String {
        self.file(span.file).text.get(span.start..span.end).unwrap_or("").to_owned()
    }

    /// Where some words stand inside a span; the span itself when they are not there in this spelling.
    #[must_use]
    pub fn within(&self, span: Span, words: &str) -> Span {
        let file = self.file(span.file);
        let found = file.text.get(span.start..span.end).and_then(|text| text.find(words));
        match found {
            Some(at) if !words.is_empty() => {
                let start = span.start + at;
                Span { file: span.file, start, end: start + words.len() }
            }
            _ => span,
        }
    }
}

/// The directory of a path; empty for the top.
#[must_use]
pub fn directory_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(directory, _)| directory)
}

/// The last part of a path.
#[must_use]
pub fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// A path seen from a directory of the tree; none when it leads out of the tree.
#[must_use]
pub fn join(directory: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.starts_with('~') {
        return None;
    }
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
