//! Every text that the sources name by id is in the catalogue, with every argument that it takes, and no text of a
//! plan or run stands there unused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Ids of these families are texts wherever they stand in a literal.
const FAMILIES: [&str; 18] = [
    "step-",
    "fact-",
    "undo-",
    "why-",
    "remark-",
    "question-",
    "notice-",
    "plan-",
    "back-",
    "asks-",
    "gate-policy-",
    "phase-",
    "line-",
    "verdict-",
    "outcome-",
    "output-",
    "report-",
    "config-",
];
/// Files whose texts are all used by id; the errors' are made from their codes, and those of the configuration
/// have endings that are added to an id.
const CHECKED_FOR_USE: [&str; 3] = ["plan.ftl", "run.ftl", "report.ftl"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files_under(directory: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_under(&path, endings, found);
        } else if endings.iter().any(|ending| path.extension().is_some_and(|found| found == *ending)) {
            found.push(path);
        }
    }
}

/// The sources of each crate, with the templates.
fn sources() -> BTreeMap<String, Vec<(PathBuf, String)>> {
    let mut crates = BTreeMap::new();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut files = Vec::new();
        files_under(&path.join("src"), &["rs"], &mut files);
        files_under(&path.join("templates"), &["html"], &mut files);
        crates.insert(
            name,
            files.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect(),
        );
    }
    assert!(crates.len() > 10, "the workspace was not found");
    crates
}

fn is_id(text: &str) -> bool {
    text.contains('-')
        && !text.ends_with('-')
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// The literals of a source: what stands between two quotes on one line.
fn literals(source: &str) -> impl Iterator<Item = (&str, bool)> {
    source.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| {
        let parts: Vec<&str> = line.split('"').collect();
        let after_new: Vec<bool> = parts.iter().map(|part| part.ends_with("Message::new(")).collect();
        (1..parts.len()).map(move |at| (parts[at], after_new[at - 1])).collect::<Vec<_>>()
    })
}

/// The catalogue: the texts by id, and the file each stands in.
fn catalogue() -> BTreeMap<String, (String, String)> {
    let mut files = Vec::new();
    files_under(&root().join("crates/fault/locales/en"), &["ftl"], &mut files);
    let mut texts: BTreeMap<String, (String, String)> = BTreeMap::new();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let mut newest: Option<String> = None;
        for line in fs::read_to_string(&path).unwrap().lines() {
            match line.split_once(" =") {
                Some((id, text)) if !id.starts_with([' ', '#']) && !id.contains(' ') => {
                    let before = texts.insert(id.to_owned(), (name.clone(), text.to_owned()));
                    assert!(before.is_none(), "{id} stands twice in the catalogue");
                    newest = Some(id.to_owned());
                }
                _ if line.starts_with(' ') => {
                    let id = newest.as_ref().expect("a continuation without a text");
                    texts.get_mut(id).unwrap().1.push_str(line);
                }
                _ => {}
            }
        }
    }
    texts
}

/// The arguments that a text takes.
fn arguments(text: &str) -> BTreeSet<String> {
    text.split('$')
        .skip(1)
        .map(|rest| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect())
        .collect()
}

#[test]
fn every_id_in_the_sources_is_in_the_catalogue() {
    let catalogue = catalogue();
    let mut missing = Vec::new();
    for (name, files) in sources() {
        for (path, source) in files {
            for (literal, is_message) in literals(&source) {
                // Templates and endings of ids are no ids; `verbatim` is in no catalogue.
                let family = FAMILIES.iter().any(|family| literal.starts_with(family));
                let wanted =
                    is_message && literal != "verbatim" && !literal.is_empty() || family && name != "xtask";
                if wanted && is_id(literal) && !catalogue.contains_key(literal) && !is_no_text(&name, literal)
                {
                    missing.push(format!("{literal} ({})", path.display()));
                }
            }
        }
    }
    assert!(missing.is_empty(), "not in crates/fault/locales/en:\n{}", missing.join("\n"));
}

/// Literals that look like ids and are none.
fn is_no_text(in_crate: &str, literal: &str) -> bool {
    // Templates of the edge have words of their own; the configuration adds endings to its ids.
    in_crate == "edge"
        || literal == "config-files"
        || (in_crate == "config" && catalogue_has_beginning(literal))
}

fn catalogue_has_beginning(literal: &str) -> bool {
    catalogue().keys().any(|id| id.starts_with(&format!("{literal}-")))
}

#[test]
fn every_argument_of_a_text_is_given_where_its_id_stands() {
    let catalogue = catalogue();
    let mut wrong = Vec::new();
    for (name, files) in sources() {
        // Within a crate, since an id and its arguments are sometimes put together by a function of their own.
        // Without white space, since a call may stand on several lines.
        let whole: String =
            files.iter().flat_map(|(_, source)| source.chars()).filter(|c| !c.is_whitespace()).collect();
        let ids: BTreeSet<&str> =
            files.iter().flat_map(|(_, source)| literals(source)).map(|(literal, _)| literal).collect();
        for id in ids {
            let Some((file, text)) = catalogue.get(id) else { continue };
            if !CHECKED_FOR_USE.contains(&file.as_str()) {
                continue;
            }
            for argument in arguments(text) {
                if !whole.contains(&format!("with(\"{argument}\"")) {
                    wrong.push(format!("{id} takes ${argument}, which crates/{name} gives nowhere"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_text_of_a_plan_or_run_is_unused() {
    let sources = sources();
    let whole: String =
        sources.values().flatten().map(|(_, source)| source.as_str()).collect::<Vec<_>>().join("\n");
    let unused: Vec<String> = catalogue()
        .into_iter()
        .filter(|(_, (file, _))| CHECKED_FOR_USE.contains(&file.as_str()))
        .map(|(id, _)| id)
        .filter(|id| !whole.contains(&format!("\"{id}\"")))
        .collect();
    assert!(unused.is_empty(), "unused texts: {}", unused.join(", "));
}
