//! What is not the same in two sets of customizations, document by document and field by field.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::{Customizations, Document, REDACTED, kind_of, label, text_of};

/// What a save, a migration or another site changes by itself: no difference.
const BOOKKEEPING: &[&str] =
    &["creation", "modified", "modified_by", "owner", "idx", "lft", "rgt", "doctype"];
/// The same of rows below a document, whose names are random.
const BOOKKEEPING_BELOW: &[&str] = &["name", "parent", "parentfield", "parenttype", "docstatus"];

/// How a document differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Only the second side has it.
    Added,
    /// Only the first side has it.
    Removed,
    /// Both have it, and it is not the same.
    Changed,
}

impl Change {
    /// The sign of a line.
    #[must_use]
    pub fn sign(self) -> char {
        match self {
            Self::Added => '+',
            Self::Removed => '-',
            Self::Changed => '~',
        }
    }
}

/// A field that is not the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FieldDifference {
    /// Its name; of a row below, `states[Open].allow_edit`; of a row as a whole, `states[Open]`.
    pub field: String,
    /// What the first side has; null: nothing.
    pub before: Value,
    /// What the second side has; null: nothing.
    pub after: Value,
}

/// A document that is not the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DocumentDifference {
    /// Its DocType.
    pub doctype: String,
    /// What it is known by.
    pub document: String,
    /// How it differs.
    pub change: Change,
    /// Its fields that differ; empty where only one side has it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldDifference>,
    /// Who changed it last, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified_by: Option<String>,
    /// When, by the site's own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
}

/// What differs, by DocType and document.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Difference {
    /// The documents that are not the same.
    pub documents: Vec<DocumentDifference>,
}

impl Difference {
    /// From the first to the second.
    #[must_use]
    pub fn between(first: &Customizations, second: &Customizations) -> Self {
        let doctypes: BTreeSet<&String> = first.documents.keys().chain(second.documents.keys()).collect();
        let mut found = Self::default();
        for doctype in doctypes {
            let none = Vec::new();
            let before = first.documents.get(doctype).unwrap_or(&none);
            let after = second.documents.get(doctype).unwrap_or(&none);
            found.documents.extend(of_doctype(doctype, before, after));
        }
        found
    }

    /// How many of a kind.
    #[must_use]
    pub fn count(&self, change: Change) -> usize {
        self.documents.iter().filter(|one| one.change == change).count()
    }

    /// Each document in a line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let line = |one: &DocumentDifference| {
            let fields: Vec<&str> = one.fields.iter().map(|field| field.field.as_str()).collect();
            let fields = if fields.is_empty() { String::new() } else { format!(": {}", fields.join(", ")) };
            format!("{} {} {}{fields}", one.change.sign(), one.doctype, one.document)
        };
        self.documents.iter().map(line).collect()
    }
}

/// By what they are known; two that are known by the same get a number.
fn by_label<'a>(documents: &'a [Document], identity: &[&str]) -> BTreeMap<String, &'a Document> {
    let mut found = BTreeMap::new();
    for document in documents {
        let known_by = label(document, identity);
        let mut name = known_by.clone();
        let mut number = 2;
        while found.contains_key(&name) {
            name = format!("{known_by} ({number})");
            number += 1;
        }
        found.insert(name, document);
    }
    found
}

fn of_doctype(doctype: &str, before: &[Document], after: &[Document]) -> Vec<DocumentDifference> {
    let identity = kind_of(doctype).map_or(&[][..], |kind| kind.identity);
    let (before, after) = (by_label(before, identity), by_label(after, identity));
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let known =
        |document: &Document, column: &str| Some(text_of(document, column)).filter(|text| !text.is_empty());
    let mut found = Vec::new();
    for name in names {
        let (change, fields, document) = match (before.get(name), after.get(name)) {
            (Some(first), Some(second)) => {
                // A random name is no difference where something else says what it is.
                let fields = fields(doctype, first, second, !identity.is_empty());
                if fields.is_empty() {
                    continue;
                }
                (Change::Changed, fields, *second)
            }
            (Some(first), None) => (Change::Removed, Vec::new(), *first),
            (None, Some(second)) => (Change::Added, Vec::new(), *second),
            (None, None) => continue,
        };
        found.push(DocumentDifference {
            doctype: doctype.to_owned(),
            document: name.clone(),
            change,
            fields,
            modified_by: known(document, "modified_by"),
            modified: known(document, "modified"),
        });
    }
    found
}

fn fields(doctype: &str, first: &Document, second: &Document, has_random_name: bool) -> Vec<FieldDifference> {
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        if BOOKKEEPING.contains(&name.as_str()) || (has_random_name && name == "name") {
            continue;
        }
        let (before, after) = (first.get(name), second.get(name));
        if matches!((before, after), (Some(Value::Array(_)), _) | (_, Some(Value::Array(_)))) {
            let child = kind_of(doctype)
                .and_then(|kind| kind.children.iter().find(|child| child.field == name.as_str()));
            let identity = child.map_or(&[][..], |child| child.identity);
            found.extend(below(name, &rows(before), &rows(after), identity));
        } else if !is_same(before, after) {
            found.push(field(name.clone(), before, after));
        }
    }
    found
}

fn field(field: String, before: Option<&Value>, after: Option<&Value>) -> FieldDifference {
    let value = |value: Option<&Value>| value.cloned().unwrap_or(Value::Null);
    FieldDifference { field, before: value(before), after: value(after) }
}

/// The rows below a document, as far as they are rows.
fn rows(value: Option<&Value>) -> Vec<Document> {
    let Some(Value::Array(rows)) = value else { return Vec::new() };
    let row = |row: &Value| row.as_object().map(|row| row.clone().into_iter().collect());
    rows.iter().filter_map(row).collect()
}

fn is_of_row(column: &str) -> bool {
    !BOOKKEEPING.contains(&column) && !BOOKKEEPING_BELOW.contains(&column)
}

/// A row without what is no part of what it says.
fn bare(row: &Document) -> Value {
    let kept = row.iter().filter(|(column, value)| is_of_row(column) && !is_nothing(Some(value)));
    Value::Object(kept.map(|(column, value)| (column.clone(), value.clone())).collect())
}

fn below(name: &str, before: &[Document], after: &[Document], identity: &[&str]) -> Vec<FieldDifference> {
    let all: Vec<Document>;
    let (known_before, known_after) = if identity.is_empty() {
        // Where nothing says which row is which, each is known by all that it says.
        all = before
            .iter()
            .chain(after)
            .map(|row| Document::from([("name".to_owned(), Value::from(bare(row).to_string()))]))
            .collect();
        let (first, second) = all.split_at(before.len());
        (by_label(first, &[]), by_label(second, &[]))
    } else {
        (by_label(before, identity), by_label(after, identity))
    };
    let mut found = Vec::new();
    let names: BTreeSet<&String> = known_before.keys().chain(known_after.keys()).collect();
    for row in names {
        match (known_before.get(row), known_after.get(row)) {
            (Some(first), Some(second)) => {
                let columns: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
                for column in columns.into_iter().filter(|column| is_of_row(column)) {
                    let (before, after) = (first.get(column), second.get(column));
                    if !is_same(before, after) {
                        found.push(field(format!("{name}[{row}].{column}"), before, after));
                    }
                }
            }
            (first, second) => {
                let value = |row: Option<&&Document>| row.map_or(Value::Null, |row| bare(row));
                found.push(FieldDifference {
                    field: format!("{name}[{row}]"),
                    before: value(first),
                    after: value(second),
                });
            }
        }
    }
    let order = |rows: &[Document]| -> Vec<Value> {
        rows.iter()
            .map(|row| if identity.is_empty() { bare(row) } else { Value::from(label(row, identity)) })
            .collect()
    };
    let (first, second) = (order(before), order(after));
    if found.is_empty() && first != second {
        let (before, after) = (Value::from(first), Value::from(second));
        found.push(FieldDifference { field: format!("{name} (order)"), before, after });
    }
    found
}

/// What Frappe makes of a field that nobody filled in: a column that a release brings is full of these.
fn is_nothing(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty() || text == "0",
        Some(Value::Number(number)) => number.as_f64() == Some(0.0),
        Some(Value::Bool(is)) => !is,
        Some(Value::Array(rows)) => rows.is_empty(),
        Some(Value::Object(_)) => false,
    }
}

fn is_redacted(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with(REDACTED))
}

fn is_same(first: Option<&Value>, second: Option<&Value>) -> bool {
    // A file of fixtures has no secrets: nothing is known of whether it is the same.
    let is_hidden = |value: Option<&Value>| value.is_some_and(is_redacted);
    if is_hidden(first) != is_hidden(second) && (first.is_none() || second.is_none()) {
        return true;
    }
    let (Some(before), Some(after)) = (first, second) else {
        return is_nothing(first) && is_nothing(second);
    };
    let is_empty = |value: &Value| value.is_null() || value.as_str() == Some("");
    if before == after || (is_empty(before) && is_empty(after)) {
        return true;
    }
    let number = |value: &Value| match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(is) => Some(f64::from(u8::from(*is))),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    // The same number, once as a number and once as text or with more digits.
    let is_text = |value: &Value| value.is_string();
    match (number(before), number(after)) {
        (Some(first), Some(second)) if !(is_text(before) && is_text(after)) => first == second,
        _ => false,
    }
}

/// A value in a line of a person's terminal: of a long text, how long it is.
#[must_use]
pub fn shown_value(value: &Value) -> String {
    const LONGEST: usize = 60;
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) if text.contains('\n') => format!("{} lines", text.lines().count()),
        Value::String(text) if text.chars().count() > LONGEST => {
            let short: String = text.chars().take(LONGEST).collect();
            format!("{short:?}…")
        }
        Value::String(text) => format!("{text:?}"),
        other => {
            let text = other.to_string();
            if text.chars().count() > 2 * LONGEST {
                format!("{}…", text.chars().take(2 * LONGEST).collect::<String>())
            } else {
                text
            }
        }
    }
}
