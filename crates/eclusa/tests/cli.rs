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
    shop.run(&["doctor"]).must(0).shows("in no escrow").lacks("All is well.");
    shop.run(&["keys", "escrow", "-o", "keys.age", "--to", common::RECIPIENT]).must(0);
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
