//! What is wrong before anything begins: configurations, plan files, journals, restore points. Each is named with a way
//! out, and nothing is changed, half-used or guessed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::path::{Path, PathBuf};

use common::{Setting, Shop, TENANTS};

/// Everything below a directory with its content, to see that it did not change.
fn content(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(content(&path));
        } else {
            found.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

#[test]
fn a_configuration_that_is_wrong_is_shown_where_it_is_wrong() {
    let shop = Shop::lay(&Setting::default());
    let good = std::fs::read_to_string(shop.configuration()).unwrap();
    let before = content(&shop.directory.join("data"));
    for (from, to, says) in [
        ("disk_free_percent = 1", "disk_free_procent = 1", "disk_free_percent"),
        ("disk_free_percent = 1", "disk_free_percent = \"one\"", "disk_free_percent = \"one\""),
        ("disk_free_percent = 1", "disk_free_percent = 101", "101"),
        ("healthy = \"20s\"", "healthy = \"soon\"", "soon"),
        ("frontend = \"web\"", "frontend = \"wep\"", "wep"),
        ("app = \"generic\"", "app = \"rails\"", "django"),
        ("version = 1", "version = 2", "version"),
        ("[stacks.shop.services]", "[stacks.shop.services", "stacks.shop.services"),
    ] {
        assert!(good.contains(from), "{from}");
        std::fs::write(shop.configuration(), good.replacen(from, to, 1)).unwrap();
        let line = good.lines().position(|line| line.contains(from)).unwrap() + 1;
        let ran = shop.run(&["release", "v1", "--yes"]).must(1).refused("E0102").says(says);
        // The line is shown as it stands, with its number; an unclosed table may end a line later.
        let place = format!("eclusa.toml:{line}:");
        ran.says(&place).says("Nothing was changed.").says("Next:");
    }
    std::fs::write(shop.configuration(), &good).unwrap();
    shop.run(&["--config", "elsewhere.toml", "status"])
        .must(1)
        .refused("E0101")
        .says("elsewhere.toml")
        .says("eclusa adopt");
    shop.run(&["--stack", "shoop", "status"]).must(1).refused("E0103").says("shoop").says("known: shop");
    for name in ["v9", "../data", "-v1", ".", "v1/../v2", "", "v 1"] {
        shop.run(&["release", "--yes", "--", name]).must(1).refused("E0307").says("Nothing was changed.");
    }
    shop.run(&["release", "v9", "--yes"]).must(1).says("ls ").says("/releases");
    shop.run(&["backup", "gamma"]).must(1).refused("E0311").says("alpha, beta");
    shop.run(&["backups", "gamma"]).must(1).refused("E0311").says("alpha, beta");
    shop.run(&["restore", "gamma", "--yes"]).must(1).refused("E0311").says("alpha, beta");
    shop.run(&["restore", "alpha", "--yes"]).must(1).refused("E0602");
    for command in [&["resume"][..], &["abort"], &["attach"]] {
        shop.run(command).must(1).refused("E0305").says("every run has ended");
    }
    for command in [
        &["resume", "r-1"][..],
        &["attach", "r-1"],
        &["note", "r-1", "x"],
        &["report", "r-1"],
        &["history", "r-1"],
    ] {
        shop.run(command).must(1).refused("E0403").says("r-1").says("eclusa history");
    }
    shop.run(&["--as", "no body\n", "backup"]).must(1).refused("E0102").says("--as");
    assert_eq!(content(&shop.directory.join("data")), before);
    assert_eq!(shop.processes(), []);
}

#[test]
fn a_stack_that_was_never_released_says_what_to_do() {
    let shop = Shop::lay(&Setting::default());
    shop.run(&["status"])
        .must(1)
        .shows("Service web is absent")
        .shows("eclusa release NAME")
        .lacks("eclusa start");
    shop.run(&["start", "--yes"]).must(1).refused("E0305").says("no release").says("eclusa release NAME");
    shop.run(&["rollback", "--yes"]).must(1).refused("E0309");
    shop.run(&["history"]).must(0).lacks("start");
    // Nobody is here to agree.
    shop.run(&["release", "v1"]).must(1).refused("E0404").says("--yes");
    shop.run(&["release", "v1", "--yes"]).must(0).shows("GO.");
    assert_eq!(shop.public("alpha", "/api/products").1.as_deref(), Some("v1"));
    shop.run(&["release", "v1", "--yes"]).must(1).refused("E0305").says("runs release v1");
    shop.run(&["stop", "--yes"]).must(0);
    assert_eq!(shop.public("alpha", "/api/products").0, 0);
    shop.run(&["release", "v1", "--yes"]).must(1).refused("E0305").says("do not run").says("eclusa start");
    shop.run(&["start", "--yes"]).must(0);
    assert_eq!(shop.public("beta", "/api/products").1.as_deref(), Some("v1"));
    // A shop of schema 2 is not what v1 can work on; going back by name is refused by the application's own word.
    shop.run(&["release", "v2", "--yes"]).must(0);
    let ran = shop.run(&["release", "v1", "--yes"]);
    assert_ne!(ran.code, 0, "{ran:?}");
    assert_eq!(shop.census("alpha").schema, Some(2));
    assert_eq!(shop.public("alpha", "/api/products").1.as_deref(), Some("v2"));
    assert!(shop.run(&["edge", "status"]).must(0).out.contains("edge install"), "what to type is said");
}

#[test]
fn a_plan_says_whether_there_is_something_to_do() {
    let shop = Shop::lay(&Setting::default());
    shop.run(&["release", "v1", "--yes"]).must(0);
    shop.run(&["plan", "release", "v1", "--exit-code"]).must(0).says("nothing to do");
    shop.run(&["plan", "release", "v2", "--exit-code"]).must(6).shows("0002_discounts_and_points");
    shop.run(&["plan", "release", "v1"]).must(1).refused("E0305");
    let json = shop.run(&["plan", "release", "v2", "--json"]).must(0).json();
    assert_eq!((json["format"].as_u64(), json["plan"]["to"]["name"].as_str()), (Some(1), Some("v2")));
}

#[test]
fn a_damaged_restore_point_is_named_and_never_half_used() {
    let shop = Shop::open(&Setting::default());
    shop.run(&["backup"]).must(0);
    let points = shop.run(&["backups", "alpha", "--json"]).must(0).json();
    let point = points["tenants"][0]["points"][0]["id"].as_str().unwrap().to_owned();
    let packs = content(&shop.state().join("vault/shop/alpha/data"));
    assert!(!packs.is_empty());
    for (path, bytes) in &packs {
        let mut bytes = bytes.clone();
        // In the first blob of the pack, which every reader needs.
        bytes[40] ^= 0x10;
        std::fs::remove_file(path).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let before = shop.censuses();
    for arguments in [
        &["restore", "alpha", "--point", &point, "--check"][..],
        &["restore", "alpha", "--point", &point, "--yes"],
        &["restore", "alpha", "--point", &point, "--yes", "--json"],
    ] {
        let ran = shop.run(arguments);
        assert_ne!(ran.code, 0, "{ran:?}");
        assert!(format!("{}{}", ran.out, ran.err).contains("E0603"), "{ran:?}");
    }
    assert_eq!(shop.censuses(), before);
    assert_eq!(shop.public("alpha", "/api/products").0, 200);
    // The other tenant's points are as good as before; and a new one of this tenant's can be taken.
    shop.run(&["restore", "beta", "--check"]).must(0);
    for (path, _) in content(&shop.directory.join("data")) {
        let name = path.display().to_string();
        assert!(!name.contains(".eclusa-") && !name.contains(".sqlite."), "left behind: {name}");
    }
    let unknown = shop.run(&["restore", "alpha", "--point", "ffffffff", "--check"]).must(1);
    unknown.refused("E0602").says("eclusa backups alpha");
}

#[test]
fn a_damaged_journal_is_named_and_nothing_goes_on() {
    let shop = Shop::open(&Setting::default());
    shop.run(&["history", "--verify"]).must(0);
    let path = shop.state().join("journal.db");
    let journal = rusqlite::Connection::open(&path).unwrap();
    // The journal's own guards are taken away for the moment and put back as they were.
    let guards: Vec<(String, String)> = journal
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for (name, _) in &guards {
        journal.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    let change = "UPDATE entries SET event = replace(event, 'olga', 'otto') WHERE sequence = 1";
    assert!(journal.execute(change, []).unwrap() > 0);
    for (_, statement) in &guards {
        journal.execute_batch(statement).unwrap();
    }
    drop(journal);
    let before = shop.censuses();
    shop.run(&["history", "--verify"]).must(1).refused("E0402").says("journal");
    shop.run(&["doctor"]).must(1).refused("E0402");
    shop.run(&["release", "v2", "--yes"]).must(1).refused("E0402");
    assert_eq!(shop.censuses(), before);
    for tenant in TENANTS {
        assert_eq!(shop.public(tenant, "/api/products").1.as_deref(), Some("v1"), "what runs goes on");
    }
    // A file that is no database at all.
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(shop.state().join(format!("journal.db{ending}")));
    }
    std::fs::write(&path, "this is no journal, whatever its name says").unwrap();
    shop.run(&["history"]).must(1).refused("E0402");
    shop.run(&["release", "v2", "--yes"]).must(1).refused("E0402");
}
