//! Compose files read, filled in, extended, included and merged.

use std::rc::Rc;

use super::merging::{merge, merge_service, without_tags};
use super::{Model, Variables, canonical};
use crate::library::{Library, Span, directory_of, join};
use crate::yaml::{self, Entry, Kind, Node, Unreadable};

/// How far `extends` and `include` are followed.
const DEEPEST: usize = 12;
/// How many files a project may be made of, so that includes of includes end.
const MOST_FILES: usize = 200;

/// The most bytes that filling in variables may give in a project.
const LONGEST: usize = 16 << 20;

/// A project as read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The merged model.
    pub model: Model,
    /// What could not be read of it.
    pub unreadable: Vec<Unreadable>,
    /// Files that it names and that are not among those under audit.
    pub absent: Vec<(String, Span)>,
}

/// Reads Compose files.
pub struct Loading<'a> {
    library: &'a Library<'a>,
    variables: &'a Variables,
    unreadable: Vec<Unreadable>,
    absent: Vec<(String, Span)>,
    files: usize,
    left: usize,
}

impl<'a> Loading<'a> {
    /// A reader with these variables.
    #[must_use]
    pub fn new(library: &'a Library<'a>, variables: &'a Variables) -> Self {
        Self { library, variables, unreadable: Vec::new(), absent: Vec::new(), files: 0, left: LONGEST }
    }

    /// Reads and merges files in the order of `-f`.
    #[must_use]
    pub fn project(mut self, paths: &[String]) -> Option<Loaded> {
        let mut merged: Option<Rc<Node>> = None;
        // Relative paths of every `-f` file are meant from the directory of the first.
        let directory = paths.first().map_or("", |first| directory_of(first));
        for path in paths {
            let Some(root) = self.file(path, directory, 0) else { continue };
            merged = Some(match merged {
                Some(below) => merge(&below, &root),
                None => without_tags(&root),
            });
        }
        let Self { unreadable, absent, .. } = self;
        merged.map(|root| Loaded { model: Model { root }, unreadable, absent })
    }

    /// A file, filled in, its services extended and what it includes merged below it.
    fn file(&mut self, path: &str, directory: &str, depth: usize) -> Option<Rc<Node>> {
        self.files += 1;
        if depth > DEEPEST || self.files > MOST_FILES {
            return None;
        }
        let id = self.library.open(path)?;
        let root = match yaml::read(self.library, id) {
            Ok(root) => root,
            Err(problem) => {
                self.unreadable.push(problem);
                return None;
            }
        };
        let root = self.filled(&root, path)?;
        let mut entries = Vec::with_capacity(root.entries().len());
        for entry in root.entries() {
            let value = match entry.key.as_str() {
                "services" => self.services(&entry.value, path, directory),
                _ => Rc::clone(&entry.value),
            };
            entries.push(Entry { value, ..entry.clone() });
        }
        let root = Rc::new(Node::tagged(root.span, root.tag, Kind::Mapping(entries)));
        let mut below: Option<Rc<Node>> = None;
        let includes = root.get("include").map(|node| node.items().to_vec()).unwrap_or_default();
        for include in includes {
            for node in included(&include) {
                let Some(found) = node.as_str().and_then(|text| join(directory, text)) else { continue };
                match self.file(&found, directory_of(&found), depth + 1) {
                    Some(root) => {
                        below = Some(below.map_or_else(|| without_tags(&root), |known| merge(&known, &root)));
                    }
                    None => self.absent.push((found, node.span)),
                }
            }
        }
        Some(below.map_or_else(|| Rc::clone(&root), |below| merge(&below, &root)))
    }

    /// A file's tree with variables filled in, as long as the audit may keep more.
    fn filled(&mut self, root: &Rc<Node>, path: &str) -> Option<Rc<Node>> {
        let before = self.left;
        let filled = self.variables.fill(root, &mut self.left);
        let copied = if Rc::ptr_eq(&filled, root) { 0 } else { root.size() };
        self.library.keeps(copied + before - self.left, path).then_some(filled)
    }

    fn services(&mut self, node: &Rc<Node>, path: &str, directory: &str) -> Rc<Node> {
        let Kind::Mapping(entries) = &node.kind else { return Rc::clone(node) };
        let entries = entries
            .iter()
            .map(|entry| Entry {
                value: self.extended(&entry.value, node, (path, directory), 0),
                ..entry.clone()
            })
            .collect();
        Rc::new(Node::tagged(node.span, node.tag, Kind::Mapping(entries)))
    }

    /// A service with its short forms written out, on top of the one that it extends.
    fn extended(
        &mut self,
        service: &Rc<Node>,
        siblings: &Rc<Node>,
        (path, directory): (&str, &str),
        depth: usize,
    ) -> Rc<Node> {
        let own = canonical::service(service, directory);
        let Some(extends) = service.get("extends").filter(|_| depth < DEEPEST) else { return own };
        let named = |key: &str| extends.get(key).and_then(|node| node.as_str()).map(str::to_owned);
        let Some(name) = extends.as_str().map(str::to_owned).or_else(|| named("service")) else { return own };
        let base = match named("file") {
            None => {
                siblings.get(&name).map(|base| self.extended(base, siblings, (path, directory), depth + 1))
            }
            Some(file) => self.extended_elsewhere(&name, &file, extends.span, directory, depth),
        };
        match base {
            Some(base) => merge_service(&without_dependencies(&base), &own),
            None => own,
        }
    }

    fn extended_elsewhere(
        &mut self,
        name: &str,
        file: &str,
        span: Span,
        directory: &str,
        depth: usize,
    ) -> Option<Rc<Node>> {
        let Some(other) = join(directory, file) else {
            self.absent.push((file.to_owned(), span));
            return None;
        };
        self.files += 1;
        if self.files > MOST_FILES {
            return None;
        }
        let Some(id) = self.library.open(&other) else {
            self.absent.push((other, span));
            return None;
        };
        let root = match yaml::read(self.library, id) {
            Ok(root) => self.filled(&root, &other)?,
            Err(problem) => {
                self.unreadable.push(problem);
                return None;
            }
        };
        let services = root.get("services")?;
        let base = services.get(name)?;
        Some(self.extended(base, services, (&other, directory_of(&other)), depth + 1))
    }
}

/// The paths of an `include`: a text, or a table with one path or several.
fn included(node: &Rc<Node>) -> Vec<Rc<Node>> {
    match node.get("path") {
        Some(path) if path.items().is_empty() => vec![Rc::clone(path)],
        Some(path) => path.items().to_vec(),
        None => vec![Rc::clone(node)],
    }
}

/// What `extends` does not take over.
fn without_dependencies(node: &Rc<Node>) -> Rc<Node> {
    let entries = node.entries().iter().filter(|entry| entry.key != "depends_on").cloned().collect();
    Node::new(node.span, Kind::Mapping(entries))
}
