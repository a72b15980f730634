//! Backup, check and restore of the boutique: beside, proved, swapped in by rename, the old data kept.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod boutique_stack;

use boutique_stack::{Boutique, get};

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
    shop.must(0, &["restore", "boutique", "--yes"]);
    assert_eq!(shop.books(), books);
    assert!(shop.databases().contains("_old"), "what was live is kept: {}", shop.databases());
    assert!(shop.must(0, &["backups", "--json"]).contains("\"kind\":\"salvage\""));
    assert_eq!(get(shop.port, "/api/v1/auth/csrf/").status, 200);
    shop.must(0, &["status"]);
    shop.must(0, &["stop", "--yes"]);
    assert!(shop.must(1, &["status"]).contains("not running"));
    shop.must(0, &["start", "--yes"]);
    shop.must(0, &["status"]);
    assert_eq!(shop.books(), books);
}
