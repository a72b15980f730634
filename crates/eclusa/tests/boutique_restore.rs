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
    shop.must(0, &["stop", "--yes"]);
    assert!(shop.must(1, &["status"]).contains("not running"));
    assert!(bundle(&shop, "stopped.tar.zst").contains("stacks/boutique/status.json"));
    shop.must(0, &["start", "--yes"]);
    shop.must(0, &["status"]);
    assert_eq!(shop.books(), books);
}
