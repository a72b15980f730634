//! The life of restore points through the command line: kept by rules, copied elsewhere, compared, tried.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::process::Command;

use common::{Setting, Shop};

#[test]
fn restore_points_go_by_rules_and_what_is_needed_stays() {
    let shop = Shop::open(&Setting::default());
    // Nothing is said, so nothing goes.
    shop.run(&["prune", "--yes"]).must(1).says("every restore point").says("[stacks.shop.keep]");
    shop.run(&["backup", "--prove"]).must(0);
    shop.run(&["release", "v2", "--yes"]).must(0);
    for _ in 0..3 {
        shop.run(&["backup"]).must(0);
    }
    let points = |tenant: &str| -> Vec<String> {
        let listed = shop.run(&["backups", tenant, "--json"]).must(0).json();
        let points = listed["tenants"][0]["points"].as_array().unwrap().iter();
        points.map(|point| point["id"].as_str().unwrap()[..8].to_owned()).collect()
    };
    let before = points("alpha");
    assert_eq!(before.len(), 6, "{before:?}");
    shop.change_configuration(|text| text + "\n[stacks.shop.keep]\nlast = 2\n");
    // One that somebody holds stays too, until they let it go.
    shop.run(&["backups", "hold", &before[5], "--reason", "a court asks"]).must(0).says(&before[5]);
    shop.run(&["backups", "hold", &before[5], "--reason", "again"]).must(1).says("is held already");
    shop.run(&["backups", "alpha"]).must(0).shows("a court asks");
    shop.run(&["plan", "prune", "alpha"]).must(0).shows("Throw away one restore point");
    shop.run(&["backups", "end-hold", &before[5], "--reason", "it is settled"])
        .must(0)
        .says("no longer held");
    let planned = shop.run(&["plan", "prune", "alpha"]).must(0);
    let planned = planned.shows("Throw away 2 restore points");
    assert_eq!(points("alpha"), before, "a plan throws nothing away: {}", planned.out);
    // Of the six the last two stay, and the proved one, and the one that the rollback would need.
    let ran = shop.run(&["prune", "alpha", "--yes"]).must(0);
    let line = |point: &str| ran.out.lines().find(|line| line.contains(point)).unwrap_or_default();
    assert!(line(&before[2]).contains("goes"), "{}", ran.out);
    assert!(line(&before[3]).contains("a rollback would need it"), "{}", ran.out);
    assert!(line(&before[4]).contains("restored and proved"), "{}", ran.out);
    let after = points("alpha");
    let expected: Vec<String> = [0, 1, 3, 4].iter().map(|place| before[*place].clone()).collect();
    assert_eq!(after, expected);
    assert_eq!(points("beta").len(), 6, "only the tenant that was named");
    shop.run(&["prune", "alpha", "--yes"]).must(0).says("No restore point has to go");
    shop.run(&["restore", "alpha", "--point", &after[3], "--check"]).must(0);
    // A tenant's own rules stand instead of the stack's.
    let own = "\n[stacks.shop.tenants.beta.keep]\nlast = 6\n";
    shop.change_configuration(|text| text + own);
    shop.run(&["prune", "beta", "--yes"]).must(0).says("No restore point has to go");
    let beta_alone =
        |text: String| text.replace("[stacks.shop.keep]\nlast = 2\n", "").replace("last = 6", "last = 2");
    shop.change_configuration(beta_alone);
    shop.run(&["plan", "prune", "beta"]).must(0).shows("Throw away 2 restore points");
    let of_alpha = shop.run(&["prune", "alpha", "--yes"]).must(0);
    of_alpha.says("No restore point has to go").shows("no rule speaks of this tenant");
    shop.change_configuration(|text| {
        text.replace(&own.replace('6', "2"), "\n[stacks.shop.keep]\nlast = 2\n")
    });
    // A repository that cannot be read whole loses nothing, and that is no success; nor when it is so only later on.
    let repository = shop.state().join("vault/shop/beta/data");
    let away = repository.with_file_name("away");
    let move_away = format!("mv {0} {1} && mkdir {0}", repository.display(), away.display());
    let break_it =
        |command: &str| assert!(Command::new("sh").args(["-c", command]).status().unwrap().success());
    let mend = format!("rmdir {0} && mv {1} {0}", repository.display(), away.display());
    break_it(&move_away);
    shop.run(&["prune", "beta", "--yes"]).must(3).says("a point cannot be read");
    break_it(&mend);
    let hook = format!(
        "\n[[stacks.shop.hooks]]\nname = \"damage\"\nat = \"before.accept\"\ncommand = [\"sh\", \"-c\", \"{move_away}\"]\n"
    );
    shop.change_configuration(|text| text + &hook);
    shop.run(&["prune", "beta", "--yes"]).must(3).shows("could not throw away").shows("of beta");
    shop.change_configuration(|text| text.replace(&hook, ""));
    break_it(&mend);
    assert_eq!(points("beta").len(), 6, "nothing of it is gone");
    // What the plan saved is what is carried out, and the rollback has what it needs.
    shop.run(&["rollback", "--yes"]).must(0);
}

#[test]
fn restore_points_are_copied_elsewhere_and_come_back_from_there() {
    // One at a time, so that the second is not under way when the first one fails.
    let shop = Shop::open(&Setting::default());
    shop.change_configuration(|text| {
        text.replace("[stacks.shop.limits]", "[stacks.shop.limits]\nparallel = 1")
    });
    shop.run(&["mirror"]).must(1).says("there is no mirror").says("[[stacks.shop.mirrors]]");
    let nas = shop.configure_mirror();
    shop.run(&["backup", "--prove"]).must(0);
    shop.run(&["status"])
        .must(1)
        .shows("alpha have not been copied to nas yet")
        .shows("eclusa mirror alpha --to nas");
    // A disk that is not mounted is not made, and both tenants are named.
    shop.run(&["mirror"]).must(3).shows("NO-GO").shows("alpha, beta").shows("E0606");
    assert!(!nas.exists());
    std::fs::create_dir(&nas).unwrap();
    shop.run(&["mirror", "--to", "tape"]).must(1).refused("E0607").says("tape");
    shop.run(&["plan", "mirror", "--read-all"]).must(0).shows("read everything there");
    // One tenant's failure keeps no other from its copy.
    let place = shop.state().join("vault/shop/alpha");
    let (packs, away) = (place.join("data"), place.join("away"));
    std::fs::rename(&packs, &away).unwrap();
    shop.run(&["mirror"]).must(3).shows("restore points of alpha. Of the others");
    let copies = |tenant: &str| {
        let listed = shop.run(&["backups", tenant, "--json"]).must(0).json();
        listed["tenants"][0]["copies"][0]["points"].as_array().unwrap().len()
    };
    assert_eq!((copies("alpha"), copies("beta")), (0, 2));
    std::fs::rename(&away, &packs).unwrap();
    shop.run(&["mirror"]).must(0).shows("2 restore points there, ").shows(" files copied and read back, ");
    shop.run(&["mirror"]).must(0).shows("nothing to copy");
    shop.run(&["backups"]).must(0).shows("nas");
    // The copy itself is restored and proved, also when the vault could not; a damaged one is not.
    std::fs::rename(&packs, &away).unwrap();
    shop.run(&["drill", "alpha"]).must(3).says("a restore point is damaged").says("E0603");
    shop.run(&["drill", "alpha", "--from", "nas"]).must(0).shows("from nas").shows("GO.");
    std::fs::rename(&away, &packs).unwrap();
    let copied = nas.join("shop/alpha/data");
    std::fs::rename(&copied, &away).unwrap();
    shop.run(&["drill", "alpha"]).must(0);
    shop.run(&["drill", "alpha", "--from", "nas"]).must(3).says("a restore point is damaged");
    std::fs::rename(&away, &copied).unwrap();
    shop.run(&["drill", "--from", "tape"]).must(1).refused("E0607");
    shop.run(&["status"]).must(0);
    // A copy that has become too old is said, and ends in an error.
    shop.change_configuration(|text| {
        text.replace("same_file_system", "stale_after = \"0s\"\nsame_file_system")
    });
    shop.run(&["status"]).must(1).shows("older than it may be");
    shop.change_configuration(|text| text.replace("stale_after = \"0s\"\n", ""));

    // So is a restore point, and a proof, where that is asked for.
    for (key, said, typed) in [
        ("stale_after", "The newest restore point of alpha is of", "eclusa backup alpha"),
        (
            "proof_stale_after",
            "A restore point of alpha was last restored and proved at",
            "eclusa drill alpha",
        ),
    ] {
        let table = format!("\n[stacks.shop.vault]\n{key} = \"0s\"\n");
        shop.change_configuration(|text| text + &table);
        shop.run(&["status"]).must(1).shows(said).shows(typed);
        shop.change_configuration(|text| {
            text.replace(&format!("{key} = \"0s\""), &format!("{key} = \"1h\""))
        });
        shop.run(&["status"]).must(0);
        shop.change_configuration(|text| text.replace(&table.replace("0s", "1h"), ""));
    }

    std::fs::remove_dir_all(shop.state().join("vault/shop")).unwrap();
    shop.run(&["backups", "alpha"]).must(0).lacks("nas");
    shop.run(&["mirror", "--from", "nas"]).must(0).shows("GO.");
    shop.run(&["restore", "alpha", "--check"]).must(0).shows("GO.");
    shop.run(&["mirror", "--read-all"]).must(0);
    shop.run(&["status"]).must(0);
}

#[test]
fn restore_points_are_compared_and_single_files_come_out_of_them() {
    let shop = Shop::open(&Setting::default());
    let point = || {
        let listed = shop.run(&["backups", "alpha", "--json"]).must(0).json();
        listed["tenants"][0]["points"][0]["id"].as_str().unwrap()[..8].to_owned()
    };
    let receipts = shop.directory.join("data/alpha/receipts");
    std::fs::create_dir_all(&receipts).unwrap();
    std::fs::write(receipts.join("1.txt"), "one").unwrap();
    std::fs::write(receipts.join("2.txt"), "two").unwrap();
    shop.run(&["backup"]).must(0);
    let first = point();
    shop.run(&["backups", "diff", &first, &first]).must(0).shows("hold the same");
    let database = shop.directory.join("data/alpha/shop.sqlite");
    let sql = "CREATE TABLE audit_notes (id INTEGER PRIMARY KEY, note TEXT); INSERT INTO audit_notes (note) VALUES ('a'), ('b');";
    rusqlite::Connection::open(&database).unwrap().execute_batch(sql).unwrap();
    std::fs::write(receipts.join("1.txt"), "ONE").unwrap();
    std::fs::remove_file(receipts.join("2.txt")).unwrap();
    std::fs::write(receipts.join("3.txt"), "three").unwrap();
    shop.run(&["backup"]).must(0);
    let second = point();
    let shown = shop.run(&["backups", "diff", &first, &second]).must(0);
    shown.shows("audit_notes").shows("+2").shows("~ 1.txt").shows("- 2.txt").shows("+ 3.txt");
    let difference = shop.run(&["backups", "diff", &first, &second, "--json"]).must(0).json();
    assert_eq!(difference["difference"]["tables"][0]["rows_after"], 2);
    let listed = shop.run(&["backups", "--json"]).must(0).json();
    let of_beta = listed["tenants"][1]["points"][0]["id"].as_str().unwrap();
    shop.run(&["backups", "diff", &first, of_beta]).must(1).says("one of beta");

    shop.run(&["backups", "browse", &first]).must(0).shows("files/receipts/2.txt").shows("database");
    let got = shop.directory.join("got");
    let get = |path: &str| shop.run(&["backups", "get", &first, path, "-o", got.to_str().unwrap()]);
    get("files/receipts/2.txt").must(0).says("files/receipts/2.txt");
    assert_eq!(std::fs::read_to_string(&got).unwrap(), "two");
    get("files/receipts/1.txt").must(1).refused("E0901");
    assert_eq!(std::fs::read_to_string(&got).unwrap(), "two", "what is there is not overwritten");
    std::fs::remove_file(&got).unwrap();
    get("files/receipts/../receipts/1.txt").must(1).refused("E0602");
    assert!(!got.exists());
}

#[test]
fn a_drill_tries_those_whose_proof_is_oldest_and_names_whose_points_cannot_be_restored() {
    let shop = Shop::open(&Setting::default());
    shop.run(&["backup"]).must(0);
    let proved = || -> Vec<bool> {
        let status = shop.status();
        status["safety"].as_array().unwrap().iter().map(|one| one["proved_at"].is_string()).collect()
    };
    assert_eq!(proved(), [false, false]);
    let before = shop.censuses();
    shop.run(&["drill", "--sample", "1"]).must(0).shows("GO.");
    assert_eq!(proved(), [true, false]);
    shop.run(&["plan", "drill", "--sample", "1"]).must(0).shows("beta").lacks("alpha");
    shop.run(&["drill", "--sample", "1"]).must(0);
    assert_eq!(proved(), [true, true]);
    assert_eq!(shop.censuses(), before, "a drill touches nothing live");

    // One that is damaged is named, and the other is tried all the same.
    let vault = shop.state().join("vault/shop");
    let below =
        |path: std::path::PathBuf| std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let packs = below(vault.join("alpha/data")).flat_map(below);
    // The largest holds data; without a list of files the point would not even be listed.
    let largest = packs.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    std::fs::remove_file(largest).unwrap();
    let earlier = shop.status()["safety"][1]["proved_at"].clone();
    shop.run(&["drill"]).must(3).shows("validate.point.alpha").shows("could not prove alpha");
    assert_ne!(shop.status()["safety"][1]["proved_at"], earlier, "beta is proved anew");
    std::fs::remove_dir_all(vault.join("alpha")).unwrap();
    shop.run(&["drill"]).must(3).says("There is no restore point of alpha");
    shop.run(&["drill", "alpha"]).must(1).refused("E0305");
    assert_eq!(shop.censuses(), before);
}

#[test]
fn the_files_of_a_drill_may_go_to_another_directory_and_nothing_stays_there() {
    let shop = Shop::open(&Setting::default());
    shop.run(&["backup"]).must(0);
    let before = shop.censuses();
    let elsewhere = shop.state().join("elsewhere");
    let on = elsewhere.to_str().unwrap();
    shop.run(&["drill", "--on", on]).must(1).refused("E0901");
    std::fs::create_dir(&elsewhere).unwrap();
    let is_empty = || std::fs::read_dir(&elsewhere).unwrap().next().is_none();
    shop.run(&["plan", "drill", "alpha", "--on", on]).must(0).shows("preflight.disk.drill");
    shop.run(&["drill", "--on", on]).must(0).shows("GO.");
    assert!(is_empty());

    // They were there: a runner that dies before it clears up leaves them, and whoever takes the run up does not.
    let mut killed = shop.command(&["drill", "alpha", "--on", on]);
    let killed = killed.env("ECLUSA_CRASH_AT", "validate.point.alpha/point.compared").output().unwrap();
    assert!(!killed.status.success());
    let copy = elsewhere.join(".eclusa-drill/alpha");
    let sets = std::fs::read_dir(&copy).unwrap().map(|set| set.unwrap().path());
    assert!(sets.flat_map(|set| std::fs::read_dir(set).unwrap()).count() > 0);
    shop.run(&["resume"]).must(0);
    assert!(is_empty());

    // Where live files are, none are restored to.
    let live = shop.configuration().parent().unwrap().to_path_buf();
    shop.run(&["drill", "--on", live.to_str().unwrap()]).must(1).refused("E0901").says("live files");
    assert_eq!(shop.censuses(), before);
}

#[test]
fn a_mirror_has_times_and_rules_of_its_own() {
    let shop = Shop::open(&Setting::default());
    let nas = shop.directory.join("nas");
    std::fs::create_dir(&nas).unwrap();
    let table = |more: &str| {
        let nas = nas.display();
        format!(
            "\n[[stacks.shop.mirrors]]\nname = \"nas\"\ndirectory = \"{nas}\"\nsame_file_system = true\n{more}\n"
        )
    };
    let configured = |more: &str| {
        shop.change_configuration(|text| {
            let before = text.split("\n[[stacks.shop.mirrors]]").next().unwrap_or_default();
            format!("{before}{}", table(more))
        });
    };
    let copies = || {
        let listed = shop.run(&["backups", "alpha", "--json"]).must(0).json();
        let of_alpha = &listed["tenants"][0];
        (
            of_alpha["points"].as_array().unwrap().len(),
            of_alpha["copies"][0]["points"].as_array().unwrap().len(),
        )
    };
    // What is due goes to the mirror whose time it is, and only what it keeps.
    let due = format!("schedule = {{ cron = \"{}\" }}", minutes_ago(3));
    configured(&format!("{due}\nkeep = {{ last = 1 }}"));
    shop.run(&["backup"]).must(0);
    let before = copies().0;
    assert!(before > 1, "with the point of its first release");
    shop.run(&["schedule"]).must(0).shows("mirror nas");
    let ran = shop.run(&["schedule", "run", "--once"]).must(0);
    ran.says("eclusa mirror --to nas: ended with 0");
    assert_eq!(copies(), (before, 1));
    shop.run(&["schedule", "run", "--once"]).must(0).lacks("ended with");
    shop.run(&["status"]).must(0);

    // What the rules let go there goes there, stays in the vault, and does not come back.
    shop.run(&["backup"]).must(0);
    shop.run(&["mirror"]).must(0);
    assert_eq!(copies(), (before + 1, 2));
    shop.run(&["plan", "prune", "--at", "nas"]).must(0).shows("Throw away one restore point of alpha at nas");
    assert_eq!(copies(), (before + 1, 2), "a plan throws nothing away");
    let pruned = shop.run(&["prune", "alpha", "--at", "nas", "--yes"]).must(0);
    pruned.shows("goes").shows("stays: the newest, one of the last").shows("GO.");
    assert_eq!(copies(), (before + 1, 1));
    shop.run(&["mirror", "alpha"]).must(0).shows("nothing to copy");
    shop.run(&["prune", "alpha", "--at", "nas", "--yes"]).must(0).says("No restore point has to go");
    shop.run(&["drill", "alpha", "--from", "nas"]).must(0).shows("GO.");
    shop.run(&["prune", "--at", "tape"]).must(1).refused("E0607");

    // Late is late by its own times, whatever other mirrors may be allowed.
    let record = |tenant: &str| shop.state().join(format!("vault/shop/.mirrors/nas/{tenant}.json"));
    let copied = |hours: i64| {
        for tenant in common::TENANTS {
            let text = std::fs::read_to_string(record(tenant)).unwrap();
            let mut record_of: serde_json::Value = serde_json::from_str(&text).unwrap();
            let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
            record_of["at"] = at.to_string().into();
            std::fs::write(record(tenant), record_of.to_string()).unwrap();
        }
    };
    copied(72);
    configured("schedule = { cron = \"0 0 1 * *\", catch_up = \"31d\" }\nkeep = { last = 1 }");
    shop.run(&["status"]).must(0);
    configured(&format!("schedule = {{ cron = \"{}\", catch_up = \"2m\" }}", minutes_ago(10)));
    let late = shop.run(&["status"]).must(1);
    late.shows("of alpha had to be copied to nas at").shows("eclusa mirror beta --to nas");
    shop.run(&["mirror"]).must(0);
    shop.run(&["status"]).must(0);
    shop.run(&["prune", "--at", "nas"]).must(1).says("every restore point at nas is kept").says("keep = {");
    configured("stale_after = \"0s\"\nschedule = { cron = \"@daily\" }");
    shop.run(&["status"]).must(1).shows("older than it may be");
    configured("keep = { last = 0 }");
    shop.run(&["status"]).must(1).says("rules that keep no restore point");
    configured("schedule = { cron = \"@daily\", sample = 2 }");
    shop.run(&["status"]).must(1).says("sample belongs to drill alone");
}

/// What a backup may take of the machine.
const LOAD: &str = r#"
[stacks.shop.backup]
nice = 3
ionice = "lowest"
bytes_per_second = 1_000_000

[[stacks.shop.hooks]]
name = "turn"
at = "before.secure"
command = ["sh", "-c", "nice > turn; ionice >> turn"]
"#;

#[test]
fn a_backup_steps_back_and_tells_how_far_it_has_come_and_a_release_does_not() {
    let shop = Shop::open(&Setting { tables: LOAD.to_owned(), ..Setting::default() });
    let turn = || std::fs::read_to_string(shop.directory.join("turn")).unwrap();
    let own = Command::new("nice").output().unwrap();
    let own: u32 = String::from_utf8(own.stdout).unwrap().trim().parse().unwrap();
    assert!(turn().starts_with(&format!("{own}\n")), "a release is not slowed: {}", turn());
    let receipts = shop.directory.join("data/alpha/receipts");
    std::fs::create_dir_all(&receipts).unwrap();
    // As it is not held back, this is read before anything could be told.
    std::fs::write(receipts.join("scan.pdf"), vec![7; 1_500_000]).unwrap();
    let planned = shop.run(&["plan", "backup", "alpha"]).must(0);
    planned.shows("nice 3").shows("asks for the disk after everybody").shows("no more than 1 MB a second");
    let run = shop.begin(&["backup", "alpha"]);
    let headway = common::wait_for("it is told how far it is", 20, || {
        let status = shop.status();
        let told = status["open_run"]["headway"]["secure.point.alpha"].clone();
        (told["stage"] == "reading" && told["bytes"].as_u64() > Some(0)).then_some(told)
    });
    let expected = headway["expected"].as_u64().unwrap();
    assert!(expected > 1_500_000 && expected < 4_000_000, "{headway}");
    let shown = shop.run(&["status"]);
    shown.shows("secure.point.alpha: read").shows("MB of about");
    let followed = shop.run(&["attach", &run.id]).must(0).shows("GO.");
    let lowest = format!("{}\nbest-effort: prio 7\n", (own + 3).min(19));
    assert_eq!(turn(), lowest);
    // What was told is kept nowhere: not in the journal, and not beside the outputs.
    let left = std::fs::read_dir(shop.state().join("runs").join(&run.id)).unwrap();
    let left: Vec<String> = left.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.contains("headway")), "{left:?}");
    assert!(
        !followed.out.contains("of about"),
        "so short a backup says nothing in between: {}",
        followed.out
    );
    assert!(shop.status()["open_run"].is_null());
    // One that is not wanted any more ends at once, and leaves nothing that would pass for a point.
    let points = || shop.run(&["backups", "alpha", "--json"]).must(0).json()["tenants"][0]["points"].clone();
    let before = points();
    let run = shop.begin(&["backup", "alpha"]);
    common::wait_for("it is told how far it is", 20, || {
        (!shop.status()["open_run"]["headway"]["secure.point.alpha"].is_null()).then_some(())
    });
    shop.run(&["abort", &run.id, "--reason", "the shop is busy"]).must(0);
    run.wait_for_runner(&shop, None);
    assert_eq!(points(), before);
    shop.change_configuration(|text| text.replace("nice = 3", "nice = 20"));
    shop.run(&["status"]).must(1).says("expected 1 to 19");
    shop.change_configuration(|text| text.replace("nice = 20", "nice = 3").replace("1_000_000", "1000"));
    shop.run(&["status"]).must(1).says("expected 1000000 or more");
}

/// The cron expression of a minute that was so many minutes ago.
fn minutes_ago(minutes: i64) -> String {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_mins(minutes);
    at.strftime("%M %H * * *").to_string()
}

#[test]
fn what_is_due_is_done_once_and_what_was_missed_is_said() {
    let shop = Shop::open(&Setting::default());
    // The points of its first release are younger than any time for it.
    std::fs::remove_dir_all(shop.directory.join("state/vault")).unwrap();
    shop.run(&["schedule"]).must(0).shows("Nothing is scheduled");
    let states = || -> Vec<String> {
        let listed = shop.run(&["schedule", "--json"]).must(0).json();
        let tasks = listed["tasks"].as_array().unwrap().iter();
        let of = |task: &serde_json::Value| {
            format!("{} {} {}", task["job"], task["tenant"], task["state"]).replace('"', "")
        };
        tasks.map(of).collect()
    };
    let scheduled = |text: &str| {
        shop.change_configuration(|all| {
            let before = all.split("\n[stacks.shop.schedule]").next().unwrap_or_default();
            format!("{before}\n[stacks.shop.schedule]\n{text}\n")
        });
    };
    // Too late is too late, and is said.
    scheduled(&format!("backup = {{ cron = \"{}\", catch_up = \"2m\" }}", minutes_ago(10)));
    assert_eq!(states(), ["backup alpha missed", "backup beta missed"]);
    shop.run(&["status"]).must(1).shows("The backup of alpha that was due at").shows("eclusa backup beta");
    let late = shop.run(&["schedule", "run", "--once"]).must(0);
    assert!(!late.err.contains("ended with"), "{}", late.err);
    scheduled(&format!(
        "backup = {{ cron = \"{}\" }}\ndrill = {{ cron = \"{}\", sample = 1 }}",
        minutes_ago(3),
        minutes_ago(2)
    ));
    let due: Vec<String> = ["alpha", "beta"].iter().map(|tenant| format!("backup {tenant} due")).collect();
    assert_eq!(states(), [&due[..], &["drill null due".to_owned()]].concat());
    // A backup by hand counts.
    shop.run(&["backup", "beta"]).must(0);
    let ran = shop.run(&["schedule", "run", "--once"]).must(0);
    let ran = ran.says("eclusa backup alpha: ended with 0").says("eclusa drill --sample 1: ended with 0");
    assert!(!ran.err.contains("backup beta"), "{}", ran.err);
    assert_eq!(states(), ["backup alpha done", "backup beta done", "drill null done"]);
    let again = shop.run(&["schedule", "run", "--once"]).must(0);
    assert!(!again.err.contains("ended with"), "once is enough: {}", again.err);
    // One that fails is tried again, but not at once.
    let database = shop.directory.join("data/alpha/shop.sqlite");
    let aside = shop.directory.join("aside.sqlite");
    std::fs::rename(&database, &aside).unwrap();
    std::fs::write(&database, "no database").unwrap();
    std::fs::remove_dir_all(shop.directory.join("state/vault")).unwrap();
    scheduled(&format!("backup = {{ cron = \"{}\" }}", minutes_ago(3)));
    let wrong = shop.run(&["schedule", "run", "--once"]).must(1);
    wrong.says("eclusa backup alpha: ended with").says("eclusa backup beta: ended with 0");
    std::fs::rename(&aside, &database).unwrap();
    let after = states();
    assert!(after.contains(&"backup beta done".to_owned()), "{after:?}");
    assert!(after.contains(&"backup alpha again".to_owned()), "{after:?}");
    shop.run(&["schedule", "run", "--once"]).must(0);
    assert_eq!(states(), after, "not at once");
    scheduled("backup = { cron = \"0 0 30 2 *\" }");
    shop.run(&["schedule"]).must(1).says("cron expression");
}
