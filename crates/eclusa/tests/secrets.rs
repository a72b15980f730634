//! No secret gets out. Canaries are planted in every place a secret can come from, every command is used, also those
//! that fail, commands and services print all of them in every form; and then every byte that was left or said is
//! searched. A leak that is made on purpose is found by the same search.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod canaries;
mod common;

use std::collections::BTreeSet;
use std::path::Path;

use canaries::planting::Planted;
use canaries::search::{Search, unpacked};
use canaries::watcher::{Seen, Watcher};
use canaries::{Canary, Shape};
use common::receiver::Receiver;

/// Everything an operator does, and what goes wrong on the way.
fn use_everything(planted: &mut Planted) {
    planted.run(&["release", "v1", "--yes"]).must(0);
    planted.run(&["edge", "install", "--yes"]).must(0);
    planted.run(&["backup", "--prove"]).must(0);
    planted.run(&["plan", "release", "v2", "--json"]).must(0);
    planted.run(&["plan", "release", "v2", "--out", "plan.json"]).must(0);
    planted.run(&["release", "v2", "--yes"]).must(0).shows("change.hook.noise");
    let fail = planted.shop.directory.join("fail");
    std::fs::write(&fail, "").unwrap();
    planted.run(&["release", "v3", "--yes", "--json"]).must(3);
    std::fs::remove_file(&fail).unwrap();
    planted.run(&["rollback", "--yes"]).must(0);
    // The oldest point is of the release that runs again.
    let points = planted.run(&["backups", "alpha", "--json"]).json();
    let point =
        points["tenants"][0]["points"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
    planted.run(&["restore", "alpha", "--point", &point, "--yes"]).must(0);
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["doctor"],
        &["doctor", "--json"],
        &["history"],
        &["history", "--json"],
        &["history", "--verify"],
        &["backups"],
        &["backups", "--json"],
        &["edge", "status"],
        &["plan", "rollback"],
    ] {
        planted.run(arguments);
    }
    let runs: Vec<String> = planted.run(&["history", "--json"]).json()["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["run"].as_str().unwrap().to_owned())
        .collect();
    assert!(runs.len() >= 7, "{runs:?}");
    // Newest first: a restore, a rollback, a release that went back, one that was done.
    for run in runs.iter().take(4) {
        planted.run(&["history", run, "--json"]).must(0);
        planted.run(&["history", run]).must(0);
        for form in ["html", "md", "json"] {
            planted.run(&["report", run, "--format", form]).must(0);
        }
    }
}

/// Commands that fail, each with a mistake in a place that has secrets near it.
fn fail_everywhere(planted: &mut Planted) {
    let secret = planted.nest.lay("a mistake in eclusa.toml", Shape::Random);
    let configuration = planted.shop.configuration();
    let good = std::fs::read_to_string(&configuration).unwrap();
    let environment = planted.shop.directory.join("shop.env");
    let variables = std::fs::read_to_string(&environment).unwrap();
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let mistakes = [
        with("LOG = \"info\" }", &format!("LOG = \"info\", MAIL_TOKEN = \"{secret}\" }}")),
        with("LOG = \"info\" }", &format!("LOG = \"{secret}\"")),
        with("LOG = \"info\" }", &format!("\"A-B\" = \"{secret}\" }}")),
        with("secret = \"file:secrets/webhook-0.key\"", &format!("secret = \"{secret}\"")),
        with("secret = \"file:secrets/webhook-0.key\"", &format!("sekret = \"{secret}\"")),
        with("secret = \"file:secrets/webhook-0.key\"", &format!("secret = [\"{secret}\"]")),
        with("secret = \"file:secrets/webhook-0.key\"", "secret = \"file:secrets/none.key\""),
        with("url = \"http", &format!("url = \"{secret} http")),
        with("url = \"http", &format!("password = \"{secret}\"\nurl = \"http")),
        with("drain = \"2s\"", "drain = \"2 fortnights\""),
        format!("{good}\n[stacks.shop.window]\npassword = \"{secret}\n"),
    ];
    for (number, mistake) in mistakes.iter().enumerate() {
        std::fs::write(&configuration, mistake).unwrap();
        let arguments: &[&str] = match number % 3 {
            0 => &["status", "--json"],
            1 => &["plan", "release", "v2"],
            _ => &["release", "v2", "--yes"],
        };
        let ran = planted.run(arguments);
        assert_ne!(ran.code, 0, "mistake {number}: {}", ran.out);
        if [0, 6, 10].contains(&number) {
            let output = format!("mistake-{number}.tar.zst");
            planted.run(&["bundle", "--output", &output]).must(0);
        }
    }
    std::fs::write(&configuration, &good).unwrap();
    for (number, line) in [
        &format!("BROKEN_TOKEN \"{secret}"),
        &secret.clone(),
        &format!("A=\"{secret}"),
        &format!("A=\"x\"{secret}"),
    ]
    .iter()
    .enumerate()
    {
        std::fs::write(&environment, format!("{variables}{line}\n")).unwrap();
        // A line of one word is a name to Compose, of a variable that the environment may have.
        planted.run(&["status"]).must(if number == 1 { 0 } else { 1 });
        if number < 2 {
            planted.run(&["bundle", "--output", &format!("environment-{number}.tar.zst")]).must(0);
        }
    }
    std::fs::write(&environment, variables).unwrap();
    for arguments in [
        &["release", "v9", "--yes"][..],
        &["restore", "nobody"],
        &["restore", "alpha", "--point", "0000"],
        &["report", "r-20200101-000000-aaaa"],
        &["history", "r-20200101-000000-aaaa", "--json"],
        &["resume"],
        &["abort"],
        &["answer", "go", "--reason", "x"],
        &["--stack", "none", "status"],
        &["--state", "/proc/none", "status"],
        &["--config", "adopted.toml", "adopt", "docker-compose.yml"],
        &["adopt", "docker-compose.yml"],
        &["report", "-o", "no/such/place.html"],
        &["bundle", "--output", "no/such/place"],
        &["release", "v2", "--plan", "shop.env"],
    ] {
        planted.run(arguments);
    }
}

/// Makes bundles of the whole stack and of one whose journal is damaged, and gives the first one's files' names.
fn bundles(planted: &mut Planted) -> BTreeSet<String> {
    planted.run(&["bundle", "--output", "whole.tar.zst"]).must(0).shows("whole.tar.zst").shows("INDEX.md");
    planted.run(&["bundle", "--output", "whole.tar.zst"]).must(1).refused("E0901").says("there already");
    let mode = std::fs::metadata(planted.shop.directory.join("whole.tar.zst")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&mode) & 0o777, 0o600);
    let (journal, aside) = (planted.shop.state().join("journal.db"), planted.shop.directory.join("aside"));
    std::fs::rename(&journal, &aside).unwrap();
    std::fs::write(&journal, "this is no journal").unwrap();
    let told = planted.run(&["bundle", "--output", "damaged.tar.zst", "--json"]).must(0).json();
    assert!(told["missing"].to_string().contains("E040"), "{told}");
    std::fs::rename(&aside, &journal).unwrap();
    unpacked(&planted.shop.directory.join("whole.tar.zst")).into_keys().collect()
}

/// Everything that was left and said.
fn search(planted: &Planted, canaries: &[Canary], seen: &Seen, receiver: &Receiver) -> Search {
    let mut search = Search::new(canaries);
    for ran in &planted.said {
        search.look("output", &format!("eclusa {}", ran.typed), ran.out.as_bytes());
        search.look("error", &format!("eclusa {}", ran.typed), ran.err.as_bytes());
    }
    for arguments in &seen.arguments {
        search.look("argv", arguments.split(' ').next().unwrap_or_default(), arguments.as_bytes());
    }
    for told in receiver.received() {
        search.look("webhook", "a body", &told.body);
    }
    search.directory("state", &planted.shop.state(), &|path| planted.may_hold_secrets(path));
    let plan = std::fs::read(planted.shop.directory.join("plan.json")).unwrap();
    search.look("plan", "plan.json", &plan);
    for entry in std::fs::read_dir(&planted.shop.directory).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".tar.zst") {
            search.bundle(&path);
        }
    }
    environments(planted, canaries, seen, &mut search);
    search
}

/// Processes have in their environment what is theirs: the edge and supervisors nothing, a service its own, the runner
/// what whoever began it had.
fn environments(planted: &Planted, canaries: &[Canary], seen: &Seen, search: &mut Search) {
    let operator: BTreeSet<&String> = planted.operator.iter().map(|(_, value)| value).collect();
    for (arguments, environment) in &seen.environments {
        let rightly = |value: &String| {
            if arguments.contains(" edge serve")
                || (arguments.contains(" supervise") && !arguments.contains(" child "))
            {
                false
            } else if arguments.contains(" serve ") || arguments.contains(" child ") {
                planted.of_service.contains(value)
            } else {
                // A command, its runner, and what commands start.
                operator.contains(value) || arguments.contains(" shop ")
            }
        };
        for canary in canaries.iter().filter(|canary| !rightly(&canary.value)) {
            if environment.contains(&canary.value) {
                search.look("environ", arguments, canary.value.as_bytes());
            }
        }
    }
}

fn keys(planted: &mut Planted) {
    fn each(directory: &Path, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                each(&path, found);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                found.push((path.display().to_string(), text.trim().to_owned()));
            }
        }
    }
    let mut found = Vec::new();
    each(&planted.shop.state().join("keys"), &mut found);
    assert!(found.len() >= 2, "{found:?}");
    for (place, value) in found {
        planted.nest.adopt(&place, &value);
    }
}

#[test]
fn no_secret_gets_out_and_one_that_does_is_found() {
    let receiver = Receiver::start();
    let mut planted = Planted::lay(receiver.port);
    let watcher = Watcher::start(&planted.shop.binary);
    use_everything(&mut planted);
    keys(&mut planted);
    let files = bundles(&mut planted);
    fail_everywhere(&mut planted);

    let canaries = planted.nest.canaries.clone();
    let distinct: BTreeSet<&String> = canaries.iter().map(|canary| &canary.value).collect();
    assert!(distinct.len() >= 200, "{}", distinct.len());
    let seen = watcher.seen();
    let found = search(&planted, &canaries, &seen, &receiver);
    println!("{} canaries; bytes searched: {:?}", distinct.len(), found.looked);
    for kind in ["output", "error", "argv", "webhook", "state", "plan", "bundle"] {
        assert!(found.looked.get(kind).is_some_and(|bytes| *bytes > 100), "nothing of {kind} was searched");
    }
    // What the search relies on did happen: the commands were noisy, and the processes were seen.
    let outputs = std::fs::read_dir(planted.shop.state().join("runs")).unwrap().count();
    assert!(outputs >= 7 && found.looked["state"] > 1_000_000, "{outputs}, {:?}", found.looked);
    for part in [" own-run ", " supervise", " edge serve", "noisy.sh", " migrate "] {
        assert!(seen.arguments.iter().any(|arguments| arguments.contains(part)), "{part} was not seen");
    }
    for (part, kept) in [("INDEX.md", "is in it"), ("eclusa.toml", ""), ("host.txt", ""), ("doctor.json", "")]
    {
        assert!(files.contains(part), "{part} {kept} in {files:?}");
    }
    for end in [
        "events.jsonl",
        "plan.json",
        "report.md",
        "runner.log",
        "status.json",
        "logs/web.log",
        "edge/edge.json",
    ] {
        assert!(files.iter().any(|file| file.ends_with(end)), "{end} in {files:?}");
    }
    assert!(found.found.is_empty(), "{}", found.told());

    // The same search finds what gets out, and where: without the redaction, and with a secret among arguments.
    planted.said.clear();
    std::fs::write(planted.shop.directory.join("fail"), "").unwrap();
    planted
        .run_with(&["release", "v2", "--yes"], &[("ECLUSA_MUTANT", "secrets.redaction,secrets.environment")])
        .must(3);
    planted
        .run_with(&["bundle", "--output", "leaky.tar.zst"], &[("ECLUSA_MUTANT", "secrets.redaction")])
        .must(0);
    let found = search(&planted, &canaries, &watcher.seen(), &receiver);
    for place in [
        "state: ",
        "output: eclusa release",
        "argv: ",
        "bundle: ",
        "validate.check.books.alpha.log",
        "journal.db",
    ] {
        assert!(
            found.found.iter().any(|leak| leak.place.contains(place)),
            "nothing found in {place}:\n{}",
            found.told()
        );
    }
    for planted in ["file secrets/5.key", "shop.env APP_PASSWORD_0", "operator's OPERATOR_TOKEN_1"] {
        assert!(
            found.found.iter().any(|leak| leak.planted.starts_with(planted)),
            "no {planted}:\n{}",
            found.told()
        );
    }
}
