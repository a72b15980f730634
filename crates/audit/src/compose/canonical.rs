//! Short forms written out, so that files can be merged key by key: `A=1` in a list is `A: 1`, a build context is a
//! table, a dependency has a condition.

use std::rc::Rc;

use crate::library::join;
use crate::yaml::{Entry, Kind, Node, Scalar};

/// A service with its short forms written out. Relative paths, which are meant from `directory`, become paths from the
/// top of the tree that begin with `./`; those that lead out of it stay as they are.
#[must_use]
pub(super) fn service(node: &Rc<Node>, directory: &str) -> Rc<Node> {
    rewritten(node, |key, value| match key {
        "environment" | "labels" | "annotations" | "sysctls" | "extra_hosts" => pairs(value),
        "networks" => names(value, |span| Node::new(span, Kind::Null)),
        "depends_on" => names(value, started),
        "build" => build(value, directory),
        "env_file" => paths(&listed(value), directory),
        "volumes" => mounts(value, directory),
        "deploy" => {
            rewritten(value, |key, value| if key == "labels" { pairs(value) } else { Rc::clone(value) })
        }
        _ => Rc::clone(value),
    })
}

fn rewritten(node: &Rc<Node>, rewrite: impl Fn(&str, &Rc<Node>) -> Rc<Node>) -> Rc<Node> {
    let Kind::Mapping(entries) = &node.kind else { return Rc::clone(node) };
    let entries = entries
        .iter()
        .map(|entry| Entry { value: rewrite(&entry.key, &entry.value), ..entry.clone() })
        .collect();
    Rc::new(Node::tagged(node.span, node.tag, Kind::Mapping(entries)))
}

fn started(span: crate::library::Span) -> Rc<Node> {
    let value = Node::text(span, "service_started");
    Node::new(span, Kind::Mapping(vec![Entry { key: "condition".to_owned(), key_span: span, value }]))
}

/// A path from the top of the tree, where it is relative and leads to no other place.
fn placed(node: &Rc<Node>, directory: &str) -> Rc<Node> {
    let Some(scalar) = node.scalar() else { return Rc::clone(node) };
    let text = &scalar.text;
    if text.is_empty() || text.contains("://") || text.starts_with("git@") {
        return Rc::clone(node);
    }
    match join(directory, text) {
        Some(path) => {
            let scalar = Scalar { text: format!("./{path}"), uses: scalar.uses.clone() };
            Rc::new(Node::tagged(node.span, node.tag, Kind::Scalar(scalar)))
        }
        None => Rc::clone(node),
    }
}

fn paths(node: &Rc<Node>, directory: &str) -> Rc<Node> {
    let Kind::Sequence(items) = &node.kind else { return Rc::clone(node) };
    let place = |item: &Rc<Node>| match &item.kind {
        Kind::Mapping(_) => rewritten(item, |key, value| match key {
            "path" => placed(value, directory),
            _ => Rc::clone(value),
        }),
        _ => placed(item, directory),
    };
    Rc::new(Node::tagged(node.span, node.tag, Kind::Sequence(items.iter().map(place).collect())))
}

/// Volumes in their long form.
fn mounts(node: &Rc<Node>, directory: &str) -> Rc<Node> {
    let Kind::Sequence(items) = &node.kind else { return Rc::clone(node) };
    let items = items.iter().map(|item| mount(item, directory)).collect();
    Rc::new(Node::tagged(node.span, node.tag, Kind::Sequence(items)))
}

fn mount(item: &Rc<Node>, directory: &str) -> Rc<Node> {
    let Some(scalar) = item.scalar() else {
        let is_bind =
            item.get("type").and_then(|kind| kind.as_str().map(|kind| kind == "bind")).unwrap_or(false);
        return rewritten(item, |key, value| match key {
            "source" if is_bind => placed(value, directory),
            _ => Rc::clone(value),
        });
    };
    let part = |key: &str, text: &str| Entry {
        key: key.to_owned(),
        key_span: item.span,
        value: Node::new(
            item.span,
            Kind::Scalar(Scalar { text: text.to_owned(), uses: scalar.uses.clone() }),
        ),
    };
    let (source, rest) = match scalar.text.split_once(':') {
        Some((source, rest)) => (Some(source), rest),
        None => (None, scalar.text.as_str()),
    };
    let (target, mode) = rest.split_once(':').unwrap_or((rest, ""));
    let is_path = source.is_some_and(|source| source.starts_with(['/', '.', '~']));
    let mut entries = vec![part("type", if is_path { "bind" } else { "volume" })];
    if let Some(source) = source {
        let mut entry = part("source", source);
        if is_path {
            entry.value = placed(&entry.value, directory);
        }
        entries.push(entry);
    }
    entries.push(part("target", target));
    if mode.split(',').any(|option| option == "ro") {
        entries.push(part("read_only", "true"));
    }
    Node::new(item.span, Kind::Mapping(entries))
}

fn build(node: &Rc<Node>, directory: &str) -> Rc<Node> {
    match &node.kind {
        Kind::Scalar(_) => {
            let value = placed(node, directory);
            let entry = Entry { key: "context".to_owned(), key_span: node.span, value };
            Rc::new(Node::tagged(node.span, node.tag, Kind::Mapping(vec![entry])))
        }
        _ => rewritten(node, |key, value| match key {
            "args" | "labels" => pairs(value),
            "context" => placed(value, directory),
            _ => Rc::clone(value),
        }),
    }
}

fn listed(node: &Rc<Node>) -> Rc<Node> {
    match &node.kind {
        Kind::Scalar(_) => Rc::new(Node::tagged(node.span, node.tag, Kind::Sequence(vec![Rc::clone(node)]))),
        _ => Rc::clone(node),
    }
}

/// `[a, b]` as `{a: …, b: …}`.
fn names(node: &Rc<Node>, value: impl Fn(crate::library::Span) -> Rc<Node>) -> Rc<Node> {
    let Kind::Sequence(items) = &node.kind else { return Rc::clone(node) };
    let entries = items
        .iter()
        .filter_map(|item| {
            let key = item.as_str()?.to_owned();
            Some(Entry { key, key_span: item.span, value: value(item.span) })
        })
        .collect();
    Rc::new(Node::tagged(node.span, node.tag, Kind::Mapping(entries)))
}

/// `[A=1, B]` as `{A: 1, B: null}`. The value keeps the place of the whole item.
fn pairs(node: &Rc<Node>) -> Rc<Node> {
    let Kind::Sequence(items) = &node.kind else { return Rc::clone(node) };
    let mut entries: Vec<Entry> = Vec::new();
    for item in items {
        let Some(scalar) = item.scalar() else { continue };
        let (key, kind) = match scalar.text.split_once('=') {
            Some((key, text)) => {
                let mut scalar = scalar.clone();
                scalar.text = text.to_owned();
                (key, Kind::Scalar(scalar))
            }
            None => (scalar.text.as_str(), Kind::Null),
        };
        entries.push(Entry { key: key.to_owned(), key_span: item.span, value: Node::new(item.span, kind) });
    }
    Rc::new(Node::tagged(node.span, node.tag, Kind::Mapping(entries)))
}
