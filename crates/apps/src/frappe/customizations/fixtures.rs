//! Fixtures: files of documents that an app brings along, as `bench export-fixtures` writes them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Customizations, Document, REDACTED, kind_of, label, text_of};

/// What `export-fixtures` leaves out of a document.
const LEFT_OUT: &[&str] = &["modified_by", "creation", "owner", "idx", "lft", "rgt"];
/// What it leaves out of the rows below as well.
const LEFT_OUT_BELOW: &[&str] = &["docstatus", "doctype", "modified", "name"];

/// Which documents go into files.
#[derive(Debug, Clone, Default)]
pub struct FixtureFilter {
    /// These DocTypes; all that have a document when it is empty.
    pub doctypes: Vec<String>,
    /// Only documents of this module.
    pub module: Option<String>,
}

/// A file of fixtures.
#[derive(Debug, Clone, PartialEq)]
pub struct Fixture {
    /// The DocType.
    pub doctype: String,
    /// The file's name.
    pub file: String,
    /// What stands in it.
    pub text: String,
    /// The names of its documents.
    pub names: Vec<String>,
    /// Fields that are not in it because they hold secrets, as `DOCUMENT: FIELD`.
    pub without: Vec<String>,
}

/// What a file of fixtures holds that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FixtureProblem {
    /// It is no list of documents with a DocType and a name.
    Unreadable(String),
    /// Documents of DocTypes that are no customizations: how many of each.
    NotCompared(String, usize),
}

/// A DocType's name as it stands in names of files.
fn scrubbed(doctype: &str) -> String {
    doctype.replace([' ', '-'], "_").to_lowercase()
}

/// The files, in the order of their names.
#[must_use]
pub fn fixtures(customizations: &Customizations, filter: &FixtureFilter) -> Vec<Fixture> {
    let mut found: Vec<Fixture> = customizations
        .documents
        .iter()
        .filter(|(doctype, _)| filter.doctypes.is_empty() || filter.doctypes.contains(doctype))
        .filter_map(|(doctype, documents)| {
            let of_module = |document: &&Document| {
                filter.module.as_ref().is_none_or(|module| text_of(document, "module") == *module)
            };
            let documents: Vec<&Document> = documents.iter().filter(of_module).collect();
            // A file for each DocType that was asked for by name, and of the others where there is something.
            let is_wanted = !documents.is_empty() || !filter.doctypes.is_empty();
            is_wanted.then(|| fixture(doctype, &documents))
        })
        .collect();
    found.sort_by(|first, second| first.file.cmp(&second.file));
    found
}

fn fixture(doctype: &str, documents: &[&Document]) -> Fixture {
    let mut without = Vec::new();
    let mut documents: Vec<&Document> = documents.to_vec();
    documents.sort_by_cached_key(|document| text_of(document, "name"));
    let values: Vec<Value> = documents
        .iter()
        .map(|document| {
            let name = text_of(document, "name");
            let mut fields = Map::new();
            for (column, value) in document.iter().filter(|(column, _)| !LEFT_OUT.contains(&column.as_str()))
            {
                match value {
                    Value::Array(rows) => {
                        let rows = rows.iter().filter_map(Value::as_object);
                        let rows = rows.map(|row| below(row, &name, column, &mut without)).collect();
                        fields.insert(column.clone(), Value::Array(rows));
                    }
                    value if is_secret(value) => without.push(format!("{name}: {column}")),
                    value => {
                        fields.insert(column.clone(), value.clone());
                    }
                }
            }
            Value::Object(fields)
        })
        .collect();
    Fixture {
        doctype: doctype.to_owned(),
        file: format!("{}.json", scrubbed(doctype)),
        text: as_bench_writes(&Value::Array(values)),
        names: documents.iter().map(|document| text_of(document, "name")).collect(),
        without,
    }
}

fn is_secret(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.starts_with(REDACTED))
}

fn below(row: &Map<String, Value>, document: &str, field: &str, without: &mut Vec<String>) -> Value {
    let mut fields: BTreeMap<String, Value> = BTreeMap::new();
    for (column, value) in row {
        if is_secret(value) {
            without.push(format!("{document}: {field}.{column}"));
        } else if !LEFT_OUT.contains(&column.as_str()) && !LEFT_OUT_BELOW.contains(&column.as_str()) {
            fields.insert(column.clone(), value.clone());
        }
    }
    Value::Object(fields.into_iter().collect())
}

/// Indented by one blank, with sorted keys and no last line break; `[]` where there is nothing.
fn as_bench_writes(value: &Value) -> String {
    use serde::Serialize as _;
    let mut bytes = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut bytes, formatter);
    // Writing values into memory cannot fail.
    let _ = value.serialize(&mut serializer);
    String::from_utf8(bytes).unwrap_or_default()
}

/// The lines for `hooks.py` by which `bench export-fixtures` writes the same documents.
#[must_use]
pub fn hooks_lines(fixtures: &[Fixture]) -> String {
    let mut text = "fixtures = [\n".to_owned();
    for fixture in fixtures.iter().filter(|fixture| !fixture.names.is_empty()) {
        let quoted = |text: &str| Value::from(text).to_string();
        let names: Vec<String> =
            fixture.names.iter().map(|name| format!("            {},\n", quoted(name))).collect();
        text.push_str(&format!(
            "    {{\"dt\": {}, \"filters\": [[\"name\", \"in\", [\n{}        ]]]}},\n",
            quoted(&fixture.doctype),
            names.concat()
        ));
    }
    text.push(']');
    text
}

/// Reads files of fixtures as customizations that `like` is compared with: of the DocTypes only that they hold.
/// `like` gives everything that such files do not say.
#[must_use]
pub fn read_fixtures(
    files: &BTreeMap<String, Vec<u8>>,
    like: &Customizations,
) -> (Customizations, BTreeSet<String>, Vec<(String, FixtureProblem)>) {
    let mut documents: BTreeMap<String, Vec<Document>> = BTreeMap::new();
    let mut problems = Vec::new();
    for (file, bytes) in files {
        let read: Option<Vec<Document>> = serde_json::from_slice(bytes).ok();
        let Some(read) = read.filter(|read| read.iter().all(|one| !text_of(one, "doctype").is_empty()))
        else {
            problems.push((file.clone(), FixtureProblem::Unreadable(file.clone())));
            continue;
        };
        let mut others: BTreeMap<String, usize> = BTreeMap::new();
        for document in read {
            let doctype = text_of(&document, "doctype");
            match kind_of(&doctype) {
                Some(kind) if is_own(&document, kind.only) => {
                    documents.entry(doctype).or_default().push(document);
                }
                Some(_) => {
                    documents.entry(doctype).or_default();
                }
                None => *others.entry(doctype).or_default() += 1,
            }
        }
        problems.extend(
            others
                .into_iter()
                .map(|(doctype, count)| (file.clone(), FixtureProblem::NotCompared(doctype, count))),
        );
    }
    for (doctype, documents) in &mut documents {
        let identity = kind_of(doctype).map_or(&[][..], |kind| kind.identity);
        documents.sort_by_cached_key(|document| label(document, identity));
    }
    let compared = documents.keys().cloned().collect();
    (Customizations { documents, passed_over: Vec::new(), ..like.clone() }, compared, problems)
}

/// Whether a document is one of those that would be read of a site.
fn is_own(document: &Document, only: &[(&str, &[&str])]) -> bool {
    only.iter().all(|(column, texts)| {
        !document.contains_key(*column) || texts.contains(&text_of(document, column).as_str())
    })
}
