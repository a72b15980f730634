//! `docs/configuration.md` names every key there is and no other, and its examples are good.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

const DOCUMENT: &str = include_str!("../../../docs/configuration.md");

/// The keys by table, as the headings name tables.
type Keys = BTreeMap<String, BTreeSet<String>>;

fn examples() -> Vec<&'static str> {
    let blocks = DOCUMENT.split("```toml\n").skip(1);
    let examples: Vec<_> = blocks.map(|block| block.split("```").next().unwrap()).collect();
    assert_eq!(examples.len(), 4);
    examples
}

/// The heading of a table: names that the user chose are replaced by what they name.
fn heading(path: &[String]) -> String {
    let mut parts: Vec<&str> = path.iter().map(String::as_str).collect();
    for (owner, at, stands_for) in [
        ("stacks", 1, "NAME"),
        ("tenants", 3, "TENANT"),
        ("people", 3, "PERSON"),
        ("services", 4, "SERVICE"),
        ("apps", 4, "APP"),
        ("base_backups", 3, "SERVICE"),
    ] {
        if parts.get(at - 1) == Some(&owner) && at < parts.len() {
            parts[at] = stands_for;
        }
    }
    if let [.., "schedule", job] = &mut parts[..]
        && ["backup", "mirror", "drill", "base"].contains(job)
    {
        *job = "JOB";
    }
    // Databases, files and jobs of tenants are those of stacks.
    let text = parts.join(".");
    // So are the rules and the times of mirrors.
    let text = text.replace(".mirrors.keep", ".keep").replace(".mirrors.schedule", ".schedule.JOB");
    if text.contains(".schedule.") || text.ends_with(".database") || text.ends_with(".files") {
        text.replace(".tenants.TENANT", "")
    } else {
        text
    }
}

/// Puts a key that nobody knows into each table of a file and reads from the answer which are known there.
fn known_keys(root: &Table) -> Keys {
    let mut found = Keys::new();
    let mut paths = vec![Vec::new()];
    while let Some(path) = paths.pop() {
        let mut changed = root.clone();
        let table = table_at(&mut changed, &path);
        for (key, value) in table.iter() {
            let inner = value.is_table()
                || value.as_array().is_some_and(|list| list.first().is_some_and(Value::is_table));
            if inner {
                paths.push(path.iter().chain([key]).cloned().collect());
            }
            // A later table of a list may have tables that its first has not.
            for later in value.as_array().into_iter().flatten().skip(1).filter_map(Value::as_table) {
                for (below, _) in later.iter().filter(|(_, value)| value.is_table()) {
                    paths.push(path.iter().chain([key, below]).cloned().collect());
                }
            }
        }
        table.insert(String::from("zzz_unknown"), Value::Integer(1));
        let Err(fault) = support::parse(&toml::to_string(&changed).unwrap()) else { continue };
        let excerpt = fault.excerpt.unwrap();
        if let Some((_, known)) = excerpt.split_once("known here: ") {
            let known = known.lines().next().unwrap().split(", ").map(String::from).collect();
            let earlier = found.insert(heading(&path), known);
            assert!(earlier.is_none() || earlier.as_ref() == found.get(&heading(&path)));
        }
    }
    found
}

fn table_at<'a>(root: &'a mut Table, path: &[String]) -> &'a mut Table {
    path.iter().enumerate().fold(root, |table, (at, key)| match table.get_mut(key).unwrap() {
        Value::Table(inner) => inner,
        Value::Array(list) => {
            let has_next = |value: &Value| path.get(at + 1).is_some_and(|next| value.get(next).is_some());
            let which = list.iter().position(has_next).unwrap_or(0);
            list[which].as_table_mut().unwrap()
        }
        other => panic!("{other:?} is no table"),
    })
}

fn documented_keys() -> Keys {
    let mut keys = Keys::new();
    let mut table = None;
    for line in DOCUMENT.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            let name = title.trim_matches(['`', '[', ']']);
            table = Some(if name == "The file itself" { String::new() } else { name.to_owned() });
        } else if line.starts_with("## ") {
            table = None;
        } else if let (Some(table), Some(row)) = (&table, line.strip_prefix("| `")) {
            let key = row.split('`').next().unwrap().to_owned();
            assert!(keys.entry(table.clone()).or_default().insert(key), "{table}: twice: {line}");
        }
    }
    keys
}

/// The keys that the examples use.
fn used_keys(table: &Table, path: &mut Vec<String>, used: &mut Keys) {
    for (key, value) in table {
        used.entry(heading(path)).or_default().insert(key.clone());
        path.push(key.clone());
        match value {
            Value::Table(inner) => used_keys(inner, path, used),
            Value::Array(list) => {
                list.iter().filter_map(Value::as_table).for_each(|inner| used_keys(inner, path, used));
            }
            _ => {}
        }
        path.pop();
    }
}

#[test]
fn every_key_is_documented_and_every_documented_key_is_known() {
    let mut known = Keys::new();
    for example in examples() {
        support::parse(example).unwrap_or_else(|fault| panic!("{}", support::shown(&fault)));
        for (table, keys) in known_keys(&example.parse::<Table>().unwrap()) {
            let earlier = known.insert(table.clone(), keys.clone());
            assert!(earlier.is_none_or(|earlier| earlier == keys), "{table}");
        }
    }
    let documented = documented_keys();
    assert!(known.len() > 20, "{known:?}");
    for table in known.keys().chain(documented.keys()) {
        assert_eq!(documented.get(table), known.get(table), "the keys of [{table}]: documented, then known");
    }
}

#[test]
fn every_key_stands_in_an_example() {
    let mut used = Keys::new();
    for example in examples() {
        used_keys(&example.parse::<Table>().unwrap(), &mut Vec::new(), &mut used);
    }
    for (table, keys) in documented_keys() {
        let missing: Vec<_> = keys.difference(&used[&table]).collect();
        assert!(missing.is_empty(), "[{table}] has no example of {missing:?}");
    }
}
