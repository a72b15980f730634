//! A bench of twelve sites on Compose: a release of all of them, one in which a patch of one site dies, a rollback, and
//! what lies on a bench and is no site. The testbench stands in for Frappe; the databases, the queues and the engine are
//! real.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bench;

use std::collections::BTreeMap;

use bench::{ComposeBench, text};

const SITES: usize = 12;

fn site(number: usize) -> String {
    format!("s{number:02}.localhost")
}

struct Bench(ComposeBench);

impl std::ops::Deref for Bench {
    type Target = ComposeBench;

    fn deref(&self) -> &ComposeBench {
        &self.0
    }
}

impl Bench {
    fn start() -> Self {
        let bench = ComposeBench::start("bench", SITES);
        // To be watched, each of so many sites would have to be asked more often than two processors answer.
        bench.configure(&bench.configuration().replace("for = \"10s\"", "for = \"0s\""));
        Self(bench)
    }

    /// What must be as before after a release that went back: what each site has of what its people wrote.
    fn books(&self) -> BTreeMap<String, String> {
        (1..=SITES)
            .map(site)
            .map(|site| {
                let sql = "SELECT GROUP_CONCAT(COLUMN_NAME ORDER BY COLUMN_NAME) FROM information_schema.COLUMNS \
                     WHERE TABLE_SCHEMA = DATABASE(); CHECKSUM TABLE `tabCustomer`, `tabSales Invoice`, `tabSales Invoice Item`, \
                     `tabUser`, `tabCustom Field`";
                let files = self.inside("backend", &["sh", "-c", "cat sites/$0/*/files/*", &site]);
                let database = self.sql(&site, sql);
                // Checksums are named by the database, which stays the same.
                (site, format!("{database}\n{files}"))
            })
            .collect()
    }

    /// Nobody is left closed, nothing is left behind.
    fn at_rest(&self) {
        let configs = self.configs();
        for number in 1..=SITES {
            assert_eq!(self.status(&site(number), "/login"), 200, "{}", site(number));
            let config = &configs[&site(number)];
            assert_ne!(config["maintenance_mode"], 1, "{}", site(number));
            assert_ne!(config["pause_scheduler"], true, "{}", site(number));
        }
        assert_eq!(self.half_restored(), "0");
        assert!(self.bench(&site(1), &["doctor"]).contains("Workers online: 2"));
    }
}

#[test]
fn twelve_sites_go_through_the_lock_and_one_that_fails_takes_all_back() {
    let bench = Bench::start();
    let found: serde_json::Value = serde_json::from_str(&bench.must(&["tenants", "--json"])).unwrap();
    assert_eq!(found["tenants"].as_array().unwrap().len(), SITES);
    assert_eq!(found["tenants"][0]["apps"], serde_json::json!(["frappe 15.1.0", "erpshop 15.1.0"]));
    // What adopt writes for it finds the same.
    bench.must(&["adopt", "compose.yml", "--output", "adopted.toml"]);
    let adopted = bench.must(&["--config", "adopted.toml", "tenants", "--json"]);
    let adopted: serde_json::Value = serde_json::from_str(&adopted).unwrap();
    // How large a database is changes by itself.
    let lasting = |listed: &serde_json::Value| -> Vec<serde_json::Value> {
        let tenants = listed["tenants"].as_array().unwrap().iter();
        tenants
            .map(|one| serde_json::json!([one["tenant"], one["domains"], one["apps"], one["site"]]))
            .collect()
    };
    assert_eq!(lasting(&adopted), lasting(&found));
    let apps = bench.eclusa(&["exec", "s02.localhost", "--", "list-apps"]);
    assert!(apps.status.success() && text(&apps).contains("erpshop 15.1.0"), "{}", text(&apps));
    bench.must(&["backup", "--prove"]);
    bench.must(&["edge", "install", "--yes"]);

    // What a site has written itself survives the migration.
    bench.sql(&site(3), "UPDATE tabCustomer SET customer_name = 'Größe 3' WHERE name = 'CUST-00003'");
    bench.sql(&site(4), "INSERT INTO `tabCustom Field` (name, dt, fieldname) VALUES ('Customer-tax_id', 'Customer', 'tax_id')");
    let output = bench.must(&["release", "v15.2", "--yes"]);
    assert!(output.contains("GO. Run"), "{output}");
    for number in [1, SITES] {
        let site = site(number);
        assert_eq!(bench.bench(&site, &["list-apps"]).matches("15.2.0").count(), 2, "{site}");
    }
    for number in 1..=SITES {
        let site = site(number);
        assert_eq!(
            bench.sql(&site, "SELECT COUNT(*) FROM tabCustomer WHERE loyalty_points > 0"),
            "200",
            "{site}"
        );
    }
    assert_eq!(
        bench.sql(&site(3), "SELECT customer_name FROM tabCustomer WHERE name = 'CUST-00003'"),
        "Größe 3"
    );
    bench.at_rest();

    // A patch of one site dies halfway: rows changed, the table altered. All sites go back, each from its own point.
    bench.bench(&site(7), &["set-config", "testbench_fail", "patch"]);
    let before = bench.books();
    let output = bench.eclusa(&["release", "v15.3", "--yes"]);
    let said = text(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    let failing = "“Executing erpshop.patches.v15_3.split_totals in s07.localhost";
    assert!(said.contains(failing), "the failing patch is named: {said}");
    assert!(
        said.contains("WENT BACK. Run") && said.contains("the step migrate.s07.localhost failed"),
        "{said}"
    );
    assert!(
        said.contains("all others stayed as they were"),
        "what the migration did not touch stays: {said}"
    );
    let after = bench.books();
    for (site, books) in &before {
        assert_eq!(after.get(site), Some(books), "{site} is as it was before");
    }
    assert_eq!(bench.inside("backend", &["bench", "version"]), "erpshop 15.2.0\nfrappe 15.2.0\n");
    bench.at_rest();

    // Back to the release before, with the data of before; what was written since is kept.
    bench.bench(&site(7), &["set-config", "testbench_fail", "None"]);
    bench.sql(
        &site(5),
        "UPDATE tabCustomer SET customer_name = 'written under 15.2' WHERE name = 'CUST-00005'",
    );
    let output = bench.must(&["rollback", "--yes"]);
    assert!(output.contains("GO. Run"), "{output}");
    assert_eq!(bench.inside("backend", &["bench", "version"]), "erpshop 15.1.0\nfrappe 15.1.0\n");
    let name = "SELECT customer_name FROM tabCustomer WHERE name = 'CUST-00005'";
    assert_ne!(bench.sql(&site(5), name), "written under 15.2");
    assert!(
        bench.must(&["backups"]).contains("salvage"),
        "what was written under 15.2 is in a salvage point"
    );
    bench.at_rest();

    refusals(&bench);
}

/// What is refused before anything is changed.
fn refusals(bench: &Bench) {
    // A directory that `new-site` left half made, one with a name that no shell survives, and one without JSON.
    let bad = [("half.localhost", None), ("$(touch x); b", Some("{}")), ("text.localhost", Some("no JSON"))];
    for (name, content) in bad {
        bench.inside("backend", &["mkdir", "-p", &format!("sites/{name}/locks")]);
        if let Some(content) = content {
            let path = format!("sites/{name}/site_config.json");
            bench.inside("backend", &["sh", "-c", "printf %s \"$1\" >\"$0\"", &path, content]);
        }
        let output = bench.eclusa(&["release", "v15.2", "--yes"]);
        assert!(!output.status.success() && text(&output).contains("E0313"), "{}", text(&output));
    }
    let output = bench.eclusa(&["tenants"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    for (name, _) in bad {
        assert!(text(&output).contains(name), "{}", text(&output));
    }
    // Those that can be used are backed up all the same.
    bench.must(&["backup", "s01.localhost"]);
    for (name, _) in bad {
        bench.inside("backend", &["rm", "-r", &format!("sites/{name}")]);
    }
    // A site that came into being after the plan was made.
    bench.must(&["plan", "release", "v15.2", "--out", "plan.json"]);
    bench.inside("backend", &["mkdir", "-p", "sites/new.localhost"]);
    bench.inside("backend", &["cp", "sites/s01.localhost/site_config.json", "sites/new.localhost/"]);
    let output = bench.eclusa(&["release", "v15.2", "--plan", "plan.json", "--yes"]);
    assert!(!output.status.success(), "{}", text(&output));
    assert!(
        text(&output).contains("it shares its database") || text(&output).contains("E0302"),
        "{}",
        text(&output)
    );
    bench.inside("backend", &["rm", "-r", "sites/new.localhost"]);
    bench.at_rest();
}
