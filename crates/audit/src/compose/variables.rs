//! `${…}` in a Compose file: what is filled in, and from where.

use std::collections::BTreeMap;
use std::rc::Rc;

use eclusa_config::variables::{closing, name_length};

use crate::library::Span;
use crate::yaml::{Entry, Kind, Node, Scalar, VariableUse};

/// How deep `${A:-${B:-…}}` may be nested.
const DEEPEST: usize = 16;
/// The longest text that filling in may give.
const LONGEST: usize = 1 << 20;

/// A variable of an env file.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Its value.
    pub value: String,
    /// Where the value stands.
    pub span: Span,
}

/// What a Compose file may use.
#[derive(Debug, Clone, Default)]
pub struct Variables(pub BTreeMap<String, Setting>);

impl Variables {
    /// The tree with variables filled in. `left` is how many bytes that may give; what is beyond stays as written.
    #[must_use]
    pub fn fill(&self, node: &Rc<Node>, left: &mut usize) -> Rc<Node> {
        let kind = match &node.kind {
            Kind::Null => return Rc::clone(node),
            Kind::Scalar(scalar) if !scalar.text.contains('$') => return Rc::clone(node),
            Kind::Scalar(scalar) => {
                let filled = self.fill_text(&scalar.text);
                match left.checked_sub(filled.size()) {
                    Some(rest) => *left = rest,
                    None => return Rc::clone(node),
                }
                Kind::Scalar(filled)
            }
            Kind::Sequence(items) => {
                let filled: Vec<Rc<Node>> = items.iter().map(|item| self.fill(item, left)).collect();
                // What uses no variable is shared, not copied.
                if filled.iter().zip(items).all(|(new, old)| Rc::ptr_eq(new, old)) {
                    return Rc::clone(node);
                }
                Kind::Sequence(filled)
            }
            Kind::Mapping(entries) => {
                let filled: Vec<Rc<Node>> =
                    entries.iter().map(|entry| self.fill(&entry.value, left)).collect();
                if filled.iter().zip(entries).all(|(new, old)| Rc::ptr_eq(new, &old.value)) {
                    return Rc::clone(node);
                }
                let entries =
                    entries.iter().zip(filled).map(|(entry, value)| Entry { value, ..entry.clone() });
                Kind::Mapping(entries.collect())
            }
        };
        Rc::new(Node::tagged(node.span, node.tag, kind))
    }

    /// A text with variables filled in. `$$` is a dollar; what Compose would refuse stays as it is.
    #[must_use]
    pub fn fill_text(&self, text: &str) -> Scalar {
        let mut uses = Vec::new();
        let text = self.expand(text, &mut uses, 0);
        Scalar { text, uses }
    }

    fn expand(&self, text: &str, uses: &mut Vec<VariableUse>, depth: usize) -> String {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            filled.push_str(before);
            if depth > DEEPEST || filled.len() > LONGEST {
                return filled;
            }
            if let Some(tail) = after.strip_prefix('$') {
                filled.push('$');
                rest = tail;
            } else if let Some(inner) = after.strip_prefix('{') {
                let Some(close) = closing(inner) else {
                    // Compose refuses it; looking on inside would take the square of its length.
                    filled.push('$');
                    filled.push_str(after);
                    return filled;
                };
                let (body, tail) = inner.split_at(close);
                filled.push_str(&self.substitute(body, uses, depth));
                rest = tail.get(1..).unwrap_or("");
            } else {
                let length = name_length(after);
                let (name, tail) = after.split_at(length);
                if name.is_empty() {
                    filled.push('$');
                } else {
                    filled.push_str(&self.value(name, None, false, uses));
                }
                rest = tail;
            }
        }
        filled.push_str(rest);
        filled
    }

    fn substitute(&self, body: &str, uses: &mut Vec<VariableUse>, depth: usize) -> String {
        let (name, operation) = body.split_at(name_length(body));
        let operation = operation.strip_prefix(':').map_or((false, operation), |rest| (true, rest));
        let (with_colon, rest) = operation;
        let word = rest.get(1..).unwrap_or("");
        let known = self.0.get(name).filter(|one| !(with_colon && one.value.is_empty()));
        match rest.chars().next() {
            Some('-') => {
                let default = self.expand(word, &mut Vec::new(), depth + 1);
                self.value(name, Some((default, known.is_some())), false, uses)
            }
            Some('?') => self.value(name, None, true, uses),
            Some('+') if known.is_some() => self.expand(word, uses, depth + 1),
            Some('+') => String::new(),
            _ => self.value(name, None, false, uses),
        }
    }

    fn value(
        &self,
        name: &str,
        default: Option<(String, bool)>,
        required: bool,
        uses: &mut Vec<VariableUse>,
    ) -> String {
        let found = self.0.get(name);
        let set = default.as_ref().map_or(found.is_some(), |(_, set)| *set);
        let from = found.filter(|_| set).map(|one| one.span);
        let default = default.map(|(text, _)| text);
        let text = match found {
            Some(one) if set => one.value.clone(),
            _ => default.clone().unwrap_or_default(),
        };
        uses.push(VariableUse { name: name.to_owned(), default, required, set, from });
        text
    }
}
