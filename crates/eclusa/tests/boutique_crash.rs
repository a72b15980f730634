//! A seeded sample of crashes on Docker: the runner of a release is killed at journal events of it, and resumed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod boutique_stack;

use std::time::{Duration, Instant};

use boutique_stack::{Boutique, get};

/// Where it is killed: before or after the events of these steps, one from each kind of work. `ECLUSA_CRASHES` names
/// others, separated by commas.
const CRASHES: [&str; 4] = ["migrate.boutique", "change.pin", "migrate.start", "secure.point.boutique"];

#[test]
fn a_killed_release_of_the_boutique_is_resumed_to_a_safe_end() {
    let shop = Boutique::lay("crash");
    shop.must(0, &["edge", "install", "--yes"]);
    shop.must(0, &["backup", "--prove"]);
    let line =
        "tests = { command = [\"pytest\", \"-q\", \"--create-db\"], database_variable = \"POSTGRES_DB\" }\n";
    shop.configure(line, "");
    // Its events are the same each time up to the point of the crash, so one run that goes back tells the numbers.
    shop.configure("[[stacks.boutique.checks]]\nname = \"login\"", "[[stacks.boutique.checks]]\nname = \"never\"\ncommand = [\"false\"]\n\n[[stacks.boutique.checks]]\nname = \"login\"");
    let (books, databases) = (shop.books(), shop.databases());
    shop.must(3, &["release", "v2", "--yes"]);
    assert_eq!((shop.books(), shop.databases()), (books.clone(), databases.clone()));
    let run = shop.newest_run();
    let events = shop.must(0, &["history", &run, "--json"]);
    let wanted = std::env::var("ECLUSA_CRASHES").unwrap_or_else(|_| CRASHES.join(","));
    for step in wanted.split(',') {
        let sequence = events
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .find(|event| event["event"] == "intended" && event["step"] == step)
            .and_then(|event| event["sequence"].as_u64())
            .unwrap_or_else(|| panic!("no event of {step}"));
        killed_at(&shop, sequence);
        assert_eq!(shop.books(), books, "killed at {step}");
        assert_eq!(shop.databases(), databases, "killed at {step}");
        assert_eq!(shop.version(), "v1", "killed at {step}");
        assert_eq!(get(shop.port, "/api/v1/auth/csrf/").status, 200);
        shop.must(0, &["status"]);
    }
    assert!(shop.must(0, &["history", "--verify"]).contains("whole"));
}

/// Kills the runner right after this event was written, and resumes.
fn killed_at(shop: &Boutique, sequence: u64) {
    let output = shop
        .command(&["release", "v2", "--yes", "--detach"])
        .env("ECLUSA_CRASH_AT", format!("after:{sequence}"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run = shop.newest_run();
    let pid = runner_pid(shop, &run);
    let deadline = Instant::now() + Duration::from_secs(180);
    while std::path::Path::new(&format!("/proc/{pid}")).exists() {
        assert!(Instant::now() < deadline, "the runner was not killed at event {sequence}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let text = shop.must(1, &["status"]);
    assert!(text.contains("nobody owns it") && text.contains("eclusa resume"), "{text}");
    // Another release is refused while this one has not ended.
    assert!(shop.must(1, &["release", "v5", "--yes"]).contains("E0405"));
    let text = shop.must(3, &["resume"]);
    assert!(text.contains("WENT BACK") || text.contains("NO-GO"), "{text}");
}

fn runner_pid(shop: &Boutique, run: &str) -> String {
    let path = shop.state().join("runs").join(run).join("runner");
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Ok(text) = std::fs::read_to_string(&path)
            && let Some(pid) = text.split_whitespace().next()
        {
            return pid.to_owned();
        }
        assert!(Instant::now() < deadline, "no runner noted itself");
        std::thread::sleep(Duration::from_millis(50));
    }
}
