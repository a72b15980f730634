//! What a hostile file makes an audit keep, counted by the allocator: a few kilobytes of text must not become
//! gigabytes, and what cannot be read whole is said.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Instant;

use eclusa_audit::{MemoryTree, Report, Request};
use jiff::civil::date;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// What an audit may take at its worst, in MiB, beside the files themselves.
const MOST: f32 = 256.0;

/// Audits files, within the bound. How long that takes is printed and not judged: it is the machine's.
fn audited(name: &str, files: Vec<(String, String)>) -> Report {
    let tree = MemoryTree::new(files);
    let before = ALLOCATOR.current_usage_as_mb();
    ALLOCATOR.reset_peak_usage();
    let began = Instant::now();
    let report = eclusa_audit::audit(&tree, &Request::default(), date(2026, 11, 25), None);
    let (peak, took) = (ALLOCATOR.peak_usage_as_mb() - before, began.elapsed());
    println!("{name}: {peak:.0} MiB, {} ms, {} findings", took.as_millis(), report.findings.len());
    assert!(peak < MOST, "{name} took {peak} MiB");
    report
}

fn alone(name: &str, text: String) -> Report {
    audited(name, vec![("compose.yaml".to_owned(), text)])
}

fn is_refused(report: &Report) -> bool {
    report.findings.iter().any(|finding| finding.code == "A001")
}

fn services(count: usize, body: &str) -> String {
    let all: String = (0..count).map(|n| format!("  s{n}:\n    image: x:1\n{body}")).collect();
    format!("services:\n{all}")
}

/// One test, because the allocator counts for all threads.
#[test]
fn no_file_makes_an_audit_keep_much_more_than_it_holds() {
    yaml();
    variables();
    files();
    texts();
}

fn yaml() {
    let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    assert!(is_refused(&alone("a billion laughs", format!("{laughs}services:\n  a:\n    image: x:1\n"))));
    let mut merges = String::from("x0: &x0 {a: 1, b: 2}\n");
    for level in 1..60 {
        let below = level - 1;
        merges.push_str(&format!(
            "x{level}: &x{level}\n  <<: [*x{below}, *x{below}]\n  k{level}: {{<<: *x{below}}}\n"
        ));
    }
    alone("merges of merges", format!("{merges}services:\n  a:\n    image: x:1\n    environment: *x59\n"));
    let key = "k".repeat(400_000);
    let copies = "  - {<<: *a}\n".repeat(40_000);
    let merged = format!("services: {{}}\na: &a\n  ? {key}\n  : 1\nb:\n{copies}");
    assert!(is_refused(&alone("one long key merged everywhere", merged)));
    let copies = "  - {*a : 1}\n".repeat(40_000);
    assert!(is_refused(&alone(
        "one long key by alias",
        format!("services: {{}}\na: &a {key}\nb:\n{copies}")
    )));
    assert!(is_refused(&alone("deep in flow", format!("services: {}", "[".repeat(500_000)))));
    assert!(is_refused(&alone("deep in blocks", format!("services:\n  {}", "- ".repeat(400_000)))));
}

fn variables() {
    let env = format!("A={}\n", "x".repeat(900_000));
    let uses = services(4_000, "    environment: {B: $A, C: '${A}${A}'}\n");
    audited(
        "a long variable used often",
        vec![("compose.yaml".to_owned(), uses), (".env".to_owned(), env.clone())],
    );
    let nested = format!("services:\n  a:\n    image: '{}x{}'\n", "${A:-".repeat(40_000), "}".repeat(40_000));
    alone("defaults in defaults", nested);
    let own = services(3_000, "    env_file: [big.env]\n");
    let named = audited(
        "a long env file of many services",
        vec![("compose.yaml".to_owned(), own), ("big.env".to_owned(), env)],
    );
    assert!(is_refused(&named), "what was not kept is said");
}

fn files() {
    let big = services(2_000, "    environment: {B: '1'}\n");
    let includes: String = (0..500).map(|_| "  - other.yaml\n".to_owned()).collect();
    audited(
        "one file included often",
        vec![
            ("compose.yaml".to_owned(), format!("include:\n{includes}")),
            ("other.yaml".to_owned(), big.clone()),
        ],
    );
    let extends = services(2_000, "    extends: {file: other.yaml, service: s1}\n");
    audited(
        "one file extended often",
        vec![("compose.yaml".to_owned(), extends), ("other.yaml".to_owned(), big.clone())],
    );
    let mut overrides: Vec<(String, String)> = (0..200)
        .map(|n| (format!("compose.o{n}.yaml"), format!("services:\n  s1:\n    labels: [a{n}]\n")))
        .collect();
    overrides.push(("compose.yaml".to_owned(), big));
    assert!(is_refused(&audited("many overrides of a long file", overrides)), "what was not kept is said");
    let text = "# nothing\n".repeat(100_000);
    let many = (0..300).map(|n| (format!("d{n}/settings.py"), text.clone())).collect();
    assert!(is_refused(&audited("many long files", many)), "what was not kept is said");
}

fn texts() {
    let words = "a ".repeat(500_000);
    let scripts = (0..30).map(|n| (format!("s{n}.sh"), words.clone())).collect();
    assert!(is_refused(&audited("scripts of very many words", scripts)), "what was not kept is said");
    let script = "apt-get install x\n".repeat(8_000);
    let started = services(2_000, "    volumes: ['./start.sh:/start.sh']\n    command: /start.sh\n");
    audited(
        "one script of many services",
        vec![("compose.yaml".to_owned(), started), ("start.sh".to_owned(), script)],
    );
    let secrets: String = (0..8_000).map(|n| format!("KEY_{n}_PASSWORD=kR7-{n}-Xy\n")).collect();
    let own = services(20, "    env_file: [big.env]\n    environment: {SECRET_KEY: kR7-own-Xy}\n");
    audited("very many secrets", vec![("compose.yaml".to_owned(), own), ("big.env".to_owned(), secrets)]);
    audited(
        "a Dockerfile of very many words",
        vec![("Dockerfile".to_owned(), format!("FROM x\nRUN {words}\n"))],
    );
    audited(
        "a Dockerfile of very many lines",
        vec![("Dockerfile".to_owned(), "FROM x AS y\n".repeat(60_000))],
    );
}
