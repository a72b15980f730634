//! Compose's merge rules: tables key by key, lists appended, some lists by what an item is about, commands replaced,
//! `!reset` and `!override`.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::service::{mount_target, port_identity};
use crate::yaml::{Entry, Kind, Node, Tag};

/// Merges a file into what earlier files say. Both have their short forms written out.
#[must_use]
pub(super) fn merge(base: &Rc<Node>, over: &Rc<Node>) -> Rc<Node> {
    at(base, over, &mut Vec::new())
}

/// Merges one service into another, as `extends` does.
#[must_use]
pub(super) fn merge_service(base: &Rc<Node>, over: &Rc<Node>) -> Rc<Node> {
    at(base, over, &mut vec!["services".to_owned(), "*".to_owned()])
}

/// What is left of a file when nothing is merged into it: `!reset` takes away, `!override` is the value itself.
#[must_use]
pub(super) fn without_tags(node: &Rc<Node>) -> Rc<Node> {
    match &node.kind {
        Kind::Mapping(entries) => {
            let entries = entries
                .iter()
                .filter(|entry| entry.value.tag != Tag::Reset)
                .map(|entry| Entry { value: without_tags(&entry.value), ..entry.clone() })
                .collect();
            Node::new(node.span, Kind::Mapping(entries))
        }
        _ => Rc::clone(node),
    }
}

fn at(base: &Rc<Node>, over: &Rc<Node>, path: &mut Vec<String>) -> Rc<Node> {
    if over.tag == Tag::Override {
        return Rc::clone(over);
    }
    match (&base.kind, &over.kind) {
        (Kind::Mapping(_), Kind::Mapping(_)) if !replaced(base, over, path) => {
            let entries = tables(base.entries(), over.entries(), path);
            Node::new(over.span, Kind::Mapping(entries))
        }
        (Kind::Sequence(below), Kind::Sequence(above)) => match list_rule(path) {
            ListRule::Replace => Rc::clone(over),
            ListRule::Append => {
                let items = below.iter().chain(above).cloned().collect();
                Node::new(over.span, Kind::Sequence(items))
            }
            ListRule::Unique(identity) => {
                Node::new(over.span, Kind::Sequence(unique(below.iter().chain(above), identity)))
            }
        },
        // An empty value in a later file says nothing.
        (_, Kind::Null) => Rc::clone(base),
        _ => Rc::clone(over),
    }
}

fn tables(below: &[Entry], above: &[Entry], path: &mut Vec<String>) -> Vec<Entry> {
    let mut entries: Vec<Option<Entry>> = below.iter().cloned().map(Some).collect();
    let places: BTreeMap<&str, usize> =
        below.iter().enumerate().map(|(place, entry)| (entry.key.as_str(), place)).collect();
    for entry in above {
        let Some(&place) = places.get(entry.key.as_str()) else {
            if entry.value.tag != Tag::Reset {
                entries.push(Some(entry.clone()));
            }
            continue;
        };
        let Some(slot) = entries.get_mut(place) else { continue };
        if entry.value.tag == Tag::Reset {
            *slot = None;
            continue;
        }
        path.push(entry.key.clone());
        let merged = slot
            .as_ref()
            .map_or_else(|| Rc::clone(&entry.value), |known| at(&known.value, &entry.value, path));
        path.pop();
        *slot = Some(Entry { key: entry.key.clone(), key_span: entry.key_span, value: merged });
    }
    entries.into_iter().flatten().collect()
}

/// Tables that are replaced as a whole: logging of another driver.
fn replaced(base: &Rc<Node>, over: &Rc<Node>, path: &[String]) -> bool {
    if service_key(path) != Some("logging") || path.len() != 3 {
        return false;
    }
    let driver = |node: &Rc<Node>| node.get("driver").and_then(|driver| driver.as_str().map(str::to_owned));
    match (driver(base), driver(over)) {
        (Some(below), Some(above)) => below != above,
        _ => false,
    }
}

type Identity = fn(&Node) -> Option<String>;

enum ListRule {
    Replace,
    Append,
    Unique(Identity),
}

/// The key of a service that a path leads through.
fn service_key(path: &[String]) -> Option<&str> {
    if path.first().map(String::as_str) == Some("services") { path.get(2).map(String::as_str) } else { None }
}

fn list_rule(path: &[String]) -> ListRule {
    let last = path.last().map_or("", String::as_str);
    match (service_key(path), last) {
        (Some("command"), "command") | (Some("entrypoint"), "entrypoint") | (Some("healthcheck"), "test") => {
            ListRule::Replace
        }
        (Some("ports"), "ports") => ListRule::Unique(port_identity),
        (Some("volumes"), "volumes") => ListRule::Unique(mount_target),
        (Some("secrets"), "secrets") | (Some("configs"), "configs") => ListRule::Unique(file_target),
        (
            Some(_),
            "expose" | "dns" | "dns_search" | "tmpfs" | "env_file" | "cap_add" | "cap_drop" | "profiles",
        ) => ListRule::Unique(text),
        _ => ListRule::Append,
    }
}

fn text(node: &Node) -> Option<String> {
    node.as_str().map(str::to_owned)
}

fn file_target(node: &Node) -> Option<String> {
    let named = |key| node.get(key).and_then(|value| value.as_str().map(str::to_owned));
    text(node).or_else(|| named("target")).or_else(|| named("source"))
}

/// The items without those that a later one is about as well; a later one takes the earlier one's place.
fn unique<'a>(items: impl Iterator<Item = &'a Rc<Node>>, identity: Identity) -> Vec<Rc<Node>> {
    let mut found: Vec<Rc<Node>> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for item in items {
        let Some(id) = identity(item) else {
            found.push(Rc::clone(item));
            continue;
        };
        match places.get(&id).and_then(|&place| found.get_mut(place)) {
            Some(slot) => *slot = Rc::clone(item),
            None => {
                places.insert(id, found.len());
                found.push(Rc::clone(item));
            }
        }
    }
    found
}
