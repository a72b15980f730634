//! The boutique started on copies of its data: drills that ask the application, and rehearsals of releases, good and bad.
//! What is started has a database server of its own, reaches nothing that is live, and is gone afterwards.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod boutique_stack;
mod trials;

use boutique_stack::{Boutique, get};
use trials::{address, container, docker, reaches};

/// What is there of copies: containers, networks and volumes, and directories among the live files.
fn copies(shop: &Boutique) -> String {
    let files = shop.compose(&["exec", "-T", "web", "ls", "-A", "/srv/boutique/media"]).stdout;
    format!("{}\n{}", trials::everything(), String::from_utf8_lossy(&files))
}

/// Everything that a copy must leave as it was.
fn everything(shop: &Boutique) -> (String, String, String, String) {
    (copies(shop), shop.books(), shop.databases(), shop.version())
}

/// A drill that is killed at a point; gives its run.
fn killed_at(shop: &Boutique, point: &str) -> String {
    let mut command = shop.command(&["drill", "--application", "--detach"]);
    let begun = command.env("ECLUSA_CRASH_AT", point).output().unwrap();
    assert!(begun.status.success(), "{}", String::from_utf8_lossy(&begun.stderr));
    let run = String::from_utf8_lossy(&begun.stdout).lines().last().unwrap().trim().to_owned();
    let died = || {
        let said = shop.eclusa(&["status"]);
        String::from_utf8_lossy(&said.stdout).contains("eclusa resume")
    };
    for _ in 0..900 {
        if died() {
            return run;
        }
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    panic!("{run} was never at {point}");
}

#[test]
fn the_boutique_is_tried_on_copies() {
    let shop = Boutique::lay("copies");
    shop.compose(&["exec", "-T", "web", "sh", "-c", "echo scan >/srv/boutique/media/invoice.txt"]);
    shop.must(0, &["backup"]);
    let before = everything(&shop);

    let said = shop.must(0, &["drill", "--application"]);
    for step in ["copy", "proof", "start", "static", "probes", "check.login", "check.sale", "end"] {
        assert!(said.contains(&format!("validate.{step}.boutique")), "{step}: {said}");
    }
    assert!(said.contains("GO. Run") && said.contains("restored and proved in"), "{said}");
    assert_eq!(everything(&shop), before);
    // What is live has made no sale for it: the copy has.
    what_runs_on_a_copy_reaches_nothing_else(&shop);
    assert_eq!(everything(&shop), before);
    // One that is cut off while its server is empty goes on from there.
    let run = killed_at(&shop, "validate.copy.boutique/trial.server-started");
    let said = shop.must(0, &["resume", &run]);
    assert!(said.contains("restored and proved in"), "{said}");
    assert_eq!(everything(&shop), before);

    releases_are_rehearsed(&shop);
    assert_eq!(everything(&shop), before);
    tables_are_looked_at(&shop);
    assert_eq!(everything(&shop), before);
}

fn tables_are_looked_at(shop: &Boutique) {
    let count = "select count(*) || ':' || sum(amount) from sales_payment";
    let live = shop.query(count);
    let said = shop.must(0, &["aside", "take", "boutique", "sales_payment", "--yes"]);
    let listed = shop.must(0, &["aside", "ls", "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let database = listed["asides"][0]["database"].as_str().unwrap();
    assert!(said.contains(database), "{said}");
    let psql = ["exec", "-T", "db", "psql", "-U", "boutique", "-At", "-d", database, "-c"];
    let there = shop.compose(&[&psql[..], &[count]].concat()).stdout;
    assert_eq!(String::from_utf8_lossy(&there).trim(), live);
    assert!(shop.must(0, &["status"]).contains(database));
    shop.must(0, &["aside", "drop", database, "--yes"]);
}

fn what_runs_on_a_copy_reaches_nothing_else(shop: &Boutique) {
    let run = killed_at(shop, "validate.start.boutique/trial.started");
    let web = container("web");
    assert!(reaches(&web, "db", 5432) && reaches(&web, "redis", 6379));
    for (service, port) in [("db", 5432), ("redis", 6379), ("web", 8000)] {
        assert!(
            !reaches(&web, &address(&shop.project, service), port),
            "{service} of the live stack is reached"
        );
    }
    let names = trials::everything();
    assert!(!names.contains("worker") && !names.contains("beat"), "nothing works in the background: {names}");
    // It is the copy that it writes to, and the file of the copy that it sees.
    let sql = "truncate sales_payment cascade; select 'gone'";
    let psql = ["psql", "-U", "boutique", "-d", "boutique", "-At", "-c", sql];
    assert!(docker(&[&["exec", &container("db")][..], &psql].concat()).contains("gone"));
    assert_ne!(shop.query("select count(*) from sales_payment"), "0");
    assert_eq!(docker(&["exec", &web, "cat", "/srv/boutique/media/invoice.txt"]), "scan");
    docker(&["exec", &web, "sh", "-c", "echo changed >/srv/boutique/media/invoice.txt"]);
    let live = shop.compose(&["exec", "-T", "web", "cat", "/srv/boutique/media/invoice.txt"]).stdout;
    assert_eq!(String::from_utf8_lossy(&live).trim(), "scan");
    // Whoever gives it up finds nothing left of it.
    shop.must(0, &["abort", &run]);
    shop.eclusa(&["resume"]);
}

fn releases_are_rehearsed(shop: &Boutique) {
    let said = shop.must(1, &["plan", "release", "v2", "--rehearsed"]);
    assert!(said.contains("E0317") && said.contains("never rehearsed"), "{said}");
    let said = shop.must(0, &["rehearse", "v2"]);
    assert!(said.contains("boutique: v2 came through. Migrated in"), "{said}");
    for step in ["check.sale", "migrated", "back"] {
        assert!(said.contains(&format!("validate.{step}.boutique")), "{step}: {said}");
    }
    assert_eq!(get(shop.port, "/api/v1/products/").status, 200);
    let said = shop.must(0, &["plan", "release", "v2", "--rehearsed"]);
    assert!(said.contains("preflight.rehearsed"), "{said}");
    // Its migration dies halfway: on the copy, and nobody is closed for it.
    let said = shop.must(3, &["rehearse", "v3"]);
    assert!(said.contains("boutique: v3 did NOT come through") && said.contains("E0802"), "{said}");
}
