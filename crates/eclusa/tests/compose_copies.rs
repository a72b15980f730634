//! Copies of sites of a bench on Compose: under another name, and as what the application is tried on. What goes along and
//! what does not, that a copy that was not finished is nowhere, and that what runs on one reaches nothing else. The testbench
//! stands in for Frappe; the database and the engine are real.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;
mod trials;

use bench::{ComposeBench, text};
use serde_json::json;
use trials::{address, container, docker, reaches};

const ONE: &str = "s01.localhost";
const COPY: &str = "staging.localhost";

/// Whatever is there of sites: directories, databases, accounts.
fn everything(bench: &ComposeBench) -> String {
    let sites =
        bench.inside("backend", &["sh", "-c", "ls -A sites; ls -A sites/.eclusa-* 2>/dev/null || true"]);
    let server = bench.administer(
        "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY 1; SELECT User, Host FROM mysql.user ORDER BY 1, 2",
    );
    format!("{sites}\n{server}\n{}", trials::everything())
}

/// A run that is killed at a point; gives its id.
fn killed(bench: &ComposeBench, arguments: &[&str], point: &str) -> String {
    let mut command = bench.command(arguments);
    let begun = command.env("ECLUSA_CRASH_AT", point).output().unwrap();
    assert!(begun.status.success(), "{}", text(&begun));
    let run = String::from_utf8_lossy(&begun.stdout).lines().last().unwrap().trim().to_owned();
    let died = || text(&bench.eclusa(&["status"])).contains("resume");
    for _ in 0..300 {
        if died() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    run
}

/// A clone that is killed at a point, and how it is ended.
fn killed_at(bench: &ComposeBench, point: &str, then: &str) -> (Option<i32>, String) {
    let run = killed(bench, &["clone", ONE, COPY, "--yes", "--detach"], point);
    let ended = bench.eclusa(&[then, &run]);
    (ended.status.code(), text(&ended))
}

#[test]
fn a_site_is_copied_without_what_must_stay_and_never_half() {
    let bench = ComposeBench::start("clone", 1);
    for (key, value) in [("mail_password", "hunter2"), ("max_file_size", "1")] {
        bench.bench(ONE, &["set-config", key, value]);
    }
    let key = "INSERT INTO __Auth (doctype, name, fieldname, password, encrypted) \
         VALUES ('Email Account', 'Post', 'password', 'gAAAAA', 1); \
         INSERT INTO tabSessions (user, sid) VALUES ('Administrator', 'stolen')";
    bench.sql(ONE, key);
    bench.must(&["backup"]);
    let before = everything(&bench);
    let original = bench.sql(ONE, "CHECKSUM TABLE tabCustomer, __Auth, tabSessions");
    let masking = |sql: &str| std::fs::write(bench.directory.join("mask.sql"), sql).unwrap();
    let wanted = ["clone", ONE, COPY, "--masking", "mask.sql", "--yes"];

    // What cannot be is refused before anything is done.
    masking("UPDATE tabCustomer SET customer_name = 'no end'");
    assert!(bench.ends(1, &wanted).contains("no semicolon"));
    assert!(bench.ends(1, &["clone", ONE, ONE, "--yes"]).contains("E0611"));
    // A masking file that fails leaves nothing of the copy, and none of its words in the journal.
    masking("UPDATE tabCustomer SET customer_name = 'Jane Roe';\nUPDATE tabNowhere SET a = 'Jane Roe';\n");
    let said = bench.ends(3, &wanted);
    assert!(said.contains("E0508") && said.contains("at line 2") && !said.contains("Jane Roe"), "{said}");
    assert_eq!(everything(&bench), before);

    // Killed in the middle of the statements, it is not known what they did: nothing is left. Killed later, it goes on.
    let (code, said) = killed_at(&bench, "change.scrub.staging.localhost/clone.scrubbed", "resume");
    assert_eq!(code, Some(3), "{said}");
    assert_eq!(everything(&bench), before);
    for (point, then) in [
        ("change.fill.staging.localhost/clone.database-beside", "abort"),
        ("change.publish.staging.localhost/clone.database-swapped", "abort"),
        ("change.publish.staging.localhost/clone.placed", "abort"),
    ] {
        let (code, said) = killed_at(&bench, point, then);
        assert!(code.is_some_and(|code| code != 1 && code != 2), "{point}: {said}");
        bench.eclusa(&["resume"]);
        assert_eq!(everything(&bench), before, "{point}: {said}");
    }
    let (code, said) = killed_at(&bench, "change.publish.staging.localhost/clone.database-swapped", "resume");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(bench.status(COPY, "/login"), 200);
    let name = bench.config(COPY)["db_name"].as_str().unwrap().to_owned();
    bench.administer(&format!("DROP DATABASE `{name}`; DROP USER '{name}'@'%'"));
    bench.inside("backend", &["rm", "-r", "sites/staging.localhost"]);
    assert_eq!(everything(&bench), before, "that was all there was of it");

    masking("UPDATE tabCustomer SET customer_name = CONCAT('Customer ', name);\n");
    let said = bench.must(&wanted);
    assert!(said.contains("mail_password"), "what is left out is named: {said}");
    let (own, copy) = (bench.config(ONE), bench.config(COPY));
    assert_eq!(
        (&copy["mute_emails"], &copy["pause_scheduler"], &copy["maintenance_mode"]),
        (&json!(1), &json!(1), &json!(0))
    );
    assert_eq!(copy["max_file_size"], own["max_file_size"]);
    assert!(copy.get("mail_password").is_none());
    for secret in ["db_name", "db_password", "encryption_key"] {
        assert_ne!(copy[secret], own[secret], "{secret}");
        assert!(copy[secret].as_str().is_some_and(|text| text.len() > 10), "{secret}");
    }
    assert_eq!(bench.sql(COPY, "SELECT COUNT(*) FROM __Auth WHERE encrypted = 1"), "0");
    assert_eq!(bench.sql(COPY, "SELECT COUNT(*) FROM tabSessions"), "0");
    assert_ne!(bench.sql(COPY, "SELECT COUNT(*) FROM __Auth"), "0", "people sign in as they did");
    assert_eq!(
        bench.sql(COPY, "SELECT COUNT(*) FROM tabCustomer WHERE customer_name <> CONCAT('Customer ', name)"),
        "0"
    );
    assert_eq!(
        bench.sql(COPY, "SELECT COUNT(*) FROM tabCustomer"),
        bench.sql(ONE, "SELECT COUNT(*) FROM tabCustomer")
    );
    assert_eq!(
        bench.inside("backend", &["cat", "sites/staging.localhost/private/files/contract.txt"]),
        "secret of s01.localhost\n"
    );
    // The application itself reads and writes there, by the account that was made.
    assert_eq!(bench.status(COPY, "/login"), 200);
    bench.bench(COPY, &["set-maintenance-mode", "off"]);
    assert!(bench.must(&["tenants"]).contains(COPY));
    // The site that was copied is as it was, and so is everything of it.
    assert_eq!(bench.sql(ONE, "CHECKSUM TABLE tabCustomer, __Auth, tabSessions"), original);
    assert!(bench.ends(1, &wanted).contains("E0611"), "nothing is ever overwritten");
    // It is a tenant like any other.
    bench.must(&["backup", COPY, "--prove"]);
    the_application_is_started_on_copies(&bench);
    a_release_is_rehearsed(&bench);
}

fn the_application_is_started_on_copies(bench: &ComposeBench) {
    let before = everything(bench);
    bench.inside("redis-cache", &["redis-cli", "set", "of-the-live", "1"]);
    let said = bench.must(&["drill", "--application"]);
    for gate in ["probes", "pages", "websocket", "patches"] {
        for site in [ONE, COPY] {
            assert!(said.contains(&format!("validate.{gate}.{site}")), "{gate} {site}: {said}");
        }
    }
    assert!(said.contains("GO. Run") && said.contains("restored and proved in"), "{said}");
    assert_eq!(everything(bench), before);
    assert_eq!(bench.inside("redis-cache", &["redis-cli", "get", "of-the-live"]).trim(), "1");

    // What runs on a copy reaches the database of the copy, and nothing else.
    let point = format!("validate.start.{ONE}/trial.started");
    let run = killed(bench, &["drill", "--application", ONE, "--detach"], &point);
    let backend = container("backend");
    assert!(reaches(&backend, "eclusa-database", 3306) && reaches(&backend, "redis-cache", 6379));
    for (service, port) in [("db", 3306), ("redis-queue", 6379), ("backend", 8000)] {
        assert!(
            !reaches(&backend, &address(&bench.project, service), port),
            "{service} of the live stack is reached"
        );
    }
    assert!(!reaches(&backend, "db", 3306), "the live server has no name there");
    let config = docker(&["exec", &backend, "cat", &format!("sites/{ONE}/site_config.json")]);
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let (own, live) = (config["db_name"].as_str().unwrap(), bench.config(ONE));
    assert_ne!(config["db_name"], live["db_name"]);
    assert_eq!((&config["mute_emails"], &config["pause_scheduler"]), (&json!(1), &json!(1)));
    assert_eq!(config["encryption_key"], live["encryption_key"], "it is the restore point's own");
    let grants = bench.administer(&format!("SHOW GRANTS FOR '{own}'@'%'"));
    assert!(!grants.contains(live["db_name"].as_str().unwrap()), "{grants}");
    assert!(docker(&["exec", &backend, "ls", "sites"]).split_whitespace().all(|name| name != COPY));
    // Whoever gives it up finds nothing left of it.
    let said = bench.ends(0, &["abort", &run]);
    bench.eclusa(&["resume"]);
    assert_eq!(everything(bench), before, "{said}");
}

fn a_release_is_rehearsed(bench: &ComposeBench) {
    let before = everything(bench);
    let said = bench.ends(1, &["plan", "release", "v15.3", "--rehearsed"]);
    assert!(said.contains("E0317") && said.contains("never rehearsed"), "{said}");
    // A patch of one site dies halfway: on the copy, not where people work.
    bench.bench(COPY, &["set-config", "testbench_fail", "patch"]);
    bench.must(&["backup"]);
    let books = bench.sql(COPY, "CHECKSUM TABLE tabCustomer, `tabPatch Log`");
    let said = bench.ends(3, &["rehearse", "v15.3"]);
    assert!(said.contains("PARTLY. Run") && said.contains("Executing erpshop.patches"), "{said}");
    assert!(said.contains(&format!("{COPY}: v15.3 did NOT come through")), "{said}");
    assert!(said.contains(&format!("{ONE}: v15.3 came through. Migrated in")), "{said}");
    assert!(said.contains("works on the migrated data too"), "{said}");
    assert_eq!(bench.sql(COPY, "CHECKSUM TABLE tabCustomer, `tabPatch Log`"), books);
    assert_eq!(bench.inside("backend", &["bench", "version"]), "erpshop 15.1.0\nfrappe 15.1.0\n");
    assert_eq!((bench.status(ONE, "/login"), bench.status(COPY, "/login")), (200, 200));
    assert_eq!(everything(bench), before);
    let said = bench.ends(1, &["plan", "release", "v15.3", "--rehearsed"]);
    assert!(said.contains("E0317") && said.contains(COPY) && said.contains("did not come through"), "{said}");

    bench.bench(COPY, &["set-config", "testbench_fail", "None"]);
    bench.must(&["backup", COPY]);
    bench.must(&["rehearse", "v15.3", COPY]);
    let said = bench.must(&["plan", "release", "v15.3", "--rehearsed"]);
    assert!(said.contains("preflight.rehearsed"), "{said}");
}
