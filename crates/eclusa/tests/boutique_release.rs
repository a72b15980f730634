//! The main job on a real Compose stack: the boutique goes through its releases, good and bad, under traffic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod boutique_stack;

use std::time::Duration;

use boutique_stack::{Boutique, Customers, get};

#[test]
fn the_boutique_goes_through_its_releases() {
    let shop = Boutique::lay("release");
    let compose_file = std::fs::read(shop.directory.join("docker-compose.prod.yml")).unwrap();
    before_anything(&shop);
    schema_release(&shop);
    stale_plan(&shop);
    code_release(&shop);
    half_a_migration(&shop);
    bad_under_load(&shop);
    rollback(&shop);
    started_without_override(&shop);
    shop.must(0, &["edge", "remove", "--yes"]);
    assert_eq!(get(shop.port, "/api/v1/auth/csrf/").status, 200);
    assert_eq!(std::fs::read(shop.directory.join("docker-compose.prod.yml")).unwrap(), compose_file);
    assert!(shop.must(0, &["history", "--verify"]).contains("whole"));
}

fn before_anything(shop: &Boutique) {
    let text = shop.must(1, &["doctor"]);
    assert!(text.contains("There is no restore point of boutique"), "{text}");
    let text = shop.must(0, &["edge", "install", "--yes"]);
    assert!(text.contains("gap-milliseconds"), "{text}");
    assert_eq!(get(shop.port, "/api/v1/auth/csrf/").status, 200);
    shop.must(0, &["backup", "--prove"]);
    let text = shop.must(1, &["release", "v9", "--yes"]);
    assert!(text.contains("E0307") && text.contains("v9"), "{text}");
}

fn schema_release(shop: &Boutique) {
    let books = shop.books();
    let customers = Customers::new(shop.port, 2, Duration::from_millis(100));
    let text = shop.must(0, &["release", "v2", "--yes"]);
    let answers = customers.stop();
    assert!(text.contains("3 migrations are pending"), "{text}");
    assert_eq!(shop.version(), "v2");
    assert_eq!(shop.books(), books, "a release changes nobody's books");
    let closed: Vec<_> = answers.iter().filter(|answer| answer.status == 503).collect();
    assert!(!closed.is_empty(), "the gate was never seen closed");
    for answer in closed {
        assert!(answer.head.contains("retry-after:") && answer.head.contains("text/html"), "{}", answer.head);
        assert!(answer.body.contains("We are updating the system"), "{}", answer.body);
    }
    let failed = answers.iter().filter(|answer| answer.status != 200 && answer.status != 503).count();
    assert_eq!(failed, 0, "a request got neither an answer nor the maintenance page");
    // The tests have run once; the releases that follow are about other things.
    let line =
        "tests = { command = [\"pytest\", \"-q\", \"--create-db\"], database_variable = \"POSTGRES_DB\" }\n";
    shop.configure(line, "");
}

fn stale_plan(shop: &Boutique) {
    let file = shop.state().join("v5.plan");
    shop.must(0, &["plan", "release", "v5", "--out", file.to_str().unwrap()]);
    shop.configure("for = \"20s\"", "for = \"12s\"");
    let text = shop.must(5, &["release", "v5", "--plan", file.to_str().unwrap(), "--yes"]);
    assert!(text.contains("E0302"), "{text}");
    assert_eq!(shop.version(), "v2");
}

fn code_release(shop: &Boutique) {
    let customers = Customers::new(shop.port, 2, Duration::from_millis(100));
    let text = shop.must(0, &["release", "v5", "--yes"]);
    let answers = customers.stop();
    assert!(text.contains("Hold") || text.contains("hold") || text.contains("wait"), "{text}");
    let failed: Vec<u16> =
        answers.iter().map(|answer| answer.status).filter(|status| *status != 200).collect();
    assert!(
        failed.is_empty(),
        "a release that only changes code failed {} of {} requests: {failed:?}",
        failed.len(),
        answers.len()
    );
    assert_eq!(shop.version(), "v5");
}

fn half_a_migration(shop: &Boutique) {
    let (books, databases) = (shop.books(), shop.databases());
    let mailboxes = shop.query("select string_agg(table_name || '.' || column_name, ' ' order by table_name, column_name) from information_schema.columns where table_schema = 'public' and table_name like 'sales%'");
    let text = shop.must(3, &["release", "v3", "--yes"]);
    assert!(text.contains("E0802") && text.contains("went back"), "{text}");
    assert_eq!(shop.version(), "v5");
    assert_eq!(shop.books(), books);
    assert_eq!(shop.databases(), databases, "a copy of the database was left behind");
    let after = shop.query("select string_agg(table_name || '.' || column_name, ' ' order by table_name, column_name) from information_schema.columns where table_schema = 'public' and table_name like 'sales%'");
    assert_eq!(after, mailboxes, "half of the migration is still there");
}

fn bad_under_load(shop: &Boutique) {
    shop.configure("[stacks.boutique.watch]\n", "[stacks.boutique.watch]\nafter_open = \"restore\"\n");
    let books = shop.books();
    let customers = Customers::new(shop.port, 4, Duration::from_millis(30));
    let text = shop.must(3, &["release", "v4", "--yes"]);
    customers.stop();
    assert!(text.contains("watch.stack") && text.contains("salvage point"), "{text}");
    assert_eq!(shop.version(), "v5");
    assert_eq!(shop.books(), books);
    let points = shop.must(0, &["backups", "--json"]);
    assert!(points.contains("\"kind\":\"salvage\""), "{points}");
    let run = shop.newest_run();
    let report = shop.must(0, &["report", &run, "--format", "html"]);
    assert!(report.contains("<svg") && report.contains("watch.stack"), "the report draws nothing");
    shop.must(0, &["note", &run, "customers saw errors for twelve seconds", "--kind", "incident"]);
    assert!(shop.must(0, &["report", &run, "--format", "md"]).contains("customers saw errors"));
}

fn rollback(shop: &Boutique) {
    let text = shop.must(0, &["plan", "rollback", "--summary"]);
    assert!(text.contains("v5") && text.contains("v2"), "{text}");
    shop.must(0, &["rollback", "--yes"]);
    assert_eq!(shop.version(), "v2");
    let text = shop.must(1, &["rollback", "--yes"]);
    assert!(text.contains("E0309"), "{text}");
}

fn started_without_override(shop: &Boutique) {
    shop.compose(&["up", "-d", "--wait", "web"]);
    let text = shop.must(1, &["status"]);
    assert!(text.contains("without Eclusa's override") && text.contains("eclusa start"), "{text}");
    shop.must(0, &["start", "--yes"]);
    assert_eq!(shop.version(), "v2");
    shop.must(0, &["status"]);
}
