//! What is asked of a bench's sites under a new release, on a bench of two sites: a release in which all of it holds and a
//! connection is in the way of a migration, and releases in which each thing is wrong that no command reports.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;

use bench::ComposeBench;

const ONE: &str = "s01.localhost";
const TWO: &str = "s02.localhost";

/// Beside what is on by itself. All gates of a phase are asked at once, so that each says what it found.
const MORE: &str = r#"
[stacks.erp.limits]
parallel = 12
unblock_after = "2s"

[stacks.erp.frappe.gates]
scheduler_within = "90s"

[[stacks.erp.frappe.gates.login]]
user = "Administrator"
password = "file:password"
open = ["Customer", "Sales Invoice"]

[[stacks.erp.frappe.gates.console]]
name = "version"
script = """
print('before')
print('it is', frappe.__version__)
"""
last_line = "it is 15."

[[stacks.erp.frappe.gates.tests]]
module = "frappe.tests.test_passing"
tenant = "s02.localhost"

[[stacks.erp.frappe.set_config]]
key = "allow_tests"
value = true
tenant = "s02.localhost"

[[stacks.erp.frappe.set_config]]
key = "limits"
value = { users = 5, plan = "small" }

[[stacks.erp.frappe.set_config]]
key = "server_script_enabled"
value = true
common = true
"#;

struct Bench(ComposeBench);

impl std::ops::Deref for Bench {
    type Target = ComposeBench;

    fn deref(&self) -> &ComposeBench {
        &self.0
    }
}

impl Bench {
    fn start() -> Self {
        let bench = Self(ComposeBench::start("gates", 2));
        bench.configure(&format!("{}{MORE}", bench.configuration()));
        bench.password("admin");
        bench
    }

    fn password(&self, password: &str) {
        std::fs::write(self.directory.join("password"), password).unwrap();
    }

    fn release(&self, release: &str, code: i32) -> String {
        let said = self.ends(code, &["release", release, "--yes"]);
        assert!(!said.contains("admin.pw") && !said.contains("pwd="), "{said}");
        said
    }

    fn fail(&self, site: &str, switch: &str) {
        self.inside("backend", &["bench", "--site", site, "set-config", "testbench_fail", switch]);
    }

    /// A transaction of the site's own user that has read a table and asks for nothing more, for ten minutes.
    fn forgotten_transaction(&self, site: &str) {
        let config = self.config(site);
        let name = config["db_name"].as_str().unwrap();
        let script = "(echo 'START TRANSACTION; SELECT COUNT(*) FROM tabCustomer;'; exec sleep 600) | \
             mariadb --host=127.0.0.1 --user=$0 $0";
        let password = format!("MYSQL_PWD={}", config["db_password"].as_str().unwrap());
        let mut command = self.docker(&["exec", "--detach", "-e", &password, "db", "sh", "-c", script, name]);
        assert!(command.status().unwrap().success());
        for _ in 0..100 {
            if self.sleeping_transactions() > 0 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("the transaction was never seen");
    }

    fn sleeping_transactions(&self) -> u32 {
        let open = "SELECT COUNT(*) FROM information_schema.INNODB_TRX t JOIN information_schema.PROCESSLIST p \
             ON p.ID = t.trx_mysql_thread_id WHERE p.COMMAND = 'Sleep'";
        self.administer(open).parse().unwrap()
    }
}

#[test]
fn what_no_command_reports_is_seen_and_what_is_in_the_way_is_ended() {
    let bench = Bench::start();
    bench.forgotten_transaction(ONE);
    let said = bench.release("v15.2", 0);
    assert!(said.contains("GO. Run"), "{said}");
    assert!(said.contains("ended, since it was in the way: connection"), "{said}");
    assert_eq!(bench.sleeping_transactions(), 0, "its connection is gone");
    for gate in ["pages", "patches", "login", "console-version", "rows", "errors"] {
        for site in [ONE, TWO] {
            assert!(said.contains(&format!("validate.{gate}.{site}")), "{gate} of {site}: {said}");
        }
    }
    assert!(said.contains("validate.tests-frappe.tests.test_passing.s02.localhost"), "{said}");
    for queue in ["short", "default", "long"] {
        assert!(said.contains(&format!("a job went through (s01.localhost, {queue})")), "{said}");
    }
    assert!(said.contains("s02.localhost: a scheduled job ran within"), "{said}");
    let limits = serde_json::json!({"users": 5, "plan": "small"});
    assert_eq!(bench.file("s01.localhost/site_config.json")["limits"], limits);
    assert_eq!(bench.file("s02.localhost/site_config.json")["allow_tests"], true);
    assert_eq!(bench.file("common_site_config.json")["server_script_enabled"], true);

    // While nothing works in the background: a stale map of assets, a patch that was left out, a person who cannot come in.
    bench.fail(ONE, "assets-stale");
    bench.fail(TWO, "patch-skipped");
    bench.password("admin.pw");
    let configuration = bench.configuration();
    let changed = configuration.replace("value = { users = 5, plan = \"small\" }", "value = 6");
    let changed =
        changed.replace("key = \"server_script_enabled\"\nvalue = true", "key = \"server_script_enabled\"");
    bench.configure(&changed);
    let said = bench.release("v15.3", 3);
    for found in [
        "known to redis-cache: assets_json; not known to backend: assets.json, backend: disk, frontend: disk",
        "s02.localhost: not done, or skipped after a failure: erpshop.patches.",
        "s01.localhost: Administrator cannot sign in: status 401, not 200",
    ] {
        assert!(said.contains(found), "{found}: {said}");
    }
    // Settings are what they were, with their types, also those that were not there before.
    assert_eq!(bench.file("s01.localhost/site_config.json")["limits"], limits);
    assert_eq!(bench.file("common_site_config.json")["server_script_enabled"], true);

    // What the migration lost, and what it only logged.
    bench.configure(&configuration);
    bench.password("admin");
    bench.fail(ONE, "rows-lost");
    bench.fail(TWO, "error-logged");
    let said = bench.release("v15.3", 3);
    for found in [
        "s01.localhost: tabSales Invoice Item is empty; it had",
        "s02.localhost: 1 new rows in tabError Log, at most 0 are borne; the newest: erpshop.ledger.rebuild",
    ] {
        assert!(said.contains(found), "{found}: {said}");
    }
    assert_eq!(bench.inside("backend", &["bench", "version"]), "erpshop 15.2.0\nfrappe 15.2.0\n");
}
