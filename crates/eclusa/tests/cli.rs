//! The commands through the real binary, as an operator and a script meet them: what they say, how they end, what
//! they leave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::process::{Command, Stdio};

use common::receiver::Receiver;
use common::{Ran, Setting, Shop, TENANTS, wait_for};
use serde_json::Value;

/// Olga begins runs; Anna alone may answer.
const PEOPLE: &str = r#"
[stacks.shop.people.olga]
roles = ["operator"]
[stacks.shop.people.anna]
roles = ["approver"]
phone = "+351 1"
"#;

fn answer(shop: &Shop, person: &str, run: &str, word: &str) -> Ran {
    shop.run(&["--as", person, "answer", run, word, "--reason", "the tests are green"])
}

#[test]
fn what_only_reads_reads_well_in_a_terminal_a_pipe_and_a_program() {
    let shop = Shop::open(&Setting::default());
    shop.run(&["backup", "--prove"]).must(0).shows("GO.").shows("restored and proved");
    shop.run(&["status"]).must(0).shows("web").shows("healthy").shows("v1").shows("alpha").lacks("\u{1b}[");
    shop.run(&["doctor"]).must(0).shows("All is well.");
    for arguments in
        [&["status", "--json"][..], &["doctor", "--json"], &["history", "--json"], &["backups", "--json"]]
    {
        shop.run(arguments).must(0).json();
    }
    let status = shop.status();
    assert_eq!(status["format"], 1);
    assert_eq!(status["observation"]["release"]["name"], "v1");
    assert_eq!(status["safety"].as_array().unwrap().len(), TENANTS.len());
    assert!(status["safety"][0]["proved_at"].is_string(), "{status}");
    shop.run(&["logs"]).must(0).shows("web").lacks("\u{1b}[");
    shop.run(&["logs", "web", "--lines", "1", "--json"]).must(0).json();
    shop.run(&["logs", "nobody"]).must(1).refused("E0205").says("web");
    shop.run(&["backups"]).must(0).shows("alpha").shows("backup").shows("v1");
    let runs = shop.run(&["history", "--json"]).must(0).json();
    let id = runs["runs"][0]["run"].as_str().unwrap().to_owned();
    assert_eq!((&runs["runs"][0]["outcome"], &runs["runs"][0]["by"]), (&"done".into(), &"olga".into()));
    shop.run(&["history", &id]).must(0).shows("secure.point.alpha").shows("done");
    shop.run(&["history", "--verify", "--json"]).must(0).json();

    shop.run(&["note", &id, "the disk was slow", "--kind", "incident"]).must(0).says(&id);
    let report = shop.run(&["report", &id, "--format", "json"]).must(0).json();
    assert!(report.to_string().contains("the disk was slow"));
    shop.run(&["report", &id, "--format", "md"]).must(0).shows("# ").shows("the disk was slow").shows("olga");
    shop.run(&["report", "--format", "html", "-o", "report.html"]).must(0);
    let page = std::fs::read_to_string(shop.directory.join("report.html")).unwrap();
    assert!(page.starts_with("<!doctype html>") || page.starts_with("<!DOCTYPE html>"));
    assert!(
        page.contains("the disk was slow") && !page.contains("src=\"http") && !page.contains("href=\"http")
    );
    shop.run(&["report", "-o", "no/such/place.html"]).must(1).refused("E0901").says("no/such/place.html");

    // Colours only where they are wanted; a reader that goes away is no fault.
    let coloured = Ran::of(shop.command(&["status"]).env("CLICOLOR_FORCE", "1"));
    assert!(coloured.out.contains("\u{1b}["), "{coloured:?}");
    let plain = Ran::of(shop.command(&["status"]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1"));
    plain.must(0).lacks("\u{1b}[");
    for arguments in [&["plan", "release", "v2"][..], &["history", &id], &["man"], &["completions", "bash"]] {
        let mut child =
            shop.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let head = Command::new("head").arg("-1").stdin(child.stdout.take().unwrap()).output().unwrap();
        let ended = child.wait_with_output().unwrap();
        assert!(!head.stdout.is_empty(), "{arguments:?}");
        assert_eq!(String::from_utf8(ended.stderr).unwrap(), "", "{arguments:?}");
        assert_eq!(ended.status.code(), Some(0), "{arguments:?}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = shop.run(&["completions", shell]).must(0).shows("eclusa").shows("rollback");
        let offered = |line: &&str| line.contains("opts=") && line.contains("own-run");
        assert_eq!(script.out.lines().find(offered), None, "what is hidden is offered");
    }
    shop.run(&["man", "--directory", "pages"]).must(0);
    let page = std::fs::read_to_string(shop.directory.join("pages/eclusa-release.1")).unwrap();
    assert!(page.contains("outside\\-window"), "{page}");
    assert!(!shop.directory.join("pages/eclusa-own-run.1").exists());
    let wrong = shop.run(&["releese"]).must(2);
    wrong.says("release");
}

#[test]
fn outside_the_window_a_reason_is_needed_and_in_production_no_demo_data() {
    // A window that begins in twelve hours is not now, whenever the test runs.
    let now: u64 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let hour = (now / 3600 + 12) % 24;
    let tables = format!(
        "[stacks.shop.window]\nfrom = \"{hour:02}:00\"\nto = \"{hour:02}:30\"\ntime_zone = \"UTC\"\n"
    );
    let commands = r#"seed = [["sh", "-c", "echo seeded >> seeded.txt"]]"#.to_owned();
    let shop = Shop::lay(&Setting { tables, commands, environment: "production", ..Setting::default() });
    let refused = shop.run(&["release", "v1", "--yes"]).must(1).refused("E0306").says("--outside-window");
    refused.says(&format!("{hour:02}:00"));
    assert_eq!(shop.processes(), []);
    shop.run(&["release", "v1", "--yes", "--outside-window", "the shop is new"]).must(0).shows("GO.");
    let report = shop.run(&["report", "--format", "md"]).must(0);
    report.shows("the shop is new");
    // What changes nothing needs no reason.
    shop.run(&["backup"]).must(0);
    shop.run(&["seed", "--yes"]).must(1).refused("E0308").says("production").says("staging");
    assert!(!shop.directory.join("seeded.txt").exists());
    shop.change_configuration(|text| {
        text.replace("environment = \"production\"", "environment = \"staging\"")
    });
    shop.run(&["seed", "--yes"]).must(0);
    assert_eq!(std::fs::read_to_string(shop.directory.join("seeded.txt")).unwrap(), "seeded\n");
}

#[test]
fn questions_are_put_to_those_who_may_answer_and_silence_is_a_no() {
    let tables = format!(
        "{PEOPLE}\n[stacks.shop.decide]\nask = true\ndeadline = \"60s\"\n\
         [[stacks.shop.checklist]]\nname = \"told\"\ntext = \"Were the users told?\"\n"
    );
    let shop = Shop::lay(&Setting { tables, ..Setting::default() });

    let run = shop.begin(&["release", "v1"]);
    run.wait_for_event(&shop, "asked", "preflight.checklist.told");
    let status = shop.status();
    assert_eq!(status["open_run"]["run"], run.id.as_str());
    answer(&shop, "olga", &run.id, "go").must(0).says(&run.id);
    run.wait_for_event(&shop, "asked", "decide.person");
    answer(&shop, "olga", &run.id, "go").must(1).refused("E1002").says("olga").says("anna");
    shop.run(&["answer", &run.id, "perhaps", "--reason", "x"]).must(2);
    shop.run(&["answer", &run.id, "go"]).must(2).says("--reason");
    answer(&shop, "anna", &run.id, "go").must(0);
    shop.run(&["attach", &run.id]).must(0).shows("GO.").shows("anna");
    answer(&shop, "anna", &run.id, "go").must(1).refused("E1003").says(&run.id);
    shop.run(&["report", &run.id, "--format", "md"])
        .must(0)
        .shows("Were the users told?")
        .shows("anna")
        .shows("the tests are green");

    // A no before anything has changed.
    let before = shop.censuses();
    let run = shop.begin(&["release", "v2"]);
    run.wait_for_event(&shop, "asked", "preflight.checklist.told");
    answer(&shop, "olga", &run.id, "no-go").must(0);
    shop.run(&["attach", &run.id]).must(3).shows("NO-GO").shows("the tests are green");
    // A no when everything has changed.
    let run = shop.begin(&["release", "v2"]);
    run.wait_for_event(&shop, "asked", "preflight.checklist.told");
    answer(&shop, "olga", &run.id, "go").must(0);
    run.wait_for_event(&shop, "asked", "decide.person");
    assert_eq!(shop.census("alpha").schema, Some(2), "asked after the migration");
    answer(&shop, "anna", &run.id, "no-go").must(0);
    shop.run(&["attach", &run.id]).must(3).shows("WENT BACK");
    assert_eq!(shop.censuses(), before);
    // Nobody answers.
    shop.change_configuration(|text| text.replace("deadline = \"60s\"", "deadline = \"1s\""));
    let late = shop.run(&["release", "v2", "--yes"]).must(3);
    late.shows("NO-GO").shows("no answer in time");
    assert_eq!(shop.public("alpha", "/api/products").1.as_deref(), Some("v1"));
    assert_eq!(shop.censuses(), before);
}

#[test]
fn a_long_step_is_aborted_while_others_look_on_and_nobody_else_begins() {
    let shop = Shop::open(&Setting { migration: 30_000, ..Setting::default() });
    let before = shop.censuses();
    let run = shop.begin(&["release", "v2"]);
    run.wait_for_event(&shop, "intended", "migrate.alpha");
    let onlooker =
        shop.command(&["attach", &run.id]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let program =
        shop.command(&["attach", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    shop.run(&["release", "v2", "--yes"]).must(1).refused("E0405").says(&run.id).says("eclusa attach");
    shop.run(&["backup"]).must(1).refused("E0405").says(&run.id);
    shop.run(&["resume", &run.id]).must(1).refused("E0404").says("living runner");
    answer(&shop, "olga", &run.id, "go").must(1).refused("E1003");
    assert_eq!(shop.public("alpha", "/api/products").0, 503);
    let began = std::time::Instant::now();
    shop.run(&["abort", "--reason", "the wrong day"]).must(0).shows("WENT BACK").shows("the wrong day");
    assert!(began.elapsed().as_secs() < 25, "the migration was not waited for: {:?}", began.elapsed());
    let onlooker = onlooker.wait_with_output().unwrap();
    assert_eq!(onlooker.status.code(), Some(3));
    assert!(String::from_utf8(onlooker.stdout).unwrap().contains("the wrong day"));
    let program = program.wait_with_output().unwrap();
    assert_eq!(program.status.code(), Some(3));
    for line in String::from_utf8(program.stdout).unwrap().lines() {
        serde_json::from_str::<Value>(line).unwrap();
    }
    assert_eq!(shop.censuses(), before);
    assert!(shop.processes().iter().all(|process| !process.is_of_a_step()), "{:?}", shop.processes());
    shop.run(&["abort", &run.id]).must(1).refused("E0404").says("eclusa rollback");

    // The runner dies: the next command says whose run it is and what to type.
    let run = shop.begin(&["release", "v2"]);
    run.wait_for_event(&shop, "intended", "migrate.alpha");
    let runner = shop.processes().into_iter().find(common::Process::is_runner).unwrap();
    common::processes::kill_one(&runner);
    run.wait_for_runner(&shop, None);
    shop.run(&["release", "v2", "--yes"])
        .must(1)
        .refused("E0405")
        .says(&format!("eclusa resume {}", run.id))
        .says("runner is gone");
    shop.run(&["status"]).must(1).shows(&format!("eclusa resume {}", run.id));
    let abandoned = shop.run(&["attach", &run.id]).must(1);
    abandoned.refused("E0404").says("eclusa resume");
    shop.run(&["resume"]).must(3).shows("WENT BACK");
    assert_eq!(shop.censuses(), before);
    shop.run(&["status"]).lacks("eclusa resume");
}

#[test]
fn a_tenant_comes_back_as_it_was_and_what_was_live_is_kept() {
    let shop = Shop::open(&Setting::default());
    shop.run(&["backup", "alpha"]).must(0);
    let points = shop.run(&["backups", "alpha", "--json"]).must(0).json();
    let point = points["tenants"][0]["points"][0]["id"].as_str().unwrap().to_owned();
    let before = shop.censuses();
    let live = shop.directory.join("data/alpha");
    let database = rusqlite::Connection::open(live.join("shop.sqlite")).unwrap();
    database.execute_batch("DELETE FROM payments; UPDATE products SET name = 'gone'").unwrap();
    drop(database);
    std::fs::write(live.join("receipts/stray.txt"), "new since").unwrap();
    let damaged = shop.census("alpha");
    assert_ne!(damaged, before[0]);

    shop.run(&["restore", "alpha", "--point", &point[..8], "--check"]).must(0).shows("proved");
    assert_eq!(shop.census("alpha"), damaged, "a check touches nothing");
    shop.run(&["restore", "alpha", "--point", &point[..8], "--yes"]).must(0).shows("GO.");
    assert_eq!(shop.censuses(), before);
    assert_eq!(shop.public("alpha", "/api/products").0, 200);
    let kept: Vec<String> = std::fs::read_dir(&live)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".old"))
        .collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
    let old = rusqlite::Connection::open(live.join(&kept[0])).unwrap();
    let left: i64 = old.query_row("SELECT count(*) FROM payments", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0, "what was live is kept as it was");
    shop.run(&["backups", "alpha"]).must(0).shows("salvage");
    // The newest point of all is now the salvage point of what was overwritten; it can be restored as well.
    shop.run(&["restore", "alpha", "--yes"]).must(0);
    assert_eq!(shop.census("alpha"), damaged);
    assert_eq!(shop.census("beta"), before[1]);
}

#[test]
fn hooks_run_at_their_points_and_are_taken_back() {
    let hook = |name: &str, at: &str, command: &str, undo: &str| {
        let undo =
            if undo.is_empty() { String::new() } else { format!("undo = [\"sh\", \"-c\", \"{undo}\"]\n") };
        format!(
            "[[stacks.shop.hooks]]\nname = \"{name}\"\nat = \"{at}\"\ntimeout = \"3s\"\ncommand = [\"sh\", \"-c\", \"{command}\"]\n{undo}"
        )
    };
    let tables = hook(
        "snapshot",
        "before.change",
        "echo snapshot of {release} $ECLUSA_STACK >> hooks.txt",
        "echo dropped >> hooks.txt",
    ) + &hook("word", "after.open", "echo open >> hooks.txt; exit 3", "")
        + &hook("last", "before.validate", "test ! -e fail || (cat fail; sh fail)", "");
    let shop = Shop::lay(&Setting { tables, ..Setting::default() });
    let said = || std::fs::read_to_string(shop.directory.join("hooks.txt")).unwrap_or_default();
    // A word that was not delivered after the gate has opened is no reason to go back.
    shop.run(&["release", "v1", "--yes"]).must(0).shows("change.hook.snapshot").shows("open.hook.word");
    assert_eq!(said(), "snapshot of v1 shop\nopen\n");
    let before = shop.censuses();
    std::fs::write(shop.directory.join("fail"), "exit 7\n").unwrap();
    let ran = shop.run(&["release", "v2", "--yes"]).must(3).shows("WENT BACK").shows("code 7").shows("E0802");
    ran.shows("validate.hook.last");
    assert_eq!(said(), "snapshot of v1 shop\nopen\nsnapshot of v2 shop\ndropped\n");
    assert_eq!(shop.censuses(), before);
    std::fs::write(shop.directory.join("fail"), "sleep 600\n").unwrap();
    let began = std::time::Instant::now();
    shop.run(&["release", "v2", "--yes"]).must(3).shows("E0803").shows("3 s");
    assert!(began.elapsed().as_secs() < 60);
    assert_eq!(shop.censuses(), before);
    assert!(
        !shop.processes().iter().any(|process| process.command.contains("sleep 600")),
        "{:?}",
        shop.processes()
    );
    assert_eq!(shop.public("alpha", "/api/products").1.as_deref(), Some("v1"));
}

#[test]
fn a_webhook_is_told_in_signed_events() {
    let receiver = Receiver::start();
    let tables = format!(
        "[[stacks.shop.webhooks]]\nurl = \"http://127.0.0.1:{}/hook\"\nsecret = \"file:hook.key\"\n\
         [[stacks.shop.webhooks]]\nurl = \"http://127.0.0.1:1/nobody\"\nevents = [\"run.ended\"]\n",
        receiver.port
    );
    let shop = Shop::lay(&Setting { tables, ..Setting::default() });
    shop.run(&["status"]).must(1).refused("E0104").says("hook.key");
    std::fs::write(shop.directory.join("hook.key"), "a secret of this test\n").unwrap();
    let key = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(shop.directory.join("hook.key"), key).unwrap();
    // One that does not listen holds up nothing, and is written down.
    let run = shop.begin(&["release", "v1"]);
    run.wait_for_runner(&shop, None);
    assert_eq!(run.outcome(&shop).as_deref(), Some("done"));
    let told = wait_for("the last event", 20, || {
        let told = receiver.received();
        told.iter().any(|one| String::from_utf8_lossy(&one.body).contains("run.ended")).then_some(told)
    });
    let kinds: Vec<String> = told
        .iter()
        .map(|one| serde_json::from_slice::<Value>(&one.body).unwrap()["type"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        kinds.contains(&"dev.eclusa.run.started".to_owned())
            && kinds.contains(&"dev.eclusa.run.ended".to_owned()),
        "{kinds:?}"
    );
    let now = jiff::Timestamp::now();
    for one in &told {
        let header = one.header("x-eclusa-signature");
        let right =
            eclusa_probes::verify_signature(&"a secret of this test".into(), header, &one.body, now, 300);
        assert!(right, "{header} of {}", String::from_utf8_lossy(&one.body));
        assert!(!eclusa_probes::verify_signature(&"another".into(), header, &one.body, now, 300));
        let event: Value = serde_json::from_slice(&one.body).unwrap();
        assert_eq!((&event["specversion"], &event["subject"]), (&"1.0".into(), &run.id.as_str().into()));
    }
    let lost = run.events(&shop).into_iter().find(|event| common::run::is(event, "notice-lost")).unwrap();
    assert!(lost.to_string().contains("E1001"), "{lost}");
    for path in [shop.state().join("journal.db"), shop.state().join("journal.db-wal")] {
        let bytes = std::fs::read(path).unwrap_or_default();
        assert!(
            !bytes.windows(21).any(|window| window == b"a secret of this test"),
            "the secret is in the journal"
        );
    }
}

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
    let nas = shop.directory.join("nas");
    let table = format!(
        "\n[[stacks.shop.mirrors]]\nname = \"nas\"\ndirectory = \"{}\"\nsame_file_system = true\n",
        nas.display()
    );
    shop.change_configuration(|text| text + &table);
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
    shop.run(&["drill"]).must(3).shows("validate.point.alpha");
    assert_ne!(shop.status()["safety"][1]["proved_at"], earlier, "beta is proved anew");
    std::fs::remove_dir_all(vault.join("alpha")).unwrap();
    shop.run(&["drill"]).must(3).says("There is no restore point of alpha");
    shop.run(&["drill", "alpha"]).must(1).refused("E0305");
    assert_eq!(shop.censuses(), before);
}

#[test]
fn a_command_of_ones_own_ends_as_it_ends_and_where_it_runs() {
    let shop = Shop::open(&Setting::default());
    let ran = shop.run(&["exec", "alpha", "--", "sh", "-c", "echo to whom; echo it concerns >&2; exit 7"]);
    ran.must(7).shows("to whom").says("it concerns");
    shop.run(&["exec", "gamma", "--", "true"]).must(1).refused("E0311").says("alpha");
    shop.run(&["exec", "alpha"]).must(2);
    shop.run(&["exec", "alpha", "--within", "1s", "--", "sleep", "297"]).must(1).refused("E0803");

    let mut child =
        shop.command(&["exec", "alpha", "--", "sleep", "298"]).stderr(Stdio::piped()).spawn().unwrap();
    let sleeps = |seconds: &str| {
        let pattern = format!("^sleep {seconds}$");
        Command::new("pgrep").args(["-f", &pattern]).output().unwrap().status.success()
    };
    wait_for("it runs", 20, || sleeps("298").then_some(()));
    let pid = rustix::process::Pid::from_raw(child.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!sleeps("298") && !sleeps("297"), "it goes on without anybody");
}
