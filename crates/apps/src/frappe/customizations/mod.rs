//! What people have made of a site themselves, out of the site's own tables: fields, scripts, workflows, formats, roles.
//! Pure: rows come in, values and texts go out.

mod difference;
mod fixtures;
mod kinds;
mod markdown;

use std::collections::BTreeMap;

use eclusa_model::{Fingerprint, FingerprintKey, StackName, TenantName};
use eclusa_ports::{Row, RowsWanted};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::difference::{Change, Difference, DocumentDifference, FieldDifference, shown_value};
pub use self::fixtures::{Fixture, FixtureFilter, FixtureProblem, fixtures, hooks_lines, read_fixtures};
pub use self::kinds::{Child, KINDS, Kind, kind_of};
pub use self::markdown::markdown;

/// The format of customizations as they are kept.
pub const CUSTOMIZATIONS_FORMAT: u32 = 1;

/// With what begins what stands where a secret was.
pub const REDACTED: &str = "redacted:";

/// A document by field; the rows below it are lists.
pub type Document = BTreeMap<String, Value>;

/// The customizations of a site at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Customizations {
    /// The format: [`CUSTOMIZATIONS_FORMAT`].
    pub format: u32,
    /// The stack.
    pub stack: StackName,
    /// The tenant.
    pub tenant: TenantName,
    /// When they were read.
    pub taken_at: Timestamp,
    /// The release that ran then, where it is known.
    pub release: Option<String>,
    /// DocTypes that the site does not have, so that nothing of them was read.
    pub passed_over: Vec<String>,
    /// By DocType; a list is empty where there are only standard ones. Sorted by what they are known by.
    pub documents: BTreeMap<String, Vec<Document>>,
}

impl Customizations {
    /// How many documents there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.documents.values().map(Vec::len).sum()
    }
}

/// One read of a table, and what its rows are.
#[derive(Clone, Copy)]
enum Part {
    Documents(&'static Kind),
    Children(&'static Kind, &'static Child),
}

fn parts() -> Vec<Part> {
    let of = |kind: &'static Kind| {
        let children = kind.children.iter().map(move |child| Part::Children(kind, child));
        std::iter::once(Part::Documents(kind)).chain(children)
    };
    KINDS.iter().flat_map(of).collect()
}

/// What has to be read of a site's database, in the order in which [`gather`] wants it.
#[must_use]
pub fn wanted() -> Vec<RowsWanted> {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let wanted = parts().into_iter().map(|part| match part {
        Part::Documents(kind) => RowsWanted {
            table: format!("tab{}", kind.doctype),
            only: kind.only.iter().map(|(column, only)| ((*column).to_owned(), texts(only))).collect(),
        },
        Part::Children(kind, child) => RowsWanted {
            table: format!("tab{}", child.doctype),
            only: vec![
                ("parenttype".to_owned(), texts(&[kind.doctype])),
                ("parentfield".to_owned(), texts(&[child.field])),
            ],
        },
    });
    wanted.collect()
}

/// Whose customizations, when.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The stack.
    pub stack: StackName,
    /// The tenant.
    pub tenant: TenantName,
    /// When.
    pub at: Timestamp,
    /// The release that runs.
    pub release: Option<String>,
}

/// Makes documents of the rows that [`wanted`] asked for. Secrets become keyed hashes, so that it is seen when one changes.
#[must_use]
pub fn gather(taken: Taken, rows: Vec<Option<Vec<Row>>>, key: &FingerprintKey) -> Customizations {
    let mut documents: BTreeMap<String, Vec<Document>> = BTreeMap::new();
    let mut passed_over = Vec::new();
    for (part, rows) in parts().into_iter().zip(rows) {
        match part {
            Part::Documents(kind) => match rows {
                Some(rows) => {
                    let of = rows.into_iter().map(|row| document(kind, row, key)).collect();
                    documents.insert(kind.doctype.to_owned(), of);
                }
                None => passed_over.push(kind.doctype.to_owned()),
            },
            Part::Children(kind, child) => {
                if let Some(documents) = documents.get_mut(kind.doctype) {
                    hang(documents, child, rows.unwrap_or_default(), key);
                }
            }
        }
    }
    for (doctype, documents) in &mut documents {
        let identity = kind_of(doctype).map_or(&[][..], |kind| kind.identity);
        documents.sort_by_cached_key(|document| (label(document, identity), label(document, &[])));
    }
    passed_over.sort();
    let Taken { stack, tenant, at, release } = taken;
    Customizations {
        format: CUSTOMIZATIONS_FORMAT,
        stack,
        tenant,
        taken_at: at,
        release,
        passed_over,
        documents,
    }
}

/// What Frappe keeps for itself (who looked at it, who likes it) is no customization.
fn is_kept(column: &str) -> bool {
    !column.starts_with('_')
}

fn document(kind: &Kind, row: Row, key: &FingerprintKey) -> Document {
    let mut document: Document = row.into_iter().filter(|(column, _)| is_kept(column)).collect();
    hide(&mut document, kind.secrets, kind.addresses, key);
    document.insert("doctype".to_owned(), Value::from(kind.doctype));
    document
}

/// Puts rows below the documents that they belong to, in their order.
fn hang(documents: &mut [Document], child: &Child, rows: Vec<Row>, key: &FingerprintKey) {
    let mut of: BTreeMap<String, Vec<Document>> = BTreeMap::new();
    for row in rows {
        let mut below: Document = row.into_iter().filter(|(column, _)| is_kept(column)).collect();
        hide(&mut below, child.secrets, &[], key);
        below.insert("doctype".to_owned(), Value::from(child.doctype));
        of.entry(text_of(&below, "parent")).or_default().push(below);
    }
    for document in documents {
        let mut below = of.remove(&text_of(document, "name")).unwrap_or_default();
        below.sort_by_cached_key(|row| {
            (row.get("idx").and_then(Value::as_i64).unwrap_or(0), text_of(row, "name"))
        });
        let below = below.into_iter().map(|row| Value::Object(row.into_iter().collect())).collect();
        document.insert(child.field.to_owned(), Value::Array(below));
    }
}

fn hide(document: &mut Document, secrets: &[&str], addresses: &[&str], key: &FingerprintKey) {
    for (column, value) in document.iter_mut() {
        let Value::String(text) = value else { continue };
        if text.is_empty() {
            continue;
        }
        let hash =
            || Fingerprint::of_bytes(key, format!("customization {text}").as_bytes()).short().to_owned();
        if secrets.contains(&column.as_str()) || kinds::sounds_secret(column) {
            *value = Value::from(format!("{REDACTED}{}", hash()));
        } else if addresses.contains(&column.as_str()) {
            *value = Value::from(format!("{REDACTED}{} at {}", hash(), host_of(text)));
        }
    }
}

/// Scheme and host of an address, without what could open something.
fn host_of(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return "an address".to_owned() };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}")
}

/// A value as text; none and null as the empty one.
fn text_of(document: &Document, column: &str) -> String {
    match document.get(column) {
        Some(Value::String(text)) => text.clone(),
        None | Some(Value::Null) => String::new(),
        Some(other) => other.to_string(),
    }
}

/// What a document is known by: its name, or the columns that say what it is where its name is a random one.
fn label(document: &Document, identity: &[&str]) -> String {
    if identity.is_empty() {
        return text_of(document, "name");
    }
    let parts: Vec<String> = identity.iter().map(|column| text_of(document, column)).collect();
    parts.join(" / ")
}

#[cfg(test)]
mod tests;
