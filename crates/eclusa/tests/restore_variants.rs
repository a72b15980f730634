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

/// How many sales have one of these customers, in the live database.
fn count(shop: &Shop, tenant: &str, sql: &str) -> i64 {
    let path = shop.directory.join(format!("data/{tenant}/shop.sqlite"));
    let database = rusqlite::Connection::open(path).unwrap();
    database.busy_timeout(std::time::Duration::from_secs(10)).unwrap();
    database.query_row(sql, [], |row| row.get(0)).unwrap()
}

const JANE: &str = "SELECT count(*) FROM customers WHERE name = 'Jane Roe'";

#[test]
fn a_person_stays_erased_whatever_is_restored() {
    let shop = Shop::open(&Setting::default());
    execute(
        &shop,
        "alpha",
        "UPDATE customers SET name = 'Jane Roe' WHERE id = (SELECT min(id) FROM customers)",
    );
    execute(&shop, "alpha", "UPDATE products SET name = 'of then' WHERE id = (SELECT min(id) FROM products)");
    assert_eq!(count(&shop, "alpha", JANE), 1);
    shop.run(&["backup", "alpha"]).must(0);
    let older = newest(&shop, "alpha");
    let file = shop.directory.join("jane.sql");
    let erase = ["person", "erase", "alpha", "--statement", "jane.sql", "--reason", "request 17", "--yes"];
    shop.run(&["person", "ls"]).must(0).shows("replays nothing");
    // What is no whole statement, or fails, leaves data and ledger as they were, and no word of it anywhere.
    std::fs::write(&file, "UPDATE customers SET name = '–' WHERE name = 'Jane Roe'").unwrap();
    shop.run(&erase).must(1).refused("E0901").says("no semicolon");
    std::fs::write(&file, "UPDATE customers SET name = '–' WHERE name = 'Jane Roe';\nDELETE FROM nowhere WHERE a = 'Jane Roe';\n")
        .unwrap();
    shop.run(&erase).must(3).shows("E0508").shows("statement 2").lacks("Jane");
    assert_eq!(count(&shop, "alpha", JANE), 1, "all of it or nothing");
    shop.run(&["person", "ls"]).must(0).shows("replays nothing");

    let statement = "UPDATE customers SET name = '–' WHERE name = 'Jane Roe';\n";
    std::fs::write(&file, statement).unwrap();
    // Killed between the statement and the note of when: it is done again, and noted.
    let mut command = shop.command(&[&erase[..], &["--detach"]].concat());
    let begun = common::Ran::of(command.env("ECLUSA_CRASH_AT", "change.erase.alpha/person.erased")).must(0);
    let run = begun.out.lines().last().unwrap().trim().to_owned();
    common::wait_for("the end of the runner", 30, || {
        shop.run(&["status"]).out.contains("eclusa resume").then_some(())
    });
    assert_eq!(count(&shop, "alpha", JANE), 0);
    shop.run(&["resume", &run]).must(0);
    shop.run(&["person", "ls", "alpha"]).must(0).shows("request 17").shows("olga").lacks("done –");
    // Killed there and taken back, it may have been done: it stays in the ledger.
    std::fs::write(&file, "UPDATE products SET name = 'withdrawn' WHERE name = 'nothing';\n").unwrap();
    let mut command = shop.command(&[&erase[..], &["--detach"]].concat());
    let begun = common::Ran::of(command.env("ECLUSA_CRASH_AT", "change.erase.alpha/person.erased")).must(0);
    let run = begun.out.lines().last().unwrap().trim().to_owned();
    common::wait_for("the end of the runner", 30, || {
        shop.run(&["status"]).out.contains("eclusa resume").then_some(())
    });
    shop.run(&["abort", &run]);
    shop.run(&["resume"]);
    let listed = shop.run(&["person", "ls", "alpha"]).must(0);
    assert_eq!(listed.out.lines().count(), 2, "{}", listed.out);
    // The statements are kept where only their owner reads them, and nowhere else.
    std::fs::remove_file(&file).unwrap();
    let found = common::Ran::of(
        std::process::Command::new("grep")
            .args(["-rl", "Jane Roe", "--exclude-dir=vault", "--exclude-dir=scratch"])
            .arg(shop.state()),
    );
    let kept: Vec<&str> = found.out.lines().collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(kept.iter().all(|path| path.contains("/persons/shop/alpha/")), "{kept:?}");
    for path in kept {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    // What is newer than the erasure is left as it is: the same name may have come back for good reason.
    execute(
        &shop,
        "alpha",
        "UPDATE customers SET name = 'Jane Roe' WHERE id = (SELECT max(id) FROM customers)",
    );
    shop.run(&["backup", "alpha"]).must(0);
    let newer = newest(&shop, "alpha");
    execute(&shop, "alpha", "UPDATE products SET name = 'of now'");
    let done = shop.run(&["restore", "alpha", "--point", &newer, "--yes"]).must(0);
    done.shows("one erasure of a person replayed");
    assert_eq!(count(&shop, "alpha", JANE), 1);

    let restore = ["restore", "alpha", "--point", older.as_str(), "--yes"];
    shop.run(&["plan", "restore", "alpha", "--point", &older])
        .must(0)
        .shows("Erase anew, on what was restored of alpha");
    let done = shop.run(&restore).must(0);
    done.shows("2 erasures of persons replayed").lacks("Jane");
    assert_eq!(count(&shop, "alpha", JANE), 0, "the point had her, what is live has not");
    assert_eq!(
        count(&shop, "alpha", "SELECT count(*) FROM products WHERE name = 'of then'"),
        1,
        "all else is of then"
    );
    // Statements that are not what was recorded are not run, and nothing is swapped in without them.
    let directory = shop.state().join("persons/shop/alpha");
    let sql = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path());
    for path in sql.filter(|path| path.extension().is_some_and(|extension| extension == "sql")) {
        std::fs::write(path, "SELECT 1;\n").unwrap();
    }
    let before = shop.census("alpha");
    shop.run(&restore).must(3).shows("not the file that the plan was made with");
    assert_eq!(shop.census("alpha"), before);
}
