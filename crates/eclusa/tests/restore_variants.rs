//! Restores of less than a whole tenant, and of a tenant under other rules than "as it was": through the command line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use common::{Setting, Shop};

/// The newest point of a tenant.
fn newest(shop: &Shop, tenant: &str) -> String {
    let points = shop.run(&["backups", tenant, "--json"]).must(0).json();
    points["tenants"][0]["points"][0]["id"].as_str().unwrap().to_owned()
}

fn execute(shop: &Shop, tenant: &str, sql: &str) {
    let path = shop.directory.join(format!("data/{tenant}/shop.sqlite"));
    let database = rusqlite::Connection::open(path).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    database.execute_batch(sql).unwrap();
}

/// What lies in a tenant's directory that a restore put there.
fn kept(shop: &Shop, tenant: &str) -> Vec<String> {
    let live = shop.directory.join("data").join(tenant);
    let names = |path: std::path::PathBuf| {
        let entries = std::fs::read_dir(path).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    let mut found = names(live.clone());
    found.extend(names(live.join("receipts")));
    found.retain(|name| name.ends_with(".old") || name.starts_with(".eclusa-"));
    found
}

#[test]
fn files_come_back_alone_and_so_does_the_database() {
    let shop = Shop::open(&Setting::default());
    shop.run(&["backup", "alpha"]).must(0);
    let before = shop.censuses();
    let point = newest(&shop, "alpha");
    let receipts = shop.directory.join("data/alpha/receipts");
    execute(&shop, "alpha", "UPDATE products SET name = 'of today'");
    let first = std::fs::read_dir(&receipts).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(first).unwrap();
    std::fs::write(receipts.join("stray.txt"), "new since").unwrap();
    let spoilt = shop.census("alpha");
    assert!(spoilt.tables != before[0].tables && spoilt.files != before[0].files);

    let only =
        |part: &[&'static str]| [&["restore", "alpha", "--point", &point[..8], "--yes"], part].concat();
    // What is not there is refused before anything happens, and two parts at once are no part.
    let unknown = shop.run(&only(&["--files-only", "receipts", "videos"])).must(1).refused("E0610");
    unknown.says("videos").says("receipts").says("eclusa backups browse");
    shop.run(&only(&["--files-only", "--database-only"])).must(2);
    shop.run(&only(&["--files-only", "--check"])).must(2);
    shop.run(&["restore", "alpha", "--files-only", "--from-files", "dump.sql.gz", "--yes"]).must(2);
    let plan = shop.run(&["plan", "restore", "alpha", "--point", &point, "--files-only"]).must(0);
    plan.shows("Only files are brought back (receipts); the database stays as it is now")
        .shows("(receipts) beside");
    assert_eq!(shop.census("alpha"), spoilt);

    let done = shop.run(&only(&["--files-only", "receipts"])).must(0);
    done.shows("GO.");
    let found = shop.census("alpha");
    assert_eq!(found.files, before[0].files, "the files are those of the point");
    assert_eq!(found.tables, spoilt.tables, "the database was not touched");
    let left = kept(&shop, "alpha");
    assert!(left.len() == 1 && left[0].starts_with(".eclusa-") && left[0].ends_with("-old"), "{left:?}");
    let old = receipts.join(&left[0]);
    assert!(old.join("stray.txt").exists(), "what was live is kept");

    std::fs::write(receipts.join("stray.txt"), "once more").unwrap();
    let mixed = shop.census("alpha");
    shop.run(&["plan", "restore", "alpha", "--point", &point, "--database-only"])
        .must(0)
        .shows("Only the database is brought back; the files stay as they are now");
    shop.run(&only(&["--database-only"])).must(0).shows("GO.");
    let found = shop.census("alpha");
    assert_eq!(found.tables, before[0].tables, "the database is that of the point");
    assert_eq!(found.files, mixed.files, "the files were not touched");
    assert_eq!(kept(&shop, "alpha").len(), 2);
    assert_eq!(shop.census("beta"), before[1]);
    shop.run(&["history"]).must(0).shows("restore files alpha").shows("restore database alpha");
    // The salvage point has what the files were, and all else.
    shop.run(&["restore", "alpha", "--yes"]).must(0);
    assert_eq!(shop.census("alpha"), mixed);
}
