//! Supervisor's configuration of a bench: what is missing in it, queues that nothing fills, secrets in commands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use eclusa_audit::{MemoryTree, Report, Request};
use jiff::civil::date;

const BENCH: &str = "\
[program:bench-frappe-web]
command=/opt/bench/env/bin/gunicorn -b 127.0.0.1:8000 frappe.app:application
autorestart=true
user=frappe

[program:bench-schedule]
command=/usr/local/bin/bench schedule

[program:bench-short-worker]
command=/usr/local/bin/bench worker --queue short,default

[program:bench-long-worker]
command=/usr/local/bin/bench worker --queue long

[program:bench-node-socketio]
command=/usr/bin/node /opt/bench/apps/frappe/socketio.js

[group:bench-web]
programs=bench-frappe-web,bench-node-socketio
";

fn audited(files: &[(&str, &str)]) -> Report {
    let tree = MemoryTree::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
    eclusa_audit::audit(&tree, &Request::default(), date(2026, 11, 25), None)
}

fn found(text: &str) -> Vec<String> {
    let report = audited(&[("config/supervisor.conf", text)]);
    let english = eclusa_fault::Language::default();
    let lines = report.findings.iter().map(|finding| {
        let place = finding.place.as_ref().unwrap();
        format!("{} {}:{} {}", finding.code, place.line, place.column, finding.message.render(&english))
    });
    lines.collect()
}

fn without(program: &str) -> String {
    let kept = BENCH.split("\n\n").filter(|section| !section.contains(program));
    kept.collect::<Vec<_>>().join("\n\n")
}

#[test]
fn a_whole_bench_is_silent_and_what_is_taken_out_is_missed() {
    assert!(found(BENCH).is_empty(), "{:?}", found(BENCH));
    let said = |program: &str| found(&without(program)).join("\n");
    assert_eq!(said("bench schedule"), "A603 1:2 bench-frappe-web has no scheduler beside it");
    assert_eq!(said("socketio.js"), "A603 1:2 bench-frappe-web has no websocket server beside it");
    assert_eq!(
        said("queue short"),
        "A603 1:2 bench-frappe-web has no worker beside it for the queue default, short"
    );
    // Without a web server in it, the rest is elsewhere.
    assert_eq!(said("frappe.app"), "");
    // Files of one directory belong together, and those of a Compose project are judged there.
    let (web, rest) = BENCH.split_once("\n\n").unwrap();
    let both = audited(&[("supervisor/web.conf", web), ("supervisor/rest.conf", rest)]);
    assert!(both.findings.is_empty(), "{:#?}", both.findings);
    let compose = "services:\n  web:\n    image: frappe/erpnext:v15.1.0\n    command: supervisord\n";
    let within = audited(&[("compose.yaml", compose), ("supervisor/web.conf", web)]);
    assert!(!within.findings.iter().any(|one| one.code == "A603"), "{:#?}", within.findings);
}

#[test]
fn queues_that_nothing_fills_and_secrets_in_commands_are_found_at_their_place() {
    let text = BENCH.replace("--queue long", "--queue long,imports");
    assert_eq!(found(&text), ["A604 13:50 bench-long-worker works on a queue that nothing fills: imports"]);
    let configured = audited(&[
        ("supervisor.conf", &text),
        ("sites/common_site_config.json", "{\"workers\": {\"imports\": {}}}"),
    ]);
    assert!(configured.findings.is_empty(), "{:#?}", configured.findings);
    let redis = "[program:redis]\ncommand=redis-server --requirepass kR7-very-long\n";
    let report = audited(&[("supervisor.conf", redis)]);
    assert!(report.findings.len() == 1 && report.findings[0].code == "A204", "{:#?}", report.findings);
    assert!(!report.findings[0].excerpt.contains("kR7"), "{:?}", report.findings[0]);
}

#[test]
fn files_of_developers_and_of_others_are_left_alone() {
    let bad = "[program:web]\ncommand=gunicorn shop.wsgi\nuser=root\nautorestart=false\n";
    let codes = |path: &str| audited(&[(path, bad)]).findings.iter().map(|one| one.code).collect::<Vec<_>>();
    assert_eq!(codes("etc/supervisor/conf.d/web.conf"), ["A411", "A409"]);
    assert!(codes("dev/supervisor.conf").is_empty() && codes("nginx/web.conf").is_empty());
}
