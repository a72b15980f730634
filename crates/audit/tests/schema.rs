//! SARIF as it is written, against the schema of SARIF 2.1.0 (OASIS; `tests/audit/schema`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use boon::{Compiler, Schemas};
use eclusa_audit::output::sarif;
use eclusa_audit::{Folder, Live, Request};
use jiff::civil::date;
use serde_json::Value;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/audit")
}

/// The SARIF of every case of every rule and of every whole stack.
fn written() -> Vec<(PathBuf, Value)> {
    let cases = fs::read_dir(corpus().join("rules")).unwrap().flat_map(|rule| {
        let rule = rule.unwrap().path();
        [rule.join("bad"), rule.join("good")]
    });
    let stacks = fs::read_dir(corpus().join("stacks")).unwrap().map(|stack| stack.unwrap().path());
    let live = Live { firewall: Some(false), clock_synchronised: Some(false), ..Live::default() };
    let english = eclusa_fault::Language::default();
    cases
        .chain(stacks)
        .map(|path| {
            let folder = Folder::open(&path).unwrap();
            let report = eclusa_audit::audit(&folder, &Request::default(), date(2026, 11, 25), Some(&live));
            (path, sarif::value(&report, &english, "0.1.0"))
        })
        .collect()
}

#[test]
fn sarif_is_valid_by_its_schema() {
    let schema: Value =
        serde_json::from_str(&fs::read_to_string(corpus().join("schema/sarif-2.1.0.json")).unwrap()).unwrap();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.enable_format_assertions();
    compiler.add_resource("file:///sarif.json", schema).unwrap();
    let compiled = compiler.compile("file:///sarif.json", &mut schemas).unwrap();
    let all = written();
    assert!(all.len() > 100, "the corpus was not found");
    for (path, value) in &all {
        if let Err(problem) = schemas.validate(value, compiled) {
            panic!("{}: {problem:#}", path.display());
        }
    }
    // The schema does refuse something.
    let (_, mut wrong) = all.into_iter().find(|(path, _)| path.ends_with("A301/bad")).unwrap();
    wrong["runs"][0]["results"][0]["level"] = "severe".into();
    assert!(schemas.validate(&wrong, compiled).is_err());
}
