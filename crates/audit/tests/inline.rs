//! Dockerfiles that stand in Compose files: the same rules, at the lines of the Compose file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use eclusa_audit::{MemoryTree, Report, Request};
use jiff::civil::date;

fn audited(text: &str) -> Report {
    let tree = MemoryTree::new([("compose.yaml".to_owned(), text.to_owned())]);
    eclusa_audit::audit(&tree, &Request::default(), date(2026, 11, 25), None)
}

/// `CODE line:column excerpt` of the findings of some rules.
fn found(report: &Report, codes: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = report
        .findings
        .iter()
        .filter(|finding| codes.contains(&finding.code))
        .filter_map(|finding| {
            let place = finding.place.as_ref()?;
            Some(format!("{} {}:{} {}", finding.code, place.line, place.column, finding.excerpt.trim()))
        })
        .collect();
    lines.sort();
    lines
}

const RULES: [&str; 6] = ["A105", "A107", "A206", "A404", "A601", "A703"];

#[test]
fn each_instruction_of_a_block_has_its_own_place() {
    let report = audited(
        "\
services:
  web:
    build:
      context: .
      dockerfile_inline: |
        # The old one.
        FROM python:3.7 AS base
        FROM node

        FROM base
        ENV SECRET_KEY=tr0ub4dor-and-3
        RUN pip install \\
            gunicorn
        HEALTHCHECK CMD curl http://localhost:$${PORT}/ || exit 0
        CMD python manage.py migrate && python manage.py runserver 0.0.0.0:8000
    ports: [\"127.0.0.1:8000:8000\"]
",
    );
    assert_eq!(
        found(&report, &RULES),
        [
            "A105 8:14 FROM node",
            "A107 7:14 FROM python:3.7 AS base",
            "A206 11:13 ENV SECRET_KEY=…",
            "A404 14:9 HEALTHCHECK CMD curl http://localhost:$${PORT}/ || exit 0",
            "A601 15:30 CMD python manage.py migrate && python manage.py runserver 0.0.0.0:8000",
            "A703 15:58 CMD python manage.py migrate && python manage.py runserver 0.0.0.0:8000",
        ]
    );
}

#[test]
fn what_compose_fills_in_is_what_is_judged() {
    let text = "\
services:
  web:
    build:
      context: .
      dockerfile_inline: |-
        FROM python:${PYTHON:-3.7}
        ENV A=$$HOME
        RUN true
";
    assert_eq!(found(&audited(text), &RULES), ["A107 6:9 FROM python:${PYTHON:-3.7}"]);
    assert!(found(&audited(&text.replace(":-3.7", ":-3.13")), &RULES).is_empty());
}

#[test]
fn in_another_spelling_the_place_is_the_value() {
    let text =
        "services:\n  web:\n    build: {context: ., dockerfile_inline: \"FROM python:3.7\\nRUN true\\n\"}\n";
    let lines = found(&audited(text), &RULES);
    assert!(lines.len() == 1 && lines[0].starts_with("A107 3:"), "{lines:?}");
    let folded = "services:\n  web:\n    build:\n      dockerfile_inline: >\n        FROM python:3.7\n\n        RUN true\n";
    assert!(found(&audited(folded), &["A107"])[0].starts_with("A107 5:14"), "{folded}");
}

#[test]
fn what_is_for_developers_or_good_is_left_alone() {
    let bad = "services:\n  web:\n    image: shop:1\n  tool:\n    profiles: [dev]\n    build:\n      dockerfile_inline: |\n        FROM python:3.7\n        ENV SECRET_KEY=tr0ub4dor-and-3\n";
    assert!(found(&audited(bad), &RULES).is_empty());
    assert_eq!(found(&audited(&bad.replace("    profiles: [dev]\n", "")), &RULES).len(), 2);
    // The Dockerfile of the directory is not the one that is built.
    let tree = MemoryTree::new([
        (
            "compose.yaml".to_owned(),
            "services:\n  web:\n    build:\n      context: .\n      dockerfile_inline: |\n        FROM python:3.13\n".to_owned(),
        ),
        ("Dockerfile".to_owned(), "FROM python:3.13\nHEALTHCHECK CMD exit 0\n".to_owned()),
    ]);
    let report = eclusa_audit::audit(&tree, &Request::default(), date(2026, 11, 25), None);
    assert!(found(&report, &RULES).is_empty(), "{:#?}", report.findings);
}
