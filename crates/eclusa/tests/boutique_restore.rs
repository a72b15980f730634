//! Backup, check and restore of the boutique: beside, proved, swapped in by rename, the old data kept.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod boutique_stack;

use std::io::Read;

use boutique_stack::{Boutique, get};

/// Makes a support bundle and gives everything in it; none of the env file's secrets is in there.
fn bundle(shop: &Boutique, name: &str) -> String {
    shop.must(0, &["bundle", "--output", name]);
    let archive = std::fs::File::open(shop.directory.join(name)).unwrap();
    let mut archive = tar::Archive::new(zstd::Decoder::new(archive).unwrap());
    let mut all = String::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        all.push_str(&format!("=== {}\n", entry.path().unwrap().display()));
        entry.read_to_string(&mut all).unwrap();
    }
    let variables = std::fs::read_to_string(shop.directory.join(".env.production")).unwrap();
    let secret = |name: &str| name.contains("PASSWORD") || name.contains("SECRET");
    let secrets: Vec<&str> = variables
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| secret(name))
        .map(|(_, value)| value)
        .collect();
    assert!(secrets.len() >= 2, "{variables}");
    for value in secrets {
        assert!(!all.contains(value), "{value} is in the bundle");
    }
    all
}

/// From a base backup of the server and its log, while the server has a history of swapped databases already.
fn a_moment_comes_back(shop: &Boutique) {
    const HOME: &str = "/var/lib/postgresql";
    let now = || {
        shop.query(
            "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
        )
    };
    let (base, wal) = (format!("{HOME}/base"), format!("{HOME}/wal"));
    shop.compose(&["exec", "-T", "-u", "postgres", "db", "mkdir", &base, &wal]);
    shop.query("alter system set archive_mode = on");
    shop.query(&format!(
        "alter system set archive_command = 'cp \"%p\" \"{wal}/.%f\" && mv \"{wal}/.%f\" \"{wal}/%f\"'"
    ));
    let refused = shop.must(1, &["restore", "boutique", "--at", &now(), "--yes"]);
    assert!(
        refused.contains("E0614") && refused.contains("no base backups of its server are kept"),
        "{refused}"
    );
    let bases = format!("[stacks.boutique.base_backups.db]\ndirectory = \"{base}\"\nwal = \"{wal}\"\n");
    let schedule = "[stacks.boutique.schedule]\nbase = { cron = \"@hourly\" }\n";
    shop.configure("[[stacks.boutique.files]]", &format!("{bases}\n{schedule}\n[[stacks.boutique.files]]"));
    let said = shop.must(1, &["base", "take"]);
    assert!(said.contains("E0616") && said.contains("archive_mode is off"), "{said}");
    shop.compose(&["restart", "db"]);
    shop.compose(&["up", "-d", "--wait", "db"]);
    let said = shop.must(1, &["status"]);
    assert!(
        said.contains("There is no base backup of the server db") && said.contains("eclusa base take db"),
        "{said}"
    );
    assert!(shop.must(0, &["base", "ls"]).contains("none yet"));
    let said = shop.must(0, &["schedule", "run", "--once"]);
    assert!(said.contains("Any moment from now on can be brought back"), "{said}");
    let said = shop.must(0, &["schedule", "run", "--once"]);
    assert!(!said.contains("Taking a base backup"), "it was done: {said}");
    assert!(shop.must(0, &["status"]).contains(", log since"));

    std::thread::sleep(std::time::Duration::from_secs(1));
    shop.query(
        "update sales_payment set amount = amount + 3 where id in (select min(id) from sales_payment)",
    );
    let (books, moment) = (shop.books(), now());
    shop.query("truncate sales_payment cascade");
    assert_ne!(shop.books(), books);
    // A runner that dies while the other server recovers: resumed, and nothing of that is left.
    let killed = shop
        .command(&["restore", "boutique", "--at", &moment, "--yes"])
        .env("ECLUSA_CRASH_AT", "preflight.moment.boutique/postgresql.recovery.recovered")
        .output()
        .unwrap();
    assert!(!killed.status.success());
    let said = shop.must(0, &["resume"]);
    assert!(said.contains("GO. Run"), "{said}");
    assert_eq!(shop.books(), books);
    let left = shop.compose(&["exec", "-T", "db", "ls", "-a", &base]);
    assert!(!String::from_utf8_lossy(&left.stdout).contains("recovery"), "{left:?}");
    assert_eq!(get(shop.port, "/api/v1/auth/csrf/").status, 200);
    let refused = shop.must(1, &["restore", "boutique", "--at", "2020-01-01T00:00Z", "--yes"]);
    assert!(
        refused.contains("E0614") && refused.contains("the oldest base backup of its server is of"),
        "{refused}"
    );
}

#[test]
fn the_boutique_is_restored_from_its_backup() {
    let shop = Boutique::lay("restore");
    shop.must(0, &["edge", "install", "--yes"]);
    shop.must(0, &["backup"]);
    let books = shop.books();
    shop.query(
        "update sales_payment set amount = amount + 1 where id in (select max(id) from sales_payment)",
    );
    assert_ne!(shop.books(), books);
    let text = shop.must(0, &["restore", "boutique", "--check"]);
    assert!(text.contains("restored and proved"), "{text}");
    assert_ne!(shop.books(), books, "a check touches nothing live");
    assert_eq!(shop.databases(), "boutique", "a check leaves nothing behind");
    let running = bundle(&shop, "running.tar.zst");
    for part in
        ["stacks/boutique/compose.json", "stacks/boutique/logs/web.log", "/events.jsonl", "/status.json"]
    {
        assert!(
            running.contains(part),
            "{part} is missing: {}",
            running.split("=== ").nth(1).unwrap_or_default()
        );
    }
    let environment = std::fs::read_to_string(shop.directory.join(".env.production")).unwrap();
    let password = environment.lines().find_map(|line| line.strip_prefix("POSTGRES_PASSWORD=")).unwrap();
    assert!(running.contains("\"POSTGRES_PASSWORD\":"), "Compose's model has the names of variables");
    assert!(!password.is_empty() && !running.contains(password), "and not their values");
    shop.must(0, &["restore", "boutique", "--yes"]);
    assert_eq!(shop.books(), books);
    assert!(shop.databases().contains("_old"), "what was live is kept: {}", shop.databases());
    assert!(shop.must(0, &["backups", "--json"]).contains("\"kind\":\"salvage\""));
    assert_eq!(get(shop.port, "/api/v1/auth/csrf/").status, 200);
    shop.must(0, &["status"]);
    a_moment_comes_back(&shop);
    let books = shop.books();
    shop.must(0, &["stop", "--yes"]);
    assert!(shop.must(1, &["status"]).contains("not running"));
    assert!(bundle(&shop, "stopped.tar.zst").contains("stacks/boutique/status.json"));
    shop.must(0, &["start", "--yes"]);
    shop.must(0, &["status"]);
    assert_eq!(shop.books(), books);
}
