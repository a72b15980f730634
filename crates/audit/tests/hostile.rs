//! Texts made by hand to break the readers: whatever stands in the files, an audit ends soon, reads nothing else and shows
//! no panic. Texts at random are in `fuzz.rs`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use eclusa_audit::output::{html, json, markdown, sarif, text};
use eclusa_audit::{Folder, Library, MemoryTree, Report, Request, Tree, fixing};
use jiff::civil::date;

fn audited(files: &[(&str, &str)]) -> Report {
    let tree = MemoryTree::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    let library = Library::new(&tree);
    let report = eclusa_audit::report::report(&library, &Request::default(), date(2026, 11, 25), None);
    let english = eclusa_fault::Language::default();
    let _ = (
        text::lines(&report, &english, 80),
        html::text(&report, &english),
        markdown::text(&report, &english),
        json::value(&report, &english),
        sarif::value(&report, &english, "0.1.0"),
        fixing::patch(&fixing::fix(&library, &report.findings)),
    );
    report
}

/// An audit of one Compose file, which must end soon.
fn soon(text: &str) -> Report {
    let began = Instant::now();
    let report = audited(&[("compose.yaml", text)]);
    assert!(began.elapsed() < Duration::from_secs(20), "it took {:?}", began.elapsed());
    report
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    bomb.push_str("services:\n  web:\n    image: x:1\n    command: *a11\n");
    assert!(soon(&bomb).findings.iter().any(|finding| finding.code == "A001"));
}

#[test]
fn a_bomb_of_merges_and_deep_nesting_is_refused() {
    let mut merges = String::from("x0: &x0 {a: 1, b: 2}\n");
    for level in 1..60 {
        merges.push_str(&format!(
            "x{level}: &x{level}\n  <<: [*x{0}, *x{0}]\n  k{level}: {{<<: *x{0}}}\n",
            level - 1
        ));
    }
    merges.push_str("services:\n  web:\n    image: x:1\n    environment: *x59\n");
    soon(&merges);
    let deep = format!("services:\n  web:\n    image: {}\n", "[".repeat(100_000));
    assert!(soon(&deep).findings.iter().any(|finding| finding.code == "A001"));
}

#[test]
fn long_and_recursive_things_end() {
    soon(&format!("services:\n  web:\n    image: x:1\n    command: {}\n", "then ".repeat(100_000)));
    soon(&format!("services:\n  web:\n    image: {}\n", "${A:-".repeat(50_000)));
    soon(&format!("services:\n  web:\n    image: x:1\n    command: 'sh -c \"{}\"'\n", "$(".repeat(50_000)));
    soon(
        "services:\n  a:\n    extends: {service: b}\n    image: x:1\n  b:\n    extends: {service: a}\n    image: x:1\n",
    );
    let many: String =
        (0..5_000).map(|n| format!("  s{n}:\n    image: x:1\n    ports: ['{n}:80']\n")).collect();
    soon(&format!("services:\n{many}"));
    let began = Instant::now();
    let include = "include: [compose.yaml, other.yaml, other.yaml]\nservices:\n  a:\n    image: x:1\n";
    audited(&[("compose.yaml", include), ("other.yaml", include)]);
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn nothing_outside_of_the_directory_is_read() {
    let outside = tempfile::tempdir().unwrap();
    let secret = "services:\n  db:\n    image: postgres:16\n    ports: ['5432:5432']\n";
    std::fs::write(outside.path().join("compose.yaml"), secret).unwrap();
    let inside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path().join("compose.yaml"), inside.path().join("compose.yaml"))
        .unwrap();
    std::os::unix::fs::symlink(outside.path(), inside.path().join("linked")).unwrap();
    let name = outside.path().display();
    let text = format!(
        "include: ['{name}/compose.yaml', '../../../../../../{name}/compose.yaml']\nservices:\n  web:\n    image: x:1\n    \
         env_file: ['{name}/compose.yaml', ../../x.env]\n    extends: {{file: '{name}/compose.yaml', service: db}}\n"
    );
    std::fs::write(inside.path().join("docker-compose.yml"), text).unwrap();
    let folder = Folder::open(inside.path()).unwrap();
    assert_eq!(folder.paths(), ["docker-compose.yml"]);
    let report = eclusa_audit::audit(&folder, &Request::default(), date(2026, 11, 25), None);
    assert!(!report.findings.iter().any(|finding| finding.code == "A301"), "{:#?}", report.findings);
    assert_eq!(report.files, 1);
    // A link inside of the directory is followed.
    std::fs::write(inside.path().join("real.yaml"), secret).unwrap();
    std::os::unix::fs::symlink("real.yaml", inside.path().join("compose.prod.yaml")).unwrap();
    let folder = Folder::open(inside.path()).unwrap();
    let report = eclusa_audit::audit(&folder, &Request::default(), date(2026, 11, 25), None);
    assert!(report.findings.iter().any(|finding| finding.code == "A301"));
}
