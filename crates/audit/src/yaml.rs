//! YAML as a tree in which every key and value knows its place. The parsing is `granit-parser`'s; what is here builds
//! the tree, with `<<` merged and aliases shared, and refuses what would grow without bounds.

use std::collections::BTreeSet;
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle};

use crate::library::{FileId, Library, Span};

/// The most nodes of a document with its aliases written out; a real one has some thousands.
const MOST_NODES: usize = 50_000;
/// The most bytes of keys of a document, with those that `<<` and aliases repeat written out.
const LONGEST_KEYS: usize = 4 << 20;
/// What a node with its entry takes in memory, in bytes, roughly.
const NODE_SIZE: usize = 256;
/// How deep a document may be nested.
const DEEPEST: usize = 100;

/// A tag that Compose gives a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tag {
    /// None, or one without a meaning here.
    #[default]
    None,
    /// `!reset`: takes away what other files say.
    Reset,
    /// `!override`: replaces what other files say.
    Override,
}

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// Its tag.
    pub tag: Tag,
    /// What it is.
    pub kind: Kind,
    /// How many nodes it is with its aliases written out.
    weight: usize,
}

/// What a value is.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Nothing, `~`, `null`.
    Null,
    /// A scalar.
    Scalar(Scalar),
    /// A list.
    Sequence(Vec<Rc<Node>>),
    /// A table, in the order of the file.
    Mapping(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Rc<Node>,
}

/// A scalar.
#[derive(Debug, Clone, Default)]
pub struct Scalar {
    /// Its text, with variables filled in once that was done.
    pub text: String,
    /// The variables that it uses.
    pub uses: Vec<VariableUse>,
}

/// A variable in a scalar.
#[derive(Debug, Clone)]
pub struct VariableUse {
    /// Its name.
    pub name: String,
    /// What stands after `:-` or `-`.
    pub default: Option<String>,
    /// Whether it must be set: `:?`, `?`.
    pub required: bool,
    /// Whether an environment or env file sets it.
    pub set: bool,
    /// Where it is set, when that is in a file under audit.
    pub from: Option<Span>,
}

impl Scalar {
    /// What it takes in memory, in bytes, roughly.
    #[must_use]
    pub fn size(&self) -> usize {
        let uses = self.uses.iter().map(|one| {
            size_of::<VariableUse>() + one.name.len() + one.default.as_ref().map_or(0, String::len)
        });
        self.text.len() + uses.sum::<usize>()
    }

    /// Whether a part of the text is not known: a variable that nothing sets.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        self.uses.iter().any(|one| !one.set && one.default.is_none())
    }
}

impl Node {
    /// A new node.
    #[must_use]
    pub fn new(span: Span, kind: Kind) -> Rc<Self> {
        Rc::new(Self::tagged(span, Tag::None, kind))
    }

    /// A new node with a tag.
    #[must_use]
    pub fn tagged(span: Span, tag: Tag, kind: Kind) -> Self {
        let weight = match &kind {
            Kind::Null | Kind::Scalar(_) => 1,
            Kind::Sequence(items) => items.iter().fold(1, |sum: usize, item| sum.saturating_add(item.weight)),
            Kind::Mapping(entries) => {
                entries.iter().fold(1, |sum: usize, entry| sum.saturating_add(entry.value.weight))
            }
        };
        Self { span, tag, kind, weight }
    }

    /// A scalar that stands in no file as such: a short form written out.
    #[must_use]
    pub fn text(span: Span, text: impl Into<String>) -> Rc<Self> {
        Self::new(span, Kind::Scalar(Scalar { text: text.into(), uses: Vec::new() }))
    }

    /// What a copy of it takes in memory with its aliases written out, in bytes, roughly and without its texts.
    #[must_use]
    pub fn size(&self) -> usize {
        self.weight.saturating_mul(NODE_SIZE)
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Rc<Node>> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The entry of a key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries().iter().find(|entry| entry.key == key)
    }

    /// The value at the end of several keys.
    #[must_use]
    pub fn at(&self, path: &[&str]) -> Option<&Rc<Node>> {
        let (first, rest) = path.split_first()?;
        let found = self.get(first)?;
        if rest.is_empty() { Some(found) } else { found.at(rest) }
    }

    /// The entries of a table; none of anything else.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        if let Kind::Mapping(entries) = &self.kind { entries } else { &[] }
    }

    /// The items of a list; none of anything else.
    #[must_use]
    pub fn items(&self) -> &[Rc<Node>] {
        if let Kind::Sequence(items) = &self.kind { items } else { &[] }
    }

    /// The scalar.
    #[must_use]
    pub fn scalar(&self) -> Option<&Scalar> {
        if let Kind::Scalar(scalar) = &self.kind { Some(scalar) } else { None }
    }

    /// The text of a scalar.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        self.scalar().map(|scalar| scalar.text.as_str())
    }

    /// Whether it is `true` or a word that means it.
    #[must_use]
    pub fn is_true(&self) -> bool {
        self.as_str()
            .is_some_and(|text| matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "on" | "1"))
    }
}

/// A text that is no YAML, or too much of it.
#[derive(Debug, Clone)]
pub struct Unreadable {
    /// What is wrong.
    pub problem: String,
    /// Where.
    pub span: Span,
}

/// Reads the first document of a file.
///
/// # Errors
/// When it is no YAML, nested too deep, or too large with its aliases written out.
pub fn read(library: &Library<'_>, file: FileId) -> Result<Rc<Node>, Unreadable> {
    read_all(library, file).map(|mut documents| {
        if documents.is_empty() { Node::new(Span::begin(file), Kind::Null) } else { documents.swap_remove(0) }
    })
}

/// Reads every document of a file.
///
/// # Errors
/// As for [`read`].
pub fn read_all(library: &Library<'_>, file: FileId) -> Result<Vec<Rc<Node>>, Unreadable> {
    let opened = library.file(file);
    let builder =
        Builder { file, anchors: Vec::new(), open: Vec::new(), documents: Vec::new(), total: 0, keys: 0 };
    library.documents(file, || builder.build(&opened.text))
}

/// A collection that is not closed yet.
struct Open {
    start: usize,
    anchor: usize,
    tag: Tag,
    entries: Vec<Entry>,
    items: Vec<Rc<Node>>,
    key: Option<(String, Span)>,
    mapping: bool,
}

struct Builder {
    file: FileId,
    anchors: Vec<(usize, Rc<Node>)>,
    open: Vec<Open>,
    documents: Vec<Rc<Node>>,
    total: usize,
    keys: usize,
}

impl Builder {
    fn build(mut self, text: &str) -> Result<Vec<Rc<Node>>, Unreadable> {
        let mut options =
            granit_parser::options! { flow_nesting_limit: DEEPEST, block_nesting_limit: DEEPEST };
        options.set_emit_comments(false);
        for event in Parser::new_from_str_with_options(text, options) {
            let (event, span) = event.map_err(|error| {
                let at = error.marker().byte_offset().unwrap_or_default().min(text.len());
                Unreadable { problem: error.info(), span: Span { file: self.file, start: at, end: at } }
            })?;
            let start = span.start.byte_offset().unwrap_or_default().min(text.len());
            let end = span.end.byte_offset().unwrap_or_default().clamp(start, text.len());
            self.take(event, Span { file: self.file, start, end })?;
        }
        Ok(self.documents)
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Unreadable> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let null =
                    style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let kind = if null {
                    Kind::Null
                } else {
                    Kind::Scalar(Scalar { text: text.into_owned(), uses: Vec::new() })
                };
                let node = Node::tagged(span, tag_of(tag.as_deref()), kind);
                self.close(Rc::new(node), anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(span, anchor, tag_of(tag.as_deref()), false);
                Ok(())
            }
            Event::MappingStart(_, anchor, tag) => {
                self.begin(span, anchor, tag_of(tag.as_deref()), true);
                Ok(())
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let span = Span { file: self.file, start: open.start, end: span.end.max(open.start) };
                let kind = if open.mapping {
                    let mut left = LONGEST_KEYS.saturating_sub(self.keys);
                    let entries = merged(open.entries, &mut left).ok_or_else(|| too_long_keys(span))?;
                    self.keys = LONGEST_KEYS - left;
                    Kind::Mapping(entries)
                } else {
                    Kind::Sequence(open.items)
                };
                self.close(Rc::new(Node::tagged(span, open.tag, kind)), open.anchor)
            }
            Event::Alias(id) => {
                let found = self.anchors.iter().rev().find(|(anchor, _)| *anchor == id);
                let Some(node) = found.map(|(_, node)| Rc::clone(node)) else {
                    return Err(Unreadable { problem: "an alias inside of what it names".to_owned(), span });
                };
                self.close(node, 0)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, span: Span, anchor: usize, tag: Tag, mapping: bool) {
        let (entries, items) = (Vec::new(), Vec::new());
        self.open.push(Open { start: span.start, anchor, tag, entries, items, key: None, mapping });
    }

    fn close(&mut self, node: Rc<Node>, anchor: usize) -> Result<(), Unreadable> {
        self.total = self.total.saturating_add(node.weight);
        // Each level counts its content again; that only makes the bound a little tighter for deep files.
        if node.weight > MOST_NODES || self.total > MOST_NODES.saturating_mul(10) {
            let problem = format!("more than {MOST_NODES} values with the aliases written out");
            return Err(Unreadable { problem, span: node.span });
        }
        if anchor != 0 {
            self.anchors.push((anchor, Rc::clone(&node)));
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        if !open.mapping {
            open.items.push(node);
        } else if let Some((key, key_span)) = open.key.take() {
            open.entries.push(Entry { key, key_span, value: node });
        } else {
            // A key that is no scalar has no meaning in any file that is read here.
            let key = node.as_str().unwrap_or_default();
            self.keys += key.len();
            if self.keys > LONGEST_KEYS {
                return Err(too_long_keys(node.span));
            }
            open.key = Some((key.to_owned(), node.span));
        }
        Ok(())
    }
}

fn tag_of(tag: Option<&granit_parser::Tag>) -> Tag {
    match tag.map(granit_parser::Tag::suffix) {
        Some("reset") => Tag::Reset,
        Some("override") => Tag::Override,
        _ => Tag::None,
    }
}

fn too_long_keys(span: Span) -> Unreadable {
    Unreadable {
        problem: format!("keys of more than {LONGEST_KEYS} bytes with the aliases written out"),
        span,
    }
}

/// The entries with `<<` put in: what is written out wins, and of several tables the first. None when that would take
/// more than so many bytes of keys.
fn merged(entries: Vec<Entry>, left: &mut usize) -> Option<Vec<Entry>> {
    if !entries.iter().any(|entry| entry.key == "<<") {
        return Some(entries);
    }
    let mut own: Vec<Entry> = Vec::with_capacity(entries.len());
    let mut bases: Vec<Rc<Node>> = Vec::new();
    for entry in entries {
        match (&*entry.key, &entry.value.kind) {
            ("<<", Kind::Sequence(items)) => bases.extend(items.iter().cloned()),
            ("<<", _) => bases.push(entry.value),
            _ => own.push(entry),
        }
    }
    let mut known: BTreeSet<String> = own.iter().map(|entry| entry.key.clone()).collect();
    for base in bases {
        for entry in base.entries() {
            if !known.contains(&entry.key) {
                *left = left.checked_sub(entry.key.len())?;
                known.insert(entry.key.clone());
                own.push(entry.clone());
            }
        }
    }
    Some(own)
}
